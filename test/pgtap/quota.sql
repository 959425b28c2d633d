-- Quotas as one session sees them, with or without preload: a quota of 0 needs no memory. test/t/110_rate_limit.pl has the rest.
BEGIN;
\ir include/setup.sql
SELECT plan(42);

CREATE FUNCTION pg_temp.counts(r vigil.ingest_result) RETURNS text LANGUAGE sql AS $$ SELECT format('%s stored, %s refused', (r).accepted, (r).rejected) $$;
CREATE FUNCTION pg_temp.send_event(module text DEFAULT '11111111-1111-4111-8111-111111111111') RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.counts(vigil.track_event(pg_temp.event(jsonb_build_object('moduleId', module)))) $$;
CREATE FUNCTION pg_temp.send_error(name text DEFAULT 'TypeError') RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.counts(vigil.track_error(pg_temp.error(jsonb_build_object('errorName', name, 'errorMessage', name)))) $$;

SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'S2-64: without a quota all is taken');
SELECT is_empty('SELECT * FROM vigil.quota_usage', 'there is none in the beginning');

SELECT vigil.set_quota(:m1, 'events', 0) \g /dev/null
SELECT lives_ok('SELECT pg_temp.send_event()', 'S2-64: what is above a quota is no error: it would end the transaction of the caller');
SELECT is(pg_temp.send_event(), '0 stored, 1 refused', 'S3-75: it is refused');
SELECT is(pg_temp.send_event('22222222-2222-4222-8222-222222222222'), '1 stored, 0 refused', 'S3-75: other modules may send');
SELECT is(pg_temp.send_error(), '1 stored, 0 refused', 'S3-75: and errors are not events');
DELETE FROM vigil.rejected;
SELECT is(pg_temp.counts(vigil.track_batch(jsonb_build_array(pg_temp.event(), pg_temp.event(), pg_temp.event('{"moduleId": "22222222-2222-4222-8222-222222222222"}'),
  '{"moduleId": "11111111-1111-4111-8111-111111111111"}'::jsonb))), '1 stored, 3 refused', 'D-130: each item of a batch counts, and all that was sent is accounted for');
SELECT results_eq('SELECT module_id::text, source, position, sqlstate, items, item FROM vigil.rejected ORDER BY sqlstate',
  $$VALUES ('11111111-1111-4111-8111-111111111111', 'track_batch', 4, '22004', 1, '{"moduleId": "11111111-1111-4111-8111-111111111111"}'),
           ('11111111-1111-4111-8111-111111111111', 'track_batch', NULL, '53400', 2, NULL)$$, 'S2-64: one row for what a quota refused of a call, with their number; a bad item is bad before it is too many');
SELECT is(reason, '2 events above the quota of 0 in 00:01:00', 'with the numbers') FROM vigil.rejected WHERE sqlstate = '53400';
SELECT matches(hint, 'set_quota\(''11111111-1111-4111-8111-111111111111'', ''events''', 'and how to change them') FROM vigil.rejected WHERE sqlstate = '53400';
SELECT is(pg_temp.counts(vigil.track_columns(:m1, ARRAY[now(), now()], ARRAY['render'], ARRAY['e'])), '0 stored, 2 refused', 'S3-75: columns count');
SELECT is(pg_temp.counts(vigil.capture_sentry(:m1, E'{}\n{"type":"transaction"}\n{"transaction":"GET /","start_timestamp":1,"timestamp":2}')), '0 stored, 1 refused', 'S3-75: so do envelopes');
SELECT is((SELECT sum(items) FROM vigil.rejected WHERE sqlstate = '53400'), 5::bigint, 'vigil.rejected accounts for all of them');
SELECT is((SELECT count(*) FROM vigil.events WHERE module_id = :m1), 1::bigint, 'and nothing of them is stored');
SELECT is(ROW(max, burst, used, remaining)::text, '(0,0,0,0)', 'a view tells what is left') FROM vigil.quota_usage;

-- Changes.
SELECT vigil.set_quota(:m1, 'events', 5) \g /dev/null
SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'S2-65: a new quota is in effect at once');
SELECT results_eq('SELECT fact, max, per, burst FROM vigil.quotas', $$VALUES ('events', 5, interval '1 minute', NULL::integer)$$, 'in place of the old one');
SELECT vigil.set_quota(:m1, 'events', 0) \g /dev/null
SAVEPOINT before;
SELECT vigil.set_quota(:m1, 'events', NULL) \g /dev/null
SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'null takes it away');
ROLLBACK TO before;
SELECT is(pg_temp.send_event(), '0 stored, 1 refused', 'unless that is rolled back');
SAVEPOINT before;
TRUNCATE vigil.quotas;
SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'TRUNCATE takes all away');
ROLLBACK TO before;
UPDATE vigil.quotas SET max = 7;
SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'an UPDATE is noticed');
DELETE FROM vigil.quotas;
INSERT INTO vigil.quotas (module_id, fact, max) VALUES (:m1, 'events', 0);
SELECT is(pg_temp.send_event(), '0 stored, 1 refused', 'so is an INSERT');
SET LOCAL vigil.rate_limit_exempt = '11111111-1111-4111-8111-111111111111';
SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'S2-62: an exempt module has no quota');
RESET vigil.rate_limit_exempt;
UPDATE vigil.quotas SET per = '1 month';
SELECT is(pg_temp.send_event(), '1 stored, 0 refused', 'S2-64: a quota that cannot be counted refuses nothing');
DELETE FROM vigil.quotas;

-- Errors.
SELECT vigil.set_quota(:m1, 'errors', 0) \g /dev/null
SELECT is(pg_temp.send_error() || ', ' || pg_temp.send_event(), '0 stored, 1 refused, 1 stored, 0 refused', 'a quota of errors');
SELECT is((SELECT count(*) FROM vigil.error_groups WHERE module_id = :m1), 1::bigint, 'what is refused makes no group');
SELECT vigil.set_quota(:m1, 'errors', NULL), vigil.set_quota(:m1, 'error_copies', 100, '1 day', 2) \g /dev/null
-- The buckets of an earlier run would be in the way.
SELECT 'E' || translate(gen_random_uuid()::text, '0123456789-', 'ghijklmnopq') AS first, 'E' || translate(gen_random_uuid()::text, '0123456789-', 'ghijklmnopq') AS second \gset
SELECT is(string_agg(pg_temp.send_error(:'first' || left(i::text, 0)), '; '), CASE WHEN (SELECT preloaded FROM vigil.rate_limit_stats)
  THEN '1 stored, 0 refused; 1 stored, 0 refused; 0 stored, 1 refused' ELSE '1 stored, 0 refused; 1 stored, 0 refused; 1 stored, 0 refused' END, 'two copies of one error')
FROM generate_series(1, 3) AS i;
SELECT is(pg_temp.send_error(:'second'), '1 stored, 0 refused', 'leave room for another error');
SELECT is(ROW(fact, used, remaining, reset_at)::text, '(error_copies,,,)', 'each fingerprint has its own count') FROM vigil.quota_usage;
UPDATE vigil.quotas SET burst = 0;
SELECT is(pg_temp.send_error(), '0 stored, 1 refused', 'a quota of 0 copies');
SET LOCAL vigil.rate_limit_exempt = '11111111-1111-4111-8111-111111111111';
SELECT is(pg_temp.send_error(), '1 stored, 0 refused', 'S2-62: but not for an exempt module');
RESET vigil.rate_limit_exempt;
SELECT is(reason, '1 error copies above the quota of 100 in 1 day', 'says so') FROM vigil.rejected ORDER BY id DESC LIMIT 1;

-- Mistakes.
SELECT throws_ok(format('SELECT vigil.set_quota(%s)', arguments), state, NULL, 'set_quota: ' || arguments)
FROM (VALUES ($$gen_random_uuid(), 'logs', 1$$, '22023'), ($$gen_random_uuid(), NULL, 1$$, '22004'), ($$NULL, 'events', 1$$, '22004'), ($$gen_random_uuid(), 'events', -1$$, '22023'),
  ($$gen_random_uuid(), 'events', 1, NULL$$, '22004'), ($$gen_random_uuid(), 'events', 1, '1 month'$$, '22023'), ($$gen_random_uuid(), 'events', 1, burst => -1$$, '22023')) AS t (arguments, state);
CREATE ROLE vigil_test_writer;
SELECT vigil.grant_ingest('vigil_test_writer') \g /dev/null
SET LOCAL ROLE vigil_test_writer;
SELECT is((vigil.track_error('{"moduleId": "11111111-1111-4111-8111-111111111111", "errorType": "api", "errorName": "E", "errorMessage": "m"}')).rejected, 1, 'a writer meets the quotas');
SELECT throws_ok($$SELECT vigil.set_quota('11111111-1111-4111-8111-111111111111', 'events', 1)$$, '42501', NULL, 'but sets none');
SELECT throws_ok('SELECT * FROM vigil.quota_usage', '42501', NULL, 'and reads none');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
