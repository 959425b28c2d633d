CREATE OR REPLACE FUNCTION vigil.hash_ip(ip text, key text, scheme text DEFAULT 'hmac') RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hash_ip';
COMMENT ON FUNCTION vigil.hash_ip(text, text, text) IS
  'Keyed hash of an IP address. hmac: 32 hexadecimal digits of HMAC-SHA256 over the canonical address; seed: 16 of SHA-256 over address and key.';
