-- vigil.histogram from and to OTLP data points and the histograms of Prometheus.
BEGIN;
\ir include/setup.sql
SELECT plan(75);
SET search_path = vigil, public;

-- What @opentelemetry/exporter-metrics-otlp-http 0.223.1 sent for the values 0, 0.75, 1.5 ... 150, and for 1, 10, 100, 1000, 10000.
CREATE TEMP TABLE sent AS SELECT 1 AS id, $${"count":201,"min":0,"max":150,"sum":15075,"positive":{"offset":-7,"bucketCounts":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,1,0,0,0,0,1,0,0,0,1,0,0,0,1,0,0,1,0,0,1,0,1,0,1,0,1,0,1,0,1,1,0,1,1,0,1,1,1,1,1,1,1,1,1,1,1,2,1,1,2,1,2,2,1,2,2,2,2,2,2,3,2,3,3,2,3,3,3,4,3,4,4,4,4,4,4,5,5,5,6,5,6,6,6,7,7,7,8,8,8,6]},"negative":{"offset":0,"bucketCounts":[]},"scale":4,"zeroCount":1,"startTimeUnixNano":"1795202890132000000","timeUnixNano":"1795202890133000000"}$$::jsonb AS point
UNION ALL SELECT 2, $${"count":5,"min":1,"max":10000,"sum":11111,"positive":{"offset":-1,"bucketCounts":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]},"negative":{"offset":0,"bucketCounts":[]},"scale":3,"zeroCount":0,"startTimeUnixNano":"1795202890133000000","timeUnixNano":"1795202890145000000"}$$;
CREATE TEMP TABLE got AS SELECT id, histogram_from_otlp(point) AS h, point FROM sent;
SELECT results_eq('SELECT vigil.count(h), vigil.sum(h), vigil.min(h), vigil.max(h) FROM got WHERE id = 1', 'VALUES (201::bigint, 15075::float8, 0::float8, 150::float8)', 'S0-61: OTLP count, sum, minimum and maximum');
SELECT is((SELECT bool_and(abs(percentile(h, p) - value) <= value * max_relative_error(h)) FROM got,
    (SELECT p, percentile_disc(p) WITHIN GROUP (ORDER BY x) AS value FROM (SELECT n * 0.75::float8 AS x FROM generate_series(0, 200) AS n) v, unnest('{0,0.05,0.25,0.5,0.75,0.95,0.99,1}'::float8[]) AS p GROUP BY p) t WHERE id = 1), true,
  'S0-61: the percentiles of the values that were recorded');
SELECT is((SELECT bool_and(abs(percentile(h, p) / value - 1) < 0.0217) FROM got, (VALUES (0.5, 75), (0.95, 142.5)) AS t (p, value) WHERE id = 1), true, 'S0-61: median 75 and 95th 142.5');
SELECT is((SELECT bool_and(abs(percentile(h, i / 5.0) / 10 ^ (i - 1) - 1) < max_relative_error(h)) FROM got, generate_series(1, 5) AS i WHERE id = 2), true, 'S0-61: powers of ten');
SELECT is((SELECT bool_and(h = point::vigil.histogram) FROM got), true, 'S0-61: the cast is the function');
SELECT is((SELECT count(*) FROM got WHERE h::jsonb::vigil.histogram <> h), 0::bigint, 'S0-61: to OTLP and back is the same histogram');
SELECT is((SELECT (to_otlp(h) -> 'positive' -> 'bucketCounts')::text FROM got WHERE id = 1), (SELECT regexp_replace((point -> 'positive' -> 'bucketCounts')::text, '(\d+)', '"\1"', 'g') FROM sent WHERE id = 1), 'S0-61: the buckets that came');
SELECT is((SELECT to_otlp(h) - 'positive' FROM got WHERE id = 1), '{"count": "201", "sum": 15075, "min": 0, "max": 150, "scale": 4, "zeroCount": "1", "zeroThreshold": 0, "negative": {"offset": 0, "bucketCounts": []}}'::jsonb, 'S0-61: and all else');
SELECT is((SELECT count(merge_agg(h)) FROM got), 206::bigint, 'S0-61: they merge');
CREATE TEMP TABLE many AS SELECT histogram_agg(x) AS h FROM (SELECT CASE WHEN n % 9 = 0 THEN -1 WHEN n % 10 = 0 THEN 0 ELSE 1 END * round(exp(n * 7919 % 1009 / 90.0)) AS x FROM generate_series(1, 3000) AS n) t;
SELECT is((SELECT histogram_from_otlp(to_otlp(h)) = h FROM many), true, 'S0-61: negative values and zeros, too');
SELECT is((SELECT count(histogram_from_otlp(to_otlp(histogram_agg(x)))) FROM generate_series(1, 10) AS x), 10::bigint, 'S0-61: exact values become buckets');
SELECT is((SELECT to_otlp(histogram_agg(1) - histogram_agg(1)) ->> 'count'), '0', 'S0-61: an empty histogram');
SELECT is((SELECT '{}'::jsonb::vigil.histogram::jsonb ->> 'count'), '0', 'S0-61: an empty point');

-- Forms and scales
SELECT results_eq(format('SELECT vigil.count(h), vigil.min(h), vigil.max(h) FROM (SELECT vigil.histogram_from_otlp(%L) AS h) t', p), format('VALUES (%s)', v), 'S0-61: ' || p)
FROM (VALUES
  ('{"scale":0,"count":"4","positive":{"offset":1,"bucketCounts":["4"]}}', '4::bigint, 2.0000000000000004::float8, 4::float8'),
  ('{"scale":20,"positive":{"offset":1048575,"bucketCounts":[3]},"sum":6}', '3::bigint, 1.9945921121709405::float8, 2::float8'),
  ('{"scale":-10,"positive":{"offset":0,"bucketCounts":[1]},"min":7,"max":7}', '1::bigint, 7::float8, 7::float8'),
  ('{"scale":0,"zeroCount":"2","zeroThreshold":0.001,"min":0.0005,"max":0.001}', '2::bigint, 0::float8, 0::float8'),
  ('{"scale":0,"zero_count":1,"negative":{"offset":0,"bucket_counts":[5]},"min":-1.5}', '6::bigint, -1.5::float8, 0::float8')) AS t (p, v);
SELECT throws_ok(format('SELECT vigil.histogram_from_otlp(%L)', p), state, NULL, 'S0-05: refused with ' || state || ': ' || left(p, 60))
FROM (VALUES ('[]', '22023'), ('7', '22023'), ('"x"', '22023'), ('{"scale":21}', '22023'), ('{"scale":-11}', '22023'), ('{"scale":"x"}', '22023'), ('{"scale":99999999999}', '22023'),
  ('{"count":5}', '22023'), ('{"zeroCount":-1}', '22023'), ('{"zeroCount":1.5}', '22023'), ('{"zeroCount":"18446744073709551616"}', '22023'), ('{"positive":[]}', '22023'),
  ('{"positive":{"bucketCounts":7}}', '22023'), ('{"positive":{"bucketCounts":[null]}}', '22023'), ('{"positive":{"offset":1024,"bucketCounts":[1]}}', '22023'),
  ('{"positive":{"offset":-1076,"bucketCounts":[1]}}', '22023'), ('{"zeroCount":1,"min":1}', '22023'), ('{"positive":{"bucketCounts":[1]},"min":9}', '22023'),
  ('{"positive":{"bucketCounts":[1]},"max":-2}', '22023'), ('{"positive":{"bucketCounts":[1]},"sum":3}', '22023'), ('{"positive":{"bucketCounts":[1]},"sum":"NaN"}', '22023'),
  ('{"zeroThreshold":-1}', '22023'), ('{"zeroCount":"18446744073709551615","positive":{"bucketCounts":[1]}}', '22003')) AS t (p, state);

-- Prometheus, classic -------------------------------------------------------------------------------------

CREATE TEMP TABLE classic AS SELECT histogram_from_prometheus('{"buckets": {"0.1": 10, "0.5": "60", "1": 90, "+Inf": 100}, "sum": 45.5, "count": 100}') AS h;
SELECT results_eq('SELECT vigil.count(h), vigil.sum(h), vigil.max(h) FROM classic', 'VALUES (100::bigint, 45.5::float8, 1::float8)', 'S0-61: classic buckets: count, sum, and the last bound for what is above');
SELECT is((SELECT array_agg(round(percentile(h, p)::numeric, 1) ORDER BY p) FROM classic, unnest('{0.05,0.35,0.75,0.99}'::float8[]) AS p), '{0.0,0.3,0.7,1.0}', 'S0-61: percentiles as histogram_quantile interpolates them');
SELECT is((SELECT to_prometheus(h, '{0.1,0.5,1}') FROM classic), '{"buckets": {"0.1": "10", "0.5": "60", "1": "100", "+Inf": "100"}, "sum": 45.5, "count": "100"}'::jsonb, 'S0-61: and back');
SELECT is(histogram_from_prometheus('{"0.1": 10, "0.5": 60, "1": 90, "+Inf": 100}')::text, histogram_from_prometheus('{0.1,0.5,1,Infinity}', '{10,60,90,100}')::text, 'S0-61: as object or as arrays');
SELECT is((SELECT array_agg(b.*)::text FROM buckets(histogram_from_prometheus('{-1,0,2}', '{1,2,3}')) AS b), '{"(-1,-1,1)","(-0.5,-0.5,1)","(1,1,1)"}', 'S0-61: negative bounds');
SELECT is(histogram_from_prometheus(NULL, '{1}'::bigint[])::text, NULL, 'S0-61: null bounds give null');
SELECT is(count(histogram_from_prometheus('{}')), 0::bigint, 'S0-61: no buckets are an empty histogram');
SELECT throws_ok(format('SELECT vigil.histogram_from_prometheus(%L::jsonb)', p), '22023', NULL, 'S0-05: refused ' || p)
FROM (VALUES ('[]'), ('{"x": 1}'), ('{"1": 2, "2": 1}'), ('{"NaN": 1}'), ('{"+Inf": 1}'), ('{"1": -1}'), ('{"1": 1, "1.0": 2}')) AS t (p);
SELECT throws_ok(format('SELECT vigil.histogram_from_prometheus(%s)', a), '22023', NULL, 'S0-05: refused ' || a)
FROM (VALUES ($$'{1,2}'::float8[], '{1}'::bigint[]$$), ($$'{2,1}'::float8[], '{1,1}'::bigint[]$$), ($$'{1}'::float8[], '{NULL}'::bigint[]$$), ($$'{1}'::float8[], '{1}'::bigint[], 'NaN'$$)) AS t (a);
SELECT throws_ok('SELECT vigil.to_prometheus(h, ''{2,1}'') FROM classic', '22023', NULL, 'S0-05: bounds must ascend');

-- Prometheus, native --------------------------------------------------------------------------------------

-- Values 1, 1.5, 2, 3, 3, 16, 0 and -1 at schema 0: buckets (0.5, 1], (1, 2], (2, 4], (8, 16].
CREATE TEMP TABLE native AS SELECT histogram_from_prometheus('{"schema": 0, "count": "8", "sum": 25.5, "zeroThreshold": 2.938735877055719e-39, "zeroCount": "1",
  "positiveSpans": [{"offset": 0, "length": 3}, {"offset": 1, "length": 1}], "positiveDeltas": ["1", "1", "0", "-1"], "negativeSpans": [{"offset": 0, "length": 1}], "negativeDeltas": [1]}') AS h;
SELECT results_eq('SELECT b.* FROM native, vigil.buckets(h) AS b', 'VALUES (-1::float8, -0.5::float8, 1::bigint), (0, 0, 1), (0.5, 1, 1), (1, 2, 2), (2, 4, 2), (8, 16, 1)', 'S0-61: native buckets');
SELECT results_eq('SELECT vigil.count(h), vigil.sum(h), vigil.max(h) FROM native', 'VALUES (8::bigint, 25.5::float8, 16::float8)', 'S0-61: native count and sum');
SELECT is((SELECT to_prometheus_native(h) FROM native), '{"count": "8", "sum": 25.5, "schema": 0, "zeroThreshold": 0, "zeroCount": "1", "negativeSpans": [{"offset": 0, "length": 1}], "negativeDeltas": ["1"],
  "positiveSpans": [{"offset": 0, "length": 5}], "positiveDeltas": ["1", "1", "0", "-2", "1"]}'::jsonb, 'S0-61: and back, short gaps as empty buckets');
SELECT is((SELECT array_agg(b.*)::text FROM many, buckets(histogram_from_prometheus(to_prometheus_native(h))) AS b), (SELECT array_agg(b.*)::text FROM many, buckets(h) AS b), 'S0-61: a round trip of all buckets');
SELECT throws_ok(format('SELECT vigil.histogram_from_prometheus(%L::jsonb)', p), state, NULL, 'S0-05: refused with ' || state || ': ' || p)
FROM (VALUES ('{"schema":-53}', '0A000'), ('{"schema":9}', '22023'), ('{"schema":-5}', '22023'), ('{"schema":0,"positiveCount":[1.5]}', '0A000'),
  ('{"schema":0,"positiveSpans":[{"offset":0,"length":2}],"positiveDeltas":[1]}', '22023'), ('{"schema":0,"positiveSpans":[],"positiveDeltas":[1]}', '22023'),
  ('{"schema":0,"positiveSpans":[{"offset":0,"length":1}],"positiveDeltas":[-1]}', '22023'), ('{"schema":0,"positiveSpans":[{"offset":0,"length":1},{"offset":-1,"length":1}],"positiveDeltas":[1,1]}', '22023'),
  ('{"schema":0,"positiveSpans":[{"offset":5000,"length":1}],"positiveDeltas":[1]}', '22023'), ('{"schema":0,"positiveSpans":[7]}', '22023')) AS t (p, state);
SELECT throws_ok('SELECT vigil.to_prometheus_native(vigil.histogram_agg(n, 0.9999999999)) FROM generate_series(1, 100) AS n', '0A000', NULL, 'S0-61: there is no schema -5');

SELECT * FROM finish();
ROLLBACK;
