CREATE OR REPLACE FUNCTION vigil.parse_stack(
    stack text, error_name text DEFAULT NULL, message text DEFAULT NULL,
    OUT ordinal integer, OUT function text, OUT file text, OUT line integer, OUT "column" integer,
    OUT kind text, OUT in_app boolean, OUT language text, OUT raw text)
  RETURNS SETOF record
  LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'vigil_parse_stack';
COMMENT ON FUNCTION vigil.parse_stack(text, text, text) IS
  'The frames of a stack trace of any of the known languages, the one that threw first; no row for null or for text without frames. kind: app, library, runtime, native or eval. Name and message of the error, if given, tell what is no frame.';
