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
