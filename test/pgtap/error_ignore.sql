-- Groups that are ignored for a while.
BEGIN;
\ir include/setup.sql
SELECT plan(24);

CREATE FUNCTION pg_temp.send(n integer, members jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
  SELECT vigil.track_error(pg_temp.error(members)) FROM generate_series(1, n)
$$;
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT vigil.reopen_ignored_groups();
  SELECT status::text FROM vigil.error_groups WHERE error_name = 'TypeError'
$$;
SELECT pg_temp.send(7) \g /dev/null
SELECT id AS grp FROM vigil.error_groups \gset

SELECT vigil.ignore_error_group(:'grp', 10, changed_by => '99999999-9999-4999-8999-999999999999') \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: ignored until 10 more');
SELECT pg_temp.send(9) \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: 9 more are not enough');
SELECT vigil.rollup() \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: rolled up neither');
SELECT pg_temp.send(1, jsonb_build_object('createdAt', now() - interval '5 days')) \g /dev/null
SELECT is(pg_temp.state(), 'open', 'issue 4: the 10th opens it, though it comes late');
SELECT results_eq('SELECT ignored_until_count, ignored_since, regressions FROM vigil.error_groups', 'VALUES (NULL::bigint, NULL::timestamptz, 0)',
  'issue 4: nothing is left of it, and it is no regression');
SELECT results_eq($$SELECT action, changed_by, old ->> 'status', new ->> 'status' FROM vigil.error_group_activity$$,
  $$VALUES ('ignore', '99999999-9999-4999-8999-999999999999'::uuid, 'open', 'ignored'), ('return', NULL, 'ignored', 'open')$$, 'issue 4: the activity tells');
SELECT is(vigil.reopen_ignored_groups(), 0::bigint, 'issue 4: nothing more is to be done');

SELECT pg_temp.send(1, jsonb_build_object('userKey', 'u' || n)) FROM generate_series(1, 5) AS n \g /dev/null
SELECT vigil.ignore_error_group(:'grp', until_users => 2) \g /dev/null
SELECT pg_temp.send(20, jsonb_build_object('userKey', 'u' || n)) FROM generate_series(1, 6) AS n \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: known users and one more do not open it');
SELECT pg_temp.send(1, '{"userKey": "u7"}') \g /dev/null
SELECT is(pg_temp.state(), 'open', 'issue 4: the second one does');

SELECT vigil.ignore_error_group(:'grp', until => now() + interval '1 day') \g /dev/null
SELECT pg_temp.send(3) \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: ignored until tomorrow');
UPDATE vigil.error_groups SET ignored_until = now();
SELECT is(pg_temp.state(), 'open', 'issue 4: which is reached');

SELECT vigil.ignore_error_group(:'grp', 5, 100, now() + interval '1 day') \g /dev/null
SELECT pg_temp.send(5) \g /dev/null
SELECT is(pg_temp.state(), 'open', 'issue 4: of several bounds the first counts');

SELECT vigil.ignore_error_group(:'grp') \g /dev/null
SELECT pg_temp.send(50) \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: without a bound it stays ignored');

-- A merge brings no occurrences of its own
SELECT vigil.ignore_error_group(:'grp', 4) \g /dev/null
SELECT pg_temp.send(3) \g /dev/null
SELECT pg_temp.send(30, '{"errorName": "Other"}') \g /dev/null
SELECT vigil.merge_groups(:'grp', ARRAY(SELECT id FROM vigil.error_groups WHERE error_name = 'Other')) \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: what a merge brings did not occur since');
SELECT vigil.unmerge(:'grp') \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: what it takes away neither');
SELECT vigil.merge_groups(:'grp', ARRAY(SELECT id FROM vigil.error_groups WHERE error_name = 'Other')) \g /dev/null
SELECT pg_temp.send(1, '{"errorName": "Other"}') \g /dev/null
SELECT is(pg_temp.state(), 'open', 'issue 4: the 4th of the merged group opens it');
SELECT vigil.unmerge(:'grp') \g /dev/null

-- Other states end it
SELECT vigil.ignore_error_group(:'grp', 1) \g /dev/null
SELECT vigil.set_error_group_status(:'grp', 'ignored') \g /dev/null
SELECT pg_temp.send(1) \g /dev/null
SELECT is(pg_temp.state(), 'ignored', 'issue 4: ignored by hand is for good');
SELECT vigil.ignore_error_group(:'grp', 1) \g /dev/null
SELECT vigil.resolve_error_group(:'grp') \g /dev/null
SELECT is((SELECT ignored_until_count FROM vigil.error_groups WHERE id = :'grp'), NULL, 'issue 4: a resolved group is not ignored');
SELECT vigil.ignore_error_group(:'grp', 1) \g /dev/null
SELECT is((SELECT resolved_at FROM vigil.error_groups WHERE id = :'grp'), NULL, 'issue 4: an ignored group is not resolved');

SELECT throws_ok(format('SELECT vigil.ignore_error_group(%L, %s)', :'grp', arguments), '22023', NULL, 'issue 4: refused: ' || arguments)
FROM unnest(ARRAY['0', 'until_users => -1', 'until => now() - interval ''1 hour''']) AS arguments;
SELECT throws_ok('SELECT vigil.ignore_error_group(NULL, 1)', 'P0002', NULL, 'issue 4: null is no group');
SELECT is((SELECT has_work FROM vigil.job_settings WHERE name = 'reopen_ignored') IS NOT NULL AND vigil.job_has_work((SELECT has_work FROM vigil.job_settings WHERE name = 'reopen_ignored')),
  true, 'issue 4: the job knows that there is something to watch');

SELECT * FROM finish();
ROLLBACK;
