-- What checks of the doctor find.
CREATE TYPE vigil.finding AS (
  severity text,
  subject text,
  problem text,
  remedy text
);
COMMENT ON TYPE vigil.finding IS
  'What a check has found: critical, warning or info; what it is about; what is wrong, with the values; and the SQL or the setting that mends it.';
