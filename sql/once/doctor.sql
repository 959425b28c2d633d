-- What checks of the doctor find.
CREATE TYPE vigil.finding AS (
  severity text,
  subject text,
  problem text,
  remedy text
);
COMMENT ON TYPE vigil.finding IS
  'What a check has found: critical, warning or info; what it is about; what is wrong, with the values; and the SQL or the setting that mends it.';

-- The checks read no table that grows without limit as a whole.
CREATE INDEX outbox_dead ON vigil.outbox (next_attempt_at) WHERE status = 'dead';
