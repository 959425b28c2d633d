-- The hourly chart of 30 days of one module among 100, with 95th percentile and distinct sessions, before and after ten times the
-- facts: cells are as many, so the time is the same. Variables: rows (10 million), repeats.
\set QUIET on
\if :{?rows} \else \set rows 10000000 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS chart;
CREATE DATABASE chart;
\connect chart
SET client_min_messages = warning;
CREATE EXTENSION pg_vigil;
\ir include/measure.sql
UPDATE vigil.partition_policy SET past = '40 days';
SELECT count(*) AS partitions FROM vigil.maintain_partitions() \gset

-- Facts of 30 days in one minute of each hour, four types, sessions of five facts; then rolled up.
CREATE PROCEDURE fill(wanted bigint) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms, session_id, country_code)
  SELECT md5((i % 100)::text)::uuid, date_trunc('hour', now()) - interval '720 hours' + i / 100 % 720 * interval '1 hour' + i % 59 * interval '1 second',
         (ARRAY['render', 'api_call', 'user_interaction', 'performance'])[1 + i / 72000 % 4], 'event_' || i % 7, round((exp(3 + sin(i) * 2))::numeric, 3),
         's' || i % 72000 || '_' || i / 360000, (ARRAY['US', 'DE', 'IN', 'BR'])[1 + i % 4]
  FROM generate_series(0, wanted - 1) AS i;
  COMMIT;
  CALL vigil.run_job('rollup');
  WHILE EXISTS (SELECT FROM vigil.dirty) LOOP CALL vigil.run_job('rollup'); END LOOP;
END $$;
CREATE TABLE measured (facts bigint, name text, cpu double precision, wall double precision);
SELECT md5('7') AS module \gset
INSERT INTO queries VALUES
  ('vigil.series, all types', format($$SELECT bucket, events, p95, sessions FROM vigil.series(%L, date_trunc('hour', now()) - interval '30 days', date_trunc('hour', now()))$$, :'module')),
  ('vigil.series, one type', format($$SELECT bucket, events, p95, sessions FROM vigil.series(%L, date_trunc('hour', now()) - interval '30 days', date_trunc('hour', now()), '1 hour', 'api_call')$$, :'module')),
  ('vigil.series, by day', format($$SELECT bucket, events, p95, sessions FROM vigil.series(%L, date_trunc('hour', now()) - interval '30 days', date_trunc('hour', now()), '1 day')$$, :'module')),
  ('exact SQL over raw facts', format($$SELECT date_trunc('hour', created_at) AS bucket, count(*) AS events, percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95,
     count(DISTINCT session_id) AS sessions FROM vigil.events WHERE module_id = %L AND created_at >= date_trunc('hour', now()) - interval '30 days' GROUP BY 1$$, :'module'));

CALL fill(:rows / 10);
VACUUM ANALYZE;
CALL measure(:repeats);
INSERT INTO measured SELECT (SELECT count(*) FROM vigil.events), m.name, m.cpu, m.wall FROM medians m;
DELETE FROM runs;
CALL fill(:rows - :rows / 10);
VACUUM ANALYZE;
CALL measure(:repeats);
INSERT INTO measured SELECT (SELECT count(*) FROM vigil.events), m.name, m.cpu, m.wall FROM medians m;

\echo
\echo Hourly chart of 30 days of one module among 100
SELECT name, round((min(cpu) FILTER (WHERE facts = low))::numeric, 1) AS "CPU ms, a tenth of the facts",
       round((min(cpu) FILTER (WHERE facts > low))::numeric, 1) AS "CPU ms, all facts",
       round((min(wall) FILTER (WHERE facts > low))::numeric, 1) AS "ms, all facts"
FROM measured, (SELECT min(facts) AS low FROM measured) l GROUP BY name ORDER BY 2;
SELECT (SELECT count(*) FROM vigil.events) AS facts, pg_size_pretty(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'events\_%')) AS "size of facts",
       pg_size_pretty(pg_total_relation_size('vigil.cells_hour')) AS "size of hour cells",
       (SELECT round(avg(pg_column_size(cell))) FROM vigil.cells_hour) AS "bytes of an hour cell"
FROM pg_class c WHERE c.relnamespace = 'vigil'::regnamespace AND c.relkind = 'r';
DROP TABLE measured;
