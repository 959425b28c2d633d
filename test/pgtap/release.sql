-- The order of releases, and regressions by it.
BEGIN;
\ir include/setup.sql
SELECT plan(35);

SELECT is(vigil.compare_releases(a, b), expected, format('D-35: compare_releases(%L, %L)', a, b))
FROM (VALUES ('1.2.3', '1.10.0', -1), ('shop@2.7.1', 'shop@2.7.1-rc.1', 1), ('v1.2', '1.2.0', 0), ('a@1.2', 'b@1.3', NULL),
             ('4f2a91c', '1.0', NULL), ('142', '141', NULL), ('1.0+7', '1.0+12', -1), (NULL, '1.0', NULL)) AS t (a, b, expected);

-- Clients that name releases, and one that sends ids only.
INSERT INTO vigil.versions (module_id, version_id, release, created_at)
SELECT :m1, vigil.version_id(:m1, r), r, now() - n * interval '1 day'
FROM (VALUES ('shop@2.6.0', 1), ('shop@2.7.0', 3), ('shop@2.8.0', 2), ('blue', 9), ('green', 8)) AS v (r, n);
CREATE FUNCTION pg_temp.v(name text) RETURNS uuid LANGUAGE sql AS $$ SELECT vigil.version_id('11111111-1111-4111-8111-111111111111', name) $$;
SELECT is(vigil.release_order(:m1, pg_temp.v(a), pg_temp.v(b)), expected, format('D-35: %s and %s', a, b))
FROM (VALUES ('shop@2.6.0', 'shop@2.7.0', -1), ('shop@2.8.0', 'shop@2.7.0', 1), ('blue', 'green', -1), ('blue', 'shop@2.6.0', -1),
             ('blue', 'blue', 0), ('blue', 'red', NULL)) AS t (a, b, expected);
SELECT is(vigil.latest_release(:m1), pg_temp.v('shop@2.8.0'), 'D-35: the newest is that of the highest version, though an older one was released later');
SELECT is(vigil.latest_release(:m2), NULL, 'D-35: none is known of a module');

CREATE FUNCTION pg_temp.send(release uuid, at timestamptz DEFAULT now()) RETURNS text LANGUAGE sql AS $$
  SELECT vigil.track_error(pg_temp.error(jsonb_build_object('versionId', release, 'createdAt', at)));
  SELECT format('%s %s', status, regressions) FROM vigil.error_groups WHERE module_id = '11111111-1111-4111-8111-111111111111'
$$;
SELECT is(pg_temp.send(pg_temp.v('shop@2.7.0')), 'open 0', 'D-35: an error');
SELECT id AS grp FROM vigil.error_groups \gset
SELECT vigil.resolve_error_group(:'grp', pg_temp.v('shop@2.7.0')) \g /dev/null
SELECT is(pg_temp.send(pg_temp.v('shop@2.6.0')), 'resolved 0', 'D-35: an older release does not open it');
SELECT is(pg_temp.send(pg_temp.v('blue')), 'resolved 0', 'D-35: nor one without a version that appeared before');
SELECT is((SELECT count(*) FROM vigil.error_group_log WHERE action = 'regress'), 0::bigint, 'D-35: and nothing is logged');
SELECT is(pg_temp.send(pg_temp.v('shop@2.7.0')), 'open 1', 'D-35: the release that resolved it does');
SELECT vigil.resolve_error_group(:'grp', pg_temp.v('shop@2.7.0'), resolved_by => '99999999-9999-4999-8999-999999999999') \g /dev/null
SELECT is(pg_temp.send(pg_temp.v('shop@2.8.0')), 'open 2', 'D-35: a newer one does');
SELECT results_eq('SELECT regressed_at, regressed_in_version FROM vigil.error_groups', $$SELECT now(), pg_temp.v('shop@2.8.0')$$, 'D-35: when and in which is noted');
SELECT results_eq($$SELECT action, changed_by, new ->> 'status', new ->> 'regressed_in_version' FROM vigil.error_group_activity$$,
  $$VALUES ('resolve', NULL::uuid, 'resolved', NULL), ('regress', NULL, 'open', pg_temp.v('shop@2.7.0')::text),
           ('resolve', '99999999-9999-4999-8999-999999999999', 'resolved', NULL), ('regress', NULL, 'open', pg_temp.v('shop@2.8.0')::text)$$, 'issue 4: as the activity tells');
SELECT vigil.resolve_error_group(:'grp', pg_temp.v('shop@2.8.0')) \g /dev/null
SELECT is(pg_temp.send(NULL), 'open 3', 'D-35: an error without release opens it');
SELECT vigil.resolve_error_group(:'grp') \g /dev/null
SELECT is(pg_temp.send(pg_temp.v('shop@2.6.0')), 'open 4', 'S0-34: what is resolved without a release is opened by any');

-- In the next release
SELECT vigil.resolve_error_group(:'grp', in_next_release => true) \g /dev/null
SELECT results_eq('SELECT resolved_in_version, resolved_after_version FROM vigil.error_groups', $$SELECT NULL::uuid, pg_temp.v('shop@2.8.0')$$, 'issue 4: resolved after the newest');
SELECT is(pg_temp.send(pg_temp.v('shop@2.8.0')), 'resolved 4', 'issue 4: that still may have it');
INSERT INTO vigil.versions (module_id, version_id, release) VALUES (:m1, pg_temp.v('shop@2.8.1'), 'shop@2.8.1');
SELECT is(pg_temp.send(pg_temp.v('shop@2.8.1')), 'open 5', 'issue 4: the next must not');
SELECT throws_ok(format('SELECT vigil.resolve_error_group(%L, %L, in_next_release => true)', :'grp', :v1), '22023', NULL, 'issue 4: this or the next, not both');

-- Ids that no text is known of are ordered by their first appearance.
SELECT pg_temp.send(:v1, now() - interval '3 hours'), pg_temp.send(:v2, now() - interval '2 hours') \g /dev/null
SELECT vigil.resolve_error_group(:'grp', :v2) \g /dev/null
SELECT is(pg_temp.send(:v1), 'resolved 5', 'D-35: an id that appeared before does not open it');
SELECT results_eq(format('SELECT version_id, created_at FROM vigil.versions WHERE version_id IN (%L, %L) ORDER BY 2', :v1, :v2),
  format($$VALUES (%L::uuid, now() - interval '3 hours'), (%L, now() - interval '2 hours')$$, :v1, :v2), 'D-35: both have a row now');
SELECT vigil.rollup() \g /dev/null
SELECT is(pg_temp.send(:v2), 'open 6', 'D-35: the same does');
SELECT vigil.resolve_error_group(:'grp', :v1) \g /dev/null
SELECT is(pg_temp.send(gen_random_uuid(), now() - interval '1 hour'), 'open 7', 'D-35: and so does one that is new');

-- By name, in the call that names the release first
SELECT vigil.resolve_error_group(:'grp', pg_temp.v('shop@2.8.1')) \g /dev/null
SELECT vigil.capture_sentry(:m1, E'{}\n{"type":"event"}\n{"message":"x is undefined","exception":{"values":[{"type":"TypeError","value":"x is undefined"}]},"platform":"javascript","release":"shop@2.9.0"}\n'::text) \g /dev/null
SELECT results_eq('SELECT status::text, regressed_in_version FROM vigil.error_groups', $$SELECT 'open', pg_temp.v('shop@2.9.0')$$, 'D-35: a release that is new in a call is known in it');

SELECT * FROM finish();
ROLLBACK;
