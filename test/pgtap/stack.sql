-- vigil.parse_stack: the surface. The languages are tested in test/unit/stack_test.cpp.
BEGIN;
\ir include/setup.sql
SELECT plan(19);

CREATE FUNCTION pg_temp.shown(stack text, error_name text DEFAULT NULL, message text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(concat_ws(' ', ordinal, coalesce(f.function, '-'), coalesce(file, '-'), coalesce(line::text, '-'), coalesce("column"::text, '-'),
    kind, in_app::text), E'\n' ORDER BY ordinal) FROM vigil.parse_stack(stack, error_name, message) AS f $$;

SELECT is(pg_temp.shown(E'TypeError: x\n    at async Ledger.post (/srv/bank/post.js:41:22)\n    at /srv/bank/node_modules/koa/index.js:3:1\n    at Array.map (<anonymous>)\n    at node:internal/main:1:2\n    at eval (eval at run (app.js:7:3), <anonymous>:1:7)'),
  E'1 Ledger.post /srv/bank/post.js 41 22 app true\n2 - /srv/bank/node_modules/koa/index.js 3 1 library false\n3 Array.map - - - native false\n4 - node:internal/main 1 2 runtime false\n5 - app.js 7 3 eval true',
  'every kind of frame');
SELECT is(pg_temp.shown(E'post@https://bank.example/js/app.js:41:22\nhandle/</<@https://bank.example/js/app.js:80:9\n'),
  E'1 post https://bank.example/js/app.js 41 22 app true\n2 handle https://bank.example/js/app.js 80 9 app true', 'Firefox');
SELECT is(pg_temp.shown(E'Traceback (most recent call last):\n  File "/srv/api.py", line 31, in post\n    f()\n  File "/srv/core.py", line 9, in transfer\nValueError: x'),
  E'1 transfer /srv/core.py 9 - app true\n2 post /srv/api.py 31 - app true', 'Python is turned round');
SELECT is(pg_temp.shown(E'a.E: x\n\tat com.bank.Ledger.post(Ledger.java:41)\nCaused by: b.E: y\n\tat com.bank.Store.open(Store.java:7)\n\t... 4 more'),
  E'1 com.bank.Ledger.post Ledger.java 41 - app true\n2 com.bank.Store.open Store.java 7 - app true', 'Java: causes in the order of the text');
SELECT is(pg_temp.shown(E'   at Bank.Ledger.Post(Int32 id, String iban) in C:\\bank src\\Ledger.cs:line 41'),
  E'1 Bank.Ledger.Post C:\\bank src\\Ledger.cs 41 - app true', '.NET');
SELECT is(pg_temp.shown(E'app/ledger.rb:41:in `post'': x (E)\n\tfrom main.rb:3:in `<main>'''),
  E'1 post app/ledger.rb 41 - app true\n2 - main.rb 3 - app true', 'Ruby');
SELECT is(pg_temp.shown(E'#0 /var/www/Api.php(12): Ledger->post(Array, ''5'')\n#1 {main}'), '1 Ledger->post /var/www/Api.php 12 - app true', 'PHP');

SELECT is(pg_temp.shown(E'Error: bad\n    at fake (x.js:1:2)\n    at real (a.js:1:2)', 'Error', E'bad\n    at fake (x.js:1:2)'), '1 real a.js 1 2 app true',
  'a known message is no frame');
SELECT is(pg_temp.shown(E'Error: bad\n    at fake (x.js:1:2)\n    at real (a.js:1:2)'), E'1 fake x.js 1 2 app true\n2 real a.js 1 2 app true',
  'an unknown one may look like one');

CREATE FUNCTION pg_temp.outer_frame() RETURNS text LANGUAGE plpgsql AS $$
DECLARE context text;
BEGIN
  PERFORM 1 / (SELECT count(*) FROM pg_class WHERE false);
EXCEPTION WHEN division_by_zero THEN
  GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
  RETURN context;
END $$;
SELECT is((SELECT count(*)::integer FROM vigil.parse_stack(pg_temp.outer_frame()) WHERE function LIKE '%outer_frame()' AND line = 4 AND file IS NULL), 1,
  'the CONTEXT that this server prints');

SELECT is((SELECT raw FROM vigil.parse_stack(E'goroutine 1 [running]:\nmain.f()\n\t/a/b.go:3 +0x1\n')), E'main.f()\n\t/a/b.go:3 +0x1', 'raw holds both lines of a frame of Go');
SELECT is((SELECT f.function FROM vigil.parse_stack('    at größe (ä ö.js:1:2)') AS f), 'größe', 'any characters');
SELECT is_empty($$SELECT * FROM vigil.parse_stack(NULL)$$, 'null has no frames');
SELECT is_empty($$SELECT * FROM vigil.parse_stack('')$$, 'an empty text has none');
SELECT is_empty($$SELECT * FROM vigil.parse_stack('Something went wrong at 12:30:45, ask user@example.com')$$, 'words have none');
SELECT is((SELECT count(*) FROM vigil.parse_stack(repeat(E'    at f (a.js:1:2)\n', 100001))), 100000::bigint, 'at most 100,000 frames');
SELECT is_empty($$SELECT * FROM vigil.parse_stack(repeat('at (', 250000))$$, 'a line of a megabyte is no frame');
SELECT is((SELECT provolatile::text || proparallel::text FROM pg_proc WHERE oid = 'vigil.parse_stack(text, text, text)'::regprocedure), 'is', 'immutable and parallel safe');
SELECT is((SELECT array_agg(name ORDER BY n) FROM pg_proc, unnest(proargnames) WITH ORDINALITY AS a (name, n) WHERE oid = 'vigil.parse_stack(text, text, text)'::regprocedure),
  '{stack,error_name,message,ordinal,function,file,line,column,kind,in_app,language,raw}', 'the columns');

SELECT * FROM finish();
ROLLBACK;
