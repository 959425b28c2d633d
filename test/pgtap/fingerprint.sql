-- vigil.fingerprint: the vectors of scheme seed, what is masked, nulls, and how the planner may treat it.
BEGIN;
\ir include/setup.sql
SELECT vigil.set_fingerprint_scheme(:m1, 'seed') \g /dev/null
SELECT plan(79);

CREATE FUNCTION pg_temp.seed(type text, name text, stack text) RETURNS text LANGUAGE sql AS $$
  SELECT vigil.fingerprint(type, name, 'any message', stack, scheme => 'seed') $$;
-- The rule of the seed in SQL, for stacks without characters beyond the BMP.
CREATE FUNCTION pg_temp.rule(type text, name text, stack text) RETURNS text LANGUAGE sql AS $$
  SELECT left(encode(sha256(convert_to(type || ':' || name || ':' || left(
    regexp_replace(regexp_replace(coalesce(stack, ''), ':\d+:\d+', ':X:X', 'g'), '\?[^\s]+', '', 'g'), 500), 'UTF8')), 'hex'), 32) $$;

SELECT is(pg_temp.seed('javascript', 'TypeError',
  E'TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:10:15)\n    at bar (https://cdn.example.com/lib.js:20:3)'),
  '712c0fdf6a2a676e33d570a6948eff1f', 'S0-31: the vector with a stack');
SELECT is(pg_temp.seed('javascript', 'TypeError',
  E'TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:99:1)\n    at bar (https://cdn.example.com/lib.js:7:70)'),
  '712c0fdf6a2a676e33d570a6948eff1f', 'S0-31: other lines and columns, the same group');
SELECT is(pg_temp.seed('api', 'NetworkError', NULL), '61726bda244a3e4cb4964c59a0792ab8', 'S0-31: the vector without a stack');
SELECT is(pg_temp.seed('api', 'NetworkError', ''), '61726bda244a3e4cb4964c59a0792ab8', 'S0-31: an empty stack is no stack');
SELECT is(vigil.fingerprint('api', 'NetworkError', 'one', NULL, 'seed'), vigil.fingerprint('api', 'NetworkError', 'two', NULL, 'seed'),
  'S0-31: the message is no part of it');
SELECT is(vigil.fingerprint('api', 'NetworkError', NULL, NULL, 'v1'), vigil.fingerprint('api', 'NetworkError', NULL, NULL), 'D-32: v1 is the default scheme');

SELECT is(pg_temp.seed('t', 'n', stack), pg_temp.rule('t', 'n', stack), 'S0-31: equal to the rule in SQL: ' || what)
FROM (VALUES ('plain', 'at f (a.js)'), ('position', 'at f (a.js:1:2)'), ('one number', 'at f (a.js:1)'),
             ('three numbers', 'a:1:2:3'), ('four numbers', 'a:1:2:3:4'), ('a query', 'at f (a.js?v=1:2:3)'),
             ('a query with a tab after it', E'a?b\tc'), ('a lone question mark', 'why? because'), ('a question mark at the end', 'why?'),
             ('no digits', ':x:y'), ('499 characters', repeat('a', 499)), ('500 characters', repeat('a', 500)), ('501 characters', repeat('a', 501)),
             ('a cut in a position', repeat('a', 498) || ':1:2'), ('positions before the cut', repeat(':1:2', 200)),
             ('umlauts at the cut', repeat('ä', 501)), ('lines', E'a\n\nb\r\n'), ('empty', '')) AS t (what, stack);
SELECT isnt(pg_temp.seed('t', 'n', repeat('a', 499) || 'b'), pg_temp.seed('t', 'n', repeat('a', 499) || 'c'), 'S0-31: character 500 counts');
SELECT is(pg_temp.seed('t', 'n', repeat('a', 500) || 'b'), pg_temp.seed('t', 'n', repeat('a', 500) || 'c'), 'S0-31: character 501 does not');
SELECT is(pg_temp.seed('t', 'n', repeat('🎉', 250) || 'b'), pg_temp.seed('t', 'n', repeat('🎉', 250) || 'c'),
  'D-31: characters beyond the BMP count as the two UTF-16 units that the seed cuts by');
SELECT isnt(pg_temp.seed('t', 'n', repeat('🎉', 249) || 'ab'), pg_temp.seed('t', 'n', repeat('🎉', 249) || 'ac'), 'D-31: unit 500 counts');
SELECT is(pg_temp.seed('t', 'n', repeat('a', 499) || '🎉'), left(encode(sha256(convert_to('t:n:' || repeat('a', 499) || U&'\FFFD', 'UTF8')), 'hex'), 32),
  'D-31: half a character at the cut is hashed as U+FFFD, as the seed does');
SELECT matches(pg_temp.seed('', '', ''), '^[0-9a-f]{32}$', 'S0-31, C-18: 32 hexadecimal digits, also of empty texts');

SELECT is(vigil.fingerprint(NULL, 'n', 'm', 's', 'seed'), NULL, 'S0-31: null without a type');
SELECT is(vigil.fingerprint('t', NULL, 'm', 's', 'seed'), NULL, 'S0-31: null without a name');
SELECT is(vigil.fingerprint('t', 'n', 'm', 's', NULL), NULL, 'S0-31: null without a scheme');
SELECT throws_ok($$SELECT vigil.fingerprint('t', 'n', 'm', 's', 'best')$$, '22023', 'unknown fingerprint scheme "best"', 'D-32: an unknown scheme is refused');

-- Scheme v1
CREATE FUNCTION pg_temp.key(VARIADIC fields text[]) RETURNS text LANGUAGE sql AS $$
  SELECT fields[1] || '_' || left(encode(sha256(string_agg(int8send(octet_length(f)) || convert_to(f, 'UTF8'), '' ORDER BY i)), 'hex'), 32)
  FROM unnest(fields) WITH ORDINALITY AS u (f, i) $$;
\set node 'TypeError: x\n    at Cart.total (https://cdn.example/js/main.3f2a1b9c.js:4:2)\n    at async checkout (https://cdn.example/js/main.3f2a1b9c.js:9:2)'

SELECT is(vigil.fingerprint('javascript', 'TypeError', 'x', :'node'),
  pg_temp.key('e1s', 'javascript', 'TypeError', '', '', 'total', 'js/main', 'checkout', 'js/main'), 'D-31: the key is a hash of fields that SQL can compute');
SELECT is(vigil.fingerprints('javascript', 'TypeError', 'x 7', :'node'), ARRAY[
    pg_temp.key('e1s', 'javascript', 'TypeError', '', '', 'total', 'js/main', 'checkout', 'js/main'),
    pg_temp.key('e1t', 'javascript', 'TypeError', '', '', 'total', 'js/main'),
    pg_temp.key('e1m', 'javascript', 'TypeError', 'x <num>')], 'D-31: all keys, the most telling first');
SELECT is(vigil.fingerprints('javascript', 'TypeError', 'x 7', NULL), ARRAY[pg_temp.key('e1m', 'javascript', 'TypeError', 'x <num>')],
  'D-30: without a stack, the message decides');
SELECT is(vigil.fingerprint('api', 'E', 'user 1 not found', ''), vigil.fingerprint('api', 'E', 'user 2 not found', ''),
  'D-27: ids in the message make no difference');
SELECT is(vigil.fingerprint('api', 'E', 'user 1 not found', E'E: user 1 not found\n    at f (/app/a.js:1:2)'),
  vigil.fingerprint('api', 'E', 'user 2 not found', E'E: user 2 not found\n    at f (/app/a.js:3:2)'), 'D-27: nor in the first line of the stack');
SELECT is(vigil.fingerprint('api', 'E', 'm', E'    at f (https://a.example/x/app.js?v=1:2:3)\n    at g (https://a.example/x/app.js:4:5)'),
  vigil.fingerprint('api', 'E', 'm', E'    at f (https://a.example/x/app.js:2:3)\n    at g (https://a.example/x/app.js?v=2:4:5)'), 'D-28: a query string makes no difference');
SELECT is(vigil.fingerprint('api', 'E', 'm', stack), vigil.fingerprint('api', 'E', 'm', '    at f (https://a.example/x/main.3f2a1b9c.js:2:3)'), 'D-29: no difference: ' || what)
FROM (VALUES ('a line without column', '    at f (https://a.example/x/main.3f2a1b9c.js:7)'), ('another build', '    at f (https://a.example/x/main.77ab01fe.js:2:3)'),
             ('another host', '    at f (https://cdn.example:8080/x/main.3f2a1b9c.js:2:3)'), ('another browser', 'f@https://a.example/x/main.3f2a1b9c.js:2:3')) AS t (what, stack);
SELECT isnt(vigil.fingerprint('api', 'E', 'user not found', ''), vigil.fingerprint('api', 'E', 'order not found', ''), 'D-30: words do');
SELECT is(vigil.fingerprints('api', 'E', 'm', 's', 'seed'), ARRAY[vigil.fingerprint('api', 'E', 'm', 's', 'seed')], 'D-32: scheme seed has one key');
SELECT is(vigil.fingerprint(NULL, NULL, NULL, NULL), NULL, 'D-32: null of nothing');
SELECT is(vigil.fingerprint(NULL, NULL, 'm', NULL), vigil.fingerprint('', '', 'm', ''), 'D-32: null is empty otherwise');
SELECT is(vigil.fingerprints('a', 'b', 'c', 'd', NULL), NULL, 'D-32: null without a scheme');
SELECT matches(vigil.fingerprint('api', 'E', repeat('x', 1000000), repeat('y', 1000000)), '^e1m_[0-9a-f]{32}$', 'C-18: a key of one size for a megabyte in one line');
SELECT is(vigil.fingerprint('api', 'E', 'm', repeat(E'    at f (/app/a.js:1:2)\n', 100000)), vigil.fingerprint('api', 'E', 'm', E'    at f (/app/a.js:1:2)\n'),
  'D-31: 100,000 frames of a recursion are one');

\set rules '[{"action": "drop", "function": "assert*"}, {"action": "library", "file": "*/shared/*"}, {"action": "app", "file": "*/node_modules/ours/*"}, {"action": "key", "message": "*timeout*", "key": ["timeout", "{{ default }}"]}]'
SELECT is(vigil.fingerprint('api', 'E', 'm', E'    at assertOk (/app/a.js:1:2)\n    at g (/app/shared/b.js:1:2)\n    at h (/app/node_modules/ours/c.js:1:2)', rules => :'rules'),
  pg_temp.key('e1s', 'api', 'E', '', 'm', 'h', 'ours/c.js'), 'D-31: rules say which frames are the application''s');
SELECT is(vigil.fingerprints('api', 'E', 'a timeout', :'node', rules => :'rules'),
  ARRAY[pg_temp.key('e1c', 'timeout', vigil.fingerprint('api', 'E', 'a timeout', :'node'))], 'D-31: a rule gives a key');
SELECT throws_ok(format($$SELECT vigil.fingerprint('a', 'b', 'c', 'd', rules => %L)$$, rules), '22023', message, 'D-31: refused: ' || message)
FROM (VALUES ('{}', 'rules of fingerprints are no array'), ('[1]', 'rule 1: it is no object'), ('[{"action": "app", "file": "a"}, {}]', 'rule 2: "action" is missing'),
             ('[{"action": "hide"}]', 'unknown action "hide" of a rule'), ('[{"action": "app"}]', 'rule 1: a frame is told by file or function'),
             ('[{"action": "drop", "file": "a", "name": "b"}]', 'rule 1: a frame is told by file or function'),
             ('[{"action": "key", "message": "a"}]', 'rule 1: "key" is missing'), ('[{"action": "key", "key": ["a"]}]', 'rule 1: a key is given by name or message'),
             ('[{"action": "key", "message": "a", "key": [1]}]', 'rule 1: "key" is no array of texts'), ('[{"action": "app", "path": "a"}]', 'rule 1: unknown member "path"'),
             ('[{"action": "app", "file": 1}]', 'rule 1: "file" is no text'),
             (format('[{"action": "app", "file": "%s"}]', repeat('x', 501)), 'rule 1: "file" has 501 bytes, the limit is 500')) AS t (rules, message);

INSERT INTO vigil.fingerprint_rules (module_id, position, action, file, message, key) VALUES
  ('00000000-0000-0000-0000-000000000001', 2, 'library', '*/shared/*', NULL, NULL), ('00000000-0000-0000-0000-000000000001', 1, 'key', NULL, '*timeout*', '{timeout}');
SELECT is(vigil.fingerprint_rules_of('00000000-0000-0000-0000-000000000001'),
  '[{"action": "key", "message": "*timeout*", "key": ["timeout"]}, {"action": "library", "file": "*/shared/*"}]', 'D-31: the rules of a module, in their order');
SELECT is(vigil.fingerprint_rules_of('00000000-0000-0000-0000-000000000002'), NULL, 'D-31: null without rules');
SELECT throws_ok($$INSERT INTO vigil.fingerprint_rules (module_id, position, action) VALUES ('00000000-0000-0000-0000-000000000001', 3, 'key')$$,
  '22023', 'rule 1: "key" is missing', 'D-31: a rule that ingest could not read is refused');

SELECT results_eq(format($$SELECT f ->> 'function', f ->> 'file', (f ->> 'kept')::boolean, f ->> 'why' FROM jsonb_array_elements(
    vigil.explain_fingerprint('javascript', 'TypeError', 'x', %L) -> 'frames') AS f$$, :'node' || E'\n    at emit (node:events:1:2)'),
  $$VALUES ('total', 'js/main', true, 'part of the key'), ('checkout', 'js/main', true, 'part of the key'),
           ('emit', 'node:events', false, 'frame of the language''s own library')$$, 'D-31: explain tells of every frame why it counts');
SELECT is(vigil.explain_fingerprint('javascript', 'ApiError', 'user 7: no', :'node') -> 'message' ->> 'template', 'user <num>: no', 'D-31: what is kept of the message');
SELECT is(vigil.explain_fingerprint('javascript', 'ApiError', 'x', :'node') -> 'keys', to_jsonb(vigil.fingerprints('javascript', 'ApiError', 'x', :'node')), 'D-31: and the keys');
SELECT is(vigil.explain_fingerprint(NULL, NULL, NULL, NULL) ->> 'basis', 'the message, as there are no frames', 'D-31: also of nothing');

SELECT is(vigil.custom_fingerprint('{payments,declined}', 'k'), pg_temp.key('e1c', 'payments', 'declined'), 'D-31: parts that a client gives');
SELECT is(vigil.custom_fingerprint(ARRAY['{{ default }}', 'eu'], 'k'), pg_temp.key('e1c', 'k', 'eu'), 'D-31: the default key within them');
SELECT is(vigil.custom_fingerprint(ARRAY['{{default}}'], 'k'), 'k', 'D-31: alone it is that key');
SELECT throws_ok($$SELECT vigil.custom_fingerprint('{NULL}', 'k')$$, '22004', 'a custom fingerprint has no parts', 'D-31: no parts are refused');

SELECT results_eq($$SELECT provolatile, proparallel FROM pg_proc WHERE oid = 'vigil.fingerprint(text, text, text, text, text, jsonb)'::regprocedure$$,
  $$VALUES ('i'::"char", 's'::"char")$$, 'S0-31: IMMUTABLE and PARALLEL SAFE');
SELECT lives_ok($$CREATE INDEX ON vigil.errors (vigil.fingerprint(error_type, error_name, error_message, error_stack))$$, 'S0-31: so it can be indexed');
SELECT vigil.track_error(pg_temp.error('{"errorStack": "at f (a.js:1:2)"}')) \g /dev/null
SELECT is((SELECT fingerprint FROM vigil.errors), vigil.fingerprint('javascript', 'TypeError', NULL, 'at f (a.js:3:4)', 'seed'), 'S0-31: track_error uses it');

SELECT * FROM finish();
ROLLBACK;
