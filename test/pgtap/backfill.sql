-- Old hours are made anew, in turns. These commit, so this file is no transaction: it makes the extension and drops it at its end.
-- Where pg_vigil is preloaded its workers would roll up, too.
\set QUIET on
SET client_min_messages = error;
DROP EXTENSION IF EXISTS pg_vigil CASCADE;
\ir include/setup.sql
SET client_min_messages = error;
SELECT current_setting('shared_preload_libraries') ~ '\mpg_vigil\M' AS preloaded \gset
\if :preloaded
  SELECT plan(1);
  SELECT skip('needs a server without workers', 1);
  DROP EXTENSION pg_vigil CASCADE;
  \quit
\endif
SELECT plan(10);
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
SELECT vigil.set_time_zone(:m1, 'Asia/Kolkata') \g /dev/null
INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms)
SELECT m, now() - n * interval '29 minutes', 'render', 'x', n FROM (VALUES (:m1::uuid), (:m2)) AS t (m), generate_series(0, 300) AS n;
SELECT vigil.rollup(), vigil.expire() \g /dev/null
CREATE TABLE public.cells_before AS SELECT c.module_id, c.resolution, c.bucket, c.event_type, c.subject, c.cell::text FROM vigil.cells c;
SELECT date_trunc('hour', now(), 'UTC') - interval '6 days' AS start, date_trunc('hour', now(), 'UTC') - interval '1 day' AS stop \gset

-- Both modules lose their cells; one is counted again.
DELETE FROM vigil.cells WHERE bucket >= :'start';
CALL vigil.backfill(:m1, :'start', :'stop') \gset
SELECT is(:hours, 120, 'issue 5: all hours of the time are counted again');
SELECT is_empty('SELECT FROM vigil.dirty', 'issue 5: until nothing is left');
CREATE FUNCTION pg_temp.missing(module uuid) RETURNS SETOF public.cells_before LANGUAGE sql AS $$
  SELECT * FROM public.cells_before b WHERE module_id = module
  EXCEPT SELECT c.module_id, c.resolution, c.bucket, c.event_type, c.subject, c.cell::text FROM vigil.cells c $$;
SELECT is((SELECT count(*) FROM pg_temp.missing(:m1) WHERE bucket < :'stop' AND resolution <> 'day'), 0::bigint, 'issue 5: minutes and hours are as before');
CALL vigil.backfill(:m1, :'stop', now()) \gset
SELECT is((SELECT count(*) FROM pg_temp.missing(:m1)), 0::bigint, 'issue 5: and with the rest of its time days are, too');
SELECT isnt((SELECT count(*) FROM pg_temp.missing(:m2)), 0::bigint, 'issue 5: the other module is left alone');
-- What is not all here is left alone.
CALL vigil.backfill(:m1, '2001-01-01', '2001-01-03') \gset
SELECT is(:hours, 0, 'issue 5: hours without partitions are not counted');
SELECT throws_ok(format('CALL vigil.backfill(%s)', arguments), sqlstate, NULL, 'issue 5: refused: ' || arguments)
FROM (VALUES ($$NULL, now() - interval '1 hour', now()$$, '22023'), ($$gen_random_uuid(), now(), now()$$, '22023'),
             ($$gen_random_uuid(), now() - interval '1 hour', now()$$, '2D000')) AS t (arguments, sqlstate);
SELECT is(vigil.mark_hours(:m2, date_trunc('hour', now(), 'UTC') - interval '2 hours', now()) >= 2, true, 'issue 5: hours can be marked alone');

SELECT * FROM finish();
DROP TABLE public.cells_before CASCADE;
DROP EXTENSION pg_vigil CASCADE;
