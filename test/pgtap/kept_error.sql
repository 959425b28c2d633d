-- The newest copies of each error outlive their partition.
BEGIN;
\ir include/setup.sql
SELECT plan(24);

SELECT throws_ok('UPDATE vigil.partition_policy SET ' || change, '23514', NULL, 'issue 5: refused: ' || change)
FROM unnest(ARRAY[$$keep_copies = 0 WHERE parent = 'errors'$$, $$keep_copies = 3 WHERE parent = 'events'$$, $$keep_copies_for = '90' WHERE parent = 'errors'$$]) AS change;

-- Five days of 2025: one error a hundred times a day, one twice on the first, one of another module under the same fingerprint.
UPDATE vigil.partition_policy SET width = 'day', past = '0', ahead = '4 days', grace = '0', retention = '10 days';
SELECT count(*) FROM vigil.maintain_partitions(at => '2025-01-01') \g /dev/null
INSERT INTO vigil.errors (module_id, created_at, error_type, error_name, error_message, fingerprint)
SELECT :m1::uuid, '2025-01-01'::timestamptz + n * interval '14 minutes', 'api', 'Often', n::text, 'often' FROM generate_series(0, 500) n
UNION ALL SELECT :m1, '2025-01-01 10:00'::timestamptz + n * interval '1 minute', 'api', 'Rare', n::text, 'rare' FROM generate_series(1, 2) n
UNION ALL SELECT :m2, '2025-01-01 11:00', 'api', 'Other', 'o', 'rare';
SELECT vigil.group_errors() \g /dev/null
CREATE FUNCTION pg_temp.settle(at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE total bigint := 0; done bigint;
BEGIN
  FOR n IN 1 .. 20 LOOP PERFORM vigil.rollup(); END LOOP;
  LOOP
    done := vigil.retire_partitions(at);
    EXIT WHEN done = 0;
    total := total + done;
  END LOOP;
  RETURN total;
END $$;
CREATE TEMP VIEW kept AS SELECT error_name AS name, count(*) AS copies, min(created_at) AS first, max(created_at) AS last FROM vigil.kept_errors GROUP BY 1;
SELECT sum(vigil.rollup()) FROM generate_series(1, 10) \g /dev/null
SELECT vigil.expire() \g /dev/null
CREATE TEMP TABLE before AS SELECT to_jsonb(g) - 'updated_at' AS shown FROM vigil.module_error_groups g;

-- Not unless it is asked for.
SELECT results_eq('SELECT DISTINCT parent, keeps FROM vigil.preview_retention() ORDER BY 1', $$VALUES ('errors', NULL::integer), ('events', NULL)$$, 'issue 5: nothing is kept unless a policy says so');
SAVEPOINT off;
SELECT is(pg_temp.settle('2025-01-12') > 0, true, 'issue 5: the first day goes');
SELECT is_empty('SELECT FROM vigil.kept_errors', 'issue 5: and all of its errors');
ROLLBACK TO off;
UPDATE vigil.partition_policy SET keep_copies = 3 WHERE parent = 'errors';
SELECT results_eq('SELECT DISTINCT parent, keeps FROM vigil.preview_retention() ORDER BY 1', $$VALUES ('errors', 3), ('events', NULL)$$, 'issue 5: a preview tells how many of each are kept');

SELECT is(pg_temp.settle('2025-01-12') > 0, true, 'issue 5: the first day goes');
SELECT results_eq('SELECT name, copies, first, last FROM kept ORDER BY name', $$VALUES
  ('Often', 3::bigint, '2025-01-01 23:20'::timestamptz, '2025-01-01 23:48'::timestamptz), ('Other', 1, '2025-01-01 11:00', '2025-01-01 11:00'), ('Rare', 2, '2025-01-01 10:01', '2025-01-01 10:02')$$,
  'issue 5: of each error the newest stay');
SELECT is((SELECT count(*) FROM vigil.module_errors WHERE error_name = 'Rare'), 2::bigint, 'issue 5: and are shown');
SELECT is((SELECT count(*) FROM vigil.all_errors), (SELECT count(*) + 6 FROM vigil.errors), 'issue 5: among the others');
SELECT is(pg_temp.settle('2025-01-15') > 0, true, 'issue 5: three days more go');
SELECT results_eq('SELECT name, copies, first FROM kept ORDER BY name', $$VALUES ('Often', 3::bigint, '2025-01-04 23:26'::timestamptz), ('Other', 1, '2025-01-01 11:00'), ('Rare', 2, '2025-01-01 10:01')$$,
  'issue 5: newer ones take the place of older ones, and a rare one stays');
SELECT is_empty($$SELECT to_jsonb(g) - 'updated_at' FROM vigil.module_error_groups g EXCEPT TABLE before$$, 'S0-118: what was counted is as before');
SELECT is_empty('SELECT FROM vigil.dirty', 'S0-118: no minute is marked');

-- A table with other columns, in another order and without index.
CREATE TABLE vigil.foreign_made AS SELECT * FROM vigil.errors LIMIT 0;
ALTER TABLE vigil.foreign_made DROP COLUMN module_id, ADD COLUMN module_id uuid;
INSERT INTO vigil.foreign_made SELECT (jsonb_populate_record(NULL::vigil.foreign_made, to_jsonb(e) || '{"fingerprint": "made"}')).* FROM vigil.all_errors e WHERE e.error_name = 'Rare';
SELECT is(vigil.keep_copies('vigil.foreign_made', 1), 1::bigint, 'issue 5: any table that was a partition');
SELECT results_eq($$SELECT to_jsonb(k) - 'fingerprint' FROM vigil.kept_errors k WHERE fingerprint = 'made'$$, $$SELECT to_jsonb(k) - 'fingerprint' FROM vigil.kept_errors k WHERE fingerprint = 'rare' AND module_id = '11111111-1111-4111-8111-111111111111'$$,
  'issue 5: column by column');
SELECT is((SELECT max(copies) FROM kept), 2::bigint, 'issue 5: fewer of each when fewer are asked for');

-- From an archive all of them come back.
CREATE SCHEMA archive;
UPDATE vigil.partition_policy SET archive_schema = 'archive';
SELECT is(pg_temp.settle('2025-01-16') > 0, true, 'issue 5: the fifth day goes to the archive');
SELECT is((SELECT max(last) FROM kept), '2025-01-05 20:40'::timestamptz, 'issue 5: its errors are kept');
UPDATE vigil.partition_policy SET retention = NULL;
SELECT is(vigil.restore_partition('errors_y2025m01d05') > 0, true, 'issue 5: restored');
SELECT is((SELECT count(*) - count(DISTINCT id) FROM vigil.all_errors WHERE fingerprint <> 'made'), 0::bigint, 'issue 5: none is there twice');

-- Not for ever.
SELECT is(vigil.expire_kept_errors(), (SELECT count(*) FROM vigil.kept_errors WHERE created_at < now() - interval '1 year'), 'issue 5: they go after keep_copies_for');
UPDATE vigil.partition_policy SET keep_copies_for = NULL;
SELECT is(vigil.expire_kept_errors(), 0::bigint, 'issue 5: or never');

SELECT * FROM finish();
ROLLBACK;
