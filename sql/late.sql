-- Facts that come when those of their time were retired. Their hour cannot be recomputed, so they are added to it, and
-- kept as cells of their own: whatever is recomputed later is made of raw facts and of these.
-- Not as rows of the tables, whose columns could not be altered while a view has their type.
CREATE OR REPLACE VIEW vigil.quarantined_facts AS
SELECT q.id, q.module_id, q.created_at, e.version_id, e.event_type, e.subject,
       CASE WHEN e.event_type = 'error' THEN coalesce(e.payload ->> 'errorName', 'Unknown')
            ELSE e.event_name END AS name,
       coalesce(e.success, CASE WHEN e.event_type = 'api_call' THEN e.event_name = 'api_success' END) AS success,
       e.duration_ms, e.value, e.memory_usage_kb, e.site_id, e.session_id, e.user_key, e.country_code,
       coalesce(e.device_type, e.metadata ->> 'device') AS device,
       coalesce(e.browser, e.metadata ->> 'browser') AS browser, e.sample_weight
FROM vigil.quarantine q, jsonb_to_record(q.content) AS e (
  version_id uuid, event_type text, subject text, event_name text, success boolean, duration_ms double precision,
  value double precision, memory_usage_kb bigint, site_id uuid, session_id text, user_key text, country_code text,
  device_type text, browser text, payload jsonb, metadata jsonb, sample_weight double precision)
WHERE q.fact = 'events'
UNION ALL
SELECT q.id, q.module_id, q.created_at, e.version_id, 'error', e.fingerprint, e.error_name, NULL,
       NULL, NULL, NULL, e.site_id, e.session_id, e.user_key, e.country_code, e.device_type, e.browser, e.sample_weight
FROM vigil.quarantine q, jsonb_to_record(q.content) AS e (
  version_id uuid, fingerprint text, error_name text, site_id uuid, session_id text, user_key text, country_code text,
  device_type text, browser text, sample_weight double precision)
WHERE q.fact = 'errors';
COMMENT ON VIEW vigil.quarantined_facts IS 'Facts of vigil.quarantine with the columns of vigil.facts, as cells count them.';

-- Retention takes whole hours from all fact tables, and minute cells are gone before an hour.
CREATE OR REPLACE FUNCTION vigil.late_times() RETURNS tstzmultirange
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT coalesce(range_agg(tstzrange(t.starts_at, t.ends_at)) FILTER (WHERE t.gone), '{}')
         * (SELECT tstzmultirange(tstzrange(s.hour_floor + interval '4 days', s.minute_floor)) FROM vigil.rollup_state s)
         - coalesce(range_agg(tstzrange(t.starts_at, t.ends_at)) FILTER (WHERE NOT t.gone), '{}')
  FROM (SELECT r.starts_at, r.ends_at, r.finished_at IS NOT NULL AS gone FROM vigil.retired_partitions r
        UNION ALL
        SELECT p.starts_at, p.ends_at, false FROM vigil.partitions p) t
$$;
COMMENT ON FUNCTION vigil.late_times() IS
  'Times whose facts were retired and then dropped or archived, and whose minute cells are gone while hour cells are here: a fact of them is counted as late.';

CREATE OR REPLACE FUNCTION vigil.count_late_facts(max_rows integer DEFAULT 10000) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
DECLARE
  times tstzmultirange;
  modules uuid[];
  ids uuid[];
  counted bigint;
BEGIN
  IF max_rows IS NULL OR max_rows < 1 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('max_rows must be 1 or more, not %s', coalesce(max_rows::text, 'null'));
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE invalid_transaction_state USING
      MESSAGE = format('late facts cannot be counted in a %s transaction', current_setting('transaction_isolation')),
      DETAIL = 'It must see what rollers have committed meanwhile.';
  ELSIF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  times := vigil.late_times();
  IF isempty(times) THEN
    RETURN 0;
  END IF;
  -- As a roller: what stands in cells is written by one session at a time, and is seen as the last has left it.
  LOCK TABLE vigil.rollup_state IN ROW SHARE MODE;
  times := times * (SELECT tstzmultirange(tstzrange(s.hour_floor + interval '4 days', NULL)) FROM vigil.rollup_state s);
  SELECT array_agg(m.module_id) INTO modules
  FROM (SELECT DISTINCT q.module_id
        FROM vigil.quarantine q JOIN vigil.partition_policy y ON y.parent = q.fact AND y.late = 'count'
        WHERE q.created_at <@ times LIMIT 1000) m
  WHERE pg_try_advisory_xact_lock(vigil.roller_lock(m.module_id));
  -- Who else takes facts from quarantine has them, or leaves them to us.
  SELECT array_agg(w.module_id), array_agg(w.id) INTO modules, ids
  FROM (SELECT q.module_id, q.id
        FROM vigil.quarantine q JOIN vigil.partition_policy y ON y.parent = q.fact AND y.late = 'count'
        WHERE q.module_id = ANY (modules) AND q.created_at <@ times
        LIMIT max_rows FOR UPDATE OF q SKIP LOCKED) w;
  IF ids IS NULL THEN
    RETURN 0;
  END IF;

  WITH minutes AS MATERIALIZED (
    SELECT f.module_id, date_trunc('minute', f.created_at, 'UTC') AS minute, f.version_id, f.event_type, f.subject,
           vigil.cell_agg(f.created_at, f.name, f.success, f.duration_ms, f.value, f.memory_usage_kb, f.site_id,
                          f.session_id, f.user_key, f.country_code, f.device, f.browser, f.sample_weight) AS cell
    FROM unnest(modules, ids) AS w (module_id, id) JOIN vigil.quarantined_facts f USING (module_id, id)
    WHERE f.id = ANY (ids)  -- is known below the UNION of the view, so that no other is taken apart
    GROUP BY 1, 2, 3, 4, 5),
  late AS (
    INSERT INTO vigil.late_cells AS c (module_id, bucket, version_id, event_type, subject, cell)
    SELECT m.module_id, m.minute, m.version_id, m.event_type, m.subject, m.cell
    FROM minutes m
    ON CONFLICT (module_id, bucket, event_type, subject, version_id) DO UPDATE
    SET cell = (SELECT vigil.merge_agg(t.cell) FROM (VALUES (c.cell), (excluded.cell)) AS t (cell)), counted_at = now()),
  hours AS (
    INSERT INTO vigil.cells_hour AS c (module_id, resolution, bucket, version_id, event_type, subject, cell)
    SELECT m.module_id, 'hour', date_trunc('hour', m.minute, 'UTC'), m.version_id, m.event_type, m.subject,
           vigil.merge_agg(m.cell)
    FROM minutes m GROUP BY 1, 3, 4, 5, 6
    ON CONFLICT (module_id, bucket, event_type, subject, version_id, resolution) DO UPDATE
    SET cell = (SELECT vigil.merge_agg(t.cell) FROM (VALUES (c.cell), (excluded.cell)) AS t (cell)))
  -- While an hour or a day is marked nobody reads its cells, and the roller makes them anew.
  INSERT INTO vigil.cells_day AS c (module_id, resolution, bucket, version_id, event_type, subject, cell)
  SELECT m.module_id, 'day', date_trunc('day', m.minute, vigil.time_zone_of(m.module_id)), m.version_id, m.event_type,
         m.subject, vigil.merge_agg(m.cell)
  FROM minutes m GROUP BY 1, 3, 4, 5, 6
  ON CONFLICT (module_id, bucket, event_type, subject, version_id, resolution) DO UPDATE
  SET cell = (SELECT vigil.merge_agg(t.cell) FROM (VALUES (c.cell), (excluded.cell)) AS t (cell));

  DELETE FROM vigil.quarantine q USING unnest(modules, ids) AS w (module_id, id)
  WHERE q.module_id = w.module_id AND q.id = w.id;
  GET DIAGNOSTICS counted = ROW_COUNT;
  RETURN counted;
END $$;
COMMENT ON FUNCTION vigil.count_late_facts(integer) IS
  'Takes up to max_rows facts of retired times from vigil.quarantine and adds them to hour and day cells, where the policy counts them; returns their number. Leaves out modules that a roller works on. Safe to call at any time and to repeat.';

CREATE OR REPLACE VIEW vigil.late_facts AS
SELECT t.module_id, t.hour, sum(t.counted)::bigint AS counted, sum(t.waiting)::bigint AS waiting,
       max(t.counted_at) AS last_counted_at
FROM (SELECT c.module_id, date_trunc('hour', c.bucket, 'UTC') AS hour, vigil.cell_count(c.cell) AS counted, 0 AS waiting,
             c.counted_at
      FROM vigil.late_cells c
      UNION ALL
      SELECT q.module_id, date_trunc('hour', q.created_at, 'UTC'), 0, 1, NULL
      FROM vigil.quarantine q
      WHERE EXISTS (SELECT FROM vigil.retired_partitions r WHERE r.starts_at <= q.created_at AND r.ends_at > q.created_at)) t
GROUP BY t.module_id, t.hour;
COMMENT ON VIEW vigil.late_facts IS 'Facts that came when those of their hour were retired, by module and hour.';
COMMENT ON COLUMN vigil.late_facts.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.late_facts.hour IS 'Hour of the events, UTC.';
COMMENT ON COLUMN vigil.late_facts.counted IS 'Those in hour and day cells; the facts themselves are gone.';
COMMENT ON COLUMN vigil.late_facts.waiting IS 'Those in vigil.quarantine.';
COMMENT ON COLUMN vigil.late_facts.last_counted_at IS 'When the last of them was counted.';
