-- A set of rules to start with, for one module. \set the module and the webhook, or give them to psql:
--   psql -v module=... -v webhook=https://hooks.example.com/vigil -f examples/alert_rules.sql
\if :{?module} \else \set module 11111111-1111-4111-8111-111111111111
\endif
\if :{?webhook} \else \set webhook https://hooks.example.com/vigil
\endif
SELECT r.name, vigil.create_alert_rule(:'module', r.alert_type, r.metric, r.condition, r.threshold,
         window_minutes => r.minutes, severity => r.severity, min_samples => r.samples, name => r.name,
         notify_webhook => :'webhook') AS id
FROM (VALUES
  ('more than 5 % errors', 'error_spike', 'error_rate', 'gt', 5::float8, 5, 'warning', 100),
  ('more than 20 % errors', 'error_spike', 'error_rate', 'gt', 20, 2, 'critical', 50),
  ('API calls fail', 'availability_issue', 'api_error_rate', 'gt', 10, 5, 'critical', 50),
  ('renders twice as slow as usual', 'performance_degradation', 'p95_render_time', 'spike', 100, 10, 'warning', 100),
  ('API slower than 2 s', 'performance_degradation', 'p95_api_latency', 'gt', 2000, 5, 'warning', 50),
  ('no traffic', 'availability_issue', 'event_count', 'eq', 0, 15, 'critical', 0),
  ('three times the usual traffic', 'usage_anomaly', 'event_count', 'spike', 200, 60, 'info', 0)
) AS r (name, alert_type, metric, condition, threshold, minutes, severity, samples);

-- What each would say now; fires is null while there is no data.
SELECT r.name, round(j.current_value::numeric, 2) AS value, round(j.threshold_value::numeric, 2) AS threshold,
       j.samples, j.fires
FROM vigil.judge_rules(:'module') j JOIN vigil.alert_rules r ON r.module_id = j.module_id AND r.id = j.rule_id
ORDER BY r.name;
