CREATE TYPE vigil.cell;

CREATE FUNCTION vigil.cell_in(cstring) RETURNS vigil.cell
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_in';
CREATE FUNCTION vigil.cell_out(vigil.cell) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_out';
CREATE FUNCTION vigil.cell_recv(internal) RETURNS vigil.cell
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_recv';
CREATE FUNCTION vigil.cell_send(vigil.cell) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_send';
COMMENT ON FUNCTION vigil.cell_in(cstring) IS 'Input: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.cell_out(vigil.cell) IS 'Output: the bytes as \x and hexadecimal digits.';
COMMENT ON FUNCTION vigil.cell_recv(internal) IS 'Binary input: the stored bytes.';
COMMENT ON FUNCTION vigil.cell_send(vigil.cell) IS 'Binary output: the stored bytes.';

CREATE TYPE vigil.cell (
  INPUT = vigil.cell_in, OUTPUT = vigil.cell_out,
  RECEIVE = vigil.cell_recv, SEND = vigil.cell_send,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external
);
COMMENT ON TYPE vigil.cell IS 'What one rollup cell holds: counts, exact sums, distributions, distinct counts and breakdowns; mergeable in any order.';
