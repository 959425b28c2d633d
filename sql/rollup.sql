CREATE OR REPLACE VIEW vigil.facts AS
SELECT module_id, created_at, version_id, event_type, subject,
       CASE WHEN event_type = 'error' THEN coalesce(payload ->> 'errorName', 'Unknown')
            ELSE event_name END AS name,
       coalesce(success, CASE WHEN event_type = 'api_call' THEN event_name = 'api_success' END) AS success,
       duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code,
       coalesce(device_type, metadata ->> 'device') AS device,
       coalesce(browser, metadata ->> 'browser') AS browser
FROM vigil.events
UNION ALL
SELECT module_id, created_at, version_id, 'error', fingerprint, error_name, NULL,
       NULL, NULL, NULL, site_id, session_id, user_key, country_code, device_type, browser
FROM vigil.errors;
COMMENT ON VIEW vigil.facts IS
  'Events and errors as cells count them: an error is an event of type error whose subject is its fingerprint.';

-- The readers below take a whole module and time range apart: PostgreSQL must walk the key, never
-- hash all facts of a module. A plan that is made so looks expensive enough to be compiled, which
-- would take longer than it runs.
CREATE OR REPLACE FUNCTION vigil.raw_cells(
    module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, bucket timestamptz, cell vigil.cell)
  LANGUAGE c STABLE STRICT ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'vigil_raw_cells';
COMMENT ON FUNCTION vigil.raw_cells(uuid, timestamptz, timestamptz) IS
  'Minute cells of a module for [starts_at, ends_at), computed from raw facts: what every other level is merged from.';

CREATE OR REPLACE FUNCTION vigil.raw_cells(starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (module_id uuid, version_id uuid, event_type text, subject text, bucket timestamptz,
                 cell vigil.cell)
  LANGUAGE c STABLE STRICT ROWS 1000 COST 10000
  SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'vigil_raw_cells';
COMMENT ON FUNCTION vigil.raw_cells(timestamptz, timestamptz) IS
  'Minute cells of all modules for [starts_at, ends_at), computed from raw facts in one pass.';

CREATE OR REPLACE FUNCTION vigil.live_minutes(
    module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, bucket timestamptz, cell vigil.cell)
  LANGUAGE plpgsql STABLE ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  IF starts_at < (SELECT s.minute_floor FROM vigil.rollup_state s) THEN
    RETURN QUERY SELECT * FROM vigil.raw_cells(module, starts_at, ends_at);
    RETURN;
  END IF;
  RETURN QUERY
  SELECT c.version_id, c.event_type, c.subject, c.bucket, c.cell
  FROM vigil.cells_minute c
  WHERE c.module_id = module AND c.bucket >= starts_at AND c.bucket < ends_at
    AND NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = module AND d.minute = c.bucket)
  UNION ALL
  SELECT r.*
  FROM (SELECT DISTINCT d.minute FROM vigil.dirty d
        WHERE d.module_id = module AND d.minute >= starts_at AND d.minute < ends_at) marked,
       LATERAL vigil.raw_cells(module, marked.minute, marked.minute + interval '1 minute') r;
END $$;
COMMENT ON FUNCTION vigil.live_minutes(uuid, timestamptz, timestamptz) IS
  'Minute cells of whole minutes: stored ones for clean minutes, raw facts for marked minutes and for times whose minute cells are gone.';

CREATE OR REPLACE FUNCTION vigil.live_hour(module uuid, hour timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, cell vigil.cell)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 COST 10 SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
  SELECT m.version_id, m.event_type, m.subject, vigil.merge_agg(m.cell)
  FROM vigil.live_minutes(module, hour, hour + interval '1 hour') m
  GROUP BY 1, 2, 3
$$;
COMMENT ON FUNCTION vigil.live_hour(uuid, timestamptz) IS 'Cells of one hour, merged from its minutes.';

CREATE OR REPLACE FUNCTION vigil.live_hours(module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, bucket timestamptz, cell vigil.cell)
  LANGUAGE plpgsql STABLE ROWS 20 COST 10
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT c.version_id, c.event_type, c.subject, c.bucket, c.cell
  FROM vigil.cells_hour c
  WHERE c.module_id = module AND c.bucket >= starts_at AND c.bucket < ends_at
    AND NOT EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = module
                    AND d.minute >= c.bucket AND d.minute < c.bucket + interval '1 hour')
  UNION ALL
  SELECT h.version_id, h.event_type, h.subject, marked.hour, h.cell
  FROM (SELECT DISTINCT date_trunc('hour', d.minute, 'UTC') AS hour FROM vigil.dirty d
        WHERE d.module_id = module AND d.minute >= starts_at AND d.minute < ends_at) marked,
       LATERAL vigil.live_hour(module, marked.hour) h;
END $$;
COMMENT ON FUNCTION vigil.live_hours(uuid, timestamptz, timestamptz) IS
  'Hour cells of whole hours: stored ones for clean hours, minutes for marked hours.';

CREATE OR REPLACE FUNCTION vigil.window_cells(
    module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (version_id uuid, event_type text, subject text, cell vigil.cell)
  LANGUAGE plpgsql STABLE ROWS 20 COST 10 SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  -- whole minutes and whole hours inside the window
  first_minute constant timestamptz := date_bin('1 minute', starts_at + interval '59.999999 s', 'epoch');
  last_minute constant timestamptz := date_bin('1 minute', ends_at, 'epoch');
  first_hour constant timestamptz := date_bin('1 hour', starts_at + interval '1 hour' - interval '1 microsecond', 'epoch');
  last_hour constant timestamptz := date_bin('1 hour', ends_at, 'epoch');
BEGIN
  IF first_minute >= last_minute THEN
    RETURN QUERY SELECT r.version_id, r.event_type, r.subject, r.cell
                 FROM vigil.raw_cells(module, starts_at, ends_at) r;
    RETURN;
  END IF;
  IF starts_at < first_minute THEN
    RETURN QUERY SELECT r.version_id, r.event_type, r.subject, r.cell
                 FROM vigil.raw_cells(module, starts_at, first_minute) r;
  END IF;
  IF first_hour >= last_hour THEN
    RETURN QUERY SELECT m.version_id, m.event_type, m.subject, m.cell
                 FROM vigil.live_minutes(module, first_minute, last_minute) m;
  ELSE
    IF first_minute < first_hour THEN
      RETURN QUERY SELECT m.version_id, m.event_type, m.subject, m.cell
                   FROM vigil.live_minutes(module, first_minute, first_hour) m;
    END IF;
    RETURN QUERY SELECT h.version_id, h.event_type, h.subject, h.cell
                 FROM vigil.live_hours(module, first_hour, last_hour) h;
    IF last_hour < last_minute THEN
      RETURN QUERY SELECT m.version_id, m.event_type, m.subject, m.cell
                   FROM vigil.live_minutes(module, last_hour, last_minute) m;
    END IF;
  END IF;
  IF last_minute < ends_at THEN
    RETURN QUERY SELECT r.version_id, r.event_type, r.subject, r.cell
                 FROM vigil.raw_cells(module, last_minute, ends_at) r;
  END IF;
END $$;
COMMENT ON FUNCTION vigil.window_cells(uuid, timestamptz, timestamptz) IS
  'Cells that together hold exactly the facts of [starts_at, ends_at): hours inside, minutes at their sides, raw facts in the partial minutes. Merge them with vigil.merge_agg.';

CREATE OR REPLACE FUNCTION vigil.time_zone_of(module uuid) RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$ SELECT coalesce((SELECT m.time_zone FROM vigil.modules m WHERE m.module_id = module), 'UTC') $$;
COMMENT ON FUNCTION vigil.time_zone_of(uuid) IS 'Zone in which the days of a module begin; UTC unless set.';

CREATE OR REPLACE FUNCTION vigil.day_after(day timestamptz, time_zone text) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT (day AT TIME ZONE time_zone + interval '1 day') AT TIME ZONE time_zone $$;
COMMENT ON FUNCTION vigil.day_after(timestamptz, text) IS 'Start of the next day of a zone; 23 or 25 hours later where clocks change.';

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
  'Minute cells of the last two days, never stale: marked minutes are computed from raw facts.';

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
       (c.bucket AT TIME ZONE z.time_zone)::date AS day, c.cell
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

CREATE OR REPLACE FUNCTION vigil.roll_hours(modules uuid[], hours timestamptz[],
                                            firsts timestamptz[], lasts timestamptz[]) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
BEGIN
  DELETE FROM vigil.cells_minute c
  USING unnest(modules, firsts, lasts) AS t (module_id, first, last)
  WHERE c.module_id = t.module_id AND c.bucket >= t.first AND c.bucket <= t.last;

  INSERT INTO vigil.cells_minute (module_id, resolution, bucket, version_id, event_type, subject, cell)
  SELECT t.module_id, 'minute', r.bucket, r.version_id, r.event_type, r.subject, r.cell
  FROM unnest(modules, firsts, lasts) AS t (module_id, first, last),
       LATERAL vigil.raw_cells(t.module_id, t.first, t.last + interval '1 minute') r
  WHERE t.first >= (SELECT s.minute_floor FROM vigil.rollup_state s);

  DELETE FROM vigil.cells_hour c USING unnest(modules, hours) AS t (module_id, hour)
  WHERE c.module_id = t.module_id AND c.bucket = t.hour;

  INSERT INTO vigil.cells_hour (module_id, resolution, bucket, version_id, event_type, subject, cell)
  SELECT t.module_id, 'hour', t.hour, h.version_id, h.event_type, h.subject, h.cell
  FROM unnest(modules, hours) AS t (module_id, hour), LATERAL vigil.live_hour(t.module_id, t.hour) h;
END $$;
COMMENT ON FUNCTION vigil.roll_hours(uuid[], timestamptz[], timestamptz[], timestamptz[]) IS
  'Step of vigil.rollup(): writes minute and hour cells of the hours whose minutes first to last changed.';

CREATE OR REPLACE FUNCTION vigil.roll_days(modules uuid[], days timestamptz[]) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
BEGIN
  DELETE FROM vigil.cells_day c USING unnest(modules, days) AS t (module_id, day)
  WHERE c.module_id = t.module_id AND c.bucket = t.day;

  INSERT INTO vigil.cells_day (module_id, resolution, bucket, version_id, event_type, subject, cell)
  SELECT t.module_id, 'day', t.day, d.version_id, d.event_type, d.subject, d.cell
  FROM unnest(modules, days) AS t (module_id, day),
       LATERAL vigil.live_day(t.module_id, t.day,
                              vigil.day_after(t.day, vigil.time_zone_of(t.module_id))) d;
END $$;
COMMENT ON FUNCTION vigil.roll_days(uuid[], timestamptz[]) IS 'Step of vigil.rollup(): writes the cells of days.';

CREATE OR REPLACE FUNCTION vigil.rollup(max_minutes integer DEFAULT 5000) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
DECLARE
  modules uuid[];
  hours timestamptz[];
  firsts timestamptz[];
  lasts timestamptz[];
  days timestamptz[];
  marked bigint;
BEGIN
  IF max_minutes IS NULL OR max_minutes < 1 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('max_minutes must be 1 or more, not %s', coalesce(max_minutes::text, 'null'));
  END IF;
  -- The marks of a dump may be there before their facts.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  -- One roller at a time; readers and writers do not wait for it.
  PERFORM FROM vigil.rollup_state FOR UPDATE;

  -- First take the marks, then, with the later snapshot of the next statement, read the facts: a
  -- mark and its facts commit together, so what is taken here is visible there.
  WITH chosen AS (
    SELECT d.module_id, d.minute FROM vigil.dirty d
    GROUP BY 1, 2 ORDER BY 2, 1 LIMIT max_minutes),
  taken AS (
    DELETE FROM vigil.dirty d USING chosen c
    WHERE d.module_id = c.module_id AND d.minute = c.minute
    RETURNING d.module_id, d.minute),
  grouped AS (
    SELECT t.module_id, date_trunc('hour', t.minute, 'UTC') AS hour,
           min(t.minute) AS first, max(t.minute) AS last, count(DISTINCT t.minute) AS minutes
    FROM taken t GROUP BY 1, 2)
  SELECT array_agg(g.module_id), array_agg(g.hour), array_agg(g.first), array_agg(g.last), sum(g.minutes)
  INTO modules, hours, firsts, lasts, marked
  FROM grouped g;
  IF marked IS NULL THEN
    RETURN 0;
  END IF;
  PERFORM vigil.roll_hours(modules, hours, firsts, lasts);

  SELECT array_agg(t.module_id), array_agg(t.day) INTO modules, days
  FROM (SELECT DISTINCT u.module_id, date_trunc('day', m.minute, z.time_zone) AS day
        FROM unnest(modules, firsts, lasts) AS u (module_id, first, last),
             -- a zone's day may begin within the hour
             LATERAL (VALUES (u.first), (u.last)) AS m (minute),
             LATERAL vigil.time_zone_of(u.module_id) AS z (time_zone)) t;
  PERFORM vigil.roll_days(modules, days);
  RETURN marked;
END $$;
COMMENT ON FUNCTION vigil.rollup(integer) IS
  'Recomputes up to max_minutes marked minutes and the hours and days above them, in this transaction; returns the number of minutes, 0 when nothing is left. Safe to call at any time and to repeat.';

CREATE OR REPLACE FUNCTION vigil.rebuild_days() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  module constant uuid := coalesce(NEW.module_id, OLD.module_id);
  zone text;
  days timestamptz[];
BEGIN
  -- The days of a dump come from the dump, and its hours may not be here yet; see vigil.being_restored().
  IF TG_OP = 'INSERT' AND current_setting('row_security') = 'off' THEN
    RETURN NULL;
  END IF;
  PERFORM FROM vigil.rollup_state FOR UPDATE;
  zone := vigil.time_zone_of(module);
  SELECT array_agg(DISTINCT t.day) INTO days
  FROM (SELECT date_trunc('day', c.bucket, zone) AS day FROM vigil.cells_hour c WHERE c.module_id = module
        UNION
        SELECT date_trunc('day', c.bucket + interval '59 minutes', zone)
        FROM vigil.cells_hour c WHERE c.module_id = module) t;
  DELETE FROM vigil.cells_day c WHERE c.module_id = module;
  PERFORM vigil.roll_days(array_fill(module, ARRAY[coalesce(cardinality(days), 0)]), days);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.rebuild_days() IS 'Trigger: days begin at other times when a module''s zone changes.';

CREATE OR REPLACE TRIGGER rebuild_days AFTER INSERT OR DELETE OR UPDATE OF time_zone, module_id ON vigil.modules
  FOR EACH ROW EXECUTE FUNCTION vigil.rebuild_days();

CREATE OR REPLACE FUNCTION vigil.expire() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  floor timestamptz := date_trunc('hour', now() - interval '2 days', 'UTC');
  removed bigint;
  total bigint := 0;
BEGIN
  -- A floor that is raised now would be lowered again by the one in the dump.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  -- The roller reads the floor and writes the cells under the same lock.
  PERFORM FROM vigil.rollup_state FOR UPDATE;
  UPDATE vigil.rollup_state SET minute_floor = floor WHERE minute_floor < floor;
  DELETE FROM vigil.cells_minute WHERE bucket < (SELECT minute_floor FROM vigil.rollup_state);
  GET DIAGNOSTICS removed = ROW_COUNT;
  total := total + removed;
  DELETE FROM vigil.received_ids WHERE received_at < now() - interval '7 days';
  GET DIAGNOSTICS removed = ROW_COUNT;
  total := total + removed;
  DELETE FROM vigil.rejected WHERE received_at < now() - interval '30 days';
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN total + removed;
END $$;
COMMENT ON FUNCTION vigil.expire() IS
  'Deletes what is kept for a while only: minute cells (2 days), client ids (7 days), rejected items (30 days); returns the number of rows.';

CREATE OR REPLACE VIEW vigil.rollup_lag AS
SELECT count(DISTINCT (module_id, minute)) AS marked_minutes,
       count(*) AS marks,
       coalesce(now() - min(marked_at), interval '0') AS oldest_mark_age
FROM vigil.dirty;
COMMENT ON VIEW vigil.rollup_lag IS 'How far the roller is behind. Readers do not notice: marked minutes are read from raw facts.';
COMMENT ON COLUMN vigil.rollup_lag.marked_minutes IS 'Different minutes of modules that wait.';
COMMENT ON COLUMN vigil.rollup_lag.marks IS 'Marks that wait.';
COMMENT ON COLUMN vigil.rollup_lag.oldest_mark_age IS 'Age of the oldest of them.';
