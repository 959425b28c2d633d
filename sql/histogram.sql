CREATE OR REPLACE FUNCTION vigil.histogram_add(state vigil.histogram, value double precision) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_add';
COMMENT ON FUNCTION vigil.histogram_add(vigil.histogram, double precision) IS 'Step of vigil.histogram_agg.';

CREATE OR REPLACE FUNCTION vigil.histogram_merge(state vigil.histogram, other vigil.histogram) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_merge';
COMMENT ON FUNCTION vigil.histogram_merge(vigil.histogram, vigil.histogram) IS 'Step of vigil.merge_agg and combination of partial histograms.';

CREATE OR REPLACE AGGREGATE vigil.histogram_agg(value double precision) (
  SFUNC = vigil.histogram_add, STYPE = vigil.histogram, COMBINEFUNC = vigil.histogram_merge,
  SSPACE = 512, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.histogram_agg(double precision) IS
  'Distribution of the values that are not null. NaN and infinities: SQLSTATE 22003.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(histogram vigil.histogram) (
  SFUNC = vigil.histogram_merge, STYPE = vigil.histogram, COMBINEFUNC = vigil.histogram_merge,
  SSPACE = 512, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.histogram) IS 'The union of distributions; any order of merging gives equal bytes.';

CREATE OR REPLACE FUNCTION vigil.percentile(histogram vigil.histogram, fraction double precision) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_percentile';
COMMENT ON FUNCTION vigil.percentile(vigil.histogram, double precision) IS
  'Value of rank ceil(fraction * count), as percentile_disc: exact up to 64 different values, then within 0.55 % of it. Fraction outside 0 to 1: SQLSTATE 22023. Null when empty.';

CREATE OR REPLACE FUNCTION vigil.count(histogram vigil.histogram) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_count';
COMMENT ON FUNCTION vigil.count(vigil.histogram) IS 'Number of values.';

CREATE OR REPLACE FUNCTION vigil.sum(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_sum';
COMMENT ON FUNCTION vigil.sum(vigil.histogram) IS 'Exact sum, correctly rounded whatever the order; null when empty.';

CREATE OR REPLACE FUNCTION vigil.mean(histogram vigil.histogram) RETURNS double precision
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT vigil.sum(histogram) / nullif(vigil.count(histogram), 0) $$;
COMMENT ON FUNCTION vigil.mean(vigil.histogram) IS 'Exact sum divided by the number of values; null when empty.';

CREATE OR REPLACE FUNCTION vigil.min(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_min';
COMMENT ON FUNCTION vigil.min(vigil.histogram) IS 'Smallest value, exact; null when empty.';

CREATE OR REPLACE FUNCTION vigil.max(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_max';
COMMENT ON FUNCTION vigil.max(vigil.histogram) IS 'Largest value, exact; null when empty.';

CREATE OR REPLACE FUNCTION vigil.stddev(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_stddev';
COMMENT ON FUNCTION vigil.stddev(vigil.histogram) IS
  'Sample standard deviation from the buckets, exact up to 64 different values; null for fewer than two values.';
