-- vigil.topk: bounds against exact counts, merging, long items, parallel plans, windows, hostile bytes, round trips.
BEGIN;
\ir include/setup.sql
SELECT no_plan();

CREATE TEMP TABLE words AS SELECT n, 'w' || floor(1000 * pow((n * 7919 % 10007) / 10007.0, 4))::int AS w FROM generate_series(1, 10000) AS n;
CREATE TEMP TABLE exact AS SELECT w, count(*) AS times FROM words GROUP BY 1;

-- Values -----------------------------------------------------------------------------------------------

SELECT results_eq($$SELECT * FROM vigil.topk((SELECT vigil.topk_agg(v, 5) FROM unnest('{b,a,c,a,NULL,b,a}'::text[]) AS v))$$,
  $$VALUES ('a', 3::bigint, 0::bigint), ('b', 2, 0), ('c', 1, 0)$$, 'exact while no more than k are different');
SELECT results_eq($$SELECT item FROM vigil.topk((SELECT vigil.topk_agg(v, 5) FROM unnest('{d,c,b,a}'::text[]) AS v), 2)$$, $$VALUES ('a'), ('b')$$, 'equal counts are in the order of the bytes');
SELECT results_eq($$SELECT * FROM vigil.topk((SELECT vigil.topk_agg(v, 2) FROM unnest('{a,b,a,c,a}'::text[]) AS v))$$,
  $$VALUES ('a', 3::bigint, 0::bigint), ('c', 2, 1)$$, 'the new one takes the count of the least as its error');
SELECT results_eq('SELECT * FROM vigil.topk((SELECT vigil.topk_agg(w, 1000) FROM words)) ORDER BY count DESC, item COLLATE "C"',
  'SELECT w, times, 0::bigint FROM exact ORDER BY times DESC, w COLLATE "C"', 'exact for a thousand');
SELECT is((SELECT vigil.count(vigil.topk_agg(w, k)) FROM words), 10000::bigint, 'the total counts all, k ' || k) FROM unnest('{1,7,50,10000}'::int[]) AS k;
SELECT is((SELECT count(*) FROM vigil.topk((SELECT vigil.topk_agg(w, k) FROM words)) JOIN exact ON w = item WHERE times NOT BETWEEN count - error AND count), 0::bigint, 'true counts lie within the bounds, k ' || k) FROM unnest('{1,7,50,200}'::int[]) AS k;
SELECT is((SELECT count(*) FROM exact, (SELECT vigil.topk_agg(w, k) AS t FROM words) s WHERE times > vigil.max_unlisted(t) AND w NOT IN (SELECT item FROM vigil.topk(t))), 0::bigint, 'no other is more frequent than max_unlisted, k ' || k) FROM unnest('{1,7,50,200}'::int[]) AS k;
SELECT ok((SELECT vigil.max_unlisted(vigil.topk_agg(w, k)) <= 10000 / k FROM words), 'which is at most count / k, k ' || k) FROM unnest('{1,7,50,200}'::int[]) AS k;
SELECT is((SELECT array_agg(item) FROM vigil.topk((SELECT vigil.topk_agg(w, 200) FROM words), 5)), (SELECT array_agg(w) FROM (SELECT w FROM exact ORDER BY times DESC LIMIT 5) t), 'the five most frequent');
SELECT is((SELECT count(*) FROM vigil.topk((SELECT vigil.topk_agg(w, 50) FROM words), n)), least(n, 50)::bigint, n || ' rows asked for') FROM unnest('{0,1,49,50,51,2147483647}'::int[]) AS n;

-- Nothing, null, and what is out of range ----------------------------------------------------------------

SELECT is((SELECT vigil.topk_agg(w, 5)::text FROM words WHERE false), NULL, 'no rows give null');
SELECT is((SELECT vigil.topk_agg(NULL, 5)::text FROM words), NULL, 'only nulls give null');
SELECT is((SELECT count(*) FROM vigil.topk(NULL::vigil.topk)), 0::bigint, 'null has no items');
SELECT is(vigil.count(NULL::vigil.topk), NULL, 'the count of null is null');
SELECT throws_ok(format('SELECT vigil.topk_agg(w, %s) FROM words', k), '22023', NULL, 'k = ' || k || ' is refused with 22023') FROM unnest('{0,-1,10001,2147483647,-2147483648}'::text[]) AS k;
SELECT throws_ok('SELECT vigil.topk_agg(w, NULL) FROM words', '22023', NULL, 'k must not be null');
SELECT throws_ok('SELECT vigil.topk_agg(w, 1 + n % 2) FROM words', '22023', NULL, 'k must not change');
SELECT throws_ok('SELECT vigil.topk((SELECT vigil.topk_agg(w, 5) FROM words), -1)', '22023', NULL, 'a negative number of rows is refused');
SELECT throws_ok('SELECT vigil.topk_add(NULL, ''a'', 1)', '22023', NULL, 'the step function refuses to be called by hand');
SELECT is((SELECT item FROM vigil.topk((SELECT vigil.topk_agg('', 1)))), '', 'an empty text is an item');

-- Long items ---------------------------------------------------------------------------------------------

SELECT is((SELECT item FROM vigil.topk((SELECT vigil.topk_agg(repeat('x', 1024), 1)))), repeat('x', 1024), '1024 bytes are kept');
SELECT results_eq($$SELECT left(item, 992), octet_length(item) FROM vigil.topk((SELECT vigil.topk_agg(v, 5) FROM unnest(ARRAY[repeat('x', 1025), repeat('x', 9999)]) AS v))$$,
  $$SELECT repeat('x', 989) || '...', 1024 FROM generate_series(1, 2)$$, 'longer ones by their beginning and their hash, so that they differ');
SELECT is((SELECT count FROM vigil.topk((SELECT vigil.topk_agg(repeat('y', 100000), 5) FROM generate_series(1, 3)))), 3::bigint, 'equal ones are equal');
SELECT is((SELECT left(item, -35) FROM vigil.topk((SELECT vigil.topk_agg(repeat('€', 1000), 5)))), repeat('€', 329), 'characters stay whole');

-- Merging ----------------------------------------------------------------------------------------------

CREATE TEMP TABLE parts AS SELECT n % 17 AS part, vigil.topk_agg(w, 1000) AS t FROM words GROUP BY 1;
SELECT is((SELECT vigil.merge_agg(t ORDER BY part)::text FROM parts), (SELECT vigil.topk_agg(w, 1000)::text FROM words), 'merged exact parts have the bytes of the whole');
SELECT is((SELECT vigil.merge_agg(t ORDER BY md5(part::text))::text FROM parts), (SELECT vigil.topk_agg(w, 1000 ORDER BY w)::text FROM words), 'in any order');
SELECT is((SELECT vigil.merge_agg(t)::text FROM (SELECT t FROM parts UNION ALL SELECT NULL) t), (SELECT vigil.merge_agg(t)::text FROM parts), 'merging null changes nothing');
SELECT is((SELECT vigil.merge_agg(NULL::vigil.topk)::text), NULL, 'merging only null gives null');
CREATE TEMP TABLE small AS SELECT n % 17 AS part, vigil.topk_agg(w, 50) AS t FROM words GROUP BY 1;
SELECT is((SELECT vigil.merge_agg(t ORDER BY part)::text FROM small WHERE part < 2), (SELECT vigil.merge_agg(t ORDER BY part DESC)::text FROM small WHERE part < 2), 'two merge to equal bytes either way');
SELECT is((SELECT count(*) FROM vigil.topk((SELECT vigil.merge_agg(t) FROM small)) JOIN exact ON w = item WHERE times NOT BETWEEN count - error AND count), 0::bigint, 'merged bounds hold');
SELECT ok((SELECT vigil.count(vigil.merge_agg(t)) = 10000 AND vigil.max_unlisted(vigil.merge_agg(t)) <= 10000 / 50 FROM small), 'and are as small');
SELECT is((SELECT count(*) FROM exact, (SELECT vigil.merge_agg(t) AS t FROM small) s WHERE times > vigil.max_unlisted(t) AND w NOT IN (SELECT item FROM vigil.topk(t))), 0::bigint, 'and nothing frequent is missing');
SELECT is((SELECT count(*) FROM vigil.topk((SELECT vigil.merge_agg(t) FROM (SELECT t FROM parts UNION ALL SELECT t FROM small) AS u))), 50::bigint, 'the smallest k of all remains');

-- Two aggregates that share a state, and windows --------------------------------------------------------

SELECT is((SELECT vigil.topk_agg(w, 9)::text = vigil.topk_agg(w, 9)::text AND vigil.count(vigil.topk_agg(w, 9)) = vigil.count(vigil.topk_agg(w, 9)) FROM words), true, 'aggregates may share a state');
CREATE TEMP TABLE running AS SELECT n, vigil.topk_agg(w, 9) OVER (ORDER BY n) AS grown, vigil.topk_agg(w, 9) OVER (ORDER BY n ROWS 2 PRECEDING) AS moved FROM words WHERE n <= 50;
SELECT is((SELECT count(*) FROM running AS r WHERE grown::text <> (SELECT vigil.topk_agg(w, 9 ORDER BY n)::text FROM words AS b WHERE b.n <= r.n)), 0::bigint, 'a growing window frame, stored');
SELECT is((SELECT count(*) FROM running AS r WHERE moved::text <> (SELECT vigil.topk_agg(w, 9 ORDER BY n)::text FROM words AS b WHERE b.n BETWEEN r.n - 2 AND r.n)), 0::bigint, 'a sliding window frame, stored');

-- Parallel plans ----------------------------------------------------------------------------------------

CREATE TABLE vigil_parallel AS SELECT n, w FROM words;
ALTER TABLE vigil_parallel SET (parallel_workers = 2);
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT matches(pg_temp.plan_of('SELECT vigil.topk_agg(w, 1000) FROM vigil_parallel'), 'Partial Aggregate', 'the planner splits the aggregate');
SELECT is((SELECT vigil.topk_agg(w, 1000)::text FROM vigil_parallel), (SELECT vigil.topk_agg(w, 1000)::text FROM words), 'a parallel plan gives the bytes of a serial one while all is exact');
SELECT is((SELECT count(*) FROM vigil.topk((SELECT vigil.topk_agg(w, 50) FROM vigil_parallel)) JOIN exact ON w = item WHERE times NOT BETWEEN count - error AND count), 0::bigint, 'and true bounds beyond');

-- Bytes --------------------------------------------------------------------------------------------------

CREATE TEMP TABLE stored (id integer, t vigil.topk);
INSERT INTO stored SELECT 1, vigil.topk_agg(w, 20) FROM words;
INSERT INTO stored SELECT 2, vigil.topk_agg(w, 10000) FROM words;
INSERT INTO stored VALUES (3, '\x100a00'), (4, '\x10020501020200016101010163'), (5, NULL);
SELECT results_eq('SELECT i.* FROM stored, vigil.topk(t) AS i WHERE id = 4', $$VALUES ('a', 3::bigint, 0::bigint), ('c', 2, 1)$$, 'golden bytes');
SELECT is((SELECT count(*) FROM stored, vigil.topk(t) WHERE id = 3), 0::bigint, 'an empty value has no items');
SELECT is(t::text::vigil.topk::text, t::text, 'a round trip through text, row ' || id) FROM stored;
CREATE TEMP TABLE restored (LIKE stored);
SELECT pg_temp.copy_binary('stored', 'restored') \g /dev/null
SELECT results_eq('SELECT id, t::text FROM restored ORDER BY 1', 'SELECT id, t::text FROM stored ORDER BY 1', 'a round trip through binary COPY');
SELECT throws_ok(format('SELECT %L::vigil.topk', bytes), state, NULL, 'hostile bytes are refused: ' || left(bytes, 40))
FROM (VALUES ('', '22P03'), ('\x', '22P03'), ('\x00', '22P03'), ('\xff', '22P03'), ('\x100000', '22P03'), ('\x10914e00', '22P03'), ('\x100301000100016100', '22P03'), ('\x10030100010001ff', '22P03'),
             ('\x1003010001000100', '22P03'), ('\x10ffffffffffffffffff01', '22P03'), ('\x10' || repeat('ff', 1000), '22P03'), ('\x1', '22023'), ('hello', '22P03')) AS t (bytes, state);
SELECT is((SELECT count(*) FROM stored, LATERAL generate_series(0, octet_length(vigil.topk_send(t)) - 1) AS cut
           WHERE id <> 2 AND pg_temp.readable('topk', substr(vigil.topk_send(t), 1, cut))), 0::bigint, 'no beginning of a value is a value');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'vigil'::regnamespace AND proname LIKE 'topk%' AND obj_description(oid) IS NULL), 0::bigint, 'every function says what it does');

SELECT * FROM finish();
ROLLBACK;
