CREATE TYPE vigil.histogram;

CREATE FUNCTION vigil.histogram_in(cstring) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_in';
CREATE FUNCTION vigil.histogram_out(vigil.histogram) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_out';
CREATE FUNCTION vigil.histogram_recv(internal) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_recv';
CREATE FUNCTION vigil.histogram_send(vigil.histogram) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_send';
COMMENT ON FUNCTION vigil.histogram_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.histogram_out(vigil.histogram) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.histogram_recv(internal) IS 'Binary input: the stored bytes.';
COMMENT ON FUNCTION vigil.histogram_send(vigil.histogram) IS 'Binary output: the stored bytes.';

CREATE TYPE vigil.histogram (
  INPUT = vigil.histogram_in, OUTPUT = vigil.histogram_out,
  RECEIVE = vigil.histogram_recv, SEND = vigil.histogram_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE vigil.histogram IS 'OpenTelemetry base-2 exponential histogram: percentiles, count, exact sum, min and max of a distribution; mergeable in any order.';

CREATE TYPE vigil.percentile_state;

CREATE FUNCTION vigil.percentile_state_in(cstring) RETURNS vigil.percentile_state
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_state_in';
CREATE FUNCTION vigil.percentile_state_out(vigil.percentile_state) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_state_out';
CREATE FUNCTION vigil.percentile_state_recv(internal) RETURNS vigil.percentile_state
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_state_recv';
CREATE FUNCTION vigil.percentile_state_send(vigil.percentile_state) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_state_send';
COMMENT ON FUNCTION vigil.percentile_state_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.percentile_state_out(vigil.percentile_state) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.percentile_state_recv(internal) IS 'Binary input: the bytes.';
COMMENT ON FUNCTION vigil.percentile_state_send(vigil.percentile_state) IS 'Binary output: the bytes.';

CREATE TYPE vigil.percentile_state (
  INPUT = vigil.percentile_state_in, OUTPUT = vigil.percentile_state_out,
  RECEIVE = vigil.percentile_state_recv, SEND = vigil.percentile_state_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE vigil.percentile_state IS 'State of vigil.approx_percentile between workers: the fractions and a histogram. Not for storing.';
