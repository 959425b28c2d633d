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
COMMENT ON TYPE vigil.hyperloglog IS 'HyperLogLog (storage specification version 1): number of different values; mergeable in any order.';
