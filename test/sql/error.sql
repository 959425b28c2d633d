-- Messages, details and hints as a user sees them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vigil;
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM vigil.track_event('{}');
SELECT * FROM vigil.track_event('[]');
SELECT * FROM vigil.track_event('{"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "render"}');
SELECT * FROM vigil.track_event('{"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "render",
  "eventName": "x", "timestamp": "yesterday"}');
SELECT * FROM vigil.track_event('{"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "render",
  "eventName": "x", "durationMs": "fast"}');
SELECT * FROM vigil.track_batch('{}');
SELECT * FROM vigil.track_error('{"moduleId": "11111111-1111-1111-1111-111111111111", "errorType": "api", "errorName": "E"}');
SELECT vigil.fingerprint('api', 'E', NULL, NULL, 'v0');
SELECT vigil.percentile(vigil.histogram_agg(1), 1.5);
SELECT vigil.histogram_agg('NaN');
SELECT '\xff'::vigil.histogram;
SELECT '\x'::vigil.hyperloglog;
SELECT '\x03'::vigil.cell;
SELECT vigil.set_error_group_status('00000000-0000-0000-0000-000000000000', 'open');
SELECT vigil.create_alert_rule('11111111-1111-1111-1111-111111111111', 'error_spike', 'nonsense', 'gt', 1);
SELECT vigil.update_alert_rule('00000000-0000-0000-0000-000000000000', threshold => 1);
SELECT vigil.acknowledge_alert('00000000-0000-0000-0000-000000000000');
SELECT vigil.rollup(0);
CALL vigil.run_job('nonsense');
SET vigil.http_allow = '10.0.0.0/8';
SET vigil.nonsense = 1;
