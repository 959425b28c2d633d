-- Running, pausing and scheduling jobs.
CREATE OR REPLACE FUNCTION vigil.reschedule_job() RETURNS trigger
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  at timestamptz := clock_timestamp();
BEGIN
  -- What a dump brings has its state with it, and must be taken even where its zone is not known.
  IF current_setting('row_security') = 'off'
    OR (TG_OP = 'INSERT' AND NEW.cron IS NULL)
    OR (TG_OP = 'UPDATE' AND NEW.cron IS NOT DISTINCT FROM OLD.cron AND NEW.time_zone = OLD.time_zone) THEN
    RETURN NULL;
  ELSIF NEW.cron IS NOT NULL THEN
    at := vigil.next_run(NEW.cron, at, NEW.time_zone);
  ELSE
    at := coalesce((SELECT s.last_started_at + NEW.run_every FROM vigil.job_state s WHERE s.name = NEW.name), at);
  END IF;
  IF NOT EXISTS (SELECT FROM vigil.job_state s WHERE s.name = NEW.name) THEN
    INSERT INTO vigil.job_state (name) VALUES (NEW.name);
  END IF;
  UPDATE vigil.job_state s SET next_run_at = at WHERE s.name = NEW.name;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.reschedule_job() IS
  'Trigger: computes when a job runs next whose cron expression or zone was written; SQLSTATE 22023 when they cannot be read.';

CREATE OR REPLACE TRIGGER reschedule AFTER INSERT OR UPDATE OF cron, time_zone ON vigil.job_settings
  FOR EACH ROW EXECUTE FUNCTION vigil.reschedule_job();
COMMENT ON TRIGGER reschedule ON vigil.job_settings IS 'A new cron expression is checked, and counts at once.';

CREATE OR REPLACE FUNCTION vigil.tell_workers() RETURNS trigger
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.wake_workers();
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.tell_workers() IS 'Trigger: when the transaction commits, workers look for due jobs.';

CREATE OR REPLACE TRIGGER tell_workers AFTER INSERT OR UPDATE OR DELETE ON vigil.job_settings
  FOR EACH STATEMENT EXECUTE FUNCTION vigil.tell_workers();
COMMENT ON TRIGGER tell_workers ON vigil.job_settings IS 'A new or changed job need not wait for the next look of the workers.';

CREATE OR REPLACE FUNCTION vigil.next_job_run(
  scheduled timestamptz, started timestamptz, run_every interval, failures integer DEFAULT 0)
  RETURNS timestamptz
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'vigil_next_job_run';
COMMENT ON FUNCTION vigil.next_job_run(timestamptz, timestamptz, interval, integer) IS
  'When a job that was due at scheduled and began at started runs next: on its grid, or after failures in a row with growing, slightly random waits of 5 seconds to 60 intervals, but at most an hour.';

CREATE OR REPLACE FUNCTION vigil.limit_step(timeout interval) RETURNS void
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_limit_step';
COMMENT ON FUNCTION vigil.limit_step(interval) IS
  'For vigil.run_job: cancels this session''s statement after the time, as statement_timeout would; 0 ends the limit. A running statement_timeout wins.';

CREATE OR REPLACE FUNCTION vigil.raise_again(
  sqlstate text, message text, detail text, hint text, context text) RETURNS void
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'vigil_raise_again';
COMMENT ON FUNCTION vigil.raise_again(text, text, text, text, text) IS
  'For vigil.run_job: raises a recorded error as it was, which RAISE cannot do when detail or hint are empty.';

CREATE OR REPLACE FUNCTION vigil.wake_workers() RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_wake_workers';
COMMENT ON FUNCTION vigil.wake_workers() IS
  'When this transaction commits, the launcher looks at this database at once, and its workers look for due jobs. Does nothing without shared_preload_libraries.';

CREATE OR REPLACE FUNCTION vigil.find_job(name text) RETURNS vigil.job_settings
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  job vigil.job_settings;
BEGIN
  SELECT * INTO job FROM vigil.job_settings s WHERE s.name = find_job.name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'job "%" does not exist', coalesce(name, 'null')
      USING ERRCODE = 'undefined_object',
            HINT = 'Jobs are: ' || (SELECT string_agg(s.name, ', ' ORDER BY s.name)
                                    FROM vigil.job_settings s) || '.';
  END IF;
  RETURN job;
END $$;
COMMENT ON FUNCTION vigil.find_job(text) IS 'Settings of a job; error 42704 that lists the jobs if there is none of this name.';

-- 1986619241 is "vigi" in ASCII: the class of the advisory locks that runs hold.
CREATE OR REPLACE FUNCTION vigil.start_job(name text) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
  SET lock_timeout = '2s'  -- whoever holds the row must not hold up the other jobs
AS $$
DECLARE
  job vigil.job_settings := vigil.find_job(name);
  old vigil.job_state;
  started timestamptz := clock_timestamp();
BEGIN
  -- Not ON CONFLICT: an inserted row would replace the old one.
  IF NOT EXISTS (SELECT FROM vigil.job_state s WHERE s.name = start_job.name) THEN
    INSERT INTO vigil.job_state (name) VALUES (start_job.name);
  END IF;
  SELECT * INTO old FROM vigil.job_state s WHERE s.name = start_job.name FOR UPDATE;
  -- The lock is ours, so whoever stands here died in the middle of a run.
  IF old.running_pid IS NOT NULL THEN
    old.failures := old.failures + 1;
    old.total_failures := old.total_failures + 1;
    INSERT INTO vigil.job_history (job, started_at, sqlstate, error, hint, pid)
    VALUES (name, old.last_started_at, '57P01', 'the run ended without a result',
            vigil.failure_remedy(job, '57P01'), old.running_pid);
  END IF;
  -- Should the server crash under this run too, it comes back with a growing wait.
  UPDATE vigil.job_state s
  SET last_started_at = started,
      running_pid = pg_backend_pid(),
      failures = old.failures,
      total_failures = old.total_failures,
      next_run_at = vigil.next_job_run(started, started, job.run_every, old.failures + 1)
  WHERE s.name = start_job.name;
  RETURN CASE WHEN isfinite(old.next_run_at) THEN old.next_run_at ELSE started END;
END $$;
COMMENT ON FUNCTION vigil.start_job(text) IS
  'For vigil.run_job: marks the job as started by this backend and returns when it was due.';

CREATE OR REPLACE FUNCTION vigil.finish_job(
  name text, scheduled timestamptz, steps integer, row_count bigint, more boolean,
  sqlstate text, error text, detail text, hint text, context text) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
  SET lock_timeout = '10s'
AS $$
DECLARE
  job vigil.job_settings := vigil.find_job(name);
  state vigil.job_state;
  finished timestamptz := clock_timestamp();
  next_run timestamptz;
BEGIN
  SELECT * INTO state FROM vigil.job_state s WHERE s.name = finish_job.name FOR UPDATE;
  IF more THEN
    next_run := finished;
  ELSIF job.cron IS NOT NULL AND finish_job.sqlstate IS NULL THEN
    BEGIN
      next_run := vigil.next_run(job.cron, state.last_started_at, job.time_zone);
    EXCEPTION WHEN data_exception THEN
      -- A dump may come from a server that knows more zones.
      GET STACKED DIAGNOSTICS finish_job.sqlstate = RETURNED_SQLSTATE, finish_job.error = MESSAGE_TEXT;
    END;
  END IF;
  state.failures := CASE WHEN sqlstate IS NULL THEN 0 ELSE state.failures + 1 END;
  UPDATE vigil.job_state s
  SET last_finished_at = finished,
      last_duration_ms = 1000 * extract(epoch FROM finished - state.last_started_at),
      last_rows = row_count,
      last_error = error,
      runs = s.runs + 1,
      failures = state.failures,
      total_failures = s.total_failures + (sqlstate IS NOT NULL)::integer,
      running_pid = NULL,
      next_run_at = coalesce(next_run,
        vigil.next_job_run(scheduled, state.last_started_at, job.run_every, state.failures))
  WHERE s.name = finish_job.name;
  IF row_count > 0 OR sqlstate IS NOT NULL THEN
    INSERT INTO vigil.job_history (job, started_at, duration_ms, steps, row_count, sqlstate, error, detail, hint,
                                   context, pid)
    VALUES (name, state.last_started_at,
            1000 * extract(epoch FROM finished - state.last_started_at),
            steps, row_count, sqlstate, error, nullif(detail, ''), nullif(hint, ''), context, pg_backend_pid());
  END IF;
END $$;
COMMENT ON FUNCTION vigil.finish_job(text, timestamptz, integer, bigint, boolean, text, text, text, text, text) IS
  'For vigil.run_job: records how the run went and decides when the next is due.';

CREATE OR REPLACE FUNCTION vigil.expire_job_history() RETURNS bigint
  LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  -- Also of jobs that are gone, or never run again.
  WITH deleted AS (
    DELETE FROM vigil.job_history h
    WHERE h.started_at < now() - coalesce((SELECT s.keep_history FROM vigil.job_settings s WHERE s.name = h.job), '7 days')
    RETURNING 1)
  SELECT count(*) FROM deleted
$$;
COMMENT ON FUNCTION vigil.expire_job_history() IS
  'Deletes what vigil.job_history has kept for long enough (keep_history of vigil.job_settings; 7 days for jobs that are gone); returns the number of rows.';

CREATE OR REPLACE FUNCTION vigil.strong_locks(of regclass DEFAULT NULL) RETURNS text
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT string_agg(format('process %s has %s on vigil.%I, its transaction began at %s%s', l.pid, l.mode, c.relname,
                           coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), 'an unknown time'),
                           ': ' || left(a.query, 100)), E'\n' ORDER BY a.xact_start, l.pid)
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = 'vigil'::regnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.granted AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
         OR (l.relation = of AND l.mode = 'ShareUpdateExclusiveLock'))
    AND (of IS NULL OR l.relation = of)
$$;
COMMENT ON FUNCTION vigil.strong_locks(regclass) IS
  'Who holds locks on tables of this schema that keep writers out, or locks on one table that keep partitions from being made; null = nobody.';

CREATE OR REPLACE FUNCTION vigil.failure_remedy(job vigil.job_settings, sqlstate text) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE
    WHEN sqlstate = '53100' THEN 'The disk is full: free or add space; the job is tried again by itself.'
    WHEN sqlstate IN ('53200', '53400') THEN 'A limit of memory or of temporary files was reached: raise it, or let the job do less.'
    WHEN sqlstate IN ('55P03', '40P01') THEN 'Another transaction holds a lock: see SELECT vigil.strong_locks(); end it with pg_terminate_backend.'
    WHEN sqlstate = '57014' AND job.step_timeout = '0' THEN 'It was cancelled, by somebody or by the statement_timeout of its session.'
    WHEN sqlstate = '57014' THEN format('A step may take %s: find out what it waited for, or SELECT vigil.alter_job(%L, step_timeout => interval %L);',
                                        job.step_timeout, job.name, 2 * job.step_timeout)
    WHEN sqlstate = '57P01' THEN 'Its process was ended, the server crashed, or the outcome could not be written: the log of the server tells which.'
    WHEN sqlstate = '58030' THEN 'The disk or file system does not work: see the log of the server.'
    WHEN sqlstate = '25006' THEN 'The server or the database is read-only: see default_transaction_read_only.'
    ELSE format('SELECT * FROM vigil.job_history WHERE job = %L ORDER BY started_at DESC LIMIT 1;', job.name) END
$$;
COMMENT ON FUNCTION vigil.failure_remedy(vigil.job_settings, text) IS
  'What to do about a job that failed with an SQLSTATE.';

-- A procedure that commits can have no SET clause: names are qualified, and each transaction begins
-- with the search path that steps expect.
CREATE OR REPLACE PROCEDURE vigil.run_job(name text)
  LANGUAGE plpgsql
AS $$
DECLARE
  path constant text := 'pg_catalog, vigil, pg_temp';
  job vigil.job_settings;
  scheduled timestamptz;
  deadline timestamptz;
  step_rows bigint;
  row_count bigint := 0;
  steps integer := 0;
  more boolean := false;
  failed_state text;
  failed_message text;
  failed_detail text;
  failed_hint text;
  failed_context text;
BEGIN
  -- Inside a transaction block this raises 2D000, before anything is locked or marked.
  COMMIT;
  PERFORM pg_catalog.set_config('search_path', path, true);
  job := vigil.find_job(name);
  IF NOT pg_try_advisory_lock(1986619241, hashtext(name)) THEN
    RAISE NOTICE 'job "%" is already running', name;
    RETURN;
  END IF;
  BEGIN
    scheduled := vigil.start_job(name);
  EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock(1986619241, hashtext(name));
    RAISE;
  END;
  COMMIT;

  deadline := clock_timestamp() + job.time_budget;
  LOOP
    PERFORM pg_catalog.set_config('search_path', path, true);
    -- Whoever holds a table for minutes must not hold up the other jobs.
    IF current_setting('lock_timeout') = '0' THEN
      PERFORM pg_catalog.set_config('lock_timeout', '30s', true);
    END IF;
    -- The lock is this session's and must survive every error, a cancel too.
    BEGIN
      PERFORM vigil.limit_step(job.step_timeout);
      EXECUTE 'SELECT (' || job.step || ')::bigint' INTO step_rows;
      PERFORM vigil.limit_step('0');
    EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
      GET STACKED DIAGNOSTICS failed_state = RETURNED_SQLSTATE, failed_message = MESSAGE_TEXT,
        failed_detail = PG_EXCEPTION_DETAIL, failed_hint = PG_EXCEPTION_HINT,
        failed_context = PG_EXCEPTION_CONTEXT;
      PERFORM vigil.limit_step('0');
      IF failed_state = '55P03' AND failed_detail = '' THEN
        failed_detail := coalesce(vigil.strong_locks(), '');
      END IF;
      IF failed_hint = '' AND failed_state ~ '^(25006|40P01|5)' THEN
        failed_hint := vigil.failure_remedy(job, failed_state);
      END IF;
    END;
    COMMIT;
    EXIT WHEN failed_state IS NOT NULL;
    steps := steps + 1;
    row_count := row_count + coalesce(step_rows, 0);
    EXIT WHEN NOT job.repeat OR step_rows = 0;
    more := steps >= job.max_steps OR clock_timestamp() >= deadline;
    EXIT WHEN more;
  END LOOP;

  PERFORM pg_catalog.set_config('search_path', path, true);
  BEGIN
    PERFORM vigil.finish_job(name, scheduled, steps, row_count, more,
                             failed_state, failed_message, failed_detail, failed_hint, failed_context);
  EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock(1986619241, hashtext(name));
    RAISE;
  END;
  COMMIT;
  PERFORM pg_catalog.pg_advisory_unlock(1986619241, pg_catalog.hashtext(name));
  IF failed_state IS NOT NULL THEN
    PERFORM vigil.raise_again(failed_state, failed_message, failed_detail, failed_hint, failed_context);
  END IF;
END $$;
COMMENT ON PROCEDURE vigil.run_job(text) IS
  'Runs a job now, as the workers do: its step once or until nothing is left, with a COMMIT after each. Records the run, then raises the error of a failed one. Two runs of a job never overlap. Not inside a transaction block.';

CREATE OR REPLACE FUNCTION vigil.job_has_work(question text) RETURNS boolean
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  answer boolean;
BEGIN
  IF question IS NOT NULL THEN
    EXECUTE 'SELECT (' || question || ')::boolean' INTO answer;
  END IF;
  RETURN coalesce(answer, true);
EXCEPTION WHEN OTHERS THEN
  RETURN true;  -- the run itself then fails, and its error is recorded
END $$;
COMMENT ON FUNCTION vigil.job_has_work(text) IS
  'Answer of a job''s has_work expression; true when there is none, or it fails, so that the run tells why.';

CREATE OR REPLACE FUNCTION vigil.latest_job_run(job vigil.job_settings, failing boolean) RETURNS timestamptz
  LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  at constant timestamptz := clock_timestamp();
  latest timestamptz := at + job.run_every;
BEGIN
  IF job.cron IS NOT NULL THEN
    BEGIN
      latest := vigil.next_run(job.cron, at, job.time_zone);
    EXCEPTION WHEN data_exception THEN
      latest := 'infinity';  -- the run tells why
    END;
  END IF;
  RETURN CASE WHEN failing THEN greatest(latest, at + interval '1 hour') ELSE latest END;
END $$;
COMMENT ON FUNCTION vigil.latest_job_run(vigil.job_settings, boolean) IS
  'Latest time at which the schedule of a job lets it run next, seen from now: what was set to a later one was decided by a clock that was ahead.';

CREATE OR REPLACE FUNCTION vigil.worker_jobs(worker text)
  RETURNS TABLE (name text, next_run_at timestamptz, latest_run_at timestamptz, last_started_at timestamptz,
                 enabled boolean, idle boolean)
  LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT s.name, coalesce(t.next_run_at, '-infinity'),
         vigil.latest_job_run(s, t.failures > 0 OR t.running_pid IS NOT NULL),
         coalesce(t.last_started_at, '-infinity'), s.enabled,
         s.enabled AND coalesce(t.next_run_at, '-infinity') <= clock_timestamp()
           AND NOT vigil.job_has_work(s.has_work)
  FROM vigil.job_settings s LEFT JOIN vigil.job_state t USING (name)
  WHERE s.worker = worker_jobs.worker
$$;
COMMENT ON FUNCTION vigil.worker_jobs(text) IS 'For the workers: jobs of scheduler or courier, as the timing code wants to know them.';

CREATE OR REPLACE FUNCTION vigil.pause_job(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.find_job(name);
  UPDATE vigil.job_settings s SET enabled = false WHERE s.name = pause_job.name;
END $$;
COMMENT ON FUNCTION vigil.pause_job(text) IS 'The workers no longer start the job; a run under way goes on.';

CREATE OR REPLACE FUNCTION vigil.resume_job(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  job vigil.job_settings := vigil.find_job(name);
BEGIN
  -- Whatever made somebody pause it is over: no waiting for a backoff.
  UPDATE vigil.job_state s
  SET next_run_at = coalesce(vigil.next_run(job.cron, clock_timestamp(), job.time_zone), clock_timestamp())
  WHERE s.name = resume_job.name;
  UPDATE vigil.job_settings s SET enabled = true WHERE s.name = resume_job.name;
END $$;
COMMENT ON FUNCTION vigil.resume_job(text) IS
  'The workers start the job again: at once, or at the next time of its cron expression.';

CREATE OR REPLACE FUNCTION vigil.alter_job(
  name text, run_every interval DEFAULT NULL, max_steps integer DEFAULT NULL,
  time_budget interval DEFAULT NULL, step_timeout interval DEFAULT NULL, keep_history interval DEFAULT NULL)
  RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.find_job(name);
  IF run_every NOT BETWEEN interval '1 second' AND interval '366 days' THEN
    RAISE EXCEPTION 'interval % is out of range for job "%"', run_every, name
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give run_every from 1 second to 366 days.';
  ELSIF max_steps < 1 THEN
    RAISE EXCEPTION 'max_steps must be positive, not %', max_steps
      USING ERRCODE = 'invalid_parameter_value';
  ELSIF time_budget <= '0' THEN
    RAISE EXCEPTION 'time_budget must be positive, not %', time_budget
      USING ERRCODE = 'invalid_parameter_value';
  ELSIF step_timeout NOT BETWEEN interval '0' AND interval '24 days' THEN
    RAISE EXCEPTION 'step_timeout % is out of range for job "%"', step_timeout, name
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give 0 for no limit, or up to 24 days.';
  ELSIF keep_history < '0' THEN
    RAISE EXCEPTION 'keep_history must not be negative, as % is', keep_history
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  UPDATE vigil.job_settings s
  SET run_every = coalesce(alter_job.run_every, s.run_every),
      cron = CASE WHEN alter_job.run_every IS NULL THEN s.cron END,
      max_steps = coalesce(alter_job.max_steps, s.max_steps),
      time_budget = coalesce(alter_job.time_budget, s.time_budget),
      step_timeout = coalesce(alter_job.step_timeout, s.step_timeout),
      keep_history = coalesce(alter_job.keep_history, s.keep_history)
  WHERE s.name = alter_job.name;
  IF run_every IS NOT NULL THEN
    UPDATE vigil.job_state s
    SET next_run_at = least(s.next_run_at, coalesce(s.last_started_at, clock_timestamp()) + run_every)
    WHERE s.name = alter_job.name AND s.failures = 0;
  END IF;
END $$;
COMMENT ON FUNCTION vigil.alter_job(text, interval, integer, interval, interval, interval) IS
  'Changes how often a job runs (in place of a cron expression), its steps per run, its time per run, the time limit of a step and how long its history is kept; what is null stays.';

CREATE OR REPLACE FUNCTION vigil.schedule_job(name text, schedule text, time_zone text DEFAULT 'UTC')
  RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  run_every interval;
BEGIN
  PERFORM vigil.find_job(name);
  -- An interval has a unit or a colon among its first two words.
  IF schedule ~ '^\s*(@\w|[0-9*/,-]+\s+[0-9*/,-]+(\s|$))' THEN
    UPDATE vigil.job_settings s
    SET cron = btrim(schedule, E' \t\n\r'), time_zone = coalesce(schedule_job.time_zone, 'UTC'), run_every = '1 minute'
    WHERE s.name = schedule_job.name;
  ELSE
    BEGIN
      run_every := schedule::interval;
    EXCEPTION WHEN data_exception THEN
    END;
    IF run_every IS NULL THEN
      RAISE EXCEPTION 'schedule "%" is neither an interval nor a cron expression', coalesce(schedule, 'null')
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'Give an interval as in 30 seconds, five fields as in 30 3 * * 1-5, or @hourly, @daily, @weekly, @monthly or @yearly.';
    END IF;
    PERFORM vigil.alter_job(name, run_every);
  END IF;
  RETURN coalesce((SELECT greatest(s.next_run_at, clock_timestamp()) FROM vigil.job_state s WHERE s.name = schedule_job.name),
                  clock_timestamp());
END $$;
COMMENT ON FUNCTION vigil.schedule_job(text, text, text) IS
  'Lets a job run every interval (30 seconds) or by a cron expression (30 3 * * 1-5, @daily) and the clocks of a zone (default UTC). Returns when it runs next. SQLSTATE 42704: no such job; 22023: no such schedule or zone.';

CREATE OR REPLACE VIEW vigil.jobs AS
SELECT s.name, s.description, CASE WHEN s.cron IS NULL THEN s.run_every END AS every,
       coalesce(s.cron, s.run_every::text) AS schedule,
       CASE WHEN s.cron IS NOT NULL THEN s.time_zone END AS time_zone, s.enabled,
       t.last_started_at AS last_run,
       CASE WHEN s.enabled AND NOT p.all_paused THEN nullif(t.next_run_at, '-infinity') END AS next_run,
       t.last_duration_ms * interval '1 millisecond' AS last_duration,
       t.last_rows, coalesce(t.runs, 0) AS runs, coalesce(t.failures, 0) AS failures, t.last_error,
       CASE WHEN r.pid IS NOT NULL THEN 'running'
            WHEN NOT s.enabled OR p.all_paused THEN 'paused'
            WHEN t.failures > 0 THEN 'failing'
            WHEN t.last_started_at IS NULL THEN 'new'
            ELSE 'waiting' END AS state
FROM vigil.job_settings s
LEFT JOIN vigil.job_state t USING (name)
CROSS JOIN (SELECT coalesce(pg_catalog.current_setting('vigil.pause_jobs', true)::boolean, false)) p (all_paused)
LEFT JOIN pg_catalog.pg_locks r
  ON r.locktype = 'advisory' AND r.granted AND r.objsubid = 2 AND r.classid = 1986619241
  AND r.objid = (pg_catalog.hashtext(s.name)::bigint & 4294967295)::oid
  AND r.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
ORDER BY s.name;
COMMENT ON VIEW vigil.jobs IS
  'Every job: when it ran and runs next, how long it took, what it did, whether it fails. State: running, waiting, failing, paused or new.';
COMMENT ON COLUMN vigil.jobs.name IS 'Name, for CALL vigil.run_job(name).';
COMMENT ON COLUMN vigil.jobs.description IS 'What it is for.';
COMMENT ON COLUMN vigil.jobs.every IS 'From start to start; null with a cron expression.';
COMMENT ON COLUMN vigil.jobs.schedule IS 'Interval or cron expression; vigil.schedule_job changes it.';
COMMENT ON COLUMN vigil.jobs.time_zone IS 'Zone by whose clocks the cron expression goes; null with an interval.';
COMMENT ON COLUMN vigil.jobs.enabled IS 'False while it is paused; all are while vigil.pause_jobs is on.';
COMMENT ON COLUMN vigil.jobs.last_run IS 'Start of the last run. Workers leave out runs without work, but for one a minute.';
COMMENT ON COLUMN vigil.jobs.next_run IS 'When it is due; null while paused, or before the first run.';
COMMENT ON COLUMN vigil.jobs.last_duration IS 'How long the last run took.';
COMMENT ON COLUMN vigil.jobs.last_rows IS 'Rows that the last run dealt with.';
COMMENT ON COLUMN vigil.jobs.runs IS 'Runs so far.';
COMMENT ON COLUMN vigil.jobs.failures IS 'Failures in a row.';
COMMENT ON COLUMN vigil.jobs.last_error IS 'Why the last run failed; null when it did not.';
COMMENT ON COLUMN vigil.jobs.state IS 'running, waiting, failing, paused or new.';

CREATE OR REPLACE FUNCTION vigil.workers()
  RETURNS TABLE (pid integer, kind text, database text, state text, started_at timestamptz)
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT a.pid, replace(a.backend_type, 'pg_vigil ', ''), a.datname, coalesce(a.state, 'idle'),
         a.backend_start
  FROM pg_stat_activity a
  WHERE a.backend_type LIKE 'pg\_vigil %'
  ORDER BY a.datname NULLS FIRST, a.backend_type DESC
$$;
COMMENT ON FUNCTION vigil.workers() IS
  'The background workers of this server: launcher, and scheduler, courier, rollers (vigil.rollup_workers) and, while there is need, recorder of each database with the extension.';

CREATE OR REPLACE FUNCTION vigil.cron_schedule(run_every interval, seconds_allowed boolean DEFAULT false)
  RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE
    WHEN seconds < 60 AND seconds_allowed THEN greatest(seconds, 1) || ' seconds'
    WHEN seconds < 120 THEN '* * * * *'
    WHEN seconds < 3600 THEN
      '*/' || (SELECT max(m) FROM unnest(ARRAY[2, 3, 4, 5, 6, 10, 12, 15, 20, 30]) m WHERE m <= seconds / 60) || ' * * * *'
    WHEN seconds < 7200 THEN '0 * * * *'
    WHEN seconds < 86400 THEN
      '0 */' || (SELECT max(h) FROM unnest(ARRAY[2, 3, 4, 6, 8, 12]) h WHERE h <= seconds / 3600) || ' * * *'
    ELSE '0 0 * * *' END
  FROM (SELECT extract(epoch FROM run_every)::bigint) AS t(seconds)
$$;
COMMENT ON FUNCTION vigil.cron_schedule(interval, boolean) IS
  'The cron expression that runs at least as often as the interval, where cron can: a minute is its shortest, unless it takes seconds (pg_cron 1.5).';

CREATE OR REPLACE FUNCTION vigil.require_pg_cron() RETURNS void
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  home text := current_setting('cron.database_name', true);
BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
    RETURN;
  ELSIF home IS NULL THEN
    RAISE EXCEPTION 'pg_cron is not loaded'
      USING ERRCODE = 'undefined_object',
            DETAIL = 'Jobs can be run by pg_cron, or by the workers of pg_vigil, and the server preloads neither pg_cron.',
            HINT = 'Add pg_cron to shared_preload_libraries and restart, then CREATE EXTENSION pg_cron; or preload pg_vigil, which then runs its jobs itself.';
  ELSIF home = current_database() THEN
    RAISE EXCEPTION 'extension "pg_cron" does not exist in database "%"', home
      USING ERRCODE = 'undefined_object', HINT = 'Run CREATE EXTENSION pg_cron;';
  END IF;
  RAISE EXCEPTION 'pg_cron runs in database "%", which cannot be reached from "%"', home, current_database()
    USING ERRCODE = 'feature_not_supported',
          DETAIL = 'cron.schedule_in_database() schedules for other databases, but only pg_cron''s own database has it.',
          HINT = format(E'Connect to "%s" and run:\n%s', home,
            (SELECT string_agg(format('SELECT cron.schedule_in_database(%L, %L, %L, %L);',
                      'pg_vigil ' || current_database() || ' ' || s.name,
                      coalesce(s.cron, vigil.cron_schedule(s.run_every)),
                      format('CALL vigil.run_job(%L)', s.name), current_database()), E'\n' ORDER BY s.name)
             FROM vigil.job_settings s));
END $$;
COMMENT ON FUNCTION vigil.require_pg_cron() IS
  'Error with what to do if pg_cron cannot be called here: 42704 when it is missing, 0A000 when it lives in another database, with the statements to run there.';

CREATE OR REPLACE FUNCTION vigil.unschedule_from_pg_cron() RETURNS bigint
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  removed bigint;
BEGIN
  PERFORM vigil.require_pg_cron();
  -- By id, because cron.unschedule(name) sees the caller's own jobs only.
  EXECUTE $sql$
    SELECT count(cron.unschedule(jobid)) FROM cron.job
    WHERE jobname LIKE 'pg\_vigil %' AND database = current_database()
  $sql$ INTO removed;
  RETURN removed;
END $$;
COMMENT ON FUNCTION vigil.unschedule_from_pg_cron() IS
  'Removes what vigil.schedule_with_pg_cron() registered; returns how many.';

CREATE OR REPLACE FUNCTION vigil.schedule_with_pg_cron()
  RETURNS TABLE (job text, schedule text, cron_job_id bigint)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  -- From 1.5 on pg_cron takes intervals of seconds.
  seconds_allowed boolean := (
    SELECT string_to_array(regexp_replace(extversion, '[^0-9.].*', ''), '.')::integer[] >= ARRAY[1, 5]
    FROM pg_extension WHERE extname = 'pg_cron');
BEGIN
  PERFORM vigil.unschedule_from_pg_cron();
  FOR job, schedule IN
    SELECT s.name, coalesce(s.cron, vigil.cron_schedule(s.run_every, seconds_allowed))
    FROM vigil.job_settings s WHERE s.enabled ORDER BY s.name
  LOOP
    EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO cron_job_id
      USING 'pg_vigil ' || job, schedule, format('CALL vigil.run_job(%L)', job);
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.schedule_with_pg_cron() IS
  'Registers every enabled job with pg_cron, in place of what was registered before; for servers that do not preload pg_vigil. Cron''s shortest interval is a minute before pg_cron 1.5, and cron expressions go by its own zone.';

REVOKE ALL ON FUNCTION vigil.limit_step(interval), vigil.start_job(text),
  vigil.finish_job(text, timestamptz, integer, bigint, boolean, text, text, text, text, text),
  vigil.job_has_work(text), vigil.worker_jobs(text), vigil.pause_job(text), vigil.resume_job(text),
  vigil.alter_job(text, interval, integer, interval, interval, interval), vigil.schedule_job(text, text, text),
  vigil.schedule_with_pg_cron(), vigil.unschedule_from_pg_cron() FROM PUBLIC;
REVOKE ALL ON PROCEDURE vigil.run_job(text) FROM PUBLIC;

-- The launcher hears of this database when CREATE EXTENSION commits.
SELECT vigil.wake_workers();
