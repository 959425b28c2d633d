-- Priorities by rules.
BEGIN;
\ir include/setup.sql
SELECT plan(22);

SELECT is(vigil.glob_matches(value, pattern), expected, format('issue 4: %L matches %L: %s', value, pattern, expected))
FROM (VALUES ('TypeError', 'type*', true), ('TypeError', 'Type', false), ('a%b', 'a%b', true), ('axb', 'a%b', false), ('a_b', 'a_b', true),
             ('axb', 'a_b', false), ('axb', 'a?b', true), ('a\b', 'a\b', true), ('', '*', true), (NULL, NULL, true), (NULL, '?*', false)) AS t (value, pattern, expected);

SELECT vigil.create_priority_rule('low', error_type => 'javascript', rank => 10) AS low,
       vigil.create_priority_rule('critical', :m1, error_message => '*payment*') AS critical \gset
SELECT vigil.create_priority_rule('high', level => 'fatal') \g /dev/null
SELECT vigil.create_priority_rule('critical', module_name => 'check*', error_name => 'Time?ut') \g /dev/null
INSERT INTO vigil.modules (module_id, name) VALUES (:m2, 'Checkout');
CREATE FUNCTION pg_temp.sent(members jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT vigil.track_error(pg_temp.error(members));
  SELECT priority::text FROM vigil.error_groups WHERE error_name = members ->> 'errorName' AND module_id = coalesce(members ->> 'moduleId', '11111111-1111-4111-8111-111111111111')::uuid $$;
SELECT is(pg_temp.sent('{"errorName": "A"}'), 'low', 'issue 4: a rule of low rank');
SELECT is(pg_temp.sent('{"errorName": "B", "errorMessage": "the Payment failed"}'), 'critical', 'issue 4: a rule of the module comes first');
SELECT is(pg_temp.sent(jsonb_build_object('errorName', 'B', 'errorMessage', 'the Payment failed', 'moduleId', :m2)), 'low', 'issue 4: and is of no other');
SELECT is(pg_temp.sent('{"errorName": "C", "errorType": "api", "level": "fatal"}'), 'high', 'issue 4: by level');
SELECT is(pg_temp.sent(jsonb_build_object('errorName', 'Timeout', 'moduleId', :m2)), 'critical', 'issue 4: by the name of the module');
SELECT is(pg_temp.sent('{"errorName": "D", "errorType": "api"}'), 'medium', 'S0-13: what no rule matches is medium');

SELECT vigil.set_error_group_priority(id, 'high') FROM vigil.error_groups WHERE error_name = 'A' \g /dev/null
SELECT vigil.delete_priority_rule(:'critical') \g /dev/null
SELECT vigil.create_priority_rule('high', error_type => 'api', rank => 1) \g /dev/null
SELECT is(vigil.apply_priority_rules(), 2::bigint, 'issue 4: new rules change two groups');
SELECT results_eq($$SELECT error_name || ' ' || priority FROM vigil.error_groups WHERE module_id = '11111111-1111-4111-8111-111111111111' ORDER BY error_name$$,
  $$VALUES ('A high'), ('B low'), ('C high'), ('D high')$$, 'issue 4: but for what somebody set by hand');
SELECT is((SELECT count(*) FROM vigil.error_group_activity WHERE action = 'priority_rule'), 2::bigint, 'issue 4: the activity tells');
SELECT throws_ok($$SELECT vigil.create_priority_rule('urgent')$$, '22P02', NULL, 'issue 4: no such priority');
SELECT throws_ok($$SELECT vigil.delete_priority_rule('00000000-0000-4000-8000-000000000000')$$, 'P0002', NULL, 'issue 4: no such rule');

SELECT * FROM finish();
ROLLBACK;
