-- Percentiles and distinct counts.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vigil;
RESET client_min_messages;
SELECT vigil.percentile(h, 0.5) AS p50, vigil.percentile(h, 0.95) AS p95, vigil.percentile(h, 0.99) AS p99,
       vigil.count(h), vigil.sum(h), vigil.mean(h), vigil.min(h), vigil.max(h)
FROM (SELECT vigil.histogram_agg(v) AS h FROM unnest(ARRAY[12,15,18,20,22,25,30,41,95,400]::float8[]) AS v) s;
SELECT vigil.histogram_agg(v) IS NULL AS nothing FROM unnest(ARRAY[]::float8[]) AS v;
SELECT vigil.percentile(vigil.histogram_agg(v), 0.5) AS single FROM unnest(ARRAY[NULL, 7, NULL]::float8[]) AS v;
SELECT p, abs(vigil.percentile(h, p) / (p * 100000) - 1) < 0.006 AS within_bound
FROM (SELECT vigil.histogram_agg(i) AS h FROM generate_series(1, 100000) AS i) s, unnest(ARRAY[0.01, 0.5, 0.95, 0.999]) AS p;
-- Any order and any partition of the data gives equal bytes.
SELECT (SELECT vigil.histogram_agg(i)::text FROM generate_series(1, 5000) AS i)
     = (SELECT vigil.merge_agg(h)::text FROM (SELECT vigil.histogram_agg(i) AS h FROM generate_series(5000, 1, -1) AS i
                                              GROUP BY i % 7) s) AS equal_bytes;
SELECT vigil.cardinality(vigil.distinct_agg(v)) FROM unnest(ARRAY['a', 'b', 'a', NULL, 'c']) AS v;
SELECT abs(vigil.cardinality(vigil.distinct_agg(i::text)) / 50000.0 - 1) < 0.05 AS within_bound
FROM generate_series(1, 50000) AS i;
SELECT vigil.fingerprint('api', 'NetworkError', NULL, NULL, 'seed');
SELECT vigil.hash_ip('203.0.113.7', 'salt', 'seed'), length(vigil.hash_ip('203.0.113.7', 'salt'));
