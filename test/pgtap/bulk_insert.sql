-- Ingest stores rows past the executor, unless the table has something that only the executor does. Both ways are the same
-- to constraints, indexes, triggers and whatever else users put on a fact table.
BEGIN;
\ir include/setup.sql
SELECT plan(30);
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
SELECT 'vigil.' || partition AS today FROM vigil.partitions WHERE parent = 'events' AND starts_at <= now() AND ends_at > now() \gset

CREATE FUNCTION pg_temp.send(members jsonb DEFAULT '{}') RETURNS vigil.ingest_result LANGUAGE sql AS $$
  SELECT vigil.track_batch(jsonb_agg(pg_temp.event(jsonb_build_object('durationMs', i) || members)
         ORDER BY i)) FROM generate_series(1, 300) AS i $$;
CREATE FUNCTION pg_temp.sent() RETURNS text LANGUAGE sql AS $$
  SELECT count(*) || ' ' || sum(duration_ms) || ' ' || (SELECT count(*) FROM vigil.dirty WHERE minute = date_trunc('minute', now()))
  FROM vigil.events $$;

-- The plain way ---------------------------------------------------------------------------------------

SELECT is(pg_temp.send(), ROW(300, 0, 0, 0)::vigil.ingest_result, 'S0-28: a batch larger than what is written at once');
SELECT is(pg_temp.sent(), '300 45150 1', 'S0-28: has all its rows and one mark');
SELECT is((SELECT count(DISTINCT id) FROM vigil.events WHERE received_at = now() AND created_at = now()), 300::bigint, 'S0-30: with ids and times of their own');
DELETE FROM vigil.events;
SELECT is(vigil.track_batch(jsonb_build_array(pg_temp.event(), pg_temp.event('{"timestamp": "1980-01-01T00:00:00Z"}'),
    pg_temp.event(jsonb_build_object('timestamp', now() + interval '1 month')), pg_temp.event())),
  ROW(3, 0, 0, 1)::vigil.ingest_result, 'D-68: rows of two partitions and of none in one batch');
SELECT is((SELECT count(DISTINCT tableoid) FROM vigil.events), 2::bigint, 'S0-01: each is in its partition');
DELETE FROM vigil.events;
SELECT vigil.track_batch(jsonb_agg(pg_temp.event(jsonb_build_object('durationMs', i, 'moduleId', md5((i % 7)::text)::uuid,
  'timestamp', now() - i % 11 * interval '1 microsecond')) ORDER BY i)) FROM generate_series(1, 300) AS i \g /dev/null
SELECT results_eq('SELECT id FROM vigil.events ORDER BY tableoid, ctid', 'SELECT id FROM vigil.events ORDER BY tableoid, module_id, created_at, duration_ms',
  'S0-28: rows of a batch stand in the order of the key, equal ones as they were sent');
DELETE FROM vigil.events;
DELETE FROM vigil.dirty;
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('payload', jsonb_build_object('a',
  (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 6000) AS i))))) \g /dev/null
SELECT is((SELECT length(payload ->> 'a') FROM vigil.events), 192000, 'S0-01: a payload of many pages');
DELETE FROM vigil.events;
SELECT format('CREATE INDEX ON %s ((lower(event_name))) WHERE duration_ms > 100; CREATE UNIQUE INDEX one_unit ON %1$s (unit)', :'today') \gexec
SELECT pg_temp.send('{"eventName": "Upper"}') \g /dev/null
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM vigil.events WHERE lower(event_name) = 'upper' AND duration_ms > 100), 200::bigint, 'S0-01: indexes of users are kept');
RESET enable_seqscan;
SELECT throws_ok($$SELECT pg_temp.send('{"unit": "ms"}')$$, '23505', NULL, 'S0-01: also unique ones');
SELECT pg_temp.sent() AS before \gset
SELECT is(pg_temp.sent(), :'before', 'S0-37: an error stores nothing of the batch');
DROP INDEX vigil.one_unit;
ALTER TABLE vigil.events ADD CONSTRAINT named CHECK (event_name <> 'bad');
SELECT throws_ok($$SELECT pg_temp.send('{"eventName": "bad"}')$$, '23514', NULL, 'S0-01: constraints of users are checked');
ALTER TABLE vigil.events DROP CONSTRAINT named;
DELETE FROM vigil.events;
ALTER TABLE vigil.events ADD CONSTRAINT placed CHECK (tableoid <> 0);
SELECT is(pg_temp.send(), ROW(300, 0, 0, 0)::vigil.ingest_result, 'S0-01: also those that ask for the table');
ALTER TABLE vigil.events DROP CONSTRAINT placed;
SELECT throws_ok($$SELECT set_config('transaction_read_only', 'on', true), pg_temp.send()$$, '25006', 'cannot execute INSERT in a read-only transaction', 'S0-28: a read-only transaction stores nothing');

-- Tables of another shape -----------------------------------------------------------------------------

DELETE FROM vigil.events;
ALTER TABLE vigil.events ADD COLUMN empty integer, ADD COLUMN tenant text NOT NULL DEFAULT 'ours',
  ADD COLUMN loud text GENERATED ALWAYS AS (upper(event_name)) STORED;
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT DISTINCT (empty, tenant, loud)::text FROM vigil.events), '(,ours,E)', 'S0-01: columns with a default, generated and empty');
SELECT is(pg_temp.sent(), '300 45150 1', 'S0-01: with all rows and one mark');
ALTER TABLE vigil.events DROP COLUMN empty, DROP COLUMN tenant, DROP COLUMN loud;
DELETE FROM vigil.events;
ALTER TABLE vigil.events ADD COLUMN empty integer;
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT count(*) FROM vigil.events WHERE empty IS NULL), 300::bigint, 'S0-01: a column without a default stays empty');
ALTER TABLE vigil.events DROP COLUMN empty;
DELETE FROM vigil.events;
ALTER TABLE vigil.events ADD COLUMN needed integer NOT NULL;
SELECT throws_ok('SELECT pg_temp.send()', '23502', NULL, 'S0-01: unless it must not be');
ALTER TABLE vigil.events DROP COLUMN needed;
ALTER TABLE vigil.events ALTER COLUMN unit TYPE varchar(3);
SELECT throws_ok($$SELECT pg_temp.send('{"unit": "much"}')$$, '22001', NULL, 'S0-01: a narrower column is one');
SELECT is(pg_temp.send('{"unit": "few"}'), ROW(300, 0, 0, 0)::vigil.ingest_result, 'S0-01: and takes what fits');
ALTER TABLE vigil.events ALTER COLUMN unit TYPE text;

CREATE TABLE vigil.turned (gone text, created_at timestamptz NOT NULL);
ALTER TABLE vigil.turned DROP COLUMN gone;
SELECT string_agg(format('ADD COLUMN %I %s %s', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE '' END), ', ' ORDER BY a.attname DESC) AS columns
FROM pg_attribute a WHERE a.attrelid = 'vigil.events'::regclass AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attname <> 'created_at' \gset
ALTER TABLE vigil.turned :columns;
ALTER TABLE vigil.turned ADD CONSTRAINT events_type_length CHECK (octet_length(event_type) <= 400),
  ADD CONSTRAINT events_subject_length CHECK (octet_length(subject) <= 2000),
  ADD CONSTRAINT events_sample_weight CHECK (sample_weight BETWEEN 1 AND 1000000000);
ALTER TABLE vigil.events ATTACH PARTITION vigil.turned FOR VALUES FROM ('1999-12-01Z') TO ('2000-01-01Z');
CREATE TEMP TABLE item AS SELECT pg_temp.event('{"timestamp": "1999-12-24T18:00:00Z", "durationMs": 7, "unit": "x", "payload": {"a": [1]},
  "versionId": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1", "success": true, "memoryUsageKb": 9, "sessionId": "s"}') AS event;
SELECT vigil.track_batch(jsonb_build_array(event, event || '{"timestamp": "1999-12-25T18:00:00Z"}')) FROM item \g /dev/null
SELECT vigil.track_event(event - 'timestamp') FROM item \g /dev/null
SELECT is((SELECT count(*) FROM vigil.turned), 2::bigint, 'design 5: a partition with its columns in another order');
SELECT results_eq($$SELECT to_jsonb(e) - '{id,created_at}'::text[] FROM vigil.events e WHERE tableoid = 'vigil.turned'::regclass AND created_at < '1999-12-25'$$,
  $$SELECT to_jsonb(e) - '{id,created_at}'::text[] FROM vigil.events e WHERE tableoid <> 'vigil.turned'::regclass AND session_id = 's'$$, 'design 5: has the same row');
DROP TABLE vigil.turned;

CREATE TABLE vigil.split (LIKE vigil.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY LIST (event_type);
CREATE TABLE vigil.split_render PARTITION OF vigil.split FOR VALUES IN ('render');
CREATE TABLE vigil.split_other PARTITION OF vigil.split DEFAULT;
ALTER TABLE vigil.events ATTACH PARTITION vigil.split FOR VALUES FROM ('1999-12-01Z') TO ('2000-01-01Z');
DELETE FROM vigil.dirty;
SELECT vigil.track_batch(jsonb_agg(pg_temp.event('{"timestamp": "1999-12-24T18:00:00Z"}', type))) FROM unnest('{render,click,render}'::text[]) AS type \g /dev/null
SELECT is((SELECT (SELECT count(*) FROM vigil.split_render) || ' ' || (SELECT count(*) FROM vigil.split_other) || ' ' || (SELECT count(*) FROM vigil.dirty)),
  '2 1 1', 'design 5: a partition that is partitioned itself');
DROP TABLE vigil.split;

-- Triggers, rules and foreign keys of users -----------------------------------------------------------

CREATE TEMP TABLE noted (note text);
CREATE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_LEVEL = 'STATEMENT' THEN
    INSERT INTO noted SELECT 'statement ' || count(*) FROM new_rows;
    RETURN NULL;
  END IF;
  NEW.environment := 'by trigger';
  RETURN NEW;
END $$;
DELETE FROM vigil.events;
DELETE FROM vigil.dirty;
CREATE TRIGGER note AFTER INSERT ON vigil.events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.note();
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT string_agg(note, ',') FROM noted), 'statement 300', 'S0-01: statement triggers of users fire');
SELECT is(pg_temp.sent(), '300 45150 1', 'S0-01: beside our marks');
ALTER TABLE vigil.events DISABLE TRIGGER note;
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT count(*) FROM noted), 1::bigint, 'S0-01: unless they are disabled');
SELECT format('CREATE TRIGGER note_row BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION pg_temp.note()', :'today') \gexec
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT count(*) FROM vigil.events WHERE environment = 'by trigger'), 300::bigint, 'S0-01: so do row triggers of a partition');
SELECT format('DROP TRIGGER note ON vigil.events; DROP TRIGGER note_row ON %s', :'today') \gexec
CREATE TABLE public.vigil_test_modules (module_id uuid PRIMARY KEY);
DELETE FROM vigil.events;
ALTER TABLE vigil.events ADD CONSTRAINT known FOREIGN KEY (module_id) REFERENCES public.vigil_test_modules;
SELECT throws_ok('SELECT pg_temp.send()', '23503', NULL, 'S0-01: foreign keys of users hold');
INSERT INTO public.vigil_test_modules VALUES (:m1);
SELECT is(pg_temp.send(), ROW(300, 0, 0, 0)::vigil.ingest_result, 'S0-01: and let pass what is known');
ALTER TABLE vigil.events DROP CONSTRAINT known;
CREATE TEMP TABLE ruled (event_name text);
CREATE RULE also AS ON INSERT TO vigil.events DO ALSO INSERT INTO ruled VALUES (NEW.event_name);
DELETE FROM vigil.events;
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT count(*) FROM ruled), 300::bigint, 'S0-01: rules of users are followed');
DROP RULE also ON vigil.events;

-- The marks have a way of their own to write, which does the same.
CREATE TEMP TABLE seen (minute timestamptz);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.minute); RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT ON vigil.dirty FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
DELETE FROM vigil.dirty;
SELECT pg_temp.send() \g /dev/null
SELECT is((SELECT minute FROM seen), date_trunc('minute', now()), 'design 6: a trigger on the marks sees them');
DROP TRIGGER see ON vigil.dirty;

SELECT * FROM finish();
ROLLBACK;
