-- vigil.approx_percentile and vigil.histogram_agg with a chosen error.
BEGIN;
\ir include/setup.sql
SELECT plan(50);

CREATE TEMP TABLE ten AS SELECT unnest('{12,15,18,20,22,25,30,41,95,400}'::float8[]) AS x;
CREATE TABLE vigil_many AS SELECT n, exp(ln(10) * (n * 7919 % 10007) / 2000.0) * CASE WHEN n % 10 = 0 THEN -1 ELSE 1 END AS x
FROM generate_series(1, 10000) AS n;

-- One fraction and several ------------------------------------------------------------------------------

SELECT is((SELECT vigil.approx_percentile(x, 0.5) FROM ten), 22::float8, 'S0-50: one fraction, exact while there are few values');
SELECT is((SELECT vigil.approx_percentile(x, '{0.99,0.5,0.95,0,1}'::float8[]) FROM ten), '{400,22,400,12,400}'::float8[], 'S0-50: several, in the order given');
SELECT is((SELECT vigil.approx_percentile(x, '{0.5,NULL}'::float8[]) FROM ten), '{22,NULL}'::float8[], 'S0-50: a null among the fractions gives null');
SELECT is((SELECT vigil.approx_percentile(x, '{}'::float8[]) FROM ten), '{}'::float8[], 'S0-50: no fractions give no percentiles');
SELECT is((SELECT vigil.approx_percentile(x, NULL::float8) FROM ten), NULL, 'S0-50: a null fraction gives null');
SELECT is((SELECT vigil.approx_percentile(x, NULL::float8[]) FROM ten), NULL, 'S0-50: null fractions give null');
SELECT is((SELECT vigil.approx_percentile(x, 0.5) FROM ten WHERE false), NULL, 'S0-50: no rows give null');
SELECT is((SELECT vigil.approx_percentile(x, '{0.5}'::float8[]) FROM ten WHERE false), NULL, 'S0-50: no rows give a null array');
SELECT is((SELECT vigil.approx_percentile(NULL, 0.5) FROM ten), NULL, 'S0-50: only nulls give null');
SELECT is((SELECT vigil.approx_percentile(x, 0.5) FROM (SELECT x FROM ten UNION ALL SELECT NULL) t), 22::float8, 'S0-50: nulls do not count');
SELECT results_eq('SELECT vigil.approx_percentile(x, 0.95) FROM vigil_many', 'SELECT vigil.percentile(vigil.histogram_agg(x), 0.95) FROM vigil_many',
  'S0-50: the same as by way of a histogram');
SELECT is((SELECT vigil.approx_percentile(x, (SELECT array_agg(p / 1000.0 ORDER BY p DESC) FROM generate_series(0, 999) AS p)) FROM vigil_many),
  (SELECT array_agg(vigil.percentile(h, p / 1000.0) ORDER BY p DESC) FROM (SELECT vigil.histogram_agg(x) AS h FROM vigil_many) t, generate_series(0, 999) AS p),
  'S0-50: a thousand fractions, descending');
SELECT is((SELECT vigil.approx_percentile(x, fractions) FROM vigil_many, (SELECT array_agg(p / 1000.0) AS fractions FROM generate_series(0, 999) AS p OFFSET 0) t),
  (SELECT vigil.approx_percentile(x, (SELECT array_agg(p / 1000.0) FROM generate_series(0, 999) AS p)) FROM vigil_many),
  'S0-50: fractions of a column, too large to stay in the row');
SELECT throws_ok(format('SELECT vigil.approx_percentile(x, %s) FROM ten', p), state, NULL, 'S0-50: refused with ' || state || ': ' || left(p, 30))
FROM (VALUES ('-0.1', '22023'), ('1.1', '22023'), ('''NaN''::float8', '22023'), ('ARRAY[0.5, 2]', '22023'), ('''{NaN}''::float8[]', '22023'),
             ('ARRAY[ARRAY[0.5, 0.9]]', '22023'), ('x / 1000', '22023'), ('ARRAY[0.5, x / 1000]', '22023'), ('array_fill(0.5::float8, ARRAY[1001])', '54000')) AS t (p, state);
SELECT throws_ok('SELECT vigil.approx_percentile(''Infinity'', 0.5)', '22003', NULL, 'S0-50: infinity is refused with 22003');
SELECT throws_ok('SELECT vigil.percentile_add(NULL, 1, 0.5)', '22023', NULL, 'S0-50: the step function refuses to be called by hand');
SELECT throws_ok('SELECT vigil.percentile_result(''\x100010'')', '22023', NULL, 'S0-50: a state with no fraction has no result');
SELECT results_eq('SELECT vigil.approx_percentile(x, 0.5), vigil.approx_percentile(x, 0.5) + 1, vigil.approx_percentile(x, 0.9) FROM ten',
  'VALUES (22::float8, 23::float8, 95::float8)', 'S0-50: aggregates may share a state');
SELECT results_eq('SELECT vigil.approx_percentile(x, 0.5) OVER (ORDER BY x) FROM ten',
  'SELECT vigil.percentile(vigil.histogram_agg(x) OVER (ORDER BY x), 0.5) FROM ten', 'S0-50: a growing window frame');

-- A chosen error -----------------------------------------------------------------------------------------

SELECT is((SELECT max(abs(vigil.percentile(h, p) / (SELECT percentile_disc(p) WITHIN GROUP (ORDER BY x) FROM vigil_many) - 1)) <= error
           FROM (SELECT vigil.histogram_agg(x, error) AS h FROM vigil_many) t, generate_series(0.05, 1, 0.05) AS p), true,
  'S0-61: within ' || error || ' of percentile_disc')
FROM unnest('{0.9,0.2,0.05,0.01,0.00136}'::float8[]) AS error;
SELECT is((SELECT vigil.histogram_agg(x, 0.01)::text FROM vigil_many), (SELECT vigil.histogram_agg(x)::text FROM vigil_many), 'S0-61: 1 % is the default');
SELECT throws_ok(format('SELECT vigil.histogram_agg(x, %L::float8) FROM ten', e), CASE WHEN e IS NULL THEN '22004' ELSE '22023' END, NULL, 'S0-61: refused error ' || coalesce(e, 'null'))
FROM unnest('{0,1,-0.1,0.001,NaN,Infinity,NULL}'::text[]) AS e;
SELECT throws_ok('SELECT vigil.histogram_agg(x, 0.01 + x / 1000) FROM ten', '22023', NULL, 'S0-61: the error must be the same in all rows');

-- Parallel plans -----------------------------------------------------------------------------------------

ALTER TABLE vigil_many SET (parallel_workers = 2);
CREATE TEMP TABLE serial AS SELECT vigil.approx_percentile(x, ARRAY[0.1,0.5,0.99]) AS p, vigil.approx_percentile(x, 0.7) AS q, vigil.histogram_agg(x, 0.1)::text AS h FROM vigil_many;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT matches(pg_temp.plan_of('SELECT vigil.approx_percentile(x, ARRAY[0.1,0.5,0.99]) FROM vigil_many'), 'Partial Aggregate', 'S0-61: the planner splits the aggregate');
SELECT results_eq('SELECT vigil.approx_percentile(x, ARRAY[0.1,0.5,0.99]), vigil.approx_percentile(x, 0.7), vigil.histogram_agg(x, 0.1)::text FROM vigil_many',
  'SELECT * FROM serial', 'S0-61: a parallel plan gives what a serial one does');
SELECT throws_ok('SELECT vigil.approx_percentile(x, n / 10000.0) FROM vigil_many', '22023', NULL, 'S0-61: workers refuse changing fractions too');

-- Bytes of the state --------------------------------------------------------------------------------------

SELECT throws_ok(format('SELECT %L::vigil.percentile_state', bytes), '22P03', NULL, 'S0-05: hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES (''), ('\x10'), ('\x1001'), ('\x10010000000000000440' || '10'), ('\xff')) AS t (bytes);
SELECT is('\x1001000000000000e03f1101024028'::vigil.percentile_state::text, '\x1001000000000000e03f1101024028', 'S0-05: a round trip through text');

SELECT * FROM finish();
ROLLBACK;
