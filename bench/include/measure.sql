-- Runs the queries of a table in rounds and keeps what each took.

-- CPU time of this backend where the system tells it, as the machine may be shared; else the clock.
CREATE FUNCTION cpu_ms() RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_sleep(0.0001);  -- time is added up when a process leaves its processor, or at a tick
  RETURN split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::double precision / 1e6;
EXCEPTION WHEN undefined_file THEN
  RETURN 1000 * extract(epoch FROM clock_timestamp());
END $$;
CREATE FUNCTION wall_ms() RETURNS double precision LANGUAGE sql AS $$ SELECT 1000 * extract(epoch FROM clock_timestamp()) $$;

CREATE TABLE queries (name text PRIMARY KEY, query text NOT NULL, workers integer NOT NULL DEFAULT 0);
CREATE TABLE runs (name text, cpu_ms double precision, wall_ms double precision);

-- Every round runs every query once, so that a busy minute hits all of them.
CREATE PROCEDURE measure(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
  q record;
  cpu double precision;
  wall double precision;
BEGIN
  FOR round IN 0 .. rounds LOOP
    FOR q IN SELECT * FROM queries LOOP
      PERFORM set_config('max_parallel_workers_per_gather', q.workers::text, false);
      cpu := cpu_ms();
      wall := wall_ms();
      EXECUTE 'CREATE TEMP TABLE result AS ' || q.query;
      -- The first round warms up.
      IF round > 0 THEN
        INSERT INTO runs (name, wall_ms, cpu_ms) VALUES (q.name, wall_ms() - wall, cpu_ms() - cpu);
      END IF;
      DROP TABLE result;
    END LOOP;
    COMMIT;
  END LOOP;
END $$;
CREATE VIEW medians AS
SELECT name, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_ms) AS cpu,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) AS wall
FROM runs GROUP BY name;
CREATE FUNCTION cpu(wanted text) RETURNS double precision LANGUAGE sql AS $$ SELECT cpu FROM medians WHERE name = wanted $$;
CREATE FUNCTION wall(wanted text) RETURNS double precision LANGUAGE sql AS $$ SELECT wall FROM medians WHERE name = wanted $$;
