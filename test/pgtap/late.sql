-- Facts that come when those of their time were retired: counted once, exactly, in any order, and known as late.
BEGIN;
\ir include/setup.sql
SET LOCAL client_min_messages = error;
SELECT plan(53);
CREATE SCHEMA archive;
UPDATE vigil.partition_policy SET past = '0', ahead = '20 days', archive_schema = 'archive';
SELECT results_eq('SELECT parent, late FROM vigil.partition_policy ORDER BY 1', $$VALUES ('errors', 'count'), ('events', 'count')$$, 'design 6: late facts are counted unless the policy says otherwise');
SELECT throws_ok($$UPDATE vigil.partition_policy SET late = 'drop'$$, '23514', NULL, 'design 6: another word is refused');

-- January 2025, of two modules; the days of one begin within an hour.
SELECT count(*) FROM vigil.maintain_partitions(at => '2025-01-15') \g /dev/null
SELECT vigil.set_time_zone(:m2, 'Asia/Kolkata') \g /dev/null
CREATE FUNCTION pg_temp.send(first integer, last integer, start timestamptz) RETURNS vigil.ingest_result LANGUAGE sql AS $$
  SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object(
    'moduleId', (ARRAY['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'])[1 + n % 2],
    'eventType', (ARRAY['render', 'api_call', 'error', 'custom'])[1 + n % 4], 'eventName', 'n' || n % 7, 'subject', 's' || n % 5,
    'durationMs', n % 90, 'value', n % 11 / 3.0, 'memoryUsageKb', n, 'sessionId', 'p' || n % 40, 'userId', 'u' || n % 30, 'countryCode', (ARRAY['DE', 'NL'])[1 + n % 2],
    'sampleWeight', CASE WHEN n % 5 < 2 THEN vigil.sample_weight(0.3) END, 'siteId', md5('site' || n % 9)::uuid, 'versionId', CASE WHEN n % 3 = 0 THEN md5('version' || n % 2)::uuid END,
    'payload', jsonb_build_object('errorName', 'E' || n % 3), 'metadata', '{"device": "phone", "browser": "B"}'::jsonb,
    'timestamp', start + n * interval '37 minutes 7.000003 seconds')) FROM generate_series(first, last) AS n))
$$;
CREATE FUNCTION pg_temp.send_errors(first integer, last integer, start timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT count((vigil.track_error(pg_temp.error(jsonb_build_object('errorName', 'E' || n % 3, 'sessionId', 'p' || n, 'userId', 'u' || n % 3, 'sampleWeight', 1 + n % 3,
    'timestamp', start + n * interval '41 minutes'))))) FROM generate_series(first, last) AS n
$$;
SELECT pg_temp.send(1, 1000, '2025-01-01'), pg_temp.send_errors(1, 200, '2025-01-10') \g /dev/null
SELECT is((SELECT count(*) FROM vigil.facts), 1200::bigint, 'design 6: facts come in time');

-- Quarantine is read as the tables are.
INSERT INTO vigil.quarantine (module_id, id, fact, created_at, reason, content)
SELECT module_id, id, 'events', created_at, 'r', to_jsonb(e) FROM vigil.events e UNION ALL SELECT module_id, id, 'errors', created_at, 'r', to_jsonb(e) FROM vigil.errors e;
CREATE FUNCTION pg_temp.read(source regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE format(
  'SELECT (module_id, created_at, version_id, event_type, subject, name, success, duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code, device, browser, sample_weight)::text FROM %s', source); END $$;
SELECT bag_eq($$SELECT pg_temp.read('vigil.quarantined_facts')$$, $$SELECT pg_temp.read('vigil.facts')$$, 'design 6: a fact in quarantine counts as the same fact in its table');
TRUNCATE vigil.quarantine;

-- All facts that were ever accepted, and what one pass over them makes.
CREATE TEMP TABLE accepted AS SELECT f.*, false AS late FROM vigil.facts f;
CREATE FUNCTION pg_temp.cells_of(wanted vigil.resolution, all_of boolean DEFAULT true)
  RETURNS TABLE (module_id uuid, bucket timestamptz, version_id uuid, event_type text, subject text, cell text) LANGUAGE sql AS $$
  SELECT a.module_id, CASE wanted WHEN 'hour' THEN date_trunc('hour', a.created_at, 'UTC')
                      ELSE date_trunc('day', a.created_at, vigil.time_zone_of(a.module_id)) END,
         a.version_id, a.event_type, a.subject,
         vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code, device, browser, sample_weight)::text
  FROM accepted a WHERE all_of OR a.late GROUP BY 1, 2, 3, 4, 5 $$;
CREATE FUNCTION pg_temp.same(what text, all_of boolean DEFAULT true) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT bag_eq('SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.hours',
                format('SELECT * FROM pg_temp.cells_of(%L, %L)', 'hour', all_of), 'design 6: ' || what || ': hours are what one pass makes, byte for byte')
  UNION ALL
  SELECT bag_eq('SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.days',
                format('SELECT * FROM pg_temp.cells_of(%L, %L)', 'day', all_of), 'design 6: ' || what || ': days too') $$;
-- Windows of whole minutes, all at once.
CREATE FUNCTION pg_temp.wrong_windows() RETURNS SETOF text LANGUAGE sql AS $$
  WITH windows AS MATERIALIZED (
    SELECT row_number() OVER () AS number, m::uuid AS module_id, s AS starts_at, s + width AS ends_at
    FROM unnest('{11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222}'::text[]) AS m,
         unnest('{2025-01-05 00:10,2025-01-06 23:59,2025-01-12 05:00,2025-01-20 10:10}'::timestamptz[]) AS s,
         unnest('{1 min,50 min,2 hours,17 hours 13 min,9 days}'::interval[]) AS width),
  asked AS (SELECT array_agg(module_id ORDER BY number) AS modules, array_agg(starts_at ORDER BY number) AS starts, array_agg(ends_at ORDER BY number) AS ends FROM windows),
  read AS (SELECT r.number, r.version_id, r.event_type, r.subject, vigil.merge_agg(r.cell)::text AS cell
           FROM asked a, LATERAL vigil.cells_of_windows(a.modules, a.starts, a.ends) r GROUP BY 1, 2, 3, 4),
  counted AS (SELECT w.number, a.version_id, a.event_type, a.subject,
                vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code, device, browser, sample_weight)::text AS cell
              FROM windows w JOIN accepted a USING (module_id) WHERE a.created_at >= w.starts_at AND a.created_at < w.ends_at GROUP BY 1, 2, 3, 4),
  sums AS (SELECT r.number, vigil.cell_count(vigil.measures_agg(r.cell)) FROM asked a, LATERAL vigil.cells_of_windows(a.modules, a.starts, a.ends, measures_only => true) r GROUP BY 1),
  counts AS (SELECT w.number, count(*) FROM windows w JOIN accepted a USING (module_id) WHERE a.created_at >= w.starts_at AND a.created_at < w.ends_at GROUP BY 1)
  SELECT t::text FROM ((TABLE read EXCEPT ALL TABLE counted) UNION ALL (TABLE counted EXCEPT ALL TABLE read)) t
  UNION ALL
  SELECT t::text FROM ((TABLE sums EXCEPT ALL TABLE counts) UNION ALL (TABLE counts EXCEPT ALL TABLE sums)) t
$$;
SELECT sum(vigil.rollup()) FROM generate_series(1, 3) \g /dev/null
SELECT vigil.expire() \g /dev/null
SELECT pg_temp.same('in time');

-- While facts of the time can come back, late ones wait.
SELECT is(vigil.retire_partitions('2025-06-01') > 0, true, 'issue 5: the partitions are closed');
SELECT is((pg_temp.send(2001, 2060, '2024-11-15')).quarantined, 60, 'design 6: late facts go to quarantine');
SELECT is(vigil.replay_quarantine() + vigil.count_late_facts(), 0::bigint, 'design 6: and wait while a partition is being retired');
DO $$ BEGIN WHILE EXISTS (SELECT FROM vigil.retired_partitions WHERE detached_at IS NULL) LOOP PERFORM vigil.retire_partitions('2025-06-01'); END LOOP; END $$;
SELECT is(vigil.count_late_facts(), 0::bigint, 'design 6: and in its grace period');
SELECT matches((SELECT problem FROM vigil.check_quarantine()), ': they are counted when what was retired of their time has been dropped or archived$', 'design 6: the doctor knows what they wait for');
SELECT results_eq('SELECT sum(counted), sum(waiting) FROM vigil.late_facts', 'VALUES (0::numeric, 60::numeric)', 'design 6: they are visible as late');
UPDATE vigil.retired_partitions SET finish_after = '2025-06-01';
UPDATE vigil.partition_policy SET grace = '0';
DO $$ BEGIN WHILE vigil.retire_partitions('2025-06-01') > 0 LOOP END LOOP; END $$;
SELECT is((SELECT count(*) FROM vigil.retired_partitions WHERE finished_at IS NULL), 0::bigint, 'issue 5: then the tables are archived');

-- As the policy says.
UPDATE vigil.partition_policy SET late = 'wait';
SELECT is(vigil.count_late_facts(), 0::bigint, 'design 6: a policy lets late facts wait');
SELECT matches((SELECT remedy FROM vigil.check_quarantine()), 'late = ''count''', 'design 6: the doctor knows what would count them');
UPDATE vigil.partition_policy SET late = 'count';
SELECT matches((SELECT problem FROM vigil.check_quarantine()), 'not counted yet$', 'design 6: or that they are due');
SELECT throws_ok(format('SELECT vigil.count_late_facts(%s)', n), '22023', NULL, 'design 6: max_rows ' || n || ' is refused') FROM unnest('{0,NULL::integer}'::text[]) AS n;
UPDATE vigil.rollup_state SET minute_floor = '2025-01-01';
SELECT is(vigil.count_late_facts(), 0::bigint, 'design 6: while there are minute cells, late facts wait');
SELECT vigil.expire() \g /dev/null

-- Counted, in turns of any size, in any order.
INSERT INTO accepted SELECT f.module_id, f.created_at, f.version_id, f.event_type, f.subject, f.name, f.success, f.duration_ms, f.value, f.memory_usage_kb,
  f.site_id, f.session_id, f.user_key, f.country_code, f.device, f.browser, f.sample_weight, true FROM vigil.quarantined_facts f;
SELECT results_eq('SELECT vigil.count_late_facts(n) FROM (VALUES (1), (7), (100), (100)) AS t (n)', 'VALUES (1::bigint), (7), (52), (0)', 'design 6: late facts are counted in turns, once');
SELECT is_empty('SELECT FROM vigil.quarantine', 'design 6: none waits any more');
SELECT pg_temp.same('late events');
SELECT is_empty('SELECT FROM vigil.dirty', 'design 6: and nothing has to be recomputed');
SELECT results_eq('SELECT sum(counted), sum(waiting) FROM vigil.late_facts', 'VALUES (60::numeric, 0::numeric)', 'design 6: they stay visible as late');
SELECT is((SELECT count(*) FROM vigil.late_facts), (SELECT count(DISTINCT (module_id, date_trunc('hour', created_at))) FROM accepted WHERE late), 'design 6: hour by hour');
SELECT is(pg_temp.send_errors(201, 230, '2025-01-10'), 30::bigint, 'design 6: late errors come too');
SELECT pg_temp.send(2061, 2100, '2024-11-15') \g /dev/null
-- More subjects than a minute keeps apart.
SELECT (vigil.track_batch((SELECT jsonb_agg(pg_temp.event(jsonb_build_object('subject', 'many' || n, 'timestamp', '2025-01-20T10:10:00Z'))) FROM generate_series(1, 120) AS n))).quarantined \g /dev/null
INSERT INTO accepted SELECT f.module_id, f.created_at, f.version_id, f.event_type, f.subject, f.name, f.success, f.duration_ms, f.value, f.memory_usage_kb,
  f.site_id, f.session_id, f.user_key, f.country_code, f.device, f.browser, f.sample_weight, true FROM vigil.quarantined_facts f;
SELECT is(vigil.replay_quarantine() + vigil.count_late_facts(), 190::bigint, 'design 6: all are counted');
SELECT pg_temp.same('more of all kinds');
SELECT is((SELECT count(*) FROM vigil.late_cells WHERE bucket = '2025-01-20 10:10' AND subject LIKE 'many%'), 120::bigint, 'design 6: each under its own subject');
SELECT is((SELECT sum(total_occurrences) FROM vigil.module_error_groups), 230::bigint, 'S0-33: late errors count in their group');
SELECT is((SELECT sum(total_renders) FROM vigil.module_analytics_daily WHERE version_id IS NULL), (SELECT count(*) FROM accepted WHERE event_type = 'render'),
  'S0-118: and late events in analytics');
SELECT is((SELECT events FROM vigil.window_stats(:m1, '2025-01-03', '2025-01-21')), (SELECT count(*) FROM accepted WHERE module_id = :m1 AND created_at >= '2025-01-03' AND created_at < '2025-01-21'),
  'design 6: in windows of whole hours, too');
SELECT is((SELECT estimated_events FROM vigil.window_stats(:m1, '2025-01-03', '2025-01-21')),
  (SELECT vigil.sum(vigil.exact_sum_agg(coalesce(sample_weight, 1)))
   FROM accepted WHERE module_id = :m1 AND created_at >= '2025-01-03' AND created_at < '2025-01-21'),
  'S1-74: with their weights');

-- Days of another zone, made of hours.
SELECT vigil.set_time_zone(:m1, 'Europe/Amsterdam') \g /dev/null
SELECT pg_temp.same('in another zone');

-- The facts come back: cells are made of them and of what was late, once.
SELECT is(vigil.restore_partition('events_y2025m01') > 0, true, 'issue 5: a partition is restored');
SELECT is((SELECT count(DISTINCT (module_id, minute)) FROM vigil.dirty), (SELECT count(DISTINCT (module_id, date_trunc('minute', created_at))) FROM accepted WHERE late),
  'design 6: minutes with late facts are marked');
SELECT pg_temp.same('restored');
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'design 6: windows hold both, while they are marked');
SELECT sum(vigil.rollup()) FROM generate_series(1, 3) \g /dev/null
SELECT pg_temp.same('rolled up again');
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'design 6: and rolled up');
SELECT is((SELECT count(*) FROM vigil.cells_hour c WHERE vigil.verify_hour(c.module_id, c.bucket) > 0), 0::bigint, 'design 6: the verifier agrees');
SELECT is(vigil.mark_dirty(:m1, '2025-01-06', '2025-01-07'), 1440::bigint, 'design 6: what is restored can be counted again');
SELECT sum(vigil.rollup()) FROM generate_series(1, 3) \g /dev/null
SELECT pg_temp.same('recomputed');
SELECT is((pg_temp.send(2101, 2110, '2024-11-15')).accepted, 10, 'issue 5: now such facts are stored');
DELETE FROM vigil.events;
TRUNCATE vigil.errors;
SELECT sum(vigil.rollup()) FROM generate_series(1, 10) \g /dev/null
SELECT pg_temp.same('without the facts that are here', false);
SELECT is(vigil.count_late_facts(), 0::bigint, 'design 6: nothing is counted twice');

SELECT * FROM finish();
ROLLBACK;
