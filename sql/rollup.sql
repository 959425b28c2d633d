CREATE OR REPLACE VIEW vigil.facts AS
SELECT module_id, created_at, version_id, event_type, subject,
       CASE WHEN event_type = 'error' THEN coalesce(payload ->> 'errorName', 'Unknown')
            ELSE event_name END AS name,
       coalesce(success, CASE WHEN event_type = 'api_call' THEN event_name = 'api_success' END) AS success,
       duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code,
       coalesce(device_type, metadata ->> 'device') AS device,
       coalesce(browser, metadata ->> 'browser') AS browser, sample_weight
FROM vigil.events
UNION ALL
SELECT module_id, created_at, version_id, 'error', fingerprint, error_name, NULL,
       NULL, NULL, NULL, site_id, session_id, user_key, country_code, device_type, browser, sample_weight
FROM vigil.errors;
COMMENT ON VIEW vigil.facts IS
  'Events and errors as cells count them: an error is an event of type error whose subject is its fingerprint.';

-- A plan of the readers below looks expensive enough to be compiled, which would take longer than it runs.
CREATE OR REPLACE FUNCTION vigil.raw_cells(starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (module_id uuid, version_id uuid, event_type text, subject text, bucket timestamptz,
                 cell vigil.cell)
  LANGUAGE c STABLE STRICT ROWS 1000 COST 10000
  SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'vigil_raw_cells';
COMMENT ON FUNCTION vigil.raw_cells(timestamptz, timestamptz) IS
  'Minute cells of all modules for [starts_at, ends_at), computed from raw facts in one pass.';

-- Facts of many modules lie side by side: a bitmap of all of them visits each page once, where index scans would visit it
-- for every module. Never all facts of a module, or of a time, are read.
CREATE OR REPLACE FUNCTION vigil.raw_cells_of_windows(
    modules uuid[], starts_at timestamptz[], ends_at timestamptz[], measures_only boolean DEFAULT false)
  RETURNS TABLE (number integer, version_id uuid, event_type text, subject text, bucket timestamptz, cell vigil.cell)
  LANGUAGE c STABLE STRICT ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp SET enable_seqscan = off SET enable_indexscan = off
  SET enable_indexonlyscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'vigil_raw_cells_of_windows';
COMMENT ON FUNCTION vigil.raw_cells_of_windows(uuid[], timestamptz[], timestamptz[], boolean) IS
  'Minute cells computed from raw facts: number n are those of modules[n] for [starts_at[n], ends_at[n]). Modules of the same times are read in one pass. With measures_only they are by type alone and without names, which is faster. A null among the elements: no cells; arrays of different sizes: SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.raw_cells(
    module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, bucket timestamptz, cell vigil.cell)
  LANGUAGE c STABLE STRICT ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp SET enable_seqscan = off SET enable_indexscan = off
  SET enable_indexonlyscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'vigil_raw_cells_of_window';
COMMENT ON FUNCTION vigil.raw_cells(uuid, timestamptz, timestamptz) IS
  'Minute cells of a module for [starts_at, ends_at), computed from raw facts: what every other level is merged from.';

-- Each level takes the cells of what is whole and unmarked, and leaves the rest to the level below: hours, minutes, raw
-- facts; days only where hours have expired. All statements see the snapshot of the caller. PostgreSQL must walk keys, never hash all cells of a module.
CREATE OR REPLACE FUNCTION vigil.cells_of_windows(
    modules uuid[], starts_at timestamptz[], ends_at timestamptz[], measures_only boolean DEFAULT false,
    from_hours boolean DEFAULT true)
  RETURNS TABLE (number integer, version_id uuid, event_type text, subject text, cell vigil.cell)
  LANGUAGE plpgsql STABLE ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
  SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  floor record;
BEGIN
  SELECT s.minute_floor AS minutes, s.hour_floor AS hours INTO floor FROM vigil.rollup_state s;
  -- Whole days are all that is known where hours are gone.
  IF from_hours AND floor.hours > ANY (starts_at) THEN
    RETURN QUERY
    WITH windows AS MATERIALIZED (
      SELECT u.n::integer AS number, u.module_id, u.first, u.last, u.first < floor.hours AS has_cells,
             date_trunc('day', u.last, vigil.time_zone_of(u.module_id)) AS last_day
      FROM unnest(modules, starts_at, ends_at) WITH ORDINALITY AS u (module_id, first, last, n)),
    rest AS (
      SELECT array_agg(p.number) AS numbers, array_agg(p.module_id) AS modules, array_agg(p.first) AS firsts, array_agg(p.last) AS lasts
      FROM (SELECT w.number, w.module_id, w.first, w.last FROM windows w WHERE NOT w.has_cells
            UNION ALL
            SELECT w.number, w.module_id, w.last_day, w.last FROM windows w
            WHERE w.has_cells AND vigil.final_until(w.module_id) <= w.last_day) p
      WHERE p.first < p.last)
    SELECT w.number, d.version_id, d.event_type, d.subject, d.cell
    FROM windows w, LATERAL vigil.live_days(w.module_id, w.first, w.last) d
    WHERE w.has_cells
    UNION ALL
    SELECT g.numbers[h.number], h.version_id, h.event_type, h.subject, h.cell
    FROM rest g, LATERAL vigil.cells_of_windows(g.modules, g.firsts, g.lasts, measures_only) h;
    RETURN;
  END IF;
  IF from_hours AND EXISTS (
      SELECT FROM unnest(starts_at, ends_at) AS u (first, last)
      WHERE date_bin('1 hour', u.first + interval '59 min 59.999999 s', 'epoch') < date_bin('1 hour', u.last, 'epoch')) THEN
    RETURN QUERY
    WITH windows AS MATERIALIZED (
      SELECT u.n::integer AS number, u.module_id, u.first, u.last, h.first AS first_hour, h.last AS last_hour,
             h.first < h.last AS has_cells
      FROM unnest(modules, starts_at, ends_at) WITH ORDINALITY AS u (module_id, first, last, n),
           LATERAL (SELECT date_bin('1 hour', u.first + interval '59 min 59.999999 s', 'epoch') AS first,
                           date_bin('1 hour', u.last, 'epoch') AS last) h),
    rest AS (
      SELECT array_agg(p.number) AS numbers, array_agg(p.module_id) AS modules, array_agg(p.first) AS firsts, array_agg(p.last) AS lasts
      FROM (SELECT w.number, w.module_id, w.first, CASE WHEN w.has_cells THEN w.first_hour ELSE w.last END AS last FROM windows w
            UNION ALL
            SELECT w.number, w.module_id, w.last_hour, w.last FROM windows w WHERE w.has_cells
            UNION ALL
            SELECT m.number, m.module_id, m.hour, m.hour + interval '1 hour'
            FROM (SELECT DISTINCT w.number, w.module_id, date_trunc('hour', d.minute, 'UTC') AS hour
                  FROM windows w JOIN vigil.dirty d ON d.module_id = w.module_id AND d.minute >= w.first_hour AND d.minute < w.last_hour
                  WHERE w.has_cells) m) p
      WHERE p.first < p.last)
    SELECT w.number, c.version_id, c.event_type, c.subject, c.cell
    FROM windows w,
         -- OFFSET: by the key, window by window
         LATERAL (SELECT h.version_id, h.event_type, h.subject, h.cell
                  FROM vigil.cells_hour h
                  WHERE h.module_id = w.module_id AND h.bucket >= w.first_hour AND h.bucket < w.last_hour
                    AND NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = h.module_id
                                    AND d.minute >= h.bucket AND d.minute < h.bucket + interval '1 hour')
                  OFFSET 0) c
    WHERE w.has_cells
    UNION ALL
    SELECT g.numbers[m.number], m.version_id, m.event_type, m.subject, m.cell
    FROM rest g, LATERAL vigil.cells_of_windows(g.modules, g.firsts, g.lasts, measures_only, false) m;
    RETURN;
  END IF;

  RETURN QUERY
  WITH windows AS MATERIALIZED (
    SELECT u.n::integer AS number, u.module_id, u.first, u.last, m.first AS first_minute, m.last AS last_minute,
           m.first < m.last AND m.first >= floor.minutes AS has_cells
    FROM unnest(modules, starts_at, ends_at) WITH ORDINALITY AS u (module_id, first, last, n),
         LATERAL (SELECT date_bin('1 minute', u.first + interval '59.999999 s', 'epoch') AS first,
                         date_bin('1 minute', u.last, 'epoch') AS last) m),
  rest AS (
    SELECT array_agg(p.number) AS numbers, array_agg(p.module_id) AS modules, array_agg(p.first) AS firsts, array_agg(p.last) AS lasts
    FROM (SELECT w.number, w.module_id, w.first, CASE WHEN w.has_cells THEN w.first_minute ELSE w.last END AS last FROM windows w
          UNION ALL
          SELECT w.number, w.module_id, w.last_minute, w.last FROM windows w WHERE w.has_cells
          UNION ALL
          SELECT DISTINCT w.number, w.module_id, d.minute, d.minute + interval '1 minute'
          FROM windows w JOIN vigil.dirty d ON d.module_id = w.module_id AND d.minute >= w.first_minute AND d.minute < w.last_minute
          WHERE w.has_cells) p
    WHERE p.first < p.last)
  SELECT w.number, c.version_id, c.event_type, c.subject, c.cell
  FROM windows w,
       LATERAL (SELECT m.version_id, m.event_type, m.subject, m.cell
                FROM vigil.cells_minute m
                WHERE m.module_id = w.module_id AND m.bucket >= w.first_minute AND m.bucket < w.last_minute
                  AND NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = m.module_id AND d.minute = m.bucket)
                OFFSET 0) c
  WHERE w.has_cells
  UNION ALL
  SELECT g.numbers[r.number], r.version_id, r.event_type, r.subject, r.cell
  FROM rest g, LATERAL vigil.raw_cells_of_windows(g.modules, g.firsts, g.lasts, measures_only) r;
  -- Late facts are of times whose minute cells are gone.
  IF floor.minutes > ANY (starts_at) THEN
    RETURN QUERY
    SELECT u.n::integer, c.version_id, c.event_type, c.subject, c.cell
    FROM unnest(modules, starts_at, ends_at) WITH ORDINALITY AS u (module_id, first, last, n),
         LATERAL (SELECT l.version_id, l.event_type, l.subject, l.cell
                  FROM vigil.late_cells l
                  WHERE l.module_id = u.module_id AND l.bucket >= u.first AND l.bucket < date_bin('1 minute', u.last, 'epoch')
                  OFFSET 0) c;
  END IF;
END $$;
COMMENT ON FUNCTION vigil.cells_of_windows(uuid[], timestamptz[], timestamptz[], boolean, boolean) IS
  'Cells that together hold exactly the facts of windows: number n are those of modules[n] for [starts_at[n], ends_at[n]). Hours inside, minutes at their sides, raw facts in the partial minutes; of a time whose hour cells have expired, its whole days. What must be read from raw facts is read at once for all modules; with measures_only by type alone and without names, which is faster, for who merges cells with vigil.measures_agg. Without from_hours: no hour cells.';

CREATE OR REPLACE FUNCTION vigil.live_hour(module uuid, hour timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, cell vigil.cell)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 COST 10 SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
  SELECT m.version_id, m.event_type, m.subject, vigil.merge_agg(m.cell)
  FROM vigil.cells_of_windows(ARRAY[module], ARRAY[hour], ARRAY[hour + interval '1 hour'], from_hours => false) m
  GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION vigil.live_hour(uuid, timestamptz) IS 'Cells of one hour, merged from its minutes.';

CREATE OR REPLACE FUNCTION vigil.window_cells(
    module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, cell vigil.cell)
  LANGUAGE sql STABLE ROWS 20 COST 10
AS $$
  SELECT c.version_id, c.event_type, c.subject, c.cell
  FROM vigil.cells_of_windows(ARRAY[module], ARRAY[starts_at], ARRAY[ends_at], false) c
$$;
COMMENT ON FUNCTION vigil.window_cells(uuid, timestamptz, timestamptz) IS
  'Cells that together hold exactly the facts of [starts_at, ends_at): hours inside, minutes at their sides, raw facts in the partial minutes. Of a time whose hour cells have expired, its whole days. Merge them with vigil.merge_agg.';

CREATE OR REPLACE FUNCTION vigil.time_zone_of(module uuid) RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$ SELECT coalesce((SELECT m.time_zone FROM vigil.modules m WHERE m.module_id = module), 'UTC') $$;
COMMENT ON FUNCTION vigil.time_zone_of(uuid) IS 'Zone in which the days of a module begin; UTC unless set.';

CREATE OR REPLACE FUNCTION vigil.day_after(day timestamptz, time_zone text) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT (day AT TIME ZONE time_zone + interval '1 day') AT TIME ZONE time_zone $$;
COMMENT ON FUNCTION vigil.day_after(timestamptz, text) IS 'Start of the next day of a zone; 23 or 25 hours later where clocks change.';

-- Four days of hours are kept below it. So whichever zone a module gets, the days there can be made anew, and none holds
-- facts of both sides of this bound.
CREATE OR REPLACE FUNCTION vigil.final_until(module uuid) RETURNS timestamptz
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT date_trunc('day', s.hour_floor + interval '4 days', vigil.time_zone_of(module)) FROM vigil.rollup_state s
$$;
COMMENT ON FUNCTION vigil.final_until(uuid) IS
  'Day cells of a module that begin before this do not change any more, for their hour cells are gone or go next; -infinity while hour cells are kept for ever.';

CREATE OR REPLACE FUNCTION vigil.live_day(module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, cell vigil.cell)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 COST 10 SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
  SELECT w.version_id, w.event_type, w.subject, vigil.merge_agg(w.cell)
  FROM vigil.window_cells(module, starts_at, ends_at) w
  GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION vigil.live_day(uuid, timestamptz, timestamptz) IS
  'Cells of one day of a module, merged from its hours, and from minutes where the day of its zone begins within an hour.';

CREATE OR REPLACE FUNCTION vigil.live_days(module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, bucket timestamptz, cell vigil.cell)
  LANGUAGE plpgsql STABLE ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  zone constant text := vigil.time_zone_of(module);
  final constant timestamptz := vigil.final_until(module);
BEGIN
  RETURN QUERY
  SELECT c.version_id, c.event_type, c.subject, c.bucket, c.cell
  FROM vigil.cells_day c
  WHERE c.module_id = module AND c.bucket >= starts_at AND c.bucket < ends_at
    -- the last final day may end early
    AND (vigil.day_after(c.bucket, zone) <= ends_at OR c.bucket < final AND final <= ends_at)
    AND (c.bucket < final OR NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = module AND d.minute >= date_trunc('minute', c.bucket)
                                         AND d.minute < vigil.day_after(c.bucket, zone)))
  UNION ALL
  SELECT l.version_id, l.event_type, l.subject, marked.day, l.cell
  FROM (SELECT DISTINCT date_trunc('day', d.minute, zone) AS day FROM vigil.dirty d
        WHERE d.module_id = module AND d.minute >= greatest(starts_at, final) AND d.minute < date_trunc('day', ends_at, zone)) marked,
       LATERAL vigil.live_day(module, marked.day, vigil.day_after(marked.day, zone)) l
  WHERE marked.day >= starts_at;
END $$;
COMMENT ON FUNCTION vigil.live_days(uuid, timestamptz, timestamptz) IS
  'Day cells of the whole days of a module within [starts_at, ends_at): stored ones for clean and final days, hours for marked days.';

CREATE OR REPLACE VIEW vigil.minutes AS
SELECT c.module_id, c.version_id, c.event_type, c.subject, c.bucket, c.cell
FROM vigil.cells_minute c
WHERE NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = c.module_id AND d.minute = c.bucket)
UNION ALL
SELECT marked.module_id, r.version_id, r.event_type, r.subject, r.bucket, r.cell
FROM (SELECT DISTINCT d.module_id, d.minute FROM vigil.dirty d
      WHERE d.minute >= (SELECT s.minute_floor FROM vigil.rollup_state s)) marked,
     LATERAL vigil.raw_cells(marked.module_id, marked.minute, marked.minute + interval '1 minute') r;
COMMENT ON VIEW vigil.minutes IS
  'Minute cells, as long as they are kept, never stale: marked minutes are computed from raw facts.';

CREATE OR REPLACE VIEW vigil.hours AS
SELECT c.module_id, c.version_id, c.event_type, c.subject, c.bucket, c.cell
FROM vigil.cells_hour c
WHERE NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = c.module_id
                  AND d.minute >= c.bucket AND d.minute < c.bucket + interval '1 hour')
UNION ALL
SELECT marked.module_id, h.version_id, h.event_type, h.subject, marked.hour, h.cell
FROM (SELECT DISTINCT d.module_id, date_trunc('hour', d.minute, 'UTC') AS hour FROM vigil.dirty d) marked,
     LATERAL vigil.live_hour(marked.module_id, marked.hour) h;
COMMENT ON VIEW vigil.hours IS 'Hour cells, never stale: hours with marked minutes are merged afresh.';

CREATE OR REPLACE VIEW vigil.days AS
SELECT c.module_id, c.version_id, c.event_type, c.subject, c.bucket, z.time_zone,
       -- final days may begin at midnight of another zone
       ((c.bucket + interval '12 hours') AT TIME ZONE z.time_zone)::date AS day, c.cell
FROM vigil.cells_day c, LATERAL vigil.time_zone_of(c.module_id) AS z(time_zone)
WHERE NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = c.module_id
                  AND d.minute >= date_trunc('minute', c.bucket)
                  AND d.minute < vigil.day_after(c.bucket, z.time_zone))
UNION ALL
SELECT marked.module_id, l.version_id, l.event_type, l.subject, marked.day, marked.time_zone,
       (marked.day AT TIME ZONE marked.time_zone)::date, l.cell
FROM (SELECT DISTINCT d.module_id, z.time_zone, date_trunc('day', d.minute, z.time_zone) AS day
      FROM vigil.dirty d, LATERAL vigil.time_zone_of(d.module_id) AS z(time_zone)) marked,
     LATERAL vigil.live_day(marked.module_id, marked.day,
                            vigil.day_after(marked.day, marked.time_zone)) l;
COMMENT ON VIEW vigil.days IS 'Day cells in the zone of each module, never stale: days with marked minutes are merged afresh.';

CREATE OR REPLACE FUNCTION vigil.rollup_patience(scheduled boolean DEFAULT NULL) RETURNS interval
  LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vigil_rollup_patience';
COMMENT ON FUNCTION vigil.rollup_patience(boolean) IS
  'How patient the roller is: vigil.rollup_patience when it runs by schedule, 0 when by hand, so that all is rolled up. Null: as this session, by schedule if it is a background worker.';

CREATE OR REPLACE FUNCTION vigil.ripe_at(
    minute timestamptz, first_mark timestamptz, last_mark timestamptz, patience interval) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN isfinite(minute) THEN
    least(first_mark + 30 * patience,
          greatest(minute + interval '1 minute', last_mark)
          + least(greatest(patience, (last_mark - minute - interval '1 minute') / 4), 6 * patience))
  ELSE first_mark END
$$;
COMMENT ON FUNCTION vigil.ripe_at(timestamptz, timestamptz, timestamptz, interval) IS
  'When a marked minute is worth rolling up: when it has ended and was left alone for the patience, for longer (up to 6 times) where marks come late, and at the latest 30 times the patience after its first mark.';

CREATE OR REPLACE FUNCTION vigil.roller_lock(module uuid) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT uuid_hash_extended(module, 1986619241) $$;
COMMENT ON FUNCTION vigil.roller_lock(uuid) IS
  'Key of the advisory lock under which the cells of a module are written, until the end of the transaction.';

-- Not longer than it takes to look for a deadlock: the caller may have locks that the other waits for, and tries
-- again what it has locks for.
CREATE OR REPLACE FUNCTION vigil.await_roller(module uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '100ms'
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(vigil.roller_lock(module));
EXCEPTION WHEN lock_not_available THEN
  RETURN;
END $$;
COMMENT ON FUNCTION vigil.await_roller(uuid) IS
  'Step of vigil.rollup(): waits for the roller that works on a module, up to 0.1 seconds.';

-- Each of the following walks the key for some minutes; see the readers above.
CREATE OR REPLACE FUNCTION vigil.take_marks(
    INOUT modules uuid[], minutes timestamptz[], OUT firsts timestamptz[], OUT lasts timestamptz[], OUT taken bigint)
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
  WITH gone AS (
    DELETE FROM vigil.dirty d USING unnest(modules, minutes) AS c (module_id, minute)
    WHERE d.module_id = c.module_id AND d.minute = c.minute
    RETURNING d.module_id, d.minute),
  -- neighbours within an hour, so that what lies between is not read
  numbered AS (
    SELECT g.module_id, g.minute, date_trunc('hour', g.minute, 'UTC') AS hour,
           g.minute - row_number() OVER (PARTITION BY g.module_id ORDER BY g.minute) * interval '1 minute' AS run
    FROM (SELECT DISTINCT module_id, minute FROM gone) g),
  runs AS (
    SELECT n.module_id, min(n.minute) AS first, max(n.minute) AS last, count(*) AS minutes
    FROM numbered n GROUP BY n.module_id, n.hour, n.run)
  SELECT array_agg(r.module_id), array_agg(r.first), array_agg(r.last), sum(r.minutes)::bigint FROM runs r
$$;
COMMENT ON FUNCTION vigil.take_marks(uuid[], timestamptz[]) IS
  'Step of vigil.rollup(): deletes the marks of minutes of modules; returns those that had any as runs of neighbours within an hour, and their number.';

CREATE OR REPLACE FUNCTION vigil.roll_minutes(
    modules uuid[], firsts timestamptz[], lasts timestamptz[], OUT facts_before bigint, OUT facts_now bigint)
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
  WITH gone AS (
    DELETE FROM vigil.cells_minute c
    USING unnest(modules, firsts, lasts) AS t (module_id, first, last)
    WHERE c.module_id = t.module_id AND c.bucket >= t.first AND c.bucket <= t.last
    RETURNING c.cell)
  SELECT coalesce(sum(vigil.cell_count(g.cell)), 0) INTO facts_before FROM gone g;

  WITH made AS (
    INSERT INTO vigil.cells_minute AS c (module_id, resolution, bucket, version_id, event_type, subject, cell)
    SELECT g.modules[r.number], 'minute', r.bucket, r.version_id, r.event_type, r.subject, r.cell
    FROM (SELECT array_agg(t.module_id) AS modules, array_agg(t.first) AS firsts, array_agg(t.last + interval '1 minute') AS ends
          FROM unnest(modules, firsts, lasts) AS t (module_id, first, last)
          WHERE t.first >= (SELECT s.minute_floor FROM vigil.rollup_state s)) g,
         LATERAL vigil.raw_cells_of_windows(g.modules, g.firsts, g.ends) r
    RETURNING c.cell)
  SELECT coalesce(sum(vigil.cell_count(m.cell)), 0) INTO facts_now FROM made m;
END $$;
COMMENT ON FUNCTION vigil.roll_minutes(uuid[], timestamptz[], timestamptz[]) IS
  'Step of vigil.rollup(): writes the cells of the minutes first to last from raw facts; returns how many facts they had before and have now.';

CREATE OR REPLACE FUNCTION vigil.roll_hours(
    modules uuid[], hours timestamptz[], OUT facts_before bigint, OUT facts_now bigint)
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  floor constant timestamptz := (SELECT s.minute_floor FROM vigil.rollup_state s);
BEGIN
  WITH gone AS (
    DELETE FROM vigil.cells_hour c USING unnest(modules, hours) AS t (module_id, hour)
    WHERE c.module_id = t.module_id AND c.bucket = t.hour
    RETURNING c.bucket, c.cell)
  SELECT coalesce(sum(vigil.cell_count(g.cell)), 0) INTO facts_before FROM gone g WHERE g.bucket < floor;

  WITH made AS (
    INSERT INTO vigil.cells_hour AS c (module_id, resolution, bucket, version_id, event_type, subject, cell)
    SELECT t.module_id, 'hour', t.hour, h.version_id, h.event_type, h.subject, h.cell
    FROM unnest(modules, hours) AS t (module_id, hour), LATERAL vigil.live_hour(t.module_id, t.hour) h
    RETURNING c.bucket, c.cell)
  SELECT coalesce(sum(vigil.cell_count(m.cell)), 0) INTO facts_now FROM made m WHERE m.bucket < floor;
END $$;
COMMENT ON FUNCTION vigil.roll_hours(uuid[], timestamptz[]) IS
  'Step of vigil.rollup(): merges the cells of hours from their minutes; returns how many facts those hours had before and have now whose minute cells are gone, so that their facts were read.';

CREATE OR REPLACE FUNCTION vigil.roll_days(modules uuid[], days timestamptz[]) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
  DELETE FROM vigil.cells_day c USING unnest(modules, days) AS t (module_id, day)
  WHERE c.module_id = t.module_id AND c.bucket = t.day;

  INSERT INTO vigil.cells_day (module_id, resolution, bucket, version_id, event_type, subject, cell)
  SELECT t.module_id, 'day', t.day, d.version_id, d.event_type, d.subject, d.cell
  FROM unnest(modules, days) AS t (module_id, day), LATERAL vigil.time_zone_of(t.module_id) AS z (time_zone),
       -- the first one after a change of the zone may begin later than at midnight
       LATERAL vigil.live_day(t.module_id, t.day, vigil.day_after(date_trunc('day', t.day, z.time_zone), z.time_zone)) d;
END $$;
COMMENT ON FUNCTION vigil.roll_days(uuid[], timestamptz[]) IS 'Step of vigil.rollup(): writes the cells of days.';

CREATE OR REPLACE FUNCTION vigil.rollup(max_minutes integer DEFAULT 5000, patience interval DEFAULT NULL)
  RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
DECLARE
  began constant timestamptz := clock_timestamp();
  budget interval;
  waiting_modules uuid[];
  waiting_minutes timestamptz[];
  waiting integer;
  position integer := 1;
  width integer := 16;          -- minutes of a chunk
  modules uuid[];
  minutes timestamptz[];
  others uuid;                  -- a module that another roller works on
  locked uuid[] = '{}';
  chunk_began timestamptz;
  chunk record;
  counts record;
  touched_modules uuid[];
  touched_minutes timestamptz[];
  done bigint := 0;
  facts_read bigint := 0;
  facts_before bigint := 0;
BEGIN
  patience := coalesce(patience, vigil.rollup_patience());
  IF max_minutes IS NULL OR max_minutes < 1 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('max_minutes must be 1 or more, not %s', coalesce(max_minutes::text, 'null'));
  ELSIF patience NOT BETWEEN interval '0' AND interval '1 hour' THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('patience must be from 0 to 1 hour, not %s', patience);
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE invalid_transaction_state USING
      MESSAGE = format('rollup is not possible in a %s transaction', current_setting('transaction_isolation')),
      DETAIL = 'It must see what other rollers have committed meanwhile.';
  END IF;
  -- The marks of a dump may be there before their facts.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  -- Rollers go together; what needs all of them to stand still takes EXCLUSIVE.
  LOCK TABLE vigil.rollup_state IN ROW SHARE MODE;
  IF (SELECT isfinite(s.hour_floor) FROM vigil.rollup_state s) THEN
    PERFORM vigil.drop_final_marks();
  END IF;
  budget := CASE WHEN patience > interval '0' THEN interval '1.5 seconds' ELSE interval '1 minute' END;

  <<turn>>
  LOOP
    others := NULL;
    -- The minutes of an hour come together, so that the hour is merged once.
    SELECT array_agg(w.module_id), array_agg(w.minute), count(*)
    INTO waiting_modules, waiting_minutes, waiting
    FROM (SELECT d.module_id, d.minute FROM vigil.dirty d
          GROUP BY 1, 2
          HAVING patience = interval '0'
              OR vigil.ripe_at(d.minute, min(d.marked_at), max(d.marked_at), patience) <= clock_timestamp()
          ORDER BY date_trunc('hour', d.minute, 'UTC'), 1, 2 LIMIT max_minutes) w;

    WHILE position <= waiting AND cardinality(locked) < 1000 AND clock_timestamp() < began + budget LOOP
      chunk_began := clock_timestamp();
      -- A lock is tried, never waited for, so rollers cannot deadlock; what was taken stays ours until the end
      -- of the transaction.
      WITH slice AS (
        SELECT s.module_id, s.minute
        FROM unnest(waiting_modules[position : position + width - 1],
                    waiting_minutes[position : position + width - 1]) AS s (module_id, minute)),
      tried AS MATERIALIZED (
        SELECT m.module_id, pg_try_advisory_xact_lock(vigil.roller_lock(m.module_id)) AS ours
        FROM (SELECT DISTINCT s.module_id FROM slice s) m)
      SELECT array_agg(s.module_id) FILTER (WHERE t.ours), array_agg(s.minute) FILTER (WHERE t.ours),
             coalesce((array_agg(s.module_id) FILTER (WHERE NOT t.ours))[1], others)
      INTO modules, minutes, others
      FROM slice s JOIN tried t USING (module_id);
      -- all locks of the server share a table of limited size
      locked := ARRAY(SELECT DISTINCT m FROM unnest(locked || modules) AS m);
      position := position + width;

      -- Each statement has a later snapshot than the one before. After the lock, marks and cells are seen as the
      -- last roller of the module has left them. Marks come before facts: a mark and its facts commit together,
      -- so the facts of what is taken here are visible there.
      SELECT * INTO chunk FROM vigil.take_marks(modules, minutes);
      CONTINUE WHEN chunk.taken IS NULL;
      SELECT * INTO counts FROM vigil.roll_minutes(chunk.modules, chunk.firsts, chunk.lasts);
      facts_read := facts_read + counts.facts_now;
      facts_before := facts_before + counts.facts_before;
      -- While marks are left in an hour, or a day, nobody reads its cells: whoever takes the last merges them.
      SELECT h.* INTO counts
      FROM (SELECT array_agg(t.module_id) AS modules, array_agg(t.hour) AS hours
            FROM (SELECT DISTINCT r.module_id, date_trunc('hour', r.first, 'UTC') AS hour
                  FROM unnest(chunk.modules, chunk.firsts) AS r (module_id, first)) t
            WHERE NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = t.module_id
                              AND d.minute >= t.hour AND d.minute < t.hour + interval '1 hour')) g,
           LATERAL vigil.roll_hours(g.modules, g.hours) h;
      facts_read := facts_read + counts.facts_now;
      facts_before := facts_before + counts.facts_before;
      touched_modules := touched_modules || chunk.modules || chunk.modules;
      touched_minutes := touched_minutes || chunk.firsts || chunk.lasts;
      done := done + chunk.taken;
      -- Chunks of a quarter of a second, so that a turn ends when it should.
      width := least(greatest(
        width * least(0.25 / greatest(extract(epoch FROM clock_timestamp() - chunk_began), 0.001), 4), 1), 500)::integer;
    END LOOP;

    -- By hand, 0 says that nothing is left: wait for those who do what is left.
    EXIT turn WHEN done > 0 OR others IS NULL OR patience > interval '0';
    PERFORM vigil.await_roller(others);
    position := 1;
  END LOOP;
  IF done = 0 THEN
    RETURN 0;
  END IF;

  SELECT array_agg(t.module_id), array_agg(t.day) INTO modules, minutes
  FROM (SELECT DISTINCT u.module_id, date_trunc('day', u.minute, z.time_zone) AS day, z.time_zone
        -- a zone's day may begin between the first and the last minute of an hour
        FROM unnest(touched_modules, touched_minutes) AS u (module_id, minute),
             LATERAL vigil.time_zone_of(u.module_id) AS z (time_zone)) t
  WHERE NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = t.module_id AND d.minute >= date_trunc('minute', t.day)
                    AND d.minute < vigil.day_after(t.day, t.time_zone));
  PERFORM vigil.roll_days(modules, minutes);
  INSERT INTO vigil.rollup_turns (started_at, duration_ms, minutes, facts_read, facts_counted)
  VALUES (began, 1000 * extract(epoch FROM clock_timestamp() - began), done, facts_read, facts_read - facts_before);
  RETURN done;
END $$;
COMMENT ON FUNCTION vigil.rollup(integer, interval) IS
  'Recomputes up to max_minutes marked minutes and the hours and days above them, in this transaction; returns the number of minutes, 0 when nothing is left. With patience (null: vigil.rollup_patience()) it takes ripe minutes only, leaves out modules that other rollers work on, and ends after about two seconds. Any number of sessions may call it at once. Safe to call at any time and to repeat.';

CREATE OR REPLACE FUNCTION vigil.assist_rollup() RETURNS bigint
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE WHEN EXISTS (SELECT FROM vigil.job_settings s WHERE s.name = 'rollup' AND s.enabled) THEN vigil.rollup() ELSE 0 END
$$;
COMMENT ON FUNCTION vigil.assist_rollup() IS
  'For the workers that vigil.rollup_workers adds: a turn of vigil.rollup() unless its job is paused.';

CREATE OR REPLACE FUNCTION vigil.rebuild_days() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  module constant uuid := coalesce(NEW.module_id, OLD.module_id);
  zone text;
  first timestamptz;
  days timestamptz[];
BEGIN
  -- The days of a dump come from the dump, and its hours may not be here yet; see vigil.being_restored().
  IF TG_OP = 'INSERT' AND current_setting('row_security') = 'off' THEN
    RETURN NULL;
  END IF;
  LOCK TABLE vigil.rollup_state IN ROW SHARE MODE;
  PERFORM pg_advisory_xact_lock(vigil.roller_lock(module));
  zone := vigil.time_zone_of(module);
  -- Where hours are gone days stay: all before the last that begins within two days after the floor, or would.
  -- From there on hours are here, and where that day begins no other goes on.
  SELECT coalesce((SELECT max(c.bucket) FROM vigil.cells_day c WHERE c.module_id = module
                   AND c.bucket >= s.hour_floor AND c.bucket <= s.hour_floor + interval '2 days'),
                  s.hour_floor + interval '2 days') INTO first
  FROM vigil.rollup_state s;
  SELECT array_agg(DISTINCT greatest(t.day, first)) INTO days
  FROM (SELECT date_trunc('day', c.bucket, zone) AS day FROM vigil.cells_hour c WHERE c.module_id = module AND c.bucket >= first
        UNION
        SELECT date_trunc('day', c.bucket + interval '59 minutes', zone)
        FROM vigil.cells_hour c WHERE c.module_id = module AND c.bucket + interval '59 minutes' >= first) t;
  DELETE FROM vigil.cells_day c WHERE c.module_id = module AND c.bucket >= first;
  IF EXISTS (SELECT FROM vigil.cells_day c WHERE c.module_id = module) THEN
    RAISE NOTICE 'days of module % before % stay as they are', module, first USING DETAIL = 'Their hour cells have expired.';
  END IF;
  PERFORM vigil.roll_days(array_fill(module, ARRAY[coalesce(cardinality(days), 0)]), days);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.rebuild_days() IS 'Trigger: days begin at other times when a module''s zone changes.';

CREATE OR REPLACE TRIGGER rebuild_days AFTER INSERT OR DELETE OR UPDATE OF time_zone, module_id ON vigil.modules
  FOR EACH ROW EXECUTE FUNCTION vigil.rebuild_days();

CREATE OR REPLACE VIEW vigil.rollup_lag AS
SELECT count(*) AS marked_minutes,
       coalesce(sum(m.marks), 0)::bigint AS marks,
       coalesce(now() - min(m.first_mark), interval '0') AS oldest_mark_age,
       count(*) FILTER (WHERE m.ripe_at <= now()) AS ripe_minutes,
       greatest(coalesce(now() - min(m.ripe_at), interval '0'), interval '0') AS lag
FROM (SELECT count(*) AS marks, min(d.marked_at) AS first_mark,
             vigil.ripe_at(d.minute, min(d.marked_at), max(d.marked_at),
                           vigil.rollup_patience(true)) AS ripe_at
      FROM vigil.dirty d GROUP BY d.module_id, d.minute) m;
COMMENT ON VIEW vigil.rollup_lag IS 'How far the roller is behind. Readers do not notice: marked minutes are read from raw facts.';
COMMENT ON COLUMN vigil.rollup_lag.marked_minutes IS 'Different minutes of modules that are marked, open ones too.';
COMMENT ON COLUMN vigil.rollup_lag.marks IS 'Marks that wait.';
COMMENT ON COLUMN vigil.rollup_lag.oldest_mark_age IS 'Age of the oldest of them.';
COMMENT ON COLUMN vigil.rollup_lag.ripe_minutes IS 'Those of the marked minutes that the roller would take now: its queue.';
COMMENT ON COLUMN vigil.rollup_lag.lag IS 'How long the first of the queue has waited since it was ripe; 0 when the queue is empty.';

CREATE OR REPLACE VIEW vigil.rollup_progress AS
SELECT s.turns + t.turns AS turns, s.minutes + t.minutes AS minutes, s.facts_read + t.facts_read AS facts_read,
       s.facts_counted + t.facts_counted AS facts_counted,
       round((s.facts_read + t.facts_read)::numeric / nullif(s.facts_counted + t.facts_counted, 0), 3) AS reads_per_fact,
       t.last_turn, t.longest_turn, l.ripe_minutes, l.lag, v.hours AS verified_hours, v.differences
FROM vigil.rollup_state s, vigil.verify_state v,
     (SELECT count(*) AS turns, coalesce(sum(r.minutes), 0)::bigint AS minutes,
             coalesce(sum(r.facts_read), 0)::bigint AS facts_read, coalesce(sum(r.facts_counted), 0)::bigint AS facts_counted,
             max(r.started_at) AS last_turn, max(r.duration_ms) * interval '1 millisecond' AS longest_turn
      FROM vigil.rollup_turns r) t,
     vigil.rollup_lag l;
COMMENT ON VIEW vigil.rollup_progress IS 'What the rollers have done since the extension was created, and what waits for them; one row.';
COMMENT ON COLUMN vigil.rollup_progress.turns IS 'Turns that did something.';
COMMENT ON COLUMN vigil.rollup_progress.minutes IS 'Minutes of modules that they recomputed.';
COMMENT ON COLUMN vigil.rollup_progress.facts_read IS 'Raw facts that they read for that.';
COMMENT ON COLUMN vigil.rollup_progress.facts_counted IS 'Facts by which the cells grew: those stored and rolled up, less those deleted.';
COMMENT ON COLUMN vigil.rollup_progress.reads_per_fact IS 'How often a fact was read on average; 1 is the least.';
COMMENT ON COLUMN vigil.rollup_progress.last_turn IS 'Start of the last turn, of the last day.';
COMMENT ON COLUMN vigil.rollup_progress.longest_turn IS 'How long the longest turn of the last day took.';
COMMENT ON COLUMN vigil.rollup_progress.ripe_minutes IS 'As in vigil.rollup_lag.';
COMMENT ON COLUMN vigil.rollup_progress.lag IS 'As in vigil.rollup_lag.';
COMMENT ON COLUMN vigil.rollup_progress.verified_hours IS 'Hours of modules that the verifier has compared with raw facts.';
COMMENT ON COLUMN vigil.rollup_progress.differences IS 'Cells that differed, see vigil.rollup_differences; 0 unless something went wrong.';
