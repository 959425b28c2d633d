CREATE OR REPLACE FUNCTION vigil.unmarked(module_id uuid, created_at timestamptz) RETURNS boolean
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vigil_unmarked';
COMMENT ON FUNCTION vigil.unmarked(uuid, timestamptz) IS
  'Condition of the triggers on fact tables: whether the minute of a fact still has to be marked by this transaction. True once for a minute and statement, and not while a dump is being restored.';

CREATE OR REPLACE FUNCTION vigil.mark_dirty() RETURNS trigger
  LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_mark_dirty';
COMMENT ON FUNCTION vigil.mark_dirty() IS
  'Row trigger: appends to vigil.dirty the minutes that the transaction changed, once each.';

CREATE OR REPLACE FUNCTION vigil.forget_marks() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'vigil_forget_marks';
COMMENT ON FUNCTION vigil.forget_marks() IS
  'Statement trigger of vigil.dirty: a transaction that deletes marks must mark again what it changes afterwards.';
CREATE OR REPLACE TRIGGER forget_marks AFTER UPDATE OR DELETE OR TRUNCATE ON vigil.dirty
  FOR EACH STATEMENT EXECUTE FUNCTION vigil.forget_marks();
ALTER TABLE vigil.dirty ENABLE ALWAYS TRIGGER forget_marks;

CREATE OR REPLACE FUNCTION vigil.mark_truncated() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  -- Every minute that had a fact has a minute cell, or its hour has a cell or a mark. Of an hour the last minute
  -- is marked too: where the clocks of a zone are half an hour off, it belongs to another day than the first.
  -- What no partition holds any more was not truncated: its cells are all that is left of it.
  INSERT INTO vigil.dirty (module_id, minute)
  SELECT DISTINCT c.module_id, m.minute
  FROM vigil.partitions p
  JOIN (SELECT c.module_id, c.bucket, c.resolution = 'hour' AS whole FROM vigil.cells c WHERE c.resolution <> 'day'
        UNION
        SELECT d.module_id, date_trunc('hour', d.minute, 'UTC'), true FROM vigil.dirty d) c
    ON c.bucket >= p.starts_at AND c.bucket < p.ends_at
  CROSS JOIN LATERAL (VALUES (c.bucket), (CASE WHEN c.whole THEN c.bucket + interval '59 minutes' END)) AS m (minute)
  WHERE TG_TABLE_NAME IN (p.parent, p.partition) AND p.state = 'open' AND m.minute IS NOT NULL;
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
  -- Partitions have the row triggers of their parent.
  IF (SELECT c.relkind = 'p' AND NOT c.relispartition FROM pg_class c WHERE c.oid = target) THEN
    EXECUTE format('CREATE OR REPLACE TRIGGER dirty_insert AFTER INSERT ON %s FOR EACH ROW '
                   'WHEN (vigil.unmarked(NEW.module_id, NEW.created_at)) EXECUTE FUNCTION vigil.mark_dirty()', target);
    EXECUTE format('CREATE OR REPLACE TRIGGER dirty_update AFTER UPDATE ON %s FOR EACH ROW '
                   'WHEN (vigil.unmarked(OLD.module_id, OLD.created_at) OR vigil.unmarked(NEW.module_id, NEW.created_at)) '
                   'EXECUTE FUNCTION vigil.mark_dirty()', target);
    EXECUTE format('CREATE OR REPLACE TRIGGER dirty_delete AFTER DELETE ON %s FOR EACH ROW '
                   'WHEN (vigil.unmarked(OLD.module_id, OLD.created_at)) EXECUTE FUNCTION vigil.mark_dirty()', target);
  END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER dirty_truncate AFTER TRUNCATE ON %s '
                 'FOR EACH STATEMENT EXECUTE FUNCTION vigil.mark_truncated()', target);
END $$;
COMMENT ON FUNCTION vigil.watch_table(regclass) IS
  'Makes every INSERT, UPDATE, DELETE, COPY and TRUNCATE on a fact table mark its minutes. A partition needs it for TRUNCATE only: it has the other triggers from its parent.';

SELECT vigil.watch_table('vigil.events');
SELECT vigil.watch_table('vigil.errors');
