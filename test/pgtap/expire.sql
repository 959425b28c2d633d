-- Hour and day cells that expire: days still tell what one pass over all facts would, in sum and byte for byte.
BEGIN;
\ir include/setup.sql
SET LOCAL client_min_messages = error;
SELECT plan(78);
SELECT results_eq('SELECT minutes, hours, days FROM vigil.cell_policy', $$VALUES ('2 days'::interval, NULL::interval, NULL::interval)$$,
  'issue 5: hours and days are kept for ever unless the policy says otherwise');
SELECT throws_ok('UPDATE vigil.cell_policy SET ' || change, state, NULL, 'issue 5: refused: ' || change)
FROM (VALUES ('minutes = ''1 hour''', '23514'), ('minutes = NULL', '23502'), ('hours = ''30 days''', '23514'), ('hours = ''40 days'', minutes = ''39 days''', '23514'),
             ('days = ''3 years''', '23514'), ('hours = ''2 years'', days = ''1 year''', '23514')) AS t (change, state);

-- From December 2024 to March 2025, of three modules whose days begin at different times.
CREATE SCHEMA archive;
UPDATE vigil.partition_policy SET past = '0', ahead = '20 days', archive_schema = 'archive', late = 'wait';
SELECT count(*) FROM generate_series('2024-12-15'::timestamptz, '2025-03-15', '1 month') AS at, vigil.maintain_partitions(at => at) \g /dev/null
\set m3 '''33333333-3333-4333-8333-333333333333'''
SELECT vigil.set_time_zone(:m2, 'Europe/Amsterdam'), vigil.set_time_zone(:m3, 'Asia/Kolkata') \g /dev/null
SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object(
  'moduleId', (ARRAY['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-333333333333'])[1 + n % 3],
  'eventType', (ARRAY['render', 'api_call', 'error', 'custom'])[1 + n % 4], 'eventName', 'n' || n % 7, 'subject', 's' || n % 5,
  'durationMs', n % 90, 'value', n % 11 / 3.0, 'sessionId', 'p' || n % 40, 'versionId', CASE WHEN n % 3 = 0 THEN md5('version' || n % 2)::uuid END,
  'timestamp', timestamptz '2024-12-10' + n * interval '51 minutes 7.000003 seconds')) FROM generate_series(1 + 1000 * b, 1000 + 1000 * b) AS n))
FROM generate_series(0, 2) AS b \g /dev/null
CREATE TEMP TABLE accepted AS SELECT * FROM vigil.facts;
SELECT is((SELECT count(*) FROM accepted), 3000::bigint, 'issue 5: facts come in time');
CREATE FUNCTION pg_temp.cells_of(wanted vigil.resolution)
  RETURNS TABLE (module_id uuid, bucket timestamptz, version_id uuid, event_type text, subject text, cell text) LANGUAGE sql AS $$
  SELECT a.module_id, CASE wanted WHEN 'hour' THEN date_trunc('hour', a.created_at, 'UTC')
                      ELSE date_trunc('day', a.created_at, vigil.time_zone_of(a.module_id)) END,
         a.version_id, a.event_type, a.subject,
         vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code, device, browser)::text
  FROM accepted a GROUP BY 1, 2, 3, 4, 5 $$;
CREATE FUNCTION pg_temp.same_days(what text) RETURNS text LANGUAGE sql AS $$
  SELECT bag_eq('SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.days', 'SELECT * FROM pg_temp.cells_of(''day'')',
                'issue 5: ' || what || ': days are what one pass makes, byte for byte') $$;
CREATE FUNCTION pg_temp.same_sums(what text) RETURNS text LANGUAGE sql AS $$
  SELECT bag_eq('SELECT module_id, version_id, event_type, subject, vigil.merge_agg(cell)::text FROM vigil.days GROUP BY 1, 2, 3, 4',
                'SELECT module_id, version_id, event_type, subject, vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id, session_id, user_key,
                   country_code, device, browser)::text FROM accepted GROUP BY 1, 2, 3, 4', 'issue 5: ' || what || ': all days together hold each fact once') $$;
CREATE FUNCTION pg_temp.facts(module uuid, starts_at timestamptz, ends_at timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM accepted a WHERE a.module_id = module AND a.created_at >= starts_at AND a.created_at < ends_at $$;
CREATE FUNCTION pg_temp.expire_all() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE total bigint := 0; n bigint; BEGIN LOOP n := vigil.expire(); EXIT WHEN n = 0; total := total + n; END LOOP; RETURN total; END $$;
SELECT sum(vigil.rollup()) FROM generate_series(1, 3) \g /dev/null
SELECT pg_temp.expire_all() \g /dev/null
SELECT pg_temp.same_days('while hours are kept');
CREATE TEMP TABLE hours_before AS SELECT * FROM vigil.cells_hour;

-- Hours stay while anything of their time may change.
UPDATE vigil.cell_policy SET hours = now() - timestamptz '2025-02-10';
SELECT results_eq('SELECT resolution, goes_before, cells FROM vigil.preview_expiry()',
  format($$VALUES ('minute'::vigil.resolution, %L::timestamptz, 0::bigint), ('hour', '2024-11-27', 0), ('day', '-infinity', 0)$$, date_trunc('hour', now() - interval '2 days')),
  'issue 5: hours stay while raw facts of their time are here');
SELECT is((SELECT held_by FROM vigil.preview_expiry() WHERE resolution = 'hour'), 'partition errors_y2024m12 has facts of that time', 'issue 5: and the preview tells which');
SELECT is(pg_temp.expire_all(), 0::bigint, 'issue 5: nothing expires');
UPDATE vigil.cell_policy SET hours = NULL;
DO $$ BEGIN WHILE EXISTS (SELECT FROM vigil.preview_retention('2025-06-30') p WHERE p.goes) OR EXISTS (SELECT FROM vigil.retired_partitions WHERE detached_at IS NULL) LOOP
  PERFORM vigil.retire_partitions('2025-06-30'); END LOOP; END $$;
UPDATE vigil.cell_policy SET hours = now() - timestamptz '2025-02-10';
SELECT matches((SELECT held_by FROM vigil.preview_expiry() WHERE resolution = 'hour'), '^partition .*_y2024m12 is neither dropped nor moved yet$', 'issue 5: hours stay in the grace period');
UPDATE vigil.retired_partitions SET finish_after = '2025-06-01';
DO $$ BEGIN WHILE vigil.retire_partitions('2025-06-30') > 0 LOOP END LOOP; END $$;
SELECT is((SELECT count(*) FROM vigil.retired_partitions WHERE finished_at IS NOT NULL), 8::bigint, 'issue 5: then four months are archived');
INSERT INTO vigil.dirty (module_id, minute) VALUES (:m2, '2025-02-12 10:00');
SELECT results_eq($$SELECT goes_before, held_by FROM vigil.preview_expiry() WHERE resolution = 'hour'$$,
  $$VALUES ('2025-02-07'::timestamptz, 'minute 2025-02-12 10:00 UTC waits for the roller')$$, 'issue 5: hours stay while their day is marked');
DELETE FROM vigil.dirty;

-- They go, in turns; days stay.
SELECT results_eq($$SELECT goes_before, cells, held_by FROM vigil.preview_expiry() WHERE resolution = 'hour'$$,
  $$SELECT '2025-02-10'::timestamptz, count(*), NULL FROM vigil.cells_hour WHERE bucket < '2025-02-10'$$, 'issue 5: the preview counts what goes');
SELECT is(vigil.delete_cells('vigil.cells_hour', '2024-12-12', 3), 3::bigint, 'issue 5: cells go in turns');
SELECT cmp_ok(pg_temp.expire_all(), '>', 1000::bigint, 'issue 5: hours expire');
SELECT is_empty($$SELECT FROM vigil.cells_hour WHERE bucket < '2025-02-10'$$, 'issue 5: all that are too old');
SELECT is((SELECT count(*) FROM vigil.cells_hour), (SELECT count(*) FROM hours_before WHERE bucket >= '2025-02-10'), 'issue 5: and no other');
SELECT pg_temp.same_days('without hours');
SELECT is((SELECT cells FROM vigil.preview_expiry() WHERE resolution = 'hour'), 0::bigint, 'issue 5: nothing is left to go');
SELECT results_eq(format($$SELECT vigil.final_until(m::uuid) FROM unnest(ARRAY[%L, %L, %L]) AS m$$, :m1, :m2, :m3),
  $$VALUES ('2025-02-14 00:00'::timestamptz), ('2025-02-13 23:00'), ('2025-02-13 18:30')$$, 'issue 5: days before a bound are final');

-- Windows: hours and minutes above the floor, whole days below.
SELECT is((SELECT events FROM vigil.window_stats(m, a, b)), pg_temp.facts(m, x, y), format('issue 5: window of %s from %s to %s', left(m::text, 1), a, b))
FROM (VALUES (:m1::uuid, '2024-12-01'::timestamptz, '2025-04-01'::timestamptz, '2024-12-01'::timestamptz, '2025-04-01'::timestamptz),
             (:m2, '2024-12-01', '2025-04-01', '2024-12-01', '2025-04-01'),
             (:m3, '2024-12-01', '2025-04-01', '2024-12-01', '2025-04-01'),
             (:m3, '2025-01-01 18:30', '2025-03-01 18:30', '2025-01-01 18:30', '2025-03-01 18:30'),
             (:m1, '2025-01-10', '2025-01-20', '2025-01-10', '2025-01-20'),
             (:m2, '2025-01-09 23:00', '2025-01-19 23:00', '2025-01-09 23:00', '2025-01-19 23:00'),
             (:m2, '2025-01-10', '2025-01-20', '2025-01-10 23:00', '2025-01-19 23:00'),     -- days that it cuts are left out
             (:m1, '2025-01-10 06:00', '2025-02-20 06:00', '2025-01-11', '2025-02-20 06:00'),
             (:m1, '2025-02-10', '2025-02-11 05:00', '2025-02-10', '2025-02-11 05:00'),     -- hours are here
             (:m1, '2025-02-09', '2025-02-12', '2025-02-09', '2025-02-12'),
             (:m1, '2025-01-10 06:00', '2025-01-10 18:00', 'infinity', 'infinity')) AS t (m, a, b, x, y);
SELECT is((SELECT array_agg(events ORDER BY bucket) FROM vigil.series(:m2, '2025-01-01 23:00', '2025-03-01 23:00', '1 day')),
  (SELECT array_agg(pg_temp.facts(:m2, d, d + interval '1 day') ORDER BY d) FROM generate_series('2025-01-01 23:00'::timestamptz, '2025-02-28 23:00', '1 day') AS d), 'issue 5: series of days');
SELECT is((SELECT sum(total_renders) FROM vigil.module_analytics_daily WHERE version_id IS NULL), (SELECT count(*) FROM accepted WHERE event_type = 'render'), 'S0-118: analytics of days');
SELECT is_empty($$WITH windows AS MATERIALIZED (
    SELECT row_number() OVER () AS number, m::uuid AS module_id, a AS starts_at, b AS ends_at
    FROM unnest('{11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222}'::text[]) AS m,
         (VALUES ('2024-12-01'::timestamptz, '2025-04-01'::timestamptz), ('2025-01-10 06:00', '2025-02-20 06:30'), ('2025-02-10', '2025-02-11 05:00'),
                 ('2025-01-10', '2025-01-20'), ('2025-02-20', '2025-03-01'), (NULL, '2025-03-01')) AS t (a, b)),
  together AS (
    SELECT c.number, vigil.merge_agg(c.cell)::text
    FROM (SELECT array_agg(module_id ORDER BY number) AS m, array_agg(starts_at ORDER BY number) AS s, array_agg(ends_at ORDER BY number) AS e FROM windows) w,
         LATERAL vigil.cells_of_windows(w.m, w.s, w.e) c GROUP BY 1),
  alone AS (SELECT w.number, vigil.merge_agg(c.cell)::text FROM windows w, LATERAL vigil.window_cells(w.module_id, w.starts_at, w.ends_at) c GROUP BY 1)
  SELECT * FROM together EXCEPT SELECT * FROM alone UNION ALL (SELECT * FROM alone EXCEPT SELECT * FROM together)$$,
  'issue 5: windows on both sides of the floor, read at once');

SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('moduleId', :m2, 'timestamp', now() - interval '1 hour'))) \g /dev/null
INSERT INTO accepted SELECT * FROM vigil.facts f WHERE f.created_at > now() - interval '2 hours';
SELECT is((SELECT events FROM vigil.window_stats(:m2, '2024-12-01', ends_at)), pg_temp.facts(:m2, '2024-12-01', ends_at), 'issue 5: with marked minutes, until ' || until)
FROM (VALUES ('now', now()), ('the day after tomorrow', now() + interval '2 days')) AS t (until, ends_at);
SELECT pg_temp.same_days('with marked minutes');
SELECT vigil.rollup() \g /dev/null

-- Nothing changes what is final.
INSERT INTO vigil.dirty (module_id, minute) VALUES (:m2, '2025-01-12 10:00'), (:m2, '2025-02-13 22:59');
SELECT is(vigil.rollup(), 0::bigint, 'issue 5: marks of final days are dropped');
SELECT is_empty('SELECT FROM vigil.dirty', 'issue 5: all of them');
SELECT pg_temp.same_days('after marks');
SELECT is(vigil.restore_partition('events_y2025m01') > 0, true, 'issue 5: an archived partition comes back');
SELECT is((vigil.track_event(pg_temp.event('{"timestamp": "2025-01-12T10:00:00Z"}'))).accepted, 1, 'issue 5: and takes facts, which are not counted any more');
SELECT is(vigil.rollup(), 0::bigint, 'issue 5: their marks are dropped');
SELECT is(vigil.mark_hours(:m1, '2025-01-10', '2025-01-12'), 0::bigint, 'issue 5: final hours are not counted again');
SELECT is_empty($$SELECT vigil.cell_differences('11111111-1111-4111-8111-111111111111', '2025-01-12 10:00')$$, 'issue 5: nor verified');
TRUNCATE vigil.events_y2025m01;
SELECT is(vigil.rollup(), 0::bigint, 'issue 5: nor lost with the partition');
SELECT pg_temp.same_days('after all that');
UPDATE vigil.cell_policy SET hours = now() - timestamptz '2025-02-12';
SELECT is(pg_temp.expire_all(), 0::bigint, 'issue 5: while its facts are here, the floor does not rise');
SELECT is((SELECT hour_floor FROM vigil.rollup_state), '2025-02-10'::timestamptz, 'issue 5: nor fall');
DROP TABLE vigil.events_y2025m01, vigil.errors_y2025m01;
INSERT INTO vigil.retired_partitions (parent, partition, starts_at, ends_at, estimated_rows, bytes, closed_at, detached_at, finish_after, finished_at)
SELECT t, t || '_y2025m01', '2025-01-01', '2025-02-01', 1, 1, now(), now(), now(), now() FROM unnest(ARRAY['events', 'errors']) AS t;

-- Another zone: final days stay, the others begin anew, and where they meet no fact is lost or doubled.
CREATE TEMP TABLE days_before AS SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.cells_day;
CREATE FUNCTION pg_temp.same_after_change(m uuid, zone text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM vigil.set_time_zone(m, zone);
  RETURN NEXT pg_temp.same_sums('in ' || zone);
  RETURN NEXT bag_eq(format('SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.days WHERE bucket >= vigil.final_until(%L)', m),
                     format('SELECT * FROM pg_temp.cells_of(''day'') WHERE bucket >= vigil.final_until(%L)', m), 'issue 5: in ' || zone || ': the others are made anew');
END $$;
SELECT pg_temp.same_after_change(:m1, z) FROM unnest(ARRAY['Europe/Amsterdam', 'America/New_York', 'Pacific/Auckland', 'UTC', 'Pacific/Honolulu']) AS z;
SELECT bag_eq($$SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.cells_day WHERE bucket < '2025-02-10'$$,
  $$SELECT * FROM days_before WHERE bucket < '2025-02-10'$$, 'issue 5: days whose hours are gone stay as they were');
SELECT is_empty($$SELECT FROM vigil.days WHERE module_id = '11111111-1111-4111-8111-111111111111' AND bucket < '2025-02-10' AND day <> (bucket AT TIME ZONE 'UTC')::date$$,
  'issue 5: and keep their date, in Honolulu');
UPDATE vigil.cell_policy SET hours = now() - timestamptz '2025-02-11';
SELECT pg_temp.expire_all() \g /dev/null
SELECT pg_temp.same_after_change(:m1, z) FROM unnest(ARRAY['Europe/Amsterdam', 'America/New_York']) AS z;
DELETE FROM vigil.modules WHERE module_id = :m1;
SELECT pg_temp.same_sums('without a zone');
SELECT is((SELECT events FROM vigil.window_stats(:m1, '2024-12-01', '2025-04-01')), pg_temp.facts(:m1, '-infinity', 'infinity'), 'issue 5: windows too');

-- Late facts: counted as long as there are hours.
UPDATE vigil.partition_policy SET late = 'count';
SELECT is((vigil.track_batch(jsonb_build_array(pg_temp.event('{"timestamp": "2025-01-12T10:00:00Z"}'), pg_temp.event('{"timestamp": "2025-02-20T10:00:00Z"}')))).quarantined, 2, 'design 6: two late facts');
SELECT is(vigil.count_late_facts(), 1::bigint, 'design 6: that whose hour cells are here is counted');
SELECT results_eq('SELECT cause, remedy FROM (SELECT problem AS cause, remedy FROM vigil.check_quarantine()) t WHERE cause ~ ''hour cells of their time have expired$'' AND remedy ~ ''^DELETE''',
  'SELECT problem, remedy FROM vigil.check_quarantine()', 'design 6: the doctor knows why the other waits');

-- Days expire, too, where somebody wants that.
UPDATE vigil.cell_policy SET days = now() - timestamptz '2025-01-10';
SELECT is((SELECT cells FROM vigil.preview_expiry() WHERE resolution = 'day'), (SELECT count(*) FROM vigil.cells_day WHERE bucket < '2025-01-10'), 'issue 5: the preview counts days');
SELECT cmp_ok(pg_temp.expire_all(), '>', 0::bigint, 'issue 5: days expire');
SELECT is((SELECT min(bucket) >= '2025-01-10' FROM vigil.cells_day), true, 'issue 5: those that are too old');
UPDATE vigil.cell_policy SET hours = NULL, days = NULL;
SELECT is(pg_temp.expire_all(), 0::bigint, 'issue 5: and none when the policy keeps all');
SELECT is((SELECT hour_floor FROM vigil.rollup_state), '2025-02-11'::timestamptz, 'issue 5: what is gone stays gone');

SELECT * FROM finish();
ROLLBACK;
