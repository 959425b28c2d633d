-- Marks of changed minutes: each minute once for a transaction, and never missing, whatever savepoints, functions and
-- deleted marks do in between.
BEGIN;
\ir include/setup.sql
SELECT plan(44);
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

-- Times are counted from a fixed minute of the recent past.
CREATE TABLE pg_temp.clock AS SELECT date_trunc('hour', now() - interval '2 hours', 'UTC') AS zero;
CREATE FUNCTION pg_temp.at(minutes numeric) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT zero + minutes * interval '1 minute' FROM pg_temp.clock $$;
CREATE FUNCTION pg_temp.put(minutes numeric, module uuid DEFAULT '11111111-1111-4111-8111-111111111111') RETURNS void
  LANGUAGE sql AS $$
  INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES (module, pg_temp.at(minutes), 'render', 'e') $$;
-- The marks so far, as minutes with how often, and a fresh start.
CREATE FUNCTION pg_temp.marks() RETURNS text LANGUAGE sql AS $$
  WITH taken AS (DELETE FROM vigil.dirty RETURNING module_id, minute),
       counted AS (SELECT left(module_id::text, 1) AS module, extract(epoch FROM minute - pg_temp.at(0))::integer / 60 AS minute,
                          count(*) AS times FROM taken GROUP BY 1, 2)
  SELECT coalesce(string_agg(module || ':' || minute || CASE WHEN times > 1 THEN 'x' || times ELSE '' END, ' ' ORDER BY module, minute), '')
  FROM counted $$;

-- One mark for a minute ------------------------------------------------------------------------------

SELECT pg_temp.put(0), pg_temp.put(0.5), pg_temp.put(1), pg_temp.put(0.9, :m2) \g /dev/null
SELECT is(pg_temp.marks(), '1:0 1:1 2:0', 'design 6: a transaction marks each module and minute once, however many statements change it');
INSERT INTO vigil.events (module_id, created_at, event_type, event_name)
SELECT (ARRAY[:m1, :m2])[1 + i % 2]::uuid, pg_temp.at(i % 3), 'render', 'e' FROM generate_series(1, 1000) AS i;
SELECT is(pg_temp.marks(), '1:0 1:1 1:2 2:0 2:1 2:2', 'design 6: so does one statement with many rows');
SELECT vigil.track_batch(jsonb_agg(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(i % 3))))) FROM generate_series(1, 100) AS i \g /dev/null
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(1)))),
       vigil.track_error(pg_temp.error(jsonb_build_object('createdAt', pg_temp.at(2)))), pg_temp.put(0), pg_temp.put(3) \g /dev/null
SELECT is(pg_temp.marks(), '1:0 1:1 1:2 1:3', 'design 6: ingest and direct writes share them');
INSERT INTO vigil.errors (module_id, created_at, error_type, error_name, error_message, fingerprint)
VALUES (:m1, pg_temp.at(4), 'api', 'E', 'm', 'f');
SELECT is(pg_temp.marks(), '1:4', 'design 6: errors are marked');

UPDATE vigil.events SET created_at = pg_temp.at(5) WHERE created_at = pg_temp.at(3);
SELECT is(pg_temp.marks(), '1:3 1:5', 'design 6: UPDATE marks the old and the new minute');
UPDATE vigil.events SET module_id = :m2 WHERE created_at = pg_temp.at(5);
SELECT is(pg_temp.marks(), '1:5 2:5', 'design 6: and the old and the new module');
UPDATE vigil.events SET created_at = p.ends_at - interval '1 minute' FROM vigil.partitions p
WHERE p.parent = 'events' AND p.ends_at = (SELECT min(ends_at) FROM vigil.partitions) AND created_at = pg_temp.at(5);
SELECT matches(pg_temp.marks(), '^2:-?[0-9]+ 2:5$|^2:5 2:-?[0-9]+$', 'design 6: also from one partition to another');
DELETE FROM vigil.events WHERE created_at = pg_temp.at(2) AND module_id = :m1;
SELECT is(pg_temp.marks(), '1:2', 'design 6: DELETE marks the minute');
MERGE INTO vigil.events e USING (SELECT DISTINCT ON (created_at) created_at, module_id, id FROM vigil.events WHERE module_id = :m1) s
  ON e.module_id = s.module_id AND e.created_at = s.created_at AND e.id = s.id
  WHEN MATCHED AND e.created_at < pg_temp.at(0.2) THEN DELETE
  WHEN MATCHED THEN UPDATE SET created_at = e.created_at + interval '10 minutes';
SELECT is(pg_temp.marks(), '1:0 1:1 1:10 1:11', 'design 6: MERGE marks what it deletes and changes');
UPDATE vigil.events SET event_name = 'x' WHERE false;
DELETE FROM vigil.errors WHERE false;
SELECT is(pg_temp.marks(), '', 'design 6: a statement without rows marks nothing');

-- Savepoints -----------------------------------------------------------------------------------------

SELECT pg_temp.put(20) \g /dev/null
SAVEPOINT a;
SELECT pg_temp.put(20), pg_temp.put(21) \g /dev/null
ROLLBACK TO a;
SELECT is((SELECT count(*) FROM vigil.dirty), 1::bigint, 'design 6: ROLLBACK TO takes back the marks of the savepoint only');
SELECT pg_temp.put(20), pg_temp.put(21) \g /dev/null
SELECT is(pg_temp.marks(), '1:20 1:21', 'design 6: what it took back is marked again');

SAVEPOINT a;
SELECT pg_temp.put(22) \g /dev/null
RELEASE a;
SELECT pg_temp.put(22), pg_temp.put(23) \g /dev/null
SELECT is(pg_temp.marks(), '1:22 1:23', 'design 6: marks of a released savepoint stay known');

SAVEPOINT a;
SELECT pg_temp.put(24) \g /dev/null
SAVEPOINT b;
SELECT pg_temp.put(25) \g /dev/null
RELEASE b;
SELECT pg_temp.put(25) \g /dev/null
ROLLBACK TO a;
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(24)))), pg_temp.put(25) \g /dev/null
SELECT is(pg_temp.marks(), '1:24 1:25', 'design 6: a released savepoint goes with the one around it');

DO $$
BEGIN
  FOR i IN 1 .. 5 LOOP
    BEGIN
      PERFORM pg_temp.put(26);
      PERFORM vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(27))));
      RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
    END;
  END LOOP;
END $$;
SELECT is(pg_temp.marks(), '', 'design 6: marks of blocks that fail are gone');
SELECT pg_temp.put(26), pg_temp.put(27) \g /dev/null
SELECT is(pg_temp.marks(), '1:26 1:27', 'design 6: and made again');

-- Statements within statements -----------------------------------------------------------------------

-- Writes in a minute that the calling statement writes as well, and tells whether readers would know.
CREATE FUNCTION pg_temp.nested(minutes numeric, fail boolean, natively boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    IF natively THEN
      PERFORM vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(minutes))));
    ELSE
      PERFORM pg_temp.put(minutes);
    END IF;
    IF NOT EXISTS (SELECT FROM vigil.dirty WHERE minute = pg_temp.at(minutes)) THEN
      RETURN 'unmarked';
    END IF;
    IF fail THEN
      RAISE division_by_zero;
    END IF;
  EXCEPTION WHEN division_by_zero THEN
  END;
  RETURN 'marked';
END $$;
CREATE FUNCTION pg_temp.nested_in_place(minutes numeric) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_temp.put(minutes);
  RETURN CASE WHEN EXISTS (SELECT FROM vigil.dirty WHERE minute = pg_temp.at(minutes)) THEN 'marked' ELSE 'unmarked' END;
END $$;
INSERT INTO vigil.events (module_id, created_at, event_type, event_name)
SELECT :m1, pg_temp.at(30), 'render', pg_temp.nested(30, true, false) FROM generate_series(1, 3);
SELECT is((SELECT array_agg(DISTINCT event_name) FROM vigil.events WHERE created_at = pg_temp.at(30)), ARRAY['marked'],
  'design 6: a statement inside another has its mark at once');
SELECT is(pg_temp.marks(), '1:30', 'design 6: and what failed inside leaves the other marked');
INSERT INTO vigil.events (module_id, created_at, event_type, event_name)
SELECT :m1, pg_temp.at(31), 'render', pg_temp.nested(31, i % 2 = 0, true) FROM generate_series(1, 4) AS i;
SELECT is((SELECT array_agg(DISTINCT event_name) FROM vigil.events WHERE created_at = pg_temp.at(31) AND event_name <> 'e'), ARRAY['marked'],
  'design 6: the same with an ingest function');
SELECT alike(pg_temp.marks(), '1:31%', 'design 6: and its failures');
INSERT INTO vigil.events (module_id, created_at, event_type, event_name)
SELECT :m1, pg_temp.at(32), 'render', pg_temp.nested_in_place(32) FROM generate_series(1, 3) AS i;
SELECT is((SELECT array_agg(DISTINCT event_name) FROM vigil.events WHERE created_at = pg_temp.at(32) AND event_name <> 'e'), ARRAY['marked'],
  'design 6: the same without a subtransaction');
SELECT alike(pg_temp.marks(), '1:32%', 'design 6: which leaves it marked, too');

-- A trigger that comes before ours changes what it was called for, in a subtransaction.
CREATE FUNCTION pg_temp.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE vigil.events SET status = 'touched' WHERE id = NEW.id;
  RETURN NULL;
EXCEPTION WHEN division_by_zero THEN
  RETURN NULL;
END $$;
CREATE TRIGGER a_touch AFTER INSERT ON vigil.events FOR EACH ROW EXECUTE FUNCTION pg_temp.touch();
DELETE FROM vigil.dirty;
INSERT INTO vigil.events (module_id, created_at, event_type, event_name) SELECT :m1, pg_temp.at(33), 'render', 'e' FROM generate_series(1, 3);
SELECT alike(pg_temp.marks(), '1:33%', 'design 6: a minute that two levels change at once is marked');
DROP TRIGGER a_touch ON vigil.events;

-- Marks that are taken --------------------------------------------------------------------------------

SELECT pg_temp.put(40) \g /dev/null
SELECT is((SELECT vigil.rollup()), 1::bigint, 'design 6: a roll-up takes the marks');
SELECT pg_temp.put(40), pg_temp.put(40.5) \g /dev/null
SELECT is(pg_temp.marks(), '1:40', 'design 6: what its own transaction writes afterwards is marked again');
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(41)))) \g /dev/null
TRUNCATE vigil.dirty;
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(41)))) \g /dev/null
SELECT is(pg_temp.marks(), '1:41', 'design 6: also after TRUNCATE of the marks');
SELECT pg_temp.put(42) \g /dev/null
UPDATE vigil.dirty SET minute = minute - interval '10 minutes';
SELECT pg_temp.put(42) \g /dev/null
SELECT is(pg_temp.marks(), '1:32 1:42', 'design 6: and after UPDATE of the marks');
SELECT pg_temp.put(43) \g /dev/null
SAVEPOINT a;
DELETE FROM vigil.dirty;
SELECT pg_temp.put(43), pg_temp.put(44) \g /dev/null
ROLLBACK TO a;
SELECT pg_temp.put(43), pg_temp.put(44) \g /dev/null
SELECT alike(pg_temp.marks(), '1:43% 1:44', 'design 6: also when that is rolled back');
SET LOCAL session_replication_role = replica;
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(45)))) \g /dev/null
DELETE FROM vigil.dirty;
SELECT vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(45)))) \g /dev/null
SET LOCAL session_replication_role = origin;
SELECT is(pg_temp.marks(), '1:45', 'design 6: and where no trigger of the facts fires');

-- The condition of the triggers can be called by anybody: it must change nothing for others.
SELECT vigil.unmarked(:m1, pg_temp.at(50)), vigil.track_event(pg_temp.event(jsonb_build_object('createdAt', pg_temp.at(50)))) \g /dev/null
SELECT is(pg_temp.marks(), '1:50', 'design 10: who asks for a mark keeps nobody from making it');
SELECT is(vigil.unmarked(NULL, now()), NULL, 'design 6: null is never marked');

-- A dump ----------------------------------------------------------------------------------------------

SET LOCAL row_security = off;
SELECT pg_temp.put(51) \g /dev/null
SELECT is(pg_temp.marks(), '1:51', 'design 6: row_security = off alone keeps no mark away');
SET LOCAL check_function_bodies = off;
SELECT pg_temp.put(52) \g /dev/null
SELECT is(pg_temp.marks(), '', 'design 6: restored facts are not marked: the dump has their marks');
SET LOCAL row_security = on;
SELECT pg_temp.put(53) \g /dev/null
SELECT is(pg_temp.marks(), '1:53', 'design 6: check_function_bodies = off alone keeps no mark away');
RESET check_function_bodies;

-- Tables that are attached ----------------------------------------------------------------------------

CREATE TABLE vigil.foreign_made (LIKE vigil.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
SELECT vigil.watch_table('vigil.foreign_made') \g /dev/null
SELECT lives_ok($$ALTER TABLE vigil.events ATTACH PARTITION vigil.foreign_made FOR VALUES FROM ('1999-12-01Z') TO ('2000-01-01Z')$$,
  'design 5: a table that is watched already can be attached');
INSERT INTO vigil.foreign_made (module_id, created_at, event_type, event_name) VALUES (:m1, '1999-12-24 18:00:30Z', 'render', 'e');
SELECT is((SELECT minute FROM vigil.dirty), '1999-12-24 18:00Z'::timestamptz, 'design 5: and marks what is written to it');
SELECT pg_temp.marks() \g /dev/null
UPDATE vigil.foreign_made SET event_name = 'x';
SELECT is((SELECT minute FROM vigil.dirty), '1999-12-24 18:00Z'::timestamptz, 'design 5: and what is changed');
SELECT pg_temp.marks() \g /dev/null
ALTER TABLE vigil.events DETACH PARTITION vigil.foreign_made;
DELETE FROM vigil.foreign_made;
SELECT is(pg_temp.marks(), '', 'design 5: once it is detached it marks nothing');
SELECT is_empty($$SELECT t.tgname, c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, unnest('{dirty_insert,dirty_update,dirty_delete,dirty_truncate}'::text[]) AS w (name)
  LEFT JOIN pg_trigger t ON false WHERE i.inhparent IN ('vigil.events'::regclass, 'vigil.errors'::regclass)
  AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = w.name)$$, 'design 5: every partition has the four triggers');

-- Rights and misuse -----------------------------------------------------------------------------------

CREATE ROLE vigil_test_direct;
GRANT USAGE ON SCHEMA vigil TO vigil_test_direct;
GRANT INSERT, SELECT, UPDATE, DELETE ON vigil.events TO vigil_test_direct;
GRANT EXECUTE ON FUNCTION vigil.uuid_v7() TO vigil_test_direct; -- the default of a column
SET LOCAL ROLE vigil_test_direct;
SELECT lives_ok(format('INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES (%L, %L, ''render'', ''direct'')', :m1,
  (SELECT date_trunc('hour', now() - interval '2 hours', 'UTC') + interval '60 minutes')), 'design 10: a role that may write a fact table needs no right on marks');
SELECT lives_ok($$DELETE FROM vigil.events WHERE event_name = 'direct'$$, 'design 10: neither to delete');
SELECT throws_ok('SELECT * FROM vigil.dirty', '42501', NULL, 'design 10: and has none');
RESET ROLE;
SELECT is(pg_temp.marks(), '1:60', 'design 10: but makes them');
CREATE TEMP TABLE other (module_id uuid, created_at timestamptz);
CREATE TRIGGER wrong AFTER INSERT ON other FOR EACH STATEMENT EXECUTE FUNCTION vigil.mark_dirty();
SELECT throws_ok('INSERT INTO other VALUES (NULL, NULL)', '22023', NULL, 'design 6: a trigger of another kind is refused');

SELECT * FROM finish();
ROLLBACK;
