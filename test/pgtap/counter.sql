-- vigil.counter: what Prometheus computes, ranges, merging, parallel plans, windows, hostile bytes, round trips.
BEGIN;
\ir include/setup.sql
SELECT no_plan();

CREATE FUNCTION pg_temp.t(seconds float8) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$ SELECT '2026-01-01 00:00+00'::timestamptz + seconds * interval '1 s' $$;
CREATE TEMP TABLE sample AS
SELECT name, pg_temp.t(15 * (n - 1)) AS at, v FROM (VALUES ('a', '{5,10,18,NULL,3,9,20,20,NULL,31,40,2,8.5,11}'::float8[]), ('b', '{NULL,NULL,NULL,NULL,100,120,140,160,180,200}'), ('c', '{-5,-1,4,7,7,12}')) AS s (name, vs),
  unnest(vs) WITH ORDINALITY AS u (v, n);
CREATE TEMP TABLE counter AS SELECT name, vigil.counter_agg(at, v) AS c FROM sample GROUP BY 1;
CREATE TEMP TABLE many AS SELECT n, pg_temp.t(n * 15 + (n * 7919 % 13) / 1000.0) AS at, (n * 30 % 7001)::float8 AS v FROM generate_series(1, 10000) AS n;
CREATE FUNCTION pg_temp.near(a float8, b float8) RETURNS boolean LANGUAGE sql AS $$ SELECT a IS NOT DISTINCT FROM b OR abs(a - b) <= 1e-12 * abs(b) $$;

-- Values -----------------------------------------------------------------------------------------------

CREATE TEMP TABLE expected AS SELECT * FROM (VALUES
  ('a', 10, 200, 62.27777777777778::float8, 0.3277777777777778::float8, 2.5::float8, 0.16666666666666666::float8, 2::bigint),
  ('a', 100, 200, 34.44444444444444, 0.34444444444444444, 2.5, 0.16666666666666666, 1),
  ('a', 66, 127, 17.05, 0.2795081967213115, 0, 0, 0),
  ('a', 10, 290, 63.58888888888889, 0.2271031746031746, 2.5, 0.16666666666666666, 2),
  ('a', 16, 62, 4.6000000000000005, 0.1, -15, 0.1, 1),
  ('a', 29, 52, NULL, NULL, NULL, NULL, 0),
  ('b', 10, 140, 116.66666666666667, 0.8974358974358976, 20, 1.3333333333333333, 0),
  ('b', 90, 140, 66.66666666666667, 1.3333333333333335, 20, 1.3333333333333333, 0),
  ('b', 67, 98, 41.333333333333336, 1.3333333333333335, 20, 1.3333333333333333, 0),
  ('c', -1, 80, 18.36, 0.22666666666666668, 5, 0.3333333333333333, 0),
  ('c', 16, 77, 10.844444444444445, 0.17777777777777778, 5, 0.3333333333333333, 0),
  ('c', -1, 8, NULL, NULL, NULL, NULL, 0)) AS t (name, first, last, increase, rate, idelta, irate, resets);
SELECT ok(pg_temp.near(vigil.increase(c, f, l), e.increase) AND pg_temp.near(vigil.rate(c, f, l), e.rate) AND pg_temp.near(vigil.idelta(c, f, l), e.idelta) AND pg_temp.near(vigil.irate(c, f, l), e.irate)
    AND vigil.resets(c, f, l) = e.resets, format('as Prometheus computes: %s from %s to %s', e.name, first, last))
FROM expected AS e JOIN counter USING (name), LATERAL (SELECT pg_temp.t(first) AS f, pg_temp.t(last) AS l) AS r;
SELECT results_eq('SELECT vigil.increase(c), vigil.rate(c), vigil.idelta(c), vigil.irate(c), vigil.resets(c), vigil.count(c) FROM counter WHERE name = ''a''',
  'VALUES (64::float8, 64 / 195::float8, 2.5::float8, 2.5::float8 / 15, 2::bigint, 12::bigint)', 'without a range nothing is extrapolated');
SELECT is((SELECT vigil.increase(c, NULL, pg_temp.t(140)) FROM counter WHERE name = 'b'), 100 * 80 / 75::float8, 'a range without a beginning starts at the first sample');
SELECT is((SELECT vigil.increase(c, "to" => pg_temp.t(140)) FROM counter WHERE name = 'b'), 100 * 80 / 75::float8, 'by name');
SELECT is((SELECT vigil.increase(c, pg_temp.t(75), pg_temp.t(105)) FROM counter WHERE name = 'b'), 40::float8, 'the sample at the beginning of a range lies outside');

-- Nothing, one, null, and what is no number -----------------------------------------------------------

SELECT is((SELECT vigil.counter_agg(at, v)::text FROM sample WHERE false), NULL, 'no rows give null');
SELECT is((SELECT vigil.counter_agg(at, NULL)::text FROM sample), NULL, 'only nulls give null');
SELECT is((SELECT vigil.counter_agg(NULL, v)::text FROM sample), NULL, 'samples without a time are none');
SELECT results_eq('SELECT vigil.increase(c), vigil.rate(c), vigil.idelta(c), vigil.irate(c), vigil.resets(c), vigil.count(c) FROM (SELECT vigil.counter_agg(pg_temp.t(0), 7) AS c) AS t',
  'VALUES (NULL::float8, NULL::float8, NULL::float8, NULL::float8, 0::bigint, 1::bigint)', 'one sample has no increase');
SELECT results_eq('SELECT vigil.increase(c), vigil.rate(c), vigil.idelta(c), vigil.irate(c), vigil.resets(c), vigil.count(c) FROM (SELECT NULL::vigil.counter AS c) AS t',
  'VALUES (NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::bigint, NULL::bigint)', 'null has nothing');
SELECT throws_ok(format('SELECT vigil.counter_agg(now(), %L::float8)', x), '22003', NULL, x || ' is refused with 22003') FROM unnest('{NaN,Infinity,-Infinity}'::text[]) AS x;
SELECT throws_ok(format('SELECT vigil.counter_agg(%L::timestamptz, 1)', x), '22008', NULL, x || ' is no time') FROM unnest('{infinity,-infinity}'::text[]) AS x;
SELECT throws_ok(format('SELECT vigil.%s(c, ''infinity'') FROM counter', f), '22008', NULL, f || ': nor a bound') FROM unnest('{increase,rate,idelta,irate,resets}'::text[]) AS f;
SELECT throws_ok(format('SELECT vigil.%s(c, now(), now()) FROM counter', f), '22023', NULL, f || ': an empty range is refused') FROM unnest('{increase,rate,idelta,irate,resets}'::text[]) AS f;
SELECT throws_ok('SELECT vigil.increase(vigil.counter_agg(at, v)) FROM (VALUES (now(), -1.7e308), (now() + ''1 s'', 1.7e308)) AS t (at, v)', '22003', NULL, 'an increase beyond the doubles: 22003');
SELECT throws_ok('SELECT vigil.counter_add(NULL, now(), 1)', '22023', NULL, 'the step function refuses to be called by hand');
SELECT lives_ok('SELECT vigil.counter_agg(at, 1) FROM (VALUES (''4713-01-01 00:00+00 BC''::timestamptz), (''294276-12-31 23:59:59.999999+00''::timestamptz)) AS t (at)', 'the first and the last time');
SELECT is((SELECT vigil.idelta(vigil.counter_agg(at, v)) FROM (VALUES (pg_temp.t(1), 5::float8), (pg_temp.t(0), 1), (pg_temp.t(1), 9), (pg_temp.t(1), 9), (pg_temp.t(1), 7)) AS t (at, v)), 8::float8, 'of values at one instant the largest counts');

-- Merging ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE parts AS SELECT n % 17 AS part, vigil.counter_agg(at, v ORDER BY md5(n::text)) AS c FROM many GROUP BY 1;
SELECT is((SELECT vigil.counter_agg(at, v ORDER BY md5(n::text))::text FROM many), (SELECT vigil.counter_agg(at, v ORDER BY n)::text FROM many), 'rows in any order give equal bytes');
SELECT is((SELECT vigil.merge_agg(c ORDER BY part)::text FROM parts), (SELECT vigil.counter_agg(at, v)::text FROM many), 'merged parts that overlap have the bytes of the whole');
SELECT is((SELECT vigil.merge_agg(c ORDER BY part DESC)::text FROM parts), (SELECT vigil.merge_agg(c ORDER BY md5(part::text))::text FROM parts), 'in any order');
SELECT is((SELECT vigil.merge_agg(c)::text FROM (SELECT c FROM parts UNION ALL SELECT c FROM parts UNION ALL SELECT NULL) t), (SELECT vigil.merge_agg(c)::text FROM parts), 'merging again or null changes nothing');
SELECT is((SELECT vigil.merge_agg(NULL::vigil.counter)::text), NULL, 'merging only null gives null');
SELECT is((SELECT vigil.increase(vigil.counter_agg(at, v)) FROM many), (SELECT sum(CASE WHEN v < p THEN v ELSE v - p END) FROM (SELECT v, lag(v) OVER (ORDER BY at) AS p FROM many) t), 'the increase is the sum of the rises');

-- Two aggregates that share a state, and windows --------------------------------------------------------

SELECT is((SELECT vigil.rate(vigil.counter_agg(at, v)) = vigil.rate(vigil.counter_agg(at, v)) AND vigil.resets(vigil.counter_agg(at, v ORDER BY v)) = 42 AND vigil.counter_agg(at, v)::text = vigil.counter_agg(at, v)::text FROM many), true, 'aggregates may share a state');
CREATE TEMP TABLE running AS SELECT n, vigil.counter_agg(at, v) OVER (ORDER BY md5(n::text)) AS grown, vigil.counter_agg(at, v) OVER (ORDER BY n ROWS 2 PRECEDING) AS moved FROM many WHERE n <= 50;
SELECT is((SELECT count(*) FROM running AS r WHERE grown::text <> (SELECT vigil.counter_agg(at, v)::text FROM many AS b WHERE n <= 50 AND md5(b.n::text) <= md5(r.n::text))), 0::bigint, 'a growing window frame, stored');
SELECT is((SELECT count(*) FROM running AS r WHERE moved::text <> (SELECT vigil.counter_agg(at, v)::text FROM many AS b WHERE b.n BETWEEN r.n - 2 AND r.n)), 0::bigint, 'a sliding window frame, stored');

-- Parallel plans ----------------------------------------------------------------------------------------

CREATE TABLE vigil_parallel AS SELECT at, v FROM many ORDER BY md5(n::text);
ALTER TABLE vigil_parallel SET (parallel_workers = 2);
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT matches(pg_temp.plan_of('SELECT vigil.counter_agg(at, v) FROM vigil_parallel'), 'Partial Aggregate', 'the planner splits the aggregate');
SELECT is((SELECT vigil.counter_agg(at, v)::text FROM vigil_parallel), (SELECT vigil.counter_agg(at, v)::text FROM many), 'a parallel plan gives the bytes of a serial one');

-- Bytes --------------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored (id integer, c vigil.counter);
INSERT INTO stored SELECT 1, c FROM counter WHERE name = 'a';
INSERT INTO stored SELECT 2, vigil.counter_agg(at, v) FROM many;
INSERT INTO stored VALUES (3, '\x1000'), (4, '\x100314c80114c8010063'), (5, NULL);
SELECT results_eq('SELECT vigil.increase(c), vigil.count(c) FROM stored WHERE id = 4', 'VALUES (250::float8, 3::bigint)', 'golden bytes');
SELECT is(c::text::vigil.counter::text, c::text, 'a round trip through text, row ' || id) FROM stored;
CREATE TEMP TABLE restored (LIKE stored);
SELECT pg_temp.copy_binary('stored', 'restored') \g /dev/null
SELECT results_eq('SELECT id, c::text FROM restored ORDER BY 1', 'SELECT id, c::text FROM stored ORDER BY 1', 'a round trip through binary COPY');
SELECT throws_ok(format('SELECT %L::vigil.counter', bytes), state, NULL, 'hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x00', '22P03'), ('\xff', '22P03'), ('\x2000', '22P03'), ('\x1100', '22P03'), ('\x100000', '22P03'), ('\x100200000000', '22P03'), ('\x1101000780', '22P03'),
             ('\x10ffffffffffffffffff01', '22P03'), ('\x10' || repeat('ff', 1000), '22P03'), ('\x1', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.counter_send(c)) - 1) AS cut
           WHERE id <> 2 AND pg_temp.readable('counter', substr(vigil.counter_send(c), 1, cut))), 0::bigint, 'no beginning of a value is a value');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'vigil'::regnamespace AND (proname LIKE 'counter%' OR proname IN ('increase', 'rate', 'idelta', 'irate', 'resets')) AND obj_description(oid) IS NULL), 0::bigint, 'every function says what it does');

SELECT * FROM finish();
ROLLBACK;
