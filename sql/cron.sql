-- Cron expressions.
CREATE OR REPLACE FUNCTION vigil.next_run(cron text, after timestamptz DEFAULT now(), time_zone text DEFAULT 'UTC')
  RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_next_run';
COMMENT ON FUNCTION vigil.next_run(text, timestamptz, text) IS
  'First time after the given one that a cron expression of five fields, or @hourly to @yearly, names by the clocks of the zone. What the clocks skip runs when they are set forward; what they show twice runs at the first, but a schedule of every hour at both. Null for null. SQLSTATE 22023: no such expression, or one that never comes, or no such zone; 22008: an infinite time, or one after the year 9999.';
