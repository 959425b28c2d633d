CREATE TABLE vigil.baselines (
  module_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  version_id uuid,
  metric_name text NOT NULL,
  baseline_mean double precision,
  baseline_stddev double precision,
  baseline_p50 double precision,
  baseline_p95 double precision,
  baseline_p99 double precision,
  sample_count bigint NOT NULL DEFAULT 0,
  sample_period_start timestamptz,
  sample_period_end timestamptz,
  warning_threshold double precision,
  critical_threshold double precision,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, id),
  UNIQUE NULLS NOT DISTINCT (module_id, version_id, metric_name)
);
COMMENT ON TABLE vigil.baselines IS
  'What is normal for a metric of a module: learned from history by vigil.refresh_baselines(), or written by hand.';
COMMENT ON COLUMN vigil.baselines.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.baselines.id IS 'UUID version 7.';
COMMENT ON COLUMN vigil.baselines.version_id IS 'Release; null = all releases, the row that spike rules compare with.';
COMMENT ON COLUMN vigil.baselines.metric_name IS 'render_time, api_latency, memory_usage: over single facts; a metric of vigil.metrics: over hourly values.';
COMMENT ON COLUMN vigil.baselines.baseline_mean IS 'Mean.';
COMMENT ON COLUMN vigil.baselines.baseline_stddev IS 'Standard deviation of the sample.';
COMMENT ON COLUMN vigil.baselines.baseline_p50 IS 'Median, nearest rank.';
COMMENT ON COLUMN vigil.baselines.baseline_p95 IS '95th percentile, nearest rank.';
COMMENT ON COLUMN vigil.baselines.baseline_p99 IS '99th percentile, nearest rank.';
COMMENT ON COLUMN vigil.baselines.sample_count IS 'Values it was learned from.';
COMMENT ON COLUMN vigil.baselines.sample_period_start IS 'Time of the first of them.';
COMMENT ON COLUMN vigil.baselines.sample_period_end IS 'Time of the last of them.';
COMMENT ON COLUMN vigil.baselines.warning_threshold IS 'Mean plus two standard deviations.';
COMMENT ON COLUMN vigil.baselines.critical_threshold IS 'Mean plus three standard deviations.';
COMMENT ON COLUMN vigil.baselines.created_at IS 'When it was first learned.';
COMMENT ON COLUMN vigil.baselines.updated_at IS 'When it was last learned.';
