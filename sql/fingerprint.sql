CREATE OR REPLACE FUNCTION vigil.fingerprint(
    error_type text, error_name text, message text, stack text, scheme text DEFAULT 'seed')
  RETURNS text
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_fingerprint';
COMMENT ON FUNCTION vigil.fingerprint(text, text, text, text, text) IS
  'Key of the group an error belongs to. Scheme seed: 32 hexadecimal digits of SHA-256 over type, name and the first 500 UTF-16 units of the stack without positions and queries. Null without type or name.';
