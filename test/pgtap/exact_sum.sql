-- vigil.exact_sum: sums in any order, operators, merging, moving frames, parallel plans, hostile bytes, round trips.
BEGIN;
\ir include/setup.sql
SELECT no_plan();

CREATE TEMP TABLE few AS SELECT * FROM (VALUES (1, 0.1::float8), (2, 1e300), (3, -7.25), (4, NULL), (5, -1e300), (6, 0.2), (7, 5e-324)) AS t (n, x);
CREATE TEMP TABLE many AS SELECT n, exp((n * 7919 % 1009 - 500)::float8) * CASE WHEN n % 3 = 0 THEN -1 ELSE 1 END AS x FROM generate_series(1, 10000) AS n;

-- Values -----------------------------------------------------------------------------------------------

SELECT is((SELECT vigil.sum(vigil.exact_sum_agg(x)) FROM few WHERE n NOT IN (6, 7)), 0.1::float8 - 7.25, 'large values cancel without a trace');
SELECT is((SELECT vigil.sum(vigil.exact_sum_agg(0.1)) FROM generate_series(1, 10)), 1::float8, 'ten times a tenth is one');
SELECT is((SELECT vigil.sum(vigil.exact_sum_agg(x)) FROM unnest('{1e16,1,1}'::float8[]) AS x), (1e16 + 2)::float8, 'rounded once, at the end');
SELECT is((SELECT vigil.sum(vigil.exact_sum_agg(x)) FROM unnest('{1e16,1}'::float8[]) AS x), 1e16::float8, 'ties go to even');
SELECT is((SELECT vigil.exact_sum_agg(x)::float8 FROM unnest('{1e308,1e308,-1e308}'::float8[]) AS x), 1e308::float8, 'the cast rounds; what overflows in between does not matter');
SELECT is((SELECT vigil.sum(vigil.exact_sum_agg(x))::text FROM unnest('{-0,-0}'::float8[]) AS x), '0', 'a zero is +0');
SELECT is((SELECT vigil.exact_sum_agg(x ORDER BY x)::text FROM many), (SELECT vigil.exact_sum_agg(x ORDER BY md5(n::text))::text FROM many), 'rows in any order give equal bytes');
SELECT is((SELECT vigil.exact_sum_agg(x)::float8 FROM (SELECT (n % 1000003) / 1024::float8 AS x FROM generate_series(1, 20000) AS n) t),
  (SELECT sum(x)::float8 FROM (SELECT (n % 1000003)::numeric / 1024 AS x FROM generate_series(1, 20000) AS n) t), 'agrees with the sum of numerics');
SELECT throws_ok('SELECT vigil.sum(vigil.exact_sum_agg(x)) FROM unnest(''{1e308,1e308}''::float8[]) AS x', '22003', NULL, 'a sum beyond the doubles: 22003');
SELECT lives_ok('SELECT vigil.exact_sum_agg(x) FROM unnest(''{1e308,1e308}''::float8[]) AS x', 'but it may be held');
SELECT throws_ok(format('SELECT vigil.exact_sum_agg(%L::float8)', x), '22003', NULL, x || ' is refused with 22003') FROM unnest('{NaN,Infinity,-Infinity}'::text[]) AS x;
SELECT throws_ok(format('SELECT vigil.exact_sum_agg(%L::float8) OVER (ROWS 2 PRECEDING)', x), '22003', NULL, x || ' is refused in frames') FROM unnest('{NaN,Infinity,-Infinity}'::text[]) AS x;
SELECT is((SELECT vigil.exact_sum_agg(x)::text FROM few WHERE false), NULL, 'no rows give null');
SELECT is((SELECT vigil.exact_sum_agg(NULL)::text FROM few), NULL, 'only nulls give null');
SELECT is(vigil.sum(NULL::vigil.exact_sum), NULL, 'the value of null is null');
SELECT is((SELECT vigil.exact_sum_agg(x)::text FROM few WHERE x = 1e300 OR x = -1e300), '\x1000', 'what cancels is a sum of zero, not null');
SELECT throws_ok('SELECT vigil.exact_sum_add(NULL, 1)', '22023', NULL, 'the step function refuses to be called by hand');

-- Operators --------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.s(VARIADIC x float8[]) RETURNS vigil.exact_sum LANGUAGE sql AS 'SELECT vigil.exact_sum_agg(v) FROM unnest(x) AS v';
SELECT ok(pg_temp.s(0.1, 0.2) OPERATOR(vigil.=) pg_temp.s(0.2, 0.1), 'equal whatever the order');
SELECT ok(pg_temp.s(0.1, 0.2) OPERATOR(vigil.<>) pg_temp.s(0.3), 'a tenth and two tenths are not the double 0.3');
SELECT is(pg_temp.s(1e300) OPERATOR(vigil.+) pg_temp.s(0.1) OPERATOR(vigil.-) pg_temp.s(1e300) OPERATOR(vigil.=) pg_temp.s(0.1), true, 'adding and taking away leads back');
SELECT is((pg_temp.s(1, 2) OPERATOR(vigil.-) pg_temp.s(3))::text, '\x1000', 'the difference of equal sums is zero');
SELECT is((pg_temp.s(1) OPERATOR(vigil.+) NULL)::text, NULL, 'null in, null out');
SELECT is((SELECT h::float8 FROM (SELECT pg_temp.s(1, 2) OPERATOR(vigil.+) pg_temp.s(4) AS h) t), 7::float8, 'the sum of sums is cast');
CREATE TEMP TABLE assigned (v float8);
INSERT INTO assigned SELECT pg_temp.s(0.5, 0.25);
SELECT is((SELECT v FROM assigned), 0.75::float8, 'and assigned');

-- Merging ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE parts AS SELECT n % 17 AS part, vigil.exact_sum_agg(x) AS h FROM many GROUP BY 1;
SELECT is((SELECT vigil.merge_agg(h ORDER BY part)::text FROM parts), (SELECT vigil.exact_sum_agg(x)::text FROM many), 'merged parts have the bytes of the whole');
SELECT is((SELECT vigil.merge_agg(h ORDER BY part DESC)::text FROM parts), (SELECT vigil.merge_agg(h ORDER BY md5(part::text))::text FROM parts), 'in any order');
SELECT is((SELECT vigil.merge_agg(h)::text FROM (SELECT h FROM parts UNION ALL SELECT NULL) t), (SELECT vigil.merge_agg(h)::text FROM parts), 'merging null changes nothing');
SELECT is((SELECT vigil.merge_agg(NULL::vigil.exact_sum)::text), NULL, 'merging only null gives null');

-- Two aggregates that share a state, and frames ---------------------------------------------------------

SELECT is((SELECT vigil.sum(vigil.exact_sum_agg(x)) = vigil.sum(vigil.exact_sum_agg(x)) AND vigil.exact_sum_agg(x)::text = vigil.exact_sum_agg(x)::text FROM few), true, 'aggregates may share a state');
SELECT results_eq(format('SELECT vigil.exact_sum_agg(x) OVER (ORDER BY n %s)::text FROM few ORDER BY n', frame),
  format('SELECT (SELECT vigil.exact_sum_agg(b.x)::text FROM few AS b WHERE b.n BETWEEN a.n + %s AND a.n + %s) FROM few AS a ORDER BY n', first, last), frame || ' equals sums of their own')
FROM (VALUES ('ROWS BETWEEN 2 PRECEDING AND CURRENT ROW', -2, 0), ('ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING', -1, 1), ('ROWS BETWEEN CURRENT ROW AND CURRENT ROW', 0, 0),
             ('ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING', 1, 2), ('ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW', -9, 0), ('ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING', 0, 9)) AS t (frame, first, last);
SELECT is((SELECT count(*) FROM (SELECT n, vigil.exact_sum_agg(x) OVER (ORDER BY n ROWS 9 PRECEDING) AS h FROM many) AS a
           WHERE h::text <> (SELECT vigil.exact_sum_agg(x)::text FROM many AS b WHERE b.n BETWEEN a.n - 9 AND a.n) AND n % 100 = 0), 0::bigint, 'values of 870 orders of magnitude leave the frame exactly');
SELECT is((SELECT count(*) FROM (SELECT part, vigil.merge_agg(h) OVER (ORDER BY part ROWS 3 PRECEDING) AS h FROM parts) AS a
           WHERE h::text <> (SELECT vigil.merge_agg(h)::text FROM parts AS b WHERE b.part BETWEEN a.part - 3 AND a.part)), 0::bigint, 'so do sums');
SELECT is((SELECT count(h) FROM (SELECT vigil.exact_sum_agg(NULL) OVER (ORDER BY n ROWS 2 PRECEDING) AS h FROM few) t), 0::bigint, 'a frame of nulls gives null');
CREATE TEMP TABLE running AS SELECT n, vigil.exact_sum_agg(1) OVER (ORDER BY n) AS grown, vigil.exact_sum_agg(1) OVER (ORDER BY n ROWS 1 PRECEDING) AS moved FROM few;
SELECT results_eq('SELECT vigil.sum(grown), vigil.sum(moved) FROM running ORDER BY n', 'SELECT n::float8, least(n, 2)::float8 FROM generate_series(1, 7) AS n', 'stored results of a frame do not change with it');

-- Parallel plans ----------------------------------------------------------------------------------------

CREATE TABLE vigil_parallel AS SELECT n, x FROM many;
ALTER TABLE vigil_parallel SET (parallel_workers = 2);
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT matches(pg_temp.plan_of('SELECT vigil.exact_sum_agg(x) FROM vigil_parallel'), 'Partial Aggregate', 'the planner splits the aggregate');
SELECT is((SELECT vigil.exact_sum_agg(x)::text FROM vigil_parallel), (SELECT vigil.exact_sum_agg(x)::text FROM many), 'a parallel plan gives the bytes of a serial one');

-- Bytes --------------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored (id integer, h vigil.exact_sum);
INSERT INTO stored SELECT 1, vigil.exact_sum_agg(x) FROM few;
INSERT INTO stored SELECT 2, vigil.exact_sum_agg(x) FROM many;
INSERT INTO stored VALUES (3, '\x1000'), (4, '\x10020004'), (5, NULL);
SELECT is(vigil.sum(h), 1::float8, 'golden bytes') FROM stored WHERE id = 4;
SELECT is(h::text::vigil.exact_sum::text, h::text, 'a round trip through text, row ' || id) FROM stored;
CREATE TEMP TABLE restored (LIKE stored);
SELECT pg_temp.copy_binary('stored', 'restored') \g /dev/null
SELECT results_eq('SELECT id, h::text FROM restored ORDER BY 1', 'SELECT id, h::text FROM stored ORDER BY 1', 'a round trip through binary COPY');
SELECT throws_ok(format('SELECT %L::vigil.exact_sum', bytes), state, NULL, 'hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x00', '22P03'), ('\xff', '22P03'), ('\x2000', '22P03'), ('\x100000', '22P03'), ('\x10020000', '22P03'), ('\x10ffffffffffffffffff01', '22P03'),
             ('\x10' || repeat('ff', 1000), '22P03'), ('\x1', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.exact_sum_send(h)) - 1) AS cut
           WHERE pg_temp.readable('exact_sum', substr(vigil.exact_sum_send(h), 1, cut))), 0::bigint, 'no beginning of a value is a value');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'vigil'::regnamespace AND proname LIKE 'exact_sum%' AND obj_description(oid) IS NULL), 0::bigint, 'every function says what it does');

SELECT * FROM finish();
ROLLBACK;
