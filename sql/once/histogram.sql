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

-- Operators cannot be replaced, so they stand here with the functions behind them. Equal histograms have equal bytes.
CREATE FUNCTION vigil.histogram_plus(a vigil.histogram, b vigil.histogram) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_plus';
CREATE FUNCTION vigil.subtract(a vigil.histogram, b vigil.histogram) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_subtract';
CREATE FUNCTION vigil.histogram_equal(a vigil.histogram, b vigil.histogram) RETURNS boolean
  LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteaeq';
CREATE FUNCTION vigil.histogram_differ(a vigil.histogram, b vigil.histogram) RETURNS boolean
  LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteane';
CREATE FUNCTION vigil.histogram_hash(histogram vigil.histogram) RETURNS integer
  LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashvarlena';
CREATE FUNCTION vigil.histogram_hash(histogram vigil.histogram, seed bigint) RETURNS bigint
  LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashvarlenaextended';
COMMENT ON FUNCTION vigil.histogram_plus(vigil.histogram, vigil.histogram) IS 'Implements the operator +.';
COMMENT ON FUNCTION vigil.subtract(vigil.histogram, vigil.histogram) IS
  'The values of a that are not in b, which must be contained: count, sum and buckets exact, minimum and maximum bounds where b has the same. Not contained: SQLSTATE 22023.';
COMMENT ON FUNCTION vigil.histogram_equal(vigil.histogram, vigil.histogram) IS 'Implements the operator =.';
COMMENT ON FUNCTION vigil.histogram_differ(vigil.histogram, vigil.histogram) IS 'Implements the operator <>.';
COMMENT ON FUNCTION vigil.histogram_hash(vigil.histogram) IS 'Hash for DISTINCT, GROUP BY and hash joins.';
COMMENT ON FUNCTION vigil.histogram_hash(vigil.histogram, bigint) IS 'Seeded hash for hash partitions.';

CREATE OPERATOR vigil.+ (LEFTARG = vigil.histogram, RIGHTARG = vigil.histogram, FUNCTION = vigil.histogram_plus, COMMUTATOR = OPERATOR(vigil.+));
CREATE OPERATOR vigil.- (LEFTARG = vigil.histogram, RIGHTARG = vigil.histogram, FUNCTION = vigil.subtract);
CREATE OPERATOR vigil.= (LEFTARG = vigil.histogram, RIGHTARG = vigil.histogram, FUNCTION = vigil.histogram_equal,
  COMMUTATOR = OPERATOR(vigil.=), NEGATOR = OPERATOR(vigil.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
CREATE OPERATOR vigil.<> (LEFTARG = vigil.histogram, RIGHTARG = vigil.histogram, FUNCTION = vigil.histogram_differ,
  COMMUTATOR = OPERATOR(vigil.<>), NEGATOR = OPERATOR(vigil.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR vigil.+ (vigil.histogram, vigil.histogram) IS 'The union of both.';
COMMENT ON OPERATOR vigil.- (vigil.histogram, vigil.histogram) IS 'The first without the second, which it must contain.';
COMMENT ON OPERATOR vigil.= (vigil.histogram, vigil.histogram) IS 'Whether the histograms are the same, byte for byte.';
COMMENT ON OPERATOR vigil.<> (vigil.histogram, vigil.histogram) IS 'Whether the histograms differ.';

CREATE OPERATOR CLASS vigil.histogram_ops DEFAULT FOR TYPE vigil.histogram USING hash AS
  OPERATOR 1 vigil.=, FUNCTION 1 vigil.histogram_hash(vigil.histogram), FUNCTION 2 vigil.histogram_hash(vigil.histogram, bigint);
COMMENT ON OPERATOR CLASS vigil.histogram_ops USING hash IS 'Lets histograms be grouped and told apart.';
COMMENT ON OPERATOR FAMILY vigil.histogram_ops USING hash IS 'Lets histograms be grouped and told apart.';

CREATE FUNCTION vigil.histogram_from_otlp(point jsonb) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_from_otlp';
CREATE FUNCTION vigil.to_otlp(histogram vigil.histogram) RETURNS jsonb
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_to_otlp';
COMMENT ON FUNCTION vigil.histogram_from_otlp(jsonb) IS
  'Histogram of an OTLP exponential histogram data point: same buckets, scale lowered to 8 at most. One that contradicts itself: SQLSTATE 22023.';
COMMENT ON FUNCTION vigil.to_otlp(vigil.histogram) IS
  'The histogram as an OTLP exponential histogram data point, 64-bit integers as strings; exact values become buckets.';
CREATE CAST (jsonb AS vigil.histogram) WITH FUNCTION vigil.histogram_from_otlp(jsonb);
CREATE CAST (vigil.histogram AS jsonb) WITH FUNCTION vigil.to_otlp(vigil.histogram);
COMMENT ON CAST (jsonb AS vigil.histogram) IS 'An OTLP exponential histogram data point.';
COMMENT ON CAST (vigil.histogram AS jsonb) IS 'An OTLP exponential histogram data point.';

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
