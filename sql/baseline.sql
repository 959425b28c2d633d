CREATE OR REPLACE VIEW vigil.metrics AS
SELECT * FROM (VALUES
  ('error_rate', 'percent', 'Errors per 100 events of any type', 'error_rate', false),
  ('error_count', 'count', 'Errors in the window', 'error_count', true),
  ('event_count', 'count', 'Events of any type in the window', 'event_count', true),
  ('render_count', 'count', 'Renders in the window', 'render_count', true),
  ('api_call_count', 'count', 'API calls in the window', 'api_call_count', true),
  ('interaction_count', 'count', 'User interactions in the window', 'interaction_count', true),
  ('avg_render_time', 'ms', 'Mean duration of timed renders', 'render_time', false),
  ('p50_render_time', 'ms', 'Median duration of timed renders', 'render_time', false),
  ('p95_render_time', 'ms', '95th percentile of timed renders', 'render_time', false),
  ('p99_render_time', 'ms', '99th percentile of timed renders', 'render_time', false),
  ('avg_api_latency', 'ms', 'Mean duration of timed API calls', 'api_latency', false),
  ('p95_api_latency', 'ms', '95th percentile of timed API calls', 'api_latency', false),
  ('p99_api_latency', 'ms', '99th percentile of timed API calls', 'api_latency', false),
  ('api_error_rate', 'percent', 'API calls that failed, of 100', 'api_error_rate', false),
  ('avg_memory_usage', 'kb', 'Mean of the known memory figures', 'memory_usage', false),
  ('unique_sites', 'count', 'Different sites in the window', 'unique_sites', false),
  ('unique_sessions', 'count', 'Different sessions in the window', 'unique_sessions', false)
) AS m (metric, unit, description, baseline, scales_with_window);
COMMENT ON VIEW vigil.metrics IS 'What alert rules can judge, and the baseline each is compared with.';
COMMENT ON COLUMN vigil.metrics.metric IS 'Name for rules.';
COMMENT ON COLUMN vigil.metrics.unit IS 'Unit of its value.';
COMMENT ON COLUMN vigil.metrics.description IS 'What it is.';
COMMENT ON COLUMN vigil.metrics.baseline IS 'metric_name of its row in vigil.baselines.';
COMMENT ON COLUMN vigil.metrics.scales_with_window IS 'Whether the baseline, which is per hour, is scaled to the window.';

CREATE OR REPLACE FUNCTION vigil.metrics_of_windows(modules uuid[], starts_at timestamptz[], ends_at timestamptz[])
  RETURNS TABLE (number integer, metric text, value double precision, samples bigint, sites bigint, sessions bigint)
  LANGUAGE plpgsql STABLE ROWS 17 SET search_path = pg_catalog, vigil, pg_temp SET jit = off
  SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  -- Of hundreds of cells a few are left of each window: so each is merged once, not for itself and for all.
  WITH by_type AS (
    SELECT c.number, c.event_type, vigil.measures_agg(c.cell) AS cell
    FROM vigil.cells_of_windows(modules, starts_at, ends_at, true) c
    GROUP BY c.number, c.event_type),
  merged AS (
    SELECT t.number, vigil.measures_agg(t.cell) AS everything,
           vigil.measures_agg(t.cell) FILTER (WHERE t.event_type = 'render') AS renders,
           vigil.measures_agg(t.cell) FILTER (WHERE t.event_type = 'api_call') AS api_calls,
           vigil.measures_agg(t.cell) FILTER (WHERE t.event_type = 'error') AS errors,
           vigil.measures_agg(t.cell) FILTER (WHERE t.event_type = 'user_interaction') AS interactions
    FROM by_type t GROUP BY t.number),
  parts AS MATERIALIZED (
    SELECT w.number, vigil.cell_count(m.errors) AS errors, vigil.cell_count(m.renders) AS renders,
           vigil.cell_count(m.api_calls) AS api_calls, vigil.cell_successes(m.api_calls) AS api_successes,
           vigil.cell_count(m.interactions) AS interactions, vigil.cell_memory_avg(m.everything) AS memory,
           vigil.cell_stats(m.everything, 'duration') AS everything,
           vigil.cell_stats(m.renders, 'duration') AS render_times, vigil.cell_stats(m.api_calls, 'duration') AS api_times
    FROM generate_subscripts(modules, 1) AS w (number) LEFT JOIN merged m ON m.number = w.number)
  SELECT p.number, v.metric, v.value, coalesce((p.everything).events, 0),
         coalesce((p.everything).sites, 0), coalesce((p.everything).sessions, 0)
  FROM parts p, LATERAL (VALUES
    ('error_rate', 100.0 * p.errors / nullif((p.everything).events, 0)),
    ('error_count', p.errors::double precision),
    ('event_count', coalesce((p.everything).events, 0)::double precision),
    ('render_count', p.renders::double precision),
    ('api_call_count', p.api_calls::double precision),
    ('interaction_count', p.interactions::double precision),
    ('avg_render_time', (p.render_times).mean),
    ('p50_render_time', (p.render_times).p50),
    ('p95_render_time', (p.render_times).p95),
    ('p99_render_time', (p.render_times).p99),
    ('avg_api_latency', (p.api_times).mean),
    ('p95_api_latency', (p.api_times).p95),
    ('p99_api_latency', (p.api_times).p99),
    ('api_error_rate', 100.0 * (p.api_calls - p.api_successes) / nullif(p.api_calls, 0)),
    ('avg_memory_usage', p.memory),
    ('unique_sites', coalesce((p.everything).sites, 0)::double precision),
    ('unique_sessions', coalesce((p.everything).sessions, 0)::double precision)
  ) AS v (metric, value);
END $$;
COMMENT ON FUNCTION vigil.metrics_of_windows(uuid[], timestamptz[], timestamptz[]) IS
  'Every metric of vigil.metrics for the facts of windows: number n are those of modules[n] for [starts_at[n], ends_at[n]). Counts are 0 without facts; rates, averages and percentiles are null: no data.';

CREATE OR REPLACE FUNCTION vigil.metric_values(
    module uuid, starts_at timestamptz, ends_at timestamptz)
  RETURNS TABLE (metric text, value double precision, samples bigint, sites bigint, sessions bigint)
  LANGUAGE sql STABLE ROWS 17
AS $$
  SELECT v.metric, v.value, v.samples, v.sites, v.sessions
  FROM vigil.metrics_of_windows(ARRAY[module], ARRAY[starts_at], ARRAY[ends_at]) v
$$;
COMMENT ON FUNCTION vigil.metric_values(uuid, timestamptz, timestamptz) IS
  'Every metric of vigil.metrics for the facts of [starts_at, ends_at). Counts are 0 without facts; rates, averages and percentiles are null: no data.';

CREATE OR REPLACE FUNCTION vigil.store_baseline(
    module uuid, version uuid, metric text, summary vigil.histogram,
    first_at timestamptz, last_at timestamptz) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, vigil, pg_temp
AS $$
  INSERT INTO vigil.baselines AS b
    (module_id, version_id, metric_name, baseline_mean, baseline_stddev, baseline_p50, baseline_p95,
     baseline_p99, sample_count, sample_period_start, sample_period_end, warning_threshold,
     critical_threshold)
  SELECT module, version, metric, vigil.mean(summary), coalesce(vigil.stddev(summary), 0),
         vigil.percentile(summary, 0.5), vigil.percentile(summary, 0.95),
         vigil.percentile(summary, 0.99), vigil.count(summary), first_at, last_at,
         vigil.mean(summary) + 2 * coalesce(vigil.stddev(summary), 0),
         vigil.mean(summary) + 3 * coalesce(vigil.stddev(summary), 0)
  WHERE vigil.count(summary) > 0
  ON CONFLICT (module_id, version_id, metric_name) DO UPDATE
  SET (baseline_mean, baseline_stddev, baseline_p50, baseline_p95, baseline_p99, sample_count,
       sample_period_start, sample_period_end, warning_threshold, critical_threshold, updated_at)
    = (EXCLUDED.baseline_mean, EXCLUDED.baseline_stddev, EXCLUDED.baseline_p50, EXCLUDED.baseline_p95,
       EXCLUDED.baseline_p99, EXCLUDED.sample_count, EXCLUDED.sample_period_start,
       EXCLUDED.sample_period_end, EXCLUDED.warning_threshold, EXCLUDED.critical_threshold,
       clock_timestamp())
$$;
COMMENT ON FUNCTION vigil.store_baseline(uuid, uuid, text, vigil.histogram, timestamptz, timestamptz) IS
  'Step of vigil.refresh_baselines(): writes one baseline from the distribution of its values.';

CREATE OR REPLACE FUNCTION vigil.refresh_baselines(period interval DEFAULT '14 days') RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
DECLARE
  learned bigint;
BEGIN
  IF period IS NULL OR period <= interval '0' THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('period must be longer than zero, not %s', coalesce(period::text, 'null'));
  END IF;
  -- Baselines learned from half of a dump would stand in the way of its own.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  -- Single durations, for each release and for all of them.
  PERFORM vigil.store_baseline(t.module_id, t.version_id, t.metric, t.summary, t.first_at, t.last_at)
  FROM (
    SELECT h.module_id, v.version_id, k.metric,
           vigil.merge_agg(vigil.cell_distribution(h.cell, 'duration')) AS summary,
           min(vigil.cell_time(h.cell, false)) AS first_at, max(vigil.cell_time(h.cell, true)) AS last_at
    FROM vigil.hours h
    JOIN (VALUES ('render', 'render_time'), ('api_call', 'api_latency')) AS k (event_type, metric)
      ON k.event_type = h.event_type
    CROSS JOIN LATERAL (SELECT NULL::uuid UNION ALL
                        SELECT h.version_id WHERE h.version_id IS NOT NULL) AS v (version_id)
    WHERE h.bucket >= now() - period
    GROUP BY 1, 2, 3) t;

  -- Hourly values of the metrics that describe a window.
  PERFORM vigil.store_baseline(t.module_id, NULL, t.metric, t.summary, t.first_at, t.last_at)
  FROM (
    SELECT h.module_id, v.metric, vigil.histogram_agg(v.value) AS summary,
           min(h.bucket) AS first_at, max(h.bucket + interval '1 hour') AS last_at
    FROM vigil.hourly_totals h, LATERAL (VALUES
      ('error_rate', 100.0 * vigil.cell_count(h.errors) / nullif(vigil.cell_count(h.everything), 0)),
      ('error_count', vigil.cell_count(h.errors)::double precision),
      ('event_count', vigil.cell_count(h.everything)::double precision),
      ('render_count', vigil.cell_count(h.renders)::double precision),
      ('api_call_count', vigil.cell_count(h.api_calls)::double precision),
      ('interaction_count', vigil.cell_count(h.interactions)::double precision),
      ('api_error_rate', 100.0 * (vigil.cell_count(h.api_calls) - vigil.cell_successes(h.api_calls))
                         / nullif(vigil.cell_count(h.api_calls), 0)),
      ('memory_usage', vigil.cell_memory_avg(h.everything)),
      ('unique_sites', vigil.cardinality(vigil.cell_uniques(h.everything, 'sites'))::double precision),
      ('unique_sessions', vigil.cardinality(vigil.cell_uniques(h.everything, 'sessions'))::double precision)
    ) AS v (metric, value)
    -- the hour that is still open would pull the mean down
    WHERE h.version_id IS NULL AND h.bucket >= now() - period
      AND h.bucket < date_trunc('hour', now(), 'UTC')
    GROUP BY 1, 2) t;

  SELECT count(*) INTO learned FROM vigil.baselines b WHERE b.updated_at >= transaction_timestamp();
  RETURN learned;
END $$;
COMMENT ON FUNCTION vigil.refresh_baselines(interval) IS
  'Learns what is normal from the cells of the last period and returns the number of baselines written: distributions of render and API durations, and of hourly values of the window metrics.';

CREATE OR REPLACE VIEW vigil.module_performance_baselines AS
SELECT id, module_id, version_id, metric_name,
       vigil.rounded(baseline_mean) AS baseline_mean, vigil.rounded(baseline_stddev) AS baseline_stddev,
       vigil.rounded(baseline_p50) AS baseline_p50, vigil.rounded(baseline_p95) AS baseline_p95,
       vigil.rounded(baseline_p99) AS baseline_p99, vigil.small(sample_count) AS sample_count,
       sample_period_start, sample_period_end,
       vigil.rounded(warning_threshold) AS warning_threshold,
       vigil.rounded(critical_threshold) AS critical_threshold, created_at, updated_at
FROM vigil.baselines;
COMMENT ON VIEW vigil.module_performance_baselines IS 'Baselines in the columns that dashboards know.';
