CREATE OR REPLACE FUNCTION vigil.grant_ingest(role regrole) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA vigil TO %s', role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION vigil.track_event(jsonb), vigil.track_batch(jsonb), '
                 'vigil.track_batch(text), vigil.track_batch(bytea), vigil.track_columns, '
                 'vigil.track_error(jsonb), vigil.capture_sentry(uuid, text), '
                 'vigil.capture_sentry(uuid, bytea), vigil.track_async(jsonb), '
                 'vigil.capture_exception(text, text, text, text, text, uuid, jsonb, jsonb, text, text, text, '
                 'text, text, text, boolean) TO %s', role);
END $$;
COMMENT ON FUNCTION vigil.grant_ingest(regrole) IS
  'Lets a role write through the ingest functions, and nothing else.';

CREATE OR REPLACE FUNCTION vigil.grant_read(role regrole) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA vigil TO %s', role);
  EXECUTE format('GRANT SELECT ON vigil.module_events, vigil.module_analytics_hourly, '
                 'vigil.module_analytics_daily, vigil.module_errors, vigil.module_error_groups, '
                 'vigil.module_performance_baselines, vigil.module_alerts, vigil.module_alert_rules, '
                 'vigil.module_log_templates, '
                 'vigil.error_group_activity, vigil.error_group_fingerprints, '
                 'vigil.metrics, vigil.partitions, vigil.partition_status, vigil.rollup_lag, vigil.late_facts, vigil.jobs TO %s', role);
  -- Tables of a view are read as its owner, but its functions run as who reads the view: those that
  -- read tables are SECURITY DEFINER, and so not for everybody.
  EXECUTE format('GRANT EXECUTE ON FUNCTION vigil.time_zone_of(uuid), vigil.live_hour(uuid, timestamptz), '
                 'vigil.live_day(uuid, timestamptz, timestamptz), '
                 'vigil.error_group_counts(uuid), vigil.fingerprint_scheme_of(uuid), '
                 'vigil.hourly_breakdown(uuid, uuid, timestamptz, text), vigil.server_module(), '
                 'vigil.window_stats(uuid, timestamptz, timestamptz, text, text, uuid, text), '
                 'vigil.series(uuid, timestamptz, timestamptz, interval, text, text, uuid, text, text) TO %s', role);
END $$;
COMMENT ON FUNCTION vigil.grant_read(regrole) IS
  'Lets a role read the views that dashboards use, of all modules.';

-- Nothing is for everybody: the two functions above say what a role may do.
REVOKE ALL ON ALL TABLES IN SCHEMA vigil FROM PUBLIC;
DO $$
DECLARE
  routine regprocedure;
BEGIN
  FOR routine IN
    SELECT p.oid FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'vigil'::regnamespace AND (p.prosecdef OR p.provolatile = 'v')
  LOOP
    EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', routine);
  END LOOP;
END $$;
