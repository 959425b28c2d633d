-- Baselines: learned from cells, per release and for all, and what spike rules find.
BEGIN;
\ir include/setup.sql
SELECT plan(20);
UPDATE vigil.partition_policy SET past = '2 months';
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

SELECT is(vigil.refresh_baselines(), 0::bigint, 'S0-15: without history nothing is learned');
INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms, version_id, memory_usage_kb)
SELECT :m1, date_trunc('hour', now()) - n * interval '10 minutes', 'render', 'r', n, CASE WHEN n > 50 THEN :v1::uuid END, 100
FROM generate_series(1, 100) AS n;
SELECT cmp_ok(vigil.refresh_baselines(), '>=', 4::bigint, 'S0-15: with history baselines are');
-- 100 different durations are beyond what a histogram keeps exactly; then 0.55 % is promised, and the mean stays exact.
CREATE FUNCTION pg_temp.near(value double precision, wanted double precision, within double precision DEFAULT 0.0055) RETURNS boolean
  LANGUAGE sql AS $$ SELECT abs(value / wanted - 1) <= within $$;
SELECT results_eq($$SELECT baseline_mean, pg_temp.near(baseline_p50, 50), pg_temp.near(baseline_p95, 95), pg_temp.near(baseline_p99, 99), sample_count
    FROM vigil.baselines WHERE metric_name = 'render_time' AND version_id IS NULL$$,
  'VALUES (50.5::float8, true, true, true, 100::bigint)', 'S0-14: durations of 1 to 100: mean 50.5, p50 50, p95 95, p99 99');
SELECT results_eq($$SELECT pg_temp.near(baseline_stddev, 29.0115, 0.01), warning_threshold = baseline_mean + 2 * baseline_stddev,
    critical_threshold = baseline_mean + 3 * baseline_stddev FROM vigil.baselines WHERE metric_name = 'render_time' AND version_id IS NULL$$,
  'VALUES (true, true, true)', 'S0-15: thresholds are two and three standard deviations above the mean');
SELECT results_eq(format($$SELECT baseline_mean, baseline_p50, baseline_p95, baseline_p99, sample_count FROM vigil.module_performance_baselines
    WHERE metric_name = 'render_time' AND version_id = %L$$, :v1), 'VALUES (75.50, 75.00, 98.00, 100.00, 50)', 'S0-14: up to 64 different durations all is exact');
SELECT results_eq($$SELECT sample_period_start, sample_period_end FROM vigil.baselines WHERE metric_name = 'render_time' AND version_id IS NULL$$,
  'SELECT min(created_at), max(created_at) FROM vigil.events', 'S0-14: the period is that of the first and the last sample');
SELECT results_eq($$SELECT version_id, sample_count FROM vigil.baselines WHERE metric_name = 'render_time' ORDER BY 1 NULLS FIRST$$,
  format('VALUES (NULL::uuid, 100::bigint), (%L, 50)', :v1), 'D-44: one baseline for all releases and one for each');
SELECT results_eq($$SELECT baseline_mean, sample_count > 10 FROM vigil.baselines WHERE metric_name = 'render_count'$$, 'VALUES (100 / 17::float8, true)', 'D-43: metrics of a window have hourly baselines');
SELECT is((SELECT baseline_mean FROM vigil.baselines WHERE metric_name = 'memory_usage'), 100::float8, 'S0-14: memory has one');
SELECT is_empty($$SELECT metric FROM vigil.metrics m WHERE m.baseline NOT IN ('render_time', 'api_latency', 'error_rate', 'error_count', 'event_count', 'render_count',
  'api_call_count', 'interaction_count', 'api_error_rate', 'memory_usage', 'unique_sites', 'unique_sessions')$$, 'D-43: every metric names a baseline that is learned');

CREATE TEMP TABLE before AS SELECT id, metric_name, version_id, created_at FROM vigil.baselines;
UPDATE vigil.baselines SET updated_at = '2001-01-01', baseline_mean = 0;
SELECT vigil.refresh_baselines() \g /dev/null
SELECT results_eq('SELECT id, metric_name, version_id, created_at FROM vigil.baselines ORDER BY id', 'SELECT * FROM before ORDER BY id', 'S0-15: a second run updates in place');
SELECT is((SELECT count(*) FROM vigil.baselines WHERE updated_at < now()), 0::bigint, 'S0-15: and updated_at moves');
SELECT is((SELECT baseline_mean FROM vigil.baselines WHERE metric_name = 'render_time' AND version_id IS NULL), 50.5::float8, 'S0-15: to the same numbers');
SELECT throws_ok(format('INSERT INTO vigil.baselines (module_id, metric_name) VALUES (%s, %L)', quote_literal(:m1), 'render_time'), '23505', NULL,
  'D-04: a second baseline for all releases is impossible');
SELECT vigil.rollup(100000) \g /dev/null
SELECT vigil.refresh_baselines() \g /dev/null
SELECT is((SELECT baseline_mean FROM vigil.baselines WHERE metric_name = 'render_time' AND version_id IS NULL), 50.5::float8, 'S0-15: from cells as from raw rows');
SELECT vigil.refresh_baselines('3 hours') \g /dev/null
SELECT cmp_ok((SELECT sample_count FROM vigil.baselines WHERE metric_name = 'render_time' AND version_id IS NULL), '<', 25::bigint, 'S0-15: the period is an argument');
SELECT throws_ok(format('SELECT vigil.refresh_baselines(%L)', period), '22023', NULL, 'S0-15: a period of ' || coalesce(period, 'null') || ' is refused')
FROM unnest('{0,-1 day,NULL}'::text[]) AS period;

-- The unfinished hour would pull hourly means down.
INSERT INTO vigil.events (module_id, created_at, event_type, event_name) SELECT :m2, date_trunc('hour', now()), 'render', 'r';
SELECT vigil.refresh_baselines() \g /dev/null
SELECT is_empty(format($$SELECT FROM vigil.baselines WHERE module_id = %L AND metric_name = 'render_count'$$, :m2), 'S0-15: the hour that is still open is no sample');

SELECT * FROM finish();
ROLLBACK;
