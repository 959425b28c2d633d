CREATE TABLE vigil.partition_policy (
  parent text PRIMARY KEY,
  width text NOT NULL DEFAULT 'month' CHECK (width IN ('day', 'week', 'month')),
  ahead interval NOT NULL DEFAULT '2 months' CHECK (ahead >= interval '1 day'),
  past interval NOT NULL DEFAULT '1 month' CHECK (past >= interval '0'),
  indexes text[] NOT NULL DEFAULT '{}',
  enabled boolean NOT NULL DEFAULT true
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

CREATE TRIGGER replace_row BEFORE INSERT ON vigil.partition_policy
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('parent');

INSERT INTO vigil.partition_policy (parent, indexes) VALUES
  ('events', '{}'),
  ('errors', ARRAY['(module_id, fingerprint, created_at DESC)']);
