-- Jobs: what is to be run, how the runs went.
CREATE TABLE vigil.job_settings (
  name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  description text NOT NULL,
  step text NOT NULL,
  has_work text,
  worker text NOT NULL DEFAULT 'scheduler' CHECK (worker IN ('scheduler', 'courier')),
  run_every interval NOT NULL CHECK (run_every BETWEEN '1 second' AND '366 days'),
  cron text,
  time_zone text NOT NULL DEFAULT 'UTC',
  repeat boolean NOT NULL DEFAULT false,
  max_steps integer NOT NULL DEFAULT 1000 CHECK (max_steps > 0),
  time_budget interval NOT NULL DEFAULT '30 seconds' CHECK (time_budget > '0'),
  step_timeout interval NOT NULL DEFAULT '5 minutes'
    CHECK (step_timeout BETWEEN '0' AND '24 days'),
  keep_history interval NOT NULL DEFAULT '7 days' CHECK (keep_history >= '0'),
  enabled boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE vigil.job_settings IS
  'Jobs that the workers, pg_cron or CALL vigil.run_job(name) run. Change them with vigil.schedule_job, vigil.alter_job, vigil.pause_job and vigil.resume_job; read vigil.jobs.';
COMMENT ON COLUMN vigil.job_settings.name IS 'Name of the job.';
COMMENT ON COLUMN vigil.job_settings.description IS 'What it is for.';
COMMENT ON COLUMN vigil.job_settings.step IS
  'SQL expression of type bigint that does one step of work in one transaction: rows done, or null when work is still under way.';
COMMENT ON COLUMN vigil.job_settings.has_work IS
  'SQL expression of type boolean that the workers ask first: a run without work is left out, but for one a minute. Null: always runs.';
COMMENT ON COLUMN vigil.job_settings.worker IS 'scheduler or courier: which worker runs it.';
COMMENT ON COLUMN vigil.job_settings.run_every IS 'From start to start; with a cron expression only the wait that failures double.';
COMMENT ON COLUMN vigil.job_settings.cron IS 'Cron expression, set by vigil.schedule_job; null: every run_every.';
COMMENT ON COLUMN vigil.job_settings.time_zone IS 'Zone by whose clocks the cron expression goes.';
COMMENT ON COLUMN vigil.job_settings.repeat IS 'Whether a run repeats the step, with a COMMIT between, until it returns 0.';
COMMENT ON COLUMN vigil.job_settings.max_steps IS 'Steps of one run at most.';
COMMENT ON COLUMN vigil.job_settings.time_budget IS 'A run begins no further step after this time; the rest is for the next run, which is then due at once.';
COMMENT ON COLUMN vigil.job_settings.step_timeout IS 'A step that takes longer is cancelled and has failed; 0 = no limit.';
COMMENT ON COLUMN vigil.job_settings.keep_history IS 'How long vigil.job_history keeps its runs.';
COMMENT ON COLUMN vigil.job_settings.enabled IS 'False while paused; CALL vigil.run_job(name) works nevertheless.';
CREATE TRIGGER replace_row BEFORE INSERT ON vigil.job_settings
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('name');

CREATE TABLE vigil.job_state (
  name text PRIMARY KEY,
  next_run_at timestamptz NOT NULL DEFAULT '-infinity',
  last_started_at timestamptz,
  last_finished_at timestamptz,
  last_duration_ms bigint,
  last_rows bigint,
  last_error text,
  runs bigint NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  total_failures bigint NOT NULL DEFAULT 0,
  running_pid integer
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
COMMENT ON TABLE vigil.job_state IS 'How the last run of each job went, and when the next is due.';
COMMENT ON COLUMN vigil.job_state.name IS 'Job.';
COMMENT ON COLUMN vigil.job_state.next_run_at IS 'When it is due; while it runs, when it is due again should the server crash under it.';
COMMENT ON COLUMN vigil.job_state.last_started_at IS 'Start of the last run.';
COMMENT ON COLUMN vigil.job_state.last_finished_at IS 'End of the last run that ended.';
COMMENT ON COLUMN vigil.job_state.last_duration_ms IS 'How long it took, milliseconds.';
COMMENT ON COLUMN vigil.job_state.last_rows IS 'Sum of what its steps returned.';
COMMENT ON COLUMN vigil.job_state.last_error IS 'Message of the last run; null when it was a success.';
COMMENT ON COLUMN vigil.job_state.runs IS 'Runs that ended, also the failed ones.';
COMMENT ON COLUMN vigil.job_state.failures IS 'Failures in a row: each doubles the wait.';
COMMENT ON COLUMN vigil.job_state.total_failures IS 'Failures ever.';
COMMENT ON COLUMN vigil.job_state.running_pid IS 'Backend that runs it, or died while it did.';

-- Workers may have run jobs of a database that is being restored before its rows arrive.
CREATE TRIGGER replace_row BEFORE INSERT ON vigil.job_state
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('name');

CREATE TABLE vigil.job_history (
  job text NOT NULL,
  started_at timestamptz NOT NULL,
  duration_ms bigint,
  steps integer,
  row_count bigint,
  sqlstate text,
  error text,
  detail text,
  hint text,
  context text,
  pid integer
);
CREATE INDEX job_history_of_job ON vigil.job_history (job, started_at);
COMMENT ON TABLE vigil.job_history IS
  'Runs that did something or failed; a run with nothing to do is only counted. The job expire deletes what is older than keep_history of vigil.job_settings.';
COMMENT ON COLUMN vigil.job_history.job IS 'Job.';
COMMENT ON COLUMN vigil.job_history.started_at IS 'Start of the run.';
COMMENT ON COLUMN vigil.job_history.duration_ms IS 'Milliseconds; null when its end is unknown.';
COMMENT ON COLUMN vigil.job_history.steps IS 'Steps that succeeded.';
COMMENT ON COLUMN vigil.job_history.row_count IS 'Sum of what they returned.';
COMMENT ON COLUMN vigil.job_history.sqlstate IS 'Of the error; null = success.';
COMMENT ON COLUMN vigil.job_history.error IS 'Message of the error.';
COMMENT ON COLUMN vigil.job_history.detail IS 'Its detail; what a lock was waited for.';
COMMENT ON COLUMN vigil.job_history.hint IS 'How to mend it.';
COMMENT ON COLUMN vigil.job_history.context IS 'Where in the functions the error was raised.';
COMMENT ON COLUMN vigil.job_history.pid IS 'Backend that ran it.';

INSERT INTO vigil.job_settings (name, description, step, has_work, worker, run_every, repeat) VALUES
  ('rollup', 'recomputes the cells of changed minutes',
   'vigil.rollup()', 'EXISTS (SELECT FROM vigil.dirty)', 'scheduler', '5 seconds', true),
  ('maintain_partitions', 'creates partitions ahead and retires old ones',
   'vigil.keep_partitions()', NULL, 'scheduler', '10 minutes', true),
  ('replay_quarantine', 'stores quarantined facts whose partition exists by now, and counts late ones',
   'vigil.replay_quarantine() + vigil.count_late_facts()', NULL, 'scheduler', '1 minute', true),
  ('refresh_baselines', 'learns what is normal',
   'vigil.refresh_baselines()', NULL, 'scheduler', '1 hour', false),
  ('evaluate_alerts', 'fires and resolves alerts',
   'vigil.evaluate_alerts()', NULL, 'scheduler', '15 seconds', false),
  ('reopen_ignored', 'opens groups that were ignored until something that has happened by now',
   'vigil.reopen_ignored_groups()',
   'EXISTS (SELECT FROM vigil.error_groups WHERE status = ''ignored'' AND (ignored_until IS NOT NULL OR ignored_since IS NOT NULL))',
   'scheduler', '30 seconds', false),
  ('deliver', 'sends what stands in the outbox',
   'vigil.deliver(interval ''100 milliseconds'')', 'vigil.has_deliveries()', 'courier',
   '1 second', true),
  ('expire_deliveries', 'deletes old rows of the outbox',
   'vigil.expire_deliveries()', NULL, 'scheduler', '1 hour', true),
  ('expire', 'deletes what is older than its retention',
   'vigil.expire() + vigil.expire_job_history() + vigil.expire_kept_errors() + vigil.expire_quarantine()', NULL, 'scheduler', '10 minutes', true);
UPDATE vigil.job_settings SET max_steps = 1000000, step_timeout = '0' WHERE name = 'deliver';
