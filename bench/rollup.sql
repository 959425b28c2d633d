-- What the roller costs: CPU time for each event of 100 modules, its parts, and how often its rules of patience read an event when
-- events come late. Variables: rows (1 million), repeats.
\set QUIET on
\if :{?rows} \else \set rows 1000000 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS rollup;
CREATE DATABASE rollup;
\connect rollup
SET client_min_messages = warning;
CREATE EXTENSION pg_vigil;
\ir include/measure.sql
SELECT count(*) AS partitions FROM vigil.maintain_partitions() \gset

-- Ten minutes of 100 modules side by side, as they arrive.
SELECT date_trunc('hour', now()) - interval '3 hours' AS start \gset
INSERT INTO vigil.events (module_id, created_at, site_id, event_type, event_name, duration_ms, session_id, country_code, metadata)
SELECT md5((i % 100)::text)::uuid, :'start'::timestamptz + 600.0 * i / :rows * interval '1 second', md5((i % 20)::text)::uuid,
       (ARRAY['render', 'api_call', 'user_interaction', 'performance'])[1 + i / 100 % 4], 'event_' || i % 7, round((exp(3 + sin(i) * 2))::numeric, 3),
       's' || (i::bigint * 7919 % 20000), (ARRAY['US', 'DE', 'IN', 'BR'])[1 + i % 4], '{"browser": "chrome", "device": "desktop"}'
FROM generate_series(0, :rows - 1) AS i;
VACUUM ANALYZE;

CREATE FUNCTION mark(start timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT sum(vigil.mark_dirty(md5(m::text)::uuid, start, start + interval '10 minutes')) FROM generate_series(0, 99) AS m $$;
INSERT INTO queries VALUES
  ('count(*)', format('SELECT count(*) FROM vigil.events WHERE created_at >= %L', :'start')),
  ('exact SQL of minutes: count, 3 percentiles, 2 distinct counts', 'SELECT module_id, event_type, date_trunc(''minute'', created_at), count(*),
     percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms), count(DISTINCT site_id) AS sites, count(DISTINCT session_id) AS sessions FROM vigil.events GROUP BY 1, 2, 3'),
  ('minute cells of all modules in one pass', format('SELECT count(*) FROM vigil.raw_cells(%L, %L::timestamptz + interval ''10 minutes'')', :'start', :'start')),
  ('minute cells module by module', format('SELECT count(r.*) FROM generate_series(0, 99) AS m, LATERAL vigil.raw_cells(md5(m::text)::uuid, %L, %L::timestamptz + interval ''10 minutes'') r', :'start', :'start')),
  ('minute cells of 100 windows at once, as queries read open minutes', format('SELECT count(r.*) FROM (SELECT array_agg(md5(m::text)::uuid) AS modules FROM generate_series(0, 99) AS m) g,
     LATERAL vigil.raw_cells_of_windows(g.modules, array_fill(%L::timestamptz, ''{100}''), array_fill(%L::timestamptz + interval ''10 minutes'', ''{100}'')) r', :'start', :'start')),
  ('vigil.rollup: minutes, hours, days', format('SELECT mark(%L), vigil.rollup(100000)', :'start'));
CALL measure(:repeats);
\echo
\echo CPU time, medians
SELECT name, round(cpu(name)::numeric) AS "CPU ms", round((1000 * cpu(name) / :rows)::numeric, 2) AS "microseconds an event"
FROM medians ORDER BY cpu;

-- How often an event is read: the rules of vigil.ripe_at over the arrivals of one minute, with a look every five seconds.
CREATE FUNCTION reads_of(arrivals double precision[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  minute constant timestamptz := '2026-01-01 00:00Z';
  total bigint := 0;
  first double precision;
  last double precision;
  look double precision;
  i integer := 1;
BEGIN
  WHILE i <= cardinality(arrivals) LOOP
    first := arrivals[i];
    LOOP
      last := arrivals[i];
      look := 5 * ceil(extract(epoch FROM vigil.ripe_at(minute, minute + first * interval '1 second', minute + last * interval '1 second', '10 s') - minute) / 5);
      EXIT WHEN i = cardinality(arrivals) OR arrivals[i + 1] > look;
      i := i + 1;
    END LOOP;
    total := total + i;
    i := i + 1;
  END LOOP;
  RETURN total;
END $$;
-- Seconds by which an event is late: all of them by some on the way, a share by more.
CREATE FUNCTION arrivals(a_second integer, late double precision, mean double precision) RETURNS double precision[] LANGUAGE sql AS $$
  SELECT array_agg(t ORDER BY t)
  FROM (SELECT 60 * random() - ln(1 - random()) * CASE WHEN random() < late THEN mean ELSE 0.5 END AS t FROM generate_series(1, 60 * a_second)) a $$;
\echo
\echo Times that an event is read, by share and mean lateness of late events
SELECT setseed(0.5) \g /dev/null
SELECT a_second AS "events a second of a module", late * 100 || ' %' AS "late", mean || ' s' AS "by", round(sum(reads_of(a)) / sum(cardinality(a)), 2) AS "reads of an event"
FROM (VALUES (1), (10), (100), (1500)) AS r (a_second), (VALUES (0, 0), (0.01, 5), (0.01, 30), (0.001, 600)) AS l (late, mean),
     LATERAL (SELECT arrivals(a_second, late, mean) AS a FROM generate_series(1, CASE WHEN a_second > 100 THEN 3 ELSE 40 END) AS n WHERE n + a_second > 0) t
GROUP BY 1, 2, 3, a_second, late, mean ORDER BY late * mean, a_second;
