-- The schema itself; CREATE EXTENSION has made it.
COMMENT ON SCHEMA vigil IS
  'pg_vigil: error tracking, analytics, metrics, alerting and reports. Start with \df vigil.track_* and \dv vigil.*';
