CREATE TYPE vigil.rate_limit_result AS (
  allowed boolean,
  max integer,
  remaining integer,
  reset_at timestamptz,
  retry_after integer
);
COMMENT ON TYPE vigil.rate_limit_result IS
  'A decision of a rate limit, with what HTTP headers tell of it: vigil.rate_limit_headers.';
COMMENT ON COLUMN vigil.rate_limit_result.allowed IS 'Whether the cost was taken; if not, nothing was.';
COMMENT ON COLUMN vigil.rate_limit_result.max IS 'The limit, as it was passed.';
COMMENT ON COLUMN vigil.rate_limit_result.remaining IS 'What could be taken at once after this.';
COMMENT ON COLUMN vigil.rate_limit_result.reset_at IS 'When the bucket will be full if nothing more is taken; null for a limit of 0.';
COMMENT ON COLUMN vigil.rate_limit_result.retry_after IS 'Whole seconds until the same cost would be allowed; null when it was, and when it never will be.';

CREATE TABLE vigil.rate_limits (
  name text PRIMARY KEY,
  max integer NOT NULL CHECK (max >= 0),
  per interval NOT NULL DEFAULT '1 minute' CHECK (per > '0'),
  burst integer CHECK (burst >= 0)
);
COMMENT ON TABLE vigil.rate_limits IS
  'Limits of vigil.named_rate_limit, so that they can change while applications run; vigil.set_rate_limit writes them.';
COMMENT ON COLUMN vigil.rate_limits.name IS 'What is limited, for example an endpoint; the scope of its keys.';
COMMENT ON COLUMN vigil.rate_limits.max IS 'So many, for each key; 0 refuses all.';
COMMENT ON COLUMN vigil.rate_limits.per IS 'In this time.';
COMMENT ON COLUMN vigil.rate_limits.burst IS 'So many at once; null: as max.';

CREATE TRIGGER replace_row BEFORE INSERT ON vigil.rate_limits
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('name');

INSERT INTO vigil.rate_limits (name, max, burst) VALUES ('query', 100, 10), ('ingest', 1000, NULL);
