CREATE OR REPLACE FUNCTION vigil.rounded(value double precision) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT round(value::numeric, 2) $$;
COMMENT ON FUNCTION vigil.rounded(double precision) IS 'Two decimals, as dashboards show averages and percentiles.';

CREATE OR REPLACE FUNCTION vigil.small(value bigint) RETURNS integer
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT least(coalesce(value, 0), 2147483647)::integer $$;
COMMENT ON FUNCTION vigil.small(bigint) IS 'A count as integer; 0 for null, and 2147483647 for anything above it.';

CREATE OR REPLACE FUNCTION vigil.whole(value double precision) RETURNS integer
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT least(round(value), 2147483647)::integer $$;
COMMENT ON FUNCTION vigil.whole(double precision) IS 'A measure as integer; null stays null, and 2147483647 stands for anything above it.';

CREATE OR REPLACE FUNCTION vigil.row_id(module_id uuid, version_id uuid, bucket timestamptz) RETURNS uuid
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT md5(concat_ws('/', module_id, version_id, extract(epoch FROM bucket)))::uuid $$;
COMMENT ON FUNCTION vigil.row_id(uuid, uuid, timestamptz) IS 'Id of a row of an analytics view, the same each time it is read.';

CREATE OR REPLACE FUNCTION vigil.shown_versions(version_id uuid) RETURNS SETOF uuid
  LANGUAGE sql STABLE ROWS 2
AS $$
  SELECT NULL::uuid
  UNION ALL
  SELECT version_id WHERE version_id IS NOT NULL
    AND coalesce(current_setting('vigil.version_rows', true), 'on')::boolean
$$;
COMMENT ON FUNCTION vigil.shown_versions(uuid) IS
  'Rows of the analytics views that a cell counts in: all releases (null), and its own unless vigil.version_rows is off.';

CREATE OR REPLACE VIEW vigil.hourly_totals AS
SELECT h.module_id, v.version_id, h.bucket,
       vigil.merge_agg(h.cell) AS everything,
       vigil.merge_agg(h.cell) FILTER (WHERE h.event_type = 'render') AS renders,
       vigil.merge_agg(h.cell) FILTER (WHERE h.event_type = 'api_call') AS api_calls,
       vigil.merge_agg(h.cell) FILTER (WHERE h.event_type = 'error') AS errors,
       vigil.merge_agg(h.cell) FILTER (WHERE h.event_type = 'user_interaction') AS interactions
FROM vigil.hours h, LATERAL vigil.shown_versions(h.version_id) AS v (version_id)
GROUP BY h.module_id, v.version_id, h.bucket;
COMMENT ON VIEW vigil.hourly_totals IS 'Cells of an hour by class of events; a null version is all releases.';

CREATE OR REPLACE VIEW vigil.daily_totals AS
SELECT d.module_id, v.version_id, d.bucket, d.day, d.time_zone,
       vigil.merge_agg(d.cell) AS everything,
       vigil.merge_agg(d.cell) FILTER (WHERE d.event_type = 'render') AS renders,
       vigil.merge_agg(d.cell) FILTER (WHERE d.event_type = 'api_call') AS api_calls,
       vigil.merge_agg(d.cell) FILTER (WHERE d.event_type = 'error') AS errors,
       vigil.merge_agg(d.cell) FILTER (WHERE d.event_type = 'user_interaction') AS interactions
FROM vigil.days d, LATERAL vigil.shown_versions(d.version_id) AS v (version_id)
GROUP BY d.module_id, v.version_id, d.bucket, d.day, d.time_zone;
COMMENT ON VIEW vigil.daily_totals IS 'Cells of a day by class of events; a null version is all releases.';

CREATE OR REPLACE VIEW vigil.module_analytics_hourly AS
SELECT vigil.row_id(t.module_id, t.version_id, t.bucket) AS id,
       t.module_id, t.version_id, t.bucket AS hour_bucket,
       vigil.small(vigil.cell_count(t.renders)) AS total_renders,
       vigil.small(vigil.cardinality(vigil.cell_uniques(t.everything, 'sites'))) AS unique_sites,
       vigil.small(vigil.cardinality(vigil.cell_uniques(t.everything, 'sessions'))) AS unique_sessions,
       vigil.rounded(vigil.mean(r.durations)) AS avg_render_time_ms,
       vigil.rounded(vigil.percentile(r.durations, 0.5)) AS p50_render_time_ms,
       vigil.rounded(vigil.percentile(r.durations, 0.95)) AS p95_render_time_ms,
       vigil.rounded(vigil.percentile(r.durations, 0.99)) AS p99_render_time_ms,
       vigil.whole(vigil.max(r.durations)) AS max_render_time_ms,
       vigil.small(vigil.cell_count(t.api_calls)) AS total_api_calls,
       vigil.small(vigil.cell_successes(t.api_calls)) AS api_success_count,
       vigil.small(vigil.cell_count(t.api_calls) - vigil.cell_successes(t.api_calls)) AS api_error_count,
       vigil.rounded(vigil.mean(vigil.cell_distribution(t.api_calls, 'duration'))) AS avg_api_latency_ms,
       vigil.small(vigil.cell_count(t.errors)) AS total_errors,
       coalesce(vigil.cell_breakdown(t.errors, 'names'), '{}') AS error_breakdown,
       vigil.small(vigil.cell_count(t.interactions)) AS total_interactions,
       coalesce(vigil.cell_breakdown(t.interactions, 'names'), '{}') AS interaction_breakdown,
       vigil.rounded(vigil.cell_memory_avg(t.everything)) AS avg_memory_kb,
       vigil.whole(vigil.cell_memory_max(t.everything)) AS max_memory_kb,
       coalesce(vigil.cell_breakdown(t.everything, 'countries'), '{}') AS country_breakdown,
       vigil.cell_time(t.everything, true) AS created_at
FROM vigil.hourly_totals t, LATERAL vigil.cell_distribution(t.renders, 'duration') AS r (durations);
COMMENT ON VIEW vigil.module_analytics_hourly IS
  'Analytics by hour (UTC) in the columns that dashboards know, never stale. A null version is all releases; SET vigil.version_rows = off leaves only those rows.';

-- A function, so that the plan of the daily view stays too cheap to be compiled.
CREATE OR REPLACE FUNCTION vigil.hourly_breakdown(module uuid, version uuid, day timestamptz, time_zone text)
  RETURNS jsonb
  LANGUAGE sql STABLE SECURITY DEFINER COST 10
  SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'hour', extract(hour FROM h.bucket AT TIME ZONE time_zone)::integer,
           'renders', vigil.cell_count(h.renders),
           'errors', vigil.cell_count(h.errors),
           'avgRenderTime', vigil.rounded(vigil.mean(vigil.cell_distribution(h.renders, 'duration'))))
         ORDER BY h.bucket), '[]')
  FROM vigil.hourly_totals h
  WHERE h.module_id = module AND h.version_id IS NOT DISTINCT FROM version
    AND h.bucket >= day AND h.bucket < vigil.day_after(day, time_zone)
$$;
COMMENT ON FUNCTION vigil.hourly_breakdown(uuid, uuid, timestamptz, text) IS
  'Hours of one day of a module as an array of {hour, renders, errors, avgRenderTime}; a null version is all releases.';

CREATE OR REPLACE VIEW vigil.module_analytics_daily AS
SELECT vigil.row_id(t.module_id, t.version_id, t.bucket) AS id,
       t.module_id, t.version_id, t.day AS date_bucket,
       vigil.small(vigil.cell_count(t.renders)) AS total_renders,
       vigil.small(vigil.cardinality(vigil.cell_uniques(t.everything, 'sites'))) AS unique_sites,
       vigil.small(vigil.cardinality(vigil.cell_uniques(t.everything, 'sessions'))) AS unique_sessions,
       vigil.small(vigil.cell_count(t.api_calls)) AS total_api_calls,
       vigil.small(vigil.cell_count(t.errors)) AS total_errors,
       vigil.small(vigil.cell_count(t.interactions)) AS total_interactions,
       vigil.rounded(vigil.mean(r.durations)) AS avg_render_time_ms,
       vigil.rounded(vigil.percentile(r.durations, 0.95)) AS p95_render_time_ms,
       CASE WHEN vigil.cell_count(t.renders) = 0 THEN 0
            ELSE round(vigil.cell_count(t.errors)::numeric / vigil.cell_count(t.renders), 4) END AS error_rate,
       CASE WHEN vigil.cell_count(t.api_calls) = 0 THEN 1
            ELSE round(vigil.cell_successes(t.api_calls)::numeric / vigil.cell_count(t.api_calls), 4) END AS api_success_rate,
       vigil.hourly_breakdown(t.module_id, t.version_id, t.bucket, t.time_zone) AS hourly_breakdown,
       coalesce(vigil.cell_breakdown(t.errors, 'names'), '{}') AS error_breakdown,
       coalesce(vigil.cell_breakdown(t.everything, 'countries'), '{}') AS country_breakdown,
       coalesce(vigil.cell_breakdown(t.everything, 'devices'), '{}') AS device_breakdown,
       coalesce(vigil.cell_breakdown(t.everything, 'browsers'), '{}') AS browser_breakdown,
       vigil.cell_time(t.everything, true) AS created_at
FROM vigil.daily_totals t,
     LATERAL vigil.cell_distribution(t.renders, 'duration') AS r (durations);
COMMENT ON VIEW vigil.module_analytics_daily IS
  'Analytics by day of the module''s time zone in the columns that dashboards know, never stale. error_rate is errors per render and api_success_rate a fraction. A null version is all releases; SET vigil.version_rows = off leaves only those rows.';
