-- The doctor: each check finds what it is for, and nothing when that is mended. What takes workers, other sessions or a restart is in
-- test/t/120_doctor.pl.
BEGIN;
\ir include/setup.sql
SELECT plan(71);

-- What is found in an area, as severity, subject and problem.
CREATE FUNCTION pg_temp.found(wanted text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(d.severity || ' ' || d.subject || ': ' || d.problem, E'\n') FROM vigil.doctor() d WHERE d.area = wanted $$;
-- Does what the doctor says.
CREATE FUNCTION pg_temp.mend(wanted text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE remedy text;
BEGIN
  FOR remedy IN SELECT d.remedy FROM vigil.doctor() d WHERE d.area = wanted LOOP
    EXECUTE remedy;
  END LOOP;
END $$;
CREATE FUNCTION pg_temp.finds(area text, what text, why text) RETURNS text LANGUAGE sql AS $$ SELECT matches(pg_temp.found(area), what, why) $$;
CREATE FUNCTION pg_temp.well(area text, why text) RETURNS text LANGUAGE sql AS $$ SELECT is(pg_temp.found(area), NULL, why) $$;
-- Every job has just run.
INSERT INTO vigil.job_state (name, next_run_at, last_started_at, last_finished_at, runs)
SELECT name, now() + run_every, now(), now(), 1 FROM vigil.job_settings;
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

SELECT is_empty($$SELECT * FROM vigil.doctor() WHERE area NOT IN ('workers', 'settings')$$, 'all is well: no row');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'vigil'::regnamespace AND prorettype = 'vigil.finding'::regtype
           AND (pronargs <> pronargdefaults OR proname NOT LIKE 'check\_%' OR provolatile <> 's')), 0::bigint, 'every check is called, and changes nothing');

-- Who may ask
CREATE ROLE vigil_test_monitor IN ROLE pg_monitor;
CREATE ROLE vigil_test_other;
SET LOCAL ROLE vigil_test_monitor;
SELECT lives_ok('SELECT * FROM vigil.doctor()', 'who watches the server may ask');
SELECT throws_ok('SELECT * FROM vigil.check_jobs()', '42501', NULL, 'but looks into no table');
SELECT throws_ok('SELECT * FROM vigil.rejected', '42501', NULL, 'nor reads what was sent');
SET LOCAL ROLE vigil_test_other;
SELECT throws_ok('SELECT * FROM vigil.doctor()', '42501', NULL, 'nobody else may');
RESET ROLE;

-- A check that cannot look
ALTER TABLE vigil.rejected RENAME TO refused;
SELECT pg_temp.finds('ingest', '^warning ingest: the check could not look \(SQLSTATE 42P01\): relation "vigil.rejected" does not exist$', 'a check that fails says so');
SELECT pg_temp.well('rollup', 'and hinders no other');
ALTER TABLE vigil.refused RENAME TO rejected;
SELECT pg_temp.well('ingest', 'until it can look again');

-- Version
UPDATE pg_extension SET extversion = '0.0.0' WHERE extname = 'pg_vigil';
SELECT pg_temp.finds('version', '^critical extension pg_vigil: the database has version 0.0.0, the library is version ', 'versions that differ');
UPDATE pg_extension SET extversion = vigil.version() WHERE extname = 'pg_vigil';
SELECT pg_temp.well('version', 'equal versions');

-- Preload
SELECT CASE WHEN vigil.is_preloaded() THEN skip('the server preloads the library', 3) ELSE collect_tap(
  matches((SELECT string_agg(remedy, ' ') FROM vigil.check_preload('0')), 'ALTER SYSTEM SET shared_preload_libraries = .*''pg_vigil''; -- then restart', 'nobody runs the jobs'),
  pg_temp.well('preload', 'pg_cron may run them'),
  pg_temp.well('pg_cron', 'which is no fault then')) END;

-- Jobs
SELECT vigil.pause_job('rollup');
SELECT pg_temp.finds('jobs', '^info rollup: job "rollup" is paused$', 'a paused job');
SELECT pg_temp.mend('jobs');
SELECT pg_temp.well('jobs', 'which the remedy resumes');
CREATE FUNCTION pg_temp.run(sqlstate text DEFAULT NULL, error text DEFAULT NULL, hint text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  SELECT vigil.finish_job('rollup', vigil.start_job('rollup'), 1, 1, false, sqlstate, error, 'Key (module_id)=(x) is secret.', hint, NULL) $$;
SELECT pg_temp.run('53100', 'could not extend file "base/1/2": No space left on device');
SELECT pg_temp.finds('jobs', '^warning rollup: job "rollup" has failed once, last at .*: could not extend file "base/1/2": No space left on device$',
  'a job that failed: without details, which may be what somebody sent');
SELECT is((SELECT remedy FROM vigil.check_jobs()), 'The disk is full: free or add space; the job is tried again by itself.', 'a full disk in words');
SELECT pg_temp.run('57014', 'canceling statement due to statement timeout');
SELECT is((SELECT remedy FROM vigil.check_jobs()),
  'A step may take 00:05:00: find out what it waited for, or SELECT vigil.alter_job(''rollup'', step_timeout => interval ''00:10:00'');', 'a timeout in words');
SELECT pg_temp.run('22012', 'division by zero', 'Divide by one.');
SELECT pg_temp.finds('jobs', '^critical rollup: job "rollup" has failed 3 times in a row, last at .*: division by zero$', 'three times in a row is critical');
SELECT is((SELECT remedy FROM vigil.check_jobs()), 'Divide by one.', 'the hint of the error is the remedy');
SELECT pg_temp.run();
SELECT pg_temp.well('jobs', 'a success ends it');
SELECT pg_advisory_lock(1986619241, hashtext('rollup')) \g /dev/null
UPDATE vigil.job_state SET last_started_at = now() - interval '11 minutes', running_pid = pg_backend_pid() WHERE name = 'rollup';
SELECT pg_temp.finds('jobs', '^critical rollup: job "rollup" has been running since .* in process \d+, longer than it may$', 'a job that does not end');
SELECT pg_advisory_unlock(1986619241, hashtext('rollup')) \g /dev/null
UPDATE vigil.job_state SET last_started_at = now(), running_pid = NULL WHERE name = 'rollup';
SELECT pg_temp.well('jobs', 'until it does');

-- Rollup
INSERT INTO vigil.dirty (module_id, minute, marked_at) VALUES (:m1, date_trunc('minute', now()), now());
SELECT pg_temp.well('rollup', 'an open minute waits for no roller');
INSERT INTO vigil.dirty (module_id, minute, marked_at) VALUES (:m1, date_trunc('hour', now()) - interval '1 hour', now() - interval '8 minutes');
SELECT pg_temp.finds('rollup', '^warning rollup: 1 marked minutes wait for the roller, the oldest since ', 'one that ended does');
UPDATE vigil.dirty SET marked_at = now() - interval '20 minutes';
SELECT pg_temp.finds('rollup', '^critical rollup: ', 'for long');
SELECT vigil.rollup() \g /dev/null
SELECT pg_temp.well('rollup', 'is gone when it was rolled up');

-- Cells
INSERT INTO vigil.rollup_differences (module_id, resolution, bucket, event_type, subject) VALUES (:m1, 'hour', now(), 'render', 'secret');
SELECT pg_temp.finds('cells', '^critical verify_rollups: 1 cells were not what their facts make, the last was found at ', 'what the verifier has found');
DELETE FROM vigil.rollup_differences;
SELECT pg_temp.well('cells', 'nothing');

-- Partitions
SELECT partition AS present, starts_at AS from_time, ends_at AS to_time FROM vigil.partitions WHERE parent = 'events' AND starts_at <= now() AND ends_at > now() \gset
SELECT partition AS future FROM vigil.partitions WHERE parent = 'errors' ORDER BY starts_at DESC LIMIT 1 \gset
DROP TABLE vigil.:"present", vigil.:"future";
SELECT pg_temp.finds('partitions', format('^critical events: vigil.events has no partition %s: what comes for that time waits in quarantine\nwarning errors: vigil.errors has no partition %s: ',
  :'present', :'future'), 'missing partitions, that of today first');
SELECT pg_temp.mend('partitions');
SELECT pg_temp.well('partitions', 'which the remedy makes');
DROP TABLE vigil.:"present";
CREATE TABLE vigil.:"present" (LIKE vigil.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
SELECT matches((SELECT remedy FROM vigil.check_partitions()), '^ALTER TABLE vigil.events ATTACH PARTITION vigil\.\w+ FOR VALUES FROM .*; -- a table of this name exists$',
  'a table of the name of a missing partition');
SELECT pg_temp.mend('partitions');
SELECT pg_temp.well('partitions', 'which the remedy attaches');
SELECT pg_temp.finds('partition_parts', format(E'^critical %1$s: table vigil.%1$s works without its triggers dirty_truncate: .*\nwarning %1$s: partition vigil.%1$s has no primary key$',
  :'present'), 'one without triggers and key');
SELECT pg_temp.mend('partition_parts');
SELECT pg_temp.well('partition_parts', 'which the remedies make');
ALTER TABLE vigil.:"present" DISABLE TRIGGER dirty_delete;
ALTER TABLE ONLY vigil.errors DISABLE TRIGGER dirty_insert;
SELECT pg_temp.finds('partition_parts', format(E'^critical errors: table vigil.errors works without its triggers dirty_insert: .*\ncritical %1$s: table vigil.%1$s works without its triggers dirty_delete: ',
  :'present'), 'triggers that are switched off');
SELECT pg_temp.mend('partition_parts');
UPDATE vigil.partition_policy SET indexes = '{(session_id)}' WHERE parent = 'events';
SELECT pg_temp.finds('partition_parts', format('info %1$s: partition vigil.%1$s has 0 indexes besides its key, the policy of vigil.events names 1', :'present'), 'an index of the policy is missing');
UPDATE vigil.partition_policy SET indexes = '{}' WHERE parent = 'events';
SELECT pg_temp.well('partition_parts', 'no trigger and no index is missing');
UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = format('vigil.%I', :'present')::regclass;
SELECT is((SELECT string_agg(remedy, ' ') FROM vigil.doctor() WHERE problem ~ 'DETACH'), format('ALTER TABLE vigil.events DETACH PARTITION vigil.%s FINALIZE;', :'present'), 'an interrupted DETACH');
UPDATE pg_inherits SET inhdetachpending = false WHERE inhrelid = format('vigil.%I', :'present')::regclass;
SELECT pg_temp.well('partitions', 'finished');

-- Retention
SELECT count(*) FROM vigil.maintain_partitions('events', now() - interval '400 days') \g /dev/null
SELECT pg_temp.finds('retention', '^warning events_y\d+m\d+: partition vigil.events_y\d+m\d+ is kept beyond the retention of 90 days: it may go, but was not detached', 'an old partition that stays');
INSERT INTO vigil.dirty (module_id, minute) SELECT :m1, starts_at FROM vigil.partitions ORDER BY starts_at LIMIT 1;
SELECT pg_temp.finds('retention', 'is kept beyond the retention of 90 days: minute .* waits for the roller', 'and why');
DELETE FROM vigil.dirty;
DO $$ BEGIN WHILE vigil.retire_partitions() > 0 LOOP END LOOP; END $$;
SELECT pg_temp.well('retention', 'until it goes');
UPDATE vigil.retired_partitions SET problem = 'a view needs it' WHERE partition = (SELECT min(partition) FROM vigil.retired_partitions);
SELECT pg_temp.finds('retention', '^warning events_y\w+: table vigil.events_y\w+ was closed at .*, but not dropped: a view needs it$', 'one that could not be dropped');
UPDATE vigil.retired_partitions SET problem = NULL;
SELECT pg_temp.well('retention', 'until it can');

-- Tables of users
INSERT INTO vigil.managed_tables (name, owner, problem, problem_at) VALUES ('shop.orders', 'shop', 'its owner may not create in schema "old"', now());
INSERT INTO vigil.detached_tables (name, parent, starts_at, ends_at, bytes, finish_after, problem, table_oid)
VALUES ('shop.orders_y2025m01', 'shop.orders', '2025-01-01', '2025-02-01', 0, now(), 'export() said no', 1);
SELECT pg_temp.finds('managed_tables', '^warning shop.orders: partitions of shop.orders cannot be looked after since .*: its owner may not create in schema "old"\nwarning shop.orders_y2025m01: shop.orders_y2025m01 was to go at .* and is still there: export\(\) said no$',
  'a table of a user that cannot be looked after');
DELETE FROM vigil.managed_tables;
UPDATE vigil.detached_tables SET table_oid = NULL, problem = 'it comes from a dump';
SELECT pg_temp.finds('managed_tables', '^warning shop.orders_y2025m01: .* it comes from a dump$', 'a detached table that comes from a dump');
SELECT results_eq($$SELECT remedy FROM vigil.doctor() WHERE problem ~ 'dump'$$,
  $$VALUES ('DROP TABLE shop.orders_y2025m01; -- or keep it: DELETE FROM vigil.detached_tables WHERE name = ''shop.orders_y2025m01'';')$$, 'and whose it is to drop');
DELETE FROM vigil.detached_tables;
SELECT pg_temp.well('managed_tables', 'none');

-- Quarantine
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('timestamp', now() - interval '70 days'))) \g /dev/null
SELECT pg_temp.finds('quarantine', '^info events: 1 events from .* to .* wait in quarantine: they are older than the policy makes partitions for$', 'an event in quarantine, and why');
SELECT pg_temp.mend('quarantine');
SELECT pg_temp.finds('quarantine', '^warning events: 1 events .*: their partition is missing$', 'with another policy');
SELECT pg_temp.mend('quarantine');
SELECT pg_temp.finds('quarantine', '^warning events: 1 events .*: their partition exists, but they were not stored yet$', 'with its partition');
SELECT vigil.replay_quarantine() \g /dev/null
SELECT pg_temp.well('quarantine', 'stored');

-- Disk
SELECT count(*) FROM vigil.maintain_partitions('events', now() - interval '80 days') \g /dev/null
UPDATE vigil.partition_policy SET retention = NULL WHERE parent = 'events';  -- else it holds less than there is
SELECT cmp_ok(vigil.free_disk_bytes(), '>', 0::bigint, 'the free space of the disk');
SELECT matches((SELECT severity || ': ' || problem FROM vigil.check_disk('7 days', 1)), '^critical: the disk has 1 bytes left and is full by .*: \d+ bytes come on a day$', 'a disk that will be full');
SELECT is_empty('SELECT * FROM vigil.check_disk(''7 days'', 1000000000000000)', 'or not');
SELECT pg_temp.well('disk', 'nor this one');

-- Ingest
SELECT vigil.track_batch('[{"moduleId": "secret"}, 1]') \g /dev/null
SELECT pg_temp.finds('ingest', '^warning track_batch: vigil.track_batch refused 1 items with SQLSTATE \w+ in the last hour\nwarning track_batch: vigil.track_batch refused 1 items', 'refused items');
SELECT is((SELECT count(*) FROM vigil.doctor() d WHERE d::text ~ 'secret'), 0::bigint, 'but nothing of what was sent');
DELETE FROM vigil.rejected;
SELECT pg_temp.well('ingest', 'none');

-- Delivery
INSERT INTO vigil.outbox (module_id, target, group_key, body, status, attempts, last_http_status) VALUES
  (:m1, 'http://token@192.0.2.1/secret', 'a', '{}', 'dead', 10, 500), (:m1, 'http://token@192.0.2.1/secret', 'b', '{}', 'pending', 3, 503);
SELECT pg_temp.finds('delivery', '^critical webhook: 1 notifications by webhook were given up since yesterday; the last answers were 500\nwarning webhook: 1 notifications by webhook fail and are tried again, the oldest since .*; the last answers were 503$', 'deliveries that fail');
SELECT pg_temp.mend('delivery');
DELETE FROM vigil.outbox WHERE group_key = 'b';
SELECT pg_temp.well('delivery', 'redelivered');
UPDATE vigil.outbox SET next_attempt_at = now() - interval '10 minutes';
SELECT pg_temp.finds('delivery', '^critical webhook: 1 notifications by webhook have waited since .* without an attempt$', 'one that nobody sends');
SELECT is((SELECT count(*) FROM vigil.doctor() d WHERE d::text ~ 'secret|token'), 0::bigint, 'targets are not told');
UPDATE vigil.outbox SET status = 'delivered';
SELECT pg_temp.well('delivery', 'sent');

-- Tables
ALTER TABLE vigil.dirty SET (autovacuum_enabled = off);
SELECT pg_temp.finds('tables', '^warning dirty: autovacuum is switched off for table vigil.dirty$', 'a table that is not vacuumed');
SELECT pg_temp.mend('tables');
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'vigil.outbox_due'::regclass;
SET LOCAL track_counts = off;
SELECT pg_temp.finds('tables', '^warning outbox_due: index vigil.outbox_due is not valid: .*\nwarning track_counts: track_counts is off: tables grow without limit$', 'an invalid index, and no statistics');
SET LOCAL track_counts = on;
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'vigil.outbox_due'::regclass;
SELECT pg_temp.well('tables', 'none');

-- Clock
UPDATE vigil.job_state SET last_started_at = now() + interval '1 hour' WHERE name = 'expire';
SELECT pg_temp.finds('clock', '^warning clock: the clock of the server was set back: job "expire" ran at .*, and now it is ', 'a clock that was set back');
UPDATE vigil.job_state SET last_started_at = now() WHERE name = 'expire';
SELECT pg_temp.well('clock', 'and caught up');

SELECT * FROM finish();
ROLLBACK;
