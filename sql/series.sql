-- Reading for dashboards: numbers of a window, and series of them.
CREATE OR REPLACE FUNCTION vigil.cell_merge_measures(state vigil.cell, other vigil.cell) RETURNS vigil.cell
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_merge_measures';
COMMENT ON FUNCTION vigil.cell_merge_measures(vigil.cell, vigil.cell) IS 'Step of vigil.measures_agg.';

CREATE OR REPLACE AGGREGATE vigil.measures_agg(cell vigil.cell) (
  SFUNC = vigil.cell_merge_measures, STYPE = vigil.cell, COMBINEFUNC = vigil.cell_merge_measures,
  SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.measures_agg(vigil.cell) IS
  'The union of cells without their breakdowns, which is faster than vigil.merge_agg.';

CREATE OR REPLACE FUNCTION vigil.cell_stats(cell vigil.cell, measure text DEFAULT 'duration') RETURNS vigil.cell_stats
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_stats';
COMMENT ON FUNCTION vigil.cell_stats(vigil.cell, text) IS
  'The numbers of a cell at once; measure is duration or value, another: SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.cell_merge_stats(state vigil.cell, cell vigil.cell, measure text) RETURNS vigil.cell
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_merge_stats';
COMMENT ON FUNCTION vigil.cell_merge_stats(vigil.cell, vigil.cell, text) IS 'Step of vigil.stats_agg.';

CREATE OR REPLACE FUNCTION vigil.cell_merged_stats(state vigil.cell) RETURNS vigil.cell_stats
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_merged_stats';
COMMENT ON FUNCTION vigil.cell_merged_stats(vigil.cell) IS 'Result of vigil.stats_agg.';

CREATE OR REPLACE AGGREGATE vigil.stats_agg(cell vigil.cell, measure text) (
  SFUNC = vigil.cell_merge_stats, STYPE = vigil.cell, FINALFUNC = vigil.cell_merged_stats,
  COMBINEFUNC = vigil.cell_merge_measures, SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.stats_agg(vigil.cell, text) IS
  'vigil.cell_stats of the union of cells, faster than of vigil.measures_agg: what the numbers do not need is not merged. measure is duration or value, the same for all cells; another: SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.window_stats(
    module uuid, starts_at timestamptz, ends_at timestamptz, event_type text DEFAULT NULL,
    subject text DEFAULT NULL, version_id uuid DEFAULT NULL, measure text DEFAULT 'duration')
  RETURNS TABLE (events bigint, errors bigint, failures bigint, per_second double precision,
                 mean double precision, p50 double precision, p95 double precision, p99 double precision,
                 max double precision, sites bigint, sessions bigint, users bigint,
                 estimated_events double precision, estimated_failures double precision)
  LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  IF (isfinite(starts_at) AND isfinite(ends_at) AND starts_at < ends_at) IS NOT TRUE THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('window must begin before it ends, not from %s to %s', starts_at, ends_at);
  END IF;
  RETURN QUERY
  SELECT coalesce((t.stats).events, 0), coalesce(t.errors, 0)::bigint, coalesce((t.stats).failures, 0),
         coalesce((t.stats).events, 0) / nullif(extract(epoch FROM least(ends_at, now()) - starts_at), 0)::double precision,
         (t.stats).mean, (t.stats).p50, (t.stats).p95, (t.stats).p99, (t.stats).max,
         coalesce((t.stats).sites, 0), coalesce((t.stats).sessions, 0), coalesce((t.stats).users, 0),
         coalesce((t.stats).estimated_events, 0), coalesce((t.stats).estimated_failures, 0)
  FROM (SELECT vigil.stats_agg(w.cell, measure) AS stats,
               sum(vigil.cell_count(w.cell)) FILTER (WHERE w.event_type = 'error') AS errors
        FROM vigil.cells_of_windows(ARRAY[module], ARRAY[starts_at], ARRAY[ends_at],
                                    measures_only => window_stats.subject IS NULL AND window_stats.version_id IS NULL) w
        WHERE (window_stats.event_type IS NULL OR w.event_type = window_stats.event_type)
          AND (window_stats.subject IS NULL OR w.subject = window_stats.subject)
          AND (window_stats.version_id IS NULL OR w.version_id = window_stats.version_id) OFFSET 0) t;
END $$;
COMMENT ON FUNCTION vigil.window_stats(uuid, timestamptz, timestamptz, text, text, uuid, text) IS
  'Numbers of the facts of a module in [starts_at, ends_at), exact to the microsecond, of all types, subjects and releases unless given. measure is duration or value. Counts are 0 and the distribution null where there is nothing; estimated_events and estimated_failures weigh each fact by its sample_weight. Null or infinite times, or an end that is not later: SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.series_buckets(
    starts_at timestamptz, ends_at timestamptz, step interval, zone text)
  RETURNS TABLE (bucket timestamptz, bucket_end timestamptz)
  LANGUAGE sql STABLE ROWS 1000
AS $$
  SELECT n.bucket, n.bucket_end
  -- Half a step finds every bucket, also the shorter ones where clocks change.
  FROM (SELECT t.bucket, lead(t.bucket) OVER (ORDER BY t.bucket) AS bucket_end
        FROM (SELECT DISTINCT vigil.time_bucket(step, g, zone) AS bucket
              FROM generate_series(vigil.time_bucket(step, starts_at, zone), ends_at + 2 * step, step / 2) AS g) t) n
  WHERE n.bucket < ends_at AND n.bucket_end > starts_at
$$;
COMMENT ON FUNCTION vigil.series_buckets(timestamptz, timestamptz, interval, text) IS
  'The buckets by the clocks of a zone that hold [starts_at, ends_at).';

CREATE OR REPLACE FUNCTION vigil.series(
    module uuid, starts_at timestamptz, ends_at timestamptz, step interval DEFAULT '1 hour',
    event_type text DEFAULT NULL, subject text DEFAULT NULL, version_id uuid DEFAULT NULL,
    measure text DEFAULT 'duration', zone text DEFAULT NULL)
  RETURNS TABLE (bucket timestamptz, events bigint, errors bigint, failures bigint, per_second double precision,
                 mean double precision, p50 double precision, p95 double precision, p99 double precision,
                 max double precision, sites bigint, sessions bigint, users bigint,
                 estimated_events double precision, estimated_failures double precision)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  module_zone constant text := vigil.time_zone_of(module);
  most constant integer := 20000;
  starts timestamptz[];
  ends timestamptz[];
  first timestamptz;
  last timestamptz;
  level vigil.resolution;      -- null where no cells fit
  marked timestamptz[] := '{}';
BEGIN
  zone := coalesce(zone, module_zone);
  IF (isfinite(starts_at) AND isfinite(ends_at) AND starts_at < ends_at) IS NOT TRUE THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('window must begin before it ends, not from %s to %s', starts_at, ends_at);
  ELSIF step IS NULL OR step < interval '1 second' THEN
    RAISE invalid_parameter_value USING MESSAGE = format('step must be 1 second or longer, not %s', coalesce(step::text, 'null'));
  ELSIF (ends_at - starts_at) / most > step THEN
    RAISE program_limit_exceeded USING
      MESSAGE = format('series from %s to %s would have more than %s steps of %s', starts_at, ends_at, most, step),
      HINT = 'Give a longer step.';
  END IF;
  SELECT array_agg(b.bucket ORDER BY b.bucket), array_agg(b.bucket_end ORDER BY b.bucket), min(b.bucket), max(b.bucket_end)
  INTO starts, ends, first, last
  FROM vigil.series_buckets(starts_at, ends_at, step, zone) b;

  -- The longest cells of which every bucket is made.
  IF zone = module_zone AND NOT EXISTS (SELECT FROM unnest(starts || last) AS b WHERE b <> date_trunc('day', b, zone)) THEN
    level := 'day';
  ELSIF NOT EXISTS (SELECT FROM unnest(starts || last) AS b WHERE b <> date_bin('1 hour', b, 'epoch')) THEN
    level := 'hour';
  ELSIF first >= (SELECT s.minute_floor FROM vigil.rollup_state s)
        AND NOT EXISTS (SELECT FROM unnest(starts || last) AS b WHERE b <> date_bin('1 minute', b, 'epoch')) THEN
    level := 'minute';
  END IF;
  -- Looked for once, not for each cell.
  IF level IS NOT NULL THEN
    marked := ARRAY(SELECT DISTINCT CASE level WHEN 'day' THEN date_trunc('day', d.minute, zone)
                                    WHEN 'hour' THEN date_bin('1 hour', d.minute, 'epoch') ELSE d.minute END
                    FROM vigil.dirty d
                    WHERE d.module_id = module AND d.minute >= first AND d.minute < last);
  END IF;

  -- Cells are stored in the order of buckets: walked by the key for each, they need not be sorted.
  RETURN QUERY
  SELECT b.bucket, coalesce((m.stats).events, 0), coalesce(m.errors, 0)::bigint, coalesce((m.stats).failures, 0),
         coalesce((m.stats).events, 0) / CASE WHEN b.bucket < now()
           THEN extract(epoch FROM least(b.bucket_end, now()) - b.bucket)::double precision END,
         (m.stats).mean, (m.stats).p50, (m.stats).p95, (m.stats).p99, (m.stats).max,
         coalesce((m.stats).sites, 0), coalesce((m.stats).sessions, 0), coalesce((m.stats).users, 0),
         coalesce((m.stats).estimated_events, 0), coalesce((m.stats).estimated_failures, 0)
  FROM unnest(starts, ends) AS b (bucket, bucket_end), LATERAL (
    SELECT vigil.stats_agg(c.cell, measure) AS stats,
           sum(vigil.cell_count(c.cell)) FILTER (WHERE c.event_type = 'error') AS errors
    FROM (SELECT c.version_id, c.event_type, c.subject, c.cell
          FROM vigil.cells c
          WHERE c.resolution = level AND c.module_id = module AND c.bucket >= b.bucket AND c.bucket < b.bucket_end
            AND c.bucket <> ALL (marked)
          UNION ALL
          SELECT w.version_id, w.event_type, w.subject, w.cell
          FROM (SELECT k.starts_at, CASE level WHEN 'day' THEN vigil.day_after(k.starts_at, zone)
                                    WHEN 'hour' THEN k.starts_at + interval '1 hour' ELSE k.starts_at + interval '1 minute' END AS ends_at
                FROM unnest(marked) AS k (starts_at)
                WHERE k.starts_at >= b.bucket AND k.starts_at < b.bucket_end
                UNION ALL
                SELECT b.bucket, b.bucket_end WHERE level IS NULL) k,
               LATERAL vigil.cells_of_windows(ARRAY[module], ARRAY[k.starts_at], ARRAY[k.ends_at],
                                              measures_only => series.subject IS NULL AND series.version_id IS NULL) w
          WHERE level IS NULL OR marked <> '{}') c
    WHERE (series.event_type IS NULL OR c.event_type = series.event_type)
      AND (series.subject IS NULL OR c.subject = series.subject)
      AND (series.version_id IS NULL OR c.version_id = series.version_id)) m
  ORDER BY b.bucket;
END $$;
COMMENT ON FUNCTION vigil.series(uuid, timestamptz, timestamptz, interval, text, text, uuid, text, text) IS
  'Numbers of the facts of a module in steps by the clocks of a zone (null: the module''s own), a row for each step that holds a part of [starts_at, ends_at), in order and without gaps. Steps are whole; estimated_events and estimated_failures weigh each fact by its sample_weight; the rate of the step that holds now is that of its time so far, and null in the future. Bad times, step, zone or measure: SQLSTATE 22023; more than 20000 steps: 54000.';
