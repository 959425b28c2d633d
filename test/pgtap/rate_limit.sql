-- Rate limits as one session sees them, with or without preload; test/t/110_rate_limit.pl has the rest.
BEGIN;
\ir include/setup.sql
SELECT plan(55);
-- Buckets outlive the test: its keys are its own.
SELECT gen_random_uuid() AS run \gset

CREATE TEMP TABLE decision AS
SELECT i, r.* FROM generate_series(1, 12) AS i, LATERAL vigil.rate_limit(:'run' || left(i::text, 0), 100, '1 day', 10) AS r;
SELECT is((SELECT count(*) FROM decision WHERE allowed), CASE WHEN (SELECT preloaded FROM vigil.rate_limit_stats) THEN 10 ELSE 12 END::bigint,
  'S2-62: a burst of 10 of 100; S2-64: without preload all is allowed');
SELECT is((SELECT max FROM decision WHERE i = 1), 100, 'S2-63: the limit');
SELECT is((SELECT remaining FROM decision WHERE i = 1), 9, 'S2-63: what remains');
SELECT cmp_ok((SELECT reset_at FROM decision WHERE i = 1), '>', clock_timestamp(), 'S2-63: when the bucket is full again');
SELECT cmp_ok((SELECT reset_at FROM decision WHERE i = 1), '<', clock_timestamp() + interval '865 s', 'S2-63: a hundredth of a day for one');
SELECT is((SELECT retry_after FROM decision WHERE i = 1), NULL, 'S2-63: no waiting for what is allowed');
SELECT is((SELECT bool_and((retry_after BETWEEN 700 AND 864) = NOT allowed) FROM decision), CASE WHEN (SELECT preloaded FROM vigil.rate_limit_stats) THEN true END,
  'S2-63: and for what is not, until one is there');

SELECT is((vigil.rate_limit(:'run' || 'c', 1000, cost => 1000)).remaining, 0, 'D-130: a batch costs as much as it has items');
SELECT is(r.allowed, false, 'D-130: 1001 of a burst of 1000 are never allowed') FROM vigil.rate_limit(:'run' || 'd', 1000, cost => 1001) AS r;
SELECT is(ROW(r.remaining, r.retry_after), ROW(1000, NULL::integer), 'S3-75: nothing is taken then, and waiting does not help') FROM vigil.rate_limit(:'run' || 'd', 1000, cost => 1001) AS r;
SELECT is(ROW(r.allowed, r.max, r.remaining, r.reset_at, r.retry_after), ROW(false, 0, 0, NULL::timestamptz, NULL::integer), 'S2-62: a limit of 0 gives nothing, with or without preload')
FROM vigil.rate_limit(:'run' || 'z', 0) AS r;
SELECT is(r.allowed, false, 'S2-62: and so does a burst of 0') FROM vigil.rate_limit(:'run' || 'z', 5, burst => 0) AS r;
SELECT is(min(r.remaining), 5, 'S2-62: a cost of 0 only looks') FROM generate_series(1, 2) AS i, LATERAL vigil.rate_limit(:'run' || left(i::text, 0), 5, cost => 0) AS r;

SELECT throws_ok(format('SELECT vigil.rate_limit(%s)', arguments), '22004', NULL, 'nulls: ' || arguments)
FROM unnest('{"NULL, 1","''k'', NULL","''k'', 1, NULL","''k'', 1, cost => NULL"}'::text[]) AS arguments;
SELECT lives_ok(format($$SELECT vigil.rate_limit('k', 1, burst => NULL, scope => NULL)$$), 'nulls: a burst as max, and no scope');
SELECT throws_ok(format('SELECT vigil.rate_limit(%s)', arguments), '22023', NULL, 'no limit: ' || arguments)
FROM unnest(ARRAY[$$'k', -1$$, $$'k', 1, burst => -1$$, $$'k', 1, cost => -1$$, $$'k', 1, '0'$$, $$'k', 1, '-1 s'$$, $$'k', 1, '1 month'$$, $$'k', 1, '1 year'$$,
  $$'k', 1, '40000 days'$$, $$'k', 1, '-40000 days'$$, $$'k', 1, '1000000 hours'$$, $$'k', 1, '2147483647 days 2562047788 hours'$$, $$'k', 1, '1 day', 40000$$]) AS arguments;
SELECT lives_ok($$SELECT vigil.rate_limit('k', 2147483647, '36500 days', 2147483647)$$, 'the largest numbers');
SELECT is((vigil.rate_limit(:'run' || 'max', 2147483647, '1 s', 2147483647, 2147483647)).remaining, 0, 'all of the largest burst');
SELECT is((vigil.rate_limit(:'run' || repeat('long', 100000), 2)).remaining, 1, 'a key of any length');

-- Headers.
SELECT is(vigil.rate_limit_headers(ROW(true, 100, 9, '1970-01-02 00:00:00.5Z', NULL)), '{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "86401"}',
  'S2-63: headers of what is allowed');
SELECT is(vigil.rate_limit_headers(ROW(false, 100, 0, '1970-01-02Z', 7)), '{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "86400", "Retry-After": "7"}',
  'S2-63: and of what is not');
SELECT is(vigil.rate_limit_headers(ROW(false, 0, 0, NULL, NULL)), '{"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"}', 'S2-63: no header says when for what never is');

-- Named limits.
SELECT results_eq('SELECT name, max, per, coalesce(burst, max) FROM vigil.rate_limits ORDER BY name',
  $$VALUES ('ingest', 1000, interval '1 minute', 1000), ('query', 100, '1 minute', 10)$$, 'C-15: two named limits: 100 with a burst of 10, and 1000');
SELECT is(ROW(r.max, r.remaining), ROW(100, 9), 'C-15: a query') FROM vigil.named_rate_limit('query', :'run') AS r;
SELECT is(ROW(r.max, r.remaining), ROW(1000, 500), 'C-15: a batch of 500') FROM vigil.named_rate_limit('ingest', :'run', 500) AS r;
SELECT vigil.set_rate_limit('query', 5) \g /dev/null
SELECT is(ROW(r.max, r.remaining), ROW(5, 4), 'S2-65: a new limit is in effect at once') FROM vigil.named_rate_limit('query', :'run') AS r;
SELECT vigil.set_rate_limit('login', 3, '1 hour', 1) \g /dev/null
SELECT is(ROW(r.max, r.remaining), ROW(3, 0), 'S2-65: limits can be added') FROM vigil.named_rate_limit('login', :'run') AS r;
SELECT throws_ok($$SELECT vigil.named_rate_limit('quary', 'k')$$, '42704', 'rate limit quary does not exist', 'an unknown name is no limit of 0, and no freedom either');
SELECT throws_ok($$SELECT vigil.named_rate_limit(NULL, 'k')$$, '42704', NULL, 'nor is null');
SELECT throws_ok($$SELECT vigil.set_rate_limit('login', 3, '1 month')$$, '22023', NULL, 'S2-65: wrong numbers are told at once');
SELECT throws_ok($$SELECT vigil.set_rate_limit('login', NULL)$$, '22004', NULL, 'S2-65: so are nulls');
SELECT throws_ok($$SELECT vigil.set_rate_limit(NULL, 1)$$, '23502', NULL, 'S2-65: a limit needs a name');
SELECT is(vigil.reset_rate_limit(:'run', 'login'), CASE WHEN (SELECT preloaded FROM vigil.rate_limit_stats) THEN 1 ELSE 0 END, 'S2-65: reset tells how many buckets were not full');
SELECT is((vigil.named_rate_limit('login', :'run')).remaining, 0, 'S2-65: and the key may begin anew');

-- Rights, and what does not fit a list.
CREATE ROLE vigil_test_app;
SELECT vigil.grant_rate_limit('vigil_test_app') \g /dev/null
SET LOCAL ROLE vigil_test_app;
SELECT is((vigil.rate_limit('k', 5)).allowed AND (vigil.named_rate_limit('ingest', 'k')).allowed, true, 'who was granted it, asks');
SELECT throws_ok($$SELECT vigil.reset_rate_limit('k')$$, '42501', NULL, 'but resets nothing');
SELECT throws_ok($$SELECT vigil.set_rate_limit('query', 5000)$$, '42501', NULL, 'and sets nothing');
SELECT throws_ok('SET vigil.rate_limit_exempt = ''*''', '42501', NULL, 'nor exempts itself');
RESET ROLE;
SET LOCAL vigil.rate_limit_exempt = 'health, internal:*, 10.0.0.0/8';
SELECT is((SELECT bool_and((vigil.rate_limit(key, 0)).allowed) FROM unnest('{health,internal:cron,10.1.2.3}'::text[]) AS key), true, 'S2-62: D-113: exempt keys, prefixes and blocks of addresses are always allowed');
SELECT is((SELECT bool_or((vigil.rate_limit(key, 0)).allowed) FROM unnest('{healthy,internal,11.1.2.3}'::text[]) AS key), false, 'S2-62: and no others');
SELECT throws_ok('SET LOCAL vigil.rate_limit_exempt = ''10.0.0.0/33''', '22023', NULL, 'a malformed block is refused');

SELECT * FROM finish();
ROLLBACK;
