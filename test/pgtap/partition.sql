-- Partitions: made ahead, in any width, without gaps.
BEGIN;
\ir include/setup.sql
SELECT plan(24);

CREATE FUNCTION pg_temp.gaps(wanted text) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM (SELECT starts_at, lag(ends_at) OVER (ORDER BY starts_at) AS before FROM vigil.partitions WHERE parent = wanted) p
  WHERE before <> starts_at $$;

UPDATE vigil.partition_policy SET past = '0', ahead = '11 months' WHERE parent = 'events';
SELECT is((SELECT count(*) FROM vigil.maintain_partitions('events', '2025-01-31 12:00')), 12::bigint, 'S0-04, D-115: 12 months from Jan 31 are 12 partitions');
SELECT results_eq($$SELECT partition FROM vigil.partitions WHERE parent = 'events' ORDER BY starts_at LIMIT 3$$,
  $$VALUES ('events_y2025m01'), ('events_y2025m02'), ('events_y2025m03')$$, 'S0-04: by their names');
SELECT is(pg_temp.gaps('events'), 0::bigint, 'S0-04: their bounds touch');
SELECT is((SELECT count(*) FROM vigil.maintain_partitions('events', '2025-01-31 12:00')), 0::bigint, 'S0-04: a second run makes none');
INSERT INTO vigil.events (module_id, event_type, event_name, created_at) VALUES (:m1, 'render', 'x', '2025-01-31 23:59:59.999999Z'), (:m1, 'render', 'x', '2025-02-01 00:00:00Z');
SELECT results_eq('SELECT tableoid::regclass::text FROM vigil.events ORDER BY created_at', $$VALUES ('vigil.events_y2025m01'), ('vigil.events_y2025m02')$$, 'S0-04: a border row lies in the later partition');
SELECT throws_ok($$INSERT INTO vigil.events (module_id, event_type, event_name, created_at) VALUES ('11111111-1111-4111-8111-111111111111', 'render', 'x', '1999-01-01')$$,
  '23514', NULL, 'design 5: there is no default partition');
SELECT ok(NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid IN ('vigil.events'::regclass, 'vigil.errors'::regclass) AND partdefid <> 0), 'design 5: not even in the catalog');

-- Another width from now on: gaps are filled around what exists.
UPDATE vigil.partition_policy SET width = 'day', ahead = '3 days' WHERE parent = 'events';
SELECT is((SELECT count(*) FROM vigil.maintain_partitions('events', '2025-12-30 12:00')), 2::bigint, 'S0-04: only the days that no month covers');
SELECT results_eq($$SELECT partition FROM vigil.partitions WHERE parent = 'events' ORDER BY starts_at DESC LIMIT 2$$, $$VALUES ('events_y2026m01d02'), ('events_y2026m01d01')$$, 'design 5: days by their names');
UPDATE vigil.partition_policy SET width = 'month', ahead = '1 month' WHERE parent = 'events';
SELECT results_eq($$SELECT partition, starts_at, ends_at FROM vigil.maintain_partitions('events', '2025-12-30 12:00')$$,
  $$VALUES ('events_y2026m01d03', '2026-01-03'::timestamptz, '2026-02-01'::timestamptz)$$, 'S0-04: the rest of a month');
SELECT is(pg_temp.gaps('events'), 0::bigint, 'S0-04: bounds still touch');
UPDATE vigil.partition_policy SET width = 'week', ahead = '8 days' WHERE parent = 'errors';
SELECT lives_ok($$SELECT * FROM vigil.maintain_partitions('errors', '2025-06-18')$$, 'design 5: weeks');
SELECT is((SELECT bool_and(extract(isodow FROM starts_at) = 1 AND ends_at - starts_at = '7 days') FROM vigil.partitions WHERE parent = 'errors'), true, 'design 5: a week begins on Monday');
SET LOCAL TimeZone = 'Pacific/Auckland';
SELECT is((SELECT count(*) FROM vigil.maintain_partitions('errors', '2025-06-18')), 0::bigint, 'D-116: bounds do not depend on the zone of the session');
SET LOCAL TimeZone = 'UTC';
SELECT throws_ok($$UPDATE vigil.partition_policy SET width = 'year'$$, '23514', NULL, 'design 5: an unknown width is refused');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'vigil.events'::regclass
  AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary)$$, 'design 5: every partition has its key');

-- Ingest makes what the policy wants.
TRUNCATE vigil.events;
UPDATE vigil.partition_policy SET past = '1 month', ahead = '1 month', width = 'month';
SELECT is((vigil.track_event(pg_temp.event())).accepted, 1, 'S0-04: the first event needs no preparation');
SELECT is((vigil.track_event(pg_temp.event('{"timestamp": "2001-01-01T00:00:00Z"}'))).quarantined, 1, 'D-11: an event far off waits in quarantine');
SELECT is(vigil.replay_quarantine(), 0::bigint, 'D-11: while it has no partition it stays there');
SELECT vigil.create_partition('events', 'events_y2001m01', '2001-01-01', '2001-02-01') \g /dev/null
SELECT is(vigil.replay_quarantine(), 1::bigint, 'D-11: then it is stored');
SELECT results_eq($$SELECT event_name, created_at FROM vigil.events WHERE created_at < '2002-01-01'$$, $$VALUES ('e', '2001-01-01'::timestamptz)$$, 'D-11: as it was received');
SELECT is((SELECT count(*) FROM vigil.quarantine), 0::bigint, 'D-11: and nothing is left behind');

-- Partitions of another width, one of them without a beginning, leave two gaps.
UPDATE vigil.partition_policy SET past = '1 month', ahead = '1 month' WHERE parent = 'events';
SELECT vigil.create_partition('events', 'events_middle', '2031-02-10', '2031-02-20') \g /dev/null
CREATE TABLE vigil.errors_past (LIKE vigil.errors INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE vigil.errors ATTACH PARTITION vigil.errors_past FOR VALUES FROM (MINVALUE) TO ('2020-01-15');
SELECT results_eq($$SELECT partition, starts_at, ends_at FROM vigil.missing_partitions('events', '2031-02-15 12:00')$$,
  $$VALUES ('events_y2031m01', '2031-01-01'::timestamptz, '2031-02-01'::timestamptz), ('events_y2031m02', '2031-02-01', '2031-02-10'),
           ('events_y2031m02d20', '2031-02-20', '2031-03-01'), ('events_y2031m03', '2031-03-01', '2031-04-01')$$, 'S0-04: gaps around a partition of another width');
SELECT results_eq($$SELECT partition, starts_at, ends_at FROM vigil.missing_partitions('errors', '2020-01-10')$$,
  $$VALUES ('errors_y2020m01d15', '2020-01-15'::timestamptz, '2020-02-01'::timestamptz), ('errors_y2020m02', '2020-02-01', '2020-03-01')$$,
  'S0-04: nothing is missing where one has no beginning');

SELECT * FROM finish();
ROLLBACK;
