CREATE OR REPLACE FUNCTION vigil.set_quota(
    module_id uuid, fact text, max integer, per interval DEFAULT '1 minute', burst integer DEFAULT NULL)
  RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  IF set_quota.module_id IS NULL OR set_quota.fact IS NULL THEN
    RAISE null_value_not_allowed USING MESSAGE = 'module and fact of a quota must not be null';
  END IF;
  IF set_quota.fact NOT IN ('events', 'errors', 'error_copies') THEN
    RAISE invalid_parameter_value USING MESSAGE = format('there is no quota of %s', quote_literal(set_quota.fact)),
      HINT = 'Quotas are of events, errors or error_copies.';
  END IF;
  IF set_quota.max IS NULL THEN
    DELETE FROM vigil.quotas q WHERE q.module_id = set_quota.module_id AND q.fact = set_quota.fact;
    RETURN;
  END IF;
  -- Tells what is wrong with the numbers.
  PERFORM vigil.rate_limit('', max, per, burst, 0);
  INSERT INTO vigil.quotas (module_id, fact, max, per, burst)
  VALUES (set_quota.module_id, set_quota.fact, set_quota.max, set_quota.per, set_quota.burst)
  ON CONFLICT ON CONSTRAINT quotas_pkey DO UPDATE
    SET max = EXCLUDED.max, per = EXCLUDED.per, burst = EXCLUDED.burst;
END $$;
COMMENT ON FUNCTION vigil.set_quota(uuid, text, integer, interval, integer) IS
  'Limits what ingest takes of a module: events, errors, or error_copies (errors of one fingerprint), in a time and at once; max null: no limit. What is above is refused and counted in vigil.rejected (53400). In effect with the commit. SQLSTATEs as vigil.rate_limit; 22023 for another fact.';

CREATE OR REPLACE VIEW vigil.quota_usage AS
SELECT q.module_id, q.fact, q.max, q.per, coalesce(q.burst, q.max) AS burst,
  coalesce(q.burst, q.max) - l.remaining AS used, l.remaining, l.reset_at
FROM vigil.quotas q
LEFT JOIN LATERAL vigil.rate_limit(q.module_id::text, q.max, q.per, q.burst, 0, 'quota of ' || q.fact) AS l
  ON q.fact <> 'error_copies';
COMMENT ON VIEW vigil.quota_usage IS
  'Quotas and what is left of them now; what was refused is in vigil.rejected, SQLSTATE 53400.';
COMMENT ON COLUMN vigil.quota_usage.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.quota_usage.fact IS 'What is limited.';
COMMENT ON COLUMN vigil.quota_usage.max IS 'So many in the time.';
COMMENT ON COLUMN vigil.quota_usage.per IS 'The time.';
COMMENT ON COLUMN vigil.quota_usage.burst IS 'So many at once.';
COMMENT ON COLUMN vigil.quota_usage.used IS 'How much of the burst is used; null for error_copies, where each fingerprint has its own.';
COMMENT ON COLUMN vigil.quota_usage.remaining IS 'How many would be taken at once.';
COMMENT ON COLUMN vigil.quota_usage.reset_at IS 'When all of the burst will be there again, if nothing more comes.';
