-- The extension as its own catalog tells: comments, keys, types of the dashboard views.
BEGIN;
\ir include/setup.sql
SELECT plan(17);

CREATE VIEW pg_temp.member AS
SELECT d.classid, d.objid FROM pg_depend d
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_vigil');

SELECT is_empty($$SELECT m.objid::regprocedure FROM pg_temp.member m WHERE m.classid = 'pg_proc'::regclass AND obj_description(m.objid, 'pg_proc') IS NULL$$, 'design 3: every function has a comment');
SELECT is_empty($$SELECT m.objid::regclass FROM pg_temp.member m JOIN pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_class'::regclass
  AND c.relkind IN ('r', 'p', 'v') AND obj_description(m.objid, 'pg_class') IS NULL$$, 'design 3: every table and view has a comment');
SELECT is_empty($$SELECT m.objid::regtype FROM pg_temp.member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass
  AND t.typelem = 0 AND (t.typtype IN ('b', 'd', 'e') OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
  AND obj_description(m.objid, 'pg_type') IS NULL$$, 'design 3: every type has a comment');
SELECT is_empty($$SELECT a.attrelid::regclass || '.' || a.attname FROM pg_temp.member m JOIN pg_class c ON c.oid = m.objid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE m.classid = 'pg_class'::regclass
  AND col_description(a.attrelid, a.attnum) IS NULL$$, 'design 3: every column of a table has a comment');
-- Not of a module: settings of the database, state of its jobs, and items whose module could not be read.
SELECT is_empty($$SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  WHERE c.relnamespace = 'vigil'::regnamespace AND i.indisunique
  AND c.relname NOT IN ('secrets', 'partition_policy', 'retired_partitions', 'managed_tables', 'detached_tables', 'rollup_state', 'cell_policy', 'verify_state', 'rejected', 'rate_limits', 'job_settings', 'job_state', 'job_history')
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'module_id' AND a.attnum = ANY (i.indkey))$$,
  'design 11: every unique key contains module_id');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE p.pronamespace = 'vigil'::regnamespace
  AND (p.proparallel <> 's' OR a.aggcombinefn = 0 OR a.aggtranstype = 'internal'::regtype)$$, 'design 11: every aggregate has a concrete state, a combine function and is parallel safe');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'
  AND EXISTS (SELECT FROM pg_temp.member m WHERE m.objid = c.oid)$$, 'design 5: nothing stands outside the schema');

-- A function in SQL that the planner can write into the query must not set anything; all others pin their path.
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_temp.member m JOIN pg_proc p ON p.oid = m.objid JOIN pg_language l ON l.oid = p.prolang
  WHERE m.classid = 'pg_proc'::regclass AND l.lanname NOT IN ('c', 'internal') AND NOT coalesce(p.proconfig::text, '') ~ 'search_path=pg_catalog, vigil, pg_temp'
  AND NOT (l.lanname = 'sql' AND NOT p.prosecdef AND p.provolatile <> 'v' AND (p.proretset AND NOT p.proisstrict OR p.prosrc !~* '\m(from|join)\s+vigil\.')) AND p.prokind <> 'p'$$,
  'design 10: every function but C and what can be inlined pins its search_path');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_temp.member m JOIN pg_proc p ON p.oid = m.objid
  WHERE m.classid = 'pg_proc'::regclass AND p.provolatile = 'i' AND p.proparallel <> 's'$$, 'design 11: what is immutable is parallel safe');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_temp.member m JOIN pg_proc p ON p.oid = m.objid
  WHERE m.classid = 'pg_proc'::regclass AND p.provolatile = 'v' AND p.proparallel = 's' AND p.proname NOT IN ('uuid_v7', 'judge_delivery', 'next_job_run', 'raise_again')$$,
  'design 11: what writes is not parallel safe; the exceptions draw random bits or raise an error');

CREATE FUNCTION pg_temp.columns_of(wanted text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) FROM information_schema.columns
  WHERE table_schema = 'vigil' AND table_name = wanted $$;
SELECT is(pg_temp.columns_of('module_events'),
  'id uuid, module_id uuid, version_id uuid, site_id uuid, event_type text, event_name text, event_category text, payload jsonb, metadata jsonb, duration_ms integer, memory_usage_kb integer, page_path text, session_id text, user_agent text, ip_hash text, country_code text, created_at timestamp with time zone', 'S0-01: columns and types of module_events');
SELECT is(pg_temp.columns_of('module_analytics_hourly'),
  'id uuid, module_id uuid, version_id uuid, hour_bucket timestamp with time zone, total_renders integer, unique_sites integer, unique_sessions integer, avg_render_time_ms numeric, p50_render_time_ms numeric, p95_render_time_ms numeric, p99_render_time_ms numeric, max_render_time_ms integer, total_api_calls integer, api_success_count integer, api_error_count integer, avg_api_latency_ms numeric, total_errors integer, error_breakdown jsonb, total_interactions integer, interaction_breakdown jsonb, avg_memory_kb numeric, max_memory_kb integer, country_breakdown jsonb, created_at timestamp with time zone', 'S0-05: columns and types of module_analytics_hourly');
SELECT is(pg_temp.columns_of('module_analytics_daily'),
  'id uuid, module_id uuid, version_id uuid, date_bucket date, total_renders integer, unique_sites integer, unique_sessions integer, total_api_calls integer, total_errors integer, total_interactions integer, avg_render_time_ms numeric, p95_render_time_ms numeric, error_rate numeric, api_success_rate numeric, hourly_breakdown jsonb, error_breakdown jsonb, country_breakdown jsonb, device_breakdown jsonb, browser_breakdown jsonb, created_at timestamp with time zone', 'S0-07: columns and types of module_analytics_daily');
SELECT is(pg_temp.columns_of('module_errors'),
  'id uuid, module_id uuid, version_id uuid, site_id uuid, error_type text, error_name text, error_message text, error_stack text, error_fingerprint text, file_path text, line_number integer, column_number integer, browser text, browser_version text, os text, device_type text, country_code text, page_path text, page_title text, module_state jsonb, module_settings jsonb, session_id text, is_resolved boolean, resolved_at timestamp with time zone, resolved_by uuid, resolution_notes text, first_seen_at timestamp with time zone, last_seen_at timestamp with time zone, occurrence_count integer, created_at timestamp with time zone', 'S0-09: columns and types of module_errors');
SELECT is(pg_temp.columns_of('module_error_groups'),
  'id uuid, module_id uuid, error_fingerprint text, error_type text, error_name text, error_message text, sample_stack text, total_occurrences integer, affected_sites integer, affected_sessions integer, first_seen_at timestamp with time zone, last_seen_at timestamp with time zone, status text, priority text, assigned_to uuid, affected_versions ARRAY, notes text, resolution_commit text, resolved_in_version uuid, created_at timestamp with time zone, updated_at timestamp with time zone', 'S0-11: columns and types of module_error_groups');
SELECT is(pg_temp.columns_of('module_performance_baselines'),
  'id uuid, module_id uuid, version_id uuid, metric_name text, baseline_mean numeric, baseline_stddev numeric, baseline_p50 numeric, baseline_p95 numeric, baseline_p99 numeric, sample_count integer, sample_period_start timestamp with time zone, sample_period_end timestamp with time zone, warning_threshold numeric, critical_threshold numeric, created_at timestamp with time zone, updated_at timestamp with time zone', 'S0-14: columns and types of module_performance_baselines');
SELECT is(pg_temp.columns_of('module_alerts'),
  'id uuid, module_id uuid, alert_type text, severity text, title text, description text, metric_name text, current_value numeric, expected_value numeric, threshold_value numeric, affected_sites integer, affected_sessions integer, status text, acknowledged_at timestamp with time zone, acknowledged_by uuid, resolved_at timestamp with time zone, resolved_by uuid, auto_resolved boolean, created_at timestamp with time zone', 'S0-16: columns and types of module_alerts');

SELECT * FROM finish();
ROLLBACK;
