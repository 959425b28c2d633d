-- What the files of this folder share; each is one transaction that is rolled back.
\set QUIET on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
-- Tables that were never analyzed look large, and plans over them worth compiling.
SET jit = off;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION pg_vigil;
-- psql runs the files as the owner: the hash of an address can be foretold with a known key
SET vigil.ip_hash_key = 'pepper';
\set m1 '''11111111-1111-4111-8111-111111111111'''
\set m2 '''22222222-2222-4222-8222-222222222222'''
\set v1 '''aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1'''
\set v2 '''aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2'''
\set s1 '''bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1'''
\set s2 '''bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2'''

-- An event of module 1 with these members besides the required ones.
CREATE FUNCTION pg_temp.event(members jsonb DEFAULT '{}', type text DEFAULT 'render') RETURNS jsonb
  LANGUAGE sql AS $$
  SELECT jsonb_build_object('moduleId', '11111111-1111-4111-8111-111111111111', 'eventType', type,
                            'eventName', 'e') || members
$$;

CREATE FUNCTION pg_temp.error(members jsonb DEFAULT '{}') RETURNS jsonb
  LANGUAGE sql AS $$
  SELECT jsonb_build_object('moduleId', '11111111-1111-4111-8111-111111111111', 'errorType', 'javascript',
                            'errorName', 'TypeError', 'errorMessage', 'x is undefined') || members
$$;

-- Every row of every table of the schema that holds the text somewhere.
CREATE FUNCTION pg_temp.rows_with(needle text) RETURNS TABLE (place text, row_text text)
  LANGUAGE plpgsql AS $$
DECLARE
  target regclass;
BEGIN
  FOR target IN SELECT oid FROM pg_class WHERE relnamespace = 'vigil'::regnamespace AND relkind = 'r' LOOP
    RETURN QUERY EXECUTE format('SELECT %L, t::text FROM %s t WHERE strpos(t::text, $1) > 0', target, target)
      USING needle;
  END LOOP;
END $$;

-- Whether bytes are a value of a type of ours; only 22P03 says no.
CREATE FUNCTION pg_temp.readable(type text, bytes bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT %L::vigil.%I', bytes::text, type);
  RETURN true;
EXCEPTION WHEN invalid_binary_representation THEN
  RETURN false;
END $$;

-- Copies the rows of one table to another in binary form.
CREATE FUNCTION pg_temp.copy_binary(source regclass, target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  file text := current_setting('data_directory') || '/vigil_' || pg_backend_pid() || '.copy';
BEGIN
  EXECUTE format('COPY %s TO %L (FORMAT binary)', source, file);
  EXECUTE format('COPY %s FROM PROGRAM %L (FORMAT binary)', target, format('cat ''%s'' && rm ''%1$s''', file));
END $$;

CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; lines text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP lines := lines || line || E'\n'; END LOOP;
  RETURN lines;
END $$;
