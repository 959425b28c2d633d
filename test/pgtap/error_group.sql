-- Error groups: creation, totals, status, regression.
BEGIN;
\ir include/setup.sql
SELECT plan(24);

SELECT vigil.track_error(pg_temp.error(jsonb_build_object('siteId', site, 'sessionId', session, 'versionId', version)))
FROM (VALUES ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1', 'a', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1'),
             ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2', 'b', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2'),
             ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2', 'b', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2')) AS e (site, session, version) \g /dev/null
SELECT results_eq('SELECT total_occurrences, affected_sites, affected_sessions, cardinality(affected_versions) FROM vigil.module_error_groups',
  'VALUES (3, 2, 2, 2)', 'S0-11, D-34: 3 errors from 2 sites, 2 sessions, 2 versions');
SELECT vigil.rollup() \g /dev/null
SELECT results_eq('SELECT total_occurrences, affected_sites, affected_sessions, cardinality(affected_versions) FROM vigil.module_error_groups',
  'VALUES (3, 2, 2, 2)', 'S0-11: and the same from cells');
SELECT results_eq('SELECT status, priority, error_type, error_name, error_message FROM vigil.module_error_groups',
  $$VALUES ('open', 'medium', 'javascript', 'TypeError', 'x is undefined')$$, 'S0-13, S0-33: a new group is open with priority medium');
SELECT id AS grp FROM vigil.error_groups \gset

SELECT throws_ok(format('SELECT vigil.set_error_group_status(%L, %L)', :'grp', 'closed'), '23514', NULL, 'S0-12: another status is refused');
SELECT throws_ok(format('SELECT vigil.set_error_group_priority(%L, %L)', :'grp', 'urgent'), '22P02', NULL, 'S0-86: another priority is refused');
SELECT throws_ok($$SELECT vigil.set_error_group_status('00000000-0000-4000-8000-000000000000', 'open')$$, 'P0002', NULL, 'S0-85: no such group');
SELECT throws_ok('SELECT vigil.assign_error_group(NULL, NULL)', 'P0002', NULL, 'S0-87: null is no group');
SELECT vigil.set_error_group_priority(:'grp', 'critical') \g /dev/null
SELECT vigil.assign_error_group(:'grp', '99999999-9999-4999-8999-999999999999') \g /dev/null
SELECT vigil.resolve_error_group(:'grp', :v2, '4f2a91c', 'fixed', '99999999-9999-4999-8999-999999999999') \g /dev/null
SELECT results_eq('SELECT status, priority, assigned_to, resolved_in_version, resolution_commit, notes FROM vigil.module_error_groups',
  $$VALUES ('resolved', 'critical', '99999999-9999-4999-8999-999999999999'::uuid, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2'::uuid, '4f2a91c', 'fixed')$$,
  'S0-87: assigned and resolved with release, commit and notes');
SELECT results_eq('SELECT DISTINCT is_resolved, resolved_at IS NOT NULL, resolved_by, resolution_notes FROM vigil.module_errors',
  $$VALUES (true, true, '99999999-9999-4999-8999-999999999999'::uuid, 'fixed')$$, 'S0-85: its errors are resolved as well');
SELECT vigil.track_error(pg_temp.error()) \g /dev/null
SELECT results_eq('SELECT status::text, regressions, regressed_at IS NOT NULL, resolved_at FROM vigil.error_groups',
  $$VALUES ('open', 1, true, NULL::timestamptz)$$, 'S0-34: a resolved group opens again and counts the regression');
SELECT is((SELECT bool_or(is_resolved) FROM vigil.module_errors), false, 'D-36: its errors are open as well');
SELECT vigil.set_error_group_status(:'grp', status) FROM unnest(ARRAY['ignored']) AS status \g /dev/null
SELECT vigil.track_error(pg_temp.error()) \g /dev/null
SELECT is((SELECT status::text FROM vigil.error_groups), 'ignored', 'S0-34: an ignored group stays ignored');
SELECT vigil.set_error_group_status(:'grp', 'investigating') \g /dev/null
SELECT vigil.track_error(pg_temp.error()) \g /dev/null
SELECT is((SELECT status::text FROM vigil.error_groups), 'investigating', 'S0-34: a group under investigation stays so');
SELECT vigil.track_error(pg_temp.error(jsonb_build_object('moduleId', :m2))) \g /dev/null
SELECT is((SELECT count(*) FROM vigil.error_groups), 2::bigint, 'S0-11: the same error of another module is another group');
SELECT results_eq('SELECT total_occurrences FROM vigil.module_error_groups ORDER BY 1', 'VALUES (1), (6)', 'S0-11: and counted apart');
SELECT results_eq($$SELECT priority::text FROM (SELECT unnest(enum_range(NULL::vigil.priority)) AS priority) p ORDER BY p.priority DESC$$,
  $$VALUES ('critical'), ('high'), ('medium'), ('low')$$, 'S0-124: priorities sort by weight');

-- Written directly
INSERT INTO vigil.errors (module_id, error_type, error_name, error_message, error_stack, fingerprint, created_at)
SELECT :m2, 'api', 'Direct', 'message ' || n, 'at ' || n, 'direct ' || n % 2, now() - n * interval '1 hour' FROM generate_series(1, 4) AS n;
SELECT is((SELECT count(*) FROM vigil.error_group_totals WHERE group_id IS NULL AND fingerprint LIKE 'direct%'), 2::bigint, 'issue 4: what is inserted counts, without a group');
SELECT is(vigil.group_errors(now() - interval '1 day'), 2::bigint, 'issue 4: groups are made of it');
SELECT is(vigil.group_errors(), 0::bigint, 'issue 4: once');
SELECT results_eq($$SELECT error_fingerprint, error_message, total_occurrences FROM vigil.module_error_groups WHERE error_name = 'Direct' ORDER BY 1$$,
  $$VALUES ('direct 0', 'message 4', 2), ('direct 1', 'message 3', 2)$$, 'issue 4: described by their first errors');

-- What a list of errors shows
SELECT vigil.track_error(pg_temp.error(jsonb_build_object('errorName', 'Card', 'errorStack', E'Card: x\n    at f (/app/a.js:1:2)', 'siteId', :s1))) \g /dev/null
SELECT id AS card FROM vigil.error_groups WHERE error_name = 'Card' \gset
SELECT vigil.set_error_group_priority(:'card', 'high') \g /dev/null
SELECT vigil.set_error_group_status(:'card', 'investigating') \g /dev/null
SELECT results_eq(format('SELECT error_type, error_name, status, error_message, total_occurrences, affected_sites, last_seen_at, first_seen_at, sample_stack
                          FROM vigil.list_error_groups(%L, ''investigating'', ''high'')', :m1),
  $$VALUES ('javascript', 'Card', 'investigating', 'x is undefined', 1, 1, now(), now(), E'Card: x\n    at f (/app/a.js:1:2)')$$,
  'S0-88, S0-120: a sent error is grouped, its status and priority change, and its stack can be read');
SELECT vigil.add_error_group_note(:'card', note, '99999999-9999-4999-8999-999999999999') FROM unnest(ARRAY['seen', 'mended']) AS note \g /dev/null
SELECT is((SELECT notes FROM vigil.error_groups WHERE id = :'card'), E'seen\nmended', 'issue 4: notes are appended');
SELECT is((SELECT count(*) FROM vigil.error_group_activity WHERE group_id = :'card' AND action = 'note' AND changed_by = '99999999-9999-4999-8999-999999999999'),
  2::bigint, 'issue 4: with their author');
SELECT throws_ok($$SELECT vigil.add_error_group_note('00000000-0000-4000-8000-000000000000', 'x')$$, 'P0002', NULL, 'issue 4: no such group');

SELECT * FROM finish();
ROLLBACK;
