-- Old hours made anew, for example after vigil.max_subjects was changed.
CREATE OR REPLACE FUNCTION vigil.mark_hours(module uuid, starts_at timestamptz, ends_at timestamptz) RETURNS bigint
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  -- Retention looks for marks before it takes facts: it comes before these, or after they were committed.
  SELECT pg_advisory_xact_lock_shared(hashtextextended('vigil.retire_partitions', 0));
  WITH hours AS (
    SELECT h.hour, h.hour >= (SELECT s.minute_floor FROM vigil.rollup_state s) AS has_minutes
    FROM generate_series(date_trunc('hour', starts_at, 'UTC'), ends_at - interval '1 microsecond', '1 hour') AS h (hour)
    -- What cannot be counted again stays as it is.
    WHERE vigil.has_facts(h.hour, h.hour + interval '1 hour') AND h.hour >= vigil.final_until(module)),
  marked AS (
    -- An hour without minute cells is read as a whole. Its last minute is of another day where clocks are half an hour off.
    INSERT INTO vigil.dirty (module_id, minute)
    SELECT module, h.hour + n * interval '1 minute'
    FROM hours h, generate_series(0, 59) AS n WHERE h.has_minutes OR n IN (0, 59))
  SELECT count(*) FROM hours
$$;
COMMENT ON FUNCTION vigil.mark_hours(uuid, timestamptz, timestamptz) IS
  'Marks all hours of a module in [starts_at, ends_at) whose raw facts are all here, and returns their number. No partition is retired until the end of the transaction.';

-- Names are qualified and the path is set again in each transaction; see vigil.run_job.
CREATE OR REPLACE PROCEDURE vigil.backfill(
    module uuid, starts_at timestamptz, ends_at timestamptz, INOUT hours bigint DEFAULT NULL)
  LANGUAGE plpgsql
AS $$
DECLARE
  path constant text := 'pg_catalog, vigil, pg_temp';
  first timestamptz := starts_at;
  last timestamptz;
  marked timestamptz;
BEGIN
  PERFORM pg_catalog.set_config('search_path', path, true);
  IF module IS NULL OR (isfinite(starts_at) AND isfinite(ends_at) AND starts_at < ends_at) IS NOT TRUE THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('there is nothing to count of module %s from %s to %s', coalesce(module::text, 'null'),
                       coalesce(starts_at::text, 'null'), coalesce(ends_at::text, 'null')),
      HINT = 'Give a module and a time that begins before it ends.';
  END IF;
  -- Inside a transaction block this raises 2D000.
  COMMIT;
  PERFORM pg_catalog.set_config('search_path', path, true);
  hours := 0;
  WHILE first < ends_at LOOP
    last := least(date_trunc('day', first, 'UTC') + interval '1 day', ends_at);
    hours := hours + vigil.mark_hours(module, first, last);
    marked := now();
    COMMIT;
    PERFORM pg_catalog.set_config('search_path', path, true);
    -- Marks of whoever writes meanwhile may stay.
    WHILE EXISTS (SELECT FROM vigil.dirty d WHERE d.module_id = module AND d.minute >= date_trunc('hour', first, 'UTC')
                  AND d.minute < last + interval '1 hour' AND d.marked_at <= marked) LOOP
      IF vigil.rollup(patience => '0') = 0 THEN
        PERFORM pg_sleep(0.1);  -- while others have them
      END IF;
      COMMIT;
      PERFORM pg_catalog.set_config('search_path', path, true);
    END LOOP;
    RAISE NOTICE 'counted again until %: % hours', last, hours;
    first := last;
  END LOOP;
END $$;
COMMENT ON PROCEDURE vigil.backfill(uuid, timestamptz, timestamptz, bigint) IS
  'Recomputes the cells of all hours of a module in [starts_at, ends_at) whose raw facts are all here, day by day with a COMMIT and a NOTICE after each, and returns their number. Days that are done stay done when it is ended. A time that does not begin before it ends: SQLSTATE 22023. Not inside a transaction block.';
