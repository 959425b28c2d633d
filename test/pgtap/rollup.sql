-- The roller: views equal a recompute from raw rows whatever happens to the facts, before and after it.
BEGIN;
\ir include/setup.sql
\ir include/recompute.sql
SELECT plan(141);

-- Half a year of partitions around the clock changes of Berlin, and now.
UPDATE vigil.partition_policy SET past = '400 days';
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

-- Rows of two modules in 31 places of the given time, with at most 50 different durations.
CREATE FUNCTION pg_temp.fill(starts_at timestamptz, ends_at timestamptz, how_many integer) RETURNS void LANGUAGE sql AS $$
  INSERT INTO vigil.events (module_id, created_at, version_id, site_id, duration_ms, memory_usage_kb, success, event_type, event_name,
                            session_id, country_code, device_type, browser, payload, metadata, sample_weight)
  SELECT CASE WHEN n % 3 = 0 THEN '22222222-2222-4222-8222-222222222222' ELSE '11111111-1111-4111-8111-111111111111' END::uuid,
         starts_at + (ends_at - starts_at) * (n % 31 / 31.0) + n * 7919 % 20000 * interval '1 ms',
         CASE n % 4 WHEN 1 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1' WHEN 2 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2' END::uuid,
         CASE WHEN n % 13 > 0 THEN md5((n % 9)::text)::uuid END, CASE WHEN n % 5 > 0 THEN n % 50 * 2.5 END,
         CASE WHEN n % 6 = 0 THEN n % 100 * 1024 END, CASE WHEN n % 17 = 0 THEN true WHEN n % 19 = 0 THEN false END,
         (ARRAY['render', 'api_call', 'user_interaction', 'error', 'performance', 'hook_execution', 'render', 'deployment'])[1 + n % 8],
         (ARRAY['api_success', 'api_error', 'click', 'submit', 'mounted'])[1 + n % 5], CASE WHEN n % 11 > 0 THEN 's' || n % 40 END,
         (ARRAY['US', 'DE', 'IN', NULL])[1 + n % 4], (ARRAY['desktop', NULL, 'mobile'])[1 + n % 3], (ARRAY['Chrome', NULL])[1 + n % 2],
         CASE WHEN n % 2 = 0 THEN '{"errorName": "TypeError"}' ELSE '{}' END::jsonb,
         CASE WHEN n % 7 = 0 THEN '{"device": "tablet", "browser": "Safari"}' ELSE '{}' END::jsonb, CASE n % 23 WHEN 0 THEN 10 WHEN 1 THEN 10 / 3.0 END
  FROM generate_series(1, how_many) AS n;
  INSERT INTO vigil.errors (module_id, created_at, version_id, site_id, error_type, error_name, error_message, fingerprint, session_id, country_code, browser)
  SELECT '11111111-1111-4111-8111-111111111111', starts_at + (ends_at - starts_at) * (n % 31 / 31.0) + n * 7919 % 20000 * interval '1 ms',
         CASE WHEN n % 2 = 1 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1' END::uuid, md5((n % 5)::text)::uuid, 'javascript',
         (ARRAY['TypeError', 'NetworkError', 'RangeError'])[1 + n % 3], 'message', 'f' || n % 3, 's' || n % 60, 'FR', 'Firefox'
  FROM generate_series(1, how_many / 10) AS n;
$$;

-- Cells of 123 windows that are not those of their facts, or not the same when each window is asked for alone.
CREATE FUNCTION pg_temp.wrong_windows() RETURNS SETOF text LANGUAGE sql AS $$
  WITH windows AS MATERIALIZED (
    SELECT row_number() OVER () AS number, t.*
    FROM (SELECT m::uuid AS module_id, s AS starts_at, s + width AS ends_at
          FROM unnest('{11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222,99999999-1111-4111-8111-111111111111}'::text[]) AS m,
               unnest('{1 us,40 s,1 min,5 min,59 min,1 hour,3 hours 20 min,26 hours}'::interval[]) AS width,
               unnest(ARRAY[now() - interval '29 hours', date_trunc('hour', now()) - interval '28 hours',
                            date_trunc('minute', now()) - interval '5 hours 7 min', now() - interval '61 min 13.000007 s',
                            date_trunc('hour', now()) - interval '62 min 17.5 s']) AS s
          UNION ALL VALUES (NULL::uuid, now() - interval '1 day', now()), ('11111111-1111-4111-8111-111111111111', NULL, now()),
                           ('11111111-1111-4111-8111-111111111111', now(), now() - interval '1 day')) t),
  together AS MATERIALIZED (
    SELECT c.number, c.version_id, c.event_type, c.subject, vigil.merge_agg(c.cell)::text
    FROM (SELECT array_agg(w.module_id ORDER BY w.number) AS modules, array_agg(w.starts_at ORDER BY w.number) AS starts, array_agg(w.ends_at ORDER BY w.number) AS ends
          FROM windows w) g, LATERAL vigil.cells_of_windows(g.modules, g.starts, g.ends) c GROUP BY 1, 2, 3, 4),
  measures AS MATERIALIZED (
    SELECT short, c.number, c.event_type, vigil.measures_agg(c.cell)::text
    FROM (SELECT array_agg(w.module_id ORDER BY w.number) AS modules, array_agg(w.starts_at ORDER BY w.number) AS starts, array_agg(w.ends_at ORDER BY w.number) AS ends
          FROM windows w) g, (VALUES (true), (false)) AS s (short), LATERAL vigil.cells_of_windows(g.modules, g.starts, g.ends, short) c GROUP BY 1, 2, 3),
  alone AS MATERIALIZED (
    SELECT w.number, c.version_id, c.event_type, c.subject, vigil.merge_agg(c.cell)::text
    FROM windows w, LATERAL vigil.window_cells(w.module_id, w.starts_at, w.ends_at) c GROUP BY 1, 2, 3, 4),
  counted AS MATERIALIZED (
    SELECT w.number, f.version_id, f.event_type, f.subject,
           vigil.cell_agg(f.created_at, f.name, f.success, f.duration_ms, f.value, f.memory_usage_kb, f.site_id, f.session_id, f.user_key, f.country_code, f.device, f.browser, f.sample_weight)::text
    FROM windows w JOIN vigil.facts f ON f.module_id = w.module_id AND f.created_at >= w.starts_at AND f.created_at < w.ends_at GROUP BY 1, 2, 3, 4)
  SELECT t::text FROM (
    (TABLE together EXCEPT ALL TABLE counted) UNION ALL (TABLE counted EXCEPT ALL TABLE together)
    UNION ALL (TABLE alone EXCEPT ALL TABLE counted) UNION ALL (TABLE counted EXCEPT ALL TABLE alone)) t
  UNION ALL
  SELECT 'measures of ' || number || ' ' || event_type FROM measures m GROUP BY number, event_type HAVING count(*) <> 2 OR min(m.measures_agg) <> max(m.measures_agg)
$$;

SELECT is_empty('SELECT FROM vigil.module_analytics_hourly', 'D-26: without facts there are no rows');
SELECT is(vigil.rollup(), 0::bigint, 'S0-57: and nothing to roll up');

-- Inserts, and rolling up in slices ---------------------------------------------------------------------

SELECT pg_temp.fill(date_trunc('day', now()) - interval '30 hours', now() - interval '1 minute', 1000) \g /dev/null
-- neighbours, on both sides of an hour
SELECT pg_temp.fill(date_trunc('hour', now()) - interval '64 minutes', date_trunc('hour', now()) - interval '56 minutes', 200) \g /dev/null
SELECT is_empty('SELECT pg_temp.differences()', 'S0-92: views equal the raw rows at once');
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'S0-100: windows of many modules hold their facts when all is marked');
SELECT is(vigil.rollup(7), 7::bigint, 'S0-57: a slice takes as many minutes as it may');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-92: and the views do not notice');
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'S0-100: when some is rolled up');
SELECT is((SELECT sum(vigil.rollup(40)) > 0 FROM generate_series(1, 10)), true, 'S0-57: the rest in slices of 40');
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'S0-100: when all is');
SELECT is_empty('SELECT FROM vigil.dirty', 'S0-57: leaves no mark');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-57: and the views equal the raw rows');
CREATE TEMP TABLE cells AS SELECT c.module_id, c.resolution, c.bucket, c.version_id, c.event_type, c.subject, c.cell::text FROM vigil.cells c;
SELECT is(vigil.rollup(), 0::bigint, 'S0-57: a second run has nothing to do');
SELECT vigil.mark_dirty(m, now() - interval '5 hours', now()) FROM (VALUES (:m1::uuid), (:m2)) AS t (m) \g /dev/null
SELECT is_empty('SELECT pg_temp.differences()', 'S0-57: marking all again changes no view');
SELECT vigil.rollup(100000) \g /dev/null
SELECT is_empty($$(SELECT c.module_id, c.resolution, c.bucket, c.version_id, c.event_type, c.subject, c.cell::text FROM vigil.cells c EXCEPT ALL SELECT * FROM cells)
  UNION ALL (SELECT * FROM cells EXCEPT ALL SELECT c.module_id, c.resolution, c.bucket, c.version_id, c.event_type, c.subject, c.cell::text FROM vigil.cells c)$$,
  'S0-57: run twice, every cell has the same bytes');
SELECT bucket AS hour FROM vigil.cells_hour WHERE module_id = :m1 ORDER BY bucket LIMIT 1 \gset
CREATE TEMP VIEW places AS SELECT c.ctid AS place FROM vigil.cells_hour c WHERE c.module_id = :m1 AND c.bucket = :'hour';
CREATE TEMP TABLE places_before AS TABLE places;
SELECT vigil.mark_dirty(:m1, :'hour', :'hour'::timestamptz + interval '2 minutes') \g /dev/null
SELECT is(vigil.rollup(1), 1::bigint, 'issue 5: one of two marked minutes of an hour');
SELECT set_eq('TABLE places', 'TABLE places_before', 'issue 5: the hour waits for the last of its marks');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-92: and is read from its minutes meanwhile');
SELECT vigil.rollup() \g /dev/null
SELECT is_empty('TABLE places INTERSECT TABLE places_before', 'issue 5: then it is merged');
SELECT is_empty($$WITH one_by_one AS (
    SELECT m.module_id, r.version_id, r.event_type, r.subject, r.bucket, r.cell::text
    FROM (SELECT DISTINCT module_id FROM vigil.facts) m, LATERAL vigil.raw_cells(m.module_id, now() - interval '20 hours', now()) r),
  together AS (SELECT r.module_id, r.version_id, r.event_type, r.subject, r.bucket, r.cell::text FROM vigil.raw_cells(now() - interval '20 hours', now()) r)
  (SELECT * FROM one_by_one EXCEPT ALL SELECT * FROM together) UNION ALL (SELECT * FROM together EXCEPT ALL SELECT * FROM one_by_one)$$,
  'S0-57: cells of all modules in one pass are those of each');
SELECT is((SELECT sum(vigil.cell_count(cell)) FROM vigil.raw_cells('-infinity', 'infinity')), (SELECT count(*)::numeric FROM vigil.facts), 'S0-57: and count every fact');
SELECT is_empty(format('SELECT FROM vigil.raw_cells(%s)', arguments), 'S0-57: no cells for ' || arguments)
FROM unnest(ARRAY[$$NULL, now()$$, $$now(), now() - interval '1 day'$$, $$'11111111-1111-4111-8111-111111111111', NULL, now()$$, $$gen_random_uuid(), '-infinity', 'infinity'$$]) AS arguments;
SELECT throws_ok(format('SELECT vigil.raw_cells_of_windows(%s)', arguments), '22023', NULL, 'S0-57: refused: ' || arguments)
FROM unnest(ARRAY[$$ARRAY[gen_random_uuid()], '{}', '{}'$$, $$ARRAY[gen_random_uuid()], ARRAY[now()], ARRAY[now(), now()]$$]) AS arguments;
SELECT is_empty($$WITH windows AS MATERIALIZED (
    SELECT row_number() OVER () AS number, m::uuid AS module_id, date_trunc('hour', now()) - interval '1 hour' + s AS starts_at, date_trunc('hour', now()) - interval '1 hour' + e AS ends_at
    FROM unnest('{11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222}'::text[]) AS m,
         unnest('{-4 min,-200 s,-3 min,-2 min,-2 min,-1 min,0,90 s,0,-5 min,1 min}'::interval[],
                '{-200 s,-3 min,-2 min,-1 min,-1 min,0,90 s,3 min,1 min,4 min,1 min}'::interval[]) AS t (s, e)
    WHERE s < '1 min' OR m LIKE '1%'),
  together AS (
    SELECT r.* FROM (SELECT array_agg(module_id ORDER BY number) AS m, array_agg(starts_at ORDER BY number) AS s, array_agg(ends_at ORDER BY number) AS e FROM windows) w,
                    LATERAL vigil.raw_cells_of_windows(w.m, w.s, w.e) r),
  alone AS (SELECT w.number, r.* FROM windows w, LATERAL vigil.raw_cells(w.module_id, w.starts_at, w.ends_at) r)
  SELECT number, version_id, event_type, subject, bucket, cell::text FROM together EXCEPT ALL SELECT number, version_id, event_type, subject, bucket, cell::text FROM alone
  UNION ALL (SELECT number, version_id, event_type, subject, bucket, cell::text FROM alone EXCEPT ALL SELECT number, version_id, event_type, subject, bucket, cell::text FROM together)$$,
  'S0-57: windows that follow one another are told apart');
SELECT is_empty($$SELECT FROM vigil.cells_of_windows('{}', '{}', '{}')$$, 'S0-57: no windows, no cells');
SELECT is_empty($$SELECT FROM vigil.cells_of_windows(NULL, NULL, NULL)$$, 'S0-57: nor for null');
SELECT throws_ok(format('SELECT vigil.rollup(%s)', n), '22023', NULL, 'S0-57: max_minutes ' || n || ' is refused') FROM unnest('{0,-1,NULL::integer}'::text[]) AS n;

-- Late, deleted, updated, truncated, copied -----------------------------------------------------------------

SELECT pg_temp.fill(now() - interval '25 days', now() - interval '20 days', 200) \g /dev/null
SELECT pg_temp.check_equal('D-09, D-10', 'late rows');
DELETE FROM vigil.events WHERE md5(id::text) < '4';
DELETE FROM vigil.errors WHERE md5(id::text) < '4';
SELECT pg_temp.check_equal('D-25', 'deleted rows');
DELETE FROM vigil.events WHERE created_at < now() - interval '20 hours';
DELETE FROM vigil.errors WHERE created_at < now() - interval '20 hours';
SELECT pg_temp.check_equal('D-25', 'hours left empty');
UPDATE vigil.events SET created_at = created_at - interval '3 hours' WHERE event_type = 'render';
SELECT pg_temp.check_equal('D-10', 'rows that move to another hour');
UPDATE vigil.events SET module_id = :m2 WHERE event_name = 'click';
UPDATE vigil.errors SET module_id = :m2 WHERE error_name = 'RangeError';
SELECT pg_temp.check_equal('D-10', 'rows that move to another module');
UPDATE vigil.events SET duration_ms = 7, event_type = 'api_call', version_id = NULL WHERE event_type = 'performance';
SELECT pg_temp.check_equal('D-10', 'rows that change type and release');
UPDATE vigil.events SET created_at = created_at - interval '40 days' WHERE event_type = 'deployment';
SELECT pg_temp.check_equal('D-10', 'rows that move to another partition');

CREATE TEMP TABLE exported AS SELECT * FROM vigil.events;
UPDATE exported SET id = vigil.uuid_v7(), created_at = now() - interval '90 minutes', duration_ms = 11;
SELECT pg_temp.copy_binary('exported', 'vigil.events') \g /dev/null
SELECT pg_temp.check_equal('D-10', 'COPY into the parent');
SELECT partition AS current_partition FROM vigil.partitions WHERE parent = 'events' AND starts_at <= now() AND ends_at > now() \gset
UPDATE exported SET id = vigil.uuid_v7(), created_at = date_trunc('month', now());
SELECT pg_temp.copy_binary('exported', ('vigil.' || :'current_partition')::regclass) \g /dev/null
SELECT pg_temp.check_equal('D-10', 'COPY into a partition');
DELETE FROM vigil.:current_partition WHERE duration_ms = 11;
SELECT pg_temp.check_equal('D-25', 'rows deleted from a partition');
UPDATE vigil.:current_partition SET duration_ms = 12 WHERE event_type = 'render';
SELECT pg_temp.check_equal('D-10', 'rows updated in a partition');
MERGE INTO vigil.events e USING (VALUES (:m1::uuid)) AS s (module_id) ON e.module_id = s.module_id AND e.event_name = 'submit'
  WHEN MATCHED AND e.event_type = 'render' THEN DELETE WHEN MATCHED THEN UPDATE SET duration_ms = 1;
SELECT pg_temp.check_equal('D-10', 'MERGE');
TRUNCATE vigil.errors;
SELECT pg_temp.check_equal('D-25', 'TRUNCATE of the errors');
TRUNCATE vigil.:current_partition;
SELECT pg_temp.check_equal('D-25', 'TRUNCATE of a partition');
TRUNCATE vigil.events;
SELECT pg_temp.check_equal('D-25', 'TRUNCATE of the events');
SELECT is_empty('SELECT FROM vigil.cells', 'D-25: nothing is left');

-- An interrupted statement leaves nothing --------------------------------------------------------------------

SELECT pg_temp.fill(now() - interval '3 hours', now(), 100) \g /dev/null
SELECT vigil.rollup() \g /dev/null
SAVEPOINT before;
SELECT pg_temp.fill(now() - interval '3 hours', now(), 100) \g /dev/null
ROLLBACK TO before;
SELECT is((SELECT count(*) FROM vigil.dirty), 0::bigint, 'D-38: a rolled back statement leaves no mark');
SELECT is_empty('SELECT pg_temp.differences()', 'D-38: and no trace in the views');

-- Old hours whose minute cells are gone -------------------------------------------------------------------------

SELECT pg_temp.fill(date_trunc('hour', now()) - interval '80 hours', now(), 500) \g /dev/null
SELECT vigil.rollup(100000) \g /dev/null
UPDATE vigil.rollup_state SET minute_floor = date_trunc('hour', now() - interval '10 hours');
DELETE FROM vigil.cells_minute WHERE bucket < (SELECT minute_floor FROM vigil.rollup_state);
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: without old minute cells the views are the same');
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'S0-118: and windows');
SELECT pg_temp.fill(date_trunc('hour', now()) - interval '70 hours', now() - interval '20 hours', 60) \g /dev/null
SELECT is_empty('SELECT pg_temp.wrong_windows()', 'C-40, D-10: windows with rows later than the minute cells');
SELECT pg_temp.check_equal('C-40, D-10', 'rows later than the minute cells');
SELECT is_empty('SELECT FROM vigil.cells_minute WHERE bucket < (SELECT minute_floor FROM vigil.rollup_state)', 'S0-118: no old minute cell comes back');
DELETE FROM vigil.events WHERE created_at < now() - interval '20 hours' AND event_type IN ('render', 'error');
SELECT pg_temp.check_equal('D-25', 'rows deleted below the minute cells');
SELECT vigil.expire() \g /dev/null
SELECT is_empty('SELECT pg_temp.differences()', 'S0-118: vigil.expire() changes no view');
SELECT is((SELECT minute_floor FROM vigil.rollup_state), date_trunc('hour', now() - interval '10 hours'), 'S0-118: the floor never sinks');

-- Raw rows that retention dropped stay counted ----------------------------------------------------------------------

TRUNCATE vigil.events, vigil.errors;
SELECT vigil.rollup(100000) \g /dev/null
INSERT INTO vigil.events (module_id, created_at, event_type, event_name) SELECT :m1, now() - interval '60 days', 'render', 'r' FROM generate_series(1, 5);
SELECT vigil.rollup() \g /dev/null
SELECT partition AS old_partition FROM vigil.partitions WHERE parent = 'events' AND starts_at <= now() - interval '60 days' AND ends_at > now() - interval '60 days' \gset
DROP TABLE vigil.:old_partition;
SELECT is((SELECT sum(total_renders) FROM vigil.module_analytics_daily), 5::bigint, 'S0-118: a dropped partition stays in the daily analytics');
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
SELECT vigil.mark_dirty(:m1, now() - interval '60 days', now() - interval '60 days' + interval '1 second') \g /dev/null
TRUNCATE vigil.cells;

-- Subjects beyond vigil.max_subjects ---------------------------------------------------------------------------------

INSERT INTO vigil.events (module_id, created_at, event_type, event_name, subject, duration_ms)
SELECT :m1, date_trunc('minute', now()), 'api_call', 'api_success', 'endpoint-' || lpad(n::text, 3, '0'), n % 60
FROM generate_series(1, 250) AS n, generate_series(1, CASE WHEN n > 200 THEN 2 ELSE 1 END);
SELECT is((SELECT (count(*), count(*) FILTER (WHERE subject = '(other)'))::text FROM vigil.minutes WHERE event_type = 'api_call'), '(101,1)',
  'S0-57: a minute keeps 100 subjects and one for the rest');
SELECT is((SELECT vigil.cell_count(cell) FROM vigil.minutes WHERE subject = '(other)'), 150::bigint, 'S0-57: which holds all the others');
SELECT pg_temp.check_equal('S0-57', 'more subjects than are kept apart');
SELECT is((SELECT sum(vigil.cell_count(cell)) FROM vigil.hours WHERE event_type = 'api_call'), 300::numeric, 'S0-57: no event is lost');
SELECT is((SELECT count(*) FROM vigil.minutes WHERE subject > 'endpoint-200'), 50::bigint, 'S0-57: the most frequent ones are kept');

-- Clocks that change, days that begin within an hour ------------------------------------------------------------------

TRUNCATE vigil.events, vigil.errors;
SELECT vigil.rollup(100000) \g /dev/null
-- the last changes of the clocks in Berlin that lie within the partitions
SELECT max(d) FILTER (WHERE extract(month FROM d) = 3) AS spring, max(d) FILTER (WHERE extract(month FROM d) = 10) AS autumn
FROM generate_series(now()::date - 390, now()::date - 3, interval '1 day') AS d
WHERE extract(isodow FROM d) = 7 AND extract(month FROM d) IN (3, 10) AND extract(day FROM d) > 24 \gset
SELECT pg_temp.fill(:'spring'::timestamptz - interval '30 hours', :'spring'::timestamptz + interval '60 hours', 300) \g /dev/null
SELECT pg_temp.fill(:'autumn'::timestamptz - interval '30 hours', :'autumn'::timestamptz + interval '60 hours', 300) \g /dev/null
INSERT INTO vigil.events (module_id, created_at, event_type, event_name)
SELECT :m1, t, 'render', 'r' FROM (VALUES (:'spring'), (:'autumn')) AS c (day),
  LATERAL generate_series(day::timestamp::timestamptz - interval '3 hours', day::timestamp::timestamptz + interval '27 hours', '15 minutes') AS t
WHERE extract(minute FROM t) IN (0, 45);
SELECT lives_ok($$SELECT vigil.set_time_zone('11111111-1111-4111-8111-111111111111', 'Europe/Berlin')$$, 'D-22: a module may have a zone');
SELECT pg_temp.check_equal('D-22', 'both changes of the clocks in Berlin');
SELECT results_eq(format($$SELECT (vigil.day_after(d AT TIME ZONE 'Europe/Berlin', 'Europe/Berlin') - d AT TIME ZONE 'Europe/Berlin')
    FROM (VALUES (timestamp %L), (%L)) AS t (d)$$, :'spring'::date, :'autumn'::date), $$VALUES (interval '23 hours'), (interval '25 hours')$$, 'D-22: one day has 23 hours, the other 25');
SELECT results_eq(format($$SELECT jsonb_array_length(hourly_breakdown) FROM vigil.module_analytics_daily WHERE module_id = '11111111-1111-4111-8111-111111111111'
    AND version_id IS NULL AND date_bucket IN (%L, %L) ORDER BY date_bucket = %2$L$$, :'spring'::date, :'autumn'::date), 'VALUES (23), (25)', 'S0-65: and as many entries by hour');
SELECT results_eq(format($$SELECT (h ->> 'hour')::integer FROM vigil.module_analytics_daily, jsonb_array_elements(hourly_breakdown) AS h WHERE module_id = '11111111-1111-4111-8111-111111111111'
    AND version_id IS NULL AND date_bucket = %L$$, :'spring'::date), 'SELECT n FROM generate_series(0, 23) AS n WHERE n <> 2', 'S0-65: in spring hour 2 is missing');
SELECT lives_ok($$SELECT vigil.set_time_zone('11111111-1111-4111-8111-111111111111', 'Asia/Kolkata')$$, 'D-22: a zone may change');
SELECT pg_temp.check_equal('D-22', 'days that begin at half past an hour');
SELECT pg_temp.fill(:'autumn'::timestamptz, :'autumn'::timestamptz + interval '20 hours', 100) \g /dev/null
SELECT pg_temp.check_equal('D-22', 'late rows in such days');
UPDATE vigil.events SET created_at = date_bin('24 hours', created_at, '2001-01-01') + interval '18 hours 15 minutes' WHERE event_type = 'render';
SELECT pg_temp.check_equal('D-22', 'rows before the border of a day within its hour');
UPDATE vigil.events SET created_at = created_at + interval '20 minutes' WHERE event_type = 'render';
SELECT pg_temp.check_equal('D-22', 'rows after the border of a day within its hour');
UPDATE vigil.rollup_state SET minute_floor = date_trunc('hour', now());
DELETE FROM vigil.cells_minute;
DELETE FROM vigil.events WHERE event_type = 'render' AND created_at > :'autumn'::timestamptz;
SELECT pg_temp.check_equal('D-22', 'such rows deleted when their minute cells are gone');
TRUNCATE vigil.events;
SELECT pg_temp.check_equal('D-22', 'TRUNCATE when their minute cells are gone');
SELECT throws_ok($$SELECT vigil.set_time_zone('11111111-1111-4111-8111-111111111111', 'Europe/Bielefeld')$$, '22023', NULL, 'D-22: an unknown zone is refused');
SELECT pg_temp.fill(now() - interval '3 days', now(), 300) \g /dev/null
DELETE FROM vigil.modules;
SELECT pg_temp.check_equal('D-22', 'a module without settings again');

-- Releases --------------------------------------------------------------------------------------------------------------

SET LOCAL vigil.version_rows = off;
SELECT is_empty('SELECT FROM vigil.module_analytics_hourly WHERE version_id IS NOT NULL', 'D-05: vigil.version_rows = off leaves the rows of all releases');
SELECT pg_temp.check_equal('D-05', 'without rows of single releases');
SET LOCAL vigil.version_rows = on;
SELECT isnt_empty('SELECT FROM vigil.module_analytics_hourly WHERE version_id IS NOT NULL', 'D-05: else every release has its own');
SELECT is_empty('SELECT module_id, version_id, hour_bucket FROM vigil.module_analytics_hourly GROUP BY 1, 2, 3 HAVING count(*) > 1', 'S0-06: one row for module, release and hour');
SELECT is_empty('SELECT module_id, version_id, date_bucket FROM vigil.module_analytics_daily GROUP BY 1, 2, 3 HAVING count(*) > 1', 'S0-08: one row for module, release and day');
SELECT is_empty('SELECT id FROM vigil.module_analytics_hourly GROUP BY 1 HAVING count(*) > 1', 'S0-05: ids are unique');

-- Patience: what the job leaves alone, and what it reads -------------------------------------------------------------

TRUNCATE vigil.events, vigil.errors, vigil.modules;
SELECT vigil.rollup(100000) \g /dev/null
TRUNCATE vigil.rollup_turns;
UPDATE vigil.rollup_state SET minute_floor = '-infinity';
SELECT results_eq(format($$SELECT vigil.ripe_at('2026-01-01 10:00Z', first, last, '10 s') - '2026-01-01 10:01Z' FROM (VALUES %s) AS t (first, last)$$, marks),
  format('VALUES (interval %L)', wait), 'C-32: a minute is ripe ' || wait || ' after its end when marked ' || what)
FROM (VALUES
  ($$(timestamptz '2026-01-01 10:00:01Z', timestamptz '2026-01-01 10:00:59Z')$$, '10 s', 'while it was open'),
  ($$(timestamptz '2026-01-01 10:00:01Z', timestamptz '2026-01-01 10:01:04Z')$$, '14 s', 'a little later'),
  ($$(timestamptz '2026-01-01 10:03:01Z', timestamptz '2026-01-01 10:03:21Z')$$, '176.25 s', 'late: a quarter longer than it was late'),
  ($$(timestamptz '2026-01-01 11:01:00Z', timestamptz '2026-01-01 11:01:00Z')$$, '1 hour 60 s', 'hours late: a minute'),
  ($$(timestamptz '2026-01-01 10:00:30Z', timestamptz '2026-01-01 10:05:29Z')$$, '270 s', 'again and again: five minutes after the first mark'),
  ($$(timestamptz '2026-01-01 09:00:00Z', timestamptz '2026-01-01 09:00:10Z')$$, '-56 min', 'before it began: the same')) AS t (marks, wait, what);
SELECT is(vigil.ripe_at('infinity', '2026-01-01', '2026-01-02', '10 s'), '2026-01-01'::timestamptz, 'C-32: a minute without end is ripe at once');
SELECT is(vigil.rollup_patience(true), interval '10 s', 'C-32: the job has a patience of 10 seconds');
SELECT is(vigil.rollup_patience(), interval '0', 'C-32: who calls by hand has none');
SELECT throws_ok(format('SELECT vigil.rollup(patience => %L)', p), '22023', NULL, 'C-32: a patience of ' || p || ' is refused') FROM unnest('{-1 s,2 hours}'::text[]) AS p;

CREATE FUNCTION pg_temp.add(at timestamptz, how_many integer) RETURNS void LANGUAGE sql AS $$
  INSERT INTO vigil.events (module_id, created_at, event_type, event_name) SELECT '11111111-1111-4111-8111-111111111111', at, 'render', 'r' FROM generate_series(1, how_many) $$;
CREATE FUNCTION pg_temp.counts() RETURNS text LANGUAGE sql AS $$ SELECT format('%s %s %s', minutes, facts_read, facts_counted) FROM vigil.rollup_progress $$;
SELECT pg_temp.add(clock_timestamp(), 10) \g /dev/null
SELECT is(vigil.rollup(patience => '10 s'), 0::bigint, 'C-32: the open minute is left alone');
SELECT is((SELECT (marked_minutes, marks, ripe_minutes, lag)::text FROM vigil.rollup_lag), '(1,1,0,00:00:00)', 'C-32: it is marked, and no backlog');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-92: and views show it');
UPDATE vigil.dirty SET marked_at = now() - interval '301 s';
SELECT is((SELECT (ripe_minutes, lag)::text FROM vigil.rollup_lag), '(1,00:00:01)', 'C-32: after five minutes it is');
SELECT is(vigil.rollup(patience => '10 s'), 1::bigint, 'C-32: and rolled up, whatever happens to it still');
SELECT is(pg_temp.counts(), '1 10 10', 'C-32: each fact was read once');
SELECT pg_temp.add(date_trunc('hour', now()) - interval '3 hours', 20) \g /dev/null
SELECT is(vigil.rollup(patience => '10 s'), 0::bigint, 'C-32: late facts wait for others');
UPDATE vigil.dirty SET marked_at = now() - interval '61 s';
SELECT is(vigil.rollup(patience => '10 s'), 1::bigint, 'C-32: for a minute');
SELECT is(pg_temp.counts(), '2 30 30', 'C-32: and are read once');
SELECT pg_temp.add(date_trunc('hour', now()) - interval '3 hours', 1) \g /dev/null
SELECT is(vigil.rollup(), 1::bigint, 'C-32: by hand at once');
SELECT is(pg_temp.counts(), '3 51 31', 'C-32: a fact that comes later has its minute read again');
SELECT pg_temp.add(date_trunc('hour', now()) - interval '3 hours' + n * interval '2 minutes', 100) FROM generate_series(1, 9) AS n \g /dev/null
SELECT vigil.rollup() \g /dev/null
DELETE FROM vigil.dirty;
SELECT pg_temp.add(date_trunc('hour', now()) - interval '3 hours' + n * interval '20 minutes', 1) FROM generate_series(0, 1) AS n \g /dev/null
SELECT is(vigil.rollup(), 2::bigint, 'C-32: two minutes of an hour');
SELECT is(pg_temp.counts(), '14 974 933', 'C-32: and nothing between them is read');
DELETE FROM vigil.events WHERE created_at = date_trunc('hour', now()) - interval '3 hours';
SELECT vigil.rollup() \g /dev/null
SELECT is(pg_temp.counts(), '15 974 911', 'C-32: deleted facts are no longer counted');
SELECT is((SELECT reads_per_fact FROM vigil.rollup_progress), round(974 / 911.0, 3), 'C-32: the mean is shown');
UPDATE vigil.rollup_state SET minute_floor = date_trunc('hour', now());
DELETE FROM vigil.cells_minute;
SELECT pg_temp.add(date_trunc('hour', now()) - interval '3 hours', 5) \g /dev/null
SELECT vigil.rollup() \g /dev/null
SELECT is(pg_temp.counts(), '16 1880 916', 'C-32: where minute cells are gone the hour is read');
UPDATE vigil.rollup_turns SET started_at = now() - interval '25 hours';
SELECT vigil.expire() \g /dev/null
SELECT is_empty('SELECT FROM vigil.rollup_turns', 'C-32: turns are forgotten after a day');
SELECT is(pg_temp.counts(), '16 1880 916', 'C-32: not what they did');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-92: views equal the raw rows after all that');

SELECT * FROM finish();
ROLLBACK;
