-- The verifier: cells against the facts they were made from.
CREATE OR REPLACE FUNCTION vigil.has_facts(starts_at timestamptz, ends_at timestamptz) RETURNS boolean
  LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM vigil.retired_partitions r WHERE r.starts_at < has_facts.ends_at AND r.ends_at > has_facts.starts_at)
     AND (SELECT count(DISTINCT p.parent) = 2 FROM vigil.partitions p
          WHERE p.parent IN ('events', 'errors') AND p.starts_at <= has_facts.starts_at AND p.ends_at >= has_facts.ends_at)
$$;
COMMENT ON FUNCTION vigil.has_facts(timestamptz, timestamptz) IS
  'Whether the raw facts of [starts_at, ends_at) are all here: one partition of each fact table holds that time, and nothing of it was retired.';

-- Whatever is not marked equals its facts in every snapshot: so one snapshot, that of the caller, is used for all.
CREATE OR REPLACE FUNCTION vigil.cell_differences(module uuid, hour timestamptz, most_facts bigint DEFAULT 1000000)
  RETURNS TABLE (resolution vigil.resolution, bucket timestamptz, version_id uuid, event_type text, subject text,
                 stored vigil.cell, expected vigil.cell)
  LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  first timestamptz := hour;
  last timestamptz := hour + interval '1 hour';
  zone constant text := vigil.time_zone_of(module);
  day constant timestamptz := date_trunc('day', hour, zone);
  next_day constant timestamptz := vigil.day_after(day, zone);
  facts bigint;
BEGIN
  IF EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = module AND d.minute >= hour AND d.minute < last)
    OR NOT vigil.has_facts(hour, last) OR hour < vigil.final_until(module)
  THEN
    RETURN;
  END IF;
  SELECT coalesce(sum(vigil.cell_count(c.cell)), 0) INTO facts
  FROM vigil.cells_hour c WHERE c.module_id = module AND c.bucket = hour;

  IF hour >= (SELECT s.minute_floor FROM vigil.rollup_state s) THEN
    -- Of a large hour a part of 1 to 60 minutes.
    IF facts > most_facts THEN
      first := hour + floor(random() * 60) * interval '1 minute';
      last := least(last, first + greatest(60 * most_facts / facts, 1) * interval '1 minute');
    END IF;
    RETURN QUERY
    SELECT 'minute'::vigil.resolution, t.bucket, t.version_id, t.event_type, t.subject,
           min(t.stored)::vigil.cell, min(t.expected)::vigil.cell
    FROM (SELECT c.bucket, c.version_id, c.event_type, c.subject, c.cell::text AS stored, NULL::text AS expected
          FROM vigil.cells_minute c WHERE c.module_id = module AND c.bucket >= first AND c.bucket < last
          UNION ALL
          SELECT r.bucket, r.version_id, r.event_type, r.subject, NULL, r.cell::text
          FROM vigil.raw_cells(module, first, last) r) t
    GROUP BY 2, 3, 4, 5 HAVING min(t.stored) IS DISTINCT FROM min(t.expected);
  ELSIF facts > most_facts THEN
    RETURN;
  END IF;

  RETURN QUERY
  SELECT 'hour'::vigil.resolution, hour, t.version_id, t.event_type, t.subject,
         min(t.stored)::vigil.cell, min(t.expected)::vigil.cell
  FROM (SELECT c.version_id, c.event_type, c.subject, c.cell::text AS stored, NULL::text AS expected
        FROM vigil.cells_hour c WHERE c.module_id = module AND c.bucket = hour
        UNION ALL
        SELECT h.version_id, h.event_type, h.subject, NULL, h.cell::text FROM vigil.live_hour(module, hour) h) t
  GROUP BY 3, 4, 5 HAVING min(t.stored) IS DISTINCT FROM min(t.expected);

  IF NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = module AND d.minute >= day AND d.minute < next_day)
    AND vigil.has_facts(day, next_day)
  THEN
    RETURN QUERY
    SELECT 'day'::vigil.resolution, day, t.version_id, t.event_type, t.subject,
           min(t.stored)::vigil.cell, min(t.expected)::vigil.cell
    FROM (SELECT c.version_id, c.event_type, c.subject, c.cell::text AS stored, NULL::text AS expected
          FROM vigil.cells_day c WHERE c.module_id = module AND c.bucket = day
          UNION ALL
          SELECT l.version_id, l.event_type, l.subject, NULL, l.cell::text FROM vigil.live_day(module, day, next_day) l) t
    GROUP BY 3, 4, 5 HAVING min(t.stored) IS DISTINCT FROM min(t.expected);
  END IF;
END $$;
COMMENT ON FUNCTION vigil.cell_differences(uuid, timestamptz, bigint) IS
  'Cells of an hour of a module that are not what they should be: minutes against raw facts, the hour against its minutes or raw facts, and its day against its hours. Nothing while a minute of it is marked, or when its facts are not all here, or its hour cells have expired. Of an hour with more than most_facts facts only some minutes, by chance, are compared with facts, and none when its minute cells are gone.';

CREATE OR REPLACE FUNCTION vigil.verify_hour(module uuid, hour timestamptz) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  found bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM vigil.cell_differences(module, hour)) THEN
    RETURN 0;
  END IF;
  -- Once more, with a later snapshot: a partition may have been taken away in the middle.
  INSERT INTO vigil.rollup_differences (module_id, resolution, bucket, version_id, event_type, subject, stored, expected)
  SELECT module, d.resolution, d.bucket, d.version_id, d.event_type, d.subject, d.stored, d.expected
  FROM vigil.cell_differences(module, hour, 9223372036854775807 / 60) d LIMIT 1000;
  GET DIAGNOSTICS found = ROW_COUNT;
  IF found > 0 THEN
    PERFORM vigil.mark_dirty(module, hour, hour + interval '1 hour');
    RAISE WARNING 'cells of module % in the hour of % are not what its facts make: % differ', module,
      to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), found
      USING DETAIL = 'The hour was marked and will be rolled up again. Facts or cells were written past the triggers, or a disk lies.',
            HINT = format('SELECT * FROM vigil.rollup_differences WHERE module_id = %L;', module);
  END IF;
  RETURN found;
END $$;
COMMENT ON FUNCTION vigil.verify_hour(uuid, timestamptz) IS
  'Compares the cells of an hour of a module with its facts; what differs is written to vigil.rollup_differences with a WARNING, and the hour is marked. Returns the number of cells that differ.';

CREATE OR REPLACE FUNCTION vigil.verify_rollups(time_limit interval DEFAULT '1 second') RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  until constant timestamptz := clock_timestamp() + time_limit;
  state vigil.verify_state;
  begun constant bigint := (SELECT s.rounds FROM vigil.verify_state s);
  chance record;
  verified bigint := 0;
BEGIN
  IF time_limit IS NULL OR time_limit <= interval '0' THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('time_limit must be longer than zero, not %s', coalesce(time_limit::text, 'null'));
  ELSIF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  SELECT * INTO state FROM vigil.verify_state FOR UPDATE;
  LOOP
    -- in turn ...
    SELECT c.module_id, c.bucket INTO chance FROM vigil.cells_hour c
    WHERE (c.module_id, c.bucket) > (coalesce(state.module_id, '00000000-0000-0000-0000-000000000000'),
                                     coalesce(state.hour, '-infinity'))
    ORDER BY c.module_id, c.bucket LIMIT 1;
    state.module_id := chance.module_id;
    state.hour := chance.bucket;
    IF state.hour IS NULL THEN
      state.rounds := state.rounds + 1;
    ELSE
      state.differences := state.differences + vigil.verify_hour(state.module_id, state.hour);
      verified := verified + 1;
    END IF;
    -- ... and by chance an hour of the last week, which may have facts and no cells at all
    SELECT c.module_id, date_trunc('hour', now() - random() * interval '7 days', 'UTC') AS hour INTO chance
    FROM vigil.cells_hour c WHERE c.module_id >= gen_random_uuid() ORDER BY c.module_id LIMIT 1;
    IF FOUND THEN
      state.differences := state.differences + vigil.verify_hour(chance.module_id, chance.hour);
      verified := verified + 1;
    END IF;
    EXIT WHEN clock_timestamp() >= until OR state.rounds > begun;
  END LOOP;
  UPDATE vigil.verify_state s
  SET module_id = state.module_id, hour = state.hour, hours = s.hours + verified, differences = state.differences, rounds = state.rounds;
  RETURN verified;
END $$;
COMMENT ON FUNCTION vigil.verify_rollups(interval) IS
  'Compares cells with facts for about time_limit: every hour of every module in turn, and as many by chance; ends sooner when all had their turn. Returns the number of hours. See vigil.verify_hour, vigil.rollup_differences and vigil.rollup_progress.';
