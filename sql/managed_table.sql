CREATE OR REPLACE FUNCTION vigil.run_as_owner(relation regclass, statement text) RETURNS text
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_run_as_owner';
COMMENT ON FUNCTION vigil.run_as_owner(regclass, text) IS
  'Runs statements as the owner of the table, in a way that they cannot become anybody else; returns the first column of the first row of the last one.';

CREATE OR REPLACE FUNCTION vigil.bound_literal(at timestamptz, key_type regtype) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT CASE at WHEN '-infinity' THEN 'MINVALUE' WHEN 'infinity' THEN 'MAXVALUE' ELSE
    quote_literal(to_char(at AT TIME ZONE 'UTC', CASE key_type WHEN 'date'::regtype THEN 'YYYY-MM-DD' ELSE 'YYYY-MM-DD HH24:MI:SS.US' END)
                  || CASE key_type WHEN 'timestamptz'::regtype THEN '+00' ELSE '' END) END
$$;
COMMENT ON FUNCTION vigil.bound_literal(timestamptz, regtype) IS
  'A time as a bound of a partition whose key is a timestamptz, timestamp or date; the latter two count as UTC.';

CREATE OR REPLACE FUNCTION vigil.bound_time(bound text, key_type regtype) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT CASE bound WHEN 'MINVALUE' THEN '-infinity' WHEN 'MAXVALUE' THEN 'infinity' ELSE
    CASE key_type WHEN 'timestamptz'::regtype THEN btrim(bound, '''')::timestamptz
                  ELSE btrim(bound, '''')::timestamp AT TIME ZONE 'UTC' END END
$$;
COMMENT ON FUNCTION vigil.bound_time(text, regtype) IS 'A bound as the catalog tells it as a time; a timestamp or date without a zone counts as UTC.';

CREATE OR REPLACE FUNCTION vigil.time_key(relation regclass) RETURNS regtype
  LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT a.atttypid::regtype FROM pg_partitioned_table t
  JOIN pg_attribute a ON a.attrelid = t.partrelid AND a.attnum = t.partattrs[0]
  WHERE t.partrelid = relation AND t.partstrat = 'r' AND t.partnatts = 1
    AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
$$;
COMMENT ON FUNCTION vigil.time_key(regclass) IS
  'Type of the key of a table that is partitioned by range of one column of type timestamptz, timestamp or date; null for any other.';

CREATE OR REPLACE VIEW vigil.managed_partitions AS
SELECT m.name AS parent, format('%I.%I', n.nspname, c.relname) COLLATE "default" AS partition,
       CASE WHEN g.known THEN d.starts_at ELSE vigil.bound_time(b.bounds[1], k.type) END AS starts_at,
       CASE WHEN g.known THEN d.ends_at ELSE vigil.bound_time(b.bounds[2], k.type) END AS ends_at,
       greatest(c.reltuples, 0)::bigint AS estimated_rows,
       CASE WHEN g.known THEN d.bytes ELSE pg_total_relation_size(c.oid) END AS bytes,
       CASE WHEN i.inhdetachpending THEN 'detaching' WHEN d.name IS NOT NULL THEN 'closed' ELSE 'open' END AS state
FROM vigil.managed_tables m
JOIN pg_inherits i ON i.inhparent = coalesce(m.table_oid, to_regclass(m.name))
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN vigil.detached_tables d ON d.table_oid = c.oid AND d.name = format('%I.%I', n.nspname, c.relname) COLLATE "default"
CROSS JOIN LATERAL vigil.time_key(i.inhparent::regclass) AS k (type)
-- As in vigil.partitions.
CROSS JOIN LATERAL (SELECT i.inhdetachpending AND d.name IS NOT NULL AS known) g
CROSS JOIN LATERAL (
  SELECT CASE WHEN NOT g.known THEN regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                                 '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') END AS bounds) b
WHERE k.type IS NOT NULL AND (g.known OR b.bounds IS NOT NULL) AND pg_has_role(c.relowner, 'USAGE');
COMMENT ON VIEW vigil.managed_partitions IS 'Partitions of the managed tables whose owner one is, or has the rights of.';
COMMENT ON COLUMN vigil.managed_partitions.parent IS 'The managed table.';
COMMENT ON COLUMN vigil.managed_partitions.partition IS 'Partition, with its schema.';
COMMENT ON COLUMN vigil.managed_partitions.starts_at IS 'First time it holds.';
COMMENT ON COLUMN vigil.managed_partitions.ends_at IS 'First time it does not hold any more.';
COMMENT ON COLUMN vigil.managed_partitions.estimated_rows IS 'Rows at the last vacuum or analyze.';
COMMENT ON COLUMN vigil.managed_partitions.bytes IS 'Size with indexes and TOAST, bytes.';
COMMENT ON COLUMN vigil.managed_partitions.state IS 'open; closed: it is due to be detached; detaching: only old snapshots see it.';

CREATE OR REPLACE FUNCTION vigil.refusal(relation regclass) RETURNS text
  LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE
    WHEN c.relnamespace = 'vigil'::regnamespace THEN 'it belongs to the extension: change its row of vigil.partition_policy'
    WHEN c.relkind <> 'p' THEN 'it is not partitioned'
    WHEN c.relpersistence = 't' THEN 'it is temporary'
    WHEN vigil.time_key(c.oid::regclass) IS NULL THEN
      'it is not partitioned by range of one column of type timestamptz, timestamp or date'
    WHEN (SELECT t.partdefid <> 0 FROM pg_partitioned_table t WHERE t.partrelid = c.oid) THEN
      'it has a default partition, which would be searched, and locked, for each new one'
    WHEN octet_length(c.relname) + octet_length('_y2026m11d20') > 63 THEN 'its name is too long to be one of partitions' END
  FROM pg_class c WHERE c.oid = relation
$$;
COMMENT ON FUNCTION vigil.refusal(regclass) IS 'Why the keeper cannot look after a table; null = it can.';

CREATE OR REPLACE FUNCTION vigil.follow_managed_tables() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  moved record;
BEGIN
  UPDATE vigil.managed_tables m SET table_oid = to_regclass(m.name) WHERE m.table_oid IS NULL;
  FOR moved IN
    SELECT m.name, vigil.full_name(c.oid) AS called
    FROM vigil.managed_tables m LEFT JOIN pg_class c ON c.oid = m.table_oid AND c.relkind = 'p'
    WHERE to_regclass(m.name) IS NULL
  LOOP
    IF moved.called IS NULL THEN
      -- Dropped: whoever makes one of its name again may want to keep all.
      DELETE FROM vigil.managed_tables m WHERE m.name = moved.name;
    ELSIF NOT EXISTS (SELECT FROM vigil.managed_tables m WHERE m.name = moved.called) THEN
      UPDATE vigil.managed_tables m SET name = moved.called WHERE m.name = moved.name;
      UPDATE vigil.detached_tables d SET parent = moved.called WHERE d.parent = moved.name;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.follow_managed_tables() IS
  'Gives managed tables that were renamed or moved to another schema their new name, unless another table has the old one, and forgets those that were dropped.';

CREATE OR REPLACE FUNCTION vigil.write_managed_table(relation regclass, policy jsonb) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  table_name text;
  table_owner text;
  hook regprocedure;
  row vigil.managed_tables;
BEGIN
  SELECT format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner) INTO table_name, table_owner
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
  PERFORM vigil.follow_managed_tables();
  IF jsonb_typeof(policy) = 'null' THEN
    DELETE FROM vigil.managed_tables m WHERE m.name = table_name OR m.table_oid = relation;
    PERFORM vigil.forget_detached();
    RETURN;
  ELSIF vigil.refusal(relation) IS NOT NULL THEN
    RAISE wrong_object_type USING
      MESSAGE = format('partitions of table %s cannot be managed: %s', table_name, vigil.refusal(relation)),
      HINT = CASE WHEN vigil.refusal(relation) ~ 'default' THEN
        'Make partitions for its rows, move them there, and detach the default partition.'
      ELSE 'What can be managed: CREATE TABLE ... PARTITION BY RANGE (a column of type timestamptz).' END;
  END IF;
  row := jsonb_populate_record(NULL::vigil.managed_tables, policy);
  row.name := table_name;
  row.owner := table_owner;
  row.table_oid := relation;
  IF row.before_drop IS NOT NULL THEN
    hook := to_regprocedure(row.before_drop || '(regclass)');
    IF hook IS NULL OR (SELECT p.prorettype <> 'boolean'::regtype FROM pg_proc p WHERE p.oid = hook) THEN
      RAISE undefined_function USING
        MESSAGE = format('function %s(regclass) that returns boolean does not exist', row.before_drop),
        HINT = 'Give its name with its schema.';
    END IF;
    SELECT format('%I.%I', n.nspname, p.proname) INTO row.before_drop
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = hook;
  END IF;
  IF row.archive_schema IS NOT NULL AND to_regnamespace(quote_ident(row.archive_schema)) IS NULL THEN
    RAISE invalid_schema_name USING MESSAGE = format('schema "%s" does not exist', row.archive_schema);
  END IF;
  IF NOT EXISTS (SELECT FROM vigil.managed_tables m WHERE m.name = table_name AND m.table_oid = relation) THEN
    -- Those of another table that had its name.
    DELETE FROM vigil.detached_tables d WHERE d.parent = table_name;
  END IF;
  DELETE FROM vigil.managed_tables m WHERE m.name = table_name OR m.table_oid = relation;
  INSERT INTO vigil.managed_tables VALUES (row.*);
  PERFORM vigil.wake_workers();
END $$;
COMMENT ON FUNCTION vigil.write_managed_table(regclass, jsonb) IS
  'For vigil.set_managed_table, which has checked who calls: writes the policy of a table, or deletes it for a JSON null.';

CREATE OR REPLACE FUNCTION vigil.set_managed_table(relation regclass, policy jsonb) RETURNS void
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_set_managed_table';
COMMENT ON FUNCTION vigil.set_managed_table(regclass, jsonb) IS
  'For vigil.manage_table and vigil.unmanage_table: checks that the caller owns the table (SQLSTATE 42501), then writes as the owner of the extension.';

CREATE OR REPLACE FUNCTION vigil.manage_table(
    relation regclass, width text DEFAULT 'month', ahead interval DEFAULT '2 months', past interval DEFAULT '0',
    retention interval DEFAULT NULL, max_bytes bigint DEFAULT NULL, keep_at_least interval DEFAULT '1 day',
    grace interval DEFAULT '1 day', before_drop text DEFAULT NULL, archive_schema text DEFAULT NULL) RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.set_managed_table(relation, jsonb_build_object(
    'width', width, 'ahead', ahead, 'past', past, 'retention', retention, 'max_bytes', max_bytes,
    'keep_at_least', keep_at_least, 'grace', grace, 'before_drop', before_drop, 'archive_schema', archive_schema))
$$;
COMMENT ON FUNCTION vigil.manage_table(regclass, text, interval, interval, interval, bigint, interval, interval, text, text) IS
  'Lets the keeper make and retire the partitions of a table of the caller, in place of what was said before: partitioned by range of one timestamptz, timestamp or date, without a default partition (SQLSTATE 42809). See vigil.managed_tables for the arguments.';

CREATE OR REPLACE FUNCTION vigil.unmanage_table(relation regclass) RETURNS void
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, vigil, pg_temp
AS $$ SELECT vigil.set_managed_table(relation, 'null') $$;
COMMENT ON FUNCTION vigil.unmanage_table(regclass) IS
  'Leaves the partitions of a table to its owner again, also those that are detached already.';

CREATE OR REPLACE FUNCTION vigil.missing_managed_partitions(table_name text, at timestamptz DEFAULT now())
  RETURNS TABLE (partition text, starts_at timestamptz, ends_at timestamptz)
  LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.partition_name(c.relname, m.width, g.starts_at), g.*
  FROM vigil.managed_tables m JOIN pg_class c ON c.oid = coalesce(m.table_oid, to_regclass(m.name)),
       LATERAL (SELECT coalesce(range_agg(tstzrange(p.starts_at, p.ends_at)), '{}') AS times
                FROM vigil.managed_partitions p WHERE p.parent = m.name) covered,
       LATERAL vigil.partition_gaps(m.width, at - m.past, at + m.ahead, covered.times) g
  WHERE m.name = table_name
    -- What would be retired at once is not made.
    AND (m.retention IS NULL OR g.ends_at > at - m.retention)
  ORDER BY g.starts_at
$$;
COMMENT ON FUNCTION vigil.missing_managed_partitions(text, timestamptz) IS
  'Partitions of a managed table that its policy wants and that do not exist.';

CREATE OR REPLACE FUNCTION vigil.create_managed_partition(
    relation regclass, partition text, starts_at timestamptz, ends_at timestamptz) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '30ms'
AS $$
DECLARE
  parent record;
  child text;
  script text;
BEGIN
  -- Storage parameters are those of the youngest partition: a parent has none.
  SELECT n.nspname, c.relname, c.relpersistence, c.relowner, c.relacl,
         (SELECT array_to_string(y.reloptions, ', ') FROM pg_inherits i JOIN pg_class y ON y.oid = i.inhrelid
          WHERE i.inhparent = c.oid ORDER BY y.oid DESC LIMIT 1) AS options,
         (SELECT s.spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace
  INTO STRICT parent
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
  child := format('%I.%I', parent.nspname, partition);
  script := format('CREATE %s TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES EXCLUDING STATISTICS)%s%s;',
    CASE parent.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE '' END, child, relation,
    ' WITH (' || parent.options || ')', ' TABLESPACE ' || quote_ident(parent.tablespace));
  script := script || coalesce((
    SELECT string_agg(format('GRANT %s ON %s TO %s%s;', a.privilege_type, child,
                             CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                             CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), ' ')
    FROM aclexplode(parent.relacl) a WHERE a.grantee <> parent.relowner), '');
  -- It gets the indexes, foreign keys and row triggers of its parent now, while it is empty.
  PERFORM vigil.run_as_owner(relation, script || format(
    'ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)', relation, child,
    vigil.bound_literal(starts_at, vigil.time_key(relation)), vigil.bound_literal(ends_at, vigil.time_key(relation))));
END $$;
COMMENT ON FUNCTION vigil.create_managed_partition(regclass, text, timestamptz, timestamptz) IS
  'Makes a partition of a managed table beside it, as its owner, with its constraints, indexes, privileges and triggers. SQLSTATE 55P03 when a lock is not to be had within 30 ms.';

CREATE OR REPLACE FUNCTION vigil.preview_managed_retention(at timestamptz DEFAULT now())
  RETURNS TABLE (parent text, partition text, starts_at timestamptz, ends_at timestamptz, bytes bigint,
                 goes boolean, because text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH summed AS (
    SELECT p.*, m.retention, m.max_bytes, m.keep_at_least,
           sum(p.bytes) OVER (PARTITION BY p.parent ORDER BY p.ends_at DESC) AS total
    FROM vigil.managed_partitions p JOIN vigil.managed_tables m ON m.name = p.parent)
  SELECT s.parent, s.partition, s.starts_at, s.ends_at, s.bytes, s.state = 'open' AND r.because IS NOT NULL,
         CASE s.state WHEN 'open' THEN r.because ELSE 'it is being retired' END
  FROM summed s CROSS JOIN LATERAL (SELECT CASE
    WHEN s.ends_at <= at - s.retention THEN format('its end is older than %s', s.retention)
    WHEN s.total > s.max_bytes AND s.ends_at <= at - s.keep_at_least THEN
      format('with the younger ones it has %s of %s bytes', s.total, s.max_bytes) END AS because) r
  ORDER BY s.parent, s.starts_at
$$;
COMMENT ON FUNCTION vigil.preview_managed_retention(timestamptz) IS
  'Every partition of the managed tables, whether it goes at a time (default now) and why. Changes nothing.';

CREATE OR REPLACE FUNCTION vigil.finish_managed(old vigil.detached_tables, policy vigil.managed_tables) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET lock_timeout = '30ms'
AS $$
DECLARE
  target constant regclass := vigil.detached_table(old);
BEGIN
  IF target IS NULL OR (SELECT c.relispartition OR pg_get_userbyid(c.relowner) <> policy.owner
                        FROM pg_class c WHERE c.oid = target) THEN
    RETURN;
  ELSIF policy.before_drop IS NOT NULL THEN
    PERFORM vigil.ask_before_drop(policy.before_drop, target);
  END IF;
  PERFORM vigil.run_as_owner(target, format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', target));
  IF vigil.detached_table(old) IS DISTINCT FROM target THEN
    RAISE object_in_use USING MESSAGE = format('%s is being renamed or replaced', old.name);
  END IF;
  IF policy.archive_schema IS NULL THEN
    PERFORM vigil.run_as_owner(target, format('DROP TABLE %s', target));
  ELSE
    PERFORM vigil.run_as_owner(target, format('ALTER TABLE %s SET SCHEMA %I', target, policy.archive_schema));
  END IF;
END $$;
COMMENT ON FUNCTION vigil.finish_managed(vigil.detached_tables, vigil.managed_tables) IS
  'Asks the function of the policy, then drops or moves a detached table, all as its owner.';

CREATE OR REPLACE FUNCTION vigil.keep_managed_table(policy vigil.managed_tables, at timestamptz) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  relation constant regclass := policy.table_oid;
  missing record;
  old vigil.detached_tables;
  trouble text;
  found bigint;
BEGIN
  SELECT * INTO missing FROM vigil.missing_managed_partitions(policy.name, at) LIMIT 1;
  IF missing.partition IS NOT NULL THEN
    FOR try IN 1 .. 20 LOOP
      BEGIN
        PERFORM vigil.create_managed_partition(relation, missing.partition, missing.starts_at, missing.ends_at);
        RETURN 1;
      EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        trouble := format('partition %s was not made: it waits for %s', missing.partition, vigil.lock_holders(ARRAY[relation]));
      END;
      PERFORM vigil.pause_briefly();
    END LOOP;
    RAISE lock_not_available USING MESSAGE = trouble;
  END IF;

  FOR old IN
    SELECT * FROM vigil.detached_tables d
    WHERE d.parent = policy.name AND d.detached_at IS NOT NULL AND d.finish_after <= at AND vigil.detached_table(d) IS NOT NULL
    ORDER BY d.starts_at
  LOOP
    BEGIN
      PERFORM vigil.finish_managed(old, policy);
      DELETE FROM vigil.detached_tables d WHERE d.name = old.name;
      RETURN 1;
    EXCEPTION WHEN OTHERS THEN
      UPDATE vigil.detached_tables d SET problem = SQLERRM WHERE d.name = old.name;
    END;
  END LOOP;

  INSERT INTO vigil.detached_tables (name, parent, starts_at, ends_at, bytes, finish_after, table_oid)
  SELECT p.partition, p.parent, p.starts_at, p.ends_at, p.bytes, at + policy.grace, to_regclass(p.partition)
  FROM vigil.preview_managed_retention(at) p WHERE p.parent = policy.name AND p.goes
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS found = ROW_COUNT;
  RETURN found;
END $$;
COMMENT ON FUNCTION vigil.keep_managed_table(vigil.managed_tables, timestamptz) IS
  'For vigil.keep_managed_tables: one step for one table; returns what it has done, 0 when nothing is left.';

CREATE OR REPLACE FUNCTION vigil.forget_detached() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  restored constant text := 'it comes from a dump and may be another one than was detached: drop or move it by hand';
  left_alone text;
BEGIN
  FOR left_alone IN
    DELETE FROM vigil.detached_tables d
    WHERE NOT EXISTS (SELECT FROM vigil.managed_tables m WHERE m.name = d.parent)
      OR to_regclass(d.name) IS NULL
      OR d.table_oid IS NOT NULL AND vigil.detached_table(d) IS NULL
      -- A partition that comes from a dump is judged anew.
      OR d.table_oid IS NULL AND (SELECT c.relispartition FROM pg_class c WHERE c.oid = to_regclass(d.name))
    RETURNING CASE WHEN d.table_oid <> to_regclass(d.name) THEN d.name END
  LOOP
    IF left_alone IS NOT NULL THEN
      RAISE WARNING 'table % is left alone: it is another one than was detached', left_alone;
    END IF;
  END LOOP;
  UPDATE vigil.detached_tables d SET problem = restored
  WHERE d.table_oid IS NULL AND d.problem IS DISTINCT FROM restored;
END $$;
COMMENT ON FUNCTION vigil.forget_detached() IS
  'For vigil.keep_managed_tables: leaves to their owners the detached tables that were dropped, renamed or replaced, and those of tables that are managed no more.';

CREATE OR REPLACE FUNCTION vigil.keep_managed_tables(at timestamptz DEFAULT now()) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  policy vigil.managed_tables;
  owner text;
  trouble text;
  done bigint := 0;
BEGIN
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  PERFORM vigil.follow_managed_tables();
  PERFORM vigil.forget_detached();
  FOR policy IN SELECT * FROM vigil.managed_tables m ORDER BY m.name LOOP
    BEGIN
      SELECT pg_get_userbyid(c.relowner) INTO owner FROM pg_class c WHERE c.oid = policy.table_oid;
      trouble := CASE WHEN owner IS NULL THEN
                        'it was dropped, and another table has its name; call vigil.manage_table() for that, or vigil.unmanage_table()'
                      WHEN to_regclass(policy.name) IS DISTINCT FROM policy.table_oid THEN
                        format('another table has its name now, and it is called %s; call vigil.manage_table() for the one that is meant',
                               vigil.full_name(policy.table_oid))
                      WHEN owner <> policy.owner THEN
                        format('it belongs to %I now, not to %I; call vigil.manage_table() again', owner, policy.owner)
                      ELSE vigil.refusal(policy.table_oid) END;
      IF trouble IS NULL THEN
        done := vigil.keep_managed_table(policy, at);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      trouble := SQLERRM;
    END;
    UPDATE vigil.managed_tables m SET problem = trouble, problem_at = CASE WHEN trouble IS NOT NULL THEN clock_timestamp() END
    WHERE m.name = policy.name AND m.problem IS DISTINCT FROM trouble;
    EXIT WHEN done > 0;
  END LOOP;
  RETURN done;
END $$;
COMMENT ON FUNCTION vigil.keep_managed_tables(timestamptz) IS
  'One step of the job maintain_partitions for the first managed table that needs one: makes a partition, drops or moves a detached one, or finds those that are due; returns their number. What cannot be done is told in vigil.managed_tables and stops no other table.';

CREATE OR REPLACE FUNCTION vigil.grant_manage(role regrole) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA vigil TO %s', role);
  EXECUTE format('GRANT SELECT ON vigil.managed_partitions, vigil.partition_status TO %s', role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION vigil.set_managed_table(regclass, jsonb), vigil.unmanage_table(regclass), '
                 'vigil.manage_table(regclass, text, interval, interval, interval, bigint, interval, interval, text, text) '
                 'TO %s', role);
END $$;
COMMENT ON FUNCTION vigil.grant_manage(regrole) IS 'Lets a role give its own partitioned tables to the keeper, and nothing else.';

CREATE OR REPLACE VIEW vigil.partition_status AS
WITH policy AS (
  SELECT p.parent, p.width, p.ahead, p.past, p.enabled,
         (SELECT string_agg(r.partition || ': ' || r.problem, '; ' ORDER BY r.starts_at)
          FROM vigil.retired_partitions r WHERE r.parent = p.parent AND r.finished_at IS NULL AND r.problem IS NOT NULL) AS problem
  FROM vigil.partition_policy p WHERE has_table_privilege('vigil.partitions', 'SELECT')
  UNION ALL
  SELECT m.name, m.width, m.ahead, m.past, true,
         concat_ws('; ', m.problem, (SELECT string_agg(d.name || ': ' || d.problem, '; ' ORDER BY d.starts_at)
                                     FROM vigil.detached_tables d WHERE d.parent = m.name AND d.problem IS NOT NULL))
  FROM vigil.managed_tables m
  WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = coalesce(m.table_oid, to_regclass(m.name)) AND pg_has_role(c.relowner, 'USAGE'))),
part AS (
  SELECT parent, starts_at, ends_at, estimated_rows, bytes, state FROM vigil.partitions
  UNION ALL
  SELECT parent, starts_at, ends_at, estimated_rows, bytes, state FROM vigil.managed_partitions),
summed AS (
  SELECT y.parent, y.width, y.ahead, y.past, y.enabled, nullif(y.problem, '') AS problem, count(p.parent) AS partitions,
         count(*) FILTER (WHERE p.state <> 'open') AS leaving, coalesce(sum(p.estimated_rows), 0)::bigint AS estimated_rows,
         coalesce(sum(p.bytes), 0)::bigint AS bytes, min(p.starts_at) AS first_time,
         coalesce(range_agg(tstzrange(p.starts_at, p.ends_at)) FILTER (WHERE p.parent IS NOT NULL), '{}') AS covered
  FROM policy y LEFT JOIN part p USING (parent) GROUP BY 1, 2, 3, 4, 5, 6)
SELECT s.parent, s.partitions, s.leaving, s.estimated_rows, s.bytes, s.first_time,
       (SELECT upper(r) FROM unnest(s.covered) AS r WHERE r @> now()) AS ready_until,
       CASE WHEN s.enabled THEN (SELECT min(g.starts_at) FROM vigil.partition_gaps(s.width, now(), now() + s.ahead, s.covered) g) END AS next_missing,
       s.problem,
       CASE WHEN s.leaving > 0 THEN (SELECT pg_blocking_pids(a.pid) FROM pg_stat_activity a
                                     WHERE a.datname = current_database() AND a.backend_type = 'pg_vigil detacher' LIMIT 1) END AS blocked_by
FROM summed s;
COMMENT ON VIEW vigil.partition_status IS 'One row for each table that the partition keeper looks after, of those that one may see: how much it holds, how far it is ready, and what is in the way.';
COMMENT ON COLUMN vigil.partition_status.parent IS 'Fact table, or managed table with its schema.';
COMMENT ON COLUMN vigil.partition_status.partitions IS 'Number of its partitions.';
COMMENT ON COLUMN vigil.partition_status.leaving IS 'How many of them are closed or half detached.';
COMMENT ON COLUMN vigil.partition_status.estimated_rows IS 'Rows at the last vacuum or analyze.';
COMMENT ON COLUMN vigil.partition_status.bytes IS 'Size with indexes and TOAST, bytes.';
COMMENT ON COLUMN vigil.partition_status.first_time IS 'First time that a partition holds.';
COMMENT ON COLUMN vigil.partition_status.ready_until IS 'Until when partitions follow from now without a gap; null = there is none for now.';
COMMENT ON COLUMN vigil.partition_status.next_missing IS 'First time from now on that the policy wants a partition for and that has none; null = nothing is missing.';
COMMENT ON COLUMN vigil.partition_status.problem IS 'What could not be done the last time, and who was in the way.';
COMMENT ON COLUMN vigil.partition_status.blocked_by IS 'Processes that the detacher waits for now.';
