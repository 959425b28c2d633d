-- What goes when. Nothing but cells is left of most of it, so a floor rises only where nothing can change any more.
CREATE OR REPLACE FUNCTION vigil.cell_floors(at timestamptz DEFAULT now())
  RETURNS TABLE (resolution vigil.resolution, keep interval, goes_before timestamptz, held_by text)
  LANGUAGE sql STABLE ROWS 3 SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH wanted AS (
    SELECT p.*, greatest(s.minute_floor, date_trunc('hour', at - p.minutes, 'UTC')) AS minute_floor, s.hour_floor,
           date_trunc('day', at - p.hours, 'UTC') AS hours_before, date_trunc('day', at - p.days, 'UTC') AS days_before
    FROM vigil.cell_policy p, vigil.rollup_state s),
  -- The bound is four days above the floor, in any zone: see vigil.final_until.
  holds AS (
    SELECT h.until, h.why
    FROM (SELECT p.starts_at - interval '4 days' AS until, format('partition %s has facts of that time', p.partition) AS why
          FROM vigil.partitions p WHERE p.parent IN ('events', 'errors')
          UNION ALL
          SELECT r.starts_at - interval '4 days', format('partition %s is neither dropped nor moved yet', r.partition)
          FROM vigil.retired_partitions r WHERE r.finished_at IS NULL
          UNION ALL
          SELECT '-infinity', format('%s has a default partition', t.partrelid::regclass)
          FROM pg_partitioned_table t WHERE t.partrelid IN ('vigil.events'::regclass, 'vigil.errors'::regclass) AND t.partdefid <> 0
          UNION ALL
          (SELECT d.minute - interval '5 days', format('minute %s waits for the roller', to_char(d.minute AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
           FROM vigil.dirty d ORDER BY d.minute LIMIT 1)) h
    ORDER BY h.until, h.why LIMIT 1),
  hours AS (
    SELECT greatest(w.hour_floor, least(w.hours_before, date_trunc('day', h.until, 'UTC'))) AS floor,
           CASE WHEN h.until < w.hours_before THEN h.why END AS held_by
    FROM wanted w LEFT JOIN holds h ON true WHERE w.hours IS NOT NULL
    UNION ALL
    SELECT w.hour_floor, NULL FROM wanted w WHERE w.hours IS NULL)
  SELECT f.*
  FROM wanted w, hours h, LATERAL (VALUES
    ('minute'::vigil.resolution, w.minutes, w.minute_floor, NULL),
    ('hour', w.hours, h.floor, h.held_by),
    ('day', w.days, CASE WHEN w.days IS NULL THEN '-infinity' ELSE least(w.days_before, h.floor) END,
     CASE WHEN h.floor < w.days_before THEN 'hour cells of that time are kept' END))
    AS f (resolution, keep, goes_before, held_by)
$$;
COMMENT ON FUNCTION vigil.cell_floors(timestamptz) IS 'For vigil.expire(): which cells of each resolution it would delete at a time.';

CREATE OR REPLACE FUNCTION vigil.preview_expiry(at timestamptz DEFAULT now())
  RETURNS TABLE (resolution vigil.resolution, keep interval, goes_before timestamptz, cells bigint, held_by text)
  LANGUAGE sql STABLE ROWS 3 SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT f.resolution, f.keep, f.goes_before,
         (SELECT count(*) FROM vigil.cells c WHERE c.resolution = f.resolution AND c.bucket < f.goes_before), f.held_by
  FROM vigil.cell_floors(at) f
$$;
COMMENT ON FUNCTION vigil.preview_expiry(timestamptz) IS
  'For each resolution how long its cells are kept (null: for ever), before which time the job expire would delete them at a time (default now), how many these are, and what keeps others that are old enough. Changes nothing.';

CREATE OR REPLACE FUNCTION vigil.delete_cells(target regclass, before timestamptz, max_rows integer DEFAULT 10000) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
  removed bigint;
BEGIN
  -- The key begins with the module.
  EXECUTE format('WITH RECURSIVE modules AS (
      (SELECT c.module_id FROM %1$s c ORDER BY 1 LIMIT 1)
      UNION ALL
      SELECT (SELECT c.module_id FROM %1$s c WHERE c.module_id > m.module_id ORDER BY 1 LIMIT 1)
      FROM modules m WHERE m.module_id IS NOT NULL)
    DELETE FROM %1$s WHERE ctid = ANY (ARRAY(
      SELECT c.ctid FROM modules m, LATERAL (SELECT o.ctid FROM %1$s o WHERE o.module_id = m.module_id AND o.bucket < $1 LIMIT $2) c
      LIMIT $2))', target) USING before, max_rows;
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;
COMMENT ON FUNCTION vigil.delete_cells(regclass, timestamptz, integer) IS
  'Step of vigil.expire(), which keeps all writers of cells away: deletes up to max_rows cells of a table; returns their number.';

CREATE OR REPLACE FUNCTION vigil.drop_final_marks() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  dropped bigint;
  first timestamptz;
BEGIN
  WITH final AS (
    SELECT d.module_id, d.minute, d.id FROM vigil.dirty d
    WHERE d.minute < (SELECT s.hour_floor + interval '4 days' FROM vigil.rollup_state s)
      AND d.minute < vigil.final_until(d.module_id) FOR UPDATE SKIP LOCKED),
  gone AS (
    DELETE FROM vigil.dirty d USING final f
    WHERE d.module_id = f.module_id AND d.minute = f.minute AND d.id = f.id RETURNING d.minute)
  SELECT count(*), min(g.minute) INTO dropped, first FROM gone g;
  IF dropped > 0 THEN
    RAISE WARNING '% marks were dropped, the first of %: hour cells of that time have expired', dropped, first
      USING DETAIL = 'Its day cells stay as they are.', HINT = 'See vigil.cell_policy.';
  END IF;
  RETURN dropped;
END $$;
COMMENT ON FUNCTION vigil.drop_final_marks() IS
  'Step of vigil.rollup(): deletes marks of days that do not change any more, with a WARNING; returns their number.';

CREATE OR REPLACE FUNCTION vigil.expire() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  minutes_before timestamptz;
  hours_before timestamptz;
  days_before timestamptz;
  removed bigint;
  total bigint := 0;
BEGIN
  -- A floor that is raised now would be lowered again by the one in the dump.
  IF vigil.being_restored() THEN
    RETURN 0;
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE invalid_transaction_state USING
      MESSAGE = format('cells cannot expire in a %s transaction', current_setting('transaction_isolation')),
      DETAIL = 'It must see what rollers have committed meanwhile.';
  END IF;
  -- Looking at partitions may have to wait for one that is being detached: not with the lock.
  SELECT min(f.goes_before) FILTER (WHERE f.resolution = 'minute'), min(f.goes_before) FILTER (WHERE f.resolution = 'hour'),
         min(f.goes_before) FILTER (WHERE f.resolution = 'day') INTO minutes_before, hours_before, days_before
  FROM vigil.cell_floors() f;
  -- No roller is at work that has read the old floors, or has marks in hand.
  LOCK TABLE vigil.rollup_state IN EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM vigil.dirty d WHERE d.minute < hours_before + interval '5 days') THEN
    hours_before := NULL;
  END IF;
  UPDATE vigil.rollup_state s
  SET minute_floor = greatest(s.minute_floor, minutes_before), hour_floor = greatest(s.hour_floor, hours_before)
  WHERE s.minute_floor < minutes_before OR s.hour_floor < hours_before;
  SELECT s.minute_floor, s.hour_floor, least(s.hour_floor, days_before) INTO minutes_before, hours_before, days_before
  FROM vigil.rollup_state s;
  DELETE FROM vigil.cells_minute WHERE bucket < minutes_before;
  GET DIAGNOSTICS removed = ROW_COUNT;
  total := total + removed + vigil.delete_cells('vigil.cells_hour', hours_before)
           + vigil.delete_cells('vigil.late_cells', hours_before) + vigil.delete_cells('vigil.cells_day', days_before);
  DELETE FROM vigil.received_ids WHERE received_at < now() - interval '7 days';
  GET DIAGNOSTICS removed = ROW_COUNT;
  total := total + removed;
  DELETE FROM vigil.rejected WHERE received_at < now() - interval '30 days';
  GET DIAGNOSTICS removed = ROW_COUNT;
  total := total + removed;
  DELETE FROM vigil.rollup_differences WHERE found_at < now() - interval '90 days';
  GET DIAGNOSTICS removed = ROW_COUNT;
  total := total + removed;
  WITH old AS (
    DELETE FROM vigil.rollup_turns t WHERE t.started_at < now() - interval '1 day'
    RETURNING t.minutes, t.facts_read, t.facts_counted),
  summed AS (
    SELECT count(*) AS turns, sum(o.minutes) AS minutes, sum(o.facts_read) AS facts_read, sum(o.facts_counted) AS facts_counted
    FROM old o)
  UPDATE vigil.rollup_state s
  SET turns = s.turns + n.turns, minutes = s.minutes + n.minutes, facts_read = s.facts_read + n.facts_read,
      facts_counted = s.facts_counted + n.facts_counted
  FROM summed n WHERE n.turns > 0;
  RETURN total;
END $$;
COMMENT ON FUNCTION vigil.expire() IS
  'Deletes what is kept for a while only: cells as vigil.cell_policy says, client ids (7 days), rejected items (30 days), found differences (90 days); returns the number of rows. Of hour and day cells it deletes up to 10000 in one call: 0 says that nothing is left.';
