CREATE TYPE vigil.topk;

CREATE FUNCTION vigil.topk_in(cstring) RETURNS vigil.topk
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_in';
CREATE FUNCTION vigil.topk_out(vigil.topk) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_out';
CREATE FUNCTION vigil.topk_recv(internal) RETURNS vigil.topk
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_recv';
CREATE FUNCTION vigil.topk_send(vigil.topk) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_send';
COMMENT ON FUNCTION vigil.topk_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.topk_out(vigil.topk) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.topk_recv(internal) IS 'Binary input: the stored bytes.';
COMMENT ON FUNCTION vigil.topk_send(vigil.topk) IS 'Binary output: the stored bytes.';

CREATE TYPE vigil.topk (
  INPUT = vigil.topk_in, OUTPUT = vigil.topk_out,
  RECEIVE = vigil.topk_recv, SEND = vigil.topk_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE vigil.topk IS 'The most frequent texts of a stream, their counts and how far these may be off; mergeable.';
