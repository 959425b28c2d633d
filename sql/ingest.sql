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
