CREATE OR REPLACE FUNCTION vigil.sampled(id text, rate double precision) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_sampled';
COMMENT ON FUNCTION vigil.sampled(text, double precision) IS
  'Whether an id belongs to the sample of this rate: the first 53 bits of the SHA-256 of its bytes, divided by 2^53, are below it. A rate outside 0 to 1 is SQLSTATE 22023; null if an argument is null.';

CREATE OR REPLACE FUNCTION vigil.sample_weight(rate double precision) RETURNS double precision
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT 1 / nullif(rate, 0) $$;
COMMENT ON FUNCTION vigil.sample_weight(double precision) IS
  'How many each of a sample of this rate stands for: 1 / rate, the sample_weight of events and errors; null for 0, which keeps nothing.';
