CREATE TYPE vigil.exact_sum;

CREATE FUNCTION vigil.exact_sum_in(cstring) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_in';
CREATE FUNCTION vigil.exact_sum_out(vigil.exact_sum) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_out';
CREATE FUNCTION vigil.exact_sum_recv(internal) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_recv';
CREATE FUNCTION vigil.exact_sum_send(vigil.exact_sum) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_send';
COMMENT ON FUNCTION vigil.exact_sum_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.exact_sum_out(vigil.exact_sum) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.exact_sum_recv(internal) IS 'Binary input: the stored bytes.';
COMMENT ON FUNCTION vigil.exact_sum_send(vigil.exact_sum) IS 'Binary output: the stored bytes.';

CREATE TYPE vigil.exact_sum (
  INPUT = vigil.exact_sum_in, OUTPUT = vigil.exact_sum_out,
  RECEIVE = vigil.exact_sum_recv, SEND = vigil.exact_sum_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE vigil.exact_sum IS 'Exact sum of doubles, whatever their order; as double precision it is correctly rounded.';

-- Operators and casts cannot be replaced, so they stand here with the functions behind them.
CREATE FUNCTION vigil.exact_sum_plus(a vigil.exact_sum, b vigil.exact_sum) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_plus';
CREATE FUNCTION vigil.exact_sum_minus(a vigil.exact_sum, b vigil.exact_sum) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_minus';
CREATE FUNCTION vigil.exact_sum_equal(a vigil.exact_sum, b vigil.exact_sum) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_equal';
CREATE FUNCTION vigil.exact_sum_differ(a vigil.exact_sum, b vigil.exact_sum) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_differ';
CREATE FUNCTION vigil.sum(exact_sum vigil.exact_sum) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_value';
COMMENT ON FUNCTION vigil.exact_sum_plus(vigil.exact_sum, vigil.exact_sum) IS 'Implements the operator +.';
COMMENT ON FUNCTION vigil.exact_sum_minus(vigil.exact_sum, vigil.exact_sum) IS 'Implements the operator -.';
COMMENT ON FUNCTION vigil.exact_sum_equal(vigil.exact_sum, vigil.exact_sum) IS 'Implements the operator =.';
COMMENT ON FUNCTION vigil.exact_sum_differ(vigil.exact_sum, vigil.exact_sum) IS 'Implements the operator <>.';
COMMENT ON FUNCTION vigil.sum(vigil.exact_sum) IS
  'The double nearest to the exact sum, ties to even; a zero is +0. Beyond the largest double: SQLSTATE 22003.';

CREATE OPERATOR vigil.+ (LEFTARG = vigil.exact_sum, RIGHTARG = vigil.exact_sum, FUNCTION = vigil.exact_sum_plus, COMMUTATOR = OPERATOR(vigil.+));
CREATE OPERATOR vigil.- (LEFTARG = vigil.exact_sum, RIGHTARG = vigil.exact_sum, FUNCTION = vigil.exact_sum_minus);
CREATE OPERATOR vigil.= (LEFTARG = vigil.exact_sum, RIGHTARG = vigil.exact_sum, FUNCTION = vigil.exact_sum_equal,
  COMMUTATOR = OPERATOR(vigil.=), NEGATOR = OPERATOR(vigil.<>), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR vigil.<> (LEFTARG = vigil.exact_sum, RIGHTARG = vigil.exact_sum, FUNCTION = vigil.exact_sum_differ,
  COMMUTATOR = OPERATOR(vigil.<>), NEGATOR = OPERATOR(vigil.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR vigil.+ (vigil.exact_sum, vigil.exact_sum) IS 'The exact sum of both.';
COMMENT ON OPERATOR vigil.- (vigil.exact_sum, vigil.exact_sum) IS 'The exact difference of both.';
COMMENT ON OPERATOR vigil.= (vigil.exact_sum, vigil.exact_sum) IS 'Whether the exact sums are equal.';
COMMENT ON OPERATOR vigil.<> (vigil.exact_sum, vigil.exact_sum) IS 'Whether the exact sums differ.';

CREATE CAST (vigil.exact_sum AS double precision) WITH FUNCTION vigil.sum(vigil.exact_sum) AS ASSIGNMENT;
COMMENT ON CAST (vigil.exact_sum AS double precision) IS 'The exact sum, correctly rounded.';
