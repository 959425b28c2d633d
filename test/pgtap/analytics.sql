-- The analytics views: the numbers of the requirements, one by one, from raw rows and from cells.
BEGIN;
\ir include/setup.sql
\ir include/recompute.sql
SELECT plan(46);

-- Noon of yesterday, UTC, so that no fact is near the end of an hour or day by chance.
SELECT date_trunc('day', now()) - interval '12 hours' AS noon \gset
UPDATE vigil.partition_policy SET past = '2 months';
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
CREATE FUNCTION pg_temp.add(type text, members jsonb DEFAULT '{}', how_many integer DEFAULT 1, at timestamptz DEFAULT date_trunc('day', now()) - interval '12 hours')
  RETURNS void LANGUAGE sql AS $$
  SELECT vigil.track_batch(jsonb_agg(pg_temp.event(jsonb_build_object('createdAt', at) || members, type))) FROM generate_series(1, how_many) $$;
CREATE FUNCTION pg_temp.hour(wanted text, module uuid DEFAULT '11111111-1111-4111-8111-111111111111') RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE format('SELECT (%s)::text FROM vigil.module_analytics_hourly WHERE module_id = %L AND version_id IS NULL AND hour_bucket = %L', wanted, module,
                 date_trunc('day', now()) - interval '12 hours') INTO result;
  RETURN result;
END $$;
CREATE FUNCTION pg_temp.day(wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE format('SELECT (%s)::text FROM vigil.module_analytics_daily WHERE module_id = %L AND version_id IS NULL AND date_bucket = %L', wanted,
                 '11111111-1111-4111-8111-111111111111', now()::date - 1) INTO result;
  RETURN result;
END $$;

-- Nothing -----------------------------------------------------------------------------------------------

SELECT is_empty('SELECT FROM vigil.module_analytics_hourly', 'S0-47: without events there is no row');
SELECT is_empty('SELECT FROM vigil.module_analytics_daily', 'S0-58: nor a day');
SELECT pg_temp.add('performance'), pg_temp.add('hook_execution') \g /dev/null
SELECT is(pg_temp.hour('total_renders, total_api_calls, total_errors, total_interactions'), '(0,0,0,0)', 'S0-48: performance and hook_execution are in no total');
SELECT is(pg_temp.hour('ROW(avg_render_time_ms, p50_render_time_ms, p95_render_time_ms, p99_render_time_ms, max_render_time_ms, avg_api_latency_ms, avg_memory_kb, max_memory_kb) IS NULL'),
  'true', 'S0-50: without renders, calls and memory figures all measures are null');
SELECT is(pg_temp.hour('error_breakdown || interaction_breakdown || country_breakdown'), '{}', 'S0-52: and breakdowns are {}');
SELECT is(pg_temp.day('error_rate, api_success_rate'), '(0,1)', 'S0-62, S0-63: rates of nothing are 0 and 1');
TRUNCATE vigil.events;
SELECT vigil.rollup() \g /dev/null

-- An hour ----------------------------------------------------------------------------------------------

SELECT pg_temp.add('render', jsonb_build_object('durationMs', d)) FROM unnest('{12,15,18,20,22,25,30,41,95,400}'::integer[]) AS d \g /dev/null
SELECT is(pg_temp.hour('p50_render_time_ms, p95_render_time_ms, p99_render_time_ms'), '(22.00,400.00,400.00)', 'S0-50: 22, 400 and 400');
SELECT is(pg_temp.hour('avg_render_time_ms, max_render_time_ms'), '(67.80,400)', 'S0-51: 67.80 and 400');
SELECT pg_temp.add('render'), pg_temp.add('api_call', '{"durationMs": 9999, "eventName": "api_success"}') \g /dev/null
SELECT is(pg_temp.hour('total_renders, avg_render_time_ms, max_render_time_ms'), '(11,67.80,400)', 'D-15: a render without duration counts, but not in the measures; calls do not');
SELECT pg_temp.add('api_call', '{"eventName": "api_success", "durationMs": 1}', 2), pg_temp.add('api_call', '{"eventName": "api_error"}'), pg_temp.add('api_call', '{"eventName": "other", "success": false}') \g /dev/null
SELECT is(pg_temp.hour('total_api_calls, api_success_count, api_error_count'), '(5,3,2)', 'S0-56: 3 successes, 1 error and 1 other call are 5 / 3 / 2');
SELECT is(pg_temp.hour('avg_api_latency_ms'), '3333.67', 'S0-56: latency is the mean of the timed calls');
SELECT pg_temp.add('error', '{"payload": {"errorName": "TypeError"}}', 2), pg_temp.add('error') \g /dev/null
SELECT is(pg_temp.hour('total_errors, error_breakdown'), '(3,"{""Unknown"": 1, ""TypeError"": 2}")', 'S0-52: two TypeError and one without name');
SELECT vigil.track_error(pg_temp.error(jsonb_build_object('createdAt', :'noon', 'country', 'us'))) \g /dev/null
SELECT is(pg_temp.hour('total_errors, error_breakdown ->> ''TypeError'''), '(4,3)', 'D-06: errors of track_error count as well, once');
SELECT pg_temp.add('user_interaction', '{"eventName": "click"}', 3), pg_temp.add('user_interaction', '{"eventName": "submit"}') \g /dev/null
SELECT is(pg_temp.hour('total_interactions, interaction_breakdown'), '(4,"{""click"": 3, ""submit"": 1}")', 'S0-53: three clicks and one submit');
SELECT pg_temp.add('performance', '{"countryCode": "us"}', 4), pg_temp.add('render', '{"countryCode": "UK"}') \g /dev/null
SELECT is(pg_temp.hour('country_breakdown'), '{"UK": 1, "US": 5}', 'S0-54: countries of all events, without those that have none');
SELECT pg_temp.add('performance', '{"memoryUsageKb": 100}'), pg_temp.add('hook_execution', '{"memoryUsageKb": 300}') \g /dev/null
SELECT is(pg_temp.hour('avg_memory_kb, max_memory_kb'), '(200.00,300)', 'S0-55: memory 100, 300 and null: 200 and 300');
SELECT pg_temp.add('render', jsonb_build_object('siteId', md5((n % 3)::text)::uuid, 'sessionId', 's' || n % 7)) FROM generate_series(1, 20) AS n \g /dev/null
SELECT is(pg_temp.hour('unique_sites, unique_sessions'), '(3,7)', 'S0-49: 3 sites and 7 sessions');
SELECT is(pg_temp.hour('created_at'), :'noon'::timestamptz::text, 'S0-05: created_at is the time of the last event');
SELECT pg_temp.add('render', '{}', 1, :'noon'::timestamptz + interval '1 hour'), pg_temp.add('render', '{}', 1, :'noon'::timestamptz + interval '59 minutes 59.999999 seconds') \g /dev/null
SELECT is(pg_temp.hour('total_renders'), '33', 'S0-47: an event of the next hour is excluded, one a microsecond before it is not');
SELECT is((SELECT count(*) FROM vigil.module_analytics_hourly h, jsonb_each(to_jsonb(h) - 'version_id') WHERE hour_bucket = :'noon' AND value = 'null'), 0::bigint,
  'S0-05: every column of a full hour is filled');
SELECT pg_temp.check_equal('S0-92', 'the hour');

-- Releases ------------------------------------------------------------------------------------------------

SELECT pg_temp.add('render', jsonb_build_object('versionId', :v1), 2), pg_temp.add('render', jsonb_build_object('versionId', :v2), 3) \g /dev/null
SELECT results_eq(format('SELECT version_id, total_renders FROM vigil.module_analytics_hourly WHERE hour_bucket = %L ORDER BY 1 NULLS FIRST', :'noon'),
  format('VALUES (NULL::uuid, 38), (%L, 2), (%L, 3)', :v1, :v2), 'S0-57, D-05: one row for all releases and one for each');
SELECT results_eq(format('SELECT id FROM vigil.module_analytics_hourly WHERE hour_bucket = %L ORDER BY 1', :'noon'), format('SELECT id FROM vigil.module_analytics_hourly WHERE hour_bucket = %L ORDER BY 1', :'noon'),
  'S0-05: ids stay the same');

-- A day -----------------------------------------------------------------------------------------------------

SELECT is(pg_temp.day('total_renders'), '39', 'S0-58: renders of the hours of a day add up');
SELECT is(pg_temp.day('total_api_calls, total_errors, total_interactions, api_success_rate'), '(5,4,4,0.6000)', 'S0-58: as do calls, errors and interactions');
SELECT is(pg_temp.day('error_rate'), round(4 / 39.0, 4)::text, 'S0-62: errors for each render');
TRUNCATE vigil.events, vigil.errors;
SELECT vigil.rollup() \g /dev/null
SELECT pg_temp.add('render', '{}', 200), pg_temp.add('error', '{}', 5) \g /dev/null
SELECT is(pg_temp.day('error_rate'), '0.0250', 'S0-62: 5 errors of 200 renders are 0.0250');
SELECT pg_temp.add('error', '{}', 4995) \g /dev/null
SELECT is(pg_temp.day('error_rate'), '25.0000', 'D-19: a rate above 10 does not overflow');
SELECT pg_temp.add('api_call', '{"eventName": "api_success"}', 3), pg_temp.add('api_call', '{"eventName": "api_error"}') \g /dev/null
SELECT is(pg_temp.day('api_success_rate'), '0.7500', 'S0-63: 3 of 4 calls are 0.7500');
TRUNCATE vigil.events;
SELECT vigil.rollup() \g /dev/null
SELECT pg_temp.add('render', jsonb_build_object('siteId', :s1, 'sessionId', 'one'), 1, :'noon'::timestamptz + h * interval '1 hour') FROM generate_series(0, 2) AS h \g /dev/null
SELECT pg_temp.add('render', jsonb_build_object('siteId', :s2), 1, :'noon'::timestamptz + interval '5 hours') \g /dev/null
SELECT is(pg_temp.day('unique_sites, unique_sessions'), '(2,1)', 'S0-59, D-13, D-14: a site of 3 hours and one of another are 2, a session of 3 hours is 1');
SELECT pg_temp.add('render', '{"durationMs": 10}', 9), pg_temp.add('render', '{"durationMs": 1000}', 1, :'noon'::timestamptz + interval '2 hours') \g /dev/null
SELECT is(pg_temp.day('avg_render_time_ms, p95_render_time_ms'), '(109.00,1000.00)', 'S0-60: the mean of a day is that of its renders, not of its hours');
SELECT pg_temp.add('render', '{"durationMs": 10}', 90) \g /dev/null
SELECT is(pg_temp.day('p95_render_time_ms'), '10.00', 'S0-61, D-12: the percentile of a day is not the largest of its hours');
SELECT pg_temp.add('render', '{"metadata": {"device": "desktop", "browser": "chrome"}}', 3), pg_temp.add('render', '{"deviceType": "mobile", "browser": "safari"}') \g /dev/null
SELECT is(pg_temp.day('device_breakdown, browser_breakdown'), '("{""mobile"": 1, ""desktop"": 3}","{""chrome"": 3, ""safari"": 1}")', 'S0-66, D-23: devices and browsers, from column or metadata');
SELECT is(pg_temp.day('hourly_breakdown'), format('[{"hour": 12, "errors": 0, "renders": 104, "avgRenderTime": 10.00}, {"hour": 13, "errors": 0, "renders": 1, "avgRenderTime": null}, '
  '{"hour": 14, "errors": 0, "renders": 2, "avgRenderTime": 1000.00}, {"hour": 17, "errors": 0, "renders": 1, "avgRenderTime": null}]'), 'S0-65: hours in order, with renders, errors and mean');
SELECT pg_temp.add('render', '{}', 1, date_trunc('day', now()) - interval '24 hours' + h * interval '1 hour') FROM generate_series(0, 23) AS h \g /dev/null
SELECT is((SELECT array_agg((h ->> 'hour')::integer) FROM vigil.module_analytics_daily, jsonb_array_elements(hourly_breakdown) AS h), ARRAY(SELECT generate_series(0, 23)), 'S0-65: 24 entries of a full day');
SELECT pg_temp.check_equal('S0-58', 'the day');

-- Limits ---------------------------------------------------------------------------------------------------

SELECT is(vigil.small(3000000000), 2147483647, 'D-21: a count beyond integer is shown as its largest value');
SELECT is(vigil.small(NULL), 0, 'S0-05: no count is 0');
SELECT is(vigil.whole(1e300), 2147483647, 'D-21: a measure beyond integer as well');
SELECT is(vigil.whole(NULL), NULL, 'S0-05: no measure stays null');
SELECT pg_temp.add('render', '{"durationMs": 1e300, "memoryUsageKb": 9e18}') \g /dev/null
SELECT lives_ok('SELECT * FROM vigil.module_analytics_hourly', 'D-21: huge values do not break the hours');
SELECT lives_ok('SELECT * FROM vigil.module_analytics_daily', 'D-21: nor the days');

-- Many modules ---------------------------------------------------------------------------------------------

TRUNCATE vigil.events;
SELECT vigil.rollup() \g /dev/null
INSERT INTO vigil.events (module_id, created_at, event_type, event_name) SELECT md5(n::text)::uuid, :'noon', 'render', 'r' FROM generate_series(1, 1500) AS n;
SELECT vigil.rollup() \g /dev/null
SELECT is((SELECT (count(*), sum(total_renders))::text FROM vigil.module_analytics_hourly), '(1500,1500)', 'S0-67, D-08: 1,500 modules of an hour are all there');
SELECT is((SELECT (count(*), sum(total_renders))::text FROM vigil.module_analytics_daily), '(1500,1500)', 'S0-68: and in the day');

SELECT * FROM finish();
ROLLBACK;
