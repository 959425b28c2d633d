CREATE OR REPLACE FUNCTION vigil.reached_at(at timestamptz, bytes numeric, per_day numeric, growth numeric) RETURNS timestamptz
  LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  -- bytes = per_day t + growth t^2 / 2, for the smallest t; nobody plans for more than a century.
  SELECT CASE WHEN bytes <= 0 THEN at WHEN days BETWEEN 0 AND 36500 THEN at + days * interval '1 day' END
  FROM (SELECT CASE WHEN growth = 0 THEN bytes / nullif(per_day, 0)
                    WHEN per_day ^ 2 + 2 * growth * bytes >= 0 THEN (sqrt(per_day ^ 2 + 2 * growth * bytes) - per_day) / growth
               END::double precision AS days) t
$$;
COMMENT ON FUNCTION vigil.reached_at(timestamptz, numeric, numeric, numeric) IS
  'When so many bytes will have come that per_day come now, and growth more with every day; null = never, or not within a century.';

CREATE OR REPLACE FUNCTION vigil.partition_forecast(free_bytes bigint DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS TABLE (parent text, bytes bigint, bytes_per_day bigint, growth_per_day bigint, steady_bytes bigint,
                 limit_bytes bigint, reached_at timestamptz)
  LANGUAGE sql STABLE ROWS 5 SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH policy AS (
    SELECT p.parent, p.width, CASE WHEN p.retention IS NOT NULL THEN greatest(p.retention, p.past) END AS retention, p.max_bytes FROM vigil.partition_policy p
    UNION ALL SELECT m.name, m.width, m.retention, m.max_bytes FROM vigil.managed_tables m),
  part AS (
    SELECT q.*, extract(epoch FROM q.ends_at - q.starts_at) / 86400 AS days,
           extract(epoch FROM q.starts_at + (q.ends_at - q.starts_at) / 2 - at) / 86400 AS age,
           row_number() OVER (PARTITION BY q.parent ORDER BY q.ends_at DESC) AS number
    FROM (SELECT p.parent, p.starts_at, p.ends_at, p.bytes FROM vigil.partitions p
          UNION ALL SELECT p.parent, p.starts_at, p.ends_at, p.bytes FROM vigil.managed_partitions p) q
    WHERE isfinite(q.starts_at) AND q.ends_at <= at),
  -- The line through the last eight complete partitions; through fewer than three it would be guessed.
  trend AS (
    SELECT p.parent, CASE WHEN count(*) < 3 THEN 0 ELSE regr_slope(p.bytes / p.days, p.age)::numeric END AS growth,
           greatest(CASE WHEN count(*) < 3 THEN sum(p.bytes) / sum(p.days) ELSE regr_intercept(p.bytes / p.days, p.age)::numeric END, 0) AS rate
    FROM part p WHERE p.number <= 8 GROUP BY p.parent),
  held AS (
    SELECT q.parent, sum(q.bytes) AS bytes FROM (
      SELECT p.parent, p.bytes FROM vigil.partitions p UNION ALL SELECT p.parent, p.bytes FROM vigil.managed_partitions p) q
    GROUP BY q.parent),
  forecast AS (
    SELECT y.parent, coalesce(h.bytes, 0) AS bytes, t.rate, t.growth, y.max_bytes,
           -- A partition goes when the last of it is old enough.
           least(t.rate * extract(epoch FROM y.retention + ('1 ' || y.width)::interval) / 86400, y.max_bytes) AS steady
    FROM policy y LEFT JOIN held h USING (parent) LEFT JOIN trend t USING (parent))
  SELECT f.parent, f.bytes::bigint, f.rate::bigint, f.growth::bigint, f.steady::bigint, f.max_bytes,
         CASE WHEN f.steady IS NULL OR f.steady >= f.max_bytes OR f.growth > 0 THEN
           vigil.reached_at(at, f.max_bytes - f.bytes, f.rate, f.growth) END
  FROM forecast f
  UNION ALL
  SELECT NULL, sum(f.bytes)::bigint, sum(f.rate)::bigint, sum(f.growth)::bigint,
         CASE WHEN bool_and(f.steady IS NOT NULL) THEN sum(f.steady)::bigint END, free_bytes,
         CASE WHEN NOT bool_and(f.steady IS NOT NULL) OR sum(f.steady) - sum(f.bytes) > free_bytes THEN
           vigil.reached_at(at, free_bytes, sum(f.rate), sum(f.growth)) END
  FROM forecast f
  ORDER BY 1 NULLS LAST
$$;
COMMENT ON FUNCTION vigil.partition_forecast(bigint, timestamptz) IS
  'What the tables of the partition keeper will need: bytes now, by day by the trend of their last eight complete partitions, and what retention or max_bytes will hold in the end; when max_bytes is reached, and in the last row, of all tables, when free_bytes of the disk are used up. Null = not known, or never.';
