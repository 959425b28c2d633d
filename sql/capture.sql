-- Errors of PostgreSQL as a source, and the queue that lets them survive a rollback.
CREATE OR REPLACE FUNCTION vigil.server_module() RETURNS uuid
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT coalesce(nullif(current_setting('vigil.server_module', true), '')::uuid,
                  (SELECT encode(s.value, 'hex')::uuid FROM vigil.secrets s WHERE s.name = 'server_module'))
$$;
COMMENT ON FUNCTION vigil.server_module() IS
  'Module that errors of the server belong to: the setting vigil.server_module, or an id that CREATE EXTENSION made for this database.';

CREATE OR REPLACE FUNCTION vigil.use_server_module() RETURNS uuid
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  id constant uuid := vigil.server_module();
BEGIN
  IF NOT EXISTS (SELECT FROM vigil.modules m WHERE m.module_id = id) THEN
    INSERT INTO vigil.modules (module_id, name) VALUES (id, 'PostgreSQL: ' || current_database())
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN id;
END $$;
COMMENT ON FUNCTION vigil.use_server_module() IS
  'Step of capture: vigil.server_module(), which has a row in vigil.modules from now on.';

CREATE OR REPLACE FUNCTION vigil.condition_name(sqlstate text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_condition_name';
COMMENT ON FUNCTION vigil.condition_name(text) IS
  'Name of the condition, as PL/pgSQL knows it: 23505 is unique_violation. The SQLSTATE itself when this server has no name for it.';

CREATE OR REPLACE FUNCTION vigil.capture_exception(
    sqlstate text, message text, detail text DEFAULT NULL, hint text DEFAULT NULL, context text DEFAULT NULL,
    module uuid DEFAULT NULL, tags jsonb DEFAULT NULL, extra jsonb DEFAULT NULL,
    schema_name text DEFAULT NULL, table_name text DEFAULT NULL, column_name text DEFAULT NULL,
    constraint_name text DEFAULT NULL, datatype_name text DEFAULT NULL, level text DEFAULT 'error',
    survive boolean DEFAULT false)
  RETURNS vigil.ingest_result
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_capture_exception';
COMMENT ON FUNCTION vigil.capture_exception(text, text, text, text, text, uuid, jsonb, jsonb, text, text, text, text, text, text, boolean) IS
  'For an EXCEPTION block: stores the caught error, of type database and named by its condition. With survive and preload it goes through the queue, and is stored whatever becomes of this transaction. Nulls but in SQLSTATE and message (22004) leave things out.';

CREATE OR REPLACE FUNCTION vigil.track_async(event jsonb) RETURNS boolean
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'vigil_track_async';
COMMENT ON FUNCTION vigil.track_async(jsonb) IS
  'Hands an event to the recorder of this database and does not wait; it is stored as vigil.track_event does, even if this transaction is rolled back. False: the queue is full, or nobody serves it. Without preload SQLSTATE 55000.';

CREATE OR REPLACE FUNCTION vigil.read_capture_stats(
    OUT captured bigint, OUT stored bigint, OUT waiting bigint, OUT waiting_bytes bigint, OUT dropped bigint,
    OUT failed bigint, OUT queue_bytes bigint, OUT recorder boolean)
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'vigil_capture_stats';
COMMENT ON FUNCTION vigil.read_capture_stats() IS 'For vigil.capture_stats.';

CREATE OR REPLACE VIEW vigil.capture_stats AS
SELECT captured, stored, waiting, waiting_bytes, dropped, failed, queue_bytes, recorder
FROM vigil.read_capture_stats();
COMMENT ON VIEW vigil.capture_stats IS
  'What went through the queue of this database since the server started; no row without preload, or while no worker serves the database. captured = stored + waiting + failed.';
COMMENT ON COLUMN vigil.capture_stats.captured IS 'Records that the queue took.';
COMMENT ON COLUMN vigil.capture_stats.stored IS 'Records that the recorder has dealt with; what was bad in them is in vigil.rejected.';
COMMENT ON COLUMN vigil.capture_stats.waiting IS 'Records in the queue.';
COMMENT ON COLUMN vigil.capture_stats.waiting_bytes IS 'Their size.';
COMMENT ON COLUMN vigil.capture_stats.dropped IS 'Records that found the queue full: they are lost. Raise vigil.capture_queue_size.';
COMMENT ON COLUMN vigil.capture_stats.failed IS 'Records that could not be stored; the server''s log tells why.';
COMMENT ON COLUMN vigil.capture_stats.queue_bytes IS 'Size of the queue, which all databases share.';
COMMENT ON COLUMN vigil.capture_stats.recorder IS 'Whether the recorder runs now; it comes when there is something to store.';
