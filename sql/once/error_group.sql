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
  level text NOT NULL DEFAULT 'error',
  status vigil.group_status NOT NULL DEFAULT 'open',
  priority vigil.priority NOT NULL DEFAULT 'medium',
  assigned_to uuid,
  notes text,
  resolution_commit text,
  resolved_in_version uuid,
  resolved_after_version uuid,
  resolved_at timestamptz,
  resolved_by uuid,
  regressed_at timestamptz,
  regressed_in_version uuid,
  regressions integer NOT NULL DEFAULT 0,
  ignored_until timestamptz,
  ignored_since timestamptz,
  ignored_until_count bigint,
  ignored_until_users bigint,
  merged_into uuid,
  root_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, id),
  CHECK ((merged_into IS NULL) = (root_id IS NULL))
);
CREATE INDEX error_groups_by_id ON vigil.error_groups (id);
CREATE INDEX error_groups_merged ON vigil.error_groups (module_id, root_id) WHERE root_id IS NOT NULL;
CREATE INDEX error_groups_ignored ON vigil.error_groups (module_id)
  WHERE status = 'ignored' AND (ignored_until IS NOT NULL OR ignored_since IS NOT NULL);
COMMENT ON TABLE vigil.error_groups IS
  'One row per kind of error. Writers only create or reopen groups; occurrences and what they affect are counted from cells by vigil.module_error_groups.';
COMMENT ON COLUMN vigil.error_groups.id IS 'Id of the group.';
COMMENT ON COLUMN vigil.error_groups.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.error_groups.fingerprint IS 'One of its keys, the one it was made for: vigil.error_fingerprints has all.';
COMMENT ON COLUMN vigil.error_groups.error_type IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.error_name IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.error_message IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.sample_stack IS 'Stack of the first error.';
COMMENT ON COLUMN vigil.error_groups.level IS 'Of the first error.';
COMMENT ON COLUMN vigil.error_groups.status IS 'open, investigating, resolved or ignored; a resolved group is open again when its error recurs in a release that should not have it.';
COMMENT ON COLUMN vigil.error_groups.priority IS 'low, medium, high or critical.';
COMMENT ON COLUMN vigil.error_groups.assigned_to IS 'Who looks after it.';
COMMENT ON COLUMN vigil.error_groups.notes IS 'Notes.';
COMMENT ON COLUMN vigil.error_groups.resolution_commit IS 'Commit that resolved it.';
COMMENT ON COLUMN vigil.error_groups.resolved_in_version IS 'Release that resolved it: older ones may still have the error.';
COMMENT ON COLUMN vigil.error_groups.resolved_after_version IS 'Newest release when it was resolved in the next one: this and older ones may still have the error.';
COMMENT ON COLUMN vigil.error_groups.resolved_at IS 'When it was resolved; null while it is not.';
COMMENT ON COLUMN vigil.error_groups.resolved_by IS 'Who resolved it.';
COMMENT ON COLUMN vigil.error_groups.regressed_at IS 'When it last came back after being resolved.';
COMMENT ON COLUMN vigil.error_groups.regressed_in_version IS 'Release in which it last came back.';
COMMENT ON COLUMN vigil.error_groups.regressions IS 'How often it came back.';
COMMENT ON COLUMN vigil.error_groups.ignored_until IS 'Ignored until then.';
COMMENT ON COLUMN vigil.error_groups.ignored_since IS 'Occurrences and users are counted from this event time on.';
COMMENT ON COLUMN vigil.error_groups.ignored_until_count IS 'Ignored until it has occurred so often since then.';
COMMENT ON COLUMN vigil.error_groups.ignored_until_users IS 'Ignored until it has affected so many users since then.';
COMMENT ON COLUMN vigil.error_groups.merged_into IS 'Group it was merged into; null = it stands for itself. Its own columns wait for vigil.unmerge.';
COMMENT ON COLUMN vigil.error_groups.root_id IS 'Group at the end of the merges, which has its errors meanwhile.';
COMMENT ON COLUMN vigil.error_groups.created_at IS 'When the first error was received.';
COMMENT ON COLUMN vigil.error_groups.updated_at IS 'When the row last changed.';

-- What belongs to a group has no foreign key: pg_restore with several jobs loads the tables of an
-- extension in any order. Triggers of sql/error_merge.sql do what a foreign key would.
CREATE TABLE vigil.error_fingerprints (
  module_id uuid NOT NULL,
  fingerprint text NOT NULL CHECK (octet_length(fingerprint) <= 2000),
  group_id uuid NOT NULL,
  attached_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, fingerprint)
);
CREATE INDEX error_fingerprints_of_group ON vigil.error_fingerprints (module_id, group_id);
COMMENT ON TABLE vigil.error_fingerprints IS
  'Which group a key belongs to. Errors carry only keys, so a row changed here regroups them, old and new.';
COMMENT ON COLUMN vigil.error_fingerprints.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.error_fingerprints.fingerprint IS 'Key of errors.';
COMMENT ON COLUMN vigil.error_fingerprints.group_id IS 'Group that owns it, whatever that is merged into.';
COMMENT ON COLUMN vigil.error_fingerprints.attached_at IS 'When it was first seen, or moved here.';

CREATE TABLE vigil.error_group_log (
  module_id uuid NOT NULL,
  group_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  changed_at timestamptz NOT NULL DEFAULT now(),
  changed_by uuid,
  role name NOT NULL DEFAULT session_user,
  action text NOT NULL,
  old jsonb NOT NULL,
  new jsonb NOT NULL,
  PRIMARY KEY (module_id, group_id, id)
);
COMMENT ON TABLE vigil.error_group_log IS 'What was done to groups; read vigil.error_group_activity.';
COMMENT ON COLUMN vigil.error_group_log.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.error_group_log.group_id IS 'Group.';
COMMENT ON COLUMN vigil.error_group_log.id IS 'Order of the changes.';
COMMENT ON COLUMN vigil.error_group_log.changed_at IS 'When.';
COMMENT ON COLUMN vigil.error_group_log.changed_by IS 'Who, as the caller said; null = nobody did, or ingest and jobs.';
COMMENT ON COLUMN vigil.error_group_log.role IS 'Database role of the session.';
COMMENT ON COLUMN vigil.error_group_log.action IS
  'status, priority, priority_rule, assign, note, resolve, ignore, return, regress, merge, unmerge or move.';
COMMENT ON COLUMN vigil.error_group_log.old IS 'What it changed, as it was.';
COMMENT ON COLUMN vigil.error_group_log.new IS 'What it changed, as it is since.';
