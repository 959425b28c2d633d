-- The analytics of the seed recomputed from raw rows by plain SQL, without any aggregate of ours: what the views
-- must equal at every moment. Percentiles are exact, so samples need at most 64 different durations.
CREATE VIEW pg_temp.raw AS
SELECT module_id, version_id, site_id, session_id, event_type, event_name, created_at, duration_ms, memory_usage_kb,
       country_code, coalesce(device_type, metadata ->> 'device') AS device, coalesce(browser, metadata ->> 'browser') AS browser,
       CASE WHEN event_type = 'error' THEN coalesce(payload ->> 'errorName', 'Unknown') ELSE event_name END AS name,
       coalesce(success, event_name = 'api_success') AS ok
FROM vigil.events
UNION ALL
SELECT module_id, version_id, site_id, session_id, 'error', error_name, created_at, NULL, NULL, country_code, device_type, browser,
       error_name, NULL
FROM vigil.errors;

-- Each row counts for all releases (null), and for its own.
CREATE VIEW pg_temp.shown AS
SELECT r.*, NULL::uuid AS shown_version FROM pg_temp.raw r
UNION ALL
SELECT r.*, r.version_id FROM pg_temp.raw r
WHERE r.version_id IS NOT NULL AND current_setting('vigil.version_rows')::boolean;

CREATE FUNCTION pg_temp.counted(names text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_object_agg(name, n), '{}')
  FROM (SELECT name, count(*) AS n FROM unnest(names) AS name WHERE name IS NOT NULL GROUP BY 1) t $$;

CREATE VIEW pg_temp.recomputed_hourly AS
SELECT module_id, shown_version AS version_id, date_trunc('hour', created_at, 'UTC') AS hour_bucket,
       (count(*) FILTER (WHERE event_type = 'render'))::integer AS total_renders,
       count(DISTINCT site_id)::integer AS unique_sites,
       count(DISTINCT session_id)::integer AS unique_sessions,
       round((avg(duration_ms::numeric) FILTER (WHERE event_type = 'render')), 2) AS avg_render_time_ms,
       round((percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS p50_render_time_ms,
       round((percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS p95_render_time_ms,
       round((percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS p99_render_time_ms,
       (max(duration_ms) FILTER (WHERE event_type = 'render'))::integer AS max_render_time_ms,
       (count(*) FILTER (WHERE event_type = 'api_call'))::integer AS total_api_calls,
       (count(*) FILTER (WHERE event_type = 'api_call' AND ok))::integer AS api_success_count,
       (count(*) FILTER (WHERE event_type = 'api_call' AND NOT ok))::integer AS api_error_count,
       round((avg(duration_ms::numeric) FILTER (WHERE event_type = 'api_call')), 2) AS avg_api_latency_ms,
       (count(*) FILTER (WHERE event_type = 'error'))::integer AS total_errors,
       pg_temp.counted(array_agg(name) FILTER (WHERE event_type = 'error')) AS error_breakdown,
       (count(*) FILTER (WHERE event_type = 'user_interaction'))::integer AS total_interactions,
       pg_temp.counted(array_agg(name) FILTER (WHERE event_type = 'user_interaction')) AS interaction_breakdown,
       round(avg(memory_usage_kb), 2) AS avg_memory_kb,
       max(memory_usage_kb)::integer AS max_memory_kb,
       pg_temp.counted(array_agg(country_code)) AS country_breakdown,
       max(created_at) AS created_at
FROM pg_temp.shown GROUP BY 1, 2, 3;

CREATE VIEW pg_temp.zoned AS
SELECT s.*, coalesce(m.time_zone, 'UTC') AS zone, (s.created_at AT TIME ZONE coalesce(m.time_zone, 'UTC'))::date AS day
FROM pg_temp.shown s LEFT JOIN vigil.modules m USING (module_id);

CREATE VIEW pg_temp.recomputed_daily AS
SELECT z.module_id, z.shown_version AS version_id, z.day AS date_bucket,
       (count(*) FILTER (WHERE event_type = 'render'))::integer AS total_renders,
       count(DISTINCT site_id)::integer AS unique_sites,
       count(DISTINCT session_id)::integer AS unique_sessions,
       (count(*) FILTER (WHERE event_type = 'api_call'))::integer AS total_api_calls,
       (count(*) FILTER (WHERE event_type = 'error'))::integer AS total_errors,
       (count(*) FILTER (WHERE event_type = 'user_interaction'))::integer AS total_interactions,
       round((avg(duration_ms::numeric) FILTER (WHERE event_type = 'render')), 2) AS avg_render_time_ms,
       round((percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS p95_render_time_ms,
       coalesce(round(count(*) FILTER (WHERE event_type = 'error') / nullif(count(*) FILTER (WHERE event_type = 'render'), 0)::numeric, 4), 0) AS error_rate,
       coalesce(round(count(*) FILTER (WHERE event_type = 'api_call' AND ok) / nullif(count(*) FILTER (WHERE event_type = 'api_call'), 0)::numeric, 4), 1) AS api_success_rate,
       pg_temp.counted(array_agg(name) FILTER (WHERE event_type = 'error')) AS error_breakdown,
       pg_temp.counted(array_agg(country_code)) AS country_breakdown,
       pg_temp.counted(array_agg(device)) AS device_breakdown,
       pg_temp.counted(array_agg(browser)) AS browser_breakdown,
       max(created_at) AS created_at
FROM pg_temp.zoned z GROUP BY 1, 2, 3;

-- What differs between the views and the raw rows, in both directions; nothing at every moment.
CREATE FUNCTION pg_temp.differences() RETURNS SETOF text LANGUAGE sql AS $$
  WITH hourly AS (
    SELECT module_id, version_id, hour_bucket, total_renders, unique_sites, unique_sessions, avg_render_time_ms, p50_render_time_ms,
           p95_render_time_ms, p99_render_time_ms, max_render_time_ms, total_api_calls, api_success_count, api_error_count,
           avg_api_latency_ms, total_errors, error_breakdown, total_interactions, interaction_breakdown, avg_memory_kb, max_memory_kb,
           country_breakdown, created_at
    FROM vigil.module_analytics_hourly),
  daily AS (
    SELECT module_id, version_id, date_bucket, total_renders, unique_sites, unique_sessions, total_api_calls, total_errors,
           total_interactions, avg_render_time_ms, p95_render_time_ms, error_rate, api_success_rate, error_breakdown, country_breakdown,
           device_breakdown, browser_breakdown, created_at
    FROM vigil.module_analytics_daily)
  SELECT 'hour shown: ' || t FROM (SELECT * FROM hourly EXCEPT ALL SELECT * FROM pg_temp.recomputed_hourly) t
  UNION ALL SELECT 'hour raw: ' || t FROM (SELECT * FROM pg_temp.recomputed_hourly EXCEPT ALL SELECT * FROM hourly) t
  UNION ALL SELECT 'day shown: ' || t FROM (SELECT * FROM daily EXCEPT ALL SELECT * FROM pg_temp.recomputed_daily) t
  UNION ALL SELECT 'day raw: ' || t FROM (SELECT * FROM pg_temp.recomputed_daily EXCEPT ALL SELECT * FROM daily) t
$$;

-- Three tests: equal at once, equal after the roller, and no work left for it.
CREATE FUNCTION pg_temp.check_equal(id text, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN NEXT is_empty('SELECT pg_temp.differences()', id || ': ' || what || ': views equal the raw rows before vigil.rollup()');
  PERFORM vigil.rollup() FROM generate_series(1, 3);
  RETURN NEXT is_empty('SELECT pg_temp.differences()', id || ': ' || what || ': and after it');
END $$;
