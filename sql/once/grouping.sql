CREATE DOMAIN vigil.fingerprint_scheme AS text CHECK (VALUE IN ('v1', 'seed', 'none'));
COMMENT ON DOMAIN vigil.fingerprint_scheme IS
  'How keys of errors are made: v1, seed (the first formula), or none (each error is a group of its own).';

CREATE TABLE vigil.grouping_settings (
  module_id uuid PRIMARY KEY,
  scheme vigil.fingerprint_scheme NOT NULL DEFAULT 'v1',
  previous_scheme vigil.fingerprint_scheme,
  previous_until timestamptz,
  changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vigil.grouping_settings IS
  'How errors of modules are grouped. A module without a row has scheme v1. Change it with vigil.set_fingerprint_scheme.';
COMMENT ON COLUMN vigil.grouping_settings.module_id IS 'Module.';
COMMENT ON COLUMN vigil.grouping_settings.scheme IS 'Scheme of the keys of new errors.';
COMMENT ON COLUMN vigil.grouping_settings.previous_scheme IS 'Scheme before; its keys still find their groups until previous_until.';
COMMENT ON COLUMN vigil.grouping_settings.previous_until IS 'End of that period.';
COMMENT ON COLUMN vigil.grouping_settings.changed_at IS 'When the scheme was set.';
