-- Token buckets in shared memory, one for each key in use.
CREATE OR REPLACE FUNCTION vigil.rate_limit(
    key text, max integer, per interval DEFAULT '1 minute', burst integer DEFAULT NULL, cost integer DEFAULT 1,
    scope text DEFAULT '')
  RETURNS vigil.rate_limit_result
  LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vigil_rate_limit';
COMMENT ON FUNCTION vigil.rate_limit(text, integer, interval, integer, integer, text) IS
  'Takes cost tokens from the bucket of a key (of its scope), which holds burst (null: max) and gets max more in each time; cost 0 only looks. Waits for no transaction and writes nothing. Without preload or room: whatever fits into a full bucket is allowed, and counted in vigil.rate_limit_stats. Nulls elsewhere are SQLSTATE 22004; negative numbers, and a time with months, 22023.';

CREATE OR REPLACE FUNCTION vigil.named_rate_limit(name text, key text, cost integer DEFAULT 1)
  RETURNS vigil.rate_limit_result
  LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  l vigil.rate_limits;
BEGIN
  SELECT r.* INTO l FROM vigil.rate_limits r WHERE r.name = named_rate_limit.name;
  IF NOT FOUND THEN
    RAISE undefined_object USING
      MESSAGE = format('rate limit %s does not exist', coalesce(quote_ident(named_rate_limit.name), 'null')),
      HINT = format('SELECT vigil.set_rate_limit(%L, 100);', coalesce(named_rate_limit.name, 'name'));
  END IF;
  RETURN vigil.rate_limit(key, l.max, l.per, l.burst, cost, l.name);
END $$;
COMMENT ON FUNCTION vigil.named_rate_limit(text, text, integer) IS
  'vigil.rate_limit with the numbers of a row of vigil.rate_limits, and its name as scope; SQLSTATE 42704 if there is none.';

CREATE OR REPLACE FUNCTION vigil.set_rate_limit(
    name text, max integer, per interval DEFAULT '1 minute', burst integer DEFAULT NULL)
  RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  -- Tells what is wrong with the numbers.
  PERFORM vigil.rate_limit('', max, per, burst, 0);
  INSERT INTO vigil.rate_limits (name, max, per, burst)
  VALUES (set_rate_limit.name, set_rate_limit.max, set_rate_limit.per, set_rate_limit.burst);
END $$;
COMMENT ON FUNCTION vigil.set_rate_limit(text, integer, interval, integer) IS
  'Makes or changes a limit of vigil.named_rate_limit, in effect with the commit: every key then begins with a full bucket. SQLSTATEs as vigil.rate_limit; 23502 without a name.';

CREATE OR REPLACE FUNCTION vigil.reset_rate_limit(key text, scope text DEFAULT '') RETURNS integer
  LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vigil_reset_rate_limit';
COMMENT ON FUNCTION vigil.reset_rate_limit(text, text) IS
  'Fills the buckets of a key of this scope, whatever their limits; returns how many were not full. The scope of a named limit is its name. Null if an argument is null.';

CREATE OR REPLACE FUNCTION vigil.rate_limit_headers(result vigil.rate_limit_result) RETURNS jsonb
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'X-RateLimit-Limit', (result).max::text,
    'X-RateLimit-Remaining', (result).remaining::text,
    'X-RateLimit-Reset', ceil(extract(epoch FROM (result).reset_at))::bigint::text,
    'Retry-After', (result).retry_after::text))
$$;
COMMENT ON FUNCTION vigil.rate_limit_headers(vigil.rate_limit_result) IS
  'The HTTP headers of a decision, as a JSON object of texts: X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset (seconds since 1970), Retry-After (seconds); without those that do not apply.';

CREATE OR REPLACE FUNCTION vigil.grant_rate_limit(role regrole) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA vigil TO %s', role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION vigil.rate_limit(text, integer, interval, integer, integer, text), '
                 'vigil.named_rate_limit(text, text, integer) TO %s', role);
END $$;
COMMENT ON FUNCTION vigil.grant_rate_limit(regrole) IS
  'Lets a role ask rate limits, but neither change nor reset them.';

CREATE OR REPLACE FUNCTION vigil.read_rate_limit_stats(
    OUT preloaded boolean, OUT allowed bigint, OUT refused bigint, OUT exempt bigint, OUT untracked bigint,
    OUT buckets bigint, OUT capacity bigint)
  LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vigil_rate_limit_stats';
COMMENT ON FUNCTION vigil.read_rate_limit_stats() IS 'For vigil.rate_limit_stats.';

CREATE OR REPLACE VIEW vigil.rate_limit_stats AS
SELECT preloaded, allowed, refused, exempt, untracked, buckets, capacity
FROM vigil.read_rate_limit_stats();
COMMENT ON VIEW vigil.rate_limit_stats IS
  'Decisions of the rate limits of all databases since the server started; without preload, of this session. Looking (cost 0) is not counted.';
COMMENT ON COLUMN vigil.rate_limit_stats.preloaded IS 'Whether there is shared memory; without, nothing is limited.';
COMMENT ON COLUMN vigil.rate_limit_stats.allowed IS 'Decisions to allow.';
COMMENT ON COLUMN vigil.rate_limit_stats.refused IS 'Decisions to refuse.';
COMMENT ON COLUMN vigil.rate_limit_stats.exempt IS 'Allowed because vigil.rate_limit_exempt names the key.';
COMMENT ON COLUMN vigil.rate_limit_stats.untracked IS 'Decided without a bucket, and so not limited: no preload, or no room. Raise vigil.rate_limit_buckets.';
COMMENT ON COLUMN vigil.rate_limit_stats.buckets IS 'Buckets that are not full now.';
COMMENT ON COLUMN vigil.rate_limit_stats.capacity IS 'Buckets that there is room for.';
