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
