CREATE OR REPLACE FUNCTION vigil.check_metric() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM vigil.metrics m WHERE m.metric = NEW.metric) THEN
    RAISE check_violation USING
      MESSAGE = format('unknown metric "%s"', NEW.metric),
      HINT = 'Known metrics: SELECT metric, unit, description FROM vigil.metrics;';
  END IF;
  -- A rule that is inserted may come from a dump.
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := now();
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION vigil.check_metric() IS 'Trigger: a rule names a metric of vigil.metrics.';

CREATE OR REPLACE TRIGGER check_metric BEFORE INSERT OR UPDATE ON vigil.alert_rules
  FOR EACH ROW EXECUTE FUNCTION vigil.check_metric();

CREATE OR REPLACE FUNCTION vigil.create_alert_rule(
    module_id uuid, alert_type text, metric text, condition text, threshold double precision,
    window_minutes integer DEFAULT 5, severity text DEFAULT 'warning', notify_webhook text DEFAULT NULL,
    notify_email text DEFAULT NULL, name text DEFAULT NULL, min_samples integer DEFAULT 0,
    enabled boolean DEFAULT true) RETURNS uuid
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  INSERT INTO vigil.alert_rules (module_id, alert_type, metric, condition, threshold, window_minutes,
    severity, notify_webhook, notify_email, name, min_samples, enabled)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
  RETURNING id
$$;
COMMENT ON FUNCTION vigil.create_alert_rule(uuid, text, text, text, double precision, integer, text, text, text, text, integer, boolean) IS
  'Makes a rule and returns its id. Unknown metric, condition, type or severity, window below 1: SQLSTATE 23514.';

CREATE OR REPLACE FUNCTION vigil.update_alert_rule(
    rule_id uuid, threshold double precision DEFAULT NULL, window_minutes integer DEFAULT NULL,
    condition text DEFAULT NULL, severity text DEFAULT NULL, enabled boolean DEFAULT NULL,
    notify_webhook text DEFAULT NULL, notify_email text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  UPDATE vigil.alert_rules r
  SET threshold = coalesce(update_alert_rule.threshold, r.threshold),
      window_minutes = coalesce(update_alert_rule.window_minutes, r.window_minutes),
      condition = coalesce(update_alert_rule.condition, r.condition),
      severity = coalesce(update_alert_rule.severity, r.severity),
      enabled = coalesce(update_alert_rule.enabled, r.enabled),
      notify_webhook = coalesce(update_alert_rule.notify_webhook, r.notify_webhook),
      notify_email = coalesce(update_alert_rule.notify_email, r.notify_email)
  WHERE r.id = rule_id;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('alert rule %s does not exist', coalesce(rule_id::text, 'null')),
      HINT = 'SELECT id, name, metric FROM vigil.alert_rules;';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.update_alert_rule(uuid, double precision, integer, text, text, boolean, text, text) IS
  'Changes what is given of a rule; null leaves it. No such rule: SQLSTATE P0002.';

CREATE OR REPLACE FUNCTION vigil.delete_alert_rule(rule_id uuid) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  DELETE FROM vigil.alert_rules r WHERE r.id = rule_id;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('alert rule %s does not exist', coalesce(rule_id::text, 'null')),
      HINT = 'SELECT id, name, metric FROM vigil.alert_rules;';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.delete_alert_rule(uuid) IS
  'Deletes a rule; its open alert is resolved by the next evaluation, its history stays. No such rule: SQLSTATE P0002.';

CREATE OR REPLACE FUNCTION vigil.alert_title(alert_type text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE alert_type
    WHEN 'performance_degradation' THEN 'Performance Degradation Detected'
    WHEN 'error_spike' THEN 'Error Rate Spike Detected'
    WHEN 'availability_issue' THEN 'Availability Issue Detected'
    WHEN 'usage_anomaly' THEN 'Unusual Usage Pattern Detected'
    ELSE 'Alert Triggered' END
$$;
COMMENT ON FUNCTION vigil.alert_title(text) IS 'Title of an alert of a type.';

CREATE OR REPLACE FUNCTION vigil.alert_description(
    metric text, condition text, current_value double precision, threshold double precision,
    window_minutes integer) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT format('%s is %s, which %s the threshold of %s over the last %s minutes.', metric,
    round(current_value::numeric, 2),
    CASE condition WHEN 'gte' THEN 'is at or above' WHEN 'lt' THEN 'is below'
                   WHEN 'lte' THEN 'is at or below' WHEN 'eq' THEN 'equals' ELSE 'exceeds' END,
    round(threshold::numeric, 2), window_minutes)
$$;
COMMENT ON FUNCTION vigil.alert_description(text, text, double precision, double precision, integer) IS
  'Sentence with the numbers of an alert, rounded half away from zero to two decimals.';

CREATE OR REPLACE FUNCTION vigil.condition_holds(
    condition text, current_value double precision, threshold double precision) RETURNS boolean
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT CASE condition
    WHEN 'gt' THEN current_value > threshold
    WHEN 'gte' THEN current_value >= threshold
    WHEN 'lt' THEN current_value < threshold
    WHEN 'lte' THEN current_value <= threshold
    WHEN 'eq' THEN current_value = threshold
    WHEN 'spike' THEN current_value > threshold END
$$;
COMMENT ON FUNCTION vigil.condition_holds(text, double precision, double precision) IS
  'Whether the value meets the condition; null without value or threshold: no data.';

CREATE OR REPLACE FUNCTION vigil.judge_rules(module uuid DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS TABLE (module_id uuid, rule_id uuid, current_value double precision,
                 expected_value double precision, threshold_value double precision,
                 samples bigint, sites bigint, sessions bigint, fires boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
  WITH rules AS MATERIALIZED (
    SELECT r.*, m.baseline, m.scales_with_window
    FROM vigil.alert_rules r JOIN vigil.metrics m USING (metric)
    WHERE r.enabled AND (module IS NULL OR r.module_id = module)),
  -- All windows are read at once: rules that share one share its cells, and modules their raw facts.
  measured AS MATERIALIZED (
    SELECT g.modules[v.number] AS module_id, g.minutes[v.number] AS window_minutes,
           v.metric, v.value, v.samples, v.sites, v.sessions
    FROM (SELECT array_agg(w.module_id) AS modules, array_agg(w.window_minutes) AS minutes,
                 array_agg(at - make_interval(mins => w.window_minutes)) AS starts,
                 array_agg(at + interval '1 microsecond') AS ends
          FROM (SELECT DISTINCT r.module_id, r.window_minutes FROM rules r) w) g,
         LATERAL vigil.metrics_of_windows(g.modules, g.starts, g.ends) v),
  limits AS (
    SELECT r.*, b.mean,
           CASE WHEN r.condition = 'spike' THEN b.mean * (1 + r.threshold / 100)
                ELSE r.threshold END AS limit_value
    FROM rules r
    LEFT JOIN LATERAL (
      SELECT b.baseline_mean * CASE WHEN r.scales_with_window AND b.metric_name = r.baseline
                                    THEN r.window_minutes / 60.0 ELSE 1 END AS mean
      FROM vigil.baselines b
      WHERE r.condition = 'spike' AND b.module_id = r.module_id AND b.version_id IS NULL
        AND b.metric_name IN (r.metric, r.baseline)
      ORDER BY b.metric_name = r.metric DESC LIMIT 1) b ON true)
  SELECT l.module_id, l.id, v.value,
         CASE WHEN l.condition = 'spike' THEN l.mean ELSE l.threshold END,
         l.limit_value, v.samples, v.sites, v.sessions,
         CASE WHEN v.samples >= l.min_samples
              THEN vigil.condition_holds(l.condition, v.value, l.limit_value) END
  FROM limits l
  JOIN measured v ON v.module_id = l.module_id AND v.window_minutes = l.window_minutes
                 AND v.metric = l.metric
$$;
COMMENT ON FUNCTION vigil.judge_rules(uuid, timestamptz) IS
  'What every enabled rule would say at a time; changes nothing. fires is null when there is no data, too few samples, or no baseline.';

CREATE OR REPLACE FUNCTION vigil.evaluate_alerts(module uuid DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
DECLARE
  fired bigint;
  cleared bigint;
  orphaned bigint;
BEGIN
  -- The alerts of a dump may be there before their rules and facts.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  -- Judged once; firing, the webhook's outbox row and resolving follow in the same transaction.
  WITH judged AS MATERIALIZED (SELECT * FROM vigil.judge_rules(module, at)),
  opened AS (
    INSERT INTO vigil.alerts AS a (module_id, rule_id, alert_type, severity, title, description,
      metric_name, current_value, expected_value, threshold_value, affected_sites, affected_sessions,
      created_at)
    SELECT j.module_id, j.rule_id, r.alert_type, r.severity, vigil.alert_title(r.alert_type),
           vigil.alert_description(r.metric, r.condition, j.current_value, j.threshold_value, r.window_minutes),
           r.metric, j.current_value, j.expected_value, j.threshold_value, j.sites, j.sessions, at
    FROM judged j JOIN vigil.alert_rules r ON r.module_id = j.module_id AND r.id = j.rule_id
    WHERE j.fires
    ON CONFLICT (module_id, rule_id) WHERE status <> 'resolved' DO NOTHING
    RETURNING a.*),
  told AS (
    INSERT INTO vigil.outbox (module_id, channel, target, group_key, body)
    SELECT o.module_id, n.channel, n.target, o.rule_id::text, vigil.webhook_body(o)
    FROM opened o
    JOIN vigil.alert_rules r ON r.module_id = o.module_id AND r.id = o.rule_id
    CROSS JOIN LATERAL (VALUES ('webhook', r.notify_webhook), ('email', r.notify_email))
      AS n (channel, target)
    WHERE n.target IS NOT NULL),
  closed AS (
    UPDATE vigil.alerts a SET status = 'resolved', resolved_at = at, auto_resolved = true
    FROM judged j
    WHERE a.module_id = j.module_id AND a.rule_id = j.rule_id AND a.status <> 'resolved'
      AND NOT j.fires
    RETURNING a.id)
  SELECT (SELECT count(*) FROM opened), (SELECT count(*) FROM closed) INTO fired, cleared;

  -- Nobody judges them any more.
  UPDATE vigil.alerts a SET status = 'resolved', resolved_at = at, auto_resolved = true
  WHERE a.status <> 'resolved' AND (module IS NULL OR a.module_id = module)
    AND NOT EXISTS (SELECT FROM vigil.alert_rules r
                    WHERE r.module_id = a.module_id AND r.id = a.rule_id AND r.enabled);
  GET DIAGNOSTICS orphaned = ROW_COUNT;
  RETURN fired + cleared + orphaned;
END $$;
COMMENT ON FUNCTION vigil.evaluate_alerts(uuid, timestamptz) IS
  'Judges the enabled rules of a module (null: all) at a time: opens alerts that fire with their notifications, resolves those whose condition cleared or whose rule is gone; no data changes nothing. Returns the number of alerts opened and resolved.';

CREATE OR REPLACE FUNCTION vigil.webhook_body(alert vigil.alerts) RETURNS jsonb
  LANGUAGE sql STABLE
AS $$
  SELECT jsonb_build_object(
    'alertId', alert.id, 'moduleId', alert.module_id, 'alertType', alert.alert_type,
    'severity', alert.severity, 'metric', alert.metric_name, 'currentValue', alert.current_value,
    'threshold', alert.threshold_value,
    'timestamp', to_char(alert.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;
COMMENT ON FUNCTION vigil.webhook_body(vigil.alerts) IS 'What a webhook is told of an alert.';

CREATE OR REPLACE FUNCTION vigil.acknowledge_alert(alert_id uuid, acknowledged_by uuid DEFAULT NULL)
  RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  UPDATE vigil.alerts a
  SET status = 'acknowledged', acknowledged_at = now(),
      acknowledged_by = acknowledge_alert.acknowledged_by
  WHERE a.id = alert_id AND a.status = 'active';
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('no active alert %s', coalesce(alert_id::text, 'null')),
      HINT = 'SELECT id, title, status FROM vigil.module_alerts WHERE status = ''active'';';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.acknowledge_alert(uuid, uuid) IS
  'Says that somebody looks after an active alert; it still resolves by itself. No such alert: SQLSTATE P0002.';

CREATE OR REPLACE FUNCTION vigil.resolve_alert(alert_id uuid, resolved_by uuid DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  UPDATE vigil.alerts a
  SET status = 'resolved', resolved_at = now(), resolved_by = resolve_alert.resolved_by
  WHERE a.id = alert_id AND a.status <> 'resolved';
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('no open alert %s', coalesce(alert_id::text, 'null')),
      HINT = 'SELECT id, title, status FROM vigil.module_alerts WHERE status <> ''resolved'';';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.resolve_alert(uuid, uuid) IS
  'Ends an open alert by hand; while its condition holds, the next evaluation opens a new one. No such alert: SQLSTATE P0002.';

CREATE OR REPLACE VIEW vigil.module_alerts AS
SELECT id, module_id, alert_type, severity, title, description, metric_name,
       vigil.rounded(current_value) AS current_value, vigil.rounded(expected_value) AS expected_value,
       vigil.rounded(threshold_value) AS threshold_value,
       vigil.small(affected_sites) AS affected_sites, vigil.small(affected_sessions) AS affected_sessions,
       status, acknowledged_at, acknowledged_by, resolved_at, resolved_by, auto_resolved, created_at
FROM vigil.alerts;
COMMENT ON VIEW vigil.module_alerts IS 'Alerts in the columns that dashboards know.';

CREATE OR REPLACE VIEW vigil.module_alert_rules AS
SELECT id, module_id, alert_type, metric, condition, threshold, window_minutes, severity, enabled,
       notify_email, notify_webhook
FROM vigil.alert_rules;
COMMENT ON VIEW vigil.module_alert_rules IS 'Alert rules in the columns that dashboards know.';
