-- Rules, alerts and what they tell.
BEGIN;
\ir include/setup.sql
SELECT plan(54);
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

CREATE FUNCTION pg_temp.add(type text, how_many integer, duration double precision DEFAULT NULL, age interval DEFAULT '1 minute')
  RETURNS void LANGUAGE sql AS $$
  INSERT INTO vigil.events (module_id, event_type, event_name, duration_ms, created_at, site_id, session_id)
  SELECT '11111111-1111-4111-8111-111111111111', type, 'e', duration, now() - age, md5((n % 3)::text)::uuid, 's' || n % 4
  FROM generate_series(1, how_many) AS n $$;
CREATE FUNCTION pg_temp.value_of(wanted text, minutes integer DEFAULT 5) RETURNS double precision LANGUAGE sql AS $$
  SELECT value FROM vigil.metric_values('11111111-1111-4111-8111-111111111111', now() - make_interval(mins => minutes),
                                        now() + interval '1 microsecond') WHERE metric = wanted $$;
CREATE FUNCTION pg_temp.rule(metric text, condition text, threshold double precision, type text DEFAULT 'error_spike') RETURNS uuid
  LANGUAGE sql AS $$ SELECT vigil.create_alert_rule('11111111-1111-4111-8111-111111111111', type, metric, condition, threshold) $$;

-- Metrics
SELECT is(pg_temp.value_of('error_rate'), NULL, 'S0-101: no events is no data');
SELECT is(pg_temp.value_of('render_count'), 0::float8, 'S0-106: counts are zero without events');
SELECT is(pg_temp.value_of('avg_render_time'), NULL, 'D-48: an average of nothing is no data');
SELECT pg_temp.add('error', 5), pg_temp.add('render', 95, 10) \g /dev/null
SELECT is(pg_temp.value_of('error_rate'), 5::float8, 'S0-101: 5 errors of 100 events are 5');
SELECT results_eq($$SELECT pg_temp.value_of('error_count'), pg_temp.value_of('render_count')$$, 'VALUES (5::float8, 95::float8)', 'S0-103: counts by type');
SELECT pg_temp.add('render', 5, 0) \g /dev/null
SELECT is(pg_temp.value_of('avg_render_time'), 9.5::float8, 'S0-102: a duration of 0 ms counts');
SELECT pg_temp.add('render', 7, 1000, '5 minutes 1 second') \g /dev/null
SELECT is(pg_temp.value_of('render_count'), 100::float8, 'S0-100: an event just outside the window is not in it');
SELECT pg_temp.add('render', 1, NULL, '5 minutes') \g /dev/null
SELECT is(pg_temp.value_of('render_count'), 101::float8, 'S0-100: one on its border is');
SELECT vigil.rollup() \g /dev/null
SELECT is(pg_temp.value_of('render_count'), 101::float8, 'S0-100: also from cells');

-- Conditions at their borders: 101 renders
SELECT results_eq(format($$SELECT c, vigil.condition_holds(c, v, 101) FROM unnest(ARRAY['gt','gte','lt','lte','eq']) AS c, unnest(ARRAY[100.0, 101, 102]::float8[]) AS v ORDER BY 1, v$$),
  $$VALUES ('eq', false), ('eq', true), ('eq', false), ('gt', false), ('gt', false), ('gt', true), ('gte', false), ('gte', true), ('gte', true),
           ('lt', true), ('lt', false), ('lt', false), ('lte', true), ('lte', true), ('lte', false)$$, 'S0-104: five conditions at, below and above the threshold');
SELECT is(vigil.condition_holds('gt', NULL, 1), NULL, 'S0-104: no data is neither');

-- Firing, once, with everything filled
SELECT pg_temp.rule('error_count', 'gte', 5) AS rule \gset
UPDATE vigil.alert_rules SET notify_webhook = 'https://example.com/hook', notify_email = 'ops@example.com', window_minutes = 15;
SELECT is(vigil.evaluate_alerts(:m1), 1::bigint, 'S0-99: a rule that holds fires');
SELECT is(vigil.evaluate_alerts(), 0::bigint, 'S0-108: and not again while its alert is open');
SELECT results_eq('SELECT rule_id, alert_type, severity, title, metric_name, current_value, expected_value, threshold_value, affected_sites, affected_sessions, status FROM vigil.alerts',
  format($$VALUES (%L::uuid, 'error_spike', 'warning', 'Error Rate Spike Detected', 'error_count', 5::float8, 5::float8, 5::float8, 3::bigint, 4::bigint, 'active')$$, :'rule'),
  'S0-16, S0-107, D-57: the alert has its values and what it affects');
SELECT is((SELECT description FROM vigil.module_alerts), 'error_count is 5.00, which is at or above the threshold of 5.00 over the last 15 minutes.', 'D-56: the sentence fits the condition');
SELECT results_eq('SELECT channel, target FROM vigil.outbox ORDER BY 1', $$VALUES ('email', 'ops@example.com'), ('webhook', 'https://example.com/hook')$$, 'S0-111, S0-112: both channels are told through the outbox');
SELECT results_eq($$SELECT key FROM vigil.outbox, jsonb_object_keys(body) AS key WHERE channel = 'webhook' ORDER BY 1$$,
  $$SELECT k COLLATE "default" FROM unnest(ARRAY['alertId','alertType','currentValue','metric','moduleId','severity','threshold','timestamp']) AS k ORDER BY 1$$, 'S0-112: exactly these keys');
SELECT matches((SELECT body ->> 'timestamp' FROM vigil.outbox LIMIT 1), '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'S0-112: the time is ISO 8601');

-- Resolving
SELECT id AS alert FROM vigil.alerts \gset
SELECT vigil.acknowledge_alert(:'alert', :v1) \g /dev/null
SELECT results_eq('SELECT status, acknowledged_by, acknowledged_at IS NOT NULL FROM vigil.alerts', format('VALUES (%L, %L::uuid, true)', 'acknowledged', :v1), 'S0-114: acknowledged by whom and when');
SELECT is(vigil.evaluate_alerts(), 0::bigint, 'D-51: an acknowledged alert is not opened again');
DELETE FROM vigil.events WHERE event_type = 'error';
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'S0-113: the condition clears');
SELECT results_eq('SELECT status, auto_resolved, resolved_at IS NOT NULL FROM vigil.alerts', $$VALUES ('resolved', true, true)$$, 'S0-113, D-53: resolved by itself, though acknowledged');
SELECT throws_ok(format('SELECT vigil.acknowledge_alert(%L)', :'alert'), 'P0002', NULL, 'S0-114: a resolved alert cannot be acknowledged');
SELECT pg_temp.add('error', 9) \g /dev/null
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'S0-99: it can fire again');
SELECT vigil.resolve_alert(id, :v1) FROM vigil.alerts WHERE status = 'active' \g /dev/null
SELECT results_eq($$SELECT auto_resolved, resolved_by FROM vigil.alerts WHERE resolved_by IS NOT NULL$$, format('VALUES (false, %L::uuid)', :v1), 'S0-114: resolved by hand is not resolved by itself');
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'S0-114: while the condition holds it fires anew');
SELECT vigil.update_alert_rule(:'rule', enabled => false) \g /dev/null
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'D-52: the alert of a disabled rule is resolved');
SELECT is(vigil.evaluate_alerts(), 0::bigint, 'S0-99: a disabled rule never fires');
SELECT vigil.update_alert_rule(:'rule', enabled => true) \g /dev/null
SELECT vigil.evaluate_alerts() \g /dev/null
SELECT vigil.delete_alert_rule(:'rule') \g /dev/null
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'D-52: the alert of a deleted rule is resolved');

-- No data
SELECT pg_temp.rule('avg_api_latency', 'gt', 100, 'performance_degradation') AS rule \gset
SELECT pg_temp.add('api_call', 3, 500) \g /dev/null
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'S0-102: slow calls fire');
DELETE FROM vigil.events WHERE event_type = 'api_call';
SELECT is(vigil.evaluate_alerts(), 0::bigint, 'D-47: no data does not resolve');
SELECT pg_temp.rule('interaction_count', 'lt', 1, 'availability_issue') AS silence \gset
SELECT is(vigil.evaluate_alerts(), 1::bigint, 'S0-106: silence fires');

-- Spike against a baseline
SELECT pg_temp.rule('avg_render_time', 'spike', 50, 'performance_degradation') AS spike \gset
SELECT is((SELECT fires FROM vigil.judge_rules() WHERE rule_id = :'spike'), NULL, 'S0-105: without a baseline a spike says nothing');
INSERT INTO vigil.baselines (module_id, metric_name, baseline_mean) VALUES (:m1, 'render_time', 100);
DELETE FROM vigil.events WHERE event_type = 'render';
SELECT pg_temp.add('render', 1, 150) \g /dev/null
SELECT results_eq(format('SELECT current_value, expected_value, threshold_value, fires FROM vigil.judge_rules() WHERE rule_id = %L', :'spike'),
  'VALUES (150::float8, 100::float8, 150::float8, false)', 'S0-105, D-45: mean 100 and 50 percent: 150 is no spike');
UPDATE vigil.events SET duration_ms = 150.01 WHERE event_type = 'render';
SELECT is((SELECT fires FROM vigil.judge_rules() WHERE rule_id = :'spike'), true, 'S0-105: 150.01 is one');
INSERT INTO vigil.baselines (module_id, metric_name, baseline_mean) VALUES (:m1, 'avg_render_time', 200);
SELECT is((SELECT fires FROM vigil.judge_rules() WHERE rule_id = :'spike'), false, 'D-43: a baseline of the metric''s own name wins');
UPDATE vigil.alert_rules SET min_samples = 1000 WHERE id = :'silence';
SELECT is((SELECT fires FROM vigil.judge_rules() WHERE rule_id = :'silence'), NULL, 'D-46: too few samples say nothing');

-- All modules and windows are judged at once, as plain SQL judges each
INSERT INTO vigil.events (module_id, event_type, event_name, duration_ms, created_at, session_id)
SELECT m, (ARRAY['render', 'api_call', 'error'])[1 + n % 3], 'e', n % 40, now() - n * n * interval '0.3 s', 's' || n % 17
FROM unnest(ARRAY[:m1, :m2]::uuid[]) AS m, generate_series(1, 110) AS n WHERE m = :m1 OR n % 2 = 0;
SELECT vigil.create_alert_rule(m, 'error_spike', k, 'gt', 0, window_minutes => w, min_samples => w, name => 'many')
FROM unnest(ARRAY[:m1, :m2, gen_random_uuid()]::uuid[]) AS m, unnest('{1,2,5,60,90}'::integer[]) AS w,
     unnest('{error_count,error_rate,p95_render_time,unique_sessions,avg_api_latency}'::text[]) AS k \g /dev/null
CREATE VIEW pg_temp.wrong_rules AS
SELECT j.module_id, r.metric, r.window_minutes, j.current_value, j.samples
FROM vigil.judge_rules() j JOIN vigil.alert_rules r ON r.id = j.rule_id WHERE r.name = 'many'
EXCEPT
SELECT r.module_id, r.metric, r.window_minutes,
       CASE r.metric WHEN 'error_count' THEN t.errors WHEN 'error_rate' THEN (100.0 * t.errors / nullif(t.events, 0))::float8
                     WHEN 'p95_render_time' THEN t.p95 WHEN 'unique_sessions' THEN t.sessions WHEN 'avg_api_latency' THEN t.mean END, t.events
FROM vigil.alert_rules r, LATERAL (
  SELECT count(*) AS events, count(*) FILTER (WHERE e.event_type = 'error') AS errors, count(DISTINCT e.session_id) AS sessions,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY e.duration_ms) FILTER (WHERE e.event_type = 'render') AS p95,
         avg(e.duration_ms) FILTER (WHERE e.event_type = 'api_call') AS mean
  FROM vigil.events e WHERE e.module_id = r.module_id AND e.created_at >= now() - make_interval(mins => r.window_minutes) AND e.created_at <= now()) t
WHERE r.name = 'many';
SELECT is((SELECT count(*) FROM vigil.judge_rules()), (SELECT count(*) FROM vigil.alert_rules), 'S0-99: every rule of every module is judged, also those of modules without facts');
SELECT is_empty('TABLE pg_temp.wrong_rules', 'S0-99, S0-100: as its own facts say, while they are marked');
SELECT vigil.rollup() \g /dev/null
SELECT is_empty('TABLE pg_temp.wrong_rules', 'S0-99, S0-100: and rolled up');

-- Baselines learned
TRUNCATE vigil.baselines, vigil.events;
SELECT vigil.rollup(100000) \g /dev/null
INSERT INTO vigil.events (module_id, event_type, event_name, duration_ms, created_at)
SELECT :m1, 'render', 'e', n, now() - interval '2 hours' FROM generate_series(1, 50) AS n;
SELECT ok(vigil.refresh_baselines() > 0, 'S0-15: baselines are learned');
SELECT results_eq($$SELECT baseline_mean, baseline_p50, baseline_p95, sample_count, sample_period_start = sample_period_end FROM vigil.module_performance_baselines WHERE metric_name = 'render_time'$$,
  'VALUES (25.50, 25.00, 48.00, 50, true)', 'S0-14: mean, nearest rank percentiles and samples of the durations');
SELECT count(*) AS before FROM vigil.baselines \gset
SELECT vigil.refresh_baselines() \g /dev/null
SELECT is((SELECT count(*) FROM vigil.baselines), :before::bigint, 'S0-15: a second run updates in place');
SELECT throws_ok($$SELECT vigil.refresh_baselines('0')$$, '22023', NULL, 'S0-15: a period of nothing is refused');

-- Texts
SELECT results_eq($$SELECT vigil.alert_title(t) FROM unnest(ARRAY['performance_degradation','error_spike','availability_issue','usage_anomaly','x']) AS t$$,
  $$VALUES ('Performance Degradation Detected'), ('Error Rate Spike Detected'), ('Availability Issue Detected'), ('Unusual Usage Pattern Detected'), ('Alert Triggered')$$, 'S0-109: five titles');
SELECT is(vigil.alert_description('error_rate', 'gt', 12.345, 5, 15), 'error_rate is 12.35, which exceeds the threshold of 5.00 over the last 15 minutes.', 'S0-110: the sentence, rounded half away from zero');

-- Bad rules
SELECT throws_ok($$SELECT pg_temp.rule('nonsense', 'gt', 1)$$, '23514', NULL, 'S0-98: unknown metric');
SELECT throws_ok($$SELECT pg_temp.rule('error_rate', 'above', 1)$$, '23514', NULL, 'S0-98: unknown condition');
SELECT throws_ok($$SELECT pg_temp.rule('error_rate', 'gt', 'NaN')$$, '23514', NULL, 'S0-98: NaN is no threshold');
SELECT throws_ok($$SELECT pg_temp.rule('error_rate', 'gt', 1, 'nonsense')$$, '23514', NULL, 'S0-17: unknown type');
SELECT throws_ok(format('SELECT vigil.update_alert_rule(%L, window_minutes => 0)', :'spike'), '23514', NULL, 'S0-98: a window of 0 minutes');
SELECT throws_ok(format('SELECT vigil.update_alert_rule(%L, severity => %L)', :'spike', 'fatal'), '23514', NULL, 'S0-17: unknown severity');
SELECT throws_ok(format('SELECT vigil.update_alert_rule(%L, notify_webhook => %L)', :'spike', 'file:///etc/passwd'), '23514', NULL, 'D-55: only http and https');
SELECT throws_ok($$SELECT vigil.delete_alert_rule(NULL)$$, 'P0002', NULL, 'S0-20: no such rule');

SELECT * FROM finish();
ROLLBACK;
