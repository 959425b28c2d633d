CREATE TABLE vigil.alert_rules (
  module_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  name text,
  alert_type text NOT NULL CHECK (alert_type IN
    ('performance_degradation', 'error_spike', 'availability_issue', 'usage_anomaly')),
  metric text NOT NULL,
  condition text NOT NULL CHECK (condition IN ('gt', 'gte', 'lt', 'lte', 'eq', 'spike')),
  threshold double precision NOT NULL CHECK (threshold = threshold AND abs(threshold) < 'infinity'),
  window_minutes integer NOT NULL DEFAULT 5 CHECK (window_minutes BETWEEN 1 AND 44640),
  min_samples integer NOT NULL DEFAULT 0 CHECK (min_samples >= 0),
  severity text NOT NULL DEFAULT 'warning' CHECK (severity IN ('critical', 'warning', 'info')),
  enabled boolean NOT NULL DEFAULT true,
  notify_email text,
  notify_webhook text CHECK (notify_webhook ~* '^https?://[^[:space:]]+$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, id)
);
COMMENT ON TABLE vigil.alert_rules IS
  'Rules that vigil.evaluate_alerts() compares with the facts of their window; write them with vigil.create_alert_rule().';
COMMENT ON COLUMN vigil.alert_rules.module_id IS 'Tenant whose facts are judged.';
COMMENT ON COLUMN vigil.alert_rules.id IS 'UUID version 7.';
COMMENT ON COLUMN vigil.alert_rules.name IS 'A name people read.';
COMMENT ON COLUMN vigil.alert_rules.alert_type IS 'performance_degradation, error_spike, availability_issue or usage_anomaly.';
COMMENT ON COLUMN vigil.alert_rules.metric IS 'A metric of vigil.metrics.';
COMMENT ON COLUMN vigil.alert_rules.condition IS 'gt, gte, lt, lte, eq: compared with threshold; spike: more than threshold percent above the baseline mean.';
COMMENT ON COLUMN vigil.alert_rules.threshold IS 'In the unit of the metric; percent above the baseline for spike.';
COMMENT ON COLUMN vigil.alert_rules.window_minutes IS 'How far back facts are judged, minutes.';
COMMENT ON COLUMN vigil.alert_rules.min_samples IS 'Events the window must hold; with fewer the rule says nothing.';
COMMENT ON COLUMN vigil.alert_rules.severity IS 'critical, warning or info.';
COMMENT ON COLUMN vigil.alert_rules.enabled IS 'A disabled rule never fires, and its open alert is resolved.';
COMMENT ON COLUMN vigil.alert_rules.notify_email IS 'Address that is told when it fires.';
COMMENT ON COLUMN vigil.alert_rules.notify_webhook IS 'URL that is told when it fires.';
COMMENT ON COLUMN vigil.alert_rules.created_at IS 'When the rule was made.';
COMMENT ON COLUMN vigil.alert_rules.updated_at IS 'When the rule last changed.';

CREATE TABLE vigil.alerts (
  module_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  rule_id uuid NOT NULL,
  alert_type text NOT NULL,
  severity text NOT NULL,
  title text NOT NULL,
  description text,
  metric_name text NOT NULL,
  current_value double precision,
  expected_value double precision,
  threshold_value double precision,
  affected_sites bigint NOT NULL DEFAULT 0,
  affected_sessions bigint NOT NULL DEFAULT 0,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'acknowledged', 'resolved')),
  acknowledged_at timestamptz,
  acknowledged_by uuid,
  resolved_at timestamptz,
  resolved_by uuid,
  auto_resolved boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, id)
);
-- Two evaluations at once cannot open two alerts: this index, not a check, forbids it.
CREATE UNIQUE INDEX alerts_open ON vigil.alerts (module_id, rule_id) WHERE status <> 'resolved';
COMMENT ON TABLE vigil.alerts IS 'Episodes: from the moment a rule fires until its condition clears or somebody resolves it.';
COMMENT ON COLUMN vigil.alerts.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.alerts.id IS 'UUID version 7.';
COMMENT ON COLUMN vigil.alerts.rule_id IS 'Rule that fired; a rule has at most one open alert.';
COMMENT ON COLUMN vigil.alerts.alert_type IS 'Of the rule when it fired.';
COMMENT ON COLUMN vigil.alerts.severity IS 'Of the rule when it fired.';
COMMENT ON COLUMN vigil.alerts.title IS 'What is wrong, in a line.';
COMMENT ON COLUMN vigil.alerts.description IS 'What is wrong, with the numbers.';
COMMENT ON COLUMN vigil.alerts.metric_name IS 'Metric of the rule.';
COMMENT ON COLUMN vigil.alerts.current_value IS 'Value that fired.';
COMMENT ON COLUMN vigil.alerts.expected_value IS 'The threshold; for spike the baseline mean.';
COMMENT ON COLUMN vigil.alerts.threshold_value IS 'Limit that was passed; for spike computed from the baseline.';
COMMENT ON COLUMN vigil.alerts.affected_sites IS 'Different sites in the window.';
COMMENT ON COLUMN vigil.alerts.affected_sessions IS 'Different sessions in the window.';
COMMENT ON COLUMN vigil.alerts.status IS 'active, acknowledged or resolved.';
COMMENT ON COLUMN vigil.alerts.acknowledged_at IS 'When somebody took notice.';
COMMENT ON COLUMN vigil.alerts.acknowledged_by IS 'Who took notice.';
COMMENT ON COLUMN vigil.alerts.resolved_at IS 'When it ended.';
COMMENT ON COLUMN vigil.alerts.resolved_by IS 'Who resolved it by hand.';
COMMENT ON COLUMN vigil.alerts.auto_resolved IS 'Whether the condition cleared by itself.';
COMMENT ON COLUMN vigil.alerts.created_at IS 'When it fired.';
