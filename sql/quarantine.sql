CREATE OR REPLACE FUNCTION vigil.replay_quarantine(max_rows integer DEFAULT 10000) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  chosen uuid[];
  stored bigint;
BEGIN
  -- Facts that are stored before their partition has its triggers would not be marked.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  SELECT array_agg(q.id) INTO chosen
  FROM (SELECT w.id FROM vigil.quarantine w
        WHERE EXISTS (SELECT FROM vigil.partitions p WHERE p.parent = w.fact AND p.state = 'open'
                      AND p.starts_at <= w.created_at AND p.ends_at > w.created_at)
        LIMIT max_rows FOR UPDATE OF w SKIP LOCKED) q;
  IF chosen IS NULL THEN
    RETURN 0;
  END IF;
  INSERT INTO vigil.events
  SELECT (jsonb_populate_record(NULL::vigil.events,
            q.content || jsonb_build_object('received_at', q.received_at))).*
  FROM vigil.quarantine q WHERE q.id = ANY (chosen) AND q.fact = 'events';
  INSERT INTO vigil.errors
  SELECT (jsonb_populate_record(NULL::vigil.errors,
            q.content || jsonb_build_object('received_at', q.received_at))).*
  FROM vigil.quarantine q WHERE q.id = ANY (chosen) AND q.fact = 'errors';
  DELETE FROM vigil.quarantine q WHERE q.id = ANY (chosen);
  GET DIAGNOSTICS stored = ROW_COUNT;
  RETURN stored;
END $$;
COMMENT ON FUNCTION vigil.replay_quarantine(integer) IS
  'Stores up to max_rows facts of vigil.quarantine whose partition exists by now; returns their number, 0 when none is left.';

CREATE OR REPLACE FUNCTION vigil.expire_quarantine(max_rows integer DEFAULT 10000) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  removed bigint;
BEGIN
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  WITH old AS (
    DELETE FROM vigil.quarantine q
    USING (SELECT w.module_id, w.id
           FROM vigil.quarantine w JOIN vigil.partition_policy y ON y.parent = w.fact
           WHERE w.received_at < now() - y.keep_quarantined
             -- What will be stored or counted waits for that.
             AND NOT EXISTS (SELECT FROM vigil.partitions p
                             WHERE p.parent = w.fact AND p.starts_at <= w.created_at AND p.ends_at > w.created_at)
             AND NOT EXISTS (SELECT FROM vigil.retired_partitions r
                             WHERE r.finished_at IS NULL AND r.starts_at <= w.created_at AND r.ends_at > w.created_at)
           LIMIT max_rows FOR UPDATE OF w SKIP LOCKED) o
    WHERE q.module_id = o.module_id AND q.id = o.id
    RETURNING q.module_id, q.fact, q.created_at),
  told AS (
    INSERT INTO vigil.rejected (module_id, source, sqlstate, reason, hint, items)
    SELECT o.module_id, 'expire_quarantine', '22008',
           format('%s %s from %s to %s waited in quarantine for longer than %s', count(*), o.fact,
                  to_char(min(o.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), to_char(max(o.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
                  min(y.keep_quarantined)),
           'Raise past, ahead or keep_quarantined of vigil.partition_policy.', count(*)
    FROM old o JOIN vigil.partition_policy y ON y.parent = o.fact
    GROUP BY o.module_id, o.fact
    RETURNING items)
  SELECT coalesce(sum(t.items), 0) INTO removed FROM told t;
  RETURN removed;
END $$;
COMMENT ON FUNCTION vigil.expire_quarantine(integer) IS
  'Deletes up to max_rows facts that have waited in vigil.quarantine for longer than keep_quarantined of vigil.partition_policy, and that no partition takes; returns their number, which vigil.rejected tells by module.';
