-- Errors of PostgreSQL without preload: vigil.capture_exception within a transaction, and what it makes of them.
BEGIN;
\ir include/setup.sql
SELECT plan(41);

CREATE TABLE public.account (id integer PRIMARY KEY, balance integer CHECK (balance >= 0));
INSERT INTO public.account VALUES (1, 10);
CREATE FUNCTION public.withdraw(amount integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public.account SET balance = balance - amount WHERE id = 1;
END $$;

CREATE FUNCTION pg_temp.shortest() RETURNS vigil.ingest_result LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.withdraw(11);
EXCEPTION WHEN OTHERS THEN
  RETURN vigil.capture_exception(SQLSTATE, SQLERRM);
END $$;

CREATE FUNCTION pg_temp.longest(amount integer, module uuid DEFAULT NULL) RETURNS vigil.ingest_result LANGUAGE plpgsql AS $$
DECLARE
  d text; h text; c text; s text; t text; col text; con text; dt text;
BEGIN
  PERFORM public.withdraw(amount);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT, s = SCHEMA_NAME,
    t = TABLE_NAME, col = COLUMN_NAME, con = CONSTRAINT_NAME, dt = PG_DATATYPE_NAME;
  RETURN vigil.capture_exception(SQLSTATE, SQLERRM, d, h, c, module, '{"order": 42}', '{"cart": [1, 2], "ip": "10.0.0.1"}',
                                 s, t, col, con, dt);
END $$;

-- --- The shortest way -----------------------------------------------------------------------------------

SELECT is((pg_temp.shortest()).accepted, 1, 'SQLSTATE and message are enough');
SELECT results_eq('SELECT module_id, error_type, error_name, error_message, level, platform, handled FROM vigil.errors',
  $$SELECT vigil.server_module(), 'database', 'check_violation',
           'new row for relation "account" violates check constraint "account_balance_check"', 'error', 'postgresql', true$$,
  'type, name of the condition, message, module of the server, handled');
SELECT is((SELECT name FROM vigil.modules WHERE module_id = vigil.server_module()), 'PostgreSQL: ' || current_database(), 'the module has a name');
SELECT is((SELECT error_stack FROM vigil.errors),
  (SELECT 'PL/pgSQL function ' || p.oid::regprocedure || ' line 5 at RETURN' FROM pg_proc p WHERE proname = 'shortest'),
  'without a context the stack is where it was caught');
SELECT is((SELECT array_agg(key ORDER BY key) FROM vigil.errors, jsonb_object_keys(tags) AS key),
  '{application,command,database,role,sqlstate}'::text[], 'tags tell the session');
SELECT is((SELECT tags ->> 'sqlstate' FROM vigil.errors), '23514', 'and the SQLSTATE');
SELECT is((SELECT tags ->> 'role' FROM vigil.errors), session_user::text, 'and the role');
SELECT is((SELECT count(*) FROM vigil.module_error_groups), 1::bigint, 'it has a group');
SELECT is((SELECT total_occurrences FROM vigil.module_error_groups), 1, 'which counts it');
SELECT is((SELECT count(*) FROM vigil.dirty WHERE module_id = vigil.server_module()), 1::bigint, 'its minute is marked');
SELECT is((SELECT affected_sessions FROM vigil.module_error_groups), 1, 'sessions are counted');

-- --- All that is known --------------------------------------------------------------------------------------

DELETE FROM vigil.errors;
SELECT is((pg_temp.longest(11, :m1)).accepted, 1, 'all of GET STACKED DIAGNOSTICS');
SELECT is((SELECT module_id FROM vigil.errors), :m1::uuid, 'a module of the caller''s choice');
SELECT is((SELECT context ->> 'detail' FROM vigil.errors), 'Failing row contains (1, -1).', 'the detail is the caller''s choice');
SELECT is((SELECT context ->> 'schema' || '.' || (context ->> 'table') || ': ' || (context ->> 'constraint') FROM vigil.errors),
  'public.account: account_balance_check', 'names of schema, table and constraint');
SELECT is((SELECT tags -> 'order' FROM vigil.errors), '42', 'own tags');
SELECT is((SELECT context -> 'cart' FROM vigil.errors), '[1, 2]', 'own context');
SELECT is((SELECT context ? 'ip' FROM vigil.errors), false, 'which is scrubbed as that of any error');
SELECT is((SELECT split_part(error_stack, E'\n', 1) FROM vigil.errors), 'SQL statement "UPDATE public.account SET balance = balance - amount WHERE id = 1"',
  'the context is the stack');
SELECT is((SELECT array_agg(p.function ORDER BY p.ordinal) FROM vigil.errors e, vigil.parse_stack(e.error_stack) p),
  (SELECT ARRAY['withdraw(integer)', p.oid::regprocedure::text] FROM pg_proc p WHERE proname = 'longest'), 'whose frames are read');
SELECT is((pg_temp.longest(12, :m1)).accepted, 1, 'the same error again');
SELECT is((SELECT count(DISTINCT fingerprint) FROM vigil.errors), 1::bigint, 'is of the same group');

-- --- Refused -----------------------------------------------------------------------------------------------------

SELECT throws_ok($$SELECT vigil.capture_exception(NULL, 'x')$$, '22004', NULL, 'SQLSTATE must be there');
SELECT throws_ok($$SELECT vigil.capture_exception('22012', NULL)$$, '22004', NULL, 'and the message');
SELECT throws_ok($$SELECT vigil.capture_exception('division_by_zero', 'x')$$, '22023', NULL, 'a name is no SQLSTATE');
SELECT throws_ok($$SELECT vigil.capture_exception('2201a', 'x')$$, '22023', NULL, 'lower case neither');
SELECT throws_ok($$SELECT vigil.capture_exception('22012', 'x', tags => '[1]')$$, '22023', NULL, 'tags are an object');
SET LOCAL vigil.max_payload_bytes = '1kB';
SELECT throws_ok($$SELECT vigil.capture_exception('22012', 'x', extra => jsonb_build_object('x', repeat('y', 2000)))$$, '54000', NULL, 'of limited size');
RESET vigil.max_payload_bytes;
SELECT is((vigil.capture_exception('22012', '')).accepted, 1, 'an empty message');
SELECT is((SELECT error_message FROM vigil.errors WHERE error_name = 'division_by_zero'), 'division_by_zero', 'becomes the name');
SELECT is((vigil.capture_exception('22012', E'x', level => 'fatal', survive => true)).accepted, 1, 'without a queue, survive stores in the transaction');
SELECT is((SELECT level FROM vigil.errors WHERE error_message = 'x'), 'fatal', 'the level is the caller''s');

-- --- Names --------------------------------------------------------------------------------------------------------

SELECT is((SELECT array_agg(vigil.condition_name(s) ORDER BY o) FROM unnest('{00000,22012,23505,40001,57014,P0001,XX000}'::text[]) WITH ORDINALITY AS x (s, o)),
  '{successful_completion,division_by_zero,unique_violation,serialization_failure,query_canceled,raise_exception,internal_error}'::text[],
  'conditions have names');
SELECT is(vigil.condition_name('VX001'), 'VX001', 'an SQLSTATE without a name is its own');
SELECT is(vigil.condition_name(NULL), NULL, 'null has none');

-- Every name that PL/pgSQL knows by its SQLSTATE is known by us.
CREATE FUNCTION pg_temp.caught(sqlstate text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DO $x$ BEGIN RAISE SQLSTATE %L; EXCEPTION WHEN %I THEN NULL; END $x$', sqlstate, vigil.condition_name(sqlstate));
  RETURN true;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$;
SELECT is_empty($$SELECT s FROM unnest('{08006,0A000,21000,22001,22003,22P02,23502,23503,23505,23514,23P01,25006,28000,2BP01,40001,40P01,
  42501,42601,42703,42883,42P01,42P07,53100,53200,53300,54001,55000,55P03,57014,58030,F0000,P0001,P0002,P0004,XX000,XX001}'::text[]) AS s
  WHERE vigil.condition_name(s) = s OR NOT pg_temp.caught(s)$$, 'and they are those that PL/pgSQL knows');

-- --- The module ------------------------------------------------------------------------------------------------------

SELECT is(vigil.server_module(), (SELECT encode(value, 'hex')::uuid FROM vigil.secrets WHERE name = 'server_module'), 'the module of the server is kept with the database');
SET LOCAL vigil.server_module = '22222222-2222-4222-8222-222222222222';
SELECT is(vigil.server_module(), :m2::uuid, 'or is what the setting says');
SELECT throws_ok($$SET LOCAL vigil.server_module = 'x'$$, '22023', NULL, 'which must be a UUID');

-- --- Without preload there is no queue --------------------------------------------------------------------------------

SELECT throws_ok($$SELECT vigil.track_async('{}')$$, '55000', NULL, 'vigil.track_async needs preload');
SELECT is_empty('SELECT * FROM vigil.capture_stats', 'vigil.capture_stats has no row');

SELECT * FROM finish();
ROLLBACK;
