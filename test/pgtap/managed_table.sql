-- Tables of users: their partitions come and go as those of ours do, as their owner and with all that they have.
BEGIN;
\ir include/setup.sql
SELECT plan(82);

CREATE ROLE vigil_test_owner;
CREATE ROLE vigil_test_other;
CREATE ROLE vigil_test_reader;
CREATE SCHEMA shop AUTHORIZATION vigil_test_owner;
CREATE SCHEMA "The Past" AUTHORIZATION vigil_test_owner;
SELECT vigil.grant_manage(r) FROM unnest('{vigil_test_owner,vigil_test_other}'::regrole[]) AS r \g /dev/null
GRANT USAGE ON SCHEMA shop TO PUBLIC;
SELECT current_user AS me \gset

-- A job step after the other, until nothing is left.
CREATE FUNCTION pg_temp.keep(at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE done bigint; total bigint := 0;
BEGIN
  LOOP
    done := vigil.keep_managed_tables(at);
    IF done = 0 THEN done := vigil.retire_partitions(at); END IF;
    EXIT WHEN done = 0;
    total := total + done;
  END LOOP;
  RETURN total;
END $$;

SET ROLE vigil_test_owner;
CREATE TABLE shop.customers (id integer PRIMARY KEY);
INSERT INTO shop.customers VALUES (1);
CREATE FUNCTION shop.count_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := NEW.note || '!'; RETURN NEW; END $$;
-- A name that would be SQL if somebody forgot to quote it.
CREATE TABLE shop."Ord'ers; ""x" (
  id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, customer integer REFERENCES shop.customers, amount numeric CHECK (amount > 0),
  double numeric GENERATED ALWAYS AS (amount * 2) STORED, note text DEFAULT 'n', PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX ON shop."Ord'ers; ""x" (customer);
CREATE TRIGGER counted BEFORE INSERT ON shop."Ord'ers; ""x" FOR EACH ROW EXECUTE FUNCTION shop.count_rows();
GRANT SELECT, INSERT ON shop."Ord'ers; ""x" TO vigil_test_reader;
SELECT lives_ok($$SELECT vigil.manage_table('shop."Ord''ers; ""x"', 'month', ahead => '2 months')$$, 'issue 5: who owns a table gives it to the keeper');

-- What is refused.
CREATE TABLE shop.plain (at timestamptz);
CREATE TABLE shop.listed (at timestamptz) PARTITION BY LIST (at);
CREATE TABLE shop.two (at timestamptz, id integer) PARTITION BY RANGE (at, id);
CREATE TABLE shop.number (id integer) PARTITION BY RANGE (id);
CREATE TABLE shop.computed (at timestamptz) PARTITION BY RANGE (((at AT TIME ZONE 'UTC')::date));
CREATE TABLE shop.caught (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE shop.caught_rest PARTITION OF shop.caught DEFAULT;
SELECT throws_ok(format('SELECT vigil.manage_table(%L)', 'shop.' || name), '42809', NULL, 'issue 5: refused: ' || name)
FROM unnest('{plain,listed,two,number,computed,caught}'::text[]) AS name;
SELECT throws_ok($$SELECT vigil.manage_table('shop."Ord''ers; ""x"', retention => '10')$$, '23514', NULL, 'issue 5: refused: ten seconds of retention');
SELECT throws_ok($$SELECT vigil.manage_table('shop."Ord''ers; ""x"', 'year')$$, '23514', NULL, 'issue 5: refused: an unknown width');
SELECT throws_ok($$SELECT vigil.manage_table('shop."Ord''ers; ""x"', before_drop => 'shop.none')$$, '42883', NULL, 'issue 5: refused: a function that does not exist');
SELECT throws_ok($$SELECT vigil.manage_table('shop."Ord''ers; ""x"', archive_schema => 'none')$$, '3F000', NULL, 'issue 5: refused: a schema that does not exist');
SELECT throws_ok('SELECT * FROM vigil.managed_tables', '42501', NULL, 'design 10: the table of policies is for nobody');
SELECT throws_ok($$SELECT vigil.write_managed_table('shop.customers', '{}')$$, '42501', NULL, 'design 10: nor is what writes it');
SELECT throws_ok($$SELECT vigil.run_as_owner('vigil.secrets', 'SELECT 1')$$, '42501', NULL, 'design 10: nor what becomes another');
SET ROLE vigil_test_other;
SELECT throws_ok($$SELECT vigil.manage_table('shop."Ord''ers; ""x"')$$, '42501', NULL, 'design 10: nobody else gives it away');
SELECT throws_ok($$SELECT vigil.unmanage_table('shop."Ord''ers; ""x"')$$, '42501', NULL, 'design 10: or takes it back');
RESET ROLE;
-- Nor somebody whose code runs in a session of the owner of all.
SET ROLE vigil_test_other;
CREATE FUNCTION pg_temp.steal() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN PERFORM vigil.manage_table('shop."Ord''ers; ""x"', retention => '1 day'); RETURN 'stolen'; EXCEPTION WHEN insufficient_privilege THEN RETURN 'refused'; END $$;
RESET ROLE;
SELECT is(pg_temp.steal(), 'refused', 'design 10: not even called by the owner of all');
SELECT throws_ok($$SELECT vigil.manage_table('vigil.events')$$, '42809', NULL, 'issue 5: our own tables have another policy');

-- Made.
SELECT is(pg_temp.keep('2025-01-31 12:00'), 3::bigint, 'issue 5: three months');
SELECT results_eq('SELECT partition, starts_at, ends_at, state FROM vigil.managed_partitions ORDER BY starts_at', $$VALUES
  ('shop."Ord''ers; ""x_y2025m01"', '2025-01-01'::timestamptz, '2025-02-01'::timestamptz, 'open'), ('shop."Ord''ers; ""x_y2025m02"', '2025-02-01', '2025-03-01', 'open'),
  ('shop."Ord''ers; ""x_y2025m03"', '2025-03-01', '2025-04-01', 'open')$$, 'issue 5: named by the same rule, beside their parent');
SELECT is(pg_temp.keep('2025-01-31 12:00'), 0::bigint, 'issue 5: once');
CREATE TEMP VIEW made AS SELECT 'shop."Ord''ers; ""x_y2025m02"'::regclass AS oid;
SELECT is((SELECT relowner::regrole::text FROM pg_class JOIN made USING (oid)), 'vigil_test_owner', 'issue 5: they belong to the owner of the table');
SELECT is((SELECT count(*) FROM pg_index i JOIN made ON i.indrelid = made.oid), 2::bigint, 'issue 5: they have its key and index');
SELECT is((SELECT string_agg(contype::text, '' ORDER BY contype) FROM pg_constraint c JOIN made ON c.conrelid = made.oid WHERE contype <> 'n'), 'cfp', 'issue 5: its constraints');
SELECT is((SELECT count(*) FROM pg_trigger t JOIN made ON t.tgrelid = made.oid WHERE tgname = 'counted'), 1::bigint, 'issue 5: its triggers');
SELECT is((SELECT has_table_privilege('vigil_test_reader', oid, 'SELECT') AND has_table_privilege('vigil_test_reader', oid, 'INSERT')
  AND NOT has_table_privilege('vigil_test_reader', oid, 'DELETE') FROM made), true, 'issue 5: and its privileges');
INSERT INTO shop."Ord'ers; ""x" (at, customer, amount) VALUES ('2025-02-10', 1, 3);
SELECT is((SELECT double || note FROM shop."Ord'ers; ""x"), '6n!', 'issue 5: rows go there');
SELECT throws_ok($$INSERT INTO shop."Ord'ers; ""x" (at, customer, amount) VALUES ('2025-02-10', 2, 3)$$, '23503', NULL, 'issue 5: and keep its rules');
SET ROLE vigil_test_owner;
ALTER TABLE shop."Ord'ers; ""x_y2025m03" SET (fillfactor = 70);
RESET ROLE;
SELECT is(pg_temp.keep('2025-02-15'), 1::bigint, 'issue 5: a month later one more');
SELECT is((SELECT reloptions FROM pg_class WHERE oid = 'shop."Ord''ers; ""x_y2025m04"'::regclass), '{fillfactor=70}', 'issue 5: with the storage parameters of the one before');

-- Other keys, in UTC whatever the session says.
SET ROLE vigil_test_owner;
CREATE TABLE shop.dates (day date) PARTITION BY RANGE (day);
CREATE TABLE shop.times (at timestamp) PARTITION BY RANGE (at);
SELECT vigil.manage_table('shop.dates', 'day', '2 days'), vigil.manage_table('shop.times', 'week', '8 days') \g /dev/null
RESET ROLE;
SET LOCAL TimeZone = 'Pacific/Auckland';
SELECT is(pg_temp.keep('2025-02-15 12:00Z'), 5::bigint, 'issue 5: days of a date, weeks of a timestamp');
SELECT results_eq($$SELECT pg_get_expr(c.relpartbound, c.oid) COLLATE "default" FROM pg_class c WHERE c.oid IN ('shop.dates_y2025m02d16'::regclass, 'shop.times_y2025m02d17'::regclass) ORDER BY 1$$,
  $$VALUES ('FOR VALUES FROM (''2025-02-16'') TO (''2025-02-17'')'), ('FOR VALUES FROM (''2025-02-17 00:00:00'') TO (''2025-02-24 00:00:00'')')$$, 'D-116: by UTC');
SELECT is((SELECT array_agg(starts_at ORDER BY starts_at) = '{2025-02-10 00:00Z,2025-02-17 00:00Z}' FROM vigil.managed_partitions WHERE parent = 'shop."times"' OR parent = 'shop.times'), true, 'D-116: and read so');
SET LOCAL TimeZone = 'UTC';
SET ROLE vigil_test_other;
SELECT is_empty('SELECT FROM vigil.managed_partitions', 'design 10: nobody sees partitions of others');
RESET ROLE;

-- Gone: asked first, then moved or dropped.
SET ROLE vigil_test_owner;
CREATE TABLE shop.asked (name text);
CREATE TABLE shop.answer (may boolean);
INSERT INTO shop.answer VALUES (false);
CREATE FUNCTION shop.may_go(old regclass) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN INSERT INTO shop.asked VALUES (old::text || ' by ' || current_user); RETURN may FROM shop.answer; END $$;
SELECT vigil.manage_table('shop."Ord''ers; ""x"', 'month', '1 month', retention => '20 days', grace => '1 day', before_drop => 'shop.may_go', archive_schema => 'The Past') \g /dev/null
RESET ROLE;
SELECT results_eq($$SELECT partition, because FROM vigil.preview_managed_retention('2025-03-25') WHERE goes$$,
  $$VALUES ('shop."Ord''ers; ""x_y2025m01"', 'its end is older than 20 days'), ('shop."Ord''ers; ""x_y2025m02"', 'its end is older than 20 days')$$, 'S2-70: what will go, and why');
SELECT vigil.unmanage_table('shop.dates'), vigil.unmanage_table('shop.times') \g /dev/null
SELECT is(pg_temp.keep('2025-03-25'), 4::bigint, 'S2-70: two are due, then detached');
SELECT is((SELECT count(*) FROM vigil.managed_partitions WHERE parent LIKE '%Ord%'), 2::bigint, 'S2-70: they are partitions no more');
SELECT is((SELECT count(*) FROM vigil.detached_tables WHERE detached_at IS NOT NULL), 2::bigint, 'issue 5: but tables');
SELECT is(pg_temp.keep('2025-03-25 23:00'), 0::bigint, 'issue 5: which stay for a day');
SELECT is(pg_temp.keep('2025-03-26'), 0::bigint, 'issue 5: and while the function says no');
SELECT is((SELECT count(*) FROM vigil.detached_tables WHERE problem ~ 'may_go.*did not return true'), 2::bigint, 'issue 5: which is told');
SELECT is((SELECT count(*) FROM shop.asked WHERE name !~ 'by vigil_test_owner'), 0::bigint, 'design 10: it runs as the owner of the table');
UPDATE shop.answer SET may = true;
SELECT is(pg_temp.keep('2025-03-26'), 2::bigint, 'issue 5: then they go');
SELECT is((SELECT count(*) FROM pg_class WHERE relnamespace = '"The Past"'::regnamespace AND relkind = 'r'), 2::bigint, 'issue 5: to the archive');

-- A function that tries to become somebody else.
CREATE FUNCTION pg_temp.attack(how text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION shop.attack() RETURNS boolean LANGUAGE plpgsql AS %L', 'BEGIN ' || how || '; RETURN true; END');
  ALTER FUNCTION shop.attack() OWNER TO vigil_test_owner;
  RETURN vigil.run_as_owner('shop.customers', 'SELECT shop.attack()');
EXCEPTION WHEN insufficient_privilege THEN RETURN 'refused';
END $$;
SELECT is(pg_temp.attack(how), 'refused', 'design 10: refused: ' || how)
FROM unnest(ARRAY['RESET ROLE', 'SET SESSION AUTHORIZATION DEFAULT', 'SET ROLE ' || :'me', 'PERFORM FROM vigil.secrets', 'CREATE TEMP TABLE t ()']) AS how;
SELECT is(current_user::text, :'me', 'design 10: afterwards one is who one was');

-- At a glance.
SELECT pg_temp.keep(now()) \g /dev/null
SELECT results_eq($$SELECT parent, partitions > 0, leaving, ready_until > now() + '1 month', next_missing, problem FROM vigil.partition_status ORDER BY parent COLLATE "C"$$,
  $$VALUES ('errors', false, 0::bigint, NULL::boolean, date_trunc('month', now()), NULL::text), ('events', false, 0, NULL, date_trunc('month', now()), NULL),
           ('shop."Ord''ers; ""x"', true, 0, true, NULL, NULL)$$, 'issue 5: one row tells how a table stands');
SET ROLE vigil_test_other;
SELECT is_empty('SELECT FROM vigil.partition_status', 'design 10: to its owner');
RESET ROLE;

-- By size.
SET ROLE vigil_test_owner;
CREATE TABLE shop.big (at timestamptz, filler text) PARTITION BY RANGE (at);
ALTER TABLE shop.big ALTER filler SET STORAGE external;
SELECT vigil.manage_table('shop.big', 'day', '1 day', past => '4 days', max_bytes => 250000, keep_at_least => '1 day') \g /dev/null
RESET ROLE;
SELECT pg_temp.keep('2025-05-10 12:00') \g /dev/null
INSERT INTO shop.big SELECT '2025-05-06'::timestamptz + n * '1 day'::interval, repeat('x', 100000) FROM generate_series(0, 4) n;
SELECT results_eq($$SELECT partition FROM vigil.preview_managed_retention('2025-05-10 12:00') WHERE goes AND parent = 'shop.big'$$,
  $$VALUES ('shop.big_y2025m05d06'), ('shop.big_y2025m05d07'), ('shop.big_y2025m05d08')$$, 'issue 5: the oldest go until the others are within the limit');
UPDATE vigil.managed_tables SET max_bytes = 1 WHERE name = 'shop.big';
SELECT is((SELECT max(ends_at) FROM vigil.preview_managed_retention('2025-05-10 12:00') WHERE goes AND parent = 'shop.big'), '2025-05-09', 'issue 5: but none that is younger than it may be');

-- Known by name and oid: what was put in the place of a table is nobody's business.
SET ROLE vigil_test_owner;
CREATE TABLE shop.kept (at timestamptz, n integer) PARTITION BY RANGE (at);
SELECT vigil.manage_table('shop.kept', 'day', '1 day', past => '5 days', retention => '2 days') \g /dev/null
RESET ROLE;
SELECT pg_temp.keep('2025-05-06 12:00') \g /dev/null
SELECT pg_temp.keep('2025-05-10 12:00') \g /dev/null
SELECT is((SELECT count(*) FROM vigil.detached_tables WHERE parent = 'shop.kept' AND detached_at IS NOT NULL), 4::bigint, 'issue 5: four days were retired');
SET ROLE vigil_test_owner;
ALTER TABLE shop.kept_y2025m05d04 RENAME TO mine;
CREATE TABLE shop.kept_y2025m05d04 AS SELECT 'precious' AS what;
DROP TABLE shop.kept_y2025m05d05;
CREATE TABLE shop.kept_y2025m05d05 AS SELECT 'precious' AS what;
ALTER TABLE shop.kept_y2025m05d06 RENAME TO mine_too;
RESET ROLE;
SET LOCAL client_min_messages = error;
SELECT is(pg_temp.keep('2025-05-11 12:00') > 0, true, 'issue 5: when the day is over');
SET LOCAL client_min_messages = warning;
SELECT results_eq($$SELECT relname::text COLLATE "default" FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relname ~ '^(mine|kept_y2025m05d0[1-7])' AND relkind = 'r' ORDER BY 1$$,
  $$VALUES ('kept_y2025m05d04'), ('kept_y2025m05d05'), ('mine'), ('mine_too')$$, 'issue 5: what was detached goes, unless it was renamed; another of its name stays');
SELECT is_empty($$SELECT FROM vigil.detached_tables WHERE name ~ 'kept_.*d0[4-6]'$$, 'issue 5: and they are forgotten');
-- Replaced before it was detached.
UPDATE vigil.managed_tables SET retention = '1 day' WHERE name = 'shop.kept';
SELECT vigil.keep_managed_tables('2025-05-12 12:00') FROM generate_series(1, 3) \g /dev/null
SELECT is((SELECT count(*) > 0 FROM vigil.managed_partitions WHERE partition = 'shop.kept_y2025m05d09' AND state = 'closed'), true, 'issue 5: a partition is due');
SET ROLE vigil_test_owner;
ALTER TABLE shop.kept DETACH PARTITION shop.kept_y2025m05d09;
ALTER TABLE shop.kept_y2025m05d09 RENAME TO mine_as_well;
CREATE TABLE shop.kept_y2025m05d09 PARTITION OF shop.kept FOR VALUES FROM ('2025-05-09 00:00Z') TO ('2025-05-10 00:00Z');
INSERT INTO shop.kept VALUES ('2025-05-09 01:00Z', 1);
RESET ROLE;
SELECT is((SELECT state FROM vigil.managed_partitions WHERE partition = 'shop.kept_y2025m05d09'), 'open', 'issue 5: the one that replaces it is not');
UPDATE vigil.managed_tables SET retention = '10 days' WHERE name = 'shop.kept';
SET LOCAL client_min_messages = error;
SELECT pg_temp.keep('2025-05-12 12:00') \g /dev/null
SET LOCAL client_min_messages = warning;
SELECT is((SELECT n FROM shop.kept), 1, 'issue 5: and is left alone');
-- A dump has other oids.
UPDATE vigil.managed_tables SET retention = '1 day' WHERE name = 'shop.kept';
SELECT vigil.keep_managed_tables('2025-05-12 12:00') FROM generate_series(1, 3) \g /dev/null
CREATE TEMP TABLE dumped AS SELECT * FROM vigil.detached_tables WHERE name ~ 'kept_y2025m05d09';
SELECT is((SELECT count(*) FROM dumped WHERE table_oid = 'shop.kept_y2025m05d09'::regclass), 1::bigint, 'issue 5: the row has the oid');
INSERT INTO dumped SELECT 'shop.mine', parent, starts_at, ends_at, bytes, due_at, due_at, finish_after, NULL, 'shop.mine'::regclass FROM dumped;
DELETE FROM vigil.detached_tables;
SET LOCAL row_security = off;
INSERT INTO vigil.detached_tables SELECT * FROM dumped;
SET LOCAL row_security = on;
UPDATE vigil.managed_tables SET retention = NULL WHERE name = 'shop.kept';
SELECT is(pg_temp.keep('2025-06-12 12:00') > 0, true, 'issue 5: after a restore');
SELECT is(to_regclass('shop.mine') IS NOT NULL, true, 'issue 5: a detached table stays, for it may be any of this name');
SELECT results_eq($$SELECT name, problem ~ 'dump' FROM vigil.detached_tables WHERE parent = 'shop.kept'$$, $$VALUES ('shop.mine', true)$$, 'issue 5: that is told, and what is still a partition is judged anew');
DROP TABLE shop.mine;
SELECT vigil.keep_managed_tables('2025-06-12 12:00') \g /dev/null
SELECT is_empty($$SELECT FROM vigil.detached_tables WHERE parent = 'shop.kept'$$, 'issue 5: until its owner has dropped it');
SELECT vigil.unmanage_table('shop.kept') \g /dev/null

-- Renamed, it is followed.
SET ROLE vigil_test_owner;
CREATE TABLE shop.first (at timestamptz) PARTITION BY RANGE (at);
SELECT vigil.manage_table('shop.first', 'day', '1 day', past => '5 days', retention => '3 days') \g /dev/null
RESET ROLE;
SELECT pg_temp.keep('2025-05-06 12:00') \g /dev/null
SELECT vigil.keep_managed_tables('2025-05-08 12:00') FROM generate_series(1, 4) \g /dev/null
SELECT vigil.retire_partitions('2025-05-08 12:00') \g /dev/null
SELECT set_config('test.detached', (SELECT min(name) FROM vigil.detached_tables WHERE parent = 'shop.first' AND detached_at IS NOT NULL), true) \g /dev/null
SET ROLE vigil_test_owner;
ALTER TABLE shop.first RENAME TO "Second";
SELECT is((SELECT count(*) > 0 FROM vigil.managed_partitions WHERE parent = 'shop.first'), true, 'issue 5: the partitions of a renamed table are shown');
RESET ROLE;
SELECT is(pg_temp.keep('2025-05-09 13:00') > 0, true, 'issue 5: and made');
SELECT results_eq($$SELECT name, problem FROM vigil.managed_tables WHERE name ~ '(first|Second)'$$, $$VALUES ('shop."Second"', NULL::text)$$, 'issue 5: it has its new name');
SELECT is(to_regclass('shop."Second_y2025m05d10"') IS NOT NULL, true, 'issue 5: and new partitions, too');
SELECT is(current_setting('test.detached') <> '' AND to_regclass(current_setting('test.detached')) IS NULL, true, 'issue 5: what was detached before goes');
ALTER SCHEMA shop RENAME TO store;
SELECT pg_temp.keep('2025-05-09 14:00') \g /dev/null
SELECT is((SELECT count(*) FROM vigil.managed_tables WHERE name = 'store."Second"' AND problem IS NULL), 1::bigint, 'issue 5: and so it is with its schema');
ALTER SCHEMA store RENAME TO shop;
SELECT pg_temp.keep('2025-05-09 14:00') \g /dev/null
-- Unless another table has its name: nobody knows which is meant.
SET ROLE vigil_test_owner;
ALTER TABLE shop."Second" RENAME TO old_one;
CREATE TABLE shop."Second" (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE shop.precious PARTITION OF shop."Second" FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
RESET ROLE;
SELECT pg_temp.keep('2025-05-19') \g /dev/null
SELECT is((SELECT problem FROM vigil.managed_tables WHERE name = 'shop."Second"'), 'another table has its name now, and it is called shop.old_one; call vigil.manage_table() for the one that is meant', 'issue 5: that is told');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent IN ('shop."Second"'::regclass, 'shop.old_one'::regclass) AND inhrelid::regclass::text ~ 'precious|d1[1-9]'), 1::bigint, 'issue 5: and neither is touched');
SET ROLE vigil_test_owner;
DROP TABLE shop.old_one;
RESET ROLE;
SELECT pg_temp.keep('2025-05-19') \g /dev/null
SELECT matches((SELECT problem FROM vigil.managed_tables WHERE name = 'shop."Second"'), '^it was dropped, and another table has its name; call vigil.manage_table', 'issue 5: nor is one that was made in place of a dropped one');
SET ROLE vigil_test_owner;
SELECT vigil.manage_table('shop."Second"', 'day', '1 day') \g /dev/null
RESET ROLE;
SELECT is(pg_temp.keep('2025-05-19') > 0, true, 'issue 5: until its owner says so');
SELECT is((SELECT problem FROM vigil.managed_tables WHERE name = 'shop."Second"'), NULL, 'issue 5: then all is well');
-- A dump has other oids.
CREATE TEMP TABLE dumped_policy AS SELECT * FROM vigil.managed_tables WHERE name = 'shop."Second"';
UPDATE dumped_policy SET table_oid = 'shop.customers'::regclass;
SET LOCAL row_security = off;
INSERT INTO vigil.managed_tables SELECT * FROM dumped_policy;
SET LOCAL row_security = on;
SELECT is(pg_temp.keep('2025-05-20') > 0, true, 'issue 5: after a restore');
SELECT results_eq($$SELECT problem, table_oid FROM vigil.managed_tables WHERE name = 'shop."Second"'$$, $$VALUES (NULL::text, 'shop."Second"'::regclass::oid)$$, 'issue 5: the policy is for the table of its name');
SELECT vigil.unmanage_table('shop."Second"') \g /dev/null

-- What becomes of tables.
ALTER TABLE shop.big OWNER TO vigil_test_other;
SELECT pg_temp.keep('2025-06-01') \g /dev/null
SELECT matches((SELECT problem FROM vigil.managed_tables WHERE name = 'shop.big'), '^it belongs to vigil_test_other now', 'design 10: a table with another owner is left alone');
DROP TABLE shop.big, shop."Ord'ers; ""x";
SELECT is(pg_temp.keep('2025-06-01'), 0::bigint, 'issue 5: dropped tables stop nothing');
SELECT is_empty('SELECT FROM vigil.managed_tables', 'issue 5: and are managed no more');

SELECT * FROM finish();
ROLLBACK;
