CREATE OR REPLACE VIEW vigil.all_errors AS
SELECT * FROM vigil.errors
UNION ALL
SELECT * FROM vigil.kept_errors;
COMMENT ON VIEW vigil.all_errors IS 'Errors that are there to be looked at: those of the partitions and those that outlived theirs.';

CREATE OR REPLACE FUNCTION vigil.keep_copies(target regclass, copies integer) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
DECLARE
  names text;
  kept bigint;
BEGIN
  -- Without an index each step of the search below would read the whole table.
  IF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = target AND i.indisvalid AND i.indpred IS NULL
                 AND pg_get_indexdef(i.indexrelid) ~ 'USING btree \(module_id, fingerprint\M') THEN
    EXECUTE format('CREATE INDEX ON %s (module_id, fingerprint, created_at DESC)', target);
  END IF;
  -- Columns of a table that was attached may stand in another order.
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO names
  FROM pg_attribute a WHERE a.attrelid = 'vigil.kept_errors'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
  EXECUTE format(
    'WITH RECURSIVE kind AS (
       (SELECT t.module_id, t.fingerprint FROM %2$s t ORDER BY 1, 2 LIMIT 1)
       UNION ALL
       SELECT n.* FROM kind k CROSS JOIN LATERAL (
         SELECT t.module_id, t.fingerprint FROM %2$s t
         WHERE (t.module_id, t.fingerprint) > (k.module_id, k.fingerprint) ORDER BY 1, 2 LIMIT 1) n)
     INSERT INTO vigil.kept_errors (%1$s)
     SELECT e.* FROM kind k CROSS JOIN LATERAL (
       SELECT %1$s FROM %2$s t WHERE t.module_id = k.module_id AND t.fingerprint = k.fingerprint
       ORDER BY t.created_at DESC, t.id DESC LIMIT $1) e
     ON CONFLICT DO NOTHING', names, target) USING copies;
  GET DIAGNOSTICS kept = ROW_COUNT;
  DELETE FROM vigil.kept_errors k
  USING (SELECT o.module_id, o.fingerprint, o.created_at, o.id,
                row_number() OVER (PARTITION BY o.module_id, o.fingerprint ORDER BY o.created_at DESC, o.id DESC) AS number
         FROM vigil.kept_errors o) r
  WHERE r.number > copies
    AND (k.module_id, k.fingerprint, k.created_at, k.id) = (r.module_id, r.fingerprint, r.created_at, r.id);
  RETURN kept;
END $$;
COMMENT ON FUNCTION vigil.keep_copies(regclass, integer) IS
  'For vigil.finish_retirement: copies the newest errors of each fingerprint from a table to vigil.kept_errors, which then has so many of each at most; returns how many were copied.';

CREATE OR REPLACE FUNCTION vigil.expire_kept_errors() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  removed bigint;
BEGIN
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  DELETE FROM vigil.kept_errors k
  WHERE k.created_at < now() - (SELECT p.keep_copies_for FROM vigil.partition_policy p WHERE p.parent = 'errors');
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;
COMMENT ON FUNCTION vigil.expire_kept_errors() IS
  'Deletes errors of vigil.kept_errors that are older than keep_copies_for of vigil.partition_policy; returns their number.';
