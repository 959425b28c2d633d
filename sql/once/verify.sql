-- What the verifier has found, and where it goes on.
CREATE TABLE vigil.rollup_differences (
  module_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  found_at timestamptz NOT NULL DEFAULT now(),
  resolution vigil.resolution NOT NULL,
  bucket timestamptz NOT NULL,
  version_id uuid,
  event_type text NOT NULL,
  subject text NOT NULL,
  stored vigil.cell,
  expected vigil.cell,
  PRIMARY KEY (module_id, id)
);
CREATE INDEX rollup_differences_found_at ON vigil.rollup_differences USING brin (found_at);
COMMENT ON TABLE vigil.rollup_differences IS
  'Cells that were not what their facts make, as vigil.verify_rollups() found them; their hour was marked for a new rollup. Something writes to fact tables or cells past the triggers.';
COMMENT ON COLUMN vigil.rollup_differences.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.rollup_differences.id IS 'UUID version 7.';
COMMENT ON COLUMN vigil.rollup_differences.found_at IS 'When it was found.';
COMMENT ON COLUMN vigil.rollup_differences.resolution IS 'Width of the cell.';
COMMENT ON COLUMN vigil.rollup_differences.bucket IS 'Start of its bucket.';
COMMENT ON COLUMN vigil.rollup_differences.version_id IS 'Release.';
COMMENT ON COLUMN vigil.rollup_differences.event_type IS 'Type.';
COMMENT ON COLUMN vigil.rollup_differences.subject IS 'Subject.';
COMMENT ON COLUMN vigil.rollup_differences.stored IS 'The cell as it was stored; null = there was none.';
COMMENT ON COLUMN vigil.rollup_differences.expected IS 'The cell as it should have been; null = there should be none.';

CREATE TABLE vigil.verify_state (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  module_id uuid,
  hour timestamptz,
  hours bigint NOT NULL DEFAULT 0,
  differences bigint NOT NULL DEFAULT 0,
  rounds bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE vigil.verify_state IS 'State of the verifier: one row.';
COMMENT ON COLUMN vigil.verify_state.singleton IS 'There is one row.';
COMMENT ON COLUMN vigil.verify_state.module_id IS 'Module of the hour that was verified last in turn.';
COMMENT ON COLUMN vigil.verify_state.hour IS 'That hour.';
COMMENT ON COLUMN vigil.verify_state.hours IS 'Hours of modules that were verified.';
COMMENT ON COLUMN vigil.verify_state.differences IS 'Cells that differed.';
COMMENT ON COLUMN vigil.verify_state.rounds IS 'How often all hours had their turn.';
CREATE TRIGGER replace_row BEFORE INSERT ON vigil.verify_state
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('singleton');
INSERT INTO vigil.verify_state DEFAULT VALUES;

INSERT INTO vigil.job_settings (name, description, step, worker, run_every) VALUES
  ('verify_rollups', 'compares samples of cells with raw facts', 'vigil.verify_rollups()', 'scheduler', '5 minutes');
