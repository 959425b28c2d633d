-- Every way in against plain SQL that stores the same rows: medians of interleaved rounds. Variables: rows, repeats.
\set QUIET on
\if :{?rows} \else \set rows 100000 \endif
\if :{?repeats} \else \set repeats 5 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS ingest;
CREATE DATABASE ingest;
\connect ingest
SET client_min_messages = warning;
CREATE EXTENSION pg_vigil;
\ir include/measure.sql
SELECT count(*) AS partitions FROM vigil.maintain_partitions() \gset

-- An hour of 20 modules in time order, as batches of 1,000 and 100; where the size is negative, of one module each.
CREATE TABLE sample AS
SELECT i, md5((i * 7919 % 20)::text)::uuid AS module_id, md5((i % 50)::text)::uuid AS site_id,
       (ARRAY['render', 'api_call', 'user_interaction', 'performance'])[1 + i % 4] AS event_type,
       'component_mounted' AS event_name, round(exp(3 + sin(i) * 2))::integer AS duration_ms,
       's' || (i * 7919 % 20000) AS session_id, (ARRAY['US', 'DE', 'IN', 'BR'])[1 + i % 4] AS country_code,
       '/checkout' AS page_path, 'Mozilla/5.0' AS user_agent,
       date_trunc('hour', now()) - interval '1 hour' + interval '1 hour' * i / :rows AS created_at,
       '{"endpoint": "/api/orders", "statusCode": 200}'::jsonb AS payload,
       '{"browser": "chrome", "device": "desktop"}'::jsonb AS metadata
FROM generate_series(0, :rows - 1) AS i;
CREATE TABLE batches AS
SELECT size, batch, jsonb_agg(to_jsonb(s) - 'i' ORDER BY i) AS events,
       array_agg(module_id ORDER BY i) AS module_ids, array_agg(site_id ORDER BY i) AS site_ids,
       array_agg(event_type ORDER BY i) AS event_types, array_agg(event_name ORDER BY i) AS event_names,
       array_agg(duration_ms::float8 ORDER BY i) AS durations, array_agg(session_id ORDER BY i) AS session_ids,
       array_agg(country_code ORDER BY i) AS country_codes, array_agg(page_path ORDER BY i) AS page_paths,
       array_agg(user_agent ORDER BY i) AS user_agents, array_agg(created_at ORDER BY i) AS created_ats,
       array_agg(payload ORDER BY i) AS payloads, array_agg(metadata ORDER BY i) AS metadatas,
       'INSERT INTO plain (module_id, site_id, event_type, event_name, duration_ms, session_id, country_code, '
       'page_path, user_agent, created_at, payload, metadata) VALUES '
       || string_agg(format('(%L,%L,%L,%L,%s,%L,%L,%L,%L,%L,%L,%L)', module_id, site_id, event_type, event_name, duration_ms,
                            session_id, country_code, page_path, user_agent, created_at, payload, metadata), ',' ORDER BY i) AS literal,
       format('SELECT vigil.track_batch(%L)', jsonb_agg(to_jsonb(s) - 'i' ORDER BY i)) AS tracked
FROM sample s, LATERAL (VALUES (100, i / 100), (1000, i / 1000), (-100, i / 2000 * 20 + i % 20), (-1000, i / 20000 * 20 + i % 20)) AS b (size, batch)
GROUP BY 1, 2;
CREATE INDEX ON batches (size, batch);

-- The same columns, partitions, keys and constraints, without triggers.
CREATE TABLE plain (LIKE vigil.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (created_at);
-- The table of the seed with its key and indexes.
CREATE TABLE seed (
  id uuid DEFAULT gen_random_uuid(), module_id uuid NOT NULL, version_id uuid, site_id uuid NOT NULL, event_type text NOT NULL,
  event_name text NOT NULL, event_category text, payload jsonb DEFAULT '{}', metadata jsonb DEFAULT '{}', duration_ms integer,
  memory_usage_kb integer, page_path text, session_id text, user_agent text, ip_hash text, country_code text,
  created_at timestamptz DEFAULT now(), PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at);
CREATE INDEX ON seed (module_id, created_at DESC);
CREATE INDEX ON seed (site_id, created_at DESC);
CREATE INDEX ON seed (event_type, created_at DESC);
SELECT format('CREATE TABLE plain_%s PARTITION OF plain (PRIMARY KEY (module_id, created_at, id)) FOR VALUES FROM (%L) TO (%L); '
              'CREATE TABLE seed_%1$s PARTITION OF seed FOR VALUES FROM (%2$L) TO (%3$L)', n, starts_at, ends_at)
FROM (SELECT row_number() OVER (ORDER BY starts_at) AS n, * FROM vigil.partitions WHERE parent = 'events') p
\gexec

SELECT format('(module_id, site_id, event_type, event_name, duration_ms, session_id, country_code, page_path, user_agent, '
              'created_at, payload, metadata) FROM %L', current_setting('data_directory') || '/ingest.copy') AS copied \gset
SELECT format('COPY (SELECT module_id, site_id, event_type, event_name, duration_ms, session_id, country_code, page_path, '
              'user_agent, created_at, payload, metadata FROM sample ORDER BY i) TO %L',
              current_setting('data_directory') || '/ingest.copy') \gexec
VACUUM ANALYZE;

-- Each batch is a transaction, as clients send them.
CREATE PROCEDURE insert_literals(wanted integer) LANGUAGE plpgsql AS $$
DECLARE b record;
BEGIN
  FOR b IN SELECT batch FROM batches WHERE size = wanted ORDER BY batch LOOP
    EXECUTE (SELECT literal FROM batches WHERE size = wanted AND batch = b.batch);
    COMMIT;
  END LOOP;
END $$;
CREATE PROCEDURE track_literals(wanted integer) LANGUAGE plpgsql AS $$
DECLARE b record;
BEGIN
  FOR b IN SELECT batch FROM batches WHERE size = wanted ORDER BY batch LOOP
    EXECUTE (SELECT tracked FROM batches WHERE size = wanted AND batch = b.batch);
    COMMIT;
  END LOOP;
END $$;
CREATE PROCEDURE insert_arrays(wanted integer) LANGUAGE plpgsql AS $$
DECLARE b record;
BEGIN
  FOR b IN SELECT batch FROM batches WHERE size = wanted ORDER BY batch LOOP
    INSERT INTO plain (module_id, site_id, event_type, event_name, duration_ms, session_id, country_code, page_path, user_agent,
                       created_at, payload, metadata)
    SELECT r.* FROM batches t, unnest(t.module_ids, t.site_ids, t.event_types, t.event_names, t.durations, t.session_ids,
      t.country_codes, t.page_paths, t.user_agents, t.created_ats, t.payloads, t.metadatas) AS r
    WHERE t.size = wanted AND t.batch = b.batch;
    COMMIT;
  END LOOP;
END $$;
CREATE PROCEDURE track_batches(wanted integer) LANGUAGE plpgsql AS $$
DECLARE b record;
BEGIN
  FOR b IN SELECT batch FROM batches WHERE size = wanted ORDER BY batch LOOP
    PERFORM vigil.track_batch(t.events) FROM batches t WHERE t.size = wanted AND t.batch = b.batch;
    COMMIT;
  END LOOP;
END $$;
CREATE PROCEDURE track_columns(wanted integer) LANGUAGE plpgsql AS $$
DECLARE b record;
BEGIN
  FOR b IN SELECT batch FROM batches WHERE size = wanted ORDER BY batch LOOP
    PERFORM vigil.track_columns(NULL, t.created_ats, t.event_types, t.event_names, module_ids => t.module_ids,
      site_id => t.site_ids, duration_ms => t.durations, session_id => t.session_ids, country_code => t.country_codes,
      page_path => t.page_paths, user_agent => t.user_agents, payload => t.payloads, metadata => t.metadatas)
    FROM batches t WHERE t.size = wanted AND t.batch = b.batch;
    COMMIT;
  END LOOP;
END $$;

CREATE TABLE steps (step serial, name text, work text, target text);
INSERT INTO steps (name, work, target) VALUES
  ('INSERT of 100, parsed', 'CALL insert_literals(100)', 'plain'),
  ('track_batch of 100, parsed', 'CALL track_literals(100)', 'vigil.events'),
  ('INSERT of 1000, parsed', 'CALL insert_literals(1000)', 'plain'),
  ('track_batch of 1000, parsed', 'CALL track_literals(1000)', 'vigil.events'),
  ('INSERT of 100, arrays', 'CALL insert_arrays(100)', 'plain'),
  ('track_batch of 100, jsonb', 'CALL track_batches(100)', 'vigil.events'),
  ('track_columns of 100', 'CALL track_columns(100)', 'vigil.events'),
  ('INSERT of 1000, arrays', 'CALL insert_arrays(1000)', 'plain'),
  ('track_batch of 1000, jsonb', 'CALL track_batches(1000)', 'vigil.events'),
  ('track_columns of 1000', 'CALL track_columns(1000)', 'vigil.events'),
  ('INSERT of 100 of a module', 'CALL insert_arrays(-100)', 'plain'),
  ('track_columns of 100 of a module', 'CALL track_columns(-100)', 'vigil.events'),
  ('INSERT of 1000 of a module', 'CALL insert_arrays(-1000)', 'plain'),
  ('track_columns of 1000 of a module', 'CALL track_columns(-1000)', 'vigil.events'),
  ('COPY, no triggers', 'COPY plain ' || :'copied', 'plain'),
  ('COPY vigil.events', 'COPY vigil.events ' || :'copied', 'vigil.events'),
  ('COPY, seed', 'COPY seed ' || :'copied', 'seed');

-- A step stores the rows into empty tables; the first round warms up.
CREATE TABLE started (cpu double precision, wall double precision);
CREATE PROCEDURE start_step() LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE vigil.events, vigil.dirty, plain, seed, started;
  COMMIT;
  INSERT INTO started VALUES (cpu_ms(), wall_ms());
END $$;
CREATE PROCEDURE end_step(round integer, name text, target text) LANGUAGE plpgsql AS $$
DECLARE
  cpu constant double precision := cpu_ms() - (SELECT s.cpu FROM started s);
  wall constant double precision := wall_ms() - (SELECT s.wall FROM started s);
  stored bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', target) INTO stored;
  IF stored <> (SELECT count(*) FROM sample) THEN
    RAISE '% stored % rows', name, stored;
  END IF;
  IF round > 0 THEN
    INSERT INTO runs VALUES (name, cpu, wall);
  END IF;
END $$;
SELECT 'CALL start_step()', s.work, format('CALL end_step(%s, %L, %L)', round, s.name, s.target)
FROM generate_series(0, :repeats) AS round, steps s ORDER BY round, s.step
\gexec

\echo
\echo Rows/s of one backend, medians
SELECT s.name AS measure, round((:rows / m.cpu)::numeric) AS "thousand rows/s of CPU time",
       round((:rows / m.wall)::numeric) AS "thousand rows/s"
FROM steps s JOIN medians m USING (name) ORDER BY s.step;
SELECT r.name AS ratio, round((cpu(r.theirs) / cpu(r.ours))::numeric, 2) AS "by CPU time",
       round((wall(r.theirs) / wall(r.ours))::numeric, 2) AS "by the clock", r.target
FROM (VALUES (1, 'track_batch of 100 / INSERT, both parsed', 'track_batch of 100, parsed', 'INSERT of 100, parsed', 0.8),
             (2, 'track_batch of 1000 / INSERT, both parsed', 'track_batch of 1000, parsed', 'INSERT of 1000, parsed', 0.8),
             (3, 'track_batch of 100 / INSERT of arrays', 'track_batch of 100, jsonb', 'INSERT of 100, arrays', 0.8),
             (4, 'track_batch of 1000 / INSERT of arrays', 'track_batch of 1000, jsonb', 'INSERT of 1000, arrays', 0.8),
             (5, 'track_columns of 100 / INSERT, parsed', 'track_columns of 100', 'INSERT of 100, parsed', 1.2),
             (6, 'track_columns of 1000 / INSERT, parsed', 'track_columns of 1000', 'INSERT of 1000, parsed', 1.2),
             (7, 'track_columns of 100 / INSERT of arrays', 'track_columns of 100', 'INSERT of 100, arrays', 1.2),
             (8, 'track_columns of 1000 / INSERT of arrays', 'track_columns of 1000', 'INSERT of 1000, arrays', 1.2),
             (9, 'track_columns of 100 / INSERT of arrays, of a module', 'track_columns of 100 of a module', 'INSERT of 100 of a module', 1.2),
             (10, 'track_columns of 1000 / INSERT of arrays, of a module', 'track_columns of 1000 of a module', 'INSERT of 1000 of a module', 1.2),
             (11, 'track_columns of 1000 / COPY into the seed''s table', 'track_columns of 1000', 'COPY, seed', 1.5),
             (12, 'COPY into vigil.events / COPY into the seed''s table', 'COPY vigil.events', 'COPY, seed', 1.5),
             (13, 'COPY into vigil.events / COPY without triggers', 'COPY vigil.events', 'COPY, no triggers', 0.9))
     AS r (step, name, ours, theirs, target)
ORDER BY r.step;
