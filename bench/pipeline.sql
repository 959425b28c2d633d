-- Ingest and rollup against plain SQL doing the same. Variables: rows (100,000), repeats.
\set QUIET on
\if :{?rows} \else \set rows 100000 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS pipeline;
CREATE DATABASE pipeline;
\connect pipeline
SET client_min_messages = warning;
CREATE EXTENSION pg_vigil;
SELECT count(*) AS partitions FROM vigil.maintain_partitions() \gset

CREATE TABLE measured (measure text, milliseconds double precision);
CREATE PROCEDURE measure(name text, prepare text, work text) LANGUAGE plpgsql AS $$
DECLARE
  started timestamptz;
BEGIN
  EXECUTE prepare;
  started := clock_timestamp();
  EXECUTE work;
  INSERT INTO measured VALUES (name, 1000 * extract(epoch FROM clock_timestamp() - started));
END $$;

-- The last hour of five modules, in time order, in batches of 1,000 and of 100.
CREATE TABLE sample AS
SELECT i, md5((i % 5)::text)::uuid AS module_id, md5((i % 20)::text)::uuid AS site_id,
       (ARRAY['render', 'api_call', 'user_interaction', 'performance'])[1 + i % 4] AS event_type,
       'component_mounted' AS event_name, round((exp(3 + sin(i) * 2))::numeric, 3) AS duration_ms,
       's' || (i * 7919 % 20000) AS session_id, (ARRAY['US', 'DE', 'IN', 'BR'])[1 + i % 4] AS country_code,
       '/checkout' AS page_path, 'Mozilla/5.0' AS user_agent,
       date_trunc('minute', now()) - interval '1 hour' + interval '1 hour' * i / :rows AS created_at,
       '{"endpoint": "/api/orders", "statusCode": 200}'::jsonb AS payload,
       '{"browser": "chrome", "device": "desktop"}'::jsonb AS metadata
FROM generate_series(0, :rows - 1) AS i;
CREATE TABLE batches AS
SELECT size, i / size AS batch, jsonb_agg(to_jsonb(s) - 'i' ORDER BY i) AS events
FROM sample s, (VALUES (100), (1000)) AS b (size) GROUP BY 1, 2;
CREATE TABLE inserts AS
SELECT size, i / size AS batch,
       'INSERT INTO plain (module_id, site_id, event_type, event_name, duration_ms, session_id, country_code, '
       'page_path, user_agent, created_at, payload, metadata, subject) VALUES '
       || string_agg(format('(%L,%L,%L,%L,%s,%L,%L,%L,%L,%L,%L,%L,%L)', module_id, site_id, event_type, event_name,
                            duration_ms, session_id, country_code, page_path, user_agent, created_at, payload,
                            metadata, ''), ',' ORDER BY i) AS statement
FROM sample, (VALUES (100), (1000)) AS b (size) GROUP BY 1, 2;
-- The same columns, partitions and index, without triggers.
CREATE TABLE plain (LIKE vigil.events INCLUDING DEFAULTS, PRIMARY KEY (module_id, created_at, id))
  PARTITION BY RANGE (created_at);
CREATE TABLE plain_now PARTITION OF plain FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
VACUUM ANALYZE;

CREATE PROCEDURE empty_tables() LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE vigil.events, plain, vigil.dirty, vigil.cells;
END $$;
CREATE PROCEDURE run_inserts(wanted integer) LANGUAGE plpgsql AS $$
DECLARE
  one text;
BEGIN
  FOR one IN SELECT statement FROM inserts WHERE size = wanted ORDER BY batch LOOP EXECUTE one; END LOOP;
END $$;

-- One round after the other, so that a noisy neighbour meets all of them.
SELECT format('CALL measure(%L, %L, %L)', name, prepare, work)
FROM generate_series(1, :repeats) AS round, (VALUES
  (1, 'insert 100', 'CALL empty_tables()', 'CALL run_inserts(100)'),
  (2, 'track_batch 100', 'CALL empty_tables()',
   'SELECT count(vigil.track_batch(events)) FROM batches WHERE size = 100'),
  (3, 'insert 1000', 'CALL empty_tables()', 'CALL run_inserts(1000)'),
  (4, 'track_batch 1000', 'CALL empty_tables()',
   'SELECT count(vigil.track_batch(events)) FROM batches WHERE size = 1000'),
  (5, 'exact sql rollup', 'ANALYZE vigil.events',
   'CREATE TEMP TABLE exact_rollup ON COMMIT DROP AS
    SELECT module_id, event_type, date_trunc(''minute'', created_at) AS minute, count(*), avg(duration_ms),
           percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms),
           count(DISTINCT site_id) AS sites, count(DISTINCT session_id) AS sessions
    FROM vigil.events GROUP BY 1, 2, 3'),
  (6, 'rollup', 'ANALYZE vigil.dirty', 'SELECT vigil.rollup(1000000)'),
  (7, 'hourly view, clean', 'ANALYZE vigil.dirty', 'SELECT count(*) FROM vigil.module_analytics_hourly')
) AS m (step, name, prepare, work)
ORDER BY round, step
\gexec

\echo
\echo Ingest and rollup, medians
SELECT m.measure,
       round(percentile_disc(0.5) WITHIN GROUP (ORDER BY m.milliseconds)::numeric, 1) AS "median ms",
       round((:rows / percentile_disc(0.5) WITHIN GROUP (ORDER BY m.milliseconds))::numeric) AS "thousand rows/s"
FROM measured m GROUP BY 1 ORDER BY min(m.ctid);
WITH medians AS (
  SELECT measure, percentile_disc(0.5) WITHIN GROUP (ORDER BY milliseconds) AS ms FROM measured GROUP BY 1)
SELECT r.name AS ratio, round((b.ms / a.ms)::numeric, 2) AS "times the rate of plain SQL"
FROM (VALUES ('track_batch of 100 / multi-row INSERT', 'track_batch 100', 'insert 100'),
             ('track_batch of 1000 / multi-row INSERT', 'track_batch 1000', 'insert 1000'),
             ('rollup (minutes, hours, days) / exact SQL (minutes only)', 'rollup', 'exact sql rollup'))
     AS r (name, ours, theirs)
JOIN medians a ON a.measure = r.ours JOIN medians b ON b.measure = r.theirs;
