-- How long cells are kept. For ever, unless somebody says otherwise: nothing can count again what was deleted.
CREATE TABLE vigil.cell_policy (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  minutes interval NOT NULL DEFAULT '2 days' CHECK (minutes >= interval '1 day'),
  hours interval CHECK (hours >= interval '31 days' AND hours >= minutes + interval '5 days'),
  days interval CHECK (days IS NULL OR (hours IS NOT NULL AND days >= hours))
);
COMMENT ON TABLE vigil.cell_policy IS
  'How long the job expire keeps the cells of each resolution, one row; vigil.preview_expiry() tells what that means now.';
COMMENT ON COLUMN vigil.cell_policy.singleton IS 'There is one row.';
COMMENT ON COLUMN vigil.cell_policy.minutes IS 'How long minute cells are kept: 1 day or longer.';
COMMENT ON COLUMN vigil.cell_policy.hours IS
  'How long hour cells are kept: 31 days or longer, and as long as raw facts of their time are here; null = for ever.';
COMMENT ON COLUMN vigil.cell_policy.days IS 'How long day cells are kept, at least as long as hour cells; null = for ever.';
CREATE TRIGGER replace_row BEFORE INSERT ON vigil.cell_policy
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('singleton');
INSERT INTO vigil.cell_policy DEFAULT VALUES;
