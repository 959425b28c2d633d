CREATE OR REPLACE VIEW vigil.partitions AS
SELECT p.relname::text COLLATE "default" AS parent,
       c.relname::text COLLATE "default" AS partition,
       CASE WHEN b.bounds[1] = 'MINVALUE' THEN '-infinity'
            ELSE btrim(b.bounds[1], '''')::timestamptz END AS starts_at,
       CASE WHEN b.bounds[2] = 'MAXVALUE' THEN 'infinity'
            ELSE btrim(b.bounds[2], '''')::timestamptz END AS ends_at,
       greatest(c.reltuples, 0)::bigint AS estimated_rows,
       pg_total_relation_size(c.oid) AS bytes
FROM pg_inherits i
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace n ON n.oid = p.relnamespace AND n.nspname = 'vigil'
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_partitioned_table t ON t.partrelid = p.oid AND t.partstrat = 'r'
CROSS JOIN LATERAL (
  SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid),
                      '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS bounds) b
WHERE b.bounds IS NOT NULL;
COMMENT ON VIEW vigil.partitions IS 'Partitions of the fact tables, with their bounds from the catalog.';
COMMENT ON COLUMN vigil.partitions.parent IS 'Fact table.';
COMMENT ON COLUMN vigil.partitions.partition IS 'Partition.';
COMMENT ON COLUMN vigil.partitions.starts_at IS 'First event time it holds.';
COMMENT ON COLUMN vigil.partitions.ends_at IS 'First event time it does not hold any more.';
COMMENT ON COLUMN vigil.partitions.estimated_rows IS 'Rows at the last vacuum or analyze.';
COMMENT ON COLUMN vigil.partitions.bytes IS 'Size with indexes and TOAST, bytes.';

CREATE OR REPLACE FUNCTION vigil.partition_start(width text, at timestamptz) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT date_trunc(width, at, 'UTC') $$;
COMMENT ON FUNCTION vigil.partition_start(text, timestamptz) IS 'Start of the day, week or month in UTC.';

CREATE OR REPLACE FUNCTION vigil.partition_next(width text, start timestamptz) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT (start AT TIME ZONE 'UTC' + ('1 ' || width)::interval) AT TIME ZONE 'UTC' $$;
COMMENT ON FUNCTION vigil.partition_next(text, timestamptz) IS 'Start of the following day, week or month in UTC.';

CREATE OR REPLACE FUNCTION vigil.partition_name(parent text, width text, starts_at timestamptz)
  RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT parent || to_char(starts_at AT TIME ZONE 'UTC',
    CASE WHEN starts_at <> date_trunc('day', starts_at, 'UTC') THEN '"_y"YYYY"m"MM"d"DD"h"HH24MISS'
         WHEN width = 'month' AND starts_at = date_trunc('month', starts_at, 'UTC') THEN '"_y"YYYY"m"MM'
         ELSE '"_y"YYYY"m"MM"d"DD' END)
$$;
COMMENT ON FUNCTION vigil.partition_name(text, text, timestamptz) IS
  'Name of a partition: events_y2026m11, or events_y2026m11d20 where it does not start a month.';

CREATE OR REPLACE FUNCTION vigil.index_partition(parent text, partition regclass) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  definition text;
BEGIN
  EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (module_id, created_at, id)', partition);
  FOR definition IN
    SELECT unnest(p.indexes) FROM vigil.partition_policy p WHERE p.parent = index_partition.parent
  LOOP
    EXECUTE format('CREATE INDEX ON %s %s', partition, definition);
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.index_partition(text, regclass) IS
  'Makes the key and the indexes of a partition: for a table that you fill and ATTACH yourself.';

CREATE OR REPLACE FUNCTION vigil.create_partition(
    parent text, partition text, starts_at timestamptz, ends_at timestamptz) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  retired text;
BEGIN
  -- A fact there would have its hour recomputed from what is left, which is less than its cells tell.
  SELECT r.partition INTO retired FROM vigil.retired_partitions r
  WHERE r.starts_at < create_partition.ends_at AND r.ends_at > create_partition.starts_at LIMIT 1;
  IF FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('partition "%s" would hold times of "%s", whose facts were retired', partition, retired),
      HINT = format('SELECT vigil.restore_partition(%L) brings them back while their table exists.', retired);
  END IF;
  -- ATTACH takes SHARE UPDATE EXCLUSIVE on the parent, which readers and writers do not notice;
  -- CREATE TABLE ... PARTITION OF would lock them out.
  EXECUTE format('CREATE TABLE vigil.%I (LIKE vigil.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS '
                 'INCLUDING STORAGE INCLUDING COMPRESSION)', partition, parent);
  PERFORM vigil.index_partition(parent, format('vigil.%I', partition)::regclass);
  EXECUTE format('ALTER TABLE vigil.%I ATTACH PARTITION vigil.%I FOR VALUES FROM (%L) TO (%L)',
                 parent, partition, starts_at, ends_at);
  PERFORM vigil.watch_table(format('vigil.%I', partition)::regclass);
END $$;
COMMENT ON FUNCTION vigil.create_partition(text, text, timestamptz, timestamptz) IS
  'Makes one partition of a fact table for [starts_at, ends_at), with its key and indexes, and watches it for direct writes.';

CREATE OR REPLACE FUNCTION vigil.covered_times(parent text)
  RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
  LANGUAGE sql STABLE STRICT ROWS 20 SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT p.starts_at, p.ends_at FROM vigil.partitions p WHERE p.parent = covered_times.parent
  UNION ALL
  SELECT r.starts_at, r.ends_at FROM vigil.retired_partitions r
$$;
COMMENT ON FUNCTION vigil.covered_times(text) IS
  'Times for which a fact table needs no partition: it has one, or facts of that time were retired.';

CREATE OR REPLACE FUNCTION vigil.missing_partitions(
    for_parent text DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS TABLE (parent text, partition text, starts_at timestamptz, ends_at timestamptz)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  policy vigil.partition_policy;
  slot timestamptz;
  slot_end timestamptz;
  covered timestamptz;
BEGIN
  FOR policy IN
    SELECT * FROM vigil.partition_policy p WHERE p.enabled AND (for_parent IS NULL OR p.parent = for_parent)
    ORDER BY p.parent
  LOOP
    parent := policy.parent;
    slot := vigil.partition_start(policy.width, at - policy.past);
    WHILE slot <= at + policy.ahead LOOP
      slot_end := vigil.partition_next(policy.width, slot);
      starts_at := slot;
      -- Another width may have left partitions that cover a part of the slot: fill the gaps.
      WHILE starts_at < slot_end LOOP
        SELECT max(c.ends_at) INTO covered FROM vigil.covered_times(policy.parent) c
        WHERE c.starts_at <= missing_partitions.starts_at AND c.ends_at > missing_partitions.starts_at;
        IF covered IS NOT NULL THEN
          starts_at := covered;
        ELSE
          SELECT least(slot_end, min(c.starts_at)) INTO ends_at FROM vigil.covered_times(policy.parent) c
          WHERE c.starts_at > missing_partitions.starts_at;
          partition := vigil.partition_name(policy.parent, policy.width, starts_at);
          RETURN NEXT;
          starts_at := ends_at;
        END IF;
      END LOOP;
      slot := slot_end;
    END LOOP;
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.missing_partitions(text, timestamptz) IS
  'Partitions that the policy wants and that do not exist: what vigil.maintain_partitions() would make.';

CREATE OR REPLACE FUNCTION vigil.maintain_partitions(
    for_parent text DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS TABLE (parent text, partition text, starts_at timestamptz, ends_at timestamptz)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  SET lock_timeout = '2s'
AS $$
DECLARE
  missing record;
BEGIN
  -- The partitions of a dump come from the dump.
  IF vigil.being_restored() THEN
    RETURN;
  END IF;
  -- One at a time; whoever comes second finds nothing missing.
  PERFORM pg_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0));
  FOR missing IN SELECT * FROM vigil.missing_partitions(for_parent, at) LOOP
    BEGIN
      PERFORM vigil.create_partition(missing.parent, missing.partition, missing.starts_at,
                                     missing.ends_at);
      parent := missing.parent;
      partition := missing.partition;
      starts_at := missing.starts_at;
      ends_at := missing.ends_at;
      RETURN NEXT;
    EXCEPTION
      WHEN lock_not_available THEN
        RAISE WARNING 'partition % was not made: table vigil.% is locked by process %',
          missing.partition, missing.parent,
          coalesce((SELECT string_agg(DISTINCT l.pid::text, ', ') FROM pg_locks l
                    WHERE l.relation = format('vigil.%I', missing.parent)::regclass AND l.granted
                      AND l.pid <> pg_backend_pid()), 'unknown')
          USING HINT = 'The next run tries again.';
      WHEN duplicate_table THEN
        RAISE WARNING 'partition % was not made: a table of this name exists', missing.partition
          USING HINT = format('ALTER TABLE vigil.%I ATTACH PARTITION vigil.%I FOR VALUES FROM (%L) TO (%L);',
                              missing.parent, missing.partition, missing.starts_at, missing.ends_at);
    END;
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.maintain_partitions(text, timestamptz) IS
  'Makes the partitions that vigil.partition_policy wants around a time (default now) and returns them; nothing when all exist. Waits at most 2 s for a lock, then warns and leaves it to the next run.';

CREATE OR REPLACE FUNCTION vigil.ensure_partitions(parent text, times timestamptz[]) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM vigil.partition_policy p, unnest(times) AS t
    WHERE p.parent = ensure_partitions.parent AND p.enabled
      AND t >= vigil.partition_start(p.width, now() - p.past) AND t <= now() + p.ahead)
  THEN
    RETURN false;
  END IF;
  -- Whoever makes the first partitions holds them until it commits. A fact is worth that wait, which ends
  -- with the caller's own lock_timeout: the lock is taken here, before that of maintenance applies.
  PERFORM pg_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0));
  PERFORM vigil.maintain_partitions(parent);
  RETURN true;
END $$;
COMMENT ON FUNCTION vigil.ensure_partitions(text, timestamptz[]) IS
  'Makes partitions when the policy wants one for any of the times: how ingest works before the first maintenance.';

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
                 estimated_rows bigint, bytes bigint, goes boolean, stays_because text, island bigint)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH judged AS (
    SELECT p.*, CASE
      WHEN y.parent IS NULL THEN 'it has no policy'
      WHEN NOT y.enabled THEN 'its policy is not enabled'
      WHEN y.retention IS NULL THEN 'its policy keeps all'
      WHEN p.ends_at = 'infinity' THEN 'it has no end'
      WHEN p.ends_at > least(at - y.retention, at - y.past) THEN
        format('it is kept until %s', to_char(greatest(p.ends_at + y.retention, p.ends_at + y.past)
                                              AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
      WHEN t.oid IS NULL THEN 'it is not a table in schema vigil'
      WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = t.oid AND i.inhdetachpending) THEN
        'a DETACH of it was interrupted: run ALTER TABLE ... DETACH PARTITION ... FINALIZE'
      WHEN p.starts_at <> '-infinity' AND p.starts_at <> date_trunc('hour', p.starts_at, 'UTC')
        OR p.ends_at <> date_trunc('hour', p.ends_at, 'UTC') THEN 'it begins or ends within an hour'
      WHEN to_regnamespace(quote_ident(y.archive_schema)) IS NULL AND y.archive_schema IS NOT NULL THEN
        format('schema "%s" of its policy does not exist', y.archive_schema)
      WHEN to_regclass(quote_ident(y.archive_schema) || '.' || quote_ident(p.partition)) IS NOT NULL THEN
        format('schema "%s" has a table of this name', y.archive_schema)
      ELSE vigil.unsettled_facts(p.parent, p.starts_at, p.ends_at) END AS reason
    FROM vigil.partitions p
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
  SELECT i.parent, i.partition, i.starts_at, i.ends_at, i.estimated_rows, i.bytes, why.reason IS NULL, why.reason, i.island
  FROM islands i
  CROSS JOIN LATERAL (
    SELECT coalesce(i.reason, (
      SELECT format('vigil.%I has facts of the same hours and stays: %s', o.partition, o.reason)
      FROM islands o WHERE o.island = i.island AND o.reason IS NOT NULL
      ORDER BY o.ends_at DESC, o.partition LIMIT 1)) AS reason) why
  ORDER BY i.starts_at, i.parent, i.partition
$$;
COMMENT ON FUNCTION vigil.preview_retention(timestamptz) IS
  'Every partition with its bounds and size, whether retention would take it at a time (default now), and if not, why. Changes nothing. Partitions of one island share hours and go together.';

CREATE OR REPLACE FUNCTION vigil.finish_retirement(old vigil.retired_partitions) RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant regclass := to_regclass(format('vigil.%I', old.partition));
BEGIN
  IF (SELECT c.relispartition FROM pg_class c WHERE c.oid = target) THEN
    -- Somebody has attached it again.
    DELETE FROM vigil.retired_partitions r WHERE r.parent = old.parent AND r.partition = old.partition;
    RETURN true;
  ELSIF target IS NOT NULL AND old.archive_schema IS NULL THEN
    EXECUTE format('DROP TABLE %s', target);
  ELSIF target IS NOT NULL THEN
    -- An archive does not depend on the extension.
    EXECUTE format('ALTER TABLE %s ALTER COLUMN id DROP DEFAULT', target);
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', target, old.archive_schema);
  END IF;
  UPDATE vigil.retired_partitions r SET finished_at = clock_timestamp(), problem = NULL
  WHERE r.parent = old.parent AND r.partition = old.partition;
  RETURN true;
EXCEPTION
  WHEN lock_not_available OR dependent_objects_still_exist OR duplicate_table OR invalid_schema_name
    OR insufficient_privilege THEN
  UPDATE vigil.retired_partitions r SET problem = SQLERRM
  WHERE r.parent = old.parent AND r.partition = old.partition;
  RAISE WARNING 'table vigil.% was not %: %', old.partition,
    CASE WHEN old.archive_schema IS NULL THEN 'dropped' ELSE 'moved' END, SQLERRM
    USING HINT = 'The next run tries again.';
  RETURN false;
END $$;
COMMENT ON FUNCTION vigil.finish_retirement(vigil.retired_partitions) IS
  'For vigil.retire_partitions: drops or moves a table after its grace period. False with a warning, and the reason in vigil.retired_partitions, when that cannot be done now.';

CREATE OR REPLACE FUNCTION vigil.retire_partitions(at timestamptz DEFAULT now()) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
  -- Whoever comes after a waiting lock waits too: together with what is set below, at most 30 ms.
  SET lock_timeout = '20ms'
AS $$
DECLARE
  old vigil.retired_partitions;
  going record;
  target text;
  detached_at timestamptz;
BEGIN
  IF vigil.being_restored() THEN
    RETURN 0;
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE invalid_transaction_state USING
      MESSAGE = format('partitions cannot be retired in a %s transaction', current_setting('transaction_isolation')),
      DETAIL = 'Marks that were committed after its snapshot would not be seen.';
  ELSIF NOT pg_try_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0)) THEN
    RETURN 0;
  END IF;

  FOR old IN
    SELECT * FROM vigil.retired_partitions r WHERE r.finished_at IS NULL AND r.finish_after <= at
    ORDER BY r.finish_after, r.parent, r.partition
  LOOP
    IF vigil.finish_retirement(old) THEN
      RETURN 1;
    END IF;
  END LOOP;

  SELECT array_agg(DISTINCT p.parent) AS parents, array_agg(p.partition ORDER BY p.partition) AS partitions,
         array_agg(p.parent ORDER BY p.partition) AS parent_of, min(p.starts_at) AS starts_at,
         max(p.ends_at) AS ends_at INTO going
  FROM vigil.preview_retention(at) p WHERE p.goes
  GROUP BY p.island ORDER BY p.island LIMIT 1;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  BEGIN
    -- Old partitions first, for which hardly anybody waits, then the parents, for which all do.
    FOREACH target IN ARRAY going.partitions LOOP
      EXECUTE format('LOCK TABLE ONLY vigil.%I IN ACCESS EXCLUSIVE MODE', target);
    END LOOP;
    FOREACH target IN ARRAY going.parents LOOP
      EXECUTE format('LOCK TABLE ONLY vigil.%I IN ACCESS EXCLUSIVE MODE', target);
      PERFORM set_config('lock_timeout', (10 / greatest(cardinality(going.parents) - 1, 1)) || 'ms', true);
    END LOOP;
    -- All who wrote have ended; what they marked is to be seen now.
    IF EXISTS (SELECT FROM unnest(going.parents) AS p (parent)
               WHERE vigil.unsettled_facts(p.parent, going.starts_at, going.ends_at) IS NOT NULL) THEN
      RAISE SQLSTATE 'VG001';
    END IF;
    detached_at := clock_timestamp();
    DELETE FROM vigil.retired_partitions r USING unnest(going.parent_of, going.partitions) AS g (parent, partition)
    WHERE r.parent = g.parent AND r.partition = g.partition;
    INSERT INTO vigil.retired_partitions (parent, partition, starts_at, ends_at, estimated_rows, bytes,
                                          detached_at, finish_after, archive_schema)
    SELECT p.parent, p.partition, p.starts_at, p.ends_at, p.estimated_rows, p.bytes,
           detached_at, at + y.grace, y.archive_schema
    FROM vigil.partitions p JOIN vigil.partition_policy y ON y.parent = p.parent
    WHERE p.partition = ANY (going.partitions);
    FOR i IN 1 .. cardinality(going.partitions) LOOP
      EXECUTE format('ALTER TABLE vigil.%I DETACH PARTITION vigil.%I', going.parent_of[i], going.partitions[i]);
      -- What is done to the table now must mark nothing: its facts no longer count.
      FOREACH target IN ARRAY ARRAY['dirty_insert', 'dirty_update', 'dirty_delete', 'dirty_truncate'] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON vigil.%I', target, going.partitions[i]);
      END LOOP;
    END LOOP;
    RETURN cardinality(going.partitions);
  EXCEPTION
    WHEN SQLSTATE 'VG001' THEN
      RETURN 0;  -- the roller comes first
    WHEN lock_not_available THEN
      RAISE WARNING 'partitions % were not detached: process % holds a lock on their tables',
        array_to_string(going.partitions, ', '),
        coalesce((SELECT string_agg(DISTINCT l.pid::text, ', ') FROM pg_locks l
                  WHERE l.granted AND l.pid <> pg_backend_pid() AND l.locktype = 'relation'
                    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                    AND l.relation IN (SELECT to_regclass(format('vigil.%I', n))
                                       FROM unnest(going.parents || going.partitions) AS n)), 'unknown')
        USING HINT = 'The next run tries again.';
      RETURN 0;
  END;
END $$;
COMMENT ON FUNCTION vigil.retire_partitions(timestamptz) IS
  'One step of retention: drops or archives one table whose grace period is over, or else detaches the oldest partitions that vigil.preview_retention() lets go. Returns their number, 0 when nothing is left or a lock is not to be had; then a warning names who holds it.';

CREATE OR REPLACE FUNCTION vigil.restore_partition(partition text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  old vigil.retired_partitions;
  target regclass;
  restored bigint := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0));
  -- With those that went together with it: cells need the facts of all.
  FOR old IN
    SELECT r.* FROM vigil.retired_partitions r
    WHERE r.detached_at = (SELECT w.detached_at FROM vigil.retired_partitions w
                           WHERE w.partition = restore_partition.partition)
    ORDER BY r.parent, r.partition
  LOOP
    target := CASE WHEN old.finished_at IS NULL THEN to_regclass(format('vigil.%I', old.partition))
                   ELSE to_regclass(quote_ident(old.archive_schema) || '.' || quote_ident(old.partition)) END;
    IF target IS NULL THEN
      RAISE undefined_table USING MESSAGE = format('table of retired partition "%s" has been dropped', old.partition);
    END IF;
    IF old.finished_at IS NOT NULL THEN
      EXECUTE format('ALTER TABLE %s SET SCHEMA vigil', target);
      EXECUTE format('ALTER TABLE %s ALTER COLUMN id SET DEFAULT vigil.uuid_v7()', target);
    END IF;
    EXECUTE format('ALTER TABLE vigil.%I ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)', old.parent, target,
                   CASE WHEN isfinite(old.starts_at) THEN quote_literal(old.starts_at) ELSE 'MINVALUE' END,
                   quote_literal(old.ends_at));
    PERFORM vigil.watch_table(target);
    DELETE FROM vigil.retired_partitions r WHERE r.parent = old.parent AND r.partition = old.partition;
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
  'Attaches a retired partition again, with those that went together with it; returns their number. Raise the retention before, or the next run retires them again. Never retired: SQLSTATE 42704; dropped by now: 42P01.';

CREATE OR REPLACE FUNCTION vigil.keep_partitions() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  made bigint;
BEGIN
  -- Never both in one transaction: what cannot be dropped must not undo what was made.
  SELECT count(*) INTO made FROM vigil.maintain_partitions();
  IF made > 0 THEN
    RETURN made;
  END IF;
  RETURN vigil.retire_partitions();
END $$;
COMMENT ON FUNCTION vigil.keep_partitions() IS
  'Step of job maintain_partitions: makes the partitions that are missing, or else does one step of retention; returns the number of partitions.';
