CREATE TABLE vigil.quotas (
  module_id uuid,
  fact text CHECK (fact IN ('events', 'errors', 'error_copies')),
  max integer NOT NULL CHECK (max >= 0),
  per interval NOT NULL DEFAULT '1 minute' CHECK (per > '0'),
  burst integer CHECK (burst >= 0),
  PRIMARY KEY (module_id, fact)
);
COMMENT ON TABLE vigil.quotas IS
  'How much ingest takes of a module; vigil.set_quota writes it. A module without a row may send what it wants.';
COMMENT ON COLUMN vigil.quotas.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.quotas.fact IS 'events, errors, or error_copies: errors of one fingerprint.';
COMMENT ON COLUMN vigil.quotas.max IS 'So many; 0 takes nothing.';
COMMENT ON COLUMN vigil.quotas.per IS 'In this time.';
COMMENT ON COLUMN vigil.quotas.burst IS 'So many at once; null: as max.';

CREATE FUNCTION vigil.quotas_changed() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'vigil_quotas_changed';
COMMENT ON FUNCTION vigil.quotas_changed() IS
  'Trigger: lets every session read vigil.quotas anew, once this transaction commits.';
CREATE TRIGGER quotas_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON vigil.quotas
  FOR EACH STATEMENT EXECUTE FUNCTION vigil.quotas_changed();
