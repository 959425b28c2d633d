-- How errors find their groups: ladders of keys, schemes, rules, fingerprints of clients.
BEGIN;
\ir include/setup.sql
SELECT plan(42);

-- An error of a name whose stack is these functions, the place of throw first.
CREATE FUNCTION pg_temp.thrown(name text, functions text, message text DEFAULT 'it broke: here', members jsonb DEFAULT '{}') RETURNS jsonb
  LANGUAGE sql AS $$
  SELECT pg_temp.error(jsonb_build_object('errorName', name, 'errorMessage', message) || members || CASE WHEN functions = '' THEN '{}'
    ELSE jsonb_build_object('errorStack', (SELECT string_agg(format(E'    at %s (/app/src/%1$s.js:1:2)', f), E'\n' ORDER BY n)
                                           FROM string_to_table(functions, ' ') WITH ORDINALITY AS t (f, n))) END) $$;
CREATE FUNCTION pg_temp.send(name text, functions text, message text DEFAULT 'it broke: here', members jsonb DEFAULT '{}') RETURNS void
  LANGUAGE sql AS $$ SELECT vigil.track_error(pg_temp.thrown(name, functions, message, members)) $$;
CREATE FUNCTION pg_temp.groups(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM vigil.error_groups WHERE error_name = name $$;
CREATE FUNCTION pg_temp.keys(name text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(left(f.fingerprint, 4), ' ' ORDER BY f.fingerprint) FROM vigil.error_fingerprints f
  JOIN vigil.error_groups g ON g.id = f.group_id WHERE g.error_name = name $$;

-- The ladder
SELECT pg_temp.send('A', 'f g h') \g /dev/null
SELECT is(pg_temp.keys('A'), 'e1m_ e1s_ e1t_', 'issue 4: a group has all keys of its first error');
SELECT is((SELECT e.fingerprint FROM vigil.errors e), (SELECT vigil.fingerprint('javascript', 'A', 'it broke: here', pg_temp.thrown('A', 'f g h') ->> 'errorStack')),
  'issue 4: an error carries the first');
SELECT ok((SELECT bool_and(length(fingerprint) <= 64) FROM vigil.error_fingerprints), 'C-18: all fit 64 characters');
SELECT pg_temp.send('A', 'f') \g /dev/null
SELECT is(pg_temp.groups('A'), 1::bigint, 'issue 4: of what threw nothing else is known: found by the frame that threw');
SELECT is(pg_temp.keys('A'), 'e1m_ e1s_ e1s_ e1t_', 'issue 4: and its own key is attached');
SELECT pg_temp.send('A', '') \g /dev/null
SELECT is(pg_temp.groups('A'), 1::bigint, 'issue 4: a report without stack is found by its message');
SELECT pg_temp.send('A', 'other place', 'it broke: here') \g /dev/null
SELECT is(pg_temp.groups('A'), 2::bigint, 'issue 4: an error with frames is not found by its message alone');
SELECT pg_temp.send('A', 'f g h', 'it broke: in another way') \g /dev/null
SELECT is(pg_temp.groups('A'), 2::bigint, 'issue 4: the same frames find the group whatever the message');
SELECT pg_temp.send('A', '', 'it broke: in another way') \g /dev/null
SELECT is(pg_temp.groups('A'), 2::bigint, 'issue 4: which is a key from then on');
SELECT results_eq($$SELECT total_occurrences FROM vigil.module_error_groups WHERE error_name = 'A' ORDER BY 1$$, 'VALUES (1), (5)', 'issue 4: totals are over all keys');
SELECT pg_temp.send('B', ''), pg_temp.send('B', 'f g') \g /dev/null
SELECT is(pg_temp.groups('B'), 2::bigint, 'issue 4: the message of an error without stack is its own');

-- Messages that are all different
SELECT pg_temp.send('M', 'f g h', 'it broke: ' || translate(n::text, '0123456789', 'abcdefghij')) FROM generate_series(1, 250) AS n \g /dev/null
SELECT results_eq($$SELECT count(*) FROM vigil.error_fingerprints f JOIN vigil.error_groups g ON g.id = f.group_id WHERE g.error_name = 'M'$$, 'VALUES (200::bigint)',
  'issue 4: a group has at most 200 keys besides the first ones of its errors');
SELECT pg_temp.send('M', 'f g h', 'it broke: entirely'), pg_temp.send('M', 'f', 'it broke: entirely') \g /dev/null
SELECT is(pg_temp.groups('M'), 1::bigint, 'issue 4: and goes on to find its errors');
SELECT is((SELECT total_occurrences FROM vigil.module_error_groups WHERE error_name = 'M'), 252, 'issue 4: all of them');

-- One call with several errors of one kind
SELECT vigil.capture_sentry(:m1, '{}' || E'\n' || string_agg(format(E'{"type":"event"}\n{"exception":{"values":[{"type":"C","value":"v","stacktrace":{"frames":[%s]}}]},"platform":"node"}\n',
  (SELECT string_agg(format('{"filename":"/app/%s.js","function":"%1$s","lineno":1,"in_app":true}', f), ',') FROM string_to_table(functions, ' ') f)), '') ::text)
FROM unnest(ARRAY['z y x', 'x', 'x', 'z y x']) AS functions \g /dev/null
SELECT is(pg_temp.groups('C'), 1::bigint, 'issue 4: errors of one call share what the first of them made');
SELECT is((SELECT total_occurrences FROM vigil.module_error_groups WHERE error_name = 'C'), 4, 'issue 4: and are counted');

-- Fingerprints of clients
SELECT pg_temp.send('D', 'f', 'm', '{"fingerprint": "mine"}'), pg_temp.send('D', 'g', 'other', '{"fingerprint": "mine"}') \g /dev/null
SELECT is(pg_temp.keys('D'), 'mine', 'C-18: a text of the client is the only key');
SELECT pg_temp.send('Blank', 'f', 'm', '{"fingerprint": ""}') \g /dev/null
SELECT is(pg_temp.keys('Blank'), 'e1m_ e1s_ e1t_', 'C-18: an empty one is none');
CREATE FUNCTION pg_temp.sentry(type text, fingerprint jsonb) RETURNS void LANGUAGE sql AS $$
  SELECT vigil.capture_sentry('11111111-1111-4111-8111-111111111111', E'{}\n{"type":"event"}\n' || jsonb_build_object('platform', 'node', 'fingerprint', fingerprint,
    'exception', jsonb_build_object('values', jsonb_build_array(jsonb_build_object('type', type, 'value', 'v'))))::text || E'\n') $$;
SELECT pg_temp.sentry('E', '["a", "b"]'), pg_temp.sentry('F', '["a", "b"]'), pg_temp.sentry('E', '["{{ default }}", "b"]'), pg_temp.sentry('E', '["{{ default }}"]') \g /dev/null
SELECT results_eq($$SELECT error_name, left(fingerprint, 4) FROM vigil.error_groups WHERE error_name IN ('E', 'F') ORDER BY 2$$,
  $$VALUES ('E', 'e1c_'), ('E', 'e1c_'), ('E', 'e1m_')$$, 'issue 4: a list is a key of its parts; the default alone is none');

-- Rules
SELECT pg_temp.send('R', 'lib app') \g /dev/null
INSERT INTO vigil.fingerprint_rules (module_id, position, action, file) VALUES (:m1, 1, 'drop', '*/lib.js');
SELECT pg_temp.send('R', 'lib app') \g /dev/null
SELECT is(pg_temp.groups('R'), 1::bigint, 'issue 4: a new rule finds the groups of before');
SELECT pg_temp.send('R', 'app') \g /dev/null
SELECT is(pg_temp.groups('R'), 1::bigint, 'issue 4: and applies: what it drops makes no difference');
DELETE FROM vigil.fingerprint_rules;

-- Schemes
SELECT is(vigil.fingerprint_scheme_of(:m1), 'v1', 'D-32: the scheme of a module that has none set');
SELECT vigil.set_fingerprint_scheme(:m1, 'seed') \g /dev/null
SELECT is(vigil.fingerprint_scheme_of(:m1), 'seed', 'D-32: is set by module');
SELECT is(vigil.fingerprint_scheme_of(:m2), 'v1', 'D-32: and not for others');
SELECT pg_temp.send('A', 'f g h') \g /dev/null
SELECT is(pg_temp.groups('A'), 2::bigint, 'D-32: a new scheme finds the groups of the one before');
SELECT is((SELECT fingerprint FROM vigil.errors WHERE fingerprint ~ '^[0-9a-f]{32}$'),
  vigil.fingerprint('javascript', 'A', NULL, pg_temp.thrown('A', 'f g h') ->> 'errorStack', 'seed'), 'D-32: with keys of its own');
SELECT pg_temp.send('A', 'nowhere') \g /dev/null
SELECT is(pg_temp.groups('A'), 3::bigint, 'D-32: what is new makes a group');
SELECT vigil.set_fingerprint_scheme(:m1, 'v1', '0') \g /dev/null
SELECT pg_temp.send('A', 'nowhere') \g /dev/null
SELECT is(pg_temp.groups('A'), 4::bigint, 'D-32: without a period nothing is looked up');
SELECT vigil.set_fingerprint_scheme(:m1, 'seed', '1 day'), vigil.set_fingerprint_scheme(:m1, 'seed', '2 days') \g /dev/null
SELECT results_eq('SELECT previous_scheme::text, previous_until FROM vigil.grouping_settings', $$VALUES ('v1', now() + interval '2 days')$$,
  'D-32: the period can be set again');
UPDATE vigil.grouping_settings SET previous_until = now() - interval '1 second';
SELECT pg_temp.send('A', 'f x') \g /dev/null
SELECT is(pg_temp.groups('A'), 5::bigint, 'D-32: nor after it');
SELECT throws_ok(format('SELECT vigil.set_fingerprint_scheme(%L, %s)', :m1, arguments), '22023', NULL, 'D-32: refused: ' || arguments)
FROM unnest(ARRAY['''v0''', 'NULL', '''v1'', ''-1 day''', '''v1'', NULL']) AS arguments;
SELECT vigil.set_fingerprint_scheme(:m1, 'none') \g /dev/null
SELECT pg_temp.send('N', 'f'), pg_temp.send('N', 'f') \g /dev/null
SELECT is(pg_temp.groups('N'), 2::bigint, 'S3-91: scheme none: each error is a group');

-- Lists
SELECT vigil.set_error_group_priority(id, 'critical') FROM vigil.error_groups WHERE error_name = 'B' \g /dev/null
SELECT vigil.set_error_group_status(id, 'resolved') FROM vigil.error_groups WHERE error_name = 'R' \g /dev/null
SELECT vigil.track_error(pg_temp.thrown('Listed', 'f', 'So 50% Broken', jsonb_build_object('createdAt', now() + interval '1 minute'))) \g /dev/null
SELECT is((SELECT error_name FROM vigil.list_error_groups(:m1) LIMIT 1), 'Listed', 'S0-82: last seen first');
SELECT is((SELECT count(*) FROM vigil.list_error_groups(:m1, status => 'resolved')), 1::bigint, 'S0-82: by status');
SELECT is((SELECT count(*) FROM vigil.list_error_groups(:m1, 'all', 'critical')), 2::bigint, 'S0-82: by priority');
SELECT is((SELECT string_agg(error_name, ',') FROM vigil.list_error_groups(:m1, 'open', 'all', '50% bRoKen')), 'Listed', 'S0-83: by a part of the message in any case');
SELECT is((SELECT string_agg(error_name, ',') FROM vigil.list_error_groups(:m1, search => 'lISTEd')), 'Listed', 'S0-83: or of the name');
SELECT throws_ok(format('SELECT * FROM vigil.list_error_groups(%L, %L)', :m1, 'closed'), '23514', NULL, 'S0-82: another status is refused');
SELECT is(vigil.error_group_counts(:m1), ((SELECT count(*) FROM vigil.error_groups WHERE module_id = :m1) - 1, 2::bigint), 'S0-84: open and critical groups, over all');

SELECT * FROM finish();
ROLLBACK;
