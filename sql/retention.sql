CREATE OR REPLACE FUNCTION vigil.retired_table(retired vigil.retired_partitions) RETURNS regclass
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  -- Nobody but the owner of the extension makes tables in this schema, so after a restore the name will do.
  SELECT t.oid FROM to_regclass(format('vigil.%I', retired.partition)) AS t (oid)
  WHERE t.oid = coalesce(retired.table_oid::regclass, t.oid)
$$;
COMMENT ON FUNCTION vigil.retired_table(vigil.retired_partitions) IS
  'Table of a retired partition in schema vigil; null if it is not there any more, or another has its name.';

CREATE OR REPLACE FUNCTION vigil.detached_table(detached vigil.detached_tables) RETURNS regclass
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$ SELECT t.oid FROM to_regclass(detached.name) AS t (oid) WHERE t.oid = detached.table_oid $$;
COMMENT ON FUNCTION vigil.detached_table(vigil.detached_tables) IS
  'Table of a partition that was found to be due; null if it was dropped, renamed or replaced, or if its row comes from a dump.';

CREATE OR REPLACE FUNCTION vigil.unsettled_facts(parent text, starts_at timestamptz, ends_at timestamptz)
  RETURNS text LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, vigil, pg_temp
AS $$
  -- A day of a zone that begins within an hour is merged from minutes on both sides of the bound.
  SELECT coalesce(
    (SELECT format('minute %s waits for the roller', to_char(d.minute AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
     FROM vigil.dirty d
     WHERE d.minute >= unsettled_facts.starts_at - interval '1 day'
       AND d.minute < unsettled_facts.ends_at + interval '1 day' LIMIT 1),
    (SELECT 'vigil.quarantine holds facts of its time' FROM vigil.quarantine q
     WHERE q.fact = unsettled_facts.parent AND q.created_at >= unsettled_facts.starts_at
       AND q.created_at < unsettled_facts.ends_at LIMIT 1))
$$;
COMMENT ON FUNCTION vigil.unsettled_facts(text, timestamptz, timestamptz) IS
  'What of a time is not in its cells yet, so that its facts are needed: a marked minute or facts in quarantine; null = nothing.';

-- Cells are computed from all fact tables, hour by hour. Facts of an hour therefore go from all tables at once:
-- while one still takes late facts, the roller needs the others to recompute the hour. So what goes
-- or stays is an island: partitions that overlap in time, directly or through others.
CREATE OR REPLACE FUNCTION vigil.preview_retention(at timestamptz DEFAULT now())
  RETURNS TABLE (parent text, partition text, starts_at timestamptz, ends_at timestamptz,
                 estimated_rows bigint, bytes bigint, goes boolean, stays_because text, island bigint, keeps integer)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH judged AS (
    SELECT p.*, y.keep_copies, coalesce(CASE
      WHEN y.parent IS NULL THEN 'it has no policy'
      WHEN NOT y.enabled THEN 'its policy is not enabled'
      WHEN y.retention IS NULL AND y.max_bytes IS NULL THEN 'its policy keeps all'
      WHEN p.ends_at = 'infinity' THEN 'it has no end'
      WHEN p.total > y.max_bytes AND p.ends_at <= least(at - y.keep_at_least, at - y.past) THEN NULL
      WHEN y.retention IS NULL THEN format('with the younger ones it has %s bytes of %s', p.total, y.max_bytes)
      WHEN p.ends_at > least(at - y.retention, at - y.past) THEN
        format('it is kept until %s', to_char(greatest(p.ends_at + y.retention, p.ends_at + y.past)
                                              AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) END,
      CASE
      WHEN t.oid IS NULL THEN 'it is not a table in schema vigil'
      WHEN EXISTS (SELECT FROM vigil.retired_partitions r
                   WHERE r.parent = p.parent AND r.partition = p.partition AND r.detached_at IS NULL) THEN
        'it is being retired'
      WHEN p.state = 'detaching' THEN
        'a DETACH of it was interrupted: run ALTER TABLE ... DETACH PARTITION ... FINALIZE'
      WHEN p.starts_at <> '-infinity' AND p.starts_at <> date_trunc('hour', p.starts_at, 'UTC')
        OR p.ends_at <> date_trunc('hour', p.ends_at, 'UTC') THEN 'it begins or ends within an hour'
      WHEN to_regnamespace(quote_ident(y.archive_schema)) IS NULL AND y.archive_schema IS NOT NULL THEN
        format('schema "%s" of its policy does not exist', y.archive_schema)
      WHEN to_regclass(quote_ident(y.archive_schema) || '.' || quote_ident(p.partition)) IS NOT NULL THEN
        format('schema "%s" has a table of this name', y.archive_schema)
      ELSE vigil.unsettled_facts(p.parent, p.starts_at, p.ends_at) END) AS reason
    FROM (SELECT *, sum(bytes) OVER (PARTITION BY parent ORDER BY ends_at DESC) AS total FROM vigil.partitions) p
    LEFT JOIN vigil.partition_policy y ON y.parent = p.parent
    LEFT JOIN pg_class t ON t.oid = to_regclass(format('vigil.%I', p.partition))),
  compared AS (
    SELECT j.*, j.starts_at < max(j.ends_at) OVER (
             ORDER BY j.starts_at, j.ends_at, j.partition ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS joins
    FROM judged j),
  islands AS (
    SELECT c.*, count(*) FILTER (WHERE c.joins IS NOT TRUE) OVER (
             ORDER BY c.starts_at, c.ends_at, c.partition ROWS UNBOUNDED PRECEDING) AS island
    FROM compared c)
  SELECT i.parent, i.partition, i.starts_at, i.ends_at, i.estimated_rows, i.bytes, why.reason IS NULL, why.reason, i.island,
         i.keep_copies
  FROM islands i
  CROSS JOIN LATERAL (
    SELECT coalesce(i.reason, (
      SELECT format('vigil.%I has facts of the same hours and stays: %s', o.partition, o.reason)
      FROM islands o WHERE o.island = i.island AND o.reason IS NOT NULL
      ORDER BY o.ends_at DESC, o.partition LIMIT 1)) AS reason) why
  ORDER BY i.starts_at, i.parent, i.partition
$$;
COMMENT ON FUNCTION vigil.preview_retention(timestamptz) IS
  'Every partition with its bounds and size, whether retention would take it at a time (default now), and if not, why. Changes nothing. Partitions of one island share hours and go together; keeps tells how many errors of each fingerprint outlive theirs.';

CREATE OR REPLACE FUNCTION vigil.refuse_change() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  RAISE object_not_in_prerequisite_state USING
    MESSAGE = format('partition "%s" is being retired, its rows do not change any more', TG_TABLE_NAME),
    HINT = 'Try again when vigil.retired_partitions tells detached_at; SELECT vigil.restore_partition(...) keeps it.';
END $$;
COMMENT ON FUNCTION vigil.refuse_change() IS
  'Trigger "closed" of a partition that retention takes: a change would mark an hour whose facts are about to go. Ingest sends such facts to quarantine.';

CREATE OR REPLACE FUNCTION vigil.lock_holders(targets regclass[]) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT coalesce('process ' || string_agg(DISTINCT l.pid::text, ', '), 'a process that has ended')
  FROM pg_locks l
  WHERE l.granted AND l.pid <> pg_backend_pid() AND l.locktype = 'relation' AND l.relation = ANY (targets::oid[])
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
$$;
COMMENT ON FUNCTION vigil.lock_holders(regclass[]) IS 'Which processes hold a lock on one of the tables, in words.';

CREATE OR REPLACE FUNCTION vigil.lock_briefly(targets regclass[], mode text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '30ms'
AS $$
DECLARE
  deadline constant timestamptz := clock_timestamp() + interval '30 milliseconds';
  target regclass;
BEGIN
  -- Whoever comes after a waiting lock waits too, so the time is for all of them together.
  FOREACH target IN ARRAY targets LOOP
    PERFORM set_config('lock_timeout',
      greatest(1, ceil(1000 * extract(epoch FROM deadline - clock_timestamp())))::integer || 'ms', true);
    EXECUTE format('LOCK TABLE ONLY %s IN %s MODE', target, mode);
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.lock_briefly(regclass[], text) IS
  'Locks the tables in turn, waiting at most 30 ms for all of them, so that writers behind it hardly notice; then SQLSTATE 55P03.';

CREATE OR REPLACE FUNCTION vigil.pause_briefly() RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$ SELECT pg_sleep(0.05 + 0.1 * random()) $$;
COMMENT ON FUNCTION vigil.pause_briefly() IS
  'Sleeps 50 to 150 ms, before a lock is tried again: longer than anybody waited for it.';

CREATE OR REPLACE FUNCTION vigil.close_partitions(at timestamptz DEFAULT now()) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  going record;
  target regclass;
  closed_at timestamptz;
BEGIN
  SELECT array_agg(DISTINCT p.parent) AS parents, array_agg(p.partition ORDER BY p.partition) AS partitions,
         array_agg(to_regclass(format('vigil.%I', p.partition)) ORDER BY p.partition) AS targets,
         min(p.starts_at) AS starts_at, max(p.ends_at) AS ends_at INTO going
  FROM vigil.preview_retention(at) p WHERE p.goes
  GROUP BY p.island ORDER BY p.island LIMIT 1;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  -- Readers go on; only who writes old facts waits, and whoever wrote some has ended.
  PERFORM vigil.lock_briefly(going.targets, 'SHARE ROW EXCLUSIVE');
  -- What they marked is to be seen now.
  IF EXISTS (SELECT FROM unnest(going.parents) AS p (parent)
             WHERE vigil.unsettled_facts(p.parent, going.starts_at, going.ends_at) IS NOT NULL) THEN
    RETURN 0;  -- the roller comes first
  END IF;
  closed_at := clock_timestamp();
  DELETE FROM vigil.retired_partitions r
  WHERE r.partition = ANY (going.partitions) AND r.parent = ANY (going.parents);
  INSERT INTO vigil.retired_partitions (parent, partition, starts_at, ends_at, estimated_rows, bytes,
                                        closed_at, finish_after, archive_schema, table_oid)
  SELECT p.parent, p.partition, p.starts_at, p.ends_at, p.estimated_rows, p.bytes,
         closed_at, at + y.grace, y.archive_schema, to_regclass(format('vigil.%I', p.partition))
  FROM vigil.partitions p JOIN vigil.partition_policy y ON y.parent = p.parent
  WHERE p.partition = ANY (going.partitions);
  FOREACH target IN ARRAY going.targets LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON %s '
                   'FOR EACH ROW EXECUTE FUNCTION vigil.refuse_change()', target);
  END LOOP;
  RETURN cardinality(going.partitions);
END $$;
COMMENT ON FUNCTION vigil.close_partitions(timestamptz) IS
  'For vigil.retire_partitions: closes the oldest partitions that vigil.preview_retention() lets go, so that nothing of their hours can change before they are detached; returns their number. SQLSTATE 55P03 when a lock is not to be had within 30 ms.';

-- Of each table at most one partition may be half detached, so they go one after the other.
CREATE OR REPLACE FUNCTION vigil.closed_partitions()
  RETURNS TABLE (parent text, partition text, table_of_parent regclass, table_of_partition regclass,
                 pending boolean, concurrently boolean, waits_for text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT r.parent, r.partition, i.inhparent, i.inhrelid, i.inhdetachpending,
         -- DETACH ... CONCURRENTLY refuses a default partition, and would wait with a lock on what foreign keys refer to.
         t.partdefid = 0 AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f'
                                         AND i.inhparent IN (f.conrelid, f.confrelid)),
         CASE WHEN i.inhdetachpending THEN
           (SELECT 'process ' || string_agg(DISTINCT u.pid::text, ', ')
            FROM (SELECT a.pid FROM pg_stat_activity a  -- sees it still
                  WHERE a.datname = current_database() AND a.backend_type <> 'autovacuum worker'
                    AND age(a.backend_xmin) >= age(i.xmin)
                  UNION ALL
                  SELECT l.pid FROM pg_locks l
                  WHERE l.locktype = 'relation' AND l.granted AND l.relation = i.inhrelid
                    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) u
            WHERE u.pid <> pg_backend_pid())
         ELSE
           (SELECT 'partition ' || o.inhrelid::regclass || ' that is half detached' FROM pg_inherits o
            WHERE o.inhparent = i.inhparent AND o.inhdetachpending LIMIT 1) END
  FROM (SELECT o.parent, o.partition, vigil.retired_table(o) AS target, o.closed_at, o.starts_at
        FROM vigil.retired_partitions o WHERE o.detached_at IS NULL
        UNION ALL
        SELECT d.parent, d.name, vigil.detached_table(d), d.due_at, d.starts_at
        FROM vigil.detached_tables d WHERE d.detached_at IS NULL) r
  JOIN pg_inherits i ON i.inhrelid = r.target
  JOIN pg_partitioned_table t ON t.partrelid = i.inhparent
  ORDER BY i.inhdetachpending DESC, r.closed_at, r.starts_at, r.parent
$$;
COMMENT ON FUNCTION vigil.closed_partitions() IS
  'For vigil.retire_partitions: partitions that are closed and still attached, half or whole, of the fact tables and of managed ones, in the order in which they go; and what one has to wait for.';

CREATE OR REPLACE FUNCTION vigil.note_problem(parent text, partition text, problem text) RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  UPDATE vigil.retired_partitions r SET problem = $3 WHERE r.parent = $1 AND r.partition = $2;
  UPDATE vigil.detached_tables d SET problem = $3 WHERE d.parent = $1 AND d.name = $2
$$;
COMMENT ON FUNCTION vigil.note_problem(text, text, text) IS 'For vigil.retire_partitions: notes why a closed partition is not detached yet.';

CREATE OR REPLACE FUNCTION vigil.settle_detached() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '30ms'
AS $$
DECLARE
  old vigil.retired_partitions;
  target regclass;
  name text;
  settled bigint := 0;
BEGIN
  FOR old IN
    SELECT * FROM vigil.retired_partitions r WHERE r.detached_at IS NULL
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = vigil.retired_table(r))
    FOR UPDATE
  LOOP
    target := vigil.retired_table(old);
    BEGIN
      -- What is done to the table now must mark nothing: its facts no longer count.
      FOREACH name IN ARRAY CASE WHEN target IS NULL THEN '{}' ELSE
        ARRAY['closed', 'dirty_insert', 'dirty_update', 'dirty_delete', 'dirty_truncate'] END
      LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', name, target);
      END LOOP;
      UPDATE vigil.retired_partitions r SET detached_at = clock_timestamp(), problem = NULL
      WHERE r.parent = old.parent AND r.partition = old.partition;
      settled := settled + 1;
    EXCEPTION WHEN lock_not_available THEN
      UPDATE vigil.retired_partitions r SET problem = 'waits for ' || vigil.lock_holders(ARRAY[target])
      WHERE r.parent = old.parent AND r.partition = old.partition;
    END;
  END LOOP;
  UPDATE vigil.detached_tables d SET detached_at = clock_timestamp(), problem = NULL
  WHERE d.detached_at IS NULL AND NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = vigil.detached_table(d));
  RETURN settled;
END $$;
COMMENT ON FUNCTION vigil.settle_detached() IS
  'For vigil.retire_partitions: makes what was detached an ordinary table without triggers of ours, and notes when; returns their number.';

CREATE OR REPLACE FUNCTION vigil.open_restored() RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target regclass;
BEGIN
  -- Even one that is disabled makes COPY insert row by row.
  FOR target IN
    SELECT t.tgrelid::regclass FROM pg_trigger t
    WHERE t.tgname = 'closed' AND t.tgfoid = 'vigil.refuse_change'::regproc AND NOT EXISTS (
      SELECT FROM vigil.retired_partitions r WHERE r.detached_at IS NULL AND vigil.retired_table(r) = t.tgrelid)
  LOOP
    BEGIN
      PERFORM vigil.lock_briefly(ARRAY[target], 'ACCESS EXCLUSIVE');
      EXECUTE format('DROP TRIGGER closed ON %s', target);
      RETURN true;
    EXCEPTION WHEN lock_not_available THEN
      NULL;  -- the next run
    END;
  END LOOP;
  RETURN false;
END $$;
COMMENT ON FUNCTION vigil.open_restored() IS
  'For vigil.retire_partitions: drops the trigger of one partition that was closed and is so no more; true if there was one. Readers of it wait until the transaction ends.';

CREATE OR REPLACE FUNCTION vigil.detach_closed() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '30ms'
AS $$
DECLARE
  old record;
  waits text;
BEGIN
  FOR old IN SELECT * FROM vigil.closed_partitions() LOOP
    waits := old.waits_for;
    FOR try IN 1 .. CASE WHEN waits IS NULL THEN 20 ELSE 0 END LOOP
      BEGIN
        IF old.pending THEN
          EXECUTE format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', old.table_of_parent, old.table_of_partition);
        ELSE
          -- The old partition first, for which hardly anybody waits, then the parent, for which all do.
          PERFORM vigil.lock_briefly(ARRAY[old.table_of_partition, old.table_of_parent], 'ACCESS EXCLUSIVE');
          EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', old.table_of_parent, old.table_of_partition);
        END IF;
        PERFORM vigil.settle_detached();
        RETURN 1;
      EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        waits := vigil.lock_holders(ARRAY[old.table_of_parent, old.table_of_partition]);
      END;
      PERFORM vigil.pause_briefly();
    END LOOP;
    PERFORM vigil.note_problem(old.parent, old.partition, 'it waits for ' || waits);
    RAISE WARNING 'partition % was not detached: it waits for %', old.partition, waits
      USING HINT = 'The next run tries again.';
  END LOOP;
  RETURN 0;
END $$;
COMMENT ON FUNCTION vigil.detach_closed() IS
  'For vigil.retire_partitions: detaches one closed partition in this transaction, with up to 20 tries of 30 ms; returns 1, or 0 with warnings that name who is in the way.';

CREATE OR REPLACE FUNCTION vigil.start_detacher() RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_start_detacher';
COMMENT ON FUNCTION vigil.start_detacher() IS
  'Starts the worker that detaches closed partitions with DETACH ... CONCURRENTLY, for which nobody waits; false when the server has no process left for it. Needs no shared_preload_libraries.';

CREATE OR REPLACE FUNCTION vigil.next_detach(OUT target oid, OUT statement text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT c.table_of_partition::oid,
         format('ALTER TABLE %s DETACH PARTITION %s %s', c.table_of_parent, c.table_of_partition,
                CASE WHEN c.pending THEN 'FINALIZE' ELSE 'CONCURRENTLY' END)
  FROM vigil.closed_partitions() c WHERE c.waits_for IS NULL AND (c.pending OR c.concurrently) LIMIT 1
$$;
COMMENT ON FUNCTION vigil.next_detach() IS 'For the detacher: its next statement; null = nothing that it can do now.';

CREATE OR REPLACE FUNCTION vigil.note_detach(target oid, failure text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.settle_detached();
  PERFORM vigil.note_problem(c.parent, c.partition, failure || '; it waits for ' ||
    coalesce(c.waits_for, vigil.lock_holders(ARRAY[c.table_of_parent, c.table_of_partition])))
  FROM vigil.closed_partitions() c
  WHERE note_detach.failure IS NOT NULL AND c.table_of_partition = note_detach.target;
  IF NOT EXISTS (SELECT FROM vigil.closed_partitions()) THEN
    -- There may be more to retire.
    UPDATE vigil.job_state s SET next_run_at = least(s.next_run_at, clock_timestamp())
    WHERE s.name = 'maintain_partitions' AND s.running_pid IS NULL;
    PERFORM vigil.wake_workers();
  END IF;
END $$;
COMMENT ON FUNCTION vigil.note_detach(oid, text) IS 'For the detacher: notes how its statement ended; a failure is null when it did not fail.';

CREATE OR REPLACE FUNCTION vigil.ask_before_drop(hook text, target regclass) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  asked constant regprocedure := to_regprocedure(hook || '(regclass)');
  answer text;
BEGIN
  IF asked IS NULL THEN
    RAISE triggered_action_exception USING MESSAGE = format('function %s(regclass) does not exist', hook);
  END IF;
  BEGIN
    answer := vigil.run_as_owner(target, format('SELECT %s(%L::regclass)::boolean', asked::oid::regproc, target));
  EXCEPTION WHEN OTHERS THEN
    RAISE triggered_action_exception USING MESSAGE = format('%s(%s) failed: %s', hook, target, SQLERRM);
  END;
  IF answer IS DISTINCT FROM 't' THEN
    RAISE triggered_action_exception USING MESSAGE = format('%s(%s) did not return true', hook, target);
  END IF;
END $$;
COMMENT ON FUNCTION vigil.ask_before_drop(text, regclass) IS
  'Asks the function of a policy, as the owner of the table, whether the table may go; SQLSTATE 09000 if it does not say so.';

CREATE OR REPLACE FUNCTION vigil.finish_retirement(old vigil.retired_partitions) RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '30ms'
AS $$
DECLARE
  named constant regclass := to_regclass(format('vigil.%I', old.partition));
  target regclass := vigil.retired_table(old);
  policy vigil.partition_policy;
  odd text;
BEGIN
  IF (SELECT c.relispartition FROM pg_class c WHERE c.oid = named) THEN
    -- Somebody has attached it again.
    DELETE FROM vigil.retired_partitions r WHERE r.parent = old.parent AND r.partition = old.partition;
    RETURN true;
  END IF;
  SELECT * INTO policy FROM vigil.partition_policy y WHERE y.parent = old.parent;
  IF target IS NOT NULL AND policy.before_drop IS NOT NULL THEN
    PERFORM vigil.ask_before_drop(policy.before_drop, target);
  END IF;
  IF target IS NOT NULL THEN
    PERFORM vigil.lock_briefly(ARRAY[target], 'ACCESS EXCLUSIVE');
  END IF;
  IF vigil.retired_table(old) IS DISTINCT FROM target OR target IS DISTINCT FROM named THEN
    odd := format('vigil.%I is another table than was retired, and was left alone', old.partition);
    RAISE WARNING '%', odd;
    target := NULL;
  ELSIF target IS NOT NULL AND policy.keep_copies IS NOT NULL THEN
    PERFORM vigil.keep_copies(target, policy.keep_copies);
  END IF;
  IF target IS NOT NULL AND old.archive_schema IS NULL THEN
    EXECUTE format('DROP TABLE %s', target);
  ELSIF target IS NOT NULL THEN
    -- An archive does not depend on the extension.
    EXECUTE format('ALTER TABLE %s ALTER COLUMN id DROP DEFAULT', target);
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', target, old.archive_schema);
  END IF;
  UPDATE vigil.retired_partitions r SET finished_at = clock_timestamp(), problem = odd
  WHERE r.parent = old.parent AND r.partition = old.partition;
  RETURN true;
EXCEPTION
  WHEN lock_not_available OR dependent_objects_still_exist OR duplicate_table OR invalid_schema_name
    OR insufficient_privilege OR triggered_action_exception THEN
  UPDATE vigil.retired_partitions r SET problem = SQLERRM
  WHERE r.parent = old.parent AND r.partition = old.partition;
  RAISE WARNING 'table vigil.% was not %: %', old.partition,
    CASE WHEN old.archive_schema IS NULL THEN 'dropped' ELSE 'moved' END, SQLERRM
    USING HINT = 'The next run tries again.';
  RETURN false;
END $$;
COMMENT ON FUNCTION vigil.finish_retirement(vigil.retired_partitions) IS
  'For vigil.retire_partitions: drops or moves a table after its grace period. False with a warning, and the reason in vigil.retired_partitions, when that cannot be done now.';

CREATE OR REPLACE FUNCTION vigil.retire_partitions(at timestamptz DEFAULT now(), in_worker boolean DEFAULT false)
  RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  old vigil.retired_partitions;
  problem text;
BEGIN
  IF vigil.being_restored() THEN
    RETURN 0;
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE invalid_transaction_state USING
      MESSAGE = format('partitions cannot be retired in a %s transaction', current_setting('transaction_isolation')),
      DETAIL = 'Marks that were committed after its snapshot would not be seen.';
  ELSIF NOT pg_try_advisory_xact_lock(hashtextextended('vigil.retire_partitions', 0)) THEN
    RETURN 0;
  END IF;

  PERFORM vigil.settle_detached();
  IF vigil.open_restored() THEN
    RETURN 1;
  END IF;
  FOR old IN
    SELECT * FROM vigil.retired_partitions r
    WHERE r.finished_at IS NULL AND r.detached_at IS NOT NULL AND r.finish_after <= at
    ORDER BY r.finish_after, r.parent, r.partition
  LOOP
    IF vigil.finish_retirement(old) THEN
      RETURN 1;
    END IF;
  END LOOP;

  IF EXISTS (SELECT FROM vigil.closed_partitions()) THEN
    IF in_worker AND EXISTS (SELECT FROM vigil.next_detach() n WHERE n.target IS NOT NULL)
       AND vigil.start_detacher() THEN
      RETURN 0;
    END IF;
    RETURN vigil.detach_closed();
  END IF;

  FOR try IN 1 .. 20 LOOP
    BEGIN
      RETURN vigil.close_partitions(at);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      SELECT vigil.lock_holders(array_agg(to_regclass(format('vigil.%I', p.partition)))) INTO problem
      FROM vigil.preview_retention(at) p WHERE p.goes;
    END;
    PERFORM vigil.pause_briefly();
  END LOOP;
  RAISE WARNING 'old partitions were not closed: % writes to one of them', problem USING HINT = 'The next run tries again.';
  RETURN 0;
END $$;
COMMENT ON FUNCTION vigil.retire_partitions(timestamptz, boolean) IS
  'One step of retention: drops or archives one table whose grace period is over, or else detaches one closed partition, or else closes the oldest partitions that vigil.preview_retention() lets go. Returns their number, 0 when nothing is left or somebody is in the way; then a warning says who. With in_worker detaching is left to a worker, which nobody waits for.';

CREATE OR REPLACE FUNCTION vigil.restore_partition(partition text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  old vigil.retired_partitions;
  state text;
  target regclass;
  restored bigint := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0));
  IF NOT pg_try_advisory_xact_lock(hashtextextended('vigil.retire_partitions', 0)) THEN
    RAISE lock_not_available USING MESSAGE = 'partitions are being retired just now', HINT = 'Try again in a moment.';
  END IF;
  -- With those that went together with it: cells need the facts of all.
  FOR old IN
    SELECT r.* FROM vigil.retired_partitions r
    WHERE r.closed_at = (SELECT w.closed_at FROM vigil.retired_partitions w
                         WHERE w.partition = restore_partition.partition)
    ORDER BY r.parent, r.partition
  LOOP
    SELECT p.state INTO state FROM vigil.partitions p WHERE p.parent = old.parent AND p.partition = old.partition;
    IF state = 'detaching' THEN
      RAISE object_in_use USING
        MESSAGE = format('partition "%s" is being detached', old.partition),
        HINT = 'Try again when vigil.retired_partitions tells detached_at.';
    END IF;
    target := CASE WHEN old.finished_at IS NULL THEN to_regclass(format('vigil.%I', old.partition))
                   ELSE to_regclass(quote_ident(old.archive_schema) || '.' || quote_ident(old.partition)) END;
    IF target IS NULL THEN
      RAISE undefined_table USING MESSAGE = format('table of retired partition "%s" has been dropped', old.partition);
    ELSIF target <> old.table_oid THEN
      -- Its facts are not those of the cells.
      RAISE object_not_in_prerequisite_state USING MESSAGE = format('table %s is another one than was retired', target);
    END IF;
    IF old.finished_at IS NOT NULL THEN
      EXECUTE format('ALTER TABLE %s SET SCHEMA vigil', target);
      EXECUTE format('ALTER TABLE %s ALTER COLUMN id SET DEFAULT vigil.uuid_v7()', target);
    END IF;
    IF state IS NULL THEN
      EXECUTE format('ALTER TABLE vigil.%I ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)', old.parent, target,
                     CASE WHEN isfinite(old.starts_at) THEN quote_literal(old.starts_at) ELSE 'MINVALUE' END,
                     quote_literal(old.ends_at));
      PERFORM vigil.watch_table(target);
    END IF;
    -- Dropping it would lock out readers: that is for vigil.open_restored().
    IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = target AND t.tgname = 'closed') THEN
      EXECUTE format('ALTER TABLE %s DISABLE TRIGGER closed', target);
    END IF;
    DELETE FROM vigil.retired_partitions r WHERE r.parent = old.parent AND r.partition = old.partition;
    -- Late facts were added to cells as they were; now these can be made anew, of all.
    INSERT INTO vigil.dirty (module_id, minute)
    SELECT DISTINCT l.module_id, l.bucket FROM vigil.late_cells l
    WHERE l.bucket >= old.starts_at AND l.bucket < old.ends_at;
    IF old.parent = 'errors' THEN
      DELETE FROM vigil.kept_errors k WHERE k.created_at >= old.starts_at AND k.created_at < old.ends_at;
    END IF;
    restored := restored + 1;
  END LOOP;
  IF restored = 0 THEN
    RAISE undefined_object USING
      MESSAGE = format('partition "%s" was not retired', coalesce(restore_partition.partition, 'null')),
      HINT = 'See vigil.retired_partitions.';
  END IF;
  RETURN restored;
END $$;
COMMENT ON FUNCTION vigil.restore_partition(text) IS
  'Attaches a retired partition again, with those that went together with it; returns their number. Raise the retention before, or the next run retires them again. Never retired: SQLSTATE 42704; dropped by now: 42P01; half detached: 55006.';

CREATE OR REPLACE FUNCTION vigil.keep_partitions() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  made bigint;
BEGIN
  -- Never both in one transaction: what cannot be dropped must not undo what was made.
  SELECT count(*) INTO made FROM vigil.maintain_partitions();
  IF made = 0 THEN
    made := vigil.keep_managed_tables();
  END IF;
  IF made > 0 THEN
    RETURN made;
  END IF;
  RETURN vigil.retire_partitions(in_worker => true);
END $$;
COMMENT ON FUNCTION vigil.keep_partitions() IS
  'Step of job maintain_partitions: makes the partitions that are missing, or else does one step of retention; returns the number of partitions.';
