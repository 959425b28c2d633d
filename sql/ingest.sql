CREATE OR REPLACE FUNCTION vigil.track_event(event jsonb) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_track_event';
COMMENT ON FUNCTION vigil.track_event(jsonb) IS
  'Stores one event: moduleId, eventType and eventName are required, keys may be camelCase or snake_case, members without a column go to metadata. A bad value is an error with its SQLSTATE.';

CREATE OR REPLACE FUNCTION vigil.track_batch(events jsonb) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_track_batch';
COMMENT ON FUNCTION vigil.track_batch(jsonb) IS
  'Stores an array of events as vigil.track_event does; a bad one goes to vigil.rejected with its reason and the others are stored.';

CREATE OR REPLACE FUNCTION vigil.track_batch(events text) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_track_batch_text';
COMMENT ON FUNCTION vigil.track_batch(text) IS
  'The same for JSON text, read without jsonb: what jsonb refuses is repaired or refused item by item, also a batch that was cut off.';

CREATE OR REPLACE FUNCTION vigil.track_batch(events bytea) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_track_batch_bytes';
COMMENT ON FUNCTION vigil.track_batch(bytea) IS 'The same for the bytes of a request body, plain or gzip.';

CREATE OR REPLACE FUNCTION vigil.track_columns(
    module_id uuid, created_at timestamptz[], event_type text[], event_name text[], subject text[] DEFAULT NULL,
    duration_ms double precision[] DEFAULT NULL, success boolean[] DEFAULT NULL, status text[] DEFAULT NULL,
    session_id text[] DEFAULT NULL, site_id uuid[] DEFAULT NULL, version_id uuid[] DEFAULT NULL,
    value double precision[] DEFAULT NULL, unit text[] DEFAULT NULL, memory_usage_kb bigint[] DEFAULT NULL,
    event_category text[] DEFAULT NULL, page_path text[] DEFAULT NULL, user_id text[] DEFAULT NULL,
    ip_address text[] DEFAULT NULL, user_agent text[] DEFAULT NULL, country_code text[] DEFAULT NULL,
    device_type text[] DEFAULT NULL, browser text[] DEFAULT NULL, os text[] DEFAULT NULL,
    environment text[] DEFAULT NULL, trace_id text[] DEFAULT NULL, external_id text[] DEFAULT NULL,
    payload jsonb[] DEFAULT NULL, metadata jsonb[] DEFAULT NULL,
    sample_weight double precision[] DEFAULT NULL, module_ids uuid[] DEFAULT NULL)
  RETURNS vigil.ingest_result
  LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_track_columns';
COMMENT ON FUNCTION vigil.track_columns IS
  'Stores events as vigil.track_batch does, given as one array for each column: with an element for each event, with one for all of them, or null. Elements of module_ids that are not null stand for module_id.';

CREATE OR REPLACE FUNCTION vigil.track_error(error jsonb) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_track_error';
COMMENT ON FUNCTION vigil.track_error(jsonb) IS
  'Stores one error and puts it into its group: moduleId, errorType, errorName and errorMessage are required, members without a column go to context. A bad value is an error with its SQLSTATE.';

CREATE OR REPLACE FUNCTION vigil.capture_sentry(module_id uuid, envelope text) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_capture_sentry';
COMMENT ON FUNCTION vigil.capture_sentry(uuid, text) IS
  'Stores the items of a Sentry envelope for a module: events become errors, the rest events. What cannot be read goes to vigil.rejected.';

CREATE OR REPLACE FUNCTION vigil.capture_sentry(module_id uuid, envelope bytea) RETURNS vigil.ingest_result
  LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  AS 'MODULE_PATHNAME', 'vigil_capture_sentry';
COMMENT ON FUNCTION vigil.capture_sentry(uuid, bytea) IS
  'The same for the bytes of a request body, plain or gzip.';
