CREATE TYPE vigil.hyperloglog;

CREATE FUNCTION vigil.hyperloglog_in(cstring) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_in';
CREATE FUNCTION vigil.hyperloglog_out(vigil.hyperloglog) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_out';
CREATE FUNCTION vigil.hyperloglog_recv(internal) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_recv';
CREATE FUNCTION vigil.hyperloglog_send(vigil.hyperloglog) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_send';
COMMENT ON FUNCTION vigil.hyperloglog_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.hyperloglog_out(vigil.hyperloglog) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.hyperloglog_recv(internal) IS 'Binary input: the stored bytes.';
COMMENT ON FUNCTION vigil.hyperloglog_send(vigil.hyperloglog) IS 'Binary output: the stored bytes.';

CREATE TYPE vigil.hyperloglog (
  INPUT = vigil.hyperloglog_in, OUTPUT = vigil.hyperloglog_out,
  RECEIVE = vigil.hyperloglog_recv, SEND = vigil.hyperloglog_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE vigil.hyperloglog IS 'Set of which the number of different values is known, exactly while it is small (HyperLogLog); mergeable in any order.';

-- Operators and casts cannot be replaced, so they stand here with the functions behind them.
CREATE FUNCTION vigil."union"(a vigil.hyperloglog, b vigil.hyperloglog) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_union';
CREATE FUNCTION vigil.hyperloglog_equal(a vigil.hyperloglog, b vigil.hyperloglog) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_equal';
CREATE FUNCTION vigil.hyperloglog_differ(a vigil.hyperloglog, b vigil.hyperloglog) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_differ';
CREATE FUNCTION vigil.hyperloglog_to_bytea(hyperloglog vigil.hyperloglog) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_to_bytea';
CREATE FUNCTION vigil.hyperloglog_from_bytea(bytes bytea) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_from_bytea';
COMMENT ON FUNCTION vigil."union"(vigil.hyperloglog, vigil.hyperloglog) IS
  'The values of both sets; the operator |. Different parameters: SQLSTATE 22023.';
COMMENT ON FUNCTION vigil.hyperloglog_equal(vigil.hyperloglog, vigil.hyperloglog) IS 'Implements the operator =.';
COMMENT ON FUNCTION vigil.hyperloglog_differ(vigil.hyperloglog, vigil.hyperloglog) IS 'Implements the operator <>.';
COMMENT ON FUNCTION vigil.hyperloglog_to_bytea(vigil.hyperloglog) IS
  'The set in the published HLL storage format, version 1, as postgresql-hll reads it; the cast to bytea.';
COMMENT ON FUNCTION vigil.hyperloglog_from_bytea(bytea) IS
  'A set from the published HLL storage format, version 1, as postgresql-hll writes it; the cast from bytea. Other bytes: SQLSTATE 22P03.';

CREATE OPERATOR vigil.| (LEFTARG = vigil.hyperloglog, RIGHTARG = vigil.hyperloglog, FUNCTION = vigil."union", COMMUTATOR = OPERATOR(vigil.|));
CREATE OPERATOR vigil.= (LEFTARG = vigil.hyperloglog, RIGHTARG = vigil.hyperloglog, FUNCTION = vigil.hyperloglog_equal,
  COMMUTATOR = OPERATOR(vigil.=), NEGATOR = OPERATOR(vigil.<>), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR vigil.<> (LEFTARG = vigil.hyperloglog, RIGHTARG = vigil.hyperloglog, FUNCTION = vigil.hyperloglog_differ,
  COMMUTATOR = OPERATOR(vigil.<>), NEGATOR = OPERATOR(vigil.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR vigil.| (vigil.hyperloglog, vigil.hyperloglog) IS 'The values of both sets.';
COMMENT ON OPERATOR vigil.= (vigil.hyperloglog, vigil.hyperloglog) IS 'Whether the sets, as far as they are known, and their parameters are equal.';
COMMENT ON OPERATOR vigil.<> (vigil.hyperloglog, vigil.hyperloglog) IS 'Whether the sets, as far as they are known, or their parameters differ.';

CREATE CAST (vigil.hyperloglog AS bytea) WITH FUNCTION vigil.hyperloglog_to_bytea(vigil.hyperloglog);
CREATE CAST (bytea AS vigil.hyperloglog) WITH FUNCTION vigil.hyperloglog_from_bytea(bytea);
COMMENT ON CAST (vigil.hyperloglog AS bytea) IS 'The published HLL storage format, version 1.';
COMMENT ON CAST (bytea AS vigil.hyperloglog) IS 'From the published HLL storage format, version 1.';
