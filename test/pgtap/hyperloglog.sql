-- vigil.hyperloglog: exact while small, then estimated; merging, parallel plans, windows, bytes.
BEGIN;
\ir include/setup.sql
SELECT plan(118);

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
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x00', '22P03'), ('\x11', '22P03'), ('\xff8b7f', '22P03'), ('\x128b7f01', '22P03'), ('\x148b7f', '22P03'), ('\x258c40', '22P03'), ('\x258c4000000001', '22P03'), ('\x268c4000', '22P03'),
             ('\x' || repeat('ff', 3000), '22P03'), ('\x1', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.hyperloglog_send(s)) - 1) AS cut
           WHERE id = 1 AND (cut - 3) % 4 <> 0 AND pg_temp.readable('hyperloglog', substr(vigil.hyperloglog_send(s), 1, cut))), 0::bigint, 'S0-05: no part of a value that ends within an element is a value');

SELECT throws_ok(format('SELECT %L::bytea::vigil.hyperloglog', bytes), '22P03', NULL, 'S0-05: nor are they public bytes: ' || left(bytes, 40))
FROM unnest('{"\\x","\\x108c40","\\x218c40","\\x258c4000001000","\\x118cff","\\x118c4000","\\x138c40000000","\\x148c40"}'::text[]) AS bytes;

-- Sizes --------------------------------------------------------------------------------------------------

CREATE TEMP TABLE sizes (n integer, s vigil.hyperloglog);
ALTER TABLE sizes ALTER s SET STORAGE EXTERNAL;
INSERT INTO sizes SELECT n, (SELECT vigil.distinct_agg(i::text) FROM generate_series(1, n) AS i) FROM unnest('{1,20,100,512,1000,5000,200000}'::integer[]) AS n;
SELECT cmp_ok((SELECT pg_column_size(s) FROM sizes WHERE n = 100), '<=', 420, 'distinct counts: 100 values take at most 420 bytes');
SELECT cmp_ok((SELECT max(pg_column_size(s)) FROM sizes), '<=', 2100, 'distinct counts: none takes more than 2.1 kB');
SELECT results_eq('SELECT n, vigil.relative_error(s) FROM sizes ORDER BY n', $$VALUES (1, 0::float8), (20, 0), (100, 0), (512, 0), (1000, 0.01625), (5000, 0.01625), (200000, 0.01625)$$, 'distinct counts: the error is known');
SELECT is((SELECT count(*) FROM sizes WHERE abs(vigil.cardinality(s) / n::float8 - 1) > 4 * vigil.relative_error(s)), 0::bigint, 'distinct counts: and it is true');

-- Types --------------------------------------------------------------------------------------------------

-- How many different values of an expression over n and v there are.
CREATE TEMP TABLE few AS SELECT n::integer, v FROM unnest('{a,b,A,"a ",abc,"",ü}'::text[]) WITH ORDINALITY AS t (v, n);
CREATE FUNCTION pg_temp.number_of(expression text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  result integer;
BEGIN
  EXECUTE format('SELECT vigil.cardinality(vigil.distinct_agg(%s)) FROM pg_temp.few', expression) INTO result;
  RETURN result;
END $$;
CREATE TYPE pg_temp.mood AS ENUM ('happy', 'sad');
CREATE TYPE pg_temp.place AS (x integer, y text);
CREATE DOMAIN pg_temp.name_of_day AS text;
CREATE COLLATION pg_temp.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT is(pg_temp.number_of(expression), expected, 'distinct counts: ' || expression || ': ' || expected)
FROM (VALUES ('v::text', 7), ('v::varchar', 7), ('v::bytea', 7), ('v::pg_temp.name_of_day', 7), ('v::name', 7), ('v::char(5)', 6), ('v::text COLLATE pg_temp.any_case', 6),
             ('v::varchar COLLATE pg_temp.any_case', 6), ('v::char(5) COLLATE pg_temp.any_case', 5), ('ARRAY[v]', 7), ('to_jsonb(v)', 7), ('ROW(1, v)::pg_temp.place', 7),
             ('n::bigint', 7), ('n::integer', 7), ('n::smallint', 7), ('n % 2 = 0', 2), ('n::oid', 7), ('n::money', 7), ('date ''2026-01-01'' + n', 7), ('make_time(n, 0, 0)', 7),
             ('to_timestamp(n)', 7), ('to_timestamp(n)::timestamp', 7), ('make_interval(hours => 24 * n)', 7), ('int4range(n, 9)', 7), ('md5(v)::uuid', 7), ('(''{happy,sad}''::pg_temp.mood[])[n % 2 + 1]', 2),
             ('(''{1,1.0,1.00,NaN,0,-0,2}''::numeric[])[n]', 4), ('(''{1,1.0,1e0,NaN,0,-0,nan}''::float8[])[n]', 3), ('(''{1,1.0,1e0,NaN,0,-0,nan}''::float4[])[n]', 3), ('(''{24h,1d,1440m}''::interval[])[n]', 1),
             ('(''{1,1.0}''::jsonb[])[n]', 1), ('NULLIF(n, 3)', 6), ('repeat(v, 3000)', 7), ('v, 10', 7), ('n, 17', 7)) AS t (expression, expected);
SELECT results_eq($$SELECT vigil.distinct_agg(v::pg_temp.name_of_day)::text, vigil.distinct_agg(v::varchar)::text, vigil.distinct_agg(v::bytea)::text FROM pg_temp.few$$,
  $$SELECT vigil.distinct_agg(v)::text, vigil.distinct_agg(v)::text, vigil.distinct_agg(v)::text FROM pg_temp.few$$, 'distinct counts: texts and their bytes are the same values');
SELECT is((SELECT vigil.distinct_agg(v::char(9))::text FROM pg_temp.few), (SELECT vigil.distinct_agg(v::char(9)::text)::text FROM pg_temp.few), 'distinct counts: a padded text is the text');
SELECT is((SELECT vigil.distinct_agg('happy'::pg_temp.mood)::text), (SELECT vigil.distinct_agg('happy')::text), 'distinct counts: a label is its text');
SELECT isnt((SELECT vigil.distinct_agg(n)::text FROM pg_temp.few), (SELECT vigil.distinct_agg(n::bigint)::text FROM pg_temp.few), 'distinct counts: integers of different widths are different values');
SELECT throws_ok($$SELECT vigil.distinct_agg(x) FROM (SELECT '(1,2)'::point) AS t (x)$$, '0A000', 'values of type point cannot be counted', 'distinct counts: a type without hash is refused');
SELECT throws_ok($$SELECT vigil.distinct_agg(x) FROM (SELECT '{}'::json) AS t (x)$$, '0A000', NULL, 'distinct counts: so is json');
SELECT throws_ok($$SELECT vigil.distinct_agg(n, 18) FROM pg_temp.few$$, '22023', NULL, 'distinct counts: log2m has a limit');
SELECT throws_ok($$SELECT vigil.distinct_agg(n, n + 9) FROM pg_temp.few$$, '22023', NULL, 'distinct counts: log2m does not change');
SELECT throws_ok($$SELECT vigil.distinct_agg(n, NULL) FROM pg_temp.few$$, '22004', NULL, 'distinct counts: log2m is not null');

-- Two sets -----------------------------------------------------------------------------------------------

CREATE TEMP TABLE pairs AS
SELECT size, vigil.distinct_agg(n) FILTER (WHERE n <= size) AS a, vigil.distinct_agg(n) FILTER (WHERE n > size / 2) AS b, vigil.distinct_agg(n) AS whole
FROM unnest('{300,20000}'::integer[]) AS size, LATERAL generate_series(1, size * 3 / 2) AS n GROUP BY 1;
SELECT is(vigil."union"(a, b)::text, whole::text, 'distinct counts: the union of two, size ' || size) FROM pairs;
SELECT is((a OPERATOR(vigil.|) b)::text, (b OPERATOR(vigil.|) a)::text, 'distinct counts: either way, size ' || size) FROM pairs;
SELECT ok((a OPERATOR(vigil.|) b) OPERATOR(vigil.=) whole AND a OPERATOR(vigil.<>) b AND NOT a OPERATOR(vigil.=) b, 'distinct counts: equality, size ' || size) FROM pairs;
SELECT results_eq('SELECT (vigil.intersection_cardinality(a, b)).* FROM pairs WHERE size = 300', 'VALUES (150::float8, 0::float8)', 'distinct counts: what both have is exact while they are');
SELECT ok(abs(estimate - 10000) < 4 * standard_error AND standard_error BETWEEN 50 AND 400, 'distinct counts: then it is known within an error: ' || estimate || ', ' || standard_error)
FROM pairs, vigil.intersection_cardinality(a, b) WHERE size = 20000;
SELECT is(vigil.cardinality(a::bytea::vigil.hyperloglog) BETWEEN 0.95 * vigil.cardinality(a) AND 1.05 * vigil.cardinality(a), true, 'distinct counts: public bytes hold the set, size ' || size) FROM pairs;
SELECT is((a::bytea::vigil.hyperloglog OPERATOR(vigil.|) b)::bytea, whole::bytea, 'distinct counts: and merge, size ' || size) FROM pairs;
SELECT is(NULL::vigil.hyperloglog::bytea, NULL, 'distinct counts: null stays null');
SELECT throws_ok($$SELECT vigil.distinct_agg(n, 10) OPERATOR(vigil.|) vigil.distinct_agg(n) FROM pg_temp.few$$, '22023', NULL, 'distinct counts: different parameters do not combine');
SELECT throws_ok($$SELECT vigil.merge_agg(s) FROM (SELECT vigil.distinct_agg(n, 10) FROM pg_temp.few UNION ALL SELECT vigil.distinct_agg(n) FROM pg_temp.few) AS t (s)$$, '22023', NULL, 'distinct counts: nor merge');
SELECT throws_ok($$SELECT vigil.intersection_cardinality(vigil.distinct_agg(n, 10), vigil.distinct_agg(n)) FROM pg_temp.few$$, '22023', NULL, 'distinct counts: nor intersect');
SELECT throws_ok(format($$SELECT vigil.cardinality(('\x148c40' || %L)::bytea::vigil.hyperloglog)$$, repeat('ff', 2560)), '22003', NULL, 'distinct counts: more than a bigint holds');
SELECT results_eq($$SELECT vigil.merge_agg(s)::text FROM (SELECT vigil.distinct_agg(n, 10) FROM pg_temp.few WHERE n < 3 UNION ALL SELECT vigil.distinct_agg(n, 10) FROM pg_temp.few) AS t (s)$$,
  'SELECT vigil.distinct_agg(n, 10)::text FROM pg_temp.few', 'distinct counts: sets of other parameters merge among themselves');

SELECT * FROM finish();
ROLLBACK;
