CREATE OR REPLACE FUNCTION vigil.version() RETURNS text
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_version';
COMMENT ON FUNCTION vigil.version() IS 'Version of the loaded library; the installed SQL is in pg_extension.extversion.';

CREATE OR REPLACE FUNCTION vigil.set_time_zone(module_id uuid, time_zone text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM now() AT TIME ZONE set_time_zone.time_zone;
  INSERT INTO vigil.modules AS m (module_id, time_zone)
  VALUES (set_time_zone.module_id, set_time_zone.time_zone)
  ON CONFLICT ON CONSTRAINT modules_pkey DO UPDATE SET time_zone = EXCLUDED.time_zone;
END $$;
COMMENT ON FUNCTION vigil.set_time_zone(uuid, text) IS
  'Sets the zone in which the days of a module begin (IANA name; unknown: SQLSTATE 22023) and rebuilds its day cells.';
