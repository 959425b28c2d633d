-- Tables of users that the partition keeper looks after, by name, so that a dump can bring them in any order, and by oid. A name
-- that belongs to another table or owner by now is left alone.
CREATE TABLE vigil.managed_tables (
  name text PRIMARY KEY,
  owner text NOT NULL,
  width text NOT NULL DEFAULT 'month' CHECK (width IN ('day', 'week', 'month')),
  ahead interval NOT NULL DEFAULT '2 months' CHECK (ahead >= interval '1 day'),
  past interval NOT NULL DEFAULT '0' CHECK (past >= interval '0'),
  -- An interval without a unit is one of seconds.
  retention interval CHECK (retention >= interval '1 day'),
  max_bytes bigint CHECK (max_bytes > 0),
  keep_at_least interval NOT NULL DEFAULT '1 day' CHECK (keep_at_least >= interval '0'),
  grace interval NOT NULL DEFAULT '1 day' CHECK (grace >= interval '0'),
  before_drop text,
  archive_schema text CHECK (archive_schema <> ''),
  problem text,
  problem_at timestamptz,
  table_oid oid
);
COMMENT ON TABLE vigil.managed_tables IS
  'Partitioned tables of users whose partitions the job maintain_partitions makes and retires; see vigil.manage_table().';
COMMENT ON COLUMN vigil.managed_tables.name IS 'Schema and name, quoted where SQL needs it.';
COMMENT ON COLUMN vigil.managed_tables.owner IS 'Who owned the table when it was given here, and as whom the keeper works on it.';
COMMENT ON COLUMN vigil.managed_tables.width IS 'Time that one partition holds: day, week (from Monday) or month, in UTC.';
COMMENT ON COLUMN vigil.managed_tables.ahead IS 'How far into the future partitions exist.';
COMMENT ON COLUMN vigil.managed_tables.past IS 'How far back partitions are made.';
COMMENT ON COLUMN vigil.managed_tables.retention IS 'A partition goes when its end is older than this; null = age alone takes none.';
COMMENT ON COLUMN vigil.managed_tables.max_bytes IS 'The oldest partitions go until the others have no more bytes than this, with indexes and TOAST; null = no limit.';
COMMENT ON COLUMN vigil.managed_tables.keep_at_least IS 'No partition whose end is younger than this goes because of max_bytes.';
COMMENT ON COLUMN vigil.managed_tables.grace IS 'How long a partition that was detached stays where it is.';
COMMENT ON COLUMN vigil.managed_tables.before_drop IS
  'Function that then gets the table as regclass, and returns whether it may go; null = it may.';
COMMENT ON COLUMN vigil.managed_tables.archive_schema IS 'Schema to which it is moved; null = it is dropped.';
COMMENT ON COLUMN vigil.managed_tables.problem IS 'Why the keeper could not do its work the last time; null = it could.';
COMMENT ON COLUMN vigil.managed_tables.problem_at IS 'When that was.';
COMMENT ON COLUMN vigil.managed_tables.table_oid IS
  'Oid of the table, by which it is followed when it is renamed. Null after a restore, until the keeper has looked: then the table of its name.';
CREATE TRIGGER forget_oid BEFORE INSERT ON vigil.managed_tables
  FOR EACH ROW WHEN (current_setting('row_security') = 'off') EXECUTE FUNCTION vigil.forget_oid();
CREATE TRIGGER replace_row BEFORE INSERT ON vigil.managed_tables
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('name');

CREATE TABLE vigil.detached_tables (
  name text PRIMARY KEY,
  parent text NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  bytes bigint NOT NULL,
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  detached_at timestamptz,
  finish_after timestamptz NOT NULL,
  problem text,
  table_oid oid
);
COMMENT ON TABLE vigil.detached_tables IS 'Partitions of managed tables that are being retired, until they are dropped or moved.';
COMMENT ON COLUMN vigil.detached_tables.name IS 'Schema and name of the partition.';
COMMENT ON COLUMN vigil.detached_tables.parent IS 'The managed table.';
COMMENT ON COLUMN vigil.detached_tables.starts_at IS 'First time it holds.';
COMMENT ON COLUMN vigil.detached_tables.ends_at IS 'First time it does not hold any more.';
COMMENT ON COLUMN vigil.detached_tables.bytes IS 'Size when it was due.';
COMMENT ON COLUMN vigil.detached_tables.due_at IS 'When it was found to be due.';
COMMENT ON COLUMN vigil.detached_tables.detached_at IS 'When it was seen to be a table of its own; null = it is still to be detached.';
COMMENT ON COLUMN vigil.detached_tables.finish_after IS 'When it is to be dropped or moved.';
COMMENT ON COLUMN vigil.detached_tables.problem IS 'Why the next step could not be done the last time.';
COMMENT ON COLUMN vigil.detached_tables.table_oid IS
  'Oid of the partition: another table of its name is left alone. Null after a restore: then the keeper cannot know, and leaves it to the owner.';
CREATE TRIGGER forget_oid BEFORE INSERT ON vigil.detached_tables
  FOR EACH ROW WHEN (current_setting('row_security') = 'off') EXECUTE FUNCTION vigil.forget_oid();
