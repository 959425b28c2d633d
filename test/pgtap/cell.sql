-- vigil.cell: everything a rollup keeps, in one pass; merging, folding, parallel plans, windows, bytes.
BEGIN;
\ir include/setup.sql
SELECT plan(58);

CREATE TEMP TABLE seen (at timestamptz, name text, success boolean, duration float8, value float8, memory bigint, site uuid,
                        session text, usr text, country text, device text, browser text);
INSERT INTO seen SELECT '2026-01-01 00:00+00'::timestamptz + n * interval '7 seconds', 'name-' || n % 5, CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END,
  CASE WHEN n % 4 > 0 THEN n / 4.0 END, CASE WHEN n % 5 = 0 THEN -n END, CASE WHEN n % 2 = 0 THEN n * 10 END,
  CASE WHEN n % 7 > 0 THEN md5((n % 11)::text)::uuid END, CASE WHEN n % 9 > 0 THEN 's' || n % 50 END, CASE WHEN n % 10 = 0 THEN 'u' || n % 30 END,
  (ARRAY['US', 'DE', NULL])[1 + n % 3], (ARRAY['desktop', 'mobile', NULL, 'tablet'])[1 + n % 4], (ARRAY['Chrome', NULL])[1 + n % 2]
FROM generate_series(1, 3000) AS n;
CREATE FUNCTION pg_temp.cell_of(which text DEFAULT 'true') RETURNS vigil.cell LANGUAGE plpgsql AS $$
DECLARE cell vigil.cell;
BEGIN
  EXECUTE 'SELECT vigil.cell_agg(at, name, success, duration, value, memory, site, session, usr, country, device, browser) FROM seen WHERE ' || which INTO cell;
  RETURN cell;
END $$;
CREATE TEMP TABLE whole AS SELECT pg_temp.cell_of() AS c;

SELECT results_eq($$SELECT vigil.cell_number(c, 'count'), vigil.cell_number(c, 'successes'), vigil.cell_number(c, 'failures'), vigil.cell_number(c, 'memory_count'),
    vigil.cell_count(c), vigil.cell_successes(c) FROM whole$$,
  'SELECT count(*), count(*) FILTER (WHERE success), count(*) FILTER (WHERE NOT success), count(memory), count(*), count(*) FILTER (WHERE success) FROM seen',
  'S0-48: counts');
SELECT results_eq('SELECT vigil.cell_time(c, false), vigil.cell_time(c, true) FROM whole', 'SELECT min(at), max(at) FROM seen', 'S0-90: times of the first and the last fact');
SELECT results_eq('SELECT vigil.cell_memory_avg(c), vigil.cell_memory_max(c) FROM whole', 'SELECT avg(memory)::float8, max(memory) FROM seen', 'S0-55: memory');
SELECT is((SELECT vigil.cell_distribution(c, 'duration')::text FROM whole), (SELECT vigil.histogram_agg(duration)::text FROM seen), 'S0-50: durations');
SELECT is((SELECT vigil.cell_distribution(c, 'value')::text FROM whole), (SELECT vigil.histogram_agg(value)::text FROM seen), 'D-42: values');
SELECT is((SELECT vigil.cell_uniques(c, 'sites')::text FROM whole), (SELECT vigil.distinct_agg(site)::text FROM seen), 'S0-49: sites');
SELECT is((SELECT vigil.cell_uniques(c, 'sessions')::text FROM whole), (SELECT vigil.distinct_agg(session)::text FROM seen), 'S0-49: sessions');
SELECT is((SELECT vigil.cell_uniques(c, 'users')::text FROM whole), (SELECT vigil.distinct_agg(usr)::text FROM seen), 'S0-49: users');
SELECT is((SELECT vigil.cell_breakdown(c, kind) FROM whole), (SELECT jsonb_object_agg(k, n) FROM (SELECT k, count(*) AS n FROM seen, LATERAL (SELECT
    CASE kind WHEN 'names' THEN name WHEN 'countries' THEN country WHEN 'devices' THEN device ELSE browser END) AS v (k) WHERE k IS NOT NULL GROUP BY 1) t),
  'S0-54: breakdown ' || kind) FROM unnest('{names,countries,devices,browsers}'::text[]) AS kind;

-- Nothing, one, null, odd values ---------------------------------------------------------------------------

SELECT is(pg_temp.cell_of('false')::text, NULL, 'S0-47: no rows give null');
SELECT results_eq('SELECT vigil.cell_count(NULL), vigil.cell_successes(NULL)', 'VALUES (0::bigint, 0::bigint)', 'S0-47: which counts 0');
SELECT is(vigil.cell_number(NULL, 'count'), NULL, 'S0-47: other readers of null give null');
SELECT results_eq($$SELECT vigil.cell_count(c), vigil.cell_memory_avg(c), vigil.cell_memory_max(c), vigil.count(vigil.cell_distribution(c, 'duration')),
    vigil.cardinality(vigil.cell_uniques(c, 'sites')), vigil.cell_breakdown(c, 'countries'), vigil.cell_breakdown(c, 'names')
    FROM (SELECT vigil.cell_agg(now(), 'n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS c) t$$,
  $$VALUES (1::bigint, NULL::float8, NULL::bigint, 0::bigint, 0::bigint, '{}'::jsonb, '{"n": 1}'::jsonb)$$, 'S0-55: a fact of which nothing is known');
SELECT is((SELECT vigil.count(vigil.cell_distribution(vigil.cell_agg(now(), 'n', NULL, x, x, NULL, NULL, NULL, NULL, NULL, NULL, NULL), 'duration'))
           FROM unnest('{1,NaN,Infinity,-Infinity}'::float8[]) AS x), 1::bigint, 'S0-50: a duration that is not finite counts as missing');
SELECT is((SELECT vigil.cell_memory_avg(vigil.cell_agg(now(), 'n', NULL, NULL, NULL, 9223372036854775807, NULL, NULL, NULL, NULL, NULL, NULL)) FROM generate_series(1, 10)),
  9223372036854775807::float8, 'D-21: sums of memory do not overflow');
SELECT throws_ok('SELECT vigil.cell_agg(NULL, ''n'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)', '22004', NULL, 'S0-47: a fact without time is refused');
SELECT throws_ok('SELECT vigil.cell_agg(now(), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)', '22004', NULL, 'S0-47: a fact without name is refused');
SELECT throws_ok(format('SELECT vigil.%s(c, ''nonsense'') FROM whole', reader), '22023', NULL, 'S0-47: ' || reader || ' refuses an unknown name')
FROM unnest('{cell_number,cell_distribution,cell_uniques,cell_breakdown}'::text[]) AS reader;
SELECT throws_ok('SELECT vigil.cell_merge(NULL, c) FROM whole', '22023', NULL, 'S0-47: the step function refuses to be called by hand');

-- Weights -------------------------------------------------------------------------------------------------

CREATE TEMP TABLE sampled AS
SELECT vigil.cell_agg(now(), 'n', n > 2, n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS plain,
       vigil.cell_agg(now(), 'n', n > 2, n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, CASE WHEN n > 2 THEN 1 END) AS ones,
       vigil.cell_agg(now(), 'n', n > 2, n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, n) AS weighted
FROM generate_series(1, 4) AS n;
SELECT is((SELECT ones::text FROM sampled), (SELECT plain::text FROM sampled), 'S1-74: weights of 1 change no byte');
SELECT results_eq($$SELECT vigil.cell_count(weighted), vigil.cell_weight(weighted), vigil.cell_weight(weighted, 'successes'), vigil.cell_weight(weighted, 'failures'), vigil.cell_weight(plain) FROM sampled$$,
  $$VALUES (4::bigint, 10::float8, 7::float8, 3::float8, 4::float8)$$, 'S1-74: what the facts of a cell stand for, by outcome');
SELECT is((SELECT vigil.percentile(vigil.cell_distribution(weighted, 'duration'), 0.5) FROM sampled), (SELECT vigil.percentile(vigil.cell_distribution(plain, 'duration'), 0.5) FROM sampled),
  'S1-74: distributions are those of the sample');
SELECT is(vigil.cell_weight(NULL), NULL, 'S1-74: null has no weight');
SELECT throws_ok($$SELECT vigil.cell_weight(plain, 'nonsense') FROM sampled$$, '22023', NULL, 'S1-74: an unknown count is refused');
SELECT throws_ok($$SELECT vigil.cell_agg(now(), 'n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.5)$$, '22003', NULL, 'S1-74: so is what is no weight');

-- Breakdowns are bounded -----------------------------------------------------------------------------------

CREATE TEMP TABLE names AS SELECT vigil.cell_breakdown(vigil.cell_agg(now(), 'n' || lpad(n::text, 3, '0'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), 'names') AS b
FROM generate_series(1, 300) AS n, generate_series(1, CASE WHEN n > 290 THEN 3 ELSE 1 END);
SELECT is((SELECT count(*) FROM names, jsonb_object_keys(b)), 201::bigint, 'S0-52: a breakdown keeps 200 names and the rest in one');
SELECT results_eq($$SELECT b -> '(other)', b -> 'n300', b ? 'n190', b ? 'n191' FROM names$$, $$VALUES ('100'::jsonb, '3'::jsonb, true, false)$$,
  'S0-52: the most frequent ones, among equals by name');

-- Merging ----------------------------------------------------------------------------------------------------

CREATE TEMP TABLE parts AS SELECT extract(epoch FROM at)::bigint % 19 AS part,
  vigil.cell_agg(at, name, success, duration, value, memory, site, session, usr, country, device, browser) AS c FROM seen GROUP BY 1;
SELECT is((SELECT vigil.merge_agg(c ORDER BY part)::text FROM parts), (SELECT c::text FROM whole), 'S0-58: merged parts have the bytes of the whole');
SELECT is((SELECT vigil.merge_agg(c ORDER BY part DESC)::text FROM parts), (SELECT vigil.merge_agg(c ORDER BY md5(part::text))::text FROM parts), 'S0-58: in any order');
SELECT is((SELECT vigil.merge_agg(c)::text FROM (SELECT c FROM parts UNION ALL SELECT NULL) t), (SELECT c::text FROM whole), 'S0-58: merging null changes nothing');
SELECT is((SELECT vigil.merge_agg(NULL::vigil.cell)::text), NULL, 'S0-58: merging only null gives null');

SELECT is((SELECT vigil.cell_breakdown(vigil.merge_agg(c), 'countries') FROM (
             SELECT vigil.cell_agg('2026-01-01 00:00+00', 'n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, country, NULL, NULL) AS c
             FROM (VALUES (1, 'a'), (2, 'a'), (2, 'a'), (2, 'b'), (2, 'b'), (2, 'b')) AS t (day, country) GROUP BY day) AS days),
  '{"a": 3, "b": 3}', 'S0-64: breakdowns merge name by name');

-- Two aggregates that share a state, windows, parallel plans ----------------------------------------------------

SELECT is((SELECT vigil.merge_agg(c)::text = vigil.merge_agg(c)::text AND vigil.cell_count(vigil.merge_agg(c)) = 3000 FROM parts), true, 'S0-58: aggregates may share a state');
SELECT results_eq($$SELECT vigil.cell_count(vigil.merge_agg(c) OVER (ORDER BY part)) FROM parts ORDER BY part$$, 'SELECT sum(vigil.cell_count(c)) OVER (ORDER BY part)::bigint FROM parts ORDER BY part',
  'S0-58: a growing window frame');
SELECT results_eq($$SELECT vigil.cell_count(vigil.merge_agg(c) OVER (ORDER BY part ROWS 1 PRECEDING)) FROM parts ORDER BY part$$,
  'SELECT sum(vigil.cell_count(c)) OVER (ORDER BY part ROWS 1 PRECEDING)::bigint FROM parts ORDER BY part', 'S0-58: a sliding window frame');
CREATE TABLE vigil_parallel AS SELECT * FROM seen;
ALTER TABLE vigil_parallel SET (parallel_workers = 2);
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
\set query 'SELECT vigil.cell_agg(at, name, success, duration, value, memory, site, session, usr, country, device, browser)::text FROM vigil_parallel'
SELECT matches(pg_temp.plan_of(:'query'), 'Partial Aggregate', 'S0-58: the planner splits the aggregate');
SELECT is((:query), (SELECT c::text FROM whole), 'S0-58: a parallel plan gives the bytes of a serial one');

-- Bytes -------------------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored AS SELECT 1 AS id, pg_temp.cell_of('name = ''name-1'' AND duration < 20') AS c UNION ALL SELECT 2, c FROM whole;
SELECT is(c::text::vigil.cell::text, c::text, 'S0-05: a round trip through text, row ' || id) FROM stored;
CREATE TEMP TABLE restored (LIKE stored);
SELECT pg_temp.copy_binary('stored', 'restored') \g /dev/null
SELECT results_eq('SELECT id, c::text FROM restored ORDER BY 1', 'SELECT id, c::text FROM stored ORDER BY 1', 'S0-05: a round trip through binary COPY');
SELECT throws_ok(format('SELECT %L::vigil.cell', bytes), state, NULL, 'S0-05: hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x01', '22P03'), ('\x03', '22P03'), ('\x0200', '22P03'), ('\x0101', '22P03'), ('\x01ffffffffffffffffff01', '22P03'),
             ('\x' || repeat('ff', 1000), '22P03'), ('\x1', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.cell_send(c)) - 1) AS cut
           WHERE id = 1 AND pg_temp.readable('cell', substr(vigil.cell_send(c), 1, cut))), 0::bigint, 'S0-05: no beginning of a value is a value');
-- one byte of the name becomes what is no UTF-8
CREATE TEMP TABLE odd AS SELECT set_byte(bytes, position(convert_to('Zq', 'UTF8') IN bytes) - 1, 255) AS bytes
FROM (SELECT vigil.cell_send(vigil.cell_agg('2026-01-01 00:00+00', 'Zq', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS bytes) t;
SELECT throws_ok($$SELECT vigil.cell_breakdown(bytes::text::vigil.cell, 'names') FROM odd$$, '22021', NULL, 'S0-05: a name that is no text does not become jsonb');

SELECT * FROM finish();
ROLLBACK;
