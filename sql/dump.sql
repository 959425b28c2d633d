-- What pg_dump takes along: users' data, settings and state. Partitions of the fact tables are no
-- members of the extension and are dumped as any table. One call per statement: two in one would
-- update the same catalog row twice.
SELECT pg_catalog.pg_extension_config_dump('vigil.secrets', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.modules', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.versions', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.received_ids', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.quarantine', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rejected', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.partition_policy', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.dirty', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.dirty_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cells_minute', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cells_hour', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.cells_day', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.rollup_state', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.error_groups', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.baselines', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.alert_rules', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.alerts', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.outbox', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.outbox_sequence_seq', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.delivery_attempts', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.job_settings', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.job_state', '');
SELECT pg_catalog.pg_extension_config_dump('vigil.job_history', '');
