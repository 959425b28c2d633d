-- vigil.track_error: keys, fingerprint, groups, idempotence, privacy, and what it refuses.
BEGIN;
\ir include/setup.sql
SELECT plan(77);

SELECT vigil.set_fingerprint_scheme(module, 'seed') FROM unnest(ARRAY[:m1, :m2]::uuid[]) AS module \g /dev/null

-- Keys --------------------------------------------------------------------------------------------

SELECT is(vigil.track_error($${
  "moduleId": "11111111-1111-4111-8111-111111111111", "versionId": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1",
  "siteId": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1", "errorType": "javascript", "errorName": "TypeError",
  "errorMessage": "x is undefined",
  "errorStack": "TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:10:15)\n    at bar (https://cdn.example.com/lib.js:20:3)",
  "filePath": "app.js", "lineNumber": 10, "columnNumber": 15, "browser": "Chrome", "browserVersion": "126.0", "os": "Linux",
  "deviceType": "desktop", "countryCode": "us", "pagePath": "/cart", "pageTitle": "Cart", "moduleState": {"step": 2},
  "moduleSettings": {"dark": true}, "sessionId": "sess-1"}$$),
  ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-22: an error with all 20 keys in camelCase is accepted');
SELECT results_eq(
  $$SELECT module_id, version_id, site_id, error_type, error_name, error_message, file_path, line_number, column_number, browser,
           browser_version, os, device_type, country_code, page_path, page_title, module_state, module_settings, session_id,
           created_at, level FROM vigil.errors$$,
  $$VALUES ('11111111-1111-4111-8111-111111111111'::uuid, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1'::uuid,
            'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1'::uuid, 'javascript', 'TypeError', 'x is undefined', 'app.js', 10, 15, 'Chrome',
            '126.0', 'Linux', 'desktop', 'US', '/cart', 'Cart', '{"step": 2}'::jsonb, '{"dark": true}'::jsonb, 'sess-1', now(), 'error')$$,
  'S0-22: every camelCase key lands in its column');
SELECT is((SELECT fingerprint FROM vigil.errors), '712c0fdf6a2a676e33d570a6948eff1f', 'S0-09: the fingerprint is the seed''s');
SELECT results_eq('SELECT error_stack, error_fingerprint, is_resolved, occurrence_count, first_seen_at, last_seen_at FROM vigil.module_errors',
  $$VALUES (E'TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:10:15)\n    at bar (https://cdn.example.com/lib.js:20:3)',
            '712c0fdf6a2a676e33d570a6948eff1f', false, 1, now(), now())$$, 'S0-26: the error is visible in the same transaction');

DELETE FROM vigil.errors;
SELECT lives_ok(format('SELECT vigil.track_error(%L)', $${
  "module_id": "11111111-1111-4111-8111-111111111111", "version_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2",
  "site_id": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2", "error_type": "api", "error_name": "NetworkError", "error_message": "m",
  "error_stack": "", "fingerprint": "mine", "level": "fatal", "platform": "python", "handled": false, "file_path": "f",
  "line_number": 0, "column_number": 2147483647, "browser": "b", "browser_version": "v", "os": "o", "device_type": "d",
  "country_code": "de", "page_path": "p", "page_title": "t", "module_state": {}, "module_settings": {}, "session_id": "s",
  "user_key": "u", "user_agent": "ua", "ip_address": "203.0.113.7", "environment": "e", "trace_id": "t1", "external_id": "x",
  "tags": {"a": "b"}, "context": {"c": 1}, "more": [1, 2]}$$), 'S0-22: an error with all keys in snake_case is accepted');
SELECT results_eq(
  $$SELECT version_id, site_id, error_type, error_name, error_message, error_stack, fingerprint, level, platform, handled, file_path,
           line_number, column_number, browser, browser_version, os, device_type, country_code, page_path, page_title, module_state,
           module_settings, session_id, user_agent, environment, trace_id, external_id, tags, context FROM vigil.errors$$,
  $$VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2'::uuid, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2'::uuid, 'api', 'NetworkError', 'm', '',
            'mine', 'fatal', 'python', false, 'f', 0, 2147483647, 'b', 'v', 'o', 'd', 'DE', 'p', 't', '{}'::jsonb, '{}'::jsonb, 's',
            'ua', 'e', 't1', 'x', '{"a": "b"}'::jsonb, '{"c": 1, "more": [1, 2]}'::jsonb)$$,
  'S0-22: every snake_case key lands in its column, others in context');
SELECT is((SELECT (ip_hash = vigil.hash_ip('203.0.113.7', 'pepper'), user_key ~ '^[0-9a-f]{32}$')::text FROM vigil.errors), '(t,t)',
  'C-25: address and user are keyed hashes');

DELETE FROM vigil.errors;
SELECT lives_ok(format('SELECT vigil.track_error(pg_temp.error(%L))', jsonb_build_object('errorType', type)),
  'S0-10: error type ' || type || ' is accepted')
FROM unnest(ARRAY['javascript', 'api', 'render', 'permission', 'timeout', 'python']) AS type;
SELECT lives_ok($$SELECT vigil.track_error('{"moduleId": "11111111-1111-4111-8111-111111111111", "error_type": "api",
  "ERRORNAME": "N", "message": "m", "stack": "s", "line": 3, "colno": 4, "severity": "warning"}')$$, 'S0-22: aliases are understood');
SELECT results_eq($$SELECT error_message, error_stack, line_number, column_number, level FROM vigil.errors WHERE error_name = 'N'$$,
  $$VALUES ('m', 's', 3, 4, 'warning')$$, 'S0-22: and land in their columns');

-- What the views make of an error -----------------------------------------------------------------------

SELECT is((SELECT count(*) FROM vigil.module_events WHERE event_type = 'error'), 7::bigint, 'D-06: every error is an event of type error');
SELECT is((SELECT sum(total_errors) FROM vigil.module_analytics_hourly WHERE version_id IS NULL), 7::bigint, 'D-06: and counts in the analytics');

-- Refused -------------------------------------------------------------------------------------------

DELETE FROM vigil.errors;
DELETE FROM vigil.error_groups;
CREATE TEMP TABLE bad (n serial, what text, members jsonb, state text);
INSERT INTO bad (what, members, state) VALUES
  ('module missing', '{"moduleId": null}', '22004'), ('type missing', '{"errorType": null}', '22004'),
  ('name missing', '{"errorName": null}', '22004'), ('message missing', '{"errorMessage": null}', '22004'),
  ('message empty', '{"errorMessage": ""}', '22023'), ('name blank', '{"errorName": "  "}', '22023'),
  ('module no UUID', '{"moduleId": "{}"}', '22P02'), ('version a number', '{"versionId": 1}', '22023'),
  ('site no UUID', '{"siteId": ""}', '22P02'), ('message an object', '{"errorMessage": {"a": 1}}', '22023'),
  ('stack an array', '{"errorStack": ["a", "b"]}', '22023'), ('line negative', '{"lineNumber": -1}', '22003'),
  ('line above 2^31 - 1', '{"lineNumber": 2147483648}', '22003'), ('line a word', '{"lineNumber": "ten"}', '22P02'),
  ('column NaN', '{"columnNumber": "NaN"}', '22003'), ('column 1e400', '{"columnNumber": 1e400}', '22003'),
  ('column a boolean', '{"columnNumber": true}', '22023'), ('handled a word', '{"handled": "no"}', '22023'),
  ('name too long', jsonb_build_object('errorName', repeat('n', 501)), '22001'),
  ('type too long', jsonb_build_object('errorType', repeat('n', 101)), '22001'),
  ('fingerprint too long', jsonb_build_object('fingerprint', repeat('n', 501)), '22001'),
  ('country too long', '{"country": "Schlaraffenland"}', '22001'), ('state an array', '{"moduleState": [1]}', '22023'),
  ('settings text', '{"moduleSettings": "dark"}', '22023'), ('tags an array', '{"tags": [["a", "b"]]}', '22023'),
  ('time a word', '{"timestamp": "now"}', '22P02'), ('year 10000', '{"timestamp": "10000-01-01T00:00:00Z"}', '22P02'),
  ('year 0', '{"timestamp": "0000-01-01T00:00:00Z"}', '22P02'),
  ('address a boolean', '{"ipAddress": true}', '22023'),
  ('state too large', jsonb_build_object('moduleState', jsonb_build_object('a', repeat('x', 262144))), '54000'),
  ('rest too large', jsonb_build_object('x', repeat('x', 262144)), '54000');
SELECT throws_ok(format('SELECT vigil.track_error(pg_temp.error(%L))', members), state, NULL, 'S0-22: ' || what || ' is refused with ' || state)
FROM bad ORDER BY n;
SELECT throws_ok(format('SELECT vigil.track_error(%L)', argument), state, NULL, 'S0-22: ' || what || ' is refused')
FROM (VALUES ('an array', '[]', '22023'), ('a text', '"x"', '22023'), ('JSON null', 'null', '22023'), ('an empty object', '{}', '22004'),
             ('truncated JSON', '{"errorName": "x', '22P02'), ('an escaped NUL', '{"errorName": "\u0000"}', '22P05'),
             ('a lone surrogate', '{"errorName": "\udfff"}', '22P02'), ('JSON nested too deep', repeat('{"a":', 100000), '54001')) AS t (what, argument, state);
SELECT is_empty('SELECT FROM vigil.errors', 'S0-22: nothing of what was refused is stored');
SELECT is_empty('SELECT FROM vigil.error_groups', 'S0-22: and no group is made of it');
SELECT is(vigil.track_error(NULL), NULL, 'S0-22: null stores nothing');

-- Accepted oddities ---------------------------------------------------------------------------------

SELECT lives_ok(format('SELECT vigil.track_error(pg_temp.error(%L))', members), 'S0-22: ' || what || ' is accepted')
FROM (VALUES ('a message of 1 MB', jsonb_build_object('errorMessage', repeat('m', 1000000))),
             ('a stack of 1 MB', jsonb_build_object('errorStack', repeat('at f (a.js:1:1)', 70000))),
             ('a message in Arabic', '{"errorMessage": "غير معرف 🎉"}'), ('a line as text', '{"lineNumber": "12"}'),
             ('a message that is a number', '{"errorMessage": 500}')) AS t (what, members);

-- Idempotence and time ------------------------------------------------------------------------------

DELETE FROM vigil.errors;
SELECT is(vigil.track_error(pg_temp.error('{"externalId": "e1"}')), ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-82: an error with a client id');
SELECT is(vigil.track_error(pg_temp.error('{"errorId": "e1", "timestamp": 1700000000}')), ROW(0, 1, 0, 0)::vigil.ingest_result,
  'D-82: sent again with another time it is a duplicate');
SELECT is(vigil.track_error(pg_temp.error(jsonb_build_object('event_id', 'e1', 'moduleId', :m2))), ROW(1, 0, 0, 0)::vigil.ingest_result,
  'D-82: the same id of another module is another error');
SELECT is(vigil.track_event(pg_temp.event('{"externalId": "e1"}')), ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-82: and of an event another fact');
SELECT is((SELECT array_agg(total_occurrences) FROM vigil.module_error_groups WHERE error_fingerprint =
             vigil.fingerprint('javascript', 'TypeError', NULL, NULL, 'seed')), ARRAY[1, 1], 'D-82: a duplicate is no occurrence');

SELECT is(vigil.track_error(pg_temp.error('{"timestamp": "2002-03-04T05:06:07Z", "errorName": "Late", "ipAddress": "203.0.113.7"}')),
  ROW(0, 0, 0, 1)::vigil.ingest_result, 'D-68: an error outside all partitions is quarantined');
SELECT vigil.create_partition('errors', 'errors_y2002m03', '2002-03-01', '2002-04-01') \g /dev/null
SELECT is(vigil.replay_quarantine(), 1::bigint, 'D-68: and stored when its partition exists');
SELECT results_eq($$SELECT total_occurrences, first_seen_at FROM vigil.module_error_groups WHERE error_name = 'Late'$$,
  $$VALUES (1, '2002-03-04 05:06:07+00'::timestamptz)$$, 'D-68: where it counts in its group');

-- Addresses -------------------------------------------------------------------------------------------

SELECT lives_ok(format('SELECT vigil.track_error(pg_temp.error(%L))', members), 'S0-35: an error with an address, ' || n)
FROM (VALUES (1, '{"ipAddress": "198.51.100.203"}'::jsonb), (2, '{"moduleState": {"client_ip": "198.51.100.203", "list": ["198.51.100.203"]}}'),
             (3, '{"tags": {"ip": "198.51.100.203"}, "context": {"request": {"env": {"REMOTE_ADDR": "198.51.100.203"}}}}'),
             (4, '{"remote_addr": "198.51.100.203", "user": {"ip_address": "198.51.100.203"}, "note": "peer 198.51.100.203"}')) AS t (n, members);
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''198.51.100.203'')', 'S0-35: an address stands nowhere in clear, in no table');

SELECT * FROM finish();
ROLLBACK;
