-- The doctor: what is wrong here, in words, with what mends it.
--
-- A check is a function vigil.check_<area>() that returns findings, one for each thing that is wrong; vigil.doctor() calls all of
-- them. It reads catalogs and small tables, never facts, and tells nothing of what tenants sent. Its arguments, all with defaults, are
-- limits that tests lower.
CREATE OR REPLACE FUNCTION vigil.is_preloaded() RETURNS boolean
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$ SELECT current_setting('shared_preload_libraries') ~ '\mpg_vigil\M' $$;
COMMENT ON FUNCTION vigil.is_preloaded() IS 'Whether this server preloads the library, so that it can have workers and a queue.';

CREATE OR REPLACE FUNCTION vigil.full_name(target oid) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = target
$$;
COMMENT ON FUNCTION vigil.full_name(oid) IS 'Name of a table or index with its schema, as a remedy needs it.';

CREATE OR REPLACE FUNCTION vigil.check_version() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'critical', 'extension pg_vigil',
         format('the database has version %s, the library is version %s: the workers wait', e.extversion, vigil.version()),
         'ALTER EXTENSION pg_vigil UPDATE; -- or restart the server, if it still has the older library'
  FROM pg_extension e WHERE e.extname = 'pg_vigil' AND e.extversion <> vigil.version()
$$;
COMMENT ON FUNCTION vigil.check_version() IS 'Check of vigil.doctor(): SQL and library are of one version.';

CREATE OR REPLACE FUNCTION vigil.check_preload(silent_for interval DEFAULT '15 minutes') RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'critical', 'shared_preload_libraries',
         format('the library is not preloaded, and no job has run%s: nothing is rolled up, no partition made, no alert fired',
                ' since ' || date_trunc('second', t.last_run)),
         format('ALTER SYSTEM SET shared_preload_libraries = %s; -- then restart the server; or SELECT * FROM vigil.schedule_with_pg_cron();',
                (SELECT string_agg(quote_literal(btrim(library)), ', ')
                 FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',') || 'pg_vigil'::text) AS library))
  FROM (SELECT max(s.last_started_at) AS last_run FROM vigil.job_state s) t
  WHERE NOT vigil.is_preloaded() AND NOT pg_is_in_recovery() AND coalesce(t.last_run <= now() - silent_for, true)
$$;
COMMENT ON FUNCTION vigil.check_preload(interval) IS 'Check of vigil.doctor(): somebody runs the jobs, workers or pg_cron.';

CREATE OR REPLACE FUNCTION vigil.check_workers() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH process AS MATERIALIZED (
    SELECT a.backend_type AS kind, a.datname,
           a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer',
                                  'walwriter', 'walsender', 'walreceiver', 'startup', 'archiver', 'logger', 'standalone backend',
                                  'walsummarizer', 'io worker', 'slotsync worker') AS is_worker
    FROM pg_stat_activity a),
  server AS (
    SELECT (SELECT count(*) FROM process p WHERE p.is_worker) AS workers,
           current_setting('max_worker_processes')::bigint AS max_workers,
           (SELECT count(DISTINCT p.datname) FROM process p WHERE p.kind = 'pg_vigil scheduler') AS databases,
           coalesce(current_setting('vigil.max_databases', true)::bigint, 0) AS max_databases,
           EXISTS (SELECT FROM process p WHERE p.kind = 'pg_vigil launcher') AS launched,
           coalesce(current_setting('vigil.workers', true)::boolean, true) AS wanted
    WHERE vigil.is_preloaded() AND NOT pg_is_in_recovery())
  SELECT 'critical', 'vigil.workers', 'the workers are switched off: no job runs by itself, and no captured event is stored',
         'ALTER SYSTEM SET vigil.workers = on; SELECT pg_reload_conf();'
  FROM server s WHERE NOT s.wanted
  UNION ALL
  SELECT 'critical', 'launcher', 'the launcher does not run: nobody starts workers',
         'See the log of the server, which starts it again every 5 seconds.'
  FROM server s WHERE s.wanted AND NOT s.launched
  UNION ALL
  SELECT 'critical', missing.kind, format('no %s runs in database "%s"%s', missing.kind, current_database(),
           CASE WHEN s.workers >= s.max_workers THEN format(': all %s of max_worker_processes are taken', s.max_workers)
                WHEN s.databases >= s.max_databases THEN format(': vigil.max_databases = %s are served already', s.max_databases)
                ELSE '' END),
         CASE WHEN s.workers >= s.max_workers THEN format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server', s.max_workers + 8)
              WHEN s.databases >= s.max_databases THEN format('ALTER SYSTEM SET vigil.max_databases = %s; -- then restart the server', 2 * s.max_databases)
              ELSE 'See the log of the server; one that ended is started again after 5 seconds.' END
  FROM server s, unnest('{scheduler,courier}'::text[]) AS missing (kind)
  WHERE s.wanted AND s.launched
    AND NOT EXISTS (SELECT FROM process p WHERE p.kind = 'pg_vigil ' || missing.kind AND p.datname = current_database())
  UNION ALL
  SELECT 'warning', 'vigil.rollup_workers', format('%s of %s rollers run in database "%s" besides the scheduler%s', r.running, r.wanted,
           current_database(), CASE WHEN s.workers >= s.max_workers THEN format(': all %s of max_worker_processes are taken', s.max_workers) ELSE '' END),
         CASE WHEN s.workers >= s.max_workers THEN format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server', s.max_workers + 8)
              ELSE 'See the log of the server; one that ended is started again after 5 seconds.' END
  FROM server s,
       (SELECT count(*) AS running, coalesce(current_setting('vigil.rollup_workers', true)::bigint, 1) - 1 AS wanted
        FROM process p WHERE p.kind = 'pg_vigil roller' AND p.datname = current_database()) r
  WHERE s.wanted AND s.launched AND r.running < r.wanted
  UNION ALL
  SELECT 'info', 'restore', 'a dump is being restored into this database: jobs do nothing until that session ends',
         'SELECT pid, application_name, backend_start FROM pg_stat_activity WHERE datname = current_database();'
  WHERE vigil.being_restored()
$$;
COMMENT ON FUNCTION vigil.check_workers() IS 'Check of vigil.doctor(): launcher, scheduler and courier run, where the library is preloaded.';

CREATE OR REPLACE FUNCTION vigil.check_pg_cron() RETURNS SETOF vigil.finding
  LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  registered bigint;
BEGIN
  IF to_regclass('cron.job') IS NULL OR NOT vigil.is_preloaded() OR current_setting('vigil.workers', true) = 'off' THEN
    RETURN;
  END IF;
  EXECUTE $sql$SELECT count(*) FROM cron.job WHERE jobname LIKE 'pg\_vigil %' AND database = current_database() AND active$sql$
    INTO registered;
  IF registered > 0 THEN
    RETURN QUERY SELECT 'info', 'pg_cron', format('pg_cron runs %s jobs that the workers run as well', registered),
                        'SELECT vigil.unschedule_from_pg_cron();';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.check_pg_cron() IS 'Check of vigil.doctor(): jobs are not run by the workers and by pg_cron.';

CREATE OR REPLACE FUNCTION vigil.check_jobs(late_by interval DEFAULT '5 minutes') RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH job AS MATERIALIZED (
    SELECT s AS settings, s.name, s.enabled, s.time_budget, s.step_timeout, t.*, j.state
    FROM vigil.job_settings s
    JOIN vigil.jobs j ON j.name = s.name
    LEFT JOIN LATERAL (SELECT t.next_run_at, t.last_started_at, t.failures, t.last_error, t.running_pid
                       FROM vigil.job_state t WHERE t.name = s.name) t ON true
    WHERE NOT pg_is_in_recovery()),
  served AS (
    SELECT max(a.backend_start) AS since FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_type = 'pg_vigil scheduler'),
  -- Whoever has altered a job and not committed holds its row, without which it cannot begin.
  held AS MATERIALIZED (
    SELECT min(a.pid) AS pid, string_agg(format('; process %s holds rows of vigil.job_state, its transaction began at %s: %s', a.pid,
                                                date_trunc('second', a.xact_start), left(a.query, 100)), '') AS by_whom
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.relation = 'vigil.job_state'::regclass AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND a.pid <> pg_backend_pid()
      AND a.datname = current_database() AND a.state LIKE 'idle in transaction%')
  SELECT 'warning', 'vigil.pause_jobs', 'all jobs are paused', 'ALTER SYSTEM SET vigil.pause_jobs = off; SELECT pg_reload_conf();'
  WHERE current_setting('vigil.pause_jobs', true) = 'on'
  UNION ALL
  SELECT 'info', j.name, format('job "%s" is paused', j.name), format('SELECT vigil.resume_job(%L);', j.name)
  FROM job j WHERE NOT j.enabled
  UNION ALL
  -- Details may hold what tenants sent; that of a lock is our own.
  SELECT CASE WHEN j.failures < 3 THEN 'warning' ELSE 'critical' END, j.name,
         format('job "%s" has failed %s, last at %s: %s%s', j.name,
                CASE j.failures WHEN 1 THEN 'once' ELSE j.failures || ' times in a row' END,
                date_trunc('second', j.last_started_at), left(coalesce(h.error, j.last_error), 200),
                CASE WHEN h.sqlstate = '55P03' THEN '; ' || h.detail END),
         coalesce(h.hint, vigil.failure_remedy(j.settings, h.sqlstate))
  FROM job j
  LEFT JOIN LATERAL (SELECT h.* FROM vigil.job_history h WHERE h.job = j.name AND h.sqlstate IS NOT NULL
                     ORDER BY h.started_at DESC LIMIT 1) h ON true
  WHERE j.failures > 0 AND j.enabled
  UNION ALL
  SELECT 'warning', j.name,
         format('job "%s" waits for a lock of %s%s', j.name, CASE blocker WHEN 0 THEN 'a prepared transaction' ELSE 'process ' || blocker END,
                ', whose transaction began at ' || date_trunc('second', a.xact_start) || ': ' || left(a.query, 100)),
         CASE blocker WHEN 0 THEN 'SELECT * FROM pg_prepared_xacts;' ELSE format('SELECT pg_terminate_backend(%s);', blocker) END
  FROM job j
  CROSS JOIN LATERAL unnest(pg_blocking_pids(j.running_pid)) AS blocker
  LEFT JOIN pg_stat_activity a ON a.pid = blocker
  WHERE j.state = 'running'
    AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = j.running_pid AND NOT l.granted AND l.waitstart < clock_timestamp() - interval '2 seconds')
  UNION ALL
  SELECT 'critical', j.name,
         format('job "%s" has been running since %s in process %s, longer than it may', j.name, date_trunc('second', j.last_started_at), j.running_pid),
         format('SELECT pg_cancel_backend(%s);', j.running_pid)
  FROM job j
  WHERE j.state = 'running'
    AND j.last_started_at < now() - late_by - CASE WHEN j.step_timeout > '0' THEN j.time_budget + j.step_timeout ELSE interval '1 hour' END
  UNION ALL
  SELECT CASE WHEN j.last_started_at IS NULL THEN 'warning' ELSE 'critical' END, j.name,
         CASE WHEN j.last_started_at IS NULL THEN format('job "%s" has never run', j.name)
              ELSE format('job "%s" has been due since %s, it last ran at %s', j.name, date_trunc('second', j.next_run_at),
                          date_trunc('second', j.last_started_at)) END || coalesce(held.by_whom, ''),
         CASE WHEN held.pid IS NULL THEN format('CALL vigil.run_job(%L);', j.name) ELSE format('SELECT pg_terminate_backend(%s);', held.pid) END
  FROM job j, served, held
  WHERE j.state NOT IN ('running', 'paused') AND served.since < now() - late_by
    AND CASE WHEN j.next_run_at > '-infinity' THEN j.next_run_at < now() - late_by ELSE true END
$$;
COMMENT ON FUNCTION vigil.check_jobs(interval) IS 'Check of vigil.doctor(): no job is paused, fails, waits for a lock, takes too long or is late.';

CREATE OR REPLACE FUNCTION vigil.check_rollup(late_by interval DEFAULT '1 minute') RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE WHEN m.oldest < now() - 10 * late_by THEN 'critical' ELSE 'warning' END, 'rollup',
         format('%s%s marked minutes wait for the roller, the oldest since %s: reading takes longer, but is right',
                CASE WHEN m.marks = 100000 THEN 'more than ' END, m.minutes, date_trunc('second', m.oldest)),
         'CALL vigil.run_job(''rollup'');'
  FROM (SELECT count(*) AS minutes, min(r.ripe_at) AS oldest, sum(r.marks) AS marks
        FROM (SELECT vigil.ripe_at(d.minute, min(d.marked_at), max(d.marked_at), vigil.rollup_patience(true)) AS ripe_at, count(*) AS marks
              FROM (SELECT module_id, minute, marked_at FROM vigil.dirty LIMIT 100000) d
              GROUP BY d.module_id, d.minute) r
        WHERE r.ripe_at < now()) m
  WHERE m.oldest < now() - late_by
$$;
COMMENT ON FUNCTION vigil.check_rollup(interval) IS 'Check of vigil.doctor(): the roller takes marked minutes when they are ripe.';

CREATE OR REPLACE FUNCTION vigil.check_cells() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'critical', 'verify_rollups',
         format('%s cells were not what their facts make, the last was found at %s: they were mended, but something writes past the triggers',
                count(*), date_trunc('second', max(d.found_at))),
         'SELECT * FROM vigil.rollup_differences WHERE found_at > now() - interval ''1 day'' ORDER BY found_at DESC;'
  FROM vigil.rollup_differences d WHERE d.found_at > now() - interval '1 day' HAVING count(*) > 0
$$;
COMMENT ON FUNCTION vigil.check_cells() IS 'Check of vigil.doctor(): the verifier has found nothing since yesterday.';

CREATE OR REPLACE FUNCTION vigil.check_partitions() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE WHEN bool_or(m.starts_at <= now() AND m.ends_at > now()) THEN 'critical' ELSE 'warning' END, m.parent,
         format('vigil.%I has no partition %s: what comes for that time waits in quarantine%s', m.parent,
                string_agg(m.partition, ', ' ORDER BY m.starts_at),
                coalesce('; ' || vigil.strong_locks(format('vigil.%I', m.parent)::regclass), '')),
         coalesce((SELECT format('ALTER TABLE vigil.%I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L); -- a table of this name exists',
                                 m.parent, taken.name, taken.starts_at, taken.ends_at)
                   FROM unnest(array_agg(format('vigil.%I', m.partition)), array_agg(m.starts_at), array_agg(m.ends_at))
                          AS taken (name, starts_at, ends_at)
                   WHERE to_regclass(taken.name) IS NOT NULL LIMIT 1),
                  format('SELECT * FROM vigil.maintain_partitions(%L);', m.parent))
  FROM vigil.missing_partitions() m GROUP BY m.parent
  UNION ALL
  SELECT 'warning', c.relname, format('DETACH of partition %s was interrupted', vigil.full_name(c.oid)),
         format('ALTER TABLE %s DETACH PARTITION %s FINALIZE;', vigil.full_name(i.inhparent), vigil.full_name(c.oid))
  FROM pg_inherits i
  JOIN pg_class p ON p.oid = i.inhparent AND p.relnamespace = 'vigil'::regnamespace
  JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhdetachpending
    -- What retention detaches it finishes by itself.
    AND NOT EXISTS (SELECT FROM vigil.retired_partitions r
                    WHERE r.parent = p.relname AND r.partition = c.relname AND r.detached_at IS NULL)
$$;
COMMENT ON FUNCTION vigil.check_partitions() IS 'Check of vigil.doctor(): the partitions that the policy wants exist, and none is half detached.';

CREATE OR REPLACE FUNCTION vigil.check_partition_parts() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH parent AS MATERIALIZED (
    SELECT p.oid, p.relname, y.indexes
    FROM vigil.partition_policy y JOIN pg_class p ON p.oid = to_regclass(format('vigil.%I', y.parent))
    -- Of other tables than those of facts nothing is known.
    WHERE y.parent IN ('events', 'errors')),
  part AS MATERIALIZED (
    SELECT c.oid, c.relname, p.relname AS parent, p.indexes
    FROM parent p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind = 'r')
  SELECT 'critical', t.relname, format('table %s works without its triggers %s: what is written to it is not counted', vigil.full_name(t.oid),
                                       string_agg(name, ', ')),
         coalesce(string_agg('ALTER TABLE ' || vigil.full_name(t.oid) || ' ENABLE TRIGGER ' || quote_ident(g.tgname) || ';', ' '),
                  format('SELECT vigil.watch_table(%L);', vigil.full_name(t.oid)))
  FROM (SELECT p.oid, p.relname FROM parent p UNION ALL SELECT p.oid, p.relname FROM part p) t
  CROSS JOIN unnest('{dirty_insert,dirty_update,dirty_delete,dirty_truncate}'::text[]) AS name
  LEFT JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgname = name
  WHERE g.tgenabled IS NULL OR g.tgenabled NOT IN ('O', 'A')
  GROUP BY t.oid, t.relname
  UNION ALL
  SELECT 'warning', p.relname, format('partition %s has no primary key', vigil.full_name(p.oid)),
         format('ALTER TABLE %s ADD PRIMARY KEY (module_id, created_at, id);', vigil.full_name(p.oid))
  FROM part p WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p.oid AND i.indisprimary)
  UNION ALL
  SELECT 'info', p.relname, format('partition %s has %s indexes besides its key, the policy of vigil.%I names %s', vigil.full_name(p.oid), n.indexes,
                                   p.parent, cardinality(p.indexes)),
         (SELECT string_agg(format('CREATE INDEX CONCURRENTLY ON %s %s;', vigil.full_name(p.oid), definition), ' ')
          FROM unnest(p.indexes) AS definition)
  FROM part p
  CROSS JOIN LATERAL (SELECT count(*) AS indexes FROM pg_index i WHERE i.indrelid = p.oid AND NOT i.indisprimary AND i.indisvalid) n
  WHERE n.indexes < cardinality(p.indexes)
$$;
COMMENT ON FUNCTION vigil.check_partition_parts() IS 'Check of vigil.doctor(): each partition has its triggers, key and indexes.';

CREATE OR REPLACE FUNCTION vigil.check_retention(late_by interval DEFAULT '1 day') RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', r.partition,
         format('partition vigil.%I is kept beyond the retention of %s: %s', r.partition, y.retention,
                coalesce(r.stays_because, 'it may go, but was not detached' || coalesce('; ' || vigil.strong_locks(), ''))),
         CASE WHEN r.goes THEN 'SELECT vigil.retire_partitions();' ELSE 'SELECT * FROM vigil.preview_retention();' END
  FROM vigil.preview_retention() r
  JOIN vigil.partition_policy y ON y.parent = r.parent AND y.enabled
  WHERE r.ends_at < now() - greatest(y.retention, y.past) - late_by
  UNION ALL
  SELECT 'warning', r.partition,
         format('table vigil.%I was closed at %s, but not %s: %s', r.partition, date_trunc('second', r.closed_at),
                CASE WHEN r.detached_at IS NULL THEN 'detached' WHEN r.archive_schema IS NULL THEN 'dropped' ELSE 'moved' END, r.problem),
         'SELECT vigil.retire_partitions();'
  FROM vigil.retired_partitions r WHERE r.finished_at IS NULL AND r.problem IS NOT NULL
$$;
COMMENT ON FUNCTION vigil.check_retention(interval) IS 'Check of vigil.doctor(): what is older than its retention goes.';

CREATE OR REPLACE FUNCTION vigil.free_disk_bytes() RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vigil_free_disk_bytes';
COMMENT ON FUNCTION vigil.free_disk_bytes() IS 'Free bytes of the file system that holds the default tablespace of this database.';

CREATE OR REPLACE FUNCTION vigil.check_disk(within interval DEFAULT '7 days', free_bytes bigint DEFAULT NULL) RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE WHEN f.reached_at < now() + within / 7 THEN 'critical' ELSE 'warning' END, 'disk',
         format('the disk has %s left and is full by %s: %s come on a day', pg_size_pretty(f.limit_bytes),
                date_trunc('hour', f.reached_at), pg_size_pretty(f.bytes_per_day)),
         'Add space, or keep less: UPDATE vigil.partition_policy SET retention = ...; see vigil.preview_retention().'
  FROM vigil.partition_forecast(coalesce(check_disk.free_bytes, vigil.free_disk_bytes())) f
  WHERE f.parent IS NULL AND f.reached_at < now() + within
$$;
COMMENT ON FUNCTION vigil.check_disk(interval, bigint) IS
  'Check of vigil.doctor(): at the pace of the last partitions the disk lasts for a week.';

CREATE OR REPLACE FUNCTION vigil.check_managed_tables() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', m.name, format('partitions of %s cannot be looked after since %s: %s', m.name, date_trunc('second', m.problem_at), left(m.problem, 200)),
         'Mend the cause, then CALL vigil.run_job(''maintain_partitions'');'
  FROM vigil.managed_tables m WHERE m.problem IS NOT NULL
  UNION ALL
  SELECT 'warning', d.name, format('%s was to go at %s and is still there: %s', d.name, date_trunc('second', d.due_at), left(d.problem, 200)),
         CASE WHEN d.table_oid IS NOT NULL THEN 'Mend the cause, then CALL vigil.run_job(''maintain_partitions'');'
              ELSE format('DROP TABLE %s; -- or keep it: DELETE FROM vigil.detached_tables WHERE name = %L;', d.name, d.name) END
  FROM vigil.detached_tables d WHERE d.problem IS NOT NULL
$$;
COMMENT ON FUNCTION vigil.check_managed_tables() IS 'Check of vigil.doctor(): tables of users are looked after.';

CREATE OR REPLACE FUNCTION vigil.check_quarantine() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH waiting AS MATERIALIZED (SELECT q.fact, q.created_at FROM vigil.quarantine q LIMIT 10000),
  partition AS MATERIALIZED (SELECT p.parent, p.starts_at, p.ends_at FROM vigil.partitions p),
  judged AS (
    SELECT w.fact, w.created_at,
           CASE WHEN EXISTS (SELECT FROM partition p WHERE p.parent = w.fact AND p.starts_at <= w.created_at AND p.ends_at > w.created_at)
                  THEN 'their partition exists, but they were not stored yet'
                WHEN EXISTS (SELECT FROM vigil.retired_partitions r WHERE r.starts_at <= w.created_at AND r.ends_at > w.created_at)
                  THEN CASE WHEN y.late IS DISTINCT FROM 'count' THEN 'facts of their time were retired'
                            WHEN w.created_at <@ times.late THEN 'facts of their time were retired, and they were not counted yet'
                            WHEN w.created_at < s.hour_floor + interval '4 days' THEN 'hour cells of their time have expired'
                            ELSE 'they are counted when what was retired of their time has been dropped or archived' END
                WHEN w.created_at < now() - y.past THEN 'they are older than the policy makes partitions for'
                WHEN w.created_at > now() + y.ahead THEN 'they lie further in the future than the policy makes partitions for'
                ELSE 'their partition is missing' END AS cause
    FROM waiting w LEFT JOIN vigil.partition_policy y ON y.parent = w.fact, vigil.late_times() AS times (late), vigil.rollup_state s)
  SELECT CASE WHEN j.cause ~ '^their' THEN 'warning' ELSE 'info' END, j.fact,
         format('%s %s from %s to %s wait in quarantine: %s', CASE WHEN count(*) < 10000 THEN count(*)::text ELSE 'at least 10000' END, j.fact,
                date_trunc('second', min(j.created_at)), date_trunc('second', max(j.created_at)), j.cause),
         CASE WHEN j.cause ~ 'yet$' THEN 'CALL vigil.run_job(''replay_quarantine'');'
              WHEN j.cause ~ 'missing' THEN format('SELECT * FROM vigil.maintain_partitions(%L);', j.fact)
              WHEN j.cause ~ 'older' THEN format('UPDATE vigil.partition_policy SET past = now() - %L WHERE parent = %L;', date_trunc('day', min(j.created_at)), j.fact)
              WHEN j.cause ~ 'counted when' THEN 'SELECT * FROM vigil.retired_partitions WHERE finished_at IS NULL;'
              WHEN j.cause ~ 'retired' THEN format('UPDATE vigil.partition_policy SET late = ''count'' WHERE parent = %L; -- only their numbers are kept then', j.fact)
              ELSE format('DELETE FROM vigil.quarantine WHERE fact = %L AND created_at BETWEEN %L AND %L; -- they are lost then',
                          j.fact, min(j.created_at), max(j.created_at)) END
  FROM judged j GROUP BY j.fact, j.cause
$$;
COMMENT ON FUNCTION vigil.check_quarantine() IS 'Check of vigil.doctor(): no fact waits in quarantine; or why.';

CREATE OR REPLACE FUNCTION vigil.check_ingest() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', r.source, format('vigil.%s refused %s items with SQLSTATE %s in the last hour', r.source, count(*), r.sqlstate),
         format('SELECT reason, hint, item FROM vigil.rejected WHERE source = %L AND sqlstate = %L AND received_at > now() - interval ''1 hour'' LIMIT 10;',
                r.source, r.sqlstate)
  FROM vigil.rejected r WHERE r.received_at > now() - interval '1 hour' GROUP BY r.source, r.sqlstate
  UNION ALL
  SELECT 'warning', 'vigil.capture_queue_size',
         format('%s records were lost since the start of the server, because the queue of %s was full', c.dropped, pg_size_pretty(c.queue_bytes)),
         format('ALTER SYSTEM SET vigil.capture_queue_size = ''%skB''; -- then restart the server', 2 * c.queue_bytes / 1024)
  FROM vigil.capture_stats c WHERE c.dropped > 0
  UNION ALL
  SELECT 'warning', 'recorder', format('%s records of the queue could not be stored since the start of the server', c.failed),
         'See the log of the server, which tells why.'
  FROM vigil.capture_stats c WHERE c.failed > 0
$$;
COMMENT ON FUNCTION vigil.check_ingest() IS 'Check of vigil.doctor(): nothing was refused in the last hour, and nothing lost.';

CREATE OR REPLACE FUNCTION vigil.check_rate_limits() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', 'vigil.rate_limit_buckets',
         format('%s requests since the start of the server were not limited: there was no room for more than %s buckets', r.untracked, r.capacity),
         format('ALTER SYSTEM SET vigil.rate_limit_buckets = %s; -- then restart the server', 2 * r.capacity)
  FROM vigil.rate_limit_stats r WHERE r.preloaded AND r.untracked > 0
$$;
COMMENT ON FUNCTION vigil.check_rate_limits() IS 'Check of vigil.doctor(): there was a bucket for every key of a rate limit.';

CREATE OR REPLACE FUNCTION vigil.check_delivery(late_by interval DEFAULT '5 minutes') RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off  -- only few rows are not delivered
AS $$
  SELECT 'critical', o.channel, format('%s notifications by %s were given up since yesterday%s', count(*), o.channel,
                                       '; the last answers were ' || string_agg(DISTINCT o.last_http_status::text, ', ')),
         'SELECT vigil.redeliver(module_id, id) FROM vigil.outbox WHERE status = ''dead'' AND next_attempt_at > now() - interval ''1 day'';'
  FROM vigil.outbox o WHERE o.status = 'dead' AND o.next_attempt_at > now() - interval '1 day' GROUP BY o.channel
  UNION ALL
  SELECT 'warning', o.channel, format('%s notifications by %s fail and are tried again, the oldest since %s%s', count(*), o.channel,
                                      date_trunc('second', min(o.created_at)),
                                      '; the last answers were ' || string_agg(DISTINCT o.last_http_status::text, ', ')),
         'SELECT target, attempts, last_http_status, last_error, next_attempt_at FROM vigil.outbox WHERE status = ''pending'' AND attempts > 0;'
  FROM vigil.outbox o WHERE o.status = 'pending' AND o.attempts > 1 GROUP BY o.channel
  UNION ALL
  SELECT 'critical', o.channel, format('%s notifications by %s have waited since %s without an attempt', count(*), o.channel,
                                       date_trunc('second', min(o.next_attempt_at))),
         CASE o.channel WHEN 'webhook' THEN 'CALL vigil.run_job(''deliver'');'
                        ELSE format('SELECT * FROM vigil.outbox WHERE channel = %L AND status = ''pending'';', o.channel) END
  FROM vigil.outbox o WHERE o.status = 'pending' AND o.next_attempt_at < now() - late_by GROUP BY o.channel
$$;
COMMENT ON FUNCTION vigil.check_delivery(interval) IS 'Check of vigil.doctor(): notifications are sent and taken.';

CREATE OR REPLACE FUNCTION vigil.check_transactions(longer_than interval DEFAULT '15 minutes') RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  (SELECT 'warning', 'process ' || a.pid,
          format('a transaction of "%s" has been open since %s (%s): vacuum cannot remove what was deleted since', a.usename,
                 date_trunc('second', a.xact_start), a.state),
          format('SELECT pg_terminate_backend(%s);', a.pid)
   FROM pg_stat_activity a
   WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
     AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.xact_start <= now() - longer_than
   ORDER BY a.xact_start LIMIT 5)
  UNION ALL
  SELECT 'warning', p.gid, format('transaction %s has been prepared since %s and neither committed nor rolled back: it keeps its locks', quote_literal(p.gid),
                                  date_trunc('second', p.prepared)),
         format('ROLLBACK PREPARED %L;', p.gid)
  FROM pg_prepared_xacts p WHERE p.database = current_database() AND p.prepared <= now() - longer_than
$$;
COMMENT ON FUNCTION vigil.check_transactions(interval) IS 'Check of vigil.doctor(): no transaction stays open for long.';

CREATE OR REPLACE FUNCTION vigil.check_tables() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', name, format('%s is off: tables grow without limit', name), format('ALTER SYSTEM SET %s = on; SELECT pg_reload_conf();', name)
  FROM unnest('{autovacuum,track_counts}'::text[]) AS name WHERE NOT current_setting(name)::boolean
  UNION ALL
  SELECT 'warning', c.relname, format('autovacuum is switched off for table %s', vigil.full_name(c.oid)),
         format('ALTER TABLE %s RESET (autovacuum_enabled);', vigil.full_name(c.oid))
  FROM pg_class c, pg_options_to_table(c.reloptions) AS o
  WHERE c.relnamespace = 'vigil'::regnamespace AND c.relkind = 'r' AND o.option_name = 'autovacuum_enabled' AND NOT o.option_value::boolean
  UNION ALL
  SELECT 'warning', c.relname, format('index %s is not valid: an attempt to make it failed', vigil.full_name(c.oid)),
         format('REINDEX INDEX CONCURRENTLY %s;', vigil.full_name(c.oid))
  FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
  WHERE c.relnamespace = 'vigil'::regnamespace AND c.relkind = 'i' AND NOT i.indisvalid
$$;
COMMENT ON FUNCTION vigil.check_tables() IS 'Check of vigil.doctor(): tables are vacuumed, indexes valid.';

CREATE OR REPLACE FUNCTION vigil.check_settings() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', coalesce(f.name, f.sourcefile),
         format('line %s of %s is not applied: %s', f.sourceline, f.sourcefile,
                coalesce(f.name || ' = ' || quote_literal(CASE WHEN f.name ~ '^vigil\.(?!.*key)' THEN f.setting ELSE '...' END) || ': ', '') || f.error),
         'Mend the line, then SELECT pg_reload_conf();'
  FROM pg_file_settings f
  WHERE f.error IS NOT NULL
    -- What needs a restart is told below.
    AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = f.name AND s.pending_restart)
  UNION ALL
  SELECT 'info', s.name, format('%s was changed, but the server still works with %s', s.name, quote_literal(s.setting)), 'Restart the server.'
  FROM pg_settings s WHERE s.pending_restart AND s.name LIKE 'vigil.%'
  UNION ALL
  SELECT 'warning', 'vigil.capture_server_errors',
         'vigil.capture_server_errors is on, but nothing is captured: ' ||
         CASE WHEN vigil.is_preloaded() THEN 'vigil.workers is off' ELSE 'the library is not preloaded' END,
         CASE WHEN vigil.is_preloaded() THEN 'ALTER SYSTEM SET vigil.workers = on; SELECT pg_reload_conf();'
              ELSE 'Add pg_vigil to shared_preload_libraries and restart the server.' END
  WHERE current_setting('vigil.capture_server_errors', true) = 'on'
    AND (NOT vigil.is_preloaded() OR current_setting('vigil.workers', true) = 'off')
$$;
COMMENT ON FUNCTION vigil.check_settings() IS 'Check of vigil.doctor(): what the configuration files say holds, and has an effect.';

CREATE OR REPLACE FUNCTION vigil.check_clock() RETURNS SETOF vigil.finding
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'warning', 'clock', format('the clock of the server was set back: %s at %s, and now it is %s', t.what, date_trunc('second', t.at),
                                    date_trunc('second', clock_timestamp())),
         'Let the clock be slewed, not set (chrony, ntpd). Jobs run at once; the rest heals when the time has passed.'
  FROM (SELECT format('job "%s" ran', s.name) AS what, s.last_started_at AS at FROM vigil.job_state s
        UNION ALL
        SELECT 'facts were marked', max(d.marked_at) FROM (SELECT marked_at FROM vigil.dirty LIMIT 100000) d
        UNION ALL
        SELECT 'items were refused', max(r.received_at) FROM vigil.rejected r WHERE r.received_at > now()) t
  WHERE t.at > clock_timestamp() + interval '2 seconds'
  ORDER BY t.at DESC LIMIT 1
$$;
COMMENT ON FUNCTION vigil.check_clock() IS 'Check of vigil.doctor(): nothing was written at a time that has not come yet.';

CREATE OR REPLACE FUNCTION vigil.doctor()
  RETURNS TABLE (severity text, area text, subject text, problem text, remedy text)
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER ROWS 5 COST 10000
  SET search_path = pg_catalog, vigil, pg_temp
  SET lock_timeout = '200ms'  -- for each check: to say what is locked is better than to wait
  SET jit = off
AS $$
DECLARE
  one_check record;
  found vigil.finding[] := '{}';
  areas text[] := '{}';
  finding vigil.finding;
BEGIN
  FOR one_check IN
    SELECT p.proname AS name, substr(p.proname, 7) AS area FROM pg_proc p
    WHERE p.pronamespace = 'vigil'::regnamespace AND p.proname LIKE 'check\_%' AND p.prorettype = 'vigil.finding'::regtype
      AND p.proretset AND p.pronargs = p.pronargdefaults
    ORDER BY p.proname
  LOOP
    BEGIN
      FOR finding IN EXECUTE format('SELECT * FROM vigil.%I()', one_check.name) LOOP
        found := found || finding;
        areas := areas || one_check.area;
      END LOOP;
    EXCEPTION WHEN OTHERS THEN
      found := found || ROW('warning', one_check.area, format('the check could not look (SQLSTATE %s): %s%s', SQLSTATE, left(SQLERRM, 200),
                            CASE WHEN SQLSTATE = '55P03' THEN '; ' || vigil.strong_locks() END),
                            format('SELECT * FROM vigil.%I();', one_check.name))::vigil.finding;
      areas := areas || one_check.area;
    END;
  END LOOP;
  RETURN QUERY
  SELECT f.severity, a.area, f.subject, f.problem, f.remedy
  FROM unnest(found) WITH ORDINALITY AS f JOIN unnest(areas) WITH ORDINALITY AS a (area, ordinality) USING (ordinality)
  ORDER BY array_position('{critical,warning,info}', f.severity), a.area, f.subject, f.problem;
END $$;
-- Who watches servers sees no more here than in pg_stat_activity, and nothing of what tenants sent.
GRANT USAGE ON SCHEMA vigil TO pg_monitor;
GRANT EXECUTE ON FUNCTION vigil.doctor() TO pg_monitor;
COMMENT ON FUNCTION vigil.doctor() IS
  'What is wrong with this database''s pg_vigil, worst first: severity critical, warning or info, what is wrong in words and what mends it. No row: all is well. Never fails; a check that cannot look says so.';
