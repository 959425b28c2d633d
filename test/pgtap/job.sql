-- Contracts of jobs and deliveries. Runs commit, so this file is no transaction: it makes the
-- extension and drops it at its end. Where pg_vigil is preloaded its workers would run the jobs too.
\set QUIET on
SET client_min_messages = error;
DROP EXTENSION IF EXISTS pg_vigil CASCADE;
\ir include/setup.sql
CREATE EXTENSION IF NOT EXISTS dblink;
SELECT current_setting('shared_preload_libraries') ~ '\mpg_vigil\M' AS preloaded \gset
\if :preloaded
  SELECT plan(1);
  SELECT skip('needs a server without workers', 1);
  DROP EXTENSION pg_vigil CASCADE;
  \quit
\endif
SELECT plan(91);

-- The built-in jobs ---------------------------------------------------------------------------------

SELECT set_eq('SELECT name, every FROM vigil.jobs',
  $$VALUES ('rollup', interval '5 seconds'), ('maintain_partitions', '10 minutes'), ('replay_quarantine', '1 minute'),
           ('refresh_baselines', '1 hour'), ('reopen_ignored', '30 seconds'), ('evaluate_alerts', '15 seconds'), ('deliver', '1 second'), ('expire', '10 minutes'),
           ('expire_deliveries', '1 hour'), ('verify_rollups', '5 minutes')$$,
  'the built-in jobs and how often they run');
SELECT is((SELECT string_agg(DISTINCT state, ',') FROM vigil.jobs), 'new', 'none has run');
SELECT is(has_function_privilege('public', p.oid, 'EXECUTE'), false, p.proname || ' is not for everybody')
FROM pg_proc p
WHERE p.pronamespace = 'vigil'::regnamespace
  AND p.proname IN ('run_job', 'pause_job', 'resume_job', 'alter_job', 'deliver', 'claim_deliveries', 'record_deliveries',
                    'redeliver', 'http_send', 'webhook_secret', 'schedule_with_pg_cron')
ORDER BY p.proname;

-- run_job ---------------------------------------------------------------------------------------------

CREATE TABLE public.job_work (left_over integer);
INSERT INTO public.job_work VALUES (3);
CREATE FUNCTION public.job_step() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now_left integer;
BEGIN
  UPDATE public.job_work SET left_over = left_over - 1 WHERE left_over > 0 RETURNING left_over INTO now_left;
  RETURN CASE WHEN now_left IS NULL THEN 0 ELSE 1 END;
END $$;
CREATE FUNCTION public.job_failure() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the disk is gone' USING ERRCODE = '58030', DETAIL = 'Disk 7.', HINT = 'Buy one.';
END $$;
INSERT INTO vigil.job_settings (name, description, step, run_every, repeat) VALUES
  ('stepper', 'does three steps', 'public.job_step()', '1 minute', true),
  ('once', 'does one step', 'public.job_step()', '1 minute', false),
  ('failing', 'fails', 'public.job_failure()', '10 seconds', true),
  ('waiting', 'is still under way', 'NULLIF(public.job_step(), 1)', '1 minute', true),
  ('sleepy', 'takes too long', '(SELECT 1 FROM pg_sleep(30))', '1 minute', false);

\set ON_ERROR_STOP off
CALL vigil.run_job('nonsense');
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '42704'::text, 'an unknown job: 42704');
SELECT throws_ok($$SELECT vigil.find_job('nonsense')$$, '42704', 'job "nonsense" does not exist', 'which names it');
SELECT throws_ok($$SELECT vigil.find_job(NULL)$$, '42704', 'job "null" does not exist', 'also null');
BEGIN;
CALL vigil.run_job('stepper');
ROLLBACK;
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '2D000'::text, 'in a transaction block: 2D000');
SELECT is((SELECT runs FROM vigil.jobs WHERE name = 'stepper'), 0::bigint, 'and nothing has run');

CALL vigil.run_job('stepper');
SELECT is((SELECT (state, last_rows, runs, failures, last_error)::text FROM vigil.jobs WHERE name = 'stepper'),
  '(waiting,3,1,0,)', 'a repeated step runs until nothing is left');
SELECT is((SELECT (steps, row_count, sqlstate)::text FROM vigil.job_history WHERE job = 'stepper'), '(4,3,)', 'history tells it');
SELECT ok((SELECT next_run - last_run BETWEEN '59 seconds' AND '60 seconds' FROM vigil.jobs WHERE name = 'stepper'),
  'and it is due a minute after its start');
CALL vigil.run_job('stepper');
SELECT is((SELECT count(*) FROM vigil.job_history WHERE job = 'stepper'), 1::bigint, 'a run without work leaves no history');
SELECT is((SELECT runs FROM vigil.jobs WHERE name = 'stepper'), 2::bigint, 'but is counted');

UPDATE public.job_work SET left_over = 3;
CALL vigil.run_job('once');
SELECT is((SELECT left_over FROM public.job_work), 2, 'a job that does not repeat does one step');
UPDATE public.job_work SET left_over = 2;
CALL vigil.run_job('waiting');
SELECT is((SELECT left_over FROM public.job_work), 0, 'null means: call again');

UPDATE public.job_work SET left_over = 5;
SELECT lives_ok($$SELECT vigil.alter_job('stepper', max_steps => 2)$$, 'a run of two steps at most');
CALL vigil.run_job('stepper');
SELECT is((SELECT left_over FROM public.job_work), 3, 'stops after two');
SELECT ok((SELECT next_run <= clock_timestamp() FROM vigil.jobs WHERE name = 'stepper'), 'and is due at once for the rest');
SELECT lives_ok($$SELECT vigil.alter_job('stepper', max_steps => 1000, time_budget => '1 microsecond')$$, 'a run of no time');
CALL vigil.run_job('stepper');
SELECT is((SELECT left_over FROM public.job_work), 2, 'does one step');

-- Failures ---------------------------------------------------------------------------------------------

CALL vigil.run_job('failing');
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '58030'::text, 'the error of a step is raised with its SQLSTATE');
SELECT is(:'LAST_ERROR_MESSAGE'::text, 'the disk is gone'::text, 'and its message');
SELECT is((SELECT (state, runs, failures, last_error)::text FROM vigil.jobs WHERE name = 'failing'),
  '(failing,1,1,"the disk is gone")', 'after it was recorded');
SELECT ok((SELECT sqlstate = '58030' AND context LIKE '%job_failure()%' FROM vigil.job_history WHERE job = 'failing'),
  'with the place where it was raised');
SELECT ok((SELECT next_run - last_run BETWEEN '15 seconds' AND '20 seconds' FROM vigil.jobs WHERE name = 'failing'),
  'the wait is doubled, less some jitter');
CALL vigil.run_job('failing');
CALL vigil.run_job('failing');
SELECT ok((SELECT next_run - last_run BETWEEN '60 seconds' AND '80 seconds' FROM vigil.jobs WHERE name = 'failing'),
  'and doubled again');
SELECT is((SELECT total_failures FROM vigil.job_state WHERE name = 'failing'), 3::bigint, 'failures are counted');
SELECT ok((SELECT detail = 'Disk 7.' AND hint = 'Buy one.' FROM vigil.job_history WHERE job = 'failing' LIMIT 1), 'history has detail and hint');
UPDATE vigil.job_settings SET step = '0' WHERE name = 'failing';
CALL vigil.run_job('failing');
SELECT is((SELECT (state, failures, last_error)::text FROM vigil.jobs WHERE name = 'failing'), '(waiting,0,)', 'a success ends it');

SELECT lives_ok($$SELECT vigil.alter_job('sleepy', step_timeout => '100 milliseconds')$$, 'a step may take 100 ms');
CALL vigil.run_job('sleepy');
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '57014'::text, 'a step that takes longer is cancelled');
SELECT matches((SELECT hint FROM vigil.job_history WHERE job = 'sleepy'), 'A step may take 00:00:00.1: .*alter_job\(''sleepy'', step_timeout => interval ''00:00:00.2''\)',
  'and history says what to do');
SELECT vigil.alter_job('sleepy', step_timeout => '0');
SET statement_timeout = '100ms';
CALL vigil.run_job('sleepy');
RESET statement_timeout;
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '57014'::text, 'so is one whose caller is cancelled');
SELECT is((SELECT failures FROM vigil.jobs WHERE name = 'sleepy'), 2, 'both are recorded');
SELECT is((SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), 0::bigint,
  'and no failed run keeps the lock');

-- Overlap, pause, settings -------------------------------------------------------------------------------

SELECT dblink_connect('other', format('dbname=%s host=%s port=%s user=%s', current_database(),
  split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user)) \g /dev/null
SELECT ok((SELECT locked FROM dblink('other', $$SELECT pg_try_advisory_lock(1986619241, hashtext('once'))$$) AS t (locked boolean)),
  'another session runs a job');
SELECT is((SELECT state FROM vigil.jobs WHERE name = 'once'), 'running', 'which vigil.jobs shows');
SELECT runs AS runs_before FROM vigil.jobs WHERE name = 'once' \gset
CALL vigil.run_job('once');
SELECT is(:'SQLSTATE'::text, '00000'::text, 'a second run gives way without an error');
SELECT is((SELECT runs FROM vigil.jobs WHERE name = 'once'), :runs_before::bigint, 'and does nothing');
-- A session that ends keeps its locks for a moment.
SELECT * FROM dblink('other', 'SELECT pg_advisory_unlock_all()') AS t (unlocked text) \g /dev/null
SELECT dblink_disconnect('other') \g /dev/null

UPDATE vigil.job_state SET running_pid = 1 WHERE name = 'once';
CALL vigil.run_job('once');
SELECT is((SELECT count(*) FROM vigil.job_history WHERE job = 'once' AND error = 'the run ended without a result' AND pid = 1),
  1::bigint, 'a run whose backend died is recorded by the next');

SELECT vigil.pause_job('once');
SELECT is((SELECT (enabled, state, next_run)::text FROM vigil.jobs WHERE name = 'once'), '(f,paused,)', 'pause_job');
SELECT is((SELECT enabled FROM vigil.worker_jobs('scheduler') WHERE name = 'once'), false, 'is told to the workers');
SELECT vigil.resume_job('once');
SELECT ok((SELECT enabled AND next_run <= clock_timestamp() FROM vigil.jobs WHERE name = 'once'), 'resume_job: due at once');
SELECT throws_ok($$SELECT vigil.pause_job('nonsense')$$, '42704', NULL, 'pause_job of an unknown job: 42704');
SELECT throws_ok($$SELECT vigil.alter_job('nonsense', run_every => '1 hour')$$, '42704', NULL, 'alter_job of one: 42704');
SELECT throws_ok($$SELECT vigil.alter_job('once', run_every => '0')$$, '22023', NULL, 'an interval of nothing: 22023');
SELECT throws_ok($$SELECT vigil.alter_job('once', max_steps => 0)$$, '22023', 'max_steps must be positive, not 0', 'no steps: 22023');
SELECT is((SELECT string_agg(vigil.cron_schedule(i), ' | ' ORDER BY i)
           FROM unnest('{5 seconds,1 minute,10 minutes,45 minutes,1 hour,7 hours,1 day}'::interval[]) i),
  '* * * * * | * * * * * | */10 * * * * | */30 * * * * | 0 * * * * | 0 */6 * * * | 0 0 * * *', 'intervals as cron knows them');

-- History -------------------------------------------------------------------------------------------------

SELECT lives_ok($$SELECT vigil.alter_job('stepper', keep_history => '1 hour')$$, 'history of a job is kept for an hour');
SELECT throws_ok($$SELECT vigil.alter_job('stepper', keep_history => '-1 hour')$$, '22023', NULL, 'not for less than no time');
DELETE FROM vigil.job_history;
INSERT INTO vigil.job_history (job, started_at) SELECT name, now() - age
FROM unnest('{stepper,once,gone}'::text[]) AS name, unnest('{50 minutes,2 hours,8 days}'::interval[]) AS age;
SELECT is(vigil.expire_job_history(), 4::bigint, 'the job expire deletes what is older');
SELECT set_eq('SELECT job, count(*) FROM vigil.job_history GROUP BY job', $$VALUES ('stepper', 1::bigint), ('once', 2), ('gone', 2)$$,
  'also of jobs that are gone, after seven days');
UPDATE vigil.job_settings SET keep_history = '0' WHERE name = 'stepper';
CALL vigil.run_job('expire');
SELECT is_empty($$SELECT FROM vigil.job_history WHERE job = 'stepper'$$, 'no job need run again for that');

-- Clocks, and everything at once ------------------------------------------------------------------------------

SELECT ok((SELECT bool_and(next_run_at <= latest_run_at) FROM vigil.worker_jobs('scheduler')), 'no job is due later than its schedule allows');
UPDATE vigil.job_state SET next_run_at = next_run_at + interval '1 hour' WHERE name = 'stepper';
SELECT ok((SELECT next_run_at > latest_run_at FROM vigil.worker_jobs('scheduler') WHERE name = 'stepper'), 'one that was set by a clock that was ahead is');
SELECT vigil.schedule_job('once', '0 0 29 2 *') \g /dev/null
SELECT is((SELECT next_run_at = latest_run_at FROM vigil.worker_jobs('scheduler') WHERE name = 'once'), true, 'a cron expression names its own time');
UPDATE vigil.job_state SET next_run_at = next_run_at + interval '1 hour' WHERE name = 'once';
SELECT ok((SELECT next_run_at > latest_run_at FROM vigil.worker_jobs('scheduler') WHERE name = 'once'), 'none later is allowed');
UPDATE vigil.job_state SET failures = 9, next_run_at = clock_timestamp() + interval '55 minutes' WHERE name = 'stepper';
SELECT ok((SELECT next_run_at <= latest_run_at FROM vigil.worker_jobs('scheduler') WHERE name = 'stepper'), 'failures may wait for longer than the interval');
UPDATE vigil.job_state SET failures = 0, next_run_at = clock_timestamp() WHERE name = 'stepper';
SET vigil.pause_jobs = on;
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '55P02'::text, 'vigil.pause_jobs is of the server, not of a session');

-- A table that somebody holds
SELECT dblink_connect('other', format('dbname=%s host=%s port=%s user=%s', current_database(),
  split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user)) \g /dev/null
SELECT dblink_exec('other', 'BEGIN') \g /dev/null
SELECT dblink_exec('other', 'LOCK TABLE vigil.modules IN ACCESS EXCLUSIVE MODE') \g /dev/null
UPDATE vigil.job_settings SET step = '(SELECT count(*) FROM vigil.modules)' WHERE name = 'failing';
SET lock_timeout = '50ms';
CALL vigil.run_job('failing');
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '55P03'::text, 'a job that waits for a lock fails in the end');
SELECT matches((SELECT detail FROM vigil.job_history WHERE job = 'failing' ORDER BY started_at DESC LIMIT 1),
  '^process \d+ has AccessExclusiveLock on vigil.modules, its transaction began at .*: LOCK TABLE vigil.modules', 'history says who holds it');
SELECT matches((SELECT hint FROM vigil.job_history WHERE job = 'failing' ORDER BY started_at DESC LIMIT 1), 'pg_terminate_backend', 'and what to do');
RESET lock_timeout;
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null
SELECT * FROM dblink('other', 'SELECT pg_advisory_unlock_all()') AS t (unlocked text) \g /dev/null
SELECT dblink_disconnect('other') \g /dev/null
CALL vigil.run_job('failing');
SELECT is((SELECT (state, last_error)::text FROM vigil.jobs WHERE name = 'failing'), '(waiting,)', 'when it is let go, the job works again');

-- Claims --------------------------------------------------------------------------------------------------

INSERT INTO vigil.outbox (module_id, target, group_key, body)
SELECT :m1, 'http://192.0.2.1/', 'g' || (i % 2), jsonb_build_object('n', i) FROM generate_series(1, 6) i;
INSERT INTO vigil.outbox (module_id, channel, target, group_key, body) VALUES (:m1, 'email', 'a@example.com', 'g', '{}');
CREATE TEMP TABLE claimed AS SELECT * FROM vigil.claim_deliveries(100);
SELECT is((SELECT string_agg(body ->> 'n', ',' ORDER BY sequence) FROM claimed), '1,2', 'only the oldest row of each group is claimed');
SELECT is((SELECT string_agg(DISTINCT (status, attempts, claimed_by = pg_backend_pid(), lease_until > now())::text, ',') FROM claimed),
  '(sending,1,t,t)', 'with a lease');
SELECT is_empty('SELECT FROM vigil.claim_deliveries(100)', 'and not twice');
SELECT is(vigil.record_deliveries((SELECT array_agg(id ORDER BY sequence) FROM claimed), '{200,500}', '{3,4}', '{NULL,"HTTP status 500"}'),
  2::bigint, 'outcomes are recorded');
SELECT is((SELECT string_agg(status, ',' ORDER BY sequence) FROM vigil.outbox WHERE channel = 'webhook'),
  'delivered,pending,pending,pending,pending,pending', 'delivered, or pending again');
SELECT is((SELECT string_agg(body ->> 'n', ',') FROM vigil.claim_deliveries(100)), '3', 'a row that waits for its retry holds its group');
UPDATE vigil.outbox SET lease_until = now() - interval '1 second' WHERE status = 'sending';
SELECT is((SELECT (body ->> 'n', attempts)::text FROM vigil.claim_deliveries(100)), '(3,2)', 'a claim whose lease has expired is free');
UPDATE vigil.outbox SET claimed_by = 1 WHERE status = 'sending';
SELECT is((SELECT (body ->> 'n', attempts)::text FROM vigil.claim_deliveries(100)), '(3,3)', 'so is that of a backend that is gone');
SELECT is((SELECT (verdict, retry_in)::text FROM vigil.judge_delivery(10, 503, false, NULL)), '(retry,)', 'the tenth attempt is the last');
SELECT is((SELECT (status, attempts)::text FROM vigil.outbox WHERE channel = 'email'), '(pending,0)', 'S0-111: email waits');
SELECT throws_ok('SELECT vigil.claim_deliveries(0)', '22023', NULL, 'no rows to claim: 22023');
SELECT throws_ok($$SELECT vigil.claim_deliveries(1, '0')$$, '22023', NULL, 'a lease of nothing: 22023');
SELECT throws_ok(format('SELECT vigil.redeliver(%L, gen_random_uuid())', :m1), 'P0002', NULL, 'redeliver of nothing: P0002');
SELECT throws_ok($$SELECT vigil.http_send(ARRAY[gen_random_uuid()], '{}', '{}', '{}')$$, '22023', NULL, 'arrays of different length: 22023');
UPDATE vigil.outbox SET delivered_at = now() - interval '31 days' WHERE status = 'delivered';
SELECT is(vigil.expire_deliveries(), 1::bigint, 'a delivered row is forgotten after 30 days');
SELECT is(vigil.expire_deliveries(), 0::bigint, 'and only that');
SELECT is((SELECT count(*) FROM vigil.delivery_attempts a WHERE NOT EXISTS (SELECT FROM vigil.outbox o WHERE o.id = a.outbox_id)),
  0::bigint, 'with its attempts');
-- The example of the Standard Webhooks specification.
SELECT matches(vigil.webhook_headers('00000000-0000-4000-8000-000000000001', to_timestamp(1614265330), '{"test": 2432232314}',
    decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')), 'webhook-timestamp: 1614265330\nwebhook-signature: v1,[A-Za-z0-9+/]{43}=$',
  'a signature has 44 characters');

SELECT * FROM finish();
DROP TABLE public.job_work;
DROP FUNCTION public.job_step(), public.job_failure();
DROP EXTENSION pg_vigil CASCADE;
DROP EXTENSION dblink;
