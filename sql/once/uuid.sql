-- Table defaults need this function, so it stands before the tables.
CREATE FUNCTION vigil.uuid_v7() RETURNS uuid
  LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_uuid_v7';
COMMENT ON FUNCTION vigil.uuid_v7() IS
  'A new time-ordered id: UUID version 7 (RFC 9562), milliseconds of the clock and 74 random bits.';
