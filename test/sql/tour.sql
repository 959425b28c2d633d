-- Events and errors in, views out, without any worker.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vigil;
RESET client_min_messages;
SET TimeZone = 'UTC';
-- One transaction, so that all of it falls into one minute.
BEGIN;
SELECT * FROM vigil.track_event('{"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "render",
  "eventName": "component_mounted", "durationMs": 12, "siteId": "22222222-2222-2222-2222-222222222222",
  "sessionId": "s1", "countryCode": "de", "externalId": "e1"}');
-- The same id again, in the other spelling.
SELECT * FROM vigil.track_event('{"module_id": "11111111-1111-1111-1111-111111111111", "event_type": "render",
  "event_name": "component_mounted", "external_id": "e1"}');
SELECT * FROM vigil.track_batch('[
  {"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "api_call", "eventName": "api_success",
   "durationMs": 30, "payload": {"endpoint": "/orders", "statusCode": 200}},
  {"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "api_call", "eventName": "api_error",
   "durationMs": 90, "payload": {"endpoint": "/orders", "statusCode": 503}},
  {"moduleId": "no uuid", "eventType": "render", "eventName": "x"},
  {"eventType": "render", "eventName": "x"},
  {"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "render", "eventName": "x", "durationMs": -1},
  42]');
SELECT position, sqlstate, reason, item FROM vigil.rejected ORDER BY position;
SELECT * FROM vigil.track_error('{"moduleId": "11111111-1111-1111-1111-111111111111", "errorType": "javascript",
  "errorName": "TypeError", "errorMessage": "x is undefined",
  "errorStack": "TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:10:15)\n    at bar (https://cdn.example.com/lib.js:20:3)",
  "siteId": "22222222-2222-2222-2222-222222222222", "sessionId": "s1"}');
-- Never stale: the same before and after the roller.
SELECT total_renders, avg_render_time_ms, total_api_calls, api_success_count, api_error_count, avg_api_latency_ms,
       total_errors, error_breakdown, unique_sites, unique_sessions, country_breakdown
FROM vigil.module_analytics_hourly;
SELECT vigil.rollup() > 0 AS rolled_up;
SELECT count(*) AS marks_left FROM vigil.dirty;
SELECT total_renders, avg_render_time_ms, total_api_calls, api_success_count, api_error_count, avg_api_latency_ms,
       total_errors, error_breakdown, unique_sites, unique_sessions, country_breakdown
FROM vigil.module_analytics_hourly;
SELECT error_fingerprint, error_name, total_occurrences, affected_sites, affected_sessions, status, priority
FROM vigil.module_error_groups;
-- A fact outside all partitions waits for its own.
SELECT * FROM vigil.track_event('{"moduleId": "11111111-1111-1111-1111-111111111111", "eventType": "render",
  "eventName": "old", "timestamp": "2001-02-03T04:05:06Z"}');
SELECT fact, created_at, reason FROM vigil.quarantine;
SELECT vigil.create_partition('events', 'events_y2001m02', '2001-02-01', '2001-03-01');
SELECT vigil.replay_quarantine();
SELECT event_name, created_at FROM vigil.events_y2001m02;
COMMIT;
