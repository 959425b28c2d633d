CREATE TYPE vigil.counter;

CREATE FUNCTION vigil.counter_in(cstring) RETURNS vigil.counter
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_in';
CREATE FUNCTION vigil.counter_out(vigil.counter) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_out';
CREATE FUNCTION vigil.counter_recv(internal) RETURNS vigil.counter
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_recv';
CREATE FUNCTION vigil.counter_send(vigil.counter) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_send';
COMMENT ON FUNCTION vigil.counter_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.counter_out(vigil.counter) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.counter_recv(internal) IS 'Binary input: the stored bytes.';
COMMENT ON FUNCTION vigil.counter_send(vigil.counter) IS 'Binary output: the stored bytes.';

CREATE TYPE vigil.counter (
  INPUT = vigil.counter_in, OUTPUT = vigil.counter_out,
  RECEIVE = vigil.counter_recv, SEND = vigil.counter_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE vigil.counter IS 'Samples of a counter that only rises but may be reset: increase and rate as Prometheus defines them; mergeable in any order.';
