-- Sampling that any program can repeat, and weights from ingest to charts.
BEGIN;
\ir include/setup.sql
SELECT plan(36);

CREATE FUNCTION pg_temp.point(id text) RETURNS double precision LANGUAGE sql AS $$
  SELECT (('x' || substr(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 1, 16))::bit(64)::bit(53)::bigint) / 2 ^ 53::double precision
$$;
SELECT is(vigil.sampled(id, rate), pg_temp.point(id) < rate, format('S1-04: %L at %s as plain SQL decides', id, rate))
FROM unnest(ARRAY['', 'abc', 'żółw', '4bf92f3577b34da6a3ce929d0e0e4736']) AS id, unnest(ARRAY[0.1, 0.8]) AS rate;
SELECT is_empty($$SELECT i FROM generate_series(1, 10000) i WHERE vigil.sampled('t' || i, 0.3) <> (pg_temp.point('t' || i) < 0.3)$$, 'S1-04: so are ten thousand');
SELECT cmp_ok(abs(count(*) FILTER (WHERE vigil.sampled('trace ' || i, 0.1)) - 1000), '<=', 100::bigint, 'S1-04: of 10,000 trace ids at 0.1 there are 1000, give or take 100')
FROM generate_series(1, 10000) i;
SELECT is_empty($$SELECT i FROM generate_series(1, 10000) i WHERE vigil.sampled('t' || i, 0.1) AND NOT vigil.sampled('t' || i, 0.2)$$, 'S1-74: a sample is part of a larger one');
SELECT is(ARRAY[vigil.sampled('a', 0), vigil.sampled('a', 1), vigil.sampled(NULL, 1)], ARRAY[false, true, NULL], 'S1-74: none, all, null');
SELECT throws_ok(format('SELECT vigil.sampled(%L, %L)', 'a', rate), '22023', NULL, 'S1-74: no rate is ' || rate) FROM unnest('{-0.1,1.1,NaN}'::text[]) AS rate;
SELECT is(ARRAY[vigil.sample_weight(0.1), vigil.sample_weight(1), vigil.sample_weight(0)], ARRAY[10, 1, NULL]::float8[], 'S1-74: weights');
SELECT cmp_ok(abs(sum(vigil.sample_weight(0.1)) FILTER (WHERE vigil.sampled('trace ' || i, 0.1)) - 10000), '<=', 1000::double precision, 'S1-74: a weighted count is near the truth')
FROM generate_series(1, 10000) i;

-- Weights are stored, whatever the way in ---------------------------------------------------------------------

SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
SELECT vigil.track_event(pg_temp.event('{"sampleWeight": 10, "id": "a"}')) \g /dev/null
SELECT vigil.track_batch(jsonb_build_array(pg_temp.event('{"sample_weight": "2.5", "id": "b"}'))) \g /dev/null
SELECT vigil.track_batch(format('[%s]', pg_temp.event(jsonb_build_object('sampleWeight', vigil.sample_weight(0.3), 'id', 'c')))) \g /dev/null
SELECT vigil.track_columns(:m1, NULL, '{render}', '{e}', sample_weight => '{1e9,NULL}', external_id => '{d,e}') \g /dev/null
SELECT vigil.track_error(pg_temp.error('{"sampleWeight": 4, "id": "f"}')) \g /dev/null
SELECT results_eq('SELECT external_id, sample_weight FROM vigil.events UNION ALL SELECT external_id, sample_weight FROM vigil.errors ORDER BY 1',
  $$VALUES ('a', 10::float8), ('b', 2.5), ('c', 1 / 0.3::float8), ('d', 1e9), ('e', NULL), ('f', 4)$$, 'S1-74: weights of events and errors are stored');
SELECT is((vigil.track_event(pg_temp.event(jsonb_build_object('timestamp', '1999-12-31T00:00:00Z', 'sampleWeight', vigil.sample_weight(0.3))))).quarantined, 1,
  'S1-74: an event that no partition holds');
SELECT is((SELECT (content ->> 'sample_weight')::float8 FROM vigil.quarantine), 1 / 0.3::float8, 'S1-74: keeps its weight');
SELECT throws_ok(format('SELECT vigil.track_event(pg_temp.event(%L))', jsonb_build_object('sampleWeight', weight)), '22003', NULL, 'S1-74: no weight is ' || weight)
FROM unnest('{0,0.1,-1,1000000001}'::numeric[]) AS weight;
SELECT throws_ok(format('INSERT INTO vigil.' || target, weight), '23514', NULL, format('S1-74: nor by INSERT INTO %s: %s', split_part(target, ' ', 1), weight))
FROM unnest(ARRAY[$$events (module_id, event_type, event_name, sample_weight) VALUES (gen_random_uuid(), 'render', 'e', %L)$$,
  $$errors (module_id, error_type, error_name, error_message, fingerprint, sample_weight) VALUES (gen_random_uuid(), 'api', 'E', 'm', 'f', %L)$$]) AS target,
  unnest('{0.5,NaN,Infinity}'::text[]) AS weight;

-- Cells count what facts stand for ----------------------------------------------------------------------------

DELETE FROM vigil.events;
DELETE FROM vigil.errors;
INSERT INTO vigil.events (module_id, created_at, event_type, event_name, subject, success, session_id, sample_weight)
SELECT :m1, date_trunc('hour', now()) - n % 300 * interval '1 minute', 'render', 'x', 's' || n % 3, CASE n % 5 WHEN 0 THEN true WHEN 1 THEN false END, 's' || n % 40,
  CASE n % 7 WHEN 0 THEN vigil.sample_weight(0.3) WHEN 1 THEN 10 WHEN 2 THEN vigil.sample_weight(0.7) WHEN 3 THEN 1 END
FROM generate_series(1, 3000) AS n;
SELECT date_trunc('hour', now()) - interval '5 hours' AS starts, date_trunc('hour', now()) + interval '1 minute' AS ends \gset
CREATE FUNCTION pg_temp.expected(starts_at timestamptz, ends_at timestamptz) RETURNS text LANGUAGE sql AS $$
  SELECT (count(*), vigil.sum(vigil.exact_sum_agg(coalesce(sample_weight, 1))),
          coalesce(vigil.sum(vigil.exact_sum_agg(coalesce(sample_weight, 1)) FILTER (WHERE NOT success)), 0))::text
  FROM vigil.events WHERE created_at >= starts_at AND created_at < ends_at $$;
SELECT is((SELECT (events, estimated_events, estimated_failures)::text FROM vigil.window_stats(:m1, :'starts', :'ends')), pg_temp.expected(:'starts', :'ends'), 'S1-74: a window, from raw facts');
SELECT vigil.rollup() \g /dev/null
SELECT is((SELECT (events, estimated_events, estimated_failures)::text FROM vigil.window_stats(:m1, :'starts', :'ends')), pg_temp.expected(:'starts', :'ends'), 'S1-74: and rolled up');
SELECT is_empty(format($$SELECT bucket FROM vigil.series(%L, %L, %L) WHERE (events, estimated_events, estimated_failures)::text IS DISTINCT FROM pg_temp.expected(bucket, bucket + interval '1 hour')$$,
  :m1, :'starts', :'ends'), 'S1-74: each step of a series');
SELECT set_eq('SELECT bucket, subject, cell::text FROM vigil.cells_hour', $$SELECT date_trunc('hour', created_at), subject,
    vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code, device, browser, sample_weight)::text
  FROM vigil.facts GROUP BY 1, 2$$, 'S1-74: hour cells have the bytes of all their facts in one pass');
SELECT is((SELECT array_agg(DISTINCT left(cell::text, 4)) FROM vigil.cells), ARRAY['\x02'], 'S1-74: they are of version 2');

INSERT INTO vigil.events (module_id, event_type, event_name, trace_id, sample_weight)
SELECT :m2, 'span', 'x', 'trace ' || i, vigil.sample_weight(0.1) FROM generate_series(1, 10000) AS i WHERE vigil.sampled('trace ' || i, 0.1);
SELECT is((SELECT (estimated_events = 10 * events, abs(estimated_events - 10000) <= 1000)::text FROM vigil.window_stats(:m2, now(), now() + interval '1 minute')), '(t,t)',
  'S1-74: sampled counts are scaled by 1 / rate');

SELECT * FROM finish();
ROLLBACK;
