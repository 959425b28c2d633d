-- vigil.fingerprint: the vectors of scheme seed, what is masked, nulls, and how the planner may treat it.
BEGIN;
\ir include/setup.sql
SELECT vigil.set_fingerprint_scheme(:m1, 'seed') \g /dev/null
SELECT plan(37);

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

SELECT results_eq($$SELECT provolatile, proparallel FROM pg_proc WHERE oid = 'vigil.fingerprint(text, text, text, text, text, jsonb)'::regprocedure$$,
  $$VALUES ('i'::"char", 's'::"char")$$, 'S0-31: IMMUTABLE and PARALLEL SAFE');
SELECT lives_ok($$CREATE INDEX ON vigil.errors (vigil.fingerprint(error_type, error_name, error_message, error_stack))$$, 'S0-31: so it can be indexed');
SELECT vigil.track_error(pg_temp.error('{"errorStack": "at f (a.js:1:2)"}')) \g /dev/null
SELECT is((SELECT fingerprint FROM vigil.errors), vigil.fingerprint('javascript', 'TypeError', NULL, 'at f (a.js:3:4)', 'seed'), 'S0-31: track_error uses it');

SELECT * FROM finish();
ROLLBACK;
