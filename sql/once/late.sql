-- What came after its facts were retired: counted, and known as late.
CREATE TABLE vigil.late_cells (
  module_id uuid NOT NULL,
  bucket timestamptz NOT NULL,
  version_id uuid,
  event_type text NOT NULL,
  subject text NOT NULL,
  cell vigil.cell NOT NULL,
  counted_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (module_id, bucket, event_type, subject, version_id)
) WITH (toast_tuple_target = 8160);
COMMENT ON TABLE vigil.late_cells IS
  'Minute cells of facts that came when the other facts of their time were retired. Hour and day cells are made of raw facts and of these; read vigil.late_facts.';
COMMENT ON COLUMN vigil.late_cells.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.late_cells.bucket IS 'Start of the minute.';
COMMENT ON COLUMN vigil.late_cells.version_id IS 'Release; null = facts without one.';
COMMENT ON COLUMN vigil.late_cells.event_type IS 'Type of the events; error for errors.';
COMMENT ON COLUMN vigil.late_cells.subject IS 'Subject of the events, whatever vigil.max_subjects says; the fingerprint for errors.';
COMMENT ON COLUMN vigil.late_cells.cell IS 'Counts, exact sums and sketches of the late facts alone.';
COMMENT ON COLUMN vigil.late_cells.counted_at IS 'When the last of them was counted.';
