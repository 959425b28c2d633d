-- vigil.track_event: keys, defaults, times, idempotence, privacy, and what it refuses.
BEGIN;
\ir include/setup.sql
SELECT plan(121);

-- Keys --------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored AS SELECT * FROM vigil.events LIMIT 0;

SELECT is(vigil.track_event(format($${
  "moduleId": %s, "versionId": %s, "siteId": %s,
  "eventType": "api_call", "eventName": "api_success", "eventCategory": "network",
  "payload": {"endpoint": "/cart", "method": "GET"}, "metadata": {"device": "mobile", "browser": "Firefox"},
  "durationMs": 12.5, "memoryUsageKb": 2048, "pagePath": "/shop", "sessionId": "sess-1", "userAgent": "UA/1.0",
  "ipAddress": "203.0.113.7", "countryCode": "de", "createdAt": "%s"}$$,
  '"11111111-1111-4111-8111-111111111111"', '"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1"',
  '"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1"', to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::jsonb),
  ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-21: an event with all keys in camelCase is accepted');

SELECT results_eq(
  $$SELECT module_id, version_id, site_id, event_type, event_name, event_category, payload, metadata, duration_ms,
           memory_usage_kb, page_path, session_id, user_agent, country_code, created_at FROM vigil.events$$,
  $$VALUES ('11111111-1111-4111-8111-111111111111'::uuid, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1'::uuid,
            'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1'::uuid, 'api_call', 'api_success', 'network',
            '{"endpoint": "/cart", "method": "GET"}'::jsonb, '{"device": "mobile", "browser": "Firefox"}'::jsonb,
            12.5::float8, 2048::bigint, '/shop', 'sess-1', 'UA/1.0', 'DE', now())$$,
  'S0-21: every camelCase key lands in its column');

SELECT is((SELECT ip_hash FROM vigil.events), vigil.hash_ip('203.0.113.7', 'pepper'),
  'S0-35: the address is stored as its keyed hash');
SELECT is((SELECT ip_hash FROM vigil.events), 'f9a092447a622340f8af8ffa67cff060',
  'D-02: the hash is the first half of HMAC-SHA256 over the address');
SELECT is((SELECT (subject, success, device_type, browser)::text FROM vigil.events), '(/cart,t,mobile,Firefox)',
  'S0-38: endpoint, outcome, device and browser are taken from payload and metadata');

DELETE FROM vigil.events;
SELECT lives_ok(format('SELECT vigil.track_event(%L)', $${
  "module_id": "11111111-1111-4111-8111-111111111111", "version_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1",
  "site_id": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1", "event_type": "performance", "event_name": "lcp",
  "event_category": "user", "subject": "hero", "value": -2.25, "unit": "ms", "status": "done", "success": false,
  "duration_ms": 0, "memory_usage_kb": 0, "page_path": "/p", "session_id": "s", "user_key": "u-1",
  "user_agent": "ua", "ip_address": "2001:db8::1", "country_code": "US", "device_type": "tablet",
  "browser": "Safari", "os": "iOS", "environment": "staging", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
  "external_id": "x-1", "payload": {}, "metadata": {"a": null}}$$),
  'S0-21: an event with all keys in snake_case is accepted');
SELECT results_eq(
  $$SELECT version_id, site_id, event_type, event_name, event_category, subject, value, unit, status, success,
           duration_ms, memory_usage_kb, page_path, session_id, user_agent, country_code, device_type, browser, os,
           environment, trace_id, external_id, payload, metadata FROM vigil.events$$,
  $$VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1'::uuid, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1'::uuid,
            'performance', 'lcp', 'user', 'hero', -2.25::float8, 'ms', 'done', false, 0::float8, 0::bigint, '/p', 's',
            'ua', 'US', 'tablet', 'Safari', 'iOS', 'staging', '4bf92f3577b34da6a3ce929d0e0e4736', 'x-1',
            '{}'::jsonb, '{"a": null}'::jsonb)$$,
  'S0-21: every snake_case key lands in its column');
SELECT is((SELECT user_key FROM vigil.events), '337504dab239fe5ff5d3b8f128622218', 'C-25: the user is stored as a keyed hash');
SELECT is((SELECT ip_hash FROM vigil.events), vigil.hash_ip('2001:0DB8:0:0::1', 'pepper'),
  'S0-35: two spellings of an IPv6 address have one hash');

DELETE FROM vigil.events;
SELECT lives_ok($$SELECT vigil.track_event(pg_temp.event(
  '{"id": "short", "externalId": "own", "duration": 1, "durationMs": 2, "extra": [1], "metadata": {"extra": 2}}'))$$,
  'S0-21: a column may be named twice');
SELECT results_eq('SELECT external_id, duration_ms, metadata FROM vigil.events',
  $$VALUES ('own', 2::float8, '{"id": "short", "extra": 2, "duration": 1}'::jsonb)$$,
  'S0-21: the own name of a column wins over its aliases, and no member is lost');

-- Defaults ----------------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT lives_ok('SELECT vigil.track_event(pg_temp.event())', 'S0-01: required keys are enough');
SELECT results_eq(
  'SELECT payload, metadata, ip_hash, created_at, received_at, subject, external_id, version_id, site_id FROM vigil.events',
  $$VALUES ('{}'::jsonb, '{}'::jsonb, NULL::text, now(), now(), '', NULL::text, NULL::uuid, NULL::uuid)$$,
  'S0-30: payload and metadata default to {}, the address to null, the time to now');
SELECT is((SELECT substr(id::text, 15, 1) FROM vigil.events), '7', 'D-71: ids are UUID version 7');
SELECT lives_ok($$SELECT vigil.track_event(pg_temp.event('{"payload": null, "durationMs": null, "ipAddress": null}'))$$,
  'S0-30: null is as good as absent');
SELECT is((SELECT count(*) FROM vigil.events WHERE payload = '{}'), 2::bigint, 'S0-30: a null payload is stored as {}');
SELECT is(vigil.track_event(NULL), NULL, 'S0-21: a null argument stores nothing');
SELECT is((SELECT count(*) FROM vigil.events), 2::bigint, 'S0-21: a null argument stored nothing');

-- Types and outcomes --------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT lives_ok(format('SELECT vigil.track_event(pg_temp.event(%L, %L))', '{}', type),
                'S0-02: event type ' || type || ' is accepted')
FROM unnest(ARRAY['render', 'api_call', 'hook_execution', 'user_interaction', 'error', 'performance', 'PAGE_VIEW',
                  'message_generated']) AS type;
SELECT is((SELECT string_agg(event_type, ' ' ORDER BY event_type COLLATE "C") FROM vigil.events),
  'PAGE_VIEW api_call error hook_execution message_generated performance render user_interaction',
  'C-01: types of every seed are stored as sent');

DELETE FROM vigil.events;
SELECT vigil.track_batch(jsonb_agg(pg_temp.event(members || jsonb_build_object('value', n), 'api_call')))
FROM (VALUES (1, '{"eventName": "api_success"}'::jsonb), (2, '{"eventName": "api_error"}'), (3, '{"eventName": "get"}'),
             (4, '{"eventName": "get", "payload": {"statusCode": 204}}'), (5, '{"eventName": "get", "statusCode": 404}'),
             (6, '{"eventName": "api_success", "status": "503"}'), (7, '{"eventName": "get", "success": true}'),
             (8, '{"eventName": "api_error", "success": "true"}')) AS t (n, members) \g /dev/null
SELECT is((SELECT array_agg(success ORDER BY value) FROM vigil.events),
  ARRAY[true, false, NULL, true, false, false, true, true],
  'D-24: an explicit flag, else the HTTP status, else the name tells whether a call succeeded');

-- Times -------------------------------------------------------------------------------------------

DELETE FROM vigil.events;
CREATE FUNCTION pg_temp.stored_time(members jsonb) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE at timestamptz;
BEGIN
  PERFORM vigil.track_event(pg_temp.event(members));
  DELETE FROM vigil.events RETURNING created_at INTO at;
  RETURN at;
END $$;
SELECT is(pg_temp.stored_time(jsonb_build_object('timestamp', floor(extract(epoch FROM now() - interval '1 hour') * 1000))),
  date_trunc('milliseconds', now() - interval '1 hour'), 'S0-25: epoch milliseconds are event time');
SELECT is(pg_temp.stored_time(jsonb_build_object('time', floor(extract(epoch FROM now())))),
  date_trunc('second', now()), 'S0-25: epoch seconds are event time');
SELECT is(pg_temp.stored_time(jsonb_build_object('occurred_at', to_char(now() AT TIME ZONE '+05:30', 'YYYY-MM-DD"T"HH24:MI:SS.US"-05:30"'))),
  now(), 'S0-25: RFC 3339 with an offset is event time');
SELECT is(pg_temp.stored_time(jsonb_build_object('metadata',
            jsonb_build_object('timestamp', floor(extract(epoch FROM now() - interval '1 hour') * 1000)))),
  date_trunc('milliseconds', now() - interval '1 hour'), 'S0-25: metadata.timestamp is event time');
SELECT is(pg_temp.stored_time('{"metadata": {"timestamp": "soon"}}'), now(),
  'S0-25: an unreadable metadata.timestamp leaves the time of receipt');
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', now() - interval '1 hour'))) \g /dev/null
SELECT is((SELECT sum(total_renders) FROM vigil.module_analytics_hourly
           WHERE hour_bucket = date_trunc('hour', now() - interval '1 hour', 'UTC')), 1::bigint,
  'D-11: an event counts in the hour of its event time');

-- Refused: SQLSTATE, message and nothing stored -----------------------------------------------------

DELETE FROM vigil.events;
CREATE TEMP TABLE bad (n serial, what text, members jsonb, state text);
INSERT INTO bad (what, members, state) VALUES
  ('module missing', '{"moduleId": null}', '22004'),
  ('type missing', '{"eventType": null}', '22004'),
  ('name missing', '{"eventName": null}', '22004'),
  ('name empty', '{"eventName": ""}', '22023'),
  ('name blank', '{"eventName": " \t\n"}', '22023'),
  ('module no UUID', '{"moduleId": "shop"}', '22P02'),
  ('module a number', '{"moduleId": 7}', '22023'),
  ('version no UUID', '{"versionId": "1.2.3"}', '22P02'),
  ('site an array', '{"siteId": []}', '22023'),
  ('type an object', '{"eventType": {}}', '22023'),
  ('name a boolean', '{"eventName": true}', '22023'),
  ('type too long', jsonb_build_object('eventType', repeat('x', 101)), '22001'),
  ('name too long', jsonb_build_object('eventName', repeat('ä', 501)), '22001'),
  ('country too long', '{"countryCode": "Deutschland"}', '22001'),
  ('duration negative', '{"durationMs": -0.001}', '22003'),
  ('duration NaN', '{"durationMs": "NaN"}', '22003'),
  ('duration infinite', '{"durationMs": "Infinity"}', '22003'),
  ('duration minus infinite', '{"durationMs": "-inf"}', '22003'),
  ('duration 1e400', '{"durationMs": 1e400}', '22003'),
  ('duration a word', '{"durationMs": "fast"}', '22P02'),
  ('duration empty', '{"durationMs": ""}', '22P02'),
  ('duration an array', '{"durationMs": [1]}', '22023'),
  ('value 1e400 as text', '{"value": "1e400"}', '22003'),
  ('memory negative', '{"memoryUsageKb": -1}', '22003'),
  ('memory too large', '{"memoryUsageKb": 9.3e18}', '22003'),
  ('memory a boolean', '{"memoryUsageKb": true}', '22023'),
  ('success a word', '{"success": "yes"}', '22023'),
  ('success a number', '{"success": 1}', '22023'),
  ('payload text', '{"payload": "x"}', '22023'),
  ('payload array', '{"payload": []}', '22023'),
  ('metadata a number', '{"metadata": 1}', '22023'),
  ('time a word', '{"createdAt": "yesterday"}', '22P02'),
  ('time infinite', '{"createdAt": "infinity"}', '22P02'),
  ('time without zone', '{"createdAt": "2026-02-30T00:00:00Z"}', '22P02'),
  ('year 10000', '{"createdAt": "10000-01-01T00:00:00Z"}', '22P02'),
  ('time a boolean', '{"createdAt": false}', '22023'),
  ('epoch beyond year 9999', '{"createdAt": 1e25}', '22P02'),
  ('address an object', '{"ipAddress": {}}', '22023'),
  ('payload too large', jsonb_build_object('payload', jsonb_build_object('a', repeat('x', 262144))), '54000'),
  ('rest too large', jsonb_build_object('other', repeat('x', 262144)), '54000');
SELECT throws_ok(format('SELECT vigil.track_event(pg_temp.event(%L))', members), state, NULL,
                 'S0-21: ' || what || ' is refused with ' || state)
FROM bad ORDER BY n;
SELECT throws_ok(format('SELECT vigil.track_event(%L)', argument), state, NULL, 'S0-21: ' || what || ' is refused')
FROM (VALUES ('an array', '[]', '22023'), ('a text', '"x"', '22023'), ('a number', '1', '22023'),
             ('null in JSON', 'null', '22023'), ('an empty object', '{}', '22004'),
             ('no JSON', '{"a"', '22P02'), ('an escaped NUL', '{"a": "\u0000"}', '22P05'),
             ('a lone surrogate', '{"a": "\ud800"}', '22P02'),
             ('JSON nested too deep', repeat('[', 100000), '54001')) AS t (what, argument, state);
SELECT throws_ok($$SELECT vigil.track_event(pg_temp.event('{"durationMs": -5}'))$$, '22003',
  '"duration_ms" is out of range: -5, it must be 0 or more milliseconds', 'S0-21: the message has column, value and limit');
SELECT is_empty('SELECT FROM vigil.events', 'S0-21: nothing of what was refused is stored');
SELECT is_empty('SELECT FROM vigil.dirty d WHERE d.minute = date_bin(''1 minute'', now() + interval ''1 day'', ''epoch'')',
  'S0-21: nothing of what was refused is marked');

-- Accepted oddities ---------------------------------------------------------------------------------

SELECT lives_ok(format('SELECT vigil.track_event(pg_temp.event(%L))', members), 'S0-21: ' || what || ' is accepted')
FROM (VALUES ('a name in Chinese with an emoji', '{"eventName": "点击 🎉", "countryCode": "cn"}'),
             ('a name of 500 two-byte letters', jsonb_build_object('eventName', repeat('ä', 500))::text),
             ('a number as text', '{"durationMs": "1.5e3"}'), ('a number as name', '{"eventName": 404}'),
             ('a half kilobyte', '{"memoryUsageKb": 1.5}'), ('year 9999', '{"createdAt": "9999-12-31T23:59:59.999999Z"}'),
             ('a garbled address', '{"ipAddress": "not an address"}')) AS t (what, members);
SELECT is((SELECT duration_ms FROM vigil.events WHERE duration_ms > 0), 1500::float8, 'S0-21: a number as text is a number');

-- Keys that cells are found by must fit an index page ------------------------------------------------

DELETE FROM vigil.events;
SELECT lives_ok($$SELECT vigil.track_event(pg_temp.event(jsonb_build_object('payload', jsonb_build_object('endpoint',
  (SELECT string_agg(sha256(i::text::bytea)::text, '') FROM generate_series(1, 100) AS i))), 'api_call'))$$,
  'S0-38: an endpoint of 6,000 characters is accepted');
SELECT is((SELECT length(subject) FROM vigil.events), 500, 'S0-38: a subject from the payload is cut to 500 characters');
SELECT lives_ok('SELECT vigil.rollup()', 'S0-38: a long endpoint does not stop the roller');
SELECT throws_ok(format('INSERT INTO vigil.events (module_id, event_type, event_name, subject) VALUES (%s, %L, %L, %L)',
  quote_literal(:m1), 't', 'n', repeat('x', 2001)), '23514', NULL, 'S0-01: nor can one come in by INSERT');

-- Idempotence ---------------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT is(vigil.track_event(pg_temp.event('{"externalId": "once"}')), ROW(1, 0, 0, 0)::vigil.ingest_result,
  'C-35: an event with a client id is stored');
SELECT is(vigil.track_event(pg_temp.event('{"externalId": "once"}')), ROW(0, 1, 0, 0)::vigil.ingest_result,
  'C-35: sent again it is a duplicate');
SELECT is(vigil.track_event(pg_temp.event('{"externalId": "once", "createdAt": "2026-01-01T00:00:00Z", "eventName": "other"}')),
  ROW(0, 1, 0, 0)::vigil.ingest_result, 'C-35: with another time and name it is a duplicate');
SELECT is(vigil.track_event(pg_temp.event(jsonb_build_object('externalId', 'once', 'moduleId', :m2))),
  ROW(1, 0, 0, 0)::vigil.ingest_result, 'C-35: the same id of another module is another event');
SELECT is(vigil.track_error(pg_temp.error('{"externalId": "once"}')), ROW(1, 0, 0, 0)::vigil.ingest_result,
  'C-35: the same id of an error is another fact');
SELECT is((SELECT count(*) FROM vigil.events), 2::bigint, 'C-35: two events are stored');
SELECT is(vigil.track_event(pg_temp.event('{"externalId": 42}')), ROW(1, 0, 0, 0)::vigil.ingest_result,
  'C-35: a number may be an id');
SELECT is(vigil.track_event(pg_temp.event('{"externalId": "42"}')), ROW(0, 1, 0, 0)::vigil.ingest_result,
  'C-35: and is the same id as its text');

-- Out of range times --------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT is(vigil.track_event(pg_temp.event('{"createdAt": "2001-02-03T04:05:06.789Z", "payload": {"k": [1, "ü"]}, "durationMs": 0.1,
    "ipAddress": "203.0.113.7", "externalId": "late"}')), ROW(0, 0, 0, 1)::vigil.ingest_result,
  'D-68: an event outside all partitions is quarantined');
SELECT results_eq('SELECT fact, created_at, reason FROM vigil.quarantine WHERE created_at < ''2002-01-01''',
  $$VALUES ('events', '2001-02-03 04:05:06.789+00'::timestamptz, 'no partition holds the event time')$$,
  'D-68: with time and reason');
SELECT is(vigil.replay_quarantine(), 0::bigint, 'D-68: and stays there without a partition');
SELECT vigil.create_partition('events', 'events_y2001m02', '2001-02-01', '2001-03-01') \g /dev/null
SELECT is(vigil.replay_quarantine(), 1::bigint, 'D-68: and is stored when the partition exists');
SELECT results_eq(
  'SELECT tableoid::regclass::text, created_at, payload, duration_ms, ip_hash, external_id FROM vigil.events',
  $$VALUES ('vigil.events_y2001m02', '2001-02-03 04:05:06.789+00'::timestamptz, '{"k": [1, "ü"]}'::jsonb, 0.1::float8,
            vigil.hash_ip('203.0.113.7', 'pepper'), 'late')$$, 'D-68: whole');
SELECT is((SELECT total_renders FROM vigil.module_analytics_hourly WHERE hour_bucket = '2001-02-03 04:00+00'), 1,
  'D-10: a replayed event is in the analytics of its hour');
SELECT is(vigil.track_event(pg_temp.event('{"externalId": "late"}')), ROW(0, 1, 0, 0)::vigil.ingest_result,
  'C-35: what was quarantined is known');

-- Addresses -----------------------------------------------------------------------------------------

SELECT vigil.track_event(pg_temp.event(members)) FROM (VALUES
  ('{"ipAddress": "198.51.100.201"}'::jsonb), ('{"ip": "198.51.100.201:443"}'), ('{"ip_address": " 198.51.100.201 "}'),
  ('{"ip": "198.51.100.201", "ipAddress": "198.51.100.201"}'),
  ('{"payload": {"client_ip": "198.51.100.201", "deep": [{"x-forwarded-for": "10.0.0.1, 198.51.100.201"}, "198.51.100.201"]}}'),
  ('{"metadata": {"REMOTE_ADDR": "198.51.100.201", "note": "from 198.51.100.201 again"}}'),
  ('{"request": {"host": "198.51.100.201"}, "clientIp": "198.51.100.201"}'),
  ('{"createdAt": "2001-01-01T00:00:00Z", "ipAddress": "198.51.100.201", "payload": {"a": "198.51.100.201"}}'),
  ((SELECT jsonb_build_object('payload', jsonb_object_agg(lpad(i::text, i, 'k'), CASE i WHEN 99 THEN '[[1, {"b": "198.51.100.201"}]]' ELSE to_jsonb(i) END))
    FROM generate_series(1, 100) AS i))
) AS t (members) \g /dev/null
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''198.51.100.201'')',
  'S0-35: an address stands nowhere in clear, in no table');
SELECT is((SELECT count(*) FROM vigil.events WHERE ip_hash = vigil.hash_ip('198.51.100.201', 'pepper')), 4::bigint,
  'S0-35: every spelling of an address has the same hash');
SELECT is(vigil.hash_ip('203.0.113.7', 'salt', 'seed'), 'd0f57c275459c517', 'S0-35: hash of the seed with salt salt');
SELECT is(vigil.hash_ip('203.0.113.7', 'pepper', 'seed'), '87c70c102853e437', 'S0-35: hash of the seed with salt pepper');
SELECT throws_ok($$SELECT vigil.hash_ip('203.0.113.7', 'pepper', 'md5')$$, '22023', NULL, 'S0-35: an unknown scheme is refused');
SELECT is(vigil.hash_ip(NULL, 'pepper'), NULL, 'S0-35: null has no hash');

RESET vigil.ip_hash_key;
DELETE FROM vigil.events;
SELECT vigil.track_event(pg_temp.event('{"ipAddress": "203.0.113.7"}')) \g /dev/null
SELECT matches((SELECT ip_hash FROM vigil.events), '^[0-9a-f]{32}$', 'D-01: without a setting the random key of the database is used');
SELECT isnt((SELECT ip_hash FROM vigil.events), vigil.hash_ip('203.0.113.7', 'pepper'), 'D-01: which is another one');

SELECT * FROM finish();
ROLLBACK;
