-- The boundary between C++ and PostgreSQL: whole errors both ways, no leak, no crash.
\set QUIET on
\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS pg_vigil;
SELECT plan(18);

CREATE FUNCTION pg_temp.boundary_test(how text) RETURNS integer
  LANGUAGE c STRICT AS '$libdir/pg_vigil', 'vigil_boundary_test';

CREATE FUNCTION pg_temp.heap() RETURNS bigint
  LANGUAGE c AS '$libdir/pg_vigil', 'vigil_boundary_heap';

-- The four parts of an error as a client gets them.
CREATE FUNCTION pg_temp.caught(how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text;
BEGIN
  PERFORM pg_temp.boundary_test(how);
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws('|', state, message, detail, hint);
END $$;

SELECT is(pg_temp.caught('nothing'), 'no error', 'design 3: a call without error returns');
SELECT is(pg_temp.caught('core error'),
  '22023|message of the core|Detail of the core.|Hint of the core.',
  'design 3: an error of the core arrives whole');
SELECT is(pg_temp.caught('postgres error'),
  '55P03|message of PostgreSQL|Detail of PostgreSQL.|Hint of PostgreSQL.',
  'design 3: an error of PostgreSQL passes C++ whole');
SELECT is(pg_temp.caught('nested error'),
  '22P02|invalid input syntax for type integer: "no number"||',
  'design 3: an error of a called function keeps its SQLSTATE and text');
SELECT is(pg_temp.caught('standard exception'), 'XX000|message of the library||',
  'design 3: a standard exception becomes an error');
SELECT is(pg_temp.caught('unknown exception'), 'XX000|unknown error in pg_vigil||',
  'design 3: an unknown exception becomes an error, not a crash');
SELECT is(pg_temp.caught('exhausted memory'), '53200|out of memory||',
  'design 3: exhausted memory is 53200');
SELECT is(pg_temp.caught('impossible size'), '53200|out of memory||',
  'design 3: an impossible size is 53200');
SELECT is(pg_temp.caught('aligned memory'), 'no error',
  'design 3: memory is aligned as asked');
SELECT is((SELECT 1), 1, 'design 3: the session lives after all of them');
SELECT is(pg_temp.boundary_test('nothing'), 0, 'design 3: every destructor has run');

-- 100,000 caught errors of a kind must not grow the backend.
CREATE FUNCTION pg_temp.growth(how text, times integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint;
BEGIN
  FOR i IN 1..1000 LOOP PERFORM pg_temp.caught(how); END LOOP;
  before := pg_temp.heap();
  FOR i IN 1..times LOOP PERFORM pg_temp.caught(how); END LOOP;
  RETURN pg_temp.heap() - before;
END $$;
SELECT cmp_ok(pg_temp.growth('lost memory', 100000), '>', 1000000::bigint,
  'design 3: memory that is lost would be seen');
SELECT cmp_ok(pg_temp.growth('core error', 100000), '<', 1000000::bigint,
  'design 3: 100,000 caught errors of the core grow the backend by less than 1 MB');
SELECT cmp_ok(pg_temp.growth('postgres error', 100000), '<', 1000000::bigint,
  'design 3: 100,000 caught errors of PostgreSQL grow the backend by less than 1 MB');
SELECT cmp_ok(pg_temp.growth('standard exception', 100000), '<', 1000000::bigint,
  'design 3: 100,000 caught standard exceptions grow the backend by less than 1 MB');
SELECT cmp_ok(pg_temp.growth('unknown exception', 100000), '<', 1000000::bigint,
  'design 3: 100,000 caught unknown exceptions grow the backend by less than 1 MB');
SELECT cmp_ok(pg_temp.growth('exhausted memory', 100000), '<', 1000000::bigint,
  'design 3: 100,000 times exhausted memory grows the backend by less than 1 MB');
SELECT is(pg_temp.boundary_test('nothing'), 0, 'design 3: every destructor has run');

SELECT * FROM finish();
ROLLBACK;
