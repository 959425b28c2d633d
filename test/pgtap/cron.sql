-- Cron expressions, and jobs that run by them.
BEGIN;
\ir include/setup.sql
SELECT plan(35);

SELECT is(vigil.next_run(cron, '2026-11-20 10:15:00+00'), expected::timestamptz, format('next_run(%L)', cron))
FROM (VALUES ('*/10 * * * *', '2026-11-20 10:20+00'), ('30 3 * * mon-fri', '2026-11-23 03:30+00'),
             ('@monthly', '2026-12-01 00:00+00'), ('0 0 29 2 *', '2028-02-29 00:00+00'),
             ('0 0 13 * 5', '2026-11-27 00:00+00')) AS t (cron, expected);
SELECT is(vigil.next_run('30 2 * * *', '2026-03-28 12:00+00', 'Europe/Berlin'), '2026-03-29 01:00+00', 'a skipped time runs when the clocks are set');
SELECT is(vigil.next_run('30 2 * * *', '2026-03-29 01:00+00', 'Europe/Berlin'), '2026-03-30 00:30+00', 'once');
SELECT is(vigil.next_run('30 2 * * *', '2026-10-24 12:00+00', 'Europe/Berlin'), '2026-10-25 00:30+00', 'a repeated time runs at the first');
SELECT is(vigil.next_run('30 2 * * *', '2026-10-25 00:30+00', 'Europe/Berlin'), '2026-10-26 01:30+00', 'and only then');
SELECT is(vigil.next_run('30 * * * *', '2026-10-25 00:30+00', 'Europe/Berlin'), '2026-10-25 01:30+00', 'every hour is also the repeated one');
SELECT is(vigil.next_run(NULL, now()), NULL, 'null for null');
SELECT throws_ok($$SELECT vigil.next_run('61 * * * *')$$, '22023', 'cron expression: minute "61" must be a number from 0 to 59', 'a bad field: 22023');
SELECT throws_ok($$SELECT vigil.next_run('0 0 31 2 *')$$, '22023', NULL, '31 February: 22023');
SELECT throws_ok($$SELECT vigil.next_run('@daily', now(), 'Mars/Olympus')$$, '22023', NULL, 'an unknown zone: 22023');
SELECT throws_ok($$SELECT vigil.next_run('@daily', 'infinity')$$, '22008', NULL, 'an infinite time: 22008');

SELECT is(vigil.schedule_job('expire', ' 30 3 * * * ', 'Europe/Berlin'), vigil.next_run('30 3 * * *', clock_timestamp(), 'Europe/Berlin'),
  'schedule_job tells when it runs');
SELECT is((SELECT (every, schedule, time_zone)::text FROM vigil.jobs WHERE name = 'expire'), '(,"30 3 * * *",Europe/Berlin)', 'vigil.jobs shows it');
SELECT is((SELECT next_run FROM vigil.jobs WHERE name = 'expire'), vigil.next_run('30 3 * * *', clock_timestamp(), 'Europe/Berlin'), 'with its time');
SELECT is((SELECT next_run_at FROM vigil.worker_jobs('scheduler') WHERE name = 'expire'),
  vigil.next_run('30 3 * * *', clock_timestamp(), 'Europe/Berlin'), 'which workers go by');
-- Missed for ten days, it runs once.
UPDATE vigil.job_state SET next_run_at = now() - interval '10 days' WHERE name = 'expire';
SELECT vigil.start_job('expire') AS scheduled \gset
SELECT vigil.finish_job('expire', :'scheduled', 1, 0, false, NULL, NULL, NULL, NULL, NULL);
SELECT is((SELECT next_run FROM vigil.jobs WHERE name = 'expire'), vigil.next_run('30 3 * * *', clock_timestamp(), 'Europe/Berlin'), 'missed times run once');
SELECT vigil.start_job('expire') AS scheduled \gset
SELECT vigil.finish_job('expire', :'scheduled', 1, 0, false, '58030', 'no disk', NULL, NULL, NULL);
SELECT ok((SELECT next_run - last_run BETWEEN '90 seconds' AND '120 seconds' FROM vigil.jobs WHERE name = 'expire'), 'a failure is tried again sooner');
SELECT lives_ok($$SELECT vigil.schedule_job('expire', '30 seconds')$$, 'an interval again');
SELECT is((SELECT (every, schedule, time_zone)::text FROM vigil.jobs WHERE name = 'expire'), '(00:00:30,00:00:30,)', 'takes its place');
SELECT throws_ok($$SELECT vigil.schedule_job('expire', 'now and then')$$, '22023', NULL, 'neither: 22023');
SELECT throws_ok($$SELECT vigil.schedule_job('expire', '* * * *')$$, '22023', NULL, 'four fields: 22023');
SELECT throws_ok($$SELECT vigil.schedule_job('expire', NULL)$$, '22023', 'schedule "null" is neither an interval nor a cron expression', 'null: 22023');
SELECT throws_ok($$SELECT vigil.schedule_job('expire', '1 microsecond')$$, '22023', NULL, 'an interval too short: 22023');
SELECT throws_ok($$SELECT vigil.schedule_job('nonsense', '@daily')$$, '42704', NULL, 'an unknown job: 42704');
SELECT is(vigil.schedule_job('expire', '@monthly', NULL), date_trunc('month', clock_timestamp(), 'UTC') + interval '1 month', 'a null zone is UTC');
SELECT cmp_ok(vigil.schedule_job('expire', '@ 5 minutes'), '<=', clock_timestamp() + interval '5 minutes', 'the form in which PostgreSQL may write intervals');

-- Rows that were written without the functions
SELECT throws_ok($$UPDATE vigil.job_settings SET cron = '0 0 * *' WHERE name = 'expire'$$, '22023', NULL, 'a written expression is checked');
SELECT throws_ok($$INSERT INTO vigil.job_settings (name, description, step, run_every, cron, time_zone)
  VALUES ('new', 'new', '0', '1 minute', '@daily', 'Mars/Olympus')$$, '22023', NULL, 'so is a written zone');
INSERT INTO vigil.job_settings (name, description, step, run_every, cron) VALUES ('new', 'new', '0', '1 minute', '0 0 29 2 *');
SELECT is((SELECT next_run FROM vigil.jobs WHERE name = 'new'), vigil.next_run('0 0 29 2 *', clock_timestamp()), 'a job that is new waits for its time');
UPDATE vigil.job_settings SET cron = '@yearly' WHERE name = 'new';
SELECT is((SELECT next_run FROM vigil.jobs WHERE name = 'new'), vigil.next_run('@yearly', clock_timestamp()), 'a changed one goes by the change');
-- A dump may bring a zone that this server does not know.
SET LOCAL row_security = off;
UPDATE vigil.job_settings SET time_zone = 'Mars/Olympus' WHERE name = 'new';
SET LOCAL row_security = on;
SELECT vigil.start_job('new') AS scheduled \gset
SELECT vigil.finish_job('new', :'scheduled', 1, 0, false, NULL, NULL, NULL, NULL, NULL);
SELECT is((SELECT (state, last_error, next_run > clock_timestamp())::text FROM vigil.jobs WHERE name = 'new'),
  '(failing,"time zone ""Mars/Olympus"" not recognized",t)', 'the run tells that its zone is not known, and is tried again');
SELECT * FROM finish();
ROLLBACK;
