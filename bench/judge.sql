-- What judging the alert rules of 100 modules under load costs: all wrote in the last six minutes, and the minutes that are open or that
-- the roller still waits for are marked. Variables: rows (300,000), repeats.
\set QUIET on
\if :{?rows} \else \set rows 300000 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS judge;
CREATE DATABASE judge;
\connect judge
SET client_min_messages = warning;
CREATE EXTENSION pg_vigil;
\ir include/measure.sql
SELECT count(*) AS partitions FROM vigil.maintain_partitions() \gset
SELECT date_trunc('minute', now()) - interval '1 hour' + interval '30 seconds' AS at \gset

CREATE FUNCTION put(starts timestamptz, ends timestamptz, wanted bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO vigil.events (module_id, created_at, event_type, event_name, subject, duration_ms, session_id, country_code, metadata)
  SELECT md5((i % 100)::text)::uuid, starts + (ends - starts) * i / wanted, (ARRAY['render', 'api_call', 'user_interaction', 'performance'])[1 + i / 100 % 4],
         'event_' || i % 7, '/api/v1/resource' || i / 100 % 50, round(exp(3 + sin(i) * 2)::numeric, 3), 's' || (i * 7919 % 20000),
         (ARRAY['US', 'DE', 'IN', 'BR'])[1 + i % 4], '{"browser": "chrome", "device": "desktop"}'
  FROM generate_series(0, wanted - 1) AS i $$;
-- Up to the last whole minute but one all is rolled up.
SELECT put(:'at'::timestamptz - interval '6 minutes', :'at'::timestamptz - interval '90 seconds', :rows * 3 / 4) \g /dev/null
SELECT vigil.rollup(1000000) \g /dev/null
SELECT put(:'at'::timestamptz - interval '90 seconds', :'at', :rows / 4) \g /dev/null
VACUUM ANALYZE;
SELECT count(*) AS in_window, count(*) FILTER (WHERE created_at >= :'at'::timestamptz - interval '90 seconds') AS marked FROM vigil.events WHERE created_at > :'at'::timestamptz - interval '5 minutes' \gset

SELECT vigil.create_alert_rule(md5(m::text)::uuid, 'performance_degradation', 'avg_render_time', 'gt', 1e9) FROM generate_series(0, 99) AS m \g /dev/null
INSERT INTO queries VALUES ('100 rules over 5 minutes', format('SELECT * FROM vigil.judge_rules(NULL, %L)', :'at'));
CALL measure(:repeats);
SELECT vigil.create_alert_rule(md5(m::text)::uuid, 'performance_degradation', 'avg_render_time', 'gt', 1e9, w) FROM generate_series(0, 99) AS m, unnest('{1,2,3}'::integer[]) AS w \g /dev/null
DELETE FROM queries;
INSERT INTO queries VALUES ('400 rules over 1, 2, 3 and 5 minutes', format('SELECT * FROM vigil.judge_rules(NULL, %L)', :'at'));
CALL measure(:repeats);
\echo
\echo Judging alert rules, :in_window events of 100 modules in 5 minutes, :marked of them in marked minutes: CPU time, medians
SELECT name, round(cpu::numeric, 1) AS "CPU ms" FROM medians ORDER BY cpu;
