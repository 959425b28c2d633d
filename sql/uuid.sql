CREATE OR REPLACE FUNCTION vigil.version_id(module_id uuid, release text) RETURNS uuid
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_version_id';
COMMENT ON FUNCTION vigil.version_id(uuid, text) IS
  'Id of a release named by text, the same for every client: UUID version 8 from SHA-256 over module and text.';
