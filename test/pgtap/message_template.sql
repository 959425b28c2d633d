-- vigil.message_template and vigil.template_key: what is masked, what stays, the key, and what the planner may do.
BEGIN;
\ir include/setup.sql
SELECT plan(34);

SELECT is(vigil.message_template(message), template, message)
FROM (VALUES
  ('Worker 6790 took slot -7', 'Worker <num> took slot <num>'),
  ('session 550e8400-e29b-41d4-a716-446655440000 of bob@example.com', 'session <uuid> of <email>'),
  ('GET https://api.example.com/v1/users/42?x=1 took 5000ms', 'GET <url> took <duration>'),
  ('connect ECONNREFUSED 127.0.0.1:5432', 'connect ECONNREFUSED <host>'),
  ('connect ECONNREFUSED ::1:5432', 'connect ECONNREFUSED <host>'),
  ('no space for 64.5 KB in /var/lib/app', 'no space for <size> in <path>'),
  ('expired at 2024-01-02T03:04:05.678Z', 'expired at <time>'),
  ('user=alice id=42 level=error', 'user=<val> id=<val> level=error'),
  ('Key (email)=(bob) already exists.', 'Key (email)=(<val>) already exists.'),
  ('relation "users" does not exist', 'relation "users" does not exist'),
  ('invalid input syntax for type integer: "abc"', 'invalid input syntax for type integer: "<val>"'),
  ('status code 404', 'status code 404'),
  ('ids [1, 2, 3]', 'ids [<num>]'),
  ('', ''),
  ('   ', ''),
  ('Größe 5', 'Größe <num>')) AS cases (message, template);

SELECT is(vigil.template_key(message), vigil.template_key(vigil.message_template(message)), 'same key as its template: ' || left(message, 20))
FROM (VALUES ('slot 7'), ('from 10.0.0.1:80'), ('a  b'), (''), (repeat('word 1 ', 300))) AS cases (message);

SELECT is(vigil.template_key(''), 't1_00000000000000000000000000000000', 'golden: the empty template');
SELECT is(vigil.template_key('slot 7'), 't1_0f8a3102d445b48a40fe19a6a01c374a', 'golden: slot <num>');
SELECT isnt(vigil.template_key('status code 404'), vigil.template_key('status code 500'), 'status codes separate');
SELECT isnt(vigil.template_key('column "a" is null'), vigil.template_key('column "b" is null'), 'names separate');
SELECT is(vigil.message_template(NULL), NULL, 'null has no template');
SELECT is(vigil.template_key(NULL), NULL, 'null has no key');
SELECT ok(length(vigil.message_template(repeat('1 a ', 1000000))) < 65536, 'long messages have short templates');
SELECT is(vigil.template_key(repeat('word ', 100000) || 'a'), vigil.template_key(repeat('word ', 100000) || 'b'), 'only the beginning counts');
SELECT lives_ok(format('SELECT vigil.message_template(%L)', repeat('ñ', n)), 'a cut leaves whole characters: ' || n)
FROM (VALUES (8191), (4097)) AS sizes (n);

CREATE TABLE message (text text);
INSERT INTO message SELECT 'slot ' || n FROM generate_series(1, 1000) AS n;
SELECT lives_ok('CREATE INDEX ON message (vigil.template_key(text))', 'an index may use the key');
SELECT is((SELECT count(DISTINCT vigil.template_key(text)) FROM message), 1::bigint, 'one template');
SELECT is((SELECT string_agg(DISTINCT provolatile::text || proparallel::text || proisstrict::text, ',') FROM pg_proc
           WHERE proname IN ('message_template', 'template_key') AND pronamespace = 'vigil'::regnamespace),
  'istrue', 'immutable, parallel safe, strict');

SELECT * FROM finish();
ROLLBACK;
