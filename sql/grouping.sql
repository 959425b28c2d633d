CREATE OR REPLACE FUNCTION vigil.set_fingerprint_scheme(
    module_id uuid, scheme text, period interval DEFAULT '30 days') RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  module constant uuid := set_fingerprint_scheme.module_id;
  settings vigil.grouping_settings;
BEGIN
  IF scheme IS NULL OR scheme NOT IN ('v1', 'seed', 'none') THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('unknown fingerprint scheme "%s"', coalesce(scheme, 'null')),
      HINT = 'Known schemes: v1, seed, none.';
  ELSIF period IS NULL OR period < '0' THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('period must not be %s', coalesce(period::text, 'null')),
      HINT = 'Give 0 to forget the keys of the previous scheme at once.';
  END IF;
  INSERT INTO vigil.grouping_settings (module_id) VALUES (module) ON CONFLICT DO NOTHING;
  SELECT * INTO settings FROM vigil.grouping_settings s WHERE s.module_id = module FOR UPDATE;
  UPDATE vigil.grouping_settings s
  SET scheme = set_fingerprint_scheme.scheme, changed_at = now(),
      previous_scheme = CASE WHEN settings.scheme <> set_fingerprint_scheme.scheme THEN settings.scheme ELSE settings.previous_scheme END,
      previous_until = now() + period
  WHERE s.module_id = module;
END $$;
COMMENT ON FUNCTION vigil.set_fingerprint_scheme(uuid, text, interval) IS
  'Sets how keys of new errors of a module are made: v1, seed or none (another word: SQLSTATE 22023). For the period their keys of the scheme before find their groups too, so that nothing is regrouped.';

CREATE OR REPLACE FUNCTION vigil.fingerprint_scheme_of(module_id uuid) RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT coalesce((SELECT s.scheme::text FROM vigil.grouping_settings s
                   WHERE s.module_id = fingerprint_scheme_of.module_id), 'v1')
$$;
COMMENT ON FUNCTION vigil.fingerprint_scheme_of(uuid) IS 'Scheme of the keys of new errors of a module; v1 unless set.';
