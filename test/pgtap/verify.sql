-- The verifier finds cells that are not what their facts make, has them mended, and leaves alone what it cannot judge.
BEGIN;
\ir include/setup.sql
\ir include/recompute.sql
SET client_min_messages = error;
SELECT plan(32);
UPDATE vigil.partition_policy SET past = '100 days';
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms, session_id)
SELECT m, date_trunc('hour', now()) - h * interval '1 hour' + n * interval '7 minutes', 'render', 'r', n, 's' || n
FROM (VALUES (:m1::uuid), (:m2)) AS t (m), generate_series(1, 30) AS h, generate_series(0, 7) AS n;
INSERT INTO vigil.errors (module_id, created_at, error_type, error_name, error_message, fingerprint)
SELECT :m1, date_trunc('hour', now()) - interval '2 hours' + n * interval '11 minutes', 'javascript', 'TypeError', 'x', 'f' || n FROM generate_series(0, 4) AS n;
SELECT date_trunc('hour', now()) - interval '2 hours' AS hour, date_trunc('hour', now()) - interval '20 hours' AS old_hour,
       date_trunc('day', date_trunc('hour', now()) - interval '2 hours', 'UTC') AS day \gset

SELECT is(vigil.verify_hour(:m1, :'hour'), 0::bigint, 'design 6: what is marked is not judged');
SELECT vigil.rollup() \g /dev/null
SELECT is((SELECT count(*) FROM vigil.cells_hour c WHERE vigil.verify_hour(c.module_id, c.bucket) > 0), 0::bigint, 'design 6: cells are what their facts make');
SELECT cmp_ok(vigil.verify_rollups('1 minute'), '>=', 60::bigint, 'design 6: all hours have their turn');
SELECT is((SELECT (rounds, hour IS NULL, hours >= 60, differences)::text FROM vigil.verify_state), '(1,t,t,0)', 'design 6: and then begin again');
SELECT is((SELECT (verified_hours >= 60, differences)::text FROM vigil.rollup_progress), '(t,0)', 'design 6: which is shown');
SELECT vigil.verify_rollups('1 microsecond') \g /dev/null
SELECT is((SELECT (rounds, hour IS NOT NULL)::text FROM vigil.verify_state), '(1,t)', 'design 6: a run ends with its time');
SELECT throws_ok(format('SELECT vigil.verify_rollups(%L)', t), '22023', NULL, 'design 6: no run of ' || t) FROM unnest('{0,-1 s}'::text[]) AS t;

-- Three tests: what is wrong is found, mended by the next rollup, and then no longer found.
CREATE FUNCTION pg_temp.check_mended(what text, at timestamptz, resolutions text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  m constant uuid := '11111111-1111-4111-8111-111111111111';
BEGIN
  RETURN NEXT is((SELECT string_agg(DISTINCT d.resolution::text, ' ' ORDER BY d.resolution::text) FROM vigil.cell_differences(m, at) d), resolutions, 'design 6: ' || what || ' is found');
  RETURN NEXT cmp_ok(vigil.verify_hour(m, at), '>', 0::bigint, 'design 6: and reported');
  PERFORM vigil.rollup();
  RETURN NEXT is(vigil.verify_hour(m, at), 0::bigint, 'design 6: ' || what || ' is mended');
END $$;
UPDATE vigil.cells_minute SET cell = (SELECT vigil.merge_agg(cell) FROM vigil.cells_minute) WHERE module_id = :m1 AND bucket = :'hour' AND event_type = 'render';
SELECT pg_temp.check_mended('a minute that was changed', :'hour', 'hour minute');
SELECT is((SELECT (count(*), bool_and(stored IS NOT NULL AND expected IS NOT NULL), min(vigil.cell_count(expected)))::text FROM vigil.rollup_differences WHERE resolution = 'minute'),
  '(1,t,1)', 'design 6: with both cells');
UPDATE vigil.cells_hour SET subject = 'other' WHERE module_id = :m1 AND bucket = :'hour' AND event_type = 'error' AND subject = 'f1';
SELECT pg_temp.check_mended('an hour that was changed', :'hour', 'day hour');
DELETE FROM vigil.cells_day WHERE module_id = :m1 AND bucket = :'day';
SELECT pg_temp.check_mended('a day that was lost', :'hour', 'day');
SET LOCAL session_replication_role = replica;
INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES (:m1, :'old_hour', 'page_view', 'past the triggers');
SET LOCAL session_replication_role = origin;
SELECT pg_temp.check_mended('a fact past the triggers', :'old_hour', 'minute');
SET LOCAL session_replication_role = replica;
DELETE FROM vigil.events WHERE module_id = :m1 AND created_at >= :'old_hour' AND created_at < :'old_hour'::timestamptz + interval '1 hour';
SET LOCAL session_replication_role = origin;
UPDATE vigil.rollup_state SET minute_floor = date_trunc('hour', now()) - interval '10 hours';
DELETE FROM vigil.cells_minute WHERE bucket < date_trunc('hour', now()) - interval '10 hours';
SELECT pg_temp.check_mended('a loss where minute cells are gone', :'old_hour', 'hour');
SELECT is_empty('SELECT pg_temp.differences()', 'S0-92: views equal the raw rows again');

SELECT is_empty(format('SELECT FROM vigil.cell_differences(%L, %L, 1)', :m1, :'old_hour'), 'design 6: an hour with too many facts is not read as a whole');
UPDATE vigil.cells_hour SET cell = (SELECT vigil.merge_agg(cell) FROM vigil.cells_hour) WHERE module_id = :m1;
INSERT INTO vigil.retired_partitions (parent, partition, starts_at, ends_at, estimated_rows, bytes, closed_at, finish_after)
VALUES ('events', 'gone', :'hour', :'hour'::timestamptz + interval '1 hour', 0, 0, now(), now());
SELECT is(vigil.verify_hour(:m1, :'hour'), 0::bigint, 'design 6: what was retired is never judged');
DELETE FROM vigil.retired_partitions;
SELECT isnt_empty(format('SELECT FROM vigil.cell_differences(%L, %L)', :m1, :'hour'), 'design 6: otherwise it is');
SELECT partition AS held FROM vigil.partitions WHERE parent = 'errors' AND starts_at <= :'hour' AND ends_at > :'hour' \gset
ALTER TABLE vigil.errors DETACH PARTITION vigil.:held;
DELETE FROM vigil.dirty;
SELECT is(vigil.verify_hour(:m1, :'hour'), 0::bigint, 'design 6: nor what some facts are missing of');
SELECT is_empty('SELECT FROM vigil.dirty', 'design 6: and not marked');
SELECT is((SELECT count(*) FROM vigil.job_settings WHERE name = 'verify_rollups' AND run_every = '5 minutes'), 1::bigint, 'S0-118: a job does it');

UPDATE vigil.rollup_differences SET found_at = now() - interval '91 days';
SELECT vigil.expire() \g /dev/null
SELECT is_empty('SELECT FROM vigil.rollup_differences', 'design 6: findings are kept for 90 days');

SELECT * FROM finish();
ROLLBACK;
