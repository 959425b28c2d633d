-- Reading functions: numbers of windows and series equal what plain SQL says of the raw rows, marked or rolled up.
BEGIN;
\ir include/setup.sql
SELECT plan(49);
UPDATE vigil.partition_policy SET past = '400 days';
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

-- Three days in 16-minute steps around the last change of the clocks in Berlin to winter time, and the last hours.
SELECT max(d)::date AS autumn FROM generate_series(now()::date - 380, now()::date - 5, interval '1 day') AS d
WHERE extract(isodow FROM d) = 7 AND extract(month FROM d) = 10 AND extract(day FROM d) > 24 \gset
CREATE FUNCTION pg_temp.fill(starts_at timestamptz, ends_at timestamptz) RETURNS void LANGUAGE sql AS $$
  INSERT INTO vigil.events (module_id, created_at, version_id, site_id, duration_ms, value, success, event_type, event_name, subject, session_id, user_key)
  SELECT '11111111-1111-4111-8111-111111111111', t, CASE WHEN n % 3 = 0 THEN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1' END::uuid, md5((n % 7)::text)::uuid,
         CASE WHEN n % 5 > 0 THEN n % 40 * 1.5 END, CASE WHEN n % 4 = 0 THEN n % 9 END, CASE n % 6 WHEN 0 THEN true WHEN 1 THEN false END,
         (ARRAY['render', 'api_call', 'error'])[1 + n % 3], 'x', 'subject-' || n % 2, 's' || n % 31, CASE WHEN n % 2 = 0 THEN 'u' || n % 13 END
  FROM generate_series(starts_at, ends_at - interval '1 microsecond', '16 minutes 1.234567 seconds') WITH ORDINALITY AS g (t, n)
$$;
SELECT pg_temp.fill(:'autumn'::timestamptz - interval '30 hours', :'autumn'::timestamptz + interval '40 hours') \g /dev/null
SELECT pg_temp.fill(date_trunc('hour', now()) - interval '9 hours', now()) \g /dev/null

-- What plain SQL says.
CREATE FUNCTION pg_temp.raw(starts_at timestamptz, ends_at timestamptz, event_type text, subject text, version uuid, measure text)
  RETURNS text LANGUAGE sql AS $$
  SELECT (count(*), count(*) FILTER (WHERE e.event_type = 'error'), count(*) FILTER (WHERE NOT coalesce(success, e.event_type <> 'api_call')), round(avg(v)::numeric, 6),
          percentile_disc(0.5) WITHIN GROUP (ORDER BY v), percentile_disc(0.95) WITHIN GROUP (ORDER BY v), percentile_disc(0.99) WITHIN GROUP (ORDER BY v),
          max(v), count(DISTINCT site_id), count(DISTINCT session_id), count(DISTINCT user_key))::text
  FROM (SELECT *, CASE measure WHEN 'value' THEN value ELSE duration_ms END AS v FROM vigil.events) e
  WHERE module_id = '11111111-1111-4111-8111-111111111111' AND created_at >= starts_at AND created_at < ends_at
    AND (raw.event_type IS NULL OR e.event_type = raw.event_type) AND (raw.subject IS NULL OR e.subject = raw.subject)
    AND (version IS NULL OR e.version_id = version) $$;
CREATE FUNCTION pg_temp.shown(s jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT (r.events, r.errors, r.failures, round(r.mean::numeric, 6), r.p50, r.p95, r.p99, r.max, r.sites, r.sessions, r.users)::text
  FROM jsonb_to_record(s) AS r (events bigint, errors bigint, failures bigint, mean float8, p50 float8, p95 float8, p99 float8, max float8,
                                sites bigint, sessions bigint, users bigint) $$;

-- Buckets that differ from their raw rows; each ends where the next begins.
CREATE FUNCTION pg_temp.wrong(starts_at timestamptz, ends_at timestamptz, step interval, type text DEFAULT NULL, subject text DEFAULT NULL,
    version uuid DEFAULT NULL, measure text DEFAULT 'duration', zone text DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT s.bucket || ': ' || pg_temp.shown(to_jsonb(s)) || ' <> ' || r
  FROM (SELECT *, lead(bucket) OVER (ORDER BY bucket) AS next
        FROM vigil.series('11111111-1111-4111-8111-111111111111', starts_at, ends_at + 2 * step, step, type, subject, version, measure, zone)) s,
       LATERAL pg_temp.raw(s.bucket, s.next, type, subject, version, measure) r
  WHERE s.next IS NOT NULL AND pg_temp.shown(to_jsonb(s)) IS DISTINCT FROM r $$;

CREATE FUNCTION pg_temp.check_all(state text, autumn timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 hour'')', autumn - interval '1 day', autumn + interval '1 day'), 'S0-70: hours, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''6 hours'', ''api_call'')', autumn - interval '1 day', autumn + interval '1 day'), 'S0-70: six hours of a type, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 hour'', NULL, ''subject-1'')', autumn - interval '1 day', autumn + interval '1 day'), 'S0-70: hours of a subject, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 hour'', NULL, NULL, ''aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1'', ''value'')', autumn, autumn + interval '1 day'), 'S0-70: values of a release, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 day'')', autumn - interval '1 day', autumn + interval '1 day'), 'S0-70: days, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 day'', zone => ''Europe/Berlin'')', autumn - interval '1 day', autumn + interval '1 day'), 'D-22: days of Berlin, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 day'', zone => ''Asia/Kolkata'')', autumn - interval '1 day', autumn + interval '1 day'), 'D-22: days that begin at half past, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''2 hours'', zone => ''Europe/Berlin'')', autumn - interval '12 hours', autumn + interval '12 hours'), 'D-22: two hours by clocks that are set back, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''10 minutes'')', now() - interval '3 hours', now() - interval '1 hour'), 'S0-70: ten minutes, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''90 seconds'')', now() - interval '3 hours', now() - interval '2 hours'), 'S0-70: 90 seconds, ' || state);
  RETURN NEXT is_empty(format('SELECT pg_temp.wrong(%L, %L, ''1 week'')', autumn - interval '1 day', autumn + interval '1 day'), 'S0-70: weeks, ' || state);
  RETURN NEXT is((SELECT pg_temp.shown(to_jsonb(w)) FROM vigil.window_stats('11111111-1111-4111-8111-111111111111', t.s, t.e) w), pg_temp.raw(t.s, t.e, NULL, NULL, NULL, 'duration'), 'S0-70: window to the microsecond, ' || state)
    FROM (VALUES (autumn - interval '20 hours 17 minutes 3.3 seconds', autumn + interval '22 hours 11 minutes 1.1 seconds')) AS t (s, e);
  RETURN NEXT is((SELECT pg_temp.shown(to_jsonb(w)) FROM vigil.window_stats('11111111-1111-4111-8111-111111111111', t.s, t.e, 'api_call', 'subject-0', NULL, 'value') w), pg_temp.raw(t.s, t.e, 'api_call', 'subject-0', NULL, 'value'), 'S0-70: of a type and subject, ' || state)
    FROM (VALUES (now() - interval '2 hours 17 minutes 3.3 seconds', now())) AS t (s, e);
END $$;
SELECT pg_temp.check_all('marked', :'autumn'::timestamptz);
SELECT vigil.rollup() \g /dev/null
SELECT pg_temp.check_all('rolled up', :'autumn'::timestamptz);
SELECT pg_temp.fill(:'autumn'::timestamptz - interval '7 minutes', :'autumn'::timestamptz + interval '3 hours') \g /dev/null
SELECT is_empty(format($$SELECT pg_temp.wrong(%L, %L, '1 hour')$$, :'autumn'::timestamptz - interval '1 day', :'autumn'::timestamptz + interval '1 day'), 'S0-70: late rows show at once');
SELECT vigil.rollup() \g /dev/null

-- Buckets, gaps and rates
SELECT results_eq(format($$SELECT count(*), min(bucket), max(bucket) FROM vigil.series('11111111-1111-4111-8111-111111111111', %L, %L, '1 day', zone => 'Europe/Berlin')$$, :'autumn'::timestamptz, :'autumn'::timestamptz + interval '1 day'),
  format($$VALUES (2::bigint, timestamptz %L, timestamptz %L)$$, :'autumn'::timestamp AT TIME ZONE 'Europe/Berlin', (:'autumn'::timestamp + interval '1 day') AT TIME ZONE 'Europe/Berlin'), 'D-22: steps are whole, the first holds the begin, the last the end');
SELECT results_eq($$SELECT count(*), sum(events), count(p95), sum(sessions), max(per_second) FROM vigil.series('99999999-1111-4111-8111-111111111111', '2026-03-01', '2026-03-31')$$, $$VALUES (720::bigint, 0::numeric, 0::bigint, 0::numeric, 0::double precision)$$, 'D-25: steps without facts are 0, and their distribution null');
SELECT is((SELECT round(per_second::numeric * 3600, 6) FROM vigil.series('11111111-1111-4111-8111-111111111111', date_trunc('hour', now()) - interval '3 hours', date_trunc('hour', now()) - interval '2 hours')),
  (SELECT events::numeric FROM vigil.window_stats('11111111-1111-4111-8111-111111111111', date_trunc('hour', now()) - interval '3 hours', date_trunc('hour', now()) - interval '2 hours')), 'S0-70: the rate is that of the step');
SELECT is((SELECT (events, per_second IS NULL)::text FROM vigil.series('11111111-1111-4111-8111-111111111111', date_trunc('day', now()) + interval '3 days', date_trunc('day', now()) + interval '4 days', '1 day')), '(0,t)', 'S0-70: and null in the future');
SELECT is((SELECT (events, errors, mean IS NULL, users)::text FROM vigil.window_stats(gen_random_uuid(), now() - interval '1 day', now())), '(0,0,t,0)', 'S0-70: a window without facts');
SELECT vigil.set_time_zone('11111111-1111-4111-8111-111111111111', 'Asia/Kolkata') \g /dev/null
SELECT is_empty(format($$SELECT pg_temp.wrong(%L, %L, '1 day')$$, :'autumn'::timestamptz - interval '1 day', :'autumn'::timestamptz + interval '1 day'), 'D-22: days of a module''s own zone');
SELECT is_empty(format($$SELECT pg_temp.wrong(%L, %L, '1 hour')$$, :'autumn'::timestamptz - interval '5 hours', :'autumn'::timestamptz), 'D-22: and its hours, which begin at half past');

-- Mistakes
SELECT throws_ok(format($$SELECT vigil.series('11111111-1111-4111-8111-111111111111', %s)$$, arguments), state, NULL, 'S0-70: series ' || arguments || ' is ' || state)
FROM (VALUES ($$now(), now()$$, '22023'), ($$NULL, now()$$, '22023'), ($$'-infinity', now()$$, '22023'), ($$now() - interval '1 day', now(), '0'$$, '22023'),
  ($$now() - interval '1 day', now(), '1 second'$$, '54000'), ($$now() - interval '1 day', now(), '1 hour', measure => 'weight'$$, '22023'),
  ($$now() - interval '1 day', now(), '1 hour', zone => 'Mars/Base'$$, '22023'), ($$now() - interval '90 days', now(), '1 month 1 day'$$, '22023')) AS t (arguments, state);
SELECT throws_ok($$SELECT vigil.window_stats('11111111-1111-4111-8111-111111111111', now(), now())$$, '22023', NULL, 'S0-70: an empty window is refused');

SELECT is((SELECT vigil.cell_stats(vigil.measures_agg(cell), 'duration') FROM vigil.cells_day), (SELECT vigil.cell_stats(vigil.merge_agg(cell), 'duration') FROM vigil.cells_day), 'S0-70: without breakdowns the numbers are the same');
SELECT is((SELECT vigil.cell_breakdown(vigil.measures_agg(cell), 'names') FROM vigil.cells_day), '{}', 'S0-70: and the breakdowns gone');

SELECT is((SELECT vigil.stats_agg(cell, m) FROM vigil.cells_day), (SELECT vigil.cell_stats(vigil.merge_agg(cell), m) FROM vigil.cells_day), 'S0-70: numbers of merged cells, ' || m)
FROM unnest(ARRAY['duration', 'value']) AS m;
SELECT is((SELECT vigil.stats_agg(cell, 'value')::text FROM (SELECT NULL::vigil.cell UNION ALL (SELECT cell FROM vigil.cells_day WHERE vigil.cell_count(cell) > 3 ORDER BY bucket LIMIT 1)) c),
  (SELECT vigil.cell_stats(cell, 'value')::text FROM vigil.cells_day WHERE vigil.cell_count(cell) > 3 ORDER BY bucket LIMIT 1), 'S0-70: a null is no cell');
SELECT throws_ok($$SELECT vigil.stats_agg(cell, 'weight') FROM vigil.cells_day$$, '22023', NULL, 'S0-70: an unknown measure is refused');

SELECT * FROM finish();
ROLLBACK;
