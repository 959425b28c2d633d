-- Who may do what.
BEGIN;
\ir include/setup.sql
SELECT plan(55);
CREATE ROLE vigil_test_writer;
CREATE ROLE vigil_test_reader;
CREATE ROLE vigil_test_nobody;
SELECT vigil.grant_ingest('vigil_test_writer'), vigil.grant_read('vigil_test_reader') \g /dev/null
GRANT USAGE ON SCHEMA public TO PUBLIC;

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vigil'::regnamespace AND p.prosecdef
  AND NOT coalesce(p.proconfig::text, '') ~ 'search_path=pg_catalog, vigil, pg_temp'$$, 'design 10: every SECURITY DEFINER function pins its search_path');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'vigil'::regnamespace AND a.grantee = 0$$, 'design 10: PUBLIC has no table or view');
SELECT is(has_schema_privilege('vigil_test_nobody', 'vigil', 'USAGE'), false, 'design 10: PUBLIC does not even see the schema');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'vigil'::regnamespace AND c.relkind IN ('r', 'p', 'v')
  AND has_table_privilege('vigil_test_writer', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')$$, 'design 10: a writer touches no table and no view');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'vigil'::regnamespace AND c.relkind IN ('r', 'p')
  AND has_table_privilege('vigil_test_reader', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')$$, 'design 10: a reader touches no table');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'vigil'::regnamespace AND c.relname LIKE 'module\_%' AND c.relkind = 'v'
  AND NOT has_table_privilege('vigil_test_reader', c.oid, 'SELECT')$$, 'design 10: a reader reads every dashboard view');

-- Functions that change nothing and read no table are harmless; all others need a grant.
SELECT results_eq($$SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'vigil'::regnamespace AND (p.prosecdef OR p.provolatile = 'v')
    AND has_function_privilege('vigil_test_writer', p.oid, 'EXECUTE') ORDER BY p.proname, p.oid::regprocedure::text$$,
  $$VALUES ('vigil.capture_exception(text,text,text,text,text,uuid,jsonb,jsonb,text,text,text,text,text,text,boolean)'),
           ('vigil.capture_sentry(uuid,bytea)'), ('vigil.capture_sentry(uuid,text)'), ('vigil.track_async(jsonb)'),
           ('vigil.track_batch(bytea)'), ('vigil.track_batch(jsonb)'), ('vigil.track_batch(text)'),
           ('vigil.track_columns(uuid,timestamp with time zone[],text[],text[],text[],double precision[],boolean[],text[],text[],uuid[],uuid[],double precision[],text[],bigint[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],text[],jsonb[],jsonb[],double precision[],uuid[])'),
           ('vigil.track_error(jsonb)'), ('vigil.track_event(jsonb)')$$, 'design 10: a writer calls the ingest functions and no other that writes or has rights of its own');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vigil'::regnamespace AND (p.prosecdef OR p.provolatile = 'v')
  AND has_function_privilege('vigil_test_nobody', p.oid, 'EXECUTE')$$, 'design 10: PUBLIC calls none of them');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vigil'::regnamespace AND p.provolatile = 'v'
  AND has_function_privilege('vigil_test_reader', p.oid, 'EXECUTE')$$, 'design 10: a reader calls nothing that writes');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'vigil'::regnamespace AND c.relkind = 'S'
  AND (has_sequence_privilege('vigil_test_writer', c.oid, 'USAGE, SELECT, UPDATE') OR has_sequence_privilege('vigil_test_reader', c.oid, 'USAGE, SELECT, UPDATE'))$$,
  'design 10: sequences are for nobody');
-- An object of this name in a schema that a caller controls must not be found by functions with rights of their own.
CREATE SCHEMA vigil_test_trap;
CREATE FUNCTION vigil_test_trap.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz $$;
GRANT USAGE ON SCHEMA vigil_test_trap TO PUBLIC;

SET LOCAL ROLE vigil_test_writer;
SET LOCAL search_path = vigil_test_trap, pg_catalog, public;
SELECT is((vigil.track_event('{"moduleId": "11111111-1111-4111-8111-111111111111", "eventType": "render", "eventName": "e"}')).accepted, 1, 'design 10: a writer sends events');
SELECT is((vigil.track_error('{"moduleId": "11111111-1111-4111-8111-111111111111", "errorType": "api", "errorName": "E", "errorMessage": "m"}')).accepted, 1, 'design 10: and errors');
SELECT throws_ok('SELECT * FROM vigil.secrets', '42501', NULL, 'design 10: but reads no secret');
SELECT throws_ok('SELECT vigil.rollup()', '42501', NULL, 'design 10: runs no job');
SELECT throws_ok($$SELECT vigil.evaluate_alerts()$$, '42501', NULL, 'design 10: judges no rule');
SELECT throws_ok('SELECT * FROM vigil.maintain_partitions()', '42501', NULL, 'design 10: makes no partition');
SELECT throws_ok('SHOW vigil.ip_hash_key', '42501', NULL, 'design 10: the key of IP addresses is not shown');
SELECT throws_ok(format('SELECT count(*) FROM vigil.%s', reading), '42501', NULL, 'design 10: and learns nothing from vigil.' || reading)
FROM unnest(ARRAY['events', 'error_groups', 'cells', 'module_events', 'module_analytics_daily', 'partitions', 'versions',
                  $$window_cells('11111111-1111-4111-8111-111111111111', now() - interval '1 day', now())$$, $$live_hour('11111111-1111-4111-8111-111111111111', now())$$,
                  $$raw_cells('11111111-1111-4111-8111-111111111111', now() - interval '1 day', now())$$,
                  $$metric_values('11111111-1111-4111-8111-111111111111', now() - interval '1 day', now())$$, 'judge_rules()']) AS reading;
RESET search_path;
SET LOCAL ROLE vigil_test_reader;
SELECT lives_ok('SELECT * FROM vigil.' || name, 'design 10: a reader reads vigil.' || name)
FROM unnest('{error_group_activity,error_group_fingerprints,module_events,module_analytics_hourly,module_analytics_daily,module_errors,module_error_groups,module_performance_baselines,module_alerts,module_alert_rules,metrics,partitions,partition_status,rollup_lag,late_facts,jobs}'::text[]) AS name;
SELECT is((SELECT total_renders FROM vigil.module_analytics_hourly), 1, 'design 10: a reader reads analytics with open marks');
SELECT is((SELECT total_occurrences FROM vigil.module_error_groups), 1, 'design 10: and error groups');
SELECT is((SELECT sum(events) > 0 FROM vigil.series('11111111-1111-4111-8111-111111111111', now() - interval '1 day', now() + interval '1 hour')), true, 'design 10: and series');
SELECT is((SELECT jsonb_array_length(hourly_breakdown) FROM vigil.module_analytics_daily), 1, 'design 10: and days');
SELECT is((SELECT count(*) FROM (SELECT to_jsonb(v) FROM vigil.module_error_groups v) t), 1::bigint, 'design 10: every column of groups');
SELECT is((SELECT count(*) FROM vigil.list_error_groups('11111111-1111-4111-8111-111111111111')), 1::bigint, 'design 10: lists of groups');
SELECT is((vigil.error_group_counts('11111111-1111-4111-8111-111111111111')).open_count, 1::bigint, 'design 10: their counts');
SELECT throws_ok($$SELECT vigil.merge_groups(NULL, NULL)$$, '42501', NULL, 'design 10: but merges none');
SELECT throws_ok($$SELECT vigil.track_event('{}')$$, '42501', NULL, 'design 10: and sends nothing');
SELECT throws_ok('SELECT * FROM vigil.events', '42501', NULL, 'design 10: and reads no raw table');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
