CREATE OR REPLACE FUNCTION vigil.compare_releases(release text, other text) RETURNS integer
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_compare_releases';
COMMENT ON FUNCTION vigil.compare_releases(text, text) IS
  '-1, 0 or 1: order of two releases by semantic version, as package@version or version alone; null when one has no version or the packages differ.';

CREATE OR REPLACE FUNCTION vigil.release_order(module uuid, version uuid, other uuid) RETURNS integer
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE WHEN version = other THEN 0
              ELSE coalesce(vigil.compare_releases(v.release, o.release),
                            sign(extract(epoch FROM v.created_at - o.created_at))::integer) END
  FROM (SELECT) AS always
  LEFT JOIN vigil.versions v ON v.module_id = module AND v.version_id = version
  LEFT JOIN vigil.versions o ON o.module_id = module AND o.version_id = other
$$;
COMMENT ON FUNCTION vigil.release_order(uuid, uuid, uuid) IS
  '-1, 0 or 1: order of two releases of a module, by vigil.compare_releases of their names, otherwise by first appearance; null when one is unknown.';

CREATE OR REPLACE FUNCTION vigil.release_seen_at(module uuid, version uuid) RETURNS timestamptz
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT min(vigil.cell_time(d.cell, false)) FROM vigil.days d
  WHERE d.module_id = module AND d.version_id = version
$$;
COMMENT ON FUNCTION vigil.release_seen_at(uuid, uuid) IS 'Event time of the first fact of a release; null when there is none.';

CREATE OR REPLACE FUNCTION vigil.register_release(module uuid, version uuid) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  IF version IS NOT NULL AND NOT EXISTS (SELECT FROM vigil.versions v WHERE v.module_id = module AND v.version_id = version)
  THEN
    INSERT INTO vigil.versions (module_id, version_id, release, created_at)
    VALUES (module, version, version, coalesce(vigil.release_seen_at(module, version), now()))
    ON CONFLICT DO NOTHING;
  END IF;
END $$;
COMMENT ON FUNCTION vigil.register_release(uuid, uuid) IS
  'Gives a release that clients named by its id only a row of vigil.versions, with its first appearance.';

CREATE OR REPLACE FUNCTION vigil.latest_release(module uuid) RETURNS uuid
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  version uuid;
  latest uuid;
BEGIN
  FOR version IN
    SELECT v.version_id FROM vigil.versions v WHERE v.module_id = module ORDER BY v.created_at, v.version_id
  LOOP
    IF latest IS NULL OR vigil.release_order(module, version, latest) >= 0 THEN
      latest := version;
    END IF;
  END LOOP;
  RETURN latest;
END $$;
COMMENT ON FUNCTION vigil.latest_release(uuid) IS 'The newest release of a module that vigil.versions knows; null when it knows none.';
