-- Merging groups, taking them apart, moving keys.
BEGIN;
\ir include/setup.sql
SELECT plan(48);

CREATE FUNCTION pg_temp.send(key text, members jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
  SELECT vigil.track_error(pg_temp.error(jsonb_build_object('fingerprint', key, 'errorName', 'Error ' || key) || members))
$$;
CREATE FUNCTION pg_temp.grp(key text) RETURNS uuid LANGUAGE sql AS $$
  SELECT owner_id FROM vigil.error_group_fingerprints WHERE fingerprint = key AND module_id = '11111111-1111-4111-8111-111111111111' $$;
CREATE FUNCTION pg_temp.shown() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s %s', error_fingerprint, total_occurrences), ', ' ORDER BY error_fingerprint) FROM vigil.module_error_groups
  WHERE module_id = '11111111-1111-4111-8111-111111111111' $$;
-- What the acceptance of unmerge compares: everything but when it was touched.
CREATE FUNCTION pg_temp.state() RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_agg(to_jsonb(g) - 'updated_at' ORDER BY g.error_fingerprint) FROM vigil.module_error_groups g $$;

SELECT pg_temp.send(k, jsonb_build_object('siteId', md5(k || n)::uuid, 'sessionId', 's' || n, 'userKey', 'u' || n,
                    'versionId', CASE WHEN k = 'b' THEN :v2 ELSE :v1 END))
FROM unnest(ARRAY['a', 'b', 'c']) AS k, generate_series(1, 3) AS n \g /dev/null
SELECT pg_temp.grp('a') AS a, pg_temp.grp('b') AS b, pg_temp.grp('c') AS c \gset
SELECT vigil.set_error_group_priority(:'b', 'high') \g /dev/null
SELECT vigil.set_error_group_status(:'b', 'investigating', NULL, 'mine') \g /dev/null
SELECT is(pg_temp.shown(), 'a 3, b 3, c 3', 'issue 4: three groups');
SELECT pg_temp.state() AS before \gset

-- Merge
SELECT lives_ok(format('SELECT vigil.merge_groups(%L, %L)', :'a', ARRAY[:'b']::uuid[]), 'issue 4: a merge');
SELECT is(pg_temp.shown(), 'a 6, c 3', 'issue 4: the target has the errors of both');
SELECT results_eq('SELECT affected_sites, affected_sessions, cardinality(affected_versions) FROM vigil.module_error_groups WHERE error_fingerprint = ''a''',
  'VALUES (6, 3, 2)', 'issue 4: sites add up, sessions are those of both, versions too');
SELECT results_eq('SELECT occurrences, users FROM vigil.error_group_totals WHERE fingerprint = ''a''', 'VALUES (6::bigint, 3::bigint)',
  'issue 4: 3 users, counted once');
SELECT vigil.rollup() \g /dev/null
SELECT is(pg_temp.shown(), 'a 6, c 3', 'issue 4: and the same from cells');
SELECT is((SELECT count(DISTINCT subject) FROM vigil.days WHERE event_type = 'error'), 3::bigint, 'issue 4: stored errors and cells are as they were');

-- New errors follow
SELECT pg_temp.send('b'), pg_temp.send('b'), pg_temp.send('a') \g /dev/null
SELECT is(pg_temp.shown(), 'a 9, c 3', 'issue 4: new errors follow the merge');
SELECT vigil.resolve_error_group(:'a') \g /dev/null
SELECT pg_temp.send('b') \g /dev/null
SELECT results_eq($$SELECT error_fingerprint, status FROM vigil.module_error_groups ORDER BY 1$$, $$VALUES ('a', 'open'), ('c', 'open')$$,
  'issue 4: an error of a merged group opens the group it is in');
SELECT is((SELECT regressions FROM vigil.error_groups WHERE id = :'a'), 1, 'issue 4: whose regression it is');
SELECT is((SELECT count(*) FROM vigil.module_errors WHERE is_resolved), 0::bigint, 'issue 4: single errors take the state of that group');

-- Of a merge
SELECT lives_ok(format('SELECT vigil.merge_groups(%L, %L)', :'c', ARRAY[:'a']::uuid[]), 'issue 4: what was merged is merged on');
SELECT is(pg_temp.shown(), 'c 13', 'issue 4: one group has all');
SELECT pg_temp.send('b') \g /dev/null
SELECT is(pg_temp.shown(), 'c 14', 'issue 4: also what comes for the innermost');

-- Errors
SELECT throws_ok(format('SELECT vigil.merge_groups(%L, %L)', t, o), s, NULL, 'issue 4: ' || what)
FROM (VALUES (:'c'::uuid, ARRAY[:'c']::uuid[], '22023', 'not into itself'),
             (:'c', ARRAY[:'b']::uuid[], '55000', 'not what is merged already'),
             (:'b', ARRAY[:'c']::uuid[], '55000', 'not into what is merged'),
             (:'c', ARRAY['00000000-0000-4000-8000-000000000000']::uuid[], 'P0002', 'not an unknown group'),
             ('00000000-0000-4000-8000-000000000000', ARRAY[:'c']::uuid[], 'P0002', 'not into an unknown group'),
             (:'c', ARRAY[NULL]::uuid[], 'P0002', 'null is no group')) AS e (t, o, s, what);
SELECT throws_ok(format('SELECT vigil.set_error_group_status(%L, %L)', :'b', 'open'), '55000', NULL, 'issue 4: a merged group has no state of its own');
SELECT pg_temp.send('x', jsonb_build_object('moduleId', :m2)) \g /dev/null
SELECT throws_ok(format('SELECT vigil.merge_groups(%L, ARRAY[%L]::uuid[])', :'c', (SELECT id FROM vigil.error_groups WHERE module_id = :m2)), '22023', NULL,
  'issue 4: not groups of two modules');

-- Unmerge
SELECT results_eq(format('SELECT vigil.unmerge(%L)', :'a'), ARRAY[:'a']::uuid[], 'issue 4: the middle is taken out');
SELECT is(pg_temp.shown(), 'a 11, c 3', 'issue 4: with what was merged into it, and what came for that since');
SELECT vigil.merge_groups(:'c', ARRAY[:'a']::uuid[]) \g /dev/null
SELECT results_eq(format('SELECT vigil.unmerge(%L)', :'b'), ARRAY[:'b']::uuid[], 'issue 4: the innermost is taken out of all');
SELECT is(pg_temp.shown(), 'b 7, c 7', 'issue 4: alone, with 4 that came since');
SELECT results_eq(format('SELECT status::text, priority::text, notes FROM vigil.error_groups WHERE id = %L', :'b'),
  $$VALUES ('investigating', 'high', 'mine')$$, 'issue 4: and is as it was');
SELECT vigil.merge_groups(:'c', ARRAY[:'b']::uuid[]) \g /dev/null
SELECT set_eq(format('SELECT vigil.unmerge(%L)', :'c'), ARRAY[:'a', :'b']::uuid[], 'issue 4: a target gives back all of them');
SELECT throws_ok(format('SELECT vigil.unmerge(%L)', :'c'), '55000', NULL, 'issue 4: once');
SELECT throws_ok($$SELECT vigil.unmerge('00000000-0000-4000-8000-000000000000')$$, 'P0002', NULL, 'issue 4: no such group');
DELETE FROM vigil.errors WHERE id NOT IN (SELECT id FROM vigil.errors WHERE site_id IS NOT NULL);
UPDATE vigil.error_groups SET status = 'open', regressed_at = NULL;
UPDATE vigil.error_groups SET status = 'investigating' WHERE id = :'b';
DELETE FROM vigil.error_groups WHERE module_id = :m2;
SELECT is(pg_temp.state(), :'before'::jsonb, 'issue 4: without what came since, everything is as before the merge');
SELECT results_eq(format('SELECT action, new ->> ''merged_into'' FROM vigil.error_group_activity WHERE group_id = %L', :'b'),
  format($$VALUES ('priority', NULL), ('status', NULL), ('merge', %L), ('unmerge', NULL), ('merge', %L), ('unmerge', NULL)$$, :'a', :'c'),
  'issue 4: the activity tells all of it');

-- Keys
SELECT vigil.merge_groups(:'a', ARRAY[:'b']::uuid[]) \g /dev/null
SELECT throws_ok(format('SELECT vigil.move_fingerprint(%L, %L)', :m1, 'b'), '55000', NULL, 'issue 4: the only key of a group stays');
SELECT throws_ok(format('SELECT vigil.move_fingerprint(%L, %L)', :m1, 'nonsense'), 'P0002', NULL, 'issue 4: no such key');
SELECT vigil.unmerge(:'a') \g /dev/null
INSERT INTO vigil.error_fingerprints (module_id, fingerprint, group_id) VALUES (:m1, 'd', :'a');
SELECT pg_temp.send('d', '{"errorStack": "at d"}'), pg_temp.send('d') \g /dev/null
SELECT is(pg_temp.shown(), 'a 5, b 3, c 3', 'issue 4: a group of two keys');
SELECT throws_ok(format('SELECT vigil.move_fingerprint(%L, %L, %L)', :m1, 'd', :'a'), '22023', NULL, 'issue 4: it is there already');
SELECT lives_ok(format('SELECT vigil.move_fingerprint(%L, %L, %L)', :m1, 'd', :'b'), 'issue 4: a key moves to another group');
SELECT pg_temp.send('d') \g /dev/null
SELECT is(pg_temp.shown(), 'a 3, b 6, c 3', 'issue 4: with its errors, and those that come');
SELECT vigil.move_fingerprint(:m1, 'd') AS d \gset
SELECT is(pg_temp.shown(), 'a 3, b 3, c 3, d 3', 'issue 4: or to a new group');
SELECT results_eq(format('SELECT error_name, status, priority FROM vigil.module_error_groups WHERE id = %L', :'d'),
  $$VALUES ('Error d', 'open', 'high')$$, 'issue 4: which is described by its errors');
INSERT INTO vigil.error_fingerprints (module_id, fingerprint, group_id) VALUES (:m1, 'e', :'d');
SELECT vigil.move_fingerprint(:m1, 'd', :'a') \g /dev/null
SELECT results_eq(format('SELECT fingerprint FROM vigil.error_groups WHERE id = %L', :'d'), ARRAY['e'], 'issue 4: a group is called by a key that it has');
SELECT is((SELECT array_agg(new ->> 'group_id' ORDER BY changed_at, new ->> 'group_id') FROM vigil.error_group_activity WHERE group_id = :'a' AND action = 'move'),
  (SELECT array_agg(g ORDER BY g) FROM unnest(ARRAY[:'a', :'b']) AS g), 'issue 4: moves are in the activity of both groups');
SELECT is((SELECT count(*) FROM vigil.error_fingerprints f WHERE NOT EXISTS (SELECT FROM vigil.error_groups g WHERE g.id = f.group_id)), 0::bigint,
  'issue 4: no key is lost');
SELECT vigil.merge_groups(:'a', ARRAY[:'b', :'c']::uuid[]) \g /dev/null
DELETE FROM vigil.error_groups WHERE id = :'a';
SELECT is((SELECT string_agg(fingerprint, ' ') FROM vigil.error_groups), 'e', 'issue 4: what is merged into a group goes with it');
DELETE FROM vigil.error_groups;
SELECT is((SELECT count(*) FROM vigil.error_fingerprints) + (SELECT count(*) FROM vigil.error_group_log), 0::bigint, 'issue 4: keys and activity go with their groups');
SELECT pg_temp.send('a') \g /dev/null
SELECT is(pg_temp.shown(), 'a 4', 'S0-33: and the next error makes its group again, with the errors that are there');

SELECT throws_ok($$INSERT INTO vigil.error_fingerprints VALUES ('11111111-1111-4111-8111-111111111111', 'key', '00000000-0000-0000-0000-000000000000')$$,
  '23503', NULL, 'issue 4: a key belongs to a group that is there');
TRUNCATE vigil.error_groups;
SELECT is_empty('SELECT FROM vigil.error_fingerprints', 'issue 4: TRUNCATE of the groups takes their keys along');

SELECT * FROM finish();
ROLLBACK;
