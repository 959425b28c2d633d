-- The sketch aggregates against plain SQL over one table. Variables: rows (10 million), repeats.
\set QUIET on
\if :{?rows} \else \set rows 10000000 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS sketches;
CREATE DATABASE sketches;
\connect sketches
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '512MB';
SET jit = off;
CREATE EXTENSION pg_vigil;

-- --- Data: a day of events in time order, 100 modules of very different size -----------------------

SELECT setseed(0.42) \g /dev/null
CREATE UNLOGGED TABLE events AS
WITH share AS (
  SELECT array_agg(bound ORDER BY bound) AS bounds
  FROM (SELECT sum(1.0 / k) OVER (ORDER BY k) / sum(1.0 / k) OVER () AS bound FROM generate_series(1, 100) k) s),
drawn AS (
  SELECT i, random() AS a, random() AS b, random() AS c, random() AS d, random() AS e
  FROM generate_series(0, :rows - 1) AS i)
SELECT timestamptz '2026-11-02 00:00Z' + interval '1 day' * i / :rows AS created_at,
       exp(4 + sqrt(-2 * ln(1 - c)) * cos(2 * pi() * d)) AS duration_ms,
       lpad(to_hex(width_bucket(a, s.bounds::float8[])), 32, '0')::uuid AS module_id,
       lpad(to_hex(floor(20 * b)::integer), 32, '0')::uuid AS site_id,
       md5(floor(1000000 * e)::text) AS session_id,
       t.event_type, t.event_type || '_' || floor(20 * e * e) AS name,
       chr(65 + floor(8 * c * c)::integer) || chr(65 + floor(5 * d)::integer) AS country_code,
       (ARRAY['desktop', 'mobile', 'tablet'])[1 + floor(3 * b)::integer] AS device,
       (ARRAY['Chrome', 'Firefox', 'Safari', 'Edge', 'Opera'])[1 + floor(5 * a)::integer] AS browser
FROM drawn, share s,
     LATERAL (SELECT (ARRAY['render', 'api_call', 'user_interaction', 'performance', 'hook_execution', 'error'])[1 + i % 6]) t (event_type);
-- Not vacuumed, as a table to which rows are being added: count(*) would not even look at the rows of a page that
-- is known to be visible to all.
-- PostgreSQL would expect a group for each row.
CREATE STATISTICS events_hours (ndistinct) ON module_id, vigil.time_bucket('1 hour', created_at), event_type FROM events;
ANALYZE events;
CREATE EXTENSION IF NOT EXISTS pg_prewarm;
SELECT pg_prewarm('events') \g /dev/null

-- --- Measuring -------------------------------------------------------------------------------------

\ir include/measure.sql

-- The roller reads facts; here they are those of the table above.
CREATE OR REPLACE VIEW vigil.facts AS
SELECT module_id, created_at, NULL::uuid AS version_id, event_type, ''::text AS subject, name,
       NULL::boolean AS success, duration_ms, NULL::double precision AS value, NULL::bigint AS memory_usage_kb,
       site_id, session_id, NULL::text AS user_key, country_code, device, browser,
       NULL::double precision AS sample_weight
FROM events;

\set cell 'vigil.cell_agg(created_at, name, NULL, duration_ms, NULL, NULL, site_id, session_id, NULL, country_code, device, browser)'
-- Of the module of average size, and of the largest, which has a fifth of all events.
CREATE TABLE minutes AS
SELECT module_id = lpad('0', 32, '0')::uuid AS is_largest, vigil.time_bucket('1 minute', created_at) AS minute, :cell AS cell
FROM events WHERE module_id IN (lpad('0', 32, '0')::uuid, lpad('12', 32, '0')::uuid) GROUP BY 1, 2;
VACUUM ANALYZE minutes;

-- What the cells of a module's hour hold, from exact aggregates.
INSERT INTO queries VALUES
 ('count', 'SELECT count(*) FROM events'),
 ('avg', 'SELECT avg(duration_ms) FROM events'),
 ('percentile_cont', 'SELECT percentile_cont(ARRAY[.5, .95, .99]) WITHIN GROUP (ORDER BY duration_ms) FROM events'),
 ('approx_percentile', 'SELECT vigil.approx_percentile(duration_ms, ARRAY[.5, .95, .99]) FROM events'),
 ('histogram_agg', 'SELECT vigil.histogram_agg(duration_ms) FROM events'),
 ('distinct_agg', 'SELECT vigil.cardinality(vigil.distinct_agg(session_id)) FROM events'),
 ('avg by hour', 'SELECT module_id, vigil.time_bucket(''1 hour'', created_at), avg(duration_ms) FROM events GROUP BY 1, 2'),
 ('approx_percentile by hour', 'SELECT module_id, vigil.time_bucket(''1 hour'', created_at), vigil.approx_percentile(duration_ms, ARRAY[.5, .95, .99]) FROM events GROUP BY 1, 2'),
 ('cell by hour', 'SELECT module_id, vigil.time_bucket(''1 hour'', created_at), event_type, ' || :'cell' || ' FROM events GROUP BY 1, 2, 3'),
 ('exact by hour', $q$
  WITH base AS (
    SELECT module_id, vigil.time_bucket('1 hour', created_at) AS hour, event_type, count(*) AS facts, sum(duration_ms) AS total,
           percentile_cont(ARRAY[.5, .95, .99]) WITHIN GROUP (ORDER BY duration_ms) AS percentiles,
           count(DISTINCT site_id) AS sites, count(DISTINCT session_id) AS sessions
    FROM events GROUP BY 1, 2, 3),
  named AS (
    SELECT module_id, hour, event_type, jsonb_object_agg(name, facts) FILTER (WHERE kind = 7) AS names,
           jsonb_object_agg(name, facts) FILTER (WHERE kind = 11) AS countries,
           jsonb_object_agg(name, facts) FILTER (WHERE kind = 13) AS devices,
           jsonb_object_agg(name, facts) FILTER (WHERE kind = 14) AS browsers
    FROM (SELECT module_id, vigil.time_bucket('1 hour', created_at) AS hour, event_type,
                 grouping(name, country_code, device, browser) AS kind,
                 coalesce(name, country_code, device, browser) AS name, count(*) AS facts
          FROM events GROUP BY module_id, vigil.time_bucket('1 hour', created_at), event_type,
                               GROUPING SETS (name, country_code, device, browser)) g
    GROUP BY 1, 2, 3)
  SELECT * FROM base FULL JOIN named USING (module_id, hour, event_type)$q$),
 ('roller', 'SELECT * FROM vigil.raw_cells(''-infinity'', ''infinity'')'),
 ('merge 10 days', 'SELECT day, vigil.merge_agg(cell) FROM minutes, generate_series(1, 10) AS day WHERE NOT is_largest GROUP BY 1'),
 ('merge 10 days of the largest module', 'SELECT day, vigil.merge_agg(cell) FROM minutes, generate_series(1, 10) AS day WHERE is_largest GROUP BY 1');
INSERT INTO queries
SELECT name || ', 2 workers', query, 2 FROM queries
WHERE name IN ('avg', 'approx_percentile', 'distinct_agg', 'approx_percentile by hour', 'cell by hour');
CALL measure(:repeats);

-- --- Accuracy and size -----------------------------------------------------------------------------

CREATE TABLE samples AS
SELECT kind, value FROM (SELECT random() AS a, random() AS b FROM generate_series(1, 1000000)) r,
LATERAL (VALUES ('lognormal', exp(4 + sqrt(-2 * ln(1 - a)) * cos(2 * pi() * b))),
                ('bimodal', CASE WHEN a < 0.7 THEN 20 + 5 * b ELSE 900 + 200 * b END),
                ('Pareto 1.2', power(1 - a, -1 / 1.2)),
                ('integers', floor(1000 * a * b)),
                ('constant', 42),
                ('with zeros', CASE WHEN a < 0.3 THEN 0 ELSE 100 * b END),
                ('negatives', (a - 0.7) * 1000),
                ('1e-9 to 1e18', power(10, -9 + 27 * a))) AS v (kind, value);
CREATE TABLE errors AS
SELECT kind, fraction, CASE WHEN told = exact THEN 0 ELSE 100 * abs(told - exact) / abs(exact) END AS percent,
       octet_length(vigil.histogram_send(sketch)) + 4 AS bytes
FROM (SELECT kind, fractions, vigil.histogram_agg(value) AS sketch,
             percentile_disc(fractions) WITHIN GROUP (ORDER BY value) AS values
      FROM samples, (VALUES (ARRAY[.5, .75, .9, .95, .99, .999]::float8[])) AS x (fractions) GROUP BY kind, fractions) p,
     LATERAL unnest(fractions, values, vigil.percentiles(sketch, fractions)) AS u (fraction, exact, told);
-- Whole numbers, in sets that share none.
CREATE TABLE distinct_errors AS
SELECT n, sets, 100 * sqrt(avg(power(estimate / n - 1, 2))) AS rms_percent, 100 * avg(estimate / n - 1) AS bias_percent,
       max(octet_length(vigil.hyperloglog_send(h)) + 4) AS bytes
FROM (VALUES (100, 1000), (1000, 300), (10000, 100), (100000, 50), (1000000, 30), (10000000, 6)) AS t (n, sets),
     LATERAL (SELECT vigil.distinct_agg(v) AS h FROM generate_series(1::bigint, n::bigint * sets) AS v GROUP BY (v - 1) / n) s,
     LATERAL (SELECT vigil.cardinality(h)::float8 AS estimate) c
GROUP BY n, sets;

-- --- Results ---------------------------------------------------------------------------------------

\set QUIET off
\pset footer off
\echo
\echo 'Medians, serial: CPU time of the backend.'
SELECT name AS query, round(cpu::numeric, 1) AS "CPU ms", round(wall::numeric, 1) AS "wall ms",
       round((:rows / cpu / 1000)::numeric, 2) AS "million rows/s of CPU"
FROM medians ORDER BY name;
\echo 'Largest relative error from p50 to p99.9 of a million values, and stored size.'
SELECT kind, round(max(percent)::numeric, 3) AS "error %", max(bytes) AS bytes FROM errors GROUP BY kind ORDER BY kind;
\echo 'Distinct counts of sets.'
SELECT n, sets, round(rms_percent::numeric, 3) AS "rms error %", round(bias_percent::numeric, 3) AS "bias %", bytes
FROM distinct_errors ORDER BY n;

\set QUIET on
CREATE FUNCTION ratio(a text, b text) RETURNS numeric LANGUAGE sql AS $$ SELECT round((cpu(a) / cpu(b))::numeric, 2) $$;
CREATE FUNCTION speed_up(a text) RETURNS numeric LANGUAGE sql AS $$ SELECT round((wall(a) / wall(a || ', 2 workers'))::numeric, 2) $$;
\set QUIET off
\echo 'Against the targets. PostgreSQL''s own avg gains from 2 workers:'
SELECT speed_up('avg') AS "times as fast";
SELECT measure, value, target, CASE WHEN is_met THEN 'yes' ELSE 'NO' END AS met
FROM (VALUES
  (1, 'approx_percentile of 3 / avg', ratio('approx_percentile', 'avg'), '<= 1.08', ratio('approx_percentile', 'avg') <= 1.08),
  (2, 'approx_percentile of 3 / count(*)', ratio('approx_percentile', 'count'), '<= 1.40', ratio('approx_percentile', 'count') <= 1.40),
  (3, 'the same by module and hour / avg', ratio('approx_percentile by hour', 'avg by hour'), '<= 1.10',
      ratio('approx_percentile by hour', 'avg by hour') <= 1.10),
  (4, 'distinct_agg / count(*)', ratio('distinct_agg', 'count'), '<= 1.25', ratio('distinct_agg', 'count') <= 1.25),
  (5, 'whole cell by hour, million rows/s', round((:rows / cpu('cell by hour') / 1000)::numeric, 2), '>= 4.5', :rows / cpu('cell by hour') / 1000 >= 4.5),
  (6, 'exact SQL / whole cell', ratio('exact by hour', 'cell by hour'), '>= 7', ratio('exact by hour', 'cell by hour') >= 7),
  (7, 'whole cell by minute in the roller, million rows/s', round((:rows / cpu('roller') / 1000)::numeric, 2), '>= 7', :rows / cpu('roller') / 1000 >= 7),
  (8, '2 workers, approx_percentile, times as fast', speed_up('approx_percentile'), '>= 1.7', speed_up('approx_percentile') >= 1.7),
  (9, '2 workers, distinct_agg', speed_up('distinct_agg'), '>= 1.7', speed_up('distinct_agg') >= 1.7),
  (10, '2 workers, approx_percentile by hour', speed_up('approx_percentile by hour'), '>= 1.7', speed_up('approx_percentile by hour') >= 1.7),
  (11, '2 workers, whole cell by hour', speed_up('cell by hour'), '>= 1.7', speed_up('cell by hour') >= 1.7),
  (12, 'merge of 1,440 minute cells, ms', round(cpu('merge 10 days')::numeric / 10, 2), '< 3', cpu('merge 10 days') / 10 < 3),
  (13, 'largest relative error, %', (SELECT round(max(percent)::numeric, 3) FROM errors), '<= 1', (SELECT max(percent) <= 1 FROM errors)),
  (14, 'bytes for 1 M lognormal values', (SELECT max(bytes) FROM errors WHERE kind = 'lognormal'), '<= 1300',
      (SELECT max(bytes) <= 1300 FROM errors WHERE kind = 'lognormal')),
  -- Of all sets, as that of the few largest ones is itself known to a fifth only.
  (15, 'rms error of distinct counts above 512, %', (SELECT round(sqrt(sum(sets * rms_percent ^ 2) / sum(sets))::numeric, 3) FROM distinct_errors WHERE n > 512),
      '<= 1.625', (SELECT sqrt(sum(sets * rms_percent ^ 2) / sum(sets)) <= 1.625 FROM distinct_errors WHERE n > 512)),
  (16, 'bytes of 100 distinct values', (SELECT bytes FROM distinct_errors WHERE n = 100), '<= 420', (SELECT bytes <= 420 FROM distinct_errors WHERE n = 100)),
  (17, 'bytes of 10 million distinct values', (SELECT max(bytes) FROM distinct_errors), '<= 2100', (SELECT max(bytes) <= 2100 FROM distinct_errors))
) AS t (number, measure, value, target, is_met) ORDER BY number;
