-- What vigil.histogram tells: percentiles, ranks, means, apdex, comparison, buckets; and its operators.
BEGIN;
\ir include/setup.sql
SELECT plan(44);
SET search_path = vigil, public;

CREATE TEMP TABLE ten AS SELECT histogram_agg(x) AS h FROM unnest('{12,15,18,20,22,25,30,41,95,400}'::float8[]) AS x;
CREATE TEMP TABLE many AS SELECT n, exp(n * 7919 % 10007 / 1000.0) AS x FROM generate_series(1, 10000) AS n;
CREATE TEMP TABLE big AS SELECT histogram_agg(x) AS h FROM many;
CREATE TEMP TABLE nothing AS SELECT histogram_agg(1) - histogram_agg(1) AS h;

SELECT is((SELECT percentiles(h, '{0.99,0.5,NULL,0}') FROM ten), '{400,22,NULL,12}'::float8[], 'S0-50: percentiles in the order given');
SELECT is((SELECT percentiles(h, '{}') FROM ten), '{}'::float8[], 'S0-50: no fractions, no percentiles');
SELECT is((SELECT percentiles(h, (SELECT array_agg(i / 100.0 ORDER BY i) FROM generate_series(0, 100) AS i)) FROM big), (SELECT array_agg(percentile(h, i / 100.0) ORDER BY i) FROM big, generate_series(0, 100) AS i), 'S0-50: as one by one');
SELECT throws_ok(format('SELECT vigil.percentiles(h, %L) FROM ten', p), '22023', NULL, 'S0-50: refused fractions ' || p) FROM unnest('{"{2}","{0.5,-1}","{NaN}","{{0.1},{0.2}}"}'::text[]) AS p;
SELECT throws_ok('SELECT vigil.percentiles(h, array_fill(0.5::float8, ARRAY[1001])) FROM ten', '54000', NULL, 'S0-50: too many fractions');

SELECT is((SELECT array_agg(percentile_rank(h, v) ORDER BY v) FROM ten, unnest('{11,12,22,399,400,Infinity,-Infinity}'::float8[]) AS v), '{0,0,0.1,0.5,0.9,1,1}'::float8[], 'S0-50: shares at or below');
SELECT is((SELECT max(abs(percentile_rank(h, x) - (SELECT count(*) FROM many o WHERE o.x <= m.x) / 10000.0)) < 0.0012 FROM big, many m WHERE n % 100 = 0), true, 'S0-50: and within a bucket beyond 64 values');
SELECT throws_ok('SELECT vigil.percentile_rank(h, ''NaN'') FROM ten', '22023', NULL, 'S0-50: NaN has no rank');
SELECT is((SELECT trimmed_mean(h, 0.1, 0.9) FROM ten), 33.25::float8, 'S0-51: trimmed mean without the first and last tenth');
SELECT throws_ok(format('SELECT vigil.trimmed_mean(h, %s) FROM ten', p), '22023', NULL, 'S0-51: refused trimming ' || p) FROM unnest('{"0.5, 0.5","0.9, 0.1","-1, 1","0, 2"}'::text[]) AS p;
SELECT is((SELECT apdex(h, 20) FROM ten), (4 + 4 / 2.0)::float8 / 10, 'S0-51: apdex: 4 satisfied, 4 tolerating');
SELECT throws_ok(format('SELECT vigil.apdex(h, %L) FROM ten', p), '22023', NULL, 'S0-51: refused threshold ' || p) FROM unnest('{0,-1,NaN,Infinity}'::text[]) AS p;
SELECT is((SELECT max_relative_error(h) FROM ten), 0::float8, 'S0-61: no error while exact');
SELECT is((SELECT round(max_relative_error(h)::numeric, 6) FROM big), 0.005415, 'S0-61: the error of the default scale');
SELECT results_eq('SELECT percentile_rank(h, 1), mean(h), trimmed_mean(h, 0, 1), apdex(h, 1), ks_distance(h, h), percentiles(h, ''{0.5}''), min(h), sum(h) FROM nothing',
  'SELECT NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8[], NULL::float8, NULL::float8', 'S0-50: nothing tells nothing');

-- Two distributions --------------------------------------------------------------------------------------

SELECT is((SELECT ks_distance(a, b) FROM (SELECT histogram_agg(x) AS a, histogram_agg(x + 8) AS b FROM generate_series(0, 19) AS x) t), 0.4::float8, 'S0-51: distance of Kolmogorov and Smirnov');
SELECT is((SELECT round(p_value::numeric, 4) FROM (SELECT histogram_agg(x) AS a, histogram_agg(x + 8) AS b FROM generate_series(0, 19) AS x) t, ks_test(a, b)), 0.0591, 'S0-51: its p value');
SELECT is((SELECT p_value < 1e-9 FROM (SELECT histogram_agg(x) AS a, histogram_agg(x * 2) AS b FROM many) t, ks_test(a, b)), true, 'S0-51: a release half as fast is seen');
SELECT is((SELECT p_value > 0.9 FROM (SELECT histogram_agg(x) FILTER (WHERE n % 2 = 0) AS a, histogram_agg(x) FILTER (WHERE n % 2 = 1) AS b FROM many) t, ks_test(a, b)), true, 'S0-51: two halves of one are alike');
SELECT is_empty('SELECT * FROM ten, nothing AS n, vigil.ks_test(ten.h, n.h)', 'S0-51: no test without values');

-- Buckets and bars ---------------------------------------------------------------------------------------

SELECT results_eq('SELECT b.* FROM ten, vigil.buckets(h) AS b LIMIT 2', 'VALUES (12::float8, 12::float8, 1::bigint), (15, 15, 1)', 'S0-50: buckets are the values while exact');
SELECT results_eq('SELECT sum(b.count), count(*) FILTER (WHERE b.upper / b.lower BETWEEN 1.0108 AND 1.0110) = count(*) FROM big, vigil.buckets(h) AS b', 'VALUES (10000::numeric, true)', 'S0-50: then of equal ratios');
SELECT is((SELECT bool_and(b.count = (SELECT count(*) FROM many WHERE x > b.lower AND x <= b.upper)) FROM big, buckets(h) AS b), true, 'S0-50: each counts its values');
SELECT results_eq('SELECT s.* FROM (SELECT vigil.histogram_agg(x) AS h FROM unnest(''{5,5,7}''::float8[]) AS x) t, vigil.show(h) AS s',
  $$VALUES ('5', 2::bigint, 66.67::float8, repeat('#', 40)), ('7', 1, 33.33, repeat('#', 20))$$, 'S0-50: bars of values');
SELECT results_eq('SELECT count(*) BETWEEN 8 AND 12, sum(s.count), max(length(bar)) FROM big, vigil.show(h, 12) AS s', 'VALUES (true, 10000::numeric, 40)', 'S0-50: bars of buckets');
SELECT is_empty('SELECT s.* FROM nothing, vigil.show(h) AS s', 'S0-50: no bars of nothing');
SELECT throws_ok('SELECT vigil.show(h, 3) FROM ten', '22023', NULL, 'S0-50: too few rows to show');

-- Operators ----------------------------------------------------------------------------------------------

SELECT is((SELECT a + b FROM (SELECT histogram_agg(x) FILTER (WHERE n <= 40) AS a, histogram_agg(x) FILTER (WHERE n > 40) AS b FROM many) t)::text, (SELECT h FROM big)::text, 'S0-61: the union of parts is the whole');
SELECT is((SELECT (a + b - b)::text = a::text FROM (SELECT histogram_agg(n) AS a, histogram_agg(n / 2.0) AS b FROM generate_series(1, 30) AS n) t), true, 'S0-61: subtraction brings back exact values');
SELECT results_eq('SELECT count(d), sum(d)::numeric(20, 6), abs(percentile(d, 0.5) / 3000 - 1) < 0.0055 FROM (SELECT histogram_agg(n) - histogram_agg(n) FILTER (WHERE n > 6000) AS d FROM generate_series(1, 10000) AS n) t',
  'VALUES (6000::bigint, 18003000::numeric(20, 6), true)', 'S0-61: what is left of buckets');
SELECT throws_ok('SELECT vigil.subtract(ten.h, big.h) FROM ten, big', '22023', NULL, 'S0-61: only what is contained can be subtracted');
SELECT throws_ok('SELECT big.h - ten.h + ten.h - big.h - ten.h FROM ten, big', '22023', NULL, 'S0-61: nor twice');
SELECT results_eq('SELECT a.h = b.h, a.h <> b.h, a.h = a.h, a.h <> a.h, a.h = NULL FROM ten a, big b', 'VALUES (false, true, true, false, NULL::boolean)', 'S0-61: equal and different');
SELECT is((SELECT count(*) FROM (SELECT DISTINCT h FROM (SELECT histogram_agg(n % 3) AS h FROM generate_series(1, 30) AS n GROUP BY n % 3) t) u), 3::bigint, 'S0-61: DISTINCT knows them apart');
SELECT is((SELECT count(*) FROM (SELECT h FROM (SELECT h FROM ten UNION ALL SELECT h FROM ten) t GROUP BY h) u), 1::bigint, 'S0-61: and together');

SELECT * FROM finish();
ROLLBACK;
