CREATE OR REPLACE VIEW vigil.partitions AS
SELECT p.relname::text COLLATE "default" AS parent,
       c.relname::text COLLATE "default" AS partition,
       CASE WHEN g.known THEN r.starts_at WHEN b.bounds[1] = 'MINVALUE' THEN '-infinity'
            ELSE btrim(b.bounds[1], '''')::timestamptz END AS starts_at,
       CASE WHEN g.known THEN r.ends_at WHEN b.bounds[2] = 'MAXVALUE' THEN 'infinity'
            ELSE btrim(b.bounds[2], '''')::timestamptz END AS ends_at,
       greatest(c.reltuples, 0)::bigint AS estimated_rows,
       CASE WHEN g.known THEN r.bytes ELSE pg_total_relation_size(c.oid) END AS bytes,
       CASE WHEN i.inhdetachpending THEN 'detaching' WHEN r.parent IS NOT NULL THEN 'closed' ELSE 'open' END AS state
FROM pg_inherits i
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace n ON n.oid = p.relnamespace AND n.nspname = 'vigil'
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_partitioned_table t ON t.partrelid = p.oid AND t.partstrat = 'r'
LEFT JOIN vigil.retired_partitions r ON r.parent = p.relname AND r.partition = c.relname AND r.detached_at IS NULL
-- Who detaches it keeps it locked until old snapshots are gone, and both of these functions would wait for him.
CROSS JOIN LATERAL (SELECT i.inhdetachpending AND r.parent IS NOT NULL AS known) g
CROSS JOIN LATERAL (
  SELECT CASE WHEN NOT g.known THEN regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                                 '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') END AS bounds) b
WHERE g.known OR b.bounds IS NOT NULL;
COMMENT ON VIEW vigil.partitions IS 'Partitions of the fact tables, with their bounds from the catalog.';
COMMENT ON COLUMN vigil.partitions.parent IS 'Fact table.';
COMMENT ON COLUMN vigil.partitions.partition IS 'Partition.';
COMMENT ON COLUMN vigil.partitions.starts_at IS 'First event time it holds.';
COMMENT ON COLUMN vigil.partitions.ends_at IS 'First event time it does not hold any more.';
COMMENT ON COLUMN vigil.partitions.estimated_rows IS 'Rows at the last vacuum or analyze.';
COMMENT ON COLUMN vigil.partitions.bytes IS 'Size with indexes and TOAST, bytes.';
COMMENT ON COLUMN vigil.partitions.state IS
  'open; closed: retention takes it, so it takes no facts any more; detaching: its parent shows it to old snapshots only.';

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

CREATE OR REPLACE FUNCTION vigil.refuse_retired(partition text, starts_at timestamptz, ends_at timestamptz) RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  retired text;
BEGIN
  -- A fact there would have its hour recomputed from what is left, which is less than its cells tell.
  SELECT r.partition INTO retired FROM vigil.retired_partitions r
  WHERE r.starts_at < refuse_retired.ends_at AND r.ends_at > refuse_retired.starts_at LIMIT 1;
  IF FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('partition "%s" would hold times of "%s", whose facts were retired', partition, retired),
      HINT = format('SELECT vigil.restore_partition(%L) brings them back while their table exists.', retired);
  END IF;
END $$;
COMMENT ON FUNCTION vigil.refuse_retired(text, timestamptz, timestamptz) IS
  'SQLSTATE 55000 if facts of the time were retired.';

CREATE OR REPLACE FUNCTION vigil.create_partition(
    parent text, partition text, starts_at timestamptz, ends_at timestamptz) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.refuse_retired(partition, starts_at, ends_at);
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

CREATE OR REPLACE FUNCTION vigil.partition_gaps(
    width text, starts_at timestamptz, ends_at timestamptz, covered tstzmultirange)
  RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
  LANGUAGE sql STABLE STRICT ROWS 10 SET search_path = pg_catalog, vigil, pg_temp
AS $$
  -- Another width may have left partitions that cover a part of a slot.
  SELECT lower(gap), upper(gap)
  FROM generate_series(vigil.partition_start($1, $2) AT TIME ZONE 'UTC', $3 AT TIME ZONE 'UTC', ('1 ' || $1)::interval) AS slot,
       LATERAL unnest(tstzmultirange(tstzrange(slot AT TIME ZONE 'UTC', vigil.partition_next($1, slot AT TIME ZONE 'UTC'))) - covered) AS gap
  ORDER BY 1
$$;
COMMENT ON FUNCTION vigil.partition_gaps(text, timestamptz, timestamptz, tstzmultirange) IS
  'Days, weeks or months from that of starts_at to that of ends_at, as far as the covered times leave them.';

CREATE OR REPLACE FUNCTION vigil.missing_partitions(
    for_parent text DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS TABLE (parent text, partition text, starts_at timestamptz, ends_at timestamptz)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT p.parent, vigil.partition_name(p.parent, p.width, g.starts_at), g.starts_at, g.ends_at
  FROM vigil.partition_policy p,
       LATERAL (SELECT coalesce(range_agg(tstzrange(c.starts_at, c.ends_at)), '{}') AS times
                FROM vigil.covered_times(p.parent) c) AS covered,
       LATERAL vigil.partition_gaps(p.width, at - p.past, at + p.ahead, covered.times) g
  WHERE p.enabled AND (for_parent IS NULL OR p.parent = for_parent)
  ORDER BY p.parent, g.starts_at
$$;
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
  -- Who goes on with other work after this must not hold up ingest meanwhile.
  IF NOT EXISTS (SELECT FROM vigil.missing_partitions(for_parent, at)) THEN
    RETURN;
  END IF;
  -- One at a time; whoever comes second finds nothing missing.
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0));
  EXCEPTION WHEN lock_not_available THEN
    RAISE WARNING 'no partition was made: another transaction has made some, and is still open: %', (
        SELECT string_agg(coalesce('process ' || l.pid, 'one of pg_prepared_xacts'), ', ') FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.granted
          AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('vigil.maintain_partitions', 0))
      USING HINT = 'The next run tries again.';
    RETURN;
  END;
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

CREATE OR REPLACE FUNCTION vigil.fill_partitions(parent text, from_time timestamptz, to_time timestamptz)
  RETURNS TABLE (partition text, starts_at timestamptz, ends_at timestamptz)
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  policy vigil.partition_policy;
BEGIN
  SELECT * INTO policy FROM vigil.partition_policy p WHERE p.parent = $1;
  IF NOT FOUND THEN
    RAISE undefined_object USING MESSAGE = format('table "%s" has no policy', coalesce($1, 'null')), HINT = 'See vigil.partition_policy.';
  ELSIF NOT isfinite($2) OR NOT isfinite($3) OR $3 <= $2 THEN
    RAISE invalid_parameter_value USING MESSAGE = format('no partitions lie from %s to %s', coalesce($2::text, 'null'), coalesce($3::text, 'null'));
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('vigil.maintain_partitions', 0));
  FOR starts_at, ends_at IN
    SELECT g.* FROM vigil.partition_gaps(policy.width, $2, $3 - interval '1 microsecond',
      (SELECT coalesce(range_agg(tstzrange(c.starts_at, c.ends_at)), '{}') FROM vigil.covered_times($1) c)) g
  LOOP
    partition := vigil.partition_name(policy.parent, policy.width, starts_at);
    PERFORM vigil.create_partition(policy.parent, partition, starts_at, ends_at);
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.fill_partitions(text, timestamptz, timestamptz) IS
  'Makes the partitions of a fact table that are missing from the day, week or month of from_time to that before to_time, and returns them; none where facts were retired.';

CREATE OR REPLACE FUNCTION vigil.attach_partition(
    parent text, target regclass, starts_at timestamptz, ends_at timestamptz) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  facts constant regclass := to_regclass(format('vigil.%I', parent));
  changes text[];
  problem text;
  definition text;
  marks bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM vigil.partition_policy p WHERE p.parent = attach_partition.parent) OR facts IS NULL THEN
    RAISE undefined_table USING MESSAGE = format('"%s" is no fact table', coalesce(parent, 'null')), HINT = 'Give events or errors.';
  ELSIF starts_at <> date_trunc('hour', starts_at, 'UTC') OR ends_at <> date_trunc('hour', ends_at, 'UTC') THEN
    RAISE invalid_parameter_value USING MESSAGE = 'a partition must begin and end with an hour of UTC, or retention could never take it';
  END IF;
  PERFORM vigil.refuse_retired(target::text, starts_at, ends_at);
  SELECT string_agg(format('%s %s', coalesce(p.attname, t.attname),
           CASE WHEN t.attname IS NULL THEN 'is missing' WHEN p.attname IS NULL THEN 'is one too many'
                ELSE format('is %s, not %s', format_type(t.atttypid, t.atttypmod), format_type(p.atttypid, p.atttypmod)) END),
           ', ' ORDER BY attname) INTO problem
  FROM (SELECT * FROM pg_attribute WHERE attrelid = facts AND attnum > 0 AND NOT attisdropped) p
  FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped) t USING (attname)
  WHERE p.attname IS NULL OR t.attname IS NULL OR p.atttypid <> t.atttypid OR p.atttypmod <> t.atttypmod;
  IF problem IS NOT NULL THEN
    RAISE datatype_mismatch USING
      MESSAGE = format('table %s cannot be a partition of vigil.%I: %s', target, parent, problem),
      HINT = format('CREATE TABLE ... (LIKE vigil.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) makes one that can.', parent);
  END IF;

  -- All that has to be checked is checked in one pass, before the parent is locked.
  SELECT array_agg(format('ALTER %I SET NOT NULL', p.attname)) INTO changes
  FROM pg_attribute p JOIN pg_attribute t ON t.attrelid = target AND t.attname = p.attname
  WHERE p.attrelid = facts AND p.attnum > 0 AND p.attnotnull AND NOT t.attnotnull;
  SELECT changes || array_agg(format('ADD CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid))) INTO changes
  FROM pg_constraint c WHERE c.conrelid = facts AND c.contype = 'c'
    AND NOT EXISTS (SELECT FROM pg_constraint t WHERE t.conrelid = target AND t.conname = c.conname);
  changes := changes || format('ADD CONSTRAINT vigil_bounds CHECK (created_at IS NOT NULL AND created_at >= %L AND created_at < %L)', starts_at, ends_at);
  BEGIN
    EXECUTE format('ALTER TABLE %s %s', target, array_to_string(changes, ', '));
  EXCEPTION WHEN check_violation THEN
    EXECUTE format('SELECT format(%L, min(created_at), max(created_at)) FROM %s', 'it holds %s to %s', target) INTO problem;
    RAISE check_violation USING
      MESSAGE = format('table %s cannot be a partition of vigil.%I from %s to %s', target, parent, starts_at, ends_at),
      DETAIL = format('%s; %s.', SQLERRM, problem);
  END;
  IF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = target AND i.indisprimary) THEN
    EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (module_id, created_at, id)', target);
  END IF;
  FOR definition IN
    SELECT d FROM vigil.partition_policy p, unnest(p.indexes) d WHERE p.parent = attach_partition.parent
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = target AND right(pg_get_indexdef(i.indexrelid), length(d)) = d)
  LOOP
    EXECUTE format('CREATE INDEX ON %s %s', target, definition);
  END LOOP;
  IF (SELECT c.relnamespace <> 'vigil'::regnamespace FROM pg_class c WHERE c.oid = target) THEN
    EXECUTE format('ALTER TABLE %s SET SCHEMA vigil', target);
  END IF;
  EXECUTE format('ALTER TABLE %s OWNER TO %I', target, (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = facts));
  EXECUTE format('INSERT INTO vigil.dirty (module_id, minute) '
                 'SELECT DISTINCT module_id, date_trunc(''minute'', created_at) FROM %s', target);
  GET DIAGNOSTICS marks = ROW_COUNT;
  EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', facts, target, starts_at, ends_at);
  EXECUTE format('ALTER TABLE %s DROP CONSTRAINT vigil_bounds', target);
  PERFORM vigil.watch_table(target);
  RETURN marks;
END $$;
COMMENT ON FUNCTION vigil.attach_partition(text, regclass, timestamptz, timestamptz) IS
  'Makes a table that was filled elsewhere a partition of a fact table for [starts_at, ends_at): checks columns (SQLSTATE 42804) and times (23514), adds the constraints, key and indexes that it lacks, moves it to schema vigil, and marks its minutes, whose number it returns.';
