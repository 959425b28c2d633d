-- Marks of changed minutes, and the cells that the roller keeps equal to the raw rows.
CREATE TABLE vigil.dirty (
  module_id uuid NOT NULL,
  minute timestamptz NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  marked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, minute, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE vigil.dirty IS
  'Minutes whose facts changed since they were rolled up. Writers only append, the roller takes marks and recomputes.';
COMMENT ON COLUMN vigil.dirty.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.dirty.minute IS 'Start of the minute, UTC.';
COMMENT ON COLUMN vigil.dirty.id IS 'Makes marks of concurrent writers different rows.';
COMMENT ON COLUMN vigil.dirty.marked_at IS 'Start of the writer''s transaction: age of the oldest mark is the rollup lag.';

CREATE TYPE vigil.resolution AS ENUM ('minute', 'hour', 'day');
COMMENT ON TYPE vigil.resolution IS 'Width of a cell: a minute, an hour (both UTC), or a day of the module''s time zone.';

CREATE TABLE vigil.cells (
  module_id uuid NOT NULL,
  resolution vigil.resolution NOT NULL,
  bucket timestamptz NOT NULL,
  version_id uuid,
  event_type text NOT NULL,
  subject text NOT NULL,
  cell vigil.cell NOT NULL,
  UNIQUE NULLS NOT DISTINCT (module_id, bucket, event_type, subject, version_id, resolution)
) PARTITION BY LIST (resolution);
-- Cells hardly compress, and whoever draws a chart reads hundreds of them: they stay where they can be read at once.
CREATE TABLE vigil.cells_minute PARTITION OF vigil.cells FOR VALUES IN ('minute')
  WITH (autovacuum_vacuum_scale_factor = 0.05, toast_tuple_target = 8160);
CREATE TABLE vigil.cells_hour PARTITION OF vigil.cells FOR VALUES IN ('hour')
  WITH (autovacuum_vacuum_scale_factor = 0.05, toast_tuple_target = 8160);
CREATE TABLE vigil.cells_day PARTITION OF vigil.cells FOR VALUES IN ('day')
  WITH (toast_tuple_target = 8160);
COMMENT ON TABLE vigil.cells IS
  'Rolled-up facts: one row per module, release, event type, subject and bucket. Read vigil.minutes, vigil.hours and vigil.days, which are never stale.';
COMMENT ON COLUMN vigil.cells.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.cells.resolution IS 'Width of the bucket.';
COMMENT ON COLUMN vigil.cells.bucket IS 'Start of the bucket.';
COMMENT ON COLUMN vigil.cells.version_id IS 'Release; null = facts without one.';
COMMENT ON COLUMN vigil.cells.event_type IS 'Type of the events; error for rows of vigil.errors.';
COMMENT ON COLUMN vigil.cells.subject IS 'Subject of the events; the fingerprint for rows of vigil.errors; (other) beyond vigil.max_subjects.';
COMMENT ON COLUMN vigil.cells.cell IS 'Counts, exact sums and sketches; see \df vigil.cell_*.';
COMMENT ON TABLE vigil.cells_minute IS 'Minute cells: the working level, kept for a short while.';
COMMENT ON TABLE vigil.cells_hour IS 'Hour cells.';
COMMENT ON TABLE vigil.cells_day IS 'Day cells.';

CREATE TABLE vigil.rollup_state (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  minute_floor timestamptz NOT NULL DEFAULT '-infinity',
  hour_floor timestamptz NOT NULL DEFAULT '-infinity',
  turns bigint NOT NULL DEFAULT 0,
  minutes bigint NOT NULL DEFAULT 0,
  facts_read bigint NOT NULL DEFAULT 0,
  facts_counted bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE vigil.rollup_state IS
  'State of the rollers, one row. Whoever rolls up locks the table in ROW SHARE mode, whoever needs all rollers to stand still in EXCLUSIVE mode.';
COMMENT ON COLUMN vigil.rollup_state.singleton IS 'There is one row.';
COMMENT ON COLUMN vigil.rollup_state.minute_floor IS
  'Minute cells before this hour are gone: an older mark recomputes its hour from raw facts.';
COMMENT ON COLUMN vigil.rollup_state.hour_floor IS
  'Hour cells before this day (UTC) are gone; see vigil.final_until.';
COMMENT ON COLUMN vigil.rollup_state.turns IS 'Sum of what vigil.rollup_turns has forgotten: turns.';
COMMENT ON COLUMN vigil.rollup_state.minutes IS 'The same of minutes.';
COMMENT ON COLUMN vigil.rollup_state.facts_read IS 'The same of facts that were read.';
COMMENT ON COLUMN vigil.rollup_state.facts_counted IS 'The same of facts that were counted.';
CREATE TRIGGER replace_row BEFORE INSERT ON vigil.rollup_state
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('singleton');
INSERT INTO vigil.rollup_state DEFAULT VALUES;

CREATE TABLE vigil.rollup_turns (
  started_at timestamptz NOT NULL,
  duration_ms integer NOT NULL,
  minutes bigint NOT NULL,
  facts_read bigint NOT NULL,
  facts_counted bigint NOT NULL,
  pid integer NOT NULL DEFAULT pg_backend_pid()
);
COMMENT ON TABLE vigil.rollup_turns IS 'Turns of the rollers in the last day; read vigil.rollup_progress.';
COMMENT ON COLUMN vigil.rollup_turns.started_at IS 'Start.';
COMMENT ON COLUMN vigil.rollup_turns.duration_ms IS 'How long it took, milliseconds.';
COMMENT ON COLUMN vigil.rollup_turns.minutes IS 'Minutes of modules that were recomputed.';
COMMENT ON COLUMN vigil.rollup_turns.facts_read IS 'Raw facts that were read.';
COMMENT ON COLUMN vigil.rollup_turns.facts_counted IS 'Facts by which the cells grew.';
COMMENT ON COLUMN vigil.rollup_turns.pid IS 'Process.';
