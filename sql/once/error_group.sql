CREATE DOMAIN vigil.group_status AS text
  CHECK (VALUE IN ('open', 'investigating', 'resolved', 'ignored'));
COMMENT ON DOMAIN vigil.group_status IS 'State of an error group: open, investigating, resolved, ignored.';

CREATE TYPE vigil.priority AS ENUM ('low', 'medium', 'high', 'critical');
COMMENT ON TYPE vigil.priority IS 'Priority of an error group, ordered: low < medium < high < critical.';

CREATE TABLE vigil.error_groups (
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  module_id uuid NOT NULL,
  fingerprint text NOT NULL,
  error_type text NOT NULL,
  error_name text NOT NULL,
  error_message text NOT NULL,
  sample_stack text,
  status vigil.group_status NOT NULL DEFAULT 'open',
  priority vigil.priority NOT NULL DEFAULT 'medium',
  assigned_to uuid,
  notes text,
  resolution_commit text,
  resolved_in_version uuid,
  resolved_at timestamptz,
  resolved_by uuid,
  regressed_at timestamptz,
  regressions integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, id),
  UNIQUE (module_id, fingerprint)
);
COMMENT ON TABLE vigil.error_groups IS
  'One row per kind of error. Writers only create or reopen groups; occurrences and what they affect are counted from cells by vigil.module_error_groups.';
COMMENT ON COLUMN vigil.error_groups.id IS 'Id of the group.';
COMMENT ON COLUMN vigil.error_groups.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.error_groups.fingerprint IS 'Key that its errors share.';
COMMENT ON COLUMN vigil.error_groups.error_type IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.error_name IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.error_message IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.sample_stack IS 'Stack of the first error.';
COMMENT ON COLUMN vigil.error_groups.status IS 'open, investigating, resolved or ignored; a resolved group is open again when its error recurs.';
COMMENT ON COLUMN vigil.error_groups.priority IS 'low, medium, high or critical.';
COMMENT ON COLUMN vigil.error_groups.assigned_to IS 'Who looks after it.';
COMMENT ON COLUMN vigil.error_groups.notes IS 'Notes.';
COMMENT ON COLUMN vigil.error_groups.resolution_commit IS 'Commit that resolved it.';
COMMENT ON COLUMN vigil.error_groups.resolved_in_version IS 'Release that resolved it.';
COMMENT ON COLUMN vigil.error_groups.resolved_at IS 'When it was resolved; null while it is not.';
COMMENT ON COLUMN vigil.error_groups.resolved_by IS 'Who resolved it.';
COMMENT ON COLUMN vigil.error_groups.regressed_at IS 'When it last came back after being resolved.';
COMMENT ON COLUMN vigil.error_groups.regressions IS 'How often it came back.';
COMMENT ON COLUMN vigil.error_groups.created_at IS 'When the first error was received.';
COMMENT ON COLUMN vigil.error_groups.updated_at IS 'When the row last changed.';
