-- Retention: partitions go when they are old, in islands, and what was counted stays as it was.
BEGIN;
\ir include/setup.sql
SELECT plan(78);

SELECT results_eq('SELECT parent, retention FROM vigil.partition_policy ORDER BY 1', $$VALUES ('errors', interval '30 days'), ('events', '90 days')$$,
  'S2-70, S3-68: raw errors 30 days, raw events 90');
SELECT throws_ok(format('UPDATE vigil.partition_policy SET %s', change), '23514', NULL, 'design 5: refused: ' || change)
FROM unnest(ARRAY[$$retention = '10'$$, $$retention = '0 days'$$, $$grace = '-1 day'$$, $$archive_schema = 'vigil'$$]) AS change;

-- Three months of events, their errors day by day; the clock stands in 2025.
UPDATE vigil.partition_policy SET past = '0', ahead = '3 months';
SELECT count(*) FROM vigil.maintain_partitions('events', '2025-01-15') \g /dev/null
UPDATE vigil.partition_policy SET width = 'day' WHERE parent = 'errors';
SELECT count(*) FROM vigil.maintain_partitions('errors', '2025-01-01') \g /dev/null
INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms)
SELECT :m1, '2025-01-01'::timestamptz + n * interval '5 hours', 'render', 'x', n FROM generate_series(0, 200) AS n;
INSERT INTO vigil.errors (module_id, created_at, error_type, error_name, error_message, fingerprint)
SELECT :m1, '2025-01-01'::timestamptz + n * interval '7 hours', 'api', 'E', 'm', 'f' FROM generate_series(0, 140) AS n;

CREATE FUNCTION pg_temp.stays(wanted text, at timestamptz) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(p.stays_because, 'goes') FROM vigil.preview_retention(at) p WHERE p.partition = wanted $$;
SELECT is(vigil.retire_partitions('2025-05-02'), 0::bigint, 'issue 5: nothing goes');
SELECT matches(pg_temp.stays('events_y2025m01', '2025-05-02'), '^minute .* waits for the roller$', 'issue 5: while a minute inside is marked');
SELECT sum(vigil.rollup()) FROM generate_series(1, 10) \g /dev/null
SELECT vigil.expire() \g /dev/null
CREATE TEMP TABLE before AS SELECT 'hour' AS what, to_jsonb(h) - 'id' - 'created_at' AS shown FROM vigil.module_analytics_hourly h UNION ALL SELECT 'day', to_jsonb(d) - 'id' - 'created_at' FROM vigil.module_analytics_daily d;
CREATE TEMP TABLE cells_before AS SELECT c.resolution, c.bucket, c.event_type, c.subject, c.cell::text FROM vigil.cells c;
CREATE FUNCTION pg_temp.differences() RETURNS SETOF jsonb LANGUAGE sql AS $$
  WITH now AS (SELECT 'hour' AS what, to_jsonb(h) - 'id' - 'created_at' AS shown FROM vigil.module_analytics_hourly h UNION ALL SELECT 'day', to_jsonb(d) - 'id' - 'created_at' FROM vigil.module_analytics_daily d)
  (SELECT to_jsonb(b) FROM (TABLE now EXCEPT ALL TABLE before) b) UNION ALL (SELECT to_jsonb(b) FROM (TABLE before EXCEPT ALL TABLE now) b)
  UNION ALL SELECT to_jsonb(c) FROM ((SELECT c.resolution, c.bucket, c.event_type, c.subject, c.cell::text FROM vigil.cells c) EXCEPT ALL TABLE cells_before) c
  UNION ALL SELECT to_jsonb(c) FROM (TABLE cells_before EXCEPT ALL SELECT c.resolution, c.bucket, c.event_type, c.subject, c.cell::text FROM vigil.cells c) c $$;
SELECT is((SELECT count(*) > 300 FROM before), true, 'S0-118: there are analytics to keep');

-- When a partition goes: its real end, and all that shares hours with it.
SELECT is(pg_temp.stays('events_y2025m01', '2025-05-01'), 'it is kept until 2025-05-02 00:00 UTC', 'S2-70: a day before the 90th nothing goes');
SELECT is(pg_temp.stays('events_y2025m01', '2025-05-02'), 'goes', 'S2-70: then January goes');
SELECT is(pg_temp.stays('events_y2025m02', '2025-05-02'), 'it is kept until 2025-05-30 00:00 UTC', 'S2-70: and February stays');
SELECT is(pg_temp.stays('errors_y2025m01d10', '2025-05-01'), 'vigil.events_y2025m01 has facts of the same hours and stays: it is kept until 2025-05-02 00:00 UTC',
  'S0-118: errors wait for the events of their hours');
SELECT is((SELECT count(*) FROM vigil.preview_retention('2025-05-02') WHERE goes), 32::bigint, 'issue 5: 31 days of errors go with a month of events');
SELECT is((SELECT bool_and(starts_at >= '2025-01-01' AND ends_at <= '2025-02-01') FROM vigil.preview_retention('2025-05-02') WHERE goes), true, 'design 5: by the bounds of the catalog');
SELECT is((SELECT count(*) FROM vigil.preview_retention('2025-05-02')), (SELECT count(*) FROM vigil.partitions), 'issue 5: the preview shows all');

CREATE FUNCTION pg_temp.stays_with(change text, wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE reason text;
BEGIN
  BEGIN
    EXECUTE change;
    reason := pg_temp.stays(wanted, '2025-05-02');
    RAISE EXCEPTION USING ERRCODE = 'VG000';
  EXCEPTION WHEN SQLSTATE 'VG000' THEN RETURN reason;
  END;
END $$;
SELECT is(pg_temp.stays_with(change, 'events_y2025m01'), reason, 'issue 5: stays: ' || reason)
FROM (VALUES ($$UPDATE vigil.partition_policy SET retention = NULL WHERE parent = 'events'$$, 'its policy keeps all'),
             ($$UPDATE vigil.partition_policy SET enabled = false WHERE parent = 'events'$$, 'its policy is not enabled'),
             ($$DELETE FROM vigil.partition_policy WHERE parent = 'events'$$, 'it has no policy'),
             ($$UPDATE vigil.partition_policy SET past = '1 year' WHERE parent = 'events'$$, 'it is kept until 2026-02-01 00:00 UTC'),
             ($$UPDATE vigil.partition_policy SET archive_schema = 'No' WHERE parent = 'events'$$, 'schema "No" of its policy does not exist'),
             ($$INSERT INTO vigil.dirty (module_id, minute) VALUES (gen_random_uuid(), '2025-02-01 05:00')$$, 'minute 2025-02-01 05:00 UTC waits for the roller'),
             ($$INSERT INTO vigil.quarantine (module_id, id, fact, created_at, reason, content) VALUES (gen_random_uuid(), gen_random_uuid(), 'events', '2025-01-05', 'r', '{}')$$,
              'vigil.quarantine holds facts of its time')) AS v (change, reason);
SELECT vigil.create_partition('events', 'wide', '2024-06-01', '2024-12-31 12:30') \g /dev/null
SELECT is(pg_temp.stays('wide', '2025-05-02'), 'it begins or ends within an hour', 'S0-118: an hour is not cut in two');
SELECT is(pg_temp.stays('events_y2025m01', '2025-05-02'), 'goes', 'issue 5: what stays for ever holds up no other hours');
DROP TABLE vigil.wide;

-- It goes.
SELECT is(vigil.retire_partitions('2025-05-02'), 32::bigint, 'S2-70: January is closed');
SELECT is((SELECT count(*) FROM vigil.partitions WHERE state = 'closed' AND starts_at < '2025-02-01'), 32::bigint, 'issue 5: it is still there');
SELECT is(pg_temp.stays('events_y2025m01', '2025-05-02'), 'it is being retired', 'issue 5: and the preview says so');
SELECT throws_ok(change, '55000', NULL, 'S0-118: its rows do not change any more: ' || change)
FROM (VALUES ('UPDATE vigil.events SET event_name = $$y$$ WHERE created_at < $$2025-01-02$$'), ('DELETE FROM vigil.events WHERE created_at < $$2025-01-02$$'),
             ('INSERT INTO vigil.events_y2025m01 (module_id, event_type, event_name, created_at) VALUES (gen_random_uuid(), $$render$$, $$x$$, $$2025-01-02$$)')) AS v (change);
SELECT is((vigil.track_event(pg_temp.event('{"timestamp": "2025-01-10T00:00:00Z"}'))).quarantined, 1, 'issue 5: ingest sends late facts to quarantine');
SELECT is(vigil.replay_quarantine(), 0::bigint, 'issue 5: where they stay');
SELECT is_empty('SELECT FROM vigil.dirty', 'S0-118: no minute is marked');
SELECT is(vigil.restore_partition('events_y2025m01'), 32::bigint, 'issue 5: until it is detached it is only opened again');
SELECT is(vigil.replay_quarantine(), 1::bigint, 'issue 5: for what came meanwhile, too');
UPDATE vigil.partition_policy SET enabled = false;
SELECT is((SELECT sum(vigil.retire_partitions('2025-05-02')) FROM generate_series(1, 40)), 32::numeric, 'issue 5: the next run');
UPDATE vigil.partition_policy SET enabled = true;
SELECT is_empty($$SELECT FROM pg_trigger WHERE tgname = 'closed'$$, 'issue 5: takes away what closed it');
DELETE FROM vigil.events WHERE event_name = 'e';
SELECT vigil.rollup() \g /dev/null
SELECT is(vigil.retire_partitions('2025-05-02'), 32::bigint, 'S2-70: January is closed again');
SELECT throws_ok('DELETE FROM vigil.events WHERE created_at < $$2025-01-02$$', '55000', NULL, 'S0-118: and its rows do not change');
SELECT is((SELECT sum(vigil.retire_partitions('2025-05-02')) FROM generate_series(1, 33)), 32::numeric, 'S2-70: and detached, one table after the other');
SELECT is_empty($$SELECT FROM vigil.partitions WHERE starts_at < '2025-02-01'$$, 'S2-70: from both tables');
SELECT is((SELECT count(*) FROM vigil.retired_partitions WHERE finished_at IS NULL AND finish_after = '2025-05-03'), 32::bigint, 'design 5: and waits for a day');
SELECT is((SELECT vigil.mark_dirty(:m1, r.starts_at, r.starts_at + interval '1 hour') FROM vigil.retired_partitions r ORDER BY r.starts_at LIMIT 1), 0::bigint,
  'issue 5: nor can it be marked to be counted again');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: analytics are as before');
SELECT is(vigil.retire_partitions('2025-05-02 23:00'), 0::bigint, 'design 5: within that nothing is dropped');
SELECT is((SELECT count(*) FROM vigil.events_y2025m01), 149::bigint, 'design 5: the table is there');
DELETE FROM vigil.events_y2025m01 WHERE created_at < '2025-01-03';
TRUNCATE vigil.errors_y2025m01d05;
SELECT is_empty('SELECT FROM vigil.dirty', 'S0-118: what is done to it marks no minute');

-- What comes for that time.
SELECT is((vigil.track_event(pg_temp.event('{"timestamp": "2025-01-10T00:00:00Z"}'))).quarantined, 1, 'issue 5: a later event of that time waits in quarantine');
SELECT is((vigil.track_error(pg_temp.error('{"timestamp": "2025-01-10T00:00:00Z"}'))).quarantined, 1, 'issue 5: a later error as well');
UPDATE vigil.partition_policy SET past = '10 years', retention = '10 years';
SELECT is_empty($$SELECT FROM vigil.missing_partitions('events', '2025-05-02') WHERE starts_at < '2025-02-01' AND ends_at > '2025-01-01'$$, 'S0-118: no partition is made there again');
SELECT throws_ok($$SELECT vigil.create_partition('events', 'again', '2025-01-31', '2025-02-01')$$, '55000', NULL, 'S0-118: not by hand either');
SELECT is(vigil.replay_quarantine(), 0::bigint, 'issue 5: so it stays in quarantine');
TRUNCATE vigil.quarantine;
INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms) VALUES (:m2, '2025-02-01 00:00:30', 'render', 'x', 1);
DELETE FROM vigil.events WHERE module_id = :m2;
SELECT vigil.rollup() \g /dev/null
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: a roll next to it changes nothing');
INSERT INTO vigil.dirty (module_id, minute) VALUES (:m1, '2025-02-01 00:00'), (:m1, '2025-02-28 23:59');
SELECT vigil.rollup() \g /dev/null
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: nor one of the same module');

-- Back again, and then for good.
SELECT throws_ok($$SELECT vigil.restore_partition('events_y2025m02')$$, '42704', NULL, 'issue 5: what was not retired is not restored');
SELECT is(vigil.restore_partition('errors_y2025m01d10'), 32::bigint, 'issue 5: a partition comes back with those of its hours');
SELECT is((SELECT count(*) FROM vigil.partitions WHERE starts_at < '2025-02-01'), 32::bigint, 'issue 5: with the same bounds');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'vigil.events_y2025m01'::regclass AND tgname LIKE 'dirty%'), 4::bigint, 'issue 5: and watched');
UPDATE vigil.partition_policy SET past = '0', retention = '30 days', grace = '0';
CREATE SCHEMA archive;
UPDATE vigil.partition_policy SET archive_schema = 'archive' WHERE parent = 'events';
CREATE VIEW pg_temp.needs AS SELECT * FROM vigil.errors_y2025m01d01;
SELECT is(vigil.retire_partitions('2025-03-03'), 32::bigint, 'S2-70: it goes again');
SET LOCAL client_min_messages = error;
SELECT is((SELECT sum(vigil.retire_partitions('2025-03-03')) FROM generate_series(1, 80)), 63::numeric, 'design 5: each table is detached, then dropped or moved, but one');
SELECT is((SELECT count(*) FROM vigil.retired_partitions WHERE partition = 'errors_y2025m01d01' AND problem ~ 'depend'), 1::bigint, 'issue 5: that a view needs; the problem is told');
SELECT is(to_regclass('archive.events_y2025m01') IS NOT NULL AND to_regclass('vigil.events_y2025m01') IS NULL, true, 'S2-70: events are archived');
SELECT is(to_regclass('vigil.errors_y2025m01d10'), NULL, 'S2-70: errors are dropped');
SELECT throws_ok($$SELECT vigil.restore_partition('events_y2025m01')$$, '42P01', NULL, 'issue 5: then nothing can be restored');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: and analytics are as before');

-- By size, and not without being asked.
CREATE FUNCTION pg_temp.may_go(old regclass) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / current_setting('test.may')::integer = 1; END $$;
UPDATE vigil.partition_policy SET retention = NULL, archive_schema = NULL, before_drop = 'pg_temp.may_go', max_bytes = 200000 WHERE parent = 'events';
UPDATE vigil.partition_policy SET retention = '1 day', max_bytes = NULL WHERE parent = 'errors';
SELECT matches(pg_temp.stays('events_y2025m02', '2025-07-01'), '^with the younger ones it has [0-9]+ bytes of 200000$', 'issue 5: events are within their bytes');
UPDATE vigil.partition_policy SET max_bytes = 1 WHERE parent = 'events';
SELECT is(pg_temp.stays('events_y2025m02', '2025-07-01'), 'goes', 'issue 5: beyond them the oldest goes');
UPDATE vigil.partition_policy SET keep_at_least = '125 days' WHERE parent = 'events';
SELECT matches(pg_temp.stays('events_y2025m02', '2025-07-01'), '^with the younger', 'issue 5: but none that is younger than it may be');
UPDATE vigil.partition_policy SET keep_at_least = '100 days' WHERE parent = 'events';
SET LOCAL test.may = 0;
SELECT is(vigil.retire_partitions('2025-07-01') > 0, true, 'issue 5: it goes');
SELECT sum(vigil.retire_partitions('2025-07-01')) FROM generate_series(1, 200) \g /dev/null
SELECT matches((SELECT problem FROM vigil.retired_partitions WHERE partition = 'events_y2025m02'), 'may_go.* failed: division by zero', 'issue 5: a function that fails keeps the table');
SET LOCAL test.may = 1;
SELECT is((SELECT sum(vigil.retire_partitions('2025-07-01')) FROM generate_series(1, 5)), 1::numeric, 'issue 5: one that says yes lets it go');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: and analytics are as before');

-- Known by name and oid: what was put in the place of a table stays.
UPDATE vigil.partition_policy SET before_drop = NULL, max_bytes = NULL, retention = '1 day', grace = '1 day';
SELECT vigil.create_partition(p, p || s, v::timestamptz, v::timestamptz + interval '1 day') FROM (VALUES ('events', '_a', '2019-01-01'), ('errors', '_a', '2019-01-01'), ('events', '_b', '2019-01-02')) AS v (p, s, v) \g /dev/null
SELECT vigil.retire_partitions('2019-02-01') FROM generate_series(1, 2) \g /dev/null
SELECT is((SELECT count(*) FROM vigil.retired_partitions WHERE starts_at = '2019-01-01' AND table_oid = to_regclass('vigil.' || partition)), 2::bigint, 'issue 5: a row has the oid of its table');
SELECT vigil.retire_partitions('2019-02-01') FROM generate_series(1, 5) \g /dev/null
ALTER TABLE vigil.events_a RENAME TO mine;
CREATE TABLE vigil.events_a AS SELECT 'precious' AS what;
SET LOCAL client_min_messages = error;
SELECT vigil.retire_partitions('2019-02-03') FROM generate_series(1, 5) \g /dev/null
SELECT is((SELECT what FROM vigil.events_a), 'precious', 'issue 5: a table that has the name of a retired one is not dropped');
SELECT is(to_regclass('vigil.errors_a'), NULL, 'issue 5: the retired one is');
SELECT results_eq($$SELECT finished_at IS NOT NULL, problem FROM vigil.retired_partitions WHERE partition = 'events_a'$$,
  $$VALUES (true, 'vigil.events_a is another table than was retired, and was left alone')$$, 'issue 5: which is told');
-- Replaced by a partition, before it was detached.
DELETE FROM vigil.retired_partitions WHERE starts_at < '2020-01-01';
SELECT vigil.create_partition('events', 'events_c', '2018-01-01', '2018-01-02') \g /dev/null
SELECT vigil.close_partitions('2019-02-01') \g /dev/null
ALTER TABLE vigil.events DETACH PARTITION vigil.events_c;
ALTER TABLE vigil.events_c RENAME TO mine_too;
CREATE TABLE vigil.events_c PARTITION OF vigil.events FOR VALUES FROM ('2018-01-01') TO ('2018-01-02');
UPDATE vigil.partition_policy SET enabled = false;
SELECT vigil.retire_partitions('2019-02-03') FROM generate_series(1, 5) \g /dev/null
SELECT is((SELECT state FROM vigil.partitions WHERE partition = 'events_c'), 'open', 'issue 5: nor is it detached');
-- A dump has other oids; in this schema nobody else makes tables.
UPDATE vigil.partition_policy SET enabled = true;
SELECT vigil.retire_partitions('2019-02-03') FROM generate_series(1, 3) \g /dev/null
CREATE TEMP TABLE dumped AS SELECT * FROM vigil.retired_partitions WHERE partition = 'events_c' AND detached_at IS NOT NULL;
DELETE FROM vigil.retired_partitions;
SET LOCAL row_security = off;
INSERT INTO vigil.retired_partitions SELECT * FROM dumped;
SET LOCAL row_security = on;
DELETE FROM vigil.partition_policy;
SELECT vigil.retire_partitions('2019-02-05') \g /dev/null
SELECT is((SELECT to_regclass('vigil.events_c') IS NULL AND finished_at IS NOT NULL FROM vigil.retired_partitions), true, 'issue 5: so a restored row counts for the table of its name');
SET LOCAL client_min_messages = warning;

SELECT * FROM finish();
ROLLBACK;
