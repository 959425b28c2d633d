-- Partitions: made ahead, in any width, without gaps.
BEGIN;
\ir include/setup.sql
SELECT plan(42);

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

-- Gaps of any time are filled on request.
SELECT vigil.create_partition('events', 'middle', '1999-02-10', '1999-02-20') \g /dev/null
SELECT results_eq($$SELECT partition, starts_at, ends_at FROM vigil.fill_partitions('events', '1999-01-20', '1999-03-01')$$, $$VALUES
  ('events_y1999m01', '1999-01-01'::timestamptz, '1999-02-01'::timestamptz), ('events_y1999m02', '1999-02-01', '1999-02-10'), ('events_y1999m02d20', '1999-02-20', '1999-03-01')$$, 'issue 5: gaps are filled');
SELECT is_empty($$SELECT FROM vigil.fill_partitions('events', '1999-01-01', '1999-03-01')$$, 'issue 5: once');
SELECT throws_ok($$SELECT vigil.fill_partitions('nothing', '1999-01-01', '1999-03-01')$$, '42704', NULL, 'issue 5: not of a table without policy');
SELECT throws_ok(format('SELECT vigil.fill_partitions(%L, %L, %L)', 'events', a, b), '22023', NULL, 'issue 5: not from ' || a || ' to ' || b)
FROM (VALUES ('2000-01-01', '1999-01-01'), ('-infinity', '1999-01-01'), ('1999-01-01', 'infinity')) AS v (a, b);

-- Tables that were filled elsewhere.
SELECT sum(vigil.rollup()) FROM generate_series(1, 3) \g /dev/null
DROP TABLE IF EXISTS vigil.errors_past;
CREATE SCHEMA "Else where";
CREATE TABLE "Else where"."Filled it" AS SELECT * FROM vigil.errors LIMIT 0;
ALTER TABLE "Else where"."Filled it" DROP COLUMN tags, ADD COLUMN more integer;
SELECT throws_ok($$SELECT vigil.attach_partition('errors', '"Else where"."Filled it"', '1999-01-01', '1999-02-01')$$, '42804',
  'table "Else where"."Filled it" cannot be a partition of vigil.errors: more is one too many, tags is missing', 'issue 5: columns must be the same');
ALTER TABLE "Else where"."Filled it" DROP COLUMN more, ADD COLUMN tags jsonb NOT NULL DEFAULT '{}';
INSERT INTO "Else where"."Filled it" (id, module_id, created_at, received_at, error_type, error_name, error_message, fingerprint, level, context)
SELECT vigil.uuid_v7(), :m1, '1999-01-10'::timestamptz + n * interval '20 seconds', now(), 'api', 'E', 'm', 'f', 'error', '{}' FROM generate_series(0, 29) n;
SELECT throws_ok($$SELECT vigil.attach_partition('errors', '"Else where"."Filled it"', '1999-01-11', '1999-02-01')$$, '23514', NULL, 'issue 5: rows must lie within the bounds');
SELECT throws_ok($$SELECT vigil.attach_partition('errors', '"Else where"."Filled it"', '1999-01-01 00:30', '1999-02-01')$$, '22023', NULL, 'issue 5: which are hours');
SELECT throws_ok($$SELECT vigil.attach_partition('cells', '"Else where"."Filled it"', '1999-01-01', '1999-02-01')$$, '42P01', NULL, 'issue 5: only of facts');
UPDATE "Else where"."Filled it" SET fingerprint = NULL WHERE created_at = '1999-01-10';
SELECT throws_ok($$SELECT vigil.attach_partition('errors', '"Else where"."Filled it"', '1999-01-01', '1999-02-01')$$, '23502', NULL, 'issue 5: what facts must have, they must have');
UPDATE "Else where"."Filled it" SET fingerprint = 'f' WHERE created_at = '1999-01-10';
SELECT is(vigil.attach_partition('errors', '"Else where"."Filled it"', '1999-01-01', '1999-02-01'), 10::bigint, 'issue 5: attached, its ten minutes are marked');
SELECT is((SELECT sum(vigil.rollup()) FROM generate_series(1, 3)), 10::numeric, 'issue 5: and rolled up');
SELECT is((SELECT sum(total_errors) FROM vigil.module_analytics_hourly WHERE hour_bucket < '1999-02-01'), 30::bigint, 'issue 5: they count');
SELECT results_eq($$SELECT contype::text, count(*) FROM pg_constraint WHERE conrelid = 'vigil."Filled it"'::regclass AND contype <> 'n' GROUP BY 1 ORDER BY 1$$, $$VALUES ('c', 2::bigint), ('p', 1)$$, 'issue 5: it has the key and the constraints of facts');
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'vigil."Filled it"'::regclass), 2::bigint, 'issue 5: and their indexes');
DELETE FROM vigil."Filled it" WHERE created_at < '1999-01-10 00:01';
SELECT is((SELECT count(*) FROM vigil.dirty), 1::bigint, 'issue 5: it is watched');
INSERT INTO vigil.retired_partitions (parent, partition, starts_at, ends_at, estimated_rows, bytes, closed_at, finish_after)
VALUES ('events', 'gone', '1998-01-01', '1998-02-01', 0, 0, now(), now());
CREATE TABLE vigil.late (LIKE vigil.events INCLUDING ALL);
SELECT throws_ok($$SELECT vigil.attach_partition('events', 'vigil.late', '1998-01-01', '1998-03-01')$$, '55000', NULL, 'S0-118: not where facts were retired');

SELECT * FROM finish();
ROLLBACK;
