CREATE OR REPLACE FUNCTION vigil.being_restored() RETURNS boolean
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM pg_locks l
                 WHERE l.locktype = 'advisory' AND l.classid = 1986619241 AND l.objsubid = 2 AND l.granted
                   AND l.objid = (hashtext('being restored')::bigint & 4294967295)::oid
                   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND l.pid <> pg_backend_pid())
      OR EXISTS (SELECT FROM pg_stat_activity a
                 WHERE a.datname = current_database() AND a.application_name = 'pg_restore'
                   AND a.pid <> pg_backend_pid())
$$;
COMMENT ON FUNCTION vigil.being_restored() IS
  'Whether another session restores a dump into this database: what is not complete must not be rolled up, judged or expired, so the jobs do nothing meanwhile.';

-- Only what pg_dump writes turns row_security off. The lock ends with the session that restores; what
-- pg_restore does in further sessions is known by their name.
SELECT pg_catalog.pg_advisory_lock_shared(1986619241, pg_catalog.hashtext('being restored'))
WHERE pg_catalog.current_setting('row_security') = 'off';

-- What pg_dump takes along: users' data, settings and state. Partitions of the fact tables are no
-- members of the extension and are dumped as any table. One call per statement: two in one would
-- update the same catalog row twice.
SELECT pg_catalog.pg_extension_config_dump('vigil.secrets', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.modules', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rate_limits', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.quotas', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.versions', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.received_ids', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.quarantine', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rejected', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.partition_policy', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.retired_partitions', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.kept_errors', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.managed_tables', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.detached_tables', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.dirty', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.dirty_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cells_minute', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cells_hour', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cells_day', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.late_cells', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cell_policy', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rollup_state', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rollup_turns', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rollup_differences', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.verify_state', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.fingerprint_rules', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.error_groups', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.error_fingerprints', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.error_group_log', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.error_group_log_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.error_priority_rules', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.grouping_settings', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.baselines', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.alert_rules', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.alerts', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.outbox', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.outbox_sequence_seq', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.delivery_attempts', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.job_settings', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.job_state', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.job_history', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.log_templates', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.log_template_overflow', '');
