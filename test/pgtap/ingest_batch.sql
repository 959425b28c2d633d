-- vigil.track_batch: bad items are rejected with their reason and nothing else is lost.
BEGIN;
\ir include/setup.sql
SELECT plan(66);

-- Counts ------------------------------------------------------------------------------------------

SELECT is(vigil.track_batch((
    SELECT jsonb_agg(CASE n WHEN 7 THEN '{"eventType": "render"}'::jsonb
                            WHEN 500 THEN pg_temp.event('{"durationMs": "NaN"}')
                            WHEN 1000 THEN to_jsonb('oops'::text)
                            ELSE pg_temp.event(jsonb_build_object('durationMs', n)) END ORDER BY n)
    FROM generate_series(1, 1000) AS n)),
  ROW(997, 0, 3, 0)::vigil.ingest_result, 'S0-29: a batch of 1,000 with 3 bad items stores 997 and rejects 3');
SELECT is((SELECT count(*) FROM vigil.events), 997::bigint, 'S0-29: 997 rows are there');
SELECT is((SELECT sum(duration_ms) FROM vigil.events), (500500 - 7 - 500 - 1000)::float8, 'S0-29: and they are the good ones');
SELECT results_eq('SELECT source, position, sqlstate, reason, module_id FROM vigil.rejected ORDER BY position',
  $$VALUES ('track_batch', 7, '22004', '"module_id" is missing', NULL),
           ('track_batch', 500, '22003', '"duration_ms" is out of range: NaN, it must be finite',
            '11111111-1111-4111-8111-111111111111'::uuid),
           ('track_batch', 1000, '22023', 'the item is not a JSON object', NULL)$$,
  'S0-29: the bad ones are in vigil.rejected with position, SQLSTATE, reason and module');
SELECT is((SELECT count(*) FROM vigil.dirty), 1::bigint, 'S0-28: one statement leaves one mark for a module and minute');
SELECT is(vigil.track_batch((SELECT jsonb_agg(pg_temp.event()) FROM generate_series(1, 1000))),
  ROW(1000, 0, 0, 0)::vigil.ingest_result, 'S0-28: a batch of 1,000 good items is stored');
SELECT is(vigil.track_batch('[]'), ROW(0, 0, 0, 0)::vigil.ingest_result, 'S0-28: an empty array is no error');
SELECT is(vigil.track_batch(NULL), NULL, 'S0-28: null stores nothing');

-- Every kind of bad item, each with its reason ------------------------------------------------------

DELETE FROM vigil.rejected;
DELETE FROM vigil.events;
CREATE TEMP TABLE bad (position serial, item jsonb, state text, reason text);
INSERT INTO bad (item, state, reason) VALUES
  ('null', '22023', 'the item is not a JSON object'),
  ('true', '22023', 'the item is not a JSON object'),
  ('17', '22023', 'the item is not a JSON object'),
  ('"text"', '22023', 'the item is not a JSON object'),
  ('[]', '22023', 'the item is not a JSON object'),
  ('[{"moduleId": "x"}]', '22023', 'the item is not a JSON object'),
  ('{}', '22004', '"module_id" is missing'),
  (pg_temp.event('{"moduleId": null}'), '22004', '"module_id" is missing'),
  (pg_temp.event('{"eventType": null}'), '22004', '"event_type" is missing'),
  (pg_temp.event('{"eventName": null}'), '22004', '"event_name" is missing'),
  (pg_temp.event('{"eventName": ""}'), '22023', '"event_name" must not be empty'),
  (pg_temp.event('{"moduleId": "no-uuid"}'), '22P02', 'invalid input syntax for type uuid in "module_id": "no-uuid"'),
  (pg_temp.event('{"moduleId": {}}'), '22023', '"module_id" must be a UUID string, not an object'),
  (pg_temp.event('{"siteId": "ü"}'), '22P02', 'invalid input syntax for type uuid in "site_id": "ü"'),
  (pg_temp.event('{"eventType": ["a"]}'), '22023', '"event_type" must be a string, not an array'),
  (pg_temp.event(jsonb_build_object('eventType', repeat('x', 101))), '22001',
   '"event_type" has 101 characters, the limit is 100'),
  (pg_temp.event('{"durationMs": "Infinity"}'), '22003', '"duration_ms" is out of range: Infinity, it must be finite'),
  (pg_temp.event('{"durationMs": "1e400"}'), '22003', '"duration_ms" is out of range: 1e400, it must be finite'),
  (pg_temp.event('{"durationMs": -1}'), '22003', '"duration_ms" is out of range: -1, it must be 0 or more milliseconds'),
  (pg_temp.event('{"durationMs": "1 s"}'), '22P02', 'invalid input syntax for type double precision in "duration_ms": "1 s"'),
  (pg_temp.event('{"value": true}'), '22023', '"value" must be a number, not a boolean'),
  (pg_temp.event('{"memoryUsageKb": -7}'), '22003', '"memory_usage_kb" is out of range: -7, it must be between 0 and 9.2e18'),
  (pg_temp.event('{"success": 0}'), '22023', '"success" must be true or false, not a number'),
  (pg_temp.event('{"payload": "{}"}'), '22023', '"payload" must be an object, not a string'),
  (pg_temp.event('{"metadata": [1]}'), '22023', '"metadata" must be an object, not an array'),
  (pg_temp.event('{"createdAt": "10000-01-01T00:00:00Z"}'), '22P02',
   'invalid input syntax for type timestamp with time zone in "created_at": "10000-01-01T00:00:00Z"'),
  (pg_temp.event('{"createdAt": []}'), '22023', '"created_at" must be a time, not an array'),
  (pg_temp.event('{"ipAddress": 7.5}') || '{"ip": [], "ipAddress": null}', '22023', '"ip_hash" must be a string, not an array'),
  (pg_temp.event(jsonb_build_object('payload', jsonb_build_object('a', repeat('x', 262144)))), '54000',
   '"payload" has 262157 bytes, the limit is 262144');
SELECT is(vigil.track_batch((SELECT jsonb_agg(item ORDER BY position) || pg_temp.event() FROM bad)),
  ROW(1, 0, (SELECT count(*) FROM bad), 0)::vigil.ingest_result, 'S0-29: the one good item among all the bad ones is stored');
SELECT results_eq('SELECT position, sqlstate, reason FROM vigil.rejected ORDER BY position',
  'SELECT position, state, reason FROM bad ORDER BY position', 'S0-29: every bad item has its own SQLSTATE and reason');
SELECT is((SELECT count(*) FROM vigil.rejected WHERE received_at = now() AND source = 'track_batch'),
  (SELECT count(*) FROM bad), 'S0-29: source and time are noted');
SELECT results_eq($$SELECT r.item, r.item_bytes FROM vigil.rejected r WHERE position = 7$$, $$VALUES ('{}', 2)$$,
  'S0-29: the item is kept');
SELECT is((SELECT (length(item), item_bytes > 262144)::text FROM vigil.rejected ORDER BY position DESC LIMIT 1), '(65536,t)',
  'S0-29: of a large item the first 64 kB, and its whole size');
SELECT isnt_empty($$SELECT FROM vigil.rejected WHERE hint LIKE 'Send RFC 3339%'$$, 'S0-29: a hint says how to mend it');

-- Arguments that are no batch -----------------------------------------------------------------------

SELECT throws_ok(format('SELECT vigil.track_batch(%L::jsonb)', argument), state, NULL, 'S0-28: ' || what || ' is refused with ' || state)
FROM (VALUES ('an object', '{}', '22023'), ('a text', '"[]"', '22023'), ('a number', '5', '22023'), ('JSON null', 'null', '22023'),
             ('truncated JSON', '[{"a": 1}', '22P02'), ('an escaped NUL', '["\u0000"]', '22P05'),
             ('a lone surrogate', '["\udc00"]', '22P02'),
             ('nesting without end', repeat('[', 100000), '54001'), ('nothing', '', '22P02')) AS t (what, argument, state);
SELECT throws_ok($$SELECT vigil.track_batch((SELECT jsonb_agg(1) FROM generate_series(1, 100001)))$$, '54000',
  'batch has 100001 items, the limit is 100000', 'S0-28: 100,001 items are refused with number and limit');
SET vigil.max_batch_items = 2;
SELECT throws_ok($$SELECT vigil.track_batch('[1, 2, 3]')$$, '54000', 'batch has 3 items, the limit is 2',
  'C-16: vigil.max_batch_items is the limit');
SELECT is(vigil.track_batch('[1, 2]'), ROW(0, 0, 2, 0)::vigil.ingest_result, 'C-16: as many items are read');
RESET vigil.max_batch_items;
SET vigil.max_payload_bytes = 1024;
SELECT is(vigil.track_batch(jsonb_build_array(pg_temp.event(jsonb_build_object('payload', jsonb_build_object('a', repeat('x', 2000)))),
    pg_temp.event(jsonb_build_object('metadata', jsonb_build_object('a', repeat('x', 2000)))),
    pg_temp.event(jsonb_build_object('other', repeat('x', 2000))), pg_temp.event())),
  ROW(1, 0, 3, 0)::vigil.ingest_result, 'S0-29: vigil.max_payload_bytes is the limit of payload, metadata and the rest');
RESET vigil.max_payload_bytes;

-- Keys ----------------------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT is(vigil.track_batch($$[
  {"moduleId": "11111111-1111-4111-8111-111111111111", "versionId": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1",
   "siteId": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1", "eventType": "render", "eventName": "camel", "eventCategory": "user",
   "payload": {"a": 1}, "metadata": {"b": 2}, "durationMs": 1, "memoryUsageKb": 2, "pagePath": "/p", "sessionId": "s",
   "userAgent": "ua", "ipAddress": "203.0.113.7", "countryCode": "us"},
  {"module_id": "11111111-1111-4111-8111-111111111111", "version_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1",
   "site_id": "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1", "event_type": "render", "event_name": "snake", "event_category": "user",
   "payload": {"a": 1}, "metadata": {"b": 2}, "duration_ms": 1, "memory_usage_kb": 2, "page_path": "/p", "session_id": "s",
   "user_agent": "ua", "ip_address": "203.0.113.7", "country_code": "us"}]$$),
  ROW(2, 0, 0, 0)::vigil.ingest_result, 'S0-28: camelCase and snake_case in one batch');
SELECT results_eq(
  $$SELECT to_jsonb(e) - '{id, event_name}'::text[] FROM vigil.events e WHERE event_name = 'camel'$$,
  $$SELECT to_jsonb(e) - '{id, event_name}'::text[] FROM vigil.events e WHERE event_name = 'snake'$$,
  'S0-28: both spellings give the same row');
SELECT is((SELECT count(DISTINCT id) FROM vigil.events), 2::bigint, 'S0-01: ids differ');

-- Idempotence ---------------------------------------------------------------------------------------

DELETE FROM vigil.events;
CREATE TEMP TABLE batch AS SELECT jsonb_build_array(
  pg_temp.event('{"externalId": "a"}'), pg_temp.event('{"externalId": "b"}'), pg_temp.event('{"externalId": "a", "eventName": "again"}'),
  pg_temp.event(jsonb_build_object('externalId', 'a', 'moduleId', :m2)), pg_temp.event()) AS events;
SELECT is(vigil.track_batch(events), ROW(4, 1, 0, 0)::vigil.ingest_result, 'D-82: an id twice in one batch counts once') FROM batch;
SELECT is((SELECT count(*) FROM vigil.events WHERE event_name = 'again'), 0::bigint, 'D-82: the first one is stored');
SELECT is(vigil.track_batch(events), ROW(1, 4, 0, 0)::vigil.ingest_result, 'D-82: the whole batch again stores only what has no id') FROM batch;
SELECT is(vigil.track_batch('[{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "x", "eventName": "", "externalId": "c"}]'),
  ROW(0, 0, 1, 0)::vigil.ingest_result, 'D-82: a rejected item');
SELECT is(vigil.track_batch(jsonb_build_array(pg_temp.event('{"externalId": "c"}'))), ROW(1, 0, 0, 0)::vigil.ingest_result,
  'D-82: does not use up its id');

-- Times outside the partitions ----------------------------------------------------------------------

SELECT is(vigil.track_batch(jsonb_build_array(pg_temp.event(), pg_temp.event('{"createdAt": "1999-12-31T23:59:59Z"}'),
    pg_temp.event('{"createdAt": "9000-01-01T00:00:00Z"}'), pg_temp.event('{"createdAt": "0001-01-01T00:00:00Z"}'))),
  ROW(1, 0, 0, 3)::vigil.ingest_result, 'D-68: items outside all partitions are quarantined, the others stored');
SELECT vigil.create_partition('events', 'events_y1999m12', '1999-12-01', '2000-01-01') \g /dev/null
SELECT is(vigil.replay_quarantine(), 1::bigint, 'D-68: one of them is replayed when its partition exists');
SELECT is((SELECT count(*) FROM vigil.quarantine), 2::bigint, 'D-68: the others wait on');
SELECT is(vigil.replay_quarantine(), 0::bigint, 'D-68: nothing is replayed twice');

-- Addresses -----------------------------------------------------------------------------------------

SELECT is(vigil.track_batch(jsonb_build_array('198.51.100.202', jsonb_build_array('198.51.100.202'),
    jsonb_build_object('ip', '198.51.100.202', 'note', 'came from 198.51.100.202, twice'),
    pg_temp.event('{"durationMs": "198.51.100.202"}'), pg_temp.event('{"moduleId": "198.51.100.202"}'),
    pg_temp.event('{"ipAddress": {"v4": "198.51.100.202"}}'),
    pg_temp.event('{"ipAddress": "198.51.100.202", "payload": {"peer": "198.51.100.202"}, "host": "198.51.100.202"}'),
    pg_temp.event('{"ipAddress": "198.51.100.202", "createdAt": "1980-01-01T00:00:00Z"}'))),
  ROW(1, 0, 6, 1)::vigil.ingest_result, 'S0-35: items with addresses in odd places');
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''198.51.100.202'')',
  'S0-35: leave no address in clear, neither in rejected items nor in their reasons');

-- Two modules and many sites --------------------------------------------------------------------------

DELETE FROM vigil.events;
DELETE FROM vigil.dirty;
SELECT is(vigil.track_batch((SELECT jsonb_agg(pg_temp.event(jsonb_build_object(
    'moduleId', CASE WHEN n % 2 = 0 THEN :m1 ELSE :m2 END, 'createdAt', date_trunc('hour', now()) + n % 3 * interval '1 minute')))
    FROM generate_series(1, 600) AS n)), ROW(600, 0, 0, 0)::vigil.ingest_result, 'D-08: events of two modules in one batch');
SELECT results_eq('SELECT module_id, count(*) FROM vigil.dirty GROUP BY 1 ORDER BY 1',
  format('VALUES (%L::uuid, 3::bigint), (%L, 3)', :m1, :m2), 'D-08: leave one mark for each module and minute');

-- Text and bytes --------------------------------------------------------------------------------------

DELETE FROM vigil.events;
DELETE FROM vigil.rejected;
-- What becomes of a text and of the same text as jsonb, each in empty tables.
CREATE FUNCTION pg_temp.outcome(counts vigil.ingest_result) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  found jsonb;
BEGIN
  SELECT jsonb_build_object('counts', counts::text,
    'events', (SELECT jsonb_agg(to_jsonb(e) - 'id' ORDER BY to_jsonb(e) - 'id') FROM vigil.events e),
    'rejected', (SELECT jsonb_agg(jsonb_build_array(position, module_id, sqlstate, reason, hint) ORDER BY position) FROM vigil.rejected)) INTO found;
  DELETE FROM vigil.events;
  DELETE FROM vigil.rejected;
  DELETE FROM vigil.received_ids;
  RETURN found;
END $$;
CREATE TEMP TABLE texts (what text, batch text);
INSERT INTO texts VALUES
  ('bad items of every kind', (SELECT jsonb_agg(item ORDER BY position)::text FROM bad)),
  ('nothing', ' [ ] '),
  ('odd white space', E'\n[\t{ "moduleId" : "11111111-1111-4111-8111-111111111111" ,\r\n"eventType":"render","eventName" : "e" }\n,\n 7 ]\n'),
  ('escapes', $$[{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render", "event\u004eame": "\"\\\/\b\f\n\r\t \u00fc\u20ac\ud83d\ude00 ü€😀",
    "sess\u0069on_id": "[{,\"", "k\"ey": {"\u0061": ["\u0062", "}"]}}]$$),
  ('repeated keys', $$[{"moduleId": "22222222-2222-4222-8222-222222222222", "moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render",
    "eventName": "e", "duration": 1, "durationMs": 2, "duration_ms": 3, "durationMs": 4, "x": 1, "x": {"y": 1, "y": 2}}]$$),
  ('numbers', (SELECT '[' || string_agg(format($f${"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render", "eventName": "e",
      "value": %1$s, "status": %1$s, "unit": "%2$s", "memoryUsageKb": %1$s, "timestamp": %1$s, "kept": %1$s}$f$, n, i), ',') || ']'
    FROM unnest('{0,-0,1,-1,1.50,-0.0,1e2,1E+2,12e-1,0.1e-5,9007199254740993,1763631000,1763631000123,123456789012345678901234567890,1e308,1e309,1e-400}'::text[])
      WITH ORDINALITY AS t (n, i))),
  ('ids, addresses and people', $$[{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "api_call", "eventName": "e", "id": "a", "ip": "203.0.113.7",
    "userId": 17, "payload": {"endpoint": "/a", "statusCode": 500, "note": "from 198.51.100.7"}, "metadata": {"device": "tablet"}, "remote": {"ip": "198.51.100.7"}},
    {"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "x", "eventName": "e", "id": "a"}]$$);
CREATE TEMP TABLE outcomes AS SELECT what, 'text' AS way, pg_temp.outcome(vigil.track_batch(batch)) AS outcome FROM texts;
INSERT INTO outcomes SELECT what, 'bytes', pg_temp.outcome(vigil.track_batch(convert_to(batch, 'UTF8'))) FROM texts;
INSERT INTO outcomes SELECT what, 'jsonb', pg_temp.outcome(vigil.track_batch(batch::jsonb)) FROM texts;
SELECT is(t.outcome, j.outcome, 'S0-28: text is stored and refused as its jsonb: ' || what)
FROM outcomes t JOIN outcomes j USING (what) WHERE t.way = 'text' AND j.way = 'jsonb' ORDER BY what COLLATE "C";
SELECT is_empty($$SELECT what FROM outcomes b JOIN outcomes t USING (what) WHERE b.way = 'bytes' AND t.way = 'text' AND b.outcome <> t.outcome$$, 'S0-28: so are bytes');

SELECT is(pg_temp.outcome(vigil.track_batch($$[{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render", "eventName": "a\u0000b\ud800c\udc00"}]$$))
  #>> '{events,0,event_name}', U&'a\FFFDb\FFFDc\FFFD', 'D-74: NUL and lone surrogates, which jsonb refuses, become U+FFFD');
SELECT is(pg_temp.outcome(vigil.track_batch(convert_to($$[{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render", "eventName": "$$, 'UTF8')
  || '\xff00'::bytea || convert_to('"}]', 'UTF8'))) #>> '{events,0,event_name}', U&'\FFFD\FFFD', 'D-74: so do bytes that are no text');
SELECT is(pg_temp.outcome(vigil.track_batch(format('[%s, {"a" 1}, {"n": 1e99999}, %1$s, , {"a": [}, %1$s', pg_temp.event()))) - 'events',
  '{"counts": "(3,0,5,0)", "rejected": [[2, null, "22032", "the item is no JSON: a colon is expected, at byte 6", null],
    [3, null, "22032", "the item is no JSON: number out of range, at byte 7", null], [5, null, "22032", "the item is no JSON: the text ends too early, at byte 1", null],
    [6, null, "22032", "the item is no JSON: a value is expected, at byte 8", null], [8, null, "22032", "the batch is no JSON: the text ends too early", null]]}',
  'D-74: items that are no JSON are refused one by one, as is the missing end');
SELECT is(pg_temp.outcome(vigil.track_batch(format('[%s, {"moduleId": "111', pg_temp.event()))) - 'events',
  '{"counts": "(1,0,1,0)", "rejected": [[2, null, "22032", "the item is no JSON: a string does not end, at byte 18", null]]}',
  'D-74: of a batch that was cut off the whole items are stored');
SELECT is(pg_temp.outcome(vigil.track_batch(format('[%s] []', pg_temp.event()))) #>> '{rejected,0,3}', 'the batch is no JSON: text follows the value', 'D-74: what follows it is told');
SELECT throws_ok(format('SELECT vigil.track_batch(%L::text)', argument), '22023', 'argument of vigil.track_batch() must be a JSON array', 'S0-28: ' || what || ' is refused as text')
FROM (VALUES ('an object', '{}'), ('a text', '"[]"'), ('a number', '5'), ('nothing', ''), ('white space', ' ')) AS t (what, argument);
SET vigil.max_batch_items = 2;
SELECT throws_ok($$SELECT vigil.track_batch('[1, 2, 3]'::text)$$, '54000', 'batch has 3 items, the limit is 2', 'C-16: vigil.max_batch_items is the limit of text, too');
RESET vigil.max_batch_items;
SELECT is((vigil.track_batch((repeat('[', 100000))::text)).rejected, 1, 'S0-28: nesting without end is refused as an item');
-- printf '[{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render", "eventName": "zipped"}]' | gzip -9n
\set zipped '''\\x1f8b08000000000002ff8bae56cacd4f29cd49f54c51b252503284025d306102222c605c1850d251504a2d4bcd2b09a92c4805692a4acd4b492d820bfb25e68285ab320b0a5253946a630107ed09dc64000000'''
SELECT is(vigil.track_batch(:zipped::bytea), ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-74: a compressed body');
SELECT is((vigil.track_batch(substr(:zipped::bytea, 1, 60))).rejected >= 1, true, 'D-74: and one that was cut off');
SELECT isnt_empty($$SELECT FROM vigil.rejected WHERE sqlstate = '22P03' AND reason LIKE 'compressed body: %'$$, 'D-74: which is told');

SELECT * FROM finish();
ROLLBACK;
