-- The life of error groups, from the first error to a new scheme.
BEGIN;
\ir include/setup.sql
SELECT plan(19);

CREATE FUNCTION pg_temp.release(version text) RETURNS uuid LANGUAGE sql AS $$
  SELECT vigil.version_id('11111111-1111-4111-8111-111111111111', 'shop@' || version) $$;
-- Two errors of module 1, in the release of this number.
CREATE FUNCTION pg_temp.cart(version text, times integer DEFAULT 1) RETURNS void LANGUAGE sql AS $$
  SELECT vigil.track_error(pg_temp.error(jsonb_build_object('errorName', 'CartError', 'errorMessage', 'no item ' || n, 'userKey', 'u' || n,
    'versionId', pg_temp.release(version), 'errorStack', format(E'CartError: no item %s\n    at pick (https://cdn.example.com/assets/cart-%s.js:%s:9)\n    at run (https://cdn.example.com/assets/app.js:1:%s)', n, md5(version), n, n))))
  FROM generate_series(1, times) AS n $$;
CREATE FUNCTION pg_temp.basket(version text, times integer DEFAULT 1) RETURNS void LANGUAGE sql AS $$
  SELECT vigil.track_error(pg_temp.error(jsonb_build_object('errorName', 'BasketError', 'errorMessage', 'empty', 'userKey', 'b' || n,
    'versionId', pg_temp.release(version), 'errorStack', E'BasketError: empty\n    at fill (https://cdn.example.com/assets/basket.js:7:9)')))
  FROM generate_series(1, times) AS n $$;
CREATE FUNCTION pg_temp.now_shown() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s %s', error_name, total_occurrences, status), ', ' ORDER BY error_name)
  FROM vigil.module_error_groups WHERE module_id = '11111111-1111-4111-8111-111111111111' $$;
INSERT INTO vigil.versions (module_id, version_id, release) SELECT :m1, pg_temp.release(v), 'shop@' || v FROM unnest(ARRAY['2.6.0', '2.7.0', '2.7.1', '2.10.0']) AS v;

-- Group
SELECT pg_temp.cart('2.6.0', 3), pg_temp.cart('2.7.0', 2), pg_temp.basket('2.7.0') \g /dev/null
SELECT is(pg_temp.now_shown(), 'BasketError 1 open, CartError 5 open', 'D-85: errors of two releases, builds and lines are one group');
SELECT id AS cart FROM vigil.error_groups WHERE error_name = 'CartError' \gset
SELECT id AS basket FROM vigil.error_groups WHERE error_name = 'BasketError' \gset

-- Merge, new errors follow, unmerge
SELECT vigil.merge_groups(:'cart', ARRAY[:'basket']::uuid[]) \g /dev/null
SELECT is(pg_temp.now_shown(), 'CartError 6 open', 'issue 4: merged');
SELECT pg_temp.basket('2.7.0', 2), pg_temp.cart('2.7.0') \g /dev/null
SELECT is(pg_temp.now_shown(), 'CartError 9 open', 'issue 4: new errors follow');
SELECT is((SELECT users FROM vigil.error_group_totals WHERE group_id = :'cart'), 5::bigint, 'issue 4: 3 and 2 users are 5');
SELECT vigil.rollup() \g /dev/null
SELECT vigil.unmerge(:'basket') \g /dev/null
SELECT is(pg_temp.now_shown(), 'BasketError 3 open, CartError 6 open', 'issue 4: unmerged, each has its own');

-- Resolve in a version, recur in an older and a newer one
SELECT vigil.resolve_error_group(:'cart', pg_temp.release('2.7.1')) \g /dev/null
SELECT pg_temp.cart('2.6.0'), pg_temp.cart('2.7.0') \g /dev/null
SELECT is(pg_temp.now_shown(), 'BasketError 3 open, CartError 8 resolved', 'issue 4: older releases do not open it');
SELECT pg_temp.cart('2.10.0') \g /dev/null
SELECT is(pg_temp.now_shown(), 'BasketError 3 open, CartError 9 open', 'issue 4: a newer one does');
SELECT results_eq(format('SELECT regressions, regressed_in_version FROM vigil.error_groups WHERE id = %L', :'cart'),
  $$SELECT 1, pg_temp.release('2.10.0')$$, 'issue 4: which is a regression');

-- Ignore until 10 more
SELECT vigil.ignore_error_group(:'cart', 10) \g /dev/null
SELECT pg_temp.cart('2.10.0', 9), pg_temp.basket('2.10.0', 5) \g /dev/null
SELECT vigil.reopen_ignored_groups() \g /dev/null
SELECT is(pg_temp.now_shown(), 'BasketError 8 open, CartError 18 ignored', 'issue 4: 9 more');
SELECT pg_temp.cart('2.10.0') \g /dev/null
SELECT is(vigil.reopen_ignored_groups(), 1::bigint, 'issue 4: the 10th');
SELECT is(pg_temp.now_shown(), 'BasketError 8 open, CartError 19 open', 'issue 4: opens it');
SELECT is((SELECT string_agg(action, ' ') FROM vigil.error_group_activity WHERE group_id = :'cart'),
  'merge unmerge resolve regress ignore return', 'issue 4: all of this is in the activity');

-- A new scheme for ten thousand groups
SELECT vigil.set_fingerprint_scheme(:m2, 'seed', '0') \g /dev/null
CREATE TEMP TABLE many AS
SELECT pg_temp.error(jsonb_build_object('moduleId', :m2, 'errorName', 'Name' || n % 100, 'errorMessage', 'message ' || n,
  'errorStack', format(E'    at f%s (/app/src/f.js:1:2)\n    at g (/app/src/g.js:3:4)', n))) AS error FROM generate_series(1, 10000) AS n;
SELECT count(vigil.track_error(error)) FROM many \g /dev/null
SELECT is((SELECT count(*) FROM vigil.error_groups WHERE module_id = :m2), 10000::bigint, 'issue 4: 10,000 groups of the seed''s scheme');
ANALYZE;
SELECT vigil.set_fingerprint_scheme(:m2, 'v1') \g /dev/null
SELECT max(id::text) AS last FROM vigil.error_groups WHERE module_id = :m2 \gset
SELECT count(vigil.track_error(error)) FROM many \g /dev/null
SELECT is((SELECT count(*) FROM vigil.error_groups WHERE module_id = :m2), 10000::bigint, 'issue 4: the upgrade makes not one new group');
SELECT is((SELECT count(*) FROM vigil.error_groups g WHERE g.module_id = :m2 AND (SELECT count(DISTINCT left(f.fingerprint, 3)) FROM vigil.error_fingerprints f
           WHERE f.module_id = :m2 AND f.group_id = g.id) < 2), 0::bigint, 'issue 4: every group has keys of both schemes');
ANALYZE;
UPDATE vigil.grouping_settings SET previous_until = now() WHERE module_id = :m2;
SELECT count(vigil.track_error(error)) FROM many \g /dev/null
SELECT is((SELECT count(*) FROM vigil.error_groups WHERE module_id = :m2), 10000::bigint, 'issue 4: nor does the end of the period');
SELECT results_eq($$SELECT count(*), min(total_occurrences), max(total_occurrences) FROM vigil.module_error_groups WHERE module_id = '22222222-2222-4222-8222-222222222222'$$,
  'VALUES (10000::bigint, 3, 3)', 'issue 4: each has its errors of both schemes');
SELECT is((SELECT count(*) FROM vigil.error_group_log WHERE module_id = :m2), 0::bigint, 'issue 4: and nothing happened to any');

SELECT is((SELECT count(*) FROM vigil.list_error_groups(:m2)), 10000::bigint, 'S0-82: ten thousand groups are listed');

SELECT * FROM finish();
ROLLBACK;
