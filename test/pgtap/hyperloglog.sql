-- vigil.hyperloglog: exact while small, then estimated; merging, parallel plans, windows, bytes.
BEGIN;
\ir include/setup.sql
SELECT plan(41);

CREATE TEMP TABLE words AS SELECT n, 'word-' || n % 5000 AS word FROM generate_series(1, 20000) AS n;

SELECT is((SELECT vigil.cardinality(vigil.distinct_agg(word)) FROM words WHERE n <= known), least(known, 5000)::bigint, format('S0-49: %s different values are counted exactly', known))
FROM unnest('{1,2,63,64,65,511,512}'::integer[]) AS known;
SELECT is((SELECT abs(vigil.cardinality(vigil.distinct_agg(word)) / 5000.0 - 1) < 0.05 FROM words), true, 'S0-49: 5,000 within three standard errors');
SELECT is((SELECT vigil.cardinality(vigil.distinct_agg(x)) FROM unnest('{a,b,a,NULL,b,A,"a ",""}'::text[]) AS x), 5::bigint, 'S0-49: nulls and repetitions do not count, case and blanks do');
SELECT is((SELECT vigil.cardinality(vigil.distinct_agg(gen_random_uuid())) FROM generate_series(1, 300)), 300::bigint, 'S0-49: ids are counted as well');
SELECT is((SELECT vigil.cardinality(vigil.distinct_agg(id)) FROM unnest(ARRAY[:m1, :m2, :m1]::uuid[]) AS id), 2::bigint, 'S0-49: each once');
SELECT is((SELECT vigil.distinct_agg(word)::text FROM words WHERE false), NULL, 'S0-49: no rows give null');
SELECT is((SELECT vigil.distinct_agg(NULL::text)::text FROM words), NULL, 'S0-49: only nulls give null');
SELECT is(vigil.cardinality(NULL), NULL, 'S0-49: the cardinality of null is null');
SELECT is((SELECT vigil.cardinality(vigil.distinct_agg(''::text))), 1::bigint, 'S0-49: the empty text is a value');
SELECT throws_ok($$SELECT vigil.hyperloglog_add(NULL, 'x'::text)$$, '22023', NULL, 'S0-49: the step function refuses to be called by hand');

-- Merging ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE parts AS SELECT n % 13 AS part, vigil.distinct_agg(word) AS s FROM words GROUP BY 1;
SELECT is((SELECT vigil.merge_agg(s ORDER BY part)::text FROM parts), (SELECT vigil.distinct_agg(word)::text FROM words), 'S0-59: merged parts have the bytes of the whole');
SELECT is((SELECT vigil.merge_agg(s ORDER BY part DESC)::text FROM parts), (SELECT vigil.merge_agg(s ORDER BY md5(part::text))::text FROM parts), 'S0-59: in any order');
SELECT is((SELECT vigil.distinct_agg(word ORDER BY n DESC)::text FROM words), (SELECT vigil.distinct_agg(word ORDER BY md5(n::text))::text FROM words), 'S0-59: rows in any order give equal bytes');
SELECT is((SELECT vigil.cardinality(vigil.merge_agg(s)) FROM (SELECT vigil.distinct_agg(x) AS s FROM unnest('{site-1,site-2}'::text[]) AS x
    UNION ALL SELECT vigil.distinct_agg(x) FROM unnest('{site-2}'::text[]) AS x UNION ALL SELECT NULL) t), 2::bigint, 'S0-59: a site of two hours counts once');
SELECT is((SELECT vigil.merge_agg(NULL::vigil.hyperloglog)::text), NULL, 'S0-59: merging only null gives null');
SELECT is((SELECT vigil.merge_agg(s)::text FROM (SELECT s FROM parts UNION ALL SELECT s FROM parts) t), (SELECT vigil.merge_agg(s)::text FROM parts), 'S0-59: merging twice changes nothing');

-- Two aggregates that share a state, windows, parallel plans ----------------------------------------------

SELECT results_eq('SELECT vigil.cardinality(vigil.distinct_agg(word)), vigil.cardinality(vigil.distinct_agg(word)), vigil.distinct_agg(word)::text = vigil.distinct_agg(word)::text FROM words WHERE n <= 100',
  'VALUES (100::bigint, 100::bigint, true)', 'S0-49: aggregates may share a state');
SELECT results_eq('SELECT vigil.cardinality(vigil.distinct_agg(word) OVER (ORDER BY n)) FROM words WHERE n <= 70 ORDER BY n', 'SELECT generate_series(1, 70)::bigint', 'S0-49: a growing window frame');
SELECT results_eq('SELECT vigil.cardinality(vigil.distinct_agg(word) OVER (ORDER BY n ROWS 4 PRECEDING)) FROM words WHERE n <= 70 ORDER BY n', 'SELECT least(n, 5)::bigint FROM generate_series(1, 70) AS n', 'S0-49: a sliding window frame');
CREATE TABLE vigil_parallel AS SELECT word FROM words;
ALTER TABLE vigil_parallel SET (parallel_workers = 2);
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT matches(pg_temp.plan_of('SELECT vigil.distinct_agg(word) FROM vigil_parallel'), 'Partial Aggregate', 'S0-59: the planner splits the aggregate');
SELECT is((SELECT vigil.distinct_agg(word)::text FROM vigil_parallel), (SELECT vigil.distinct_agg(word)::text FROM words), 'S0-59: a parallel plan gives the bytes of a serial one');

-- Bytes --------------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored AS SELECT 1 AS id, vigil.distinct_agg(word) AS s FROM words WHERE n <= 3 UNION ALL SELECT 2, vigil.distinct_agg(word) FROM words;
SELECT is(s::text::vigil.hyperloglog::text, s::text, 'S0-05: a round trip through text, row ' || id) FROM stored;
CREATE TEMP TABLE restored (LIKE stored);
SELECT pg_temp.copy_binary('stored', 'restored') \g /dev/null
SELECT results_eq('SELECT id, s::text FROM restored ORDER BY 1', 'SELECT id, s::text FROM stored ORDER BY 1', 'S0-05: a round trip through binary COPY');
SELECT throws_ok(format('SELECT %L::vigil.hyperloglog', bytes), state, NULL, 'S0-05: hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x00', '22P03'), ('\x11', '22P03'), ('\xff8b7f', '22P03'), ('\x128b7f01', '22P03'), ('\x148b7f', '22P03'),
             ('\x' || repeat('ff', 3000), '22P03'), ('\x1', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.hyperloglog_send(s)) - 1) AS cut
           WHERE id = 1 AND (cut - 3) % 4 <> 0 AND pg_temp.readable('hyperloglog', substr(vigil.hyperloglog_send(s), 1, cut))), 0::bigint, 'S0-05: no part of a value that ends within an element is a value');

SELECT * FROM finish();
ROLLBACK;
