CREATE TABLE vigil.partition_policy (
  parent text PRIMARY KEY,
  width text NOT NULL DEFAULT 'month' CHECK (width IN ('day', 'week', 'month')),
  ahead interval NOT NULL DEFAULT '2 months' CHECK (ahead >= interval '1 day'),
  past interval NOT NULL DEFAULT '1 month' CHECK (past >= interval '0'),
  indexes text[] NOT NULL DEFAULT '{}',
  enabled boolean NOT NULL DEFAULT true,
  -- An interval without a unit is one of seconds.
  retention interval CHECK (retention >= interval '1 day'),
  grace interval NOT NULL DEFAULT '1 day' CHECK (grace >= interval '0'),
  archive_schema text CHECK (archive_schema NOT IN ('vigil', '')),
  max_bytes bigint CHECK (max_bytes > 0),
  keep_at_least interval NOT NULL DEFAULT '1 day' CHECK (keep_at_least >= interval '0'),
  before_drop text,
  late text NOT NULL DEFAULT 'count' CHECK (late IN ('count', 'wait')),
  keep_copies integer CHECK (keep_copies > 0),
  keep_copies_for interval DEFAULT '1 year' CHECK (keep_copies_for >= interval '1 day'),
  keep_quarantined interval DEFAULT '90 days' CHECK (keep_quarantined >= interval '1 day'),
  CONSTRAINT copies_of_errors CHECK (keep_copies IS NULL OR parent = 'errors')
);
COMMENT ON TABLE vigil.partition_policy IS
  'Which partitions vigil.maintain_partitions() keeps ready for each fact table; change a row to change it from the next partition on.';
COMMENT ON COLUMN vigil.partition_policy.parent IS 'Fact table in schema vigil.';
COMMENT ON COLUMN vigil.partition_policy.width IS 'Time that one partition holds: day, week (from Monday) or month, in UTC.';
COMMENT ON COLUMN vigil.partition_policy.ahead IS 'How far into the future partitions exist.';
COMMENT ON COLUMN vigil.partition_policy.past IS 'How far back partitions are made for late facts.';
COMMENT ON COLUMN vigil.partition_policy.indexes IS
  'Indexes of each new partition besides its primary key (module_id, created_at, id): what stands behind CREATE INDEX ON and the table.';
COMMENT ON COLUMN vigil.partition_policy.enabled IS 'Whether this table is looked after.';
COMMENT ON COLUMN vigil.partition_policy.retention IS
  'How long facts are kept, by event time: a partition goes when its end is older than this and than past. Null = age alone takes none.';
COMMENT ON COLUMN vigil.partition_policy.grace IS
  'How long a partition that was detached stays a table of its own, which vigil.restore_partition() brings back.';
COMMENT ON COLUMN vigil.partition_policy.archive_schema IS
  'Schema to which the table is then moved; null = it is dropped.';

COMMENT ON COLUMN vigil.partition_policy.max_bytes IS
  'The oldest partitions go until the others have no more bytes than this, with indexes and TOAST; null = no limit.';
COMMENT ON COLUMN vigil.partition_policy.keep_at_least IS 'No partition whose end is younger than this, or than past, goes because of max_bytes.';
COMMENT ON COLUMN vigil.partition_policy.before_drop IS
  'Function that gets a table as regclass before it is dropped or moved, and returns whether it may be; null = it may.';
COMMENT ON COLUMN vigil.partition_policy.late IS
  'What becomes of facts that come when those of their time were dropped or archived: count adds them to hour and day cells, wait leaves them in vigil.quarantine.';
COMMENT ON COLUMN vigil.partition_policy.keep_copies IS
  'For errors: how many of each fingerprint, the newest, go to vigil.kept_errors when their partition is dropped or moved; null = none.';
COMMENT ON COLUMN vigil.partition_policy.keep_copies_for IS
  'How long they are kept there, by event time; null = for ever.';
COMMENT ON COLUMN vigil.partition_policy.keep_quarantined IS
  'How long a fact that no partition takes waits in vigil.quarantine, from when it was received; null = for ever.';

CREATE TRIGGER replace_row BEFORE INSERT ON vigil.partition_policy
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('parent');

INSERT INTO vigil.partition_policy (parent, indexes, retention) VALUES
  ('events', '{}', '90 days'),
  ('errors', ARRAY['(module_id, fingerprint, created_at DESC)'], '30 days');

-- A table is dropped only if both its name and its oid are those that were noted.
CREATE FUNCTION vigil.forget_oid() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  NEW.table_oid := NULL;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION vigil.forget_oid() IS 'Trigger: the oid in a row of a dump means nothing in the database that it is restored to.';

CREATE TABLE vigil.retired_partitions (
  parent text NOT NULL,
  partition text NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  estimated_rows bigint NOT NULL,
  bytes bigint NOT NULL,
  closed_at timestamptz NOT NULL,
  detached_at timestamptz,
  finish_after timestamptz NOT NULL,
  archive_schema text,
  finished_at timestamptz,
  problem text,
  table_oid oid,
  PRIMARY KEY (parent, partition)
);
COMMENT ON TABLE vigil.retired_partitions IS
  'Partitions that retention took away. Of their time only cells are left: no partition is made there again, unless vigil.restore_partition() brings them back.';
COMMENT ON COLUMN vigil.retired_partitions.parent IS 'Fact table.';
COMMENT ON COLUMN vigil.retired_partitions.partition IS 'Name of the table.';
COMMENT ON COLUMN vigil.retired_partitions.starts_at IS 'First event time it holds.';
COMMENT ON COLUMN vigil.retired_partitions.ends_at IS 'First event time it does not hold any more.';
COMMENT ON COLUMN vigil.retired_partitions.estimated_rows IS 'Rows at the last vacuum or analyze.';
COMMENT ON COLUMN vigil.retired_partitions.bytes IS 'Size with indexes and TOAST when it was closed, bytes.';
COMMENT ON COLUMN vigil.retired_partitions.closed_at IS
  'When it took its last change; the same for all that go together because they share hours.';
COMMENT ON COLUMN vigil.retired_partitions.detached_at IS
  'When it was seen to be a table of its own; null = it is still to be detached.';
COMMENT ON COLUMN vigil.retired_partitions.finish_after IS 'When it is to be dropped or moved.';
COMMENT ON COLUMN vigil.retired_partitions.archive_schema IS 'Schema it is moved to; null = it is dropped.';
COMMENT ON COLUMN vigil.retired_partitions.finished_at IS 'When that was done; null = it still waits in schema vigil.';
COMMENT ON COLUMN vigil.retired_partitions.problem IS 'Why it could not be detached, dropped or moved the last time, or was left alone.';
COMMENT ON COLUMN vigil.retired_partitions.table_oid IS
  'Oid of the table: another one of its name is left alone. Null after a restore: whichever has the name.';
CREATE TRIGGER forget_oid BEFORE INSERT ON vigil.retired_partitions
  FOR EACH ROW WHEN (current_setting('row_security') = 'off') EXECUTE FUNCTION vigil.forget_oid();
