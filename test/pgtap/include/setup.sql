-- What the files of this folder share; each is one transaction that is rolled back.
\set QUIET on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
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
