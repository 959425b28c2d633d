-- vigil.histogram: percentiles and sums, merging, parallel plans, windows, hostile bytes, round trips.
BEGIN;
\ir include/setup.sql
SELECT plan(55);

CREATE TEMP TABLE ten AS SELECT unnest('{12,15,18,20,22,25,30,41,95,400}'::float8[]) AS x;
CREATE TEMP TABLE many AS SELECT n, exp(ln(10) * (n * 7919 % 10007) / 2000.0) * CASE WHEN n % 10 = 0 THEN -1 ELSE 1 END AS x
FROM generate_series(1, 10000) AS n;

SELECT is((SELECT vigil.percentile(vigil.histogram_agg(x), p) FROM ten), (SELECT percentile_disc(p) WITHIN GROUP (ORDER BY x) FROM ten),
  format('S0-50, C-19: fraction %s equals percentile_disc', p))
FROM unnest('{0,0.01,0.1,0.5,0.51,0.9,0.95,0.99,1}'::float8[]) AS p;
SELECT results_eq('SELECT vigil.percentile(h, 0.5), vigil.percentile(h, 0.95), vigil.percentile(h, 0.99) FROM (SELECT vigil.histogram_agg(x) AS h FROM ten) t',
  'VALUES (22::float8, 400::float8, 400::float8)', 'S0-50: 22, 400 and 400');
SELECT results_eq('SELECT vigil.mean(h), vigil.max(h), vigil.min(h), vigil.sum(h), vigil.count(h) FROM (SELECT vigil.histogram_agg(x) AS h FROM ten) t',
  'VALUES (67.8::float8, 400::float8, 12::float8, 678::float8, 10::bigint)', 'S0-51: mean 67.80 and maximum 400');
SELECT is((SELECT round(vigil.stddev(vigil.histogram_agg(x))::numeric, 9) FROM ten), (SELECT round(stddev_samp(x)::numeric, 9) FROM ten),
  'S0-14: standard deviation of a sample');
SELECT results_eq('SELECT vigil.mean(h), vigil.percentile(h, 0.5), vigil.percentile(h, 0.95), vigil.percentile(h, 0.99), vigil.count(h) FROM
    (SELECT vigil.histogram_agg(x) AS h FROM generate_series(1, 64) AS x) t',
  'VALUES (32.5::float8, 32::float8, 61::float8, 64::float8, 64::bigint)', 'S0-50: exact up to 64 different values');
SELECT is((SELECT max(abs(vigil.percentile(h, p) / (SELECT percentile_disc(p) WITHIN GROUP (ORDER BY x) FROM many) - 1)) <= 0.0055
           FROM (SELECT vigil.histogram_agg(x) AS h FROM many) t, generate_series(0.01, 1, 0.01) AS p), true,
  'S0-61: within 0.55 % of percentile_disc beyond that');
SELECT is((SELECT vigil.sum(vigil.histogram_agg(x)) FROM unnest('{1e300,1,-1e300}'::float8[]) AS x), 1::float8, 'S0-51: sums are exact');
SELECT is((SELECT vigil.percentile(vigil.histogram_agg(x), 0.5) FROM unnest('{-5,0,5}'::float8[]) AS x), 0::float8, 'S0-50: negative values and zero');

-- Nothing, one, null, and what is no number -----------------------------------------------------------

SELECT is((SELECT vigil.histogram_agg(x)::text FROM ten WHERE false), NULL, 'S0-50: no rows give null');
SELECT is((SELECT vigil.histogram_agg(NULL)::text FROM ten), NULL, 'S0-50: only nulls give null');
SELECT is((SELECT vigil.percentile(NULL::vigil.histogram, 0.5)), NULL, 'S0-50: the percentile of null is null');
SELECT is((SELECT vigil.percentile(vigil.histogram_agg(x), NULL) FROM ten), NULL, 'S0-50: a null fraction gives null');
SELECT is((SELECT vigil.count(vigil.histogram_agg(x)) FROM (SELECT x FROM ten UNION ALL SELECT NULL) t), 10::bigint, 'S0-50: nulls do not count');
SELECT results_eq('SELECT vigil.percentile(h, 0), vigil.percentile(h, 1), vigil.mean(h), vigil.stddev(h), vigil.count(h) FROM (SELECT vigil.histogram_agg(7.5) AS h) t',
  'VALUES (7.5::float8, 7.5::float8, 7.5::float8, NULL::float8, 1::bigint)', 'S0-50: one row is all its percentiles');
SELECT throws_ok(format('SELECT vigil.histogram_agg(%L::float8)', x), '22003', NULL, 'S0-50: ' || x || ' is refused with 22003')
FROM unnest('{NaN,Infinity,-Infinity}'::text[]) AS x;
SELECT throws_ok(format('SELECT vigil.percentile(vigil.histogram_agg(x), %L) FROM ten', p), '22023', NULL, 'S0-50: fraction ' || p || ' is refused with 22023')
FROM unnest('{-0.1,1.1,NaN,Infinity}'::text[]) AS p;
SELECT lives_ok($$SELECT vigil.histogram_agg(x) FROM unnest('{1.7976931348623157e308,-1.7976931348623157e308,5e-324,-5e-324,0,-0}'::float8[]) AS x$$,
  'S0-50: the largest and the smallest doubles are values');
SELECT throws_ok('SELECT vigil.histogram_add(NULL, 1)', '22023', NULL, 'S0-50: the step function refuses to be called by hand');

-- Merging ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE parts AS SELECT n % 17 AS part, vigil.histogram_agg(x) AS h FROM many GROUP BY 1;
SELECT is((SELECT vigil.merge_agg(h ORDER BY part)::text FROM parts), (SELECT vigil.histogram_agg(x)::text FROM many), 'S0-61: merged parts have the bytes of the whole');
SELECT is((SELECT vigil.merge_agg(h ORDER BY part DESC)::text FROM parts), (SELECT vigil.merge_agg(h ORDER BY md5(part::text))::text FROM parts), 'S0-61: in any order');
SELECT is((SELECT vigil.histogram_agg(x ORDER BY x)::text FROM many), (SELECT vigil.histogram_agg(x ORDER BY md5(n::text))::text FROM many), 'S0-61: rows in any order give equal bytes');
SELECT is((SELECT vigil.merge_agg(h)::text FROM (SELECT h FROM parts UNION ALL SELECT NULL) t), (SELECT vigil.merge_agg(h)::text FROM parts), 'S0-61: merging null changes nothing');
SELECT is((SELECT vigil.merge_agg(NULL::vigil.histogram)::text), NULL, 'S0-61: merging only null gives null');

-- Two aggregates that share a state, and windows --------------------------------------------------------

SELECT results_eq('SELECT vigil.count(vigil.histogram_agg(x)), vigil.max(vigil.histogram_agg(x)), vigil.histogram_agg(x)::text = vigil.histogram_agg(x)::text FROM ten',
  'VALUES (10::bigint, 400::float8, true)', 'S0-51: aggregates may share a state');
SELECT results_eq('SELECT vigil.sum(vigil.histogram_agg(x) OVER (ORDER BY x)) FROM ten ORDER BY x', 'SELECT sum(x) OVER (ORDER BY x) FROM ten ORDER BY x',
  'S0-51: a growing window frame');
SELECT results_eq('SELECT vigil.sum(vigil.histogram_agg(x) OVER (ORDER BY x ROWS 2 PRECEDING)) FROM ten ORDER BY x',
  'SELECT sum(x) OVER (ORDER BY x ROWS 2 PRECEDING) FROM ten ORDER BY x', 'S0-51: a sliding window frame');
CREATE TEMP TABLE running AS SELECT x, vigil.histogram_agg(x) OVER (ORDER BY x) AS h FROM ten;
SELECT results_eq('SELECT vigil.count(h) FROM running ORDER BY x', 'SELECT generate_series(1, 10)::bigint', 'S0-51: stored results of a frame do not change with it');

-- Parallel plans ----------------------------------------------------------------------------------------

CREATE TABLE vigil_parallel AS SELECT n, x FROM many;
ALTER TABLE vigil_parallel SET (parallel_workers = 2);
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT matches(pg_temp.plan_of('SELECT vigil.histogram_agg(x) FROM vigil_parallel'), 'Partial Aggregate', 'S0-61: the planner splits the aggregate');
SELECT is((SELECT vigil.histogram_agg(x)::text FROM vigil_parallel), (SELECT vigil.histogram_agg(x)::text FROM many), 'S0-61: a parallel plan gives the bytes of a serial one');

-- Bytes --------------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored (id integer, h vigil.histogram);
INSERT INTO stored SELECT 1, vigil.histogram_agg(x) FROM ten;
INSERT INTO stored SELECT 2, vigil.histogram_agg(x) FROM many;
SELECT is(h::text::vigil.histogram::text, h::text, 'S0-05: a round trip through text, row ' || id) FROM stored;
CREATE TEMP TABLE restored (LIKE stored);
SELECT pg_temp.copy_binary('stored', 'restored') \g /dev/null
SELECT results_eq('SELECT id, h::text FROM restored ORDER BY 1', 'SELECT id, h::text FROM stored ORDER BY 1', 'S0-05: a round trip through binary COPY');
SELECT throws_ok(format('SELECT %L::vigil.histogram', bytes), state, NULL, 'S0-05: hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x00', '22P03'), ('\xff', '22P03'), ('\x01ffffffffffffffffffff', '22P03'), ('\x' || repeat('ff', 1000), '22P03'),
             ('\x1', '22023'), ('\xzz', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.histogram_send(h)) - 1) AS cut
           WHERE id = 1 AND pg_temp.readable('histogram', substr(vigil.histogram_send(h), 1, cut))), 0::bigint, 'S0-05: no beginning of a value is a value');

SELECT * FROM finish();
ROLLBACK;
