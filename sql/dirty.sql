CREATE OR REPLACE FUNCTION vigil.mark_dirty() RETURNS trigger
  LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_mark_dirty';
COMMENT ON FUNCTION vigil.mark_dirty() IS
  'Statement trigger: appends to vigil.dirty one row per module and minute that the statement changed.';

CREATE OR REPLACE FUNCTION vigil.mark_truncated() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  -- Every minute that had a fact has a minute cell, an hour cell or a mark. Of an hour the last minute is
  -- marked too: where the clocks of a zone are half an hour off, it belongs to another day than the first.
  -- What no partition holds any more was not truncated: its cells are all that is left of it.
  INSERT INTO vigil.dirty (module_id, minute)
  SELECT DISTINCT c.module_id, m.minute
  FROM vigil.partitions p
  JOIN vigil.cells c ON c.resolution IN ('minute', 'hour') AND c.bucket >= p.starts_at AND c.bucket < p.ends_at
  CROSS JOIN LATERAL (VALUES (c.bucket),
    (CASE WHEN c.resolution = 'hour' THEN c.bucket + interval '59 minutes' END)) AS m (minute)
  WHERE TG_TABLE_NAME IN (p.parent, p.partition) AND m.minute IS NOT NULL;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.mark_truncated() IS 'Statement trigger: TRUNCATE changes everything that has a cell in the time of the table.';

CREATE OR REPLACE FUNCTION vigil.mark_dirty(
    module_id uuid, starts_at timestamptz, ends_at timestamptz) RETURNS bigint
  LANGUAGE sql SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH marked AS (
    INSERT INTO vigil.dirty (module_id, minute)
    SELECT $1, minute
    FROM generate_series(date_trunc('minute', $2), $3 - interval '1 microsecond', '1 minute') AS minute
    -- What was retired cannot be counted again.
    WHERE NOT EXISTS (SELECT FROM vigil.retired_partitions r WHERE r.starts_at <= minute AND r.ends_at > minute)
    RETURNING 1)
  SELECT count(*) FROM marked
$$;
COMMENT ON FUNCTION vigil.mark_dirty(uuid, timestamptz, timestamptz) IS
  'Marks the minutes of [starts_at, ends_at) for a new rollup, for example after ATTACH of a table with rows, but none of retired partitions; returns their number.';

CREATE OR REPLACE FUNCTION vigil.watch_table(target regclass) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER dirty_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows '
                 'FOR EACH STATEMENT EXECUTE FUNCTION vigil.mark_dirty()', target);
  EXECUTE format('CREATE OR REPLACE TRIGGER dirty_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows '
                 'NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION vigil.mark_dirty()', target);
  EXECUTE format('CREATE OR REPLACE TRIGGER dirty_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows '
                 'FOR EACH STATEMENT EXECUTE FUNCTION vigil.mark_dirty()', target);
  EXECUTE format('CREATE OR REPLACE TRIGGER dirty_truncate AFTER TRUNCATE ON %s '
                 'FOR EACH STATEMENT EXECUTE FUNCTION vigil.mark_truncated()', target);
END $$;
COMMENT ON FUNCTION vigil.watch_table(regclass) IS
  'Makes every INSERT, UPDATE, DELETE, COPY and TRUNCATE on the table mark its minutes.';

SELECT vigil.watch_table('vigil.events');
SELECT vigil.watch_table('vigil.errors');
