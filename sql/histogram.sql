CREATE OR REPLACE FUNCTION vigil.histogram_add(state vigil.histogram, value double precision) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_add';
COMMENT ON FUNCTION vigil.histogram_add(vigil.histogram, double precision) IS 'Step of vigil.histogram_agg.';

CREATE OR REPLACE FUNCTION vigil.histogram_merge(state vigil.histogram, other vigil.histogram) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_merge';
COMMENT ON FUNCTION vigil.histogram_merge(vigil.histogram, vigil.histogram) IS 'Step of vigil.merge_agg and combination of partial histograms.';

CREATE OR REPLACE FUNCTION vigil.histogram_add(state vigil.histogram, value double precision, max_relative_error double precision)
  RETURNS vigil.histogram LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_add_within';
COMMENT ON FUNCTION vigil.histogram_add(vigil.histogram, double precision, double precision) IS 'Step of vigil.histogram_agg with a chosen error.';

-- Sliding window frames: rows enter and leave a moving state --------------------------------------------

CREATE OR REPLACE FUNCTION vigil.histogram_frame_add(state internal, value double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_add';
CREATE OR REPLACE FUNCTION vigil.histogram_frame_add(state internal, value double precision, max_relative_error double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_add_within';
CREATE OR REPLACE FUNCTION vigil.histogram_frame_remove(state internal, value double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_remove';
CREATE OR REPLACE FUNCTION vigil.histogram_frame_remove(state internal, value double precision, max_relative_error double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_remove';
CREATE OR REPLACE FUNCTION vigil.histogram_frame_merge(state internal, other vigil.histogram) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_merge';
CREATE OR REPLACE FUNCTION vigil.histogram_frame_subtract(state internal, other vigil.histogram) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_subtract';
CREATE OR REPLACE FUNCTION vigil.histogram_frame_result(state internal) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_frame_result';
CREATE OR REPLACE FUNCTION vigil.percentile_frame_add(state internal, value double precision, fraction double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_frame_add';
CREATE OR REPLACE FUNCTION vigil.percentile_frame_add(state internal, value double precision, fractions double precision[]) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentiles_frame_add';
CREATE OR REPLACE FUNCTION vigil.percentile_frame_remove(state internal, value double precision, fraction double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_frame_remove';
CREATE OR REPLACE FUNCTION vigil.percentile_frame_remove(state internal, value double precision, fractions double precision[]) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_frame_remove';
CREATE OR REPLACE FUNCTION vigil.percentile_frame_result(state internal) RETURNS double precision
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_frame_result';
CREATE OR REPLACE FUNCTION vigil.percentiles_frame_result(state internal) RETURNS double precision[]
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentiles_frame_result';
COMMENT ON FUNCTION vigil.histogram_frame_add(internal, double precision) IS 'Moving step of vigil.histogram_agg: a value enters the frame.';
COMMENT ON FUNCTION vigil.histogram_frame_add(internal, double precision, double precision) IS 'Moving step of vigil.histogram_agg with a chosen error: a value enters the frame.';
COMMENT ON FUNCTION vigil.histogram_frame_remove(internal, double precision) IS 'Inverse step of vigil.histogram_agg: the earliest value leaves the frame.';
COMMENT ON FUNCTION vigil.histogram_frame_remove(internal, double precision, double precision) IS 'Inverse step of vigil.histogram_agg with a chosen error: the earliest value leaves the frame.';
COMMENT ON FUNCTION vigil.histogram_frame_merge(internal, vigil.histogram) IS 'Moving step of vigil.merge_agg: a histogram enters the frame.';
COMMENT ON FUNCTION vigil.histogram_frame_subtract(internal, vigil.histogram) IS 'Inverse step of vigil.merge_agg: the earliest histogram leaves the frame.';
COMMENT ON FUNCTION vigil.histogram_frame_result(internal) IS 'The histogram of a moving frame; null when nothing is in it.';
COMMENT ON FUNCTION vigil.percentile_frame_add(internal, double precision, double precision) IS 'Moving step of vigil.approx_percentile: a value enters the frame.';
COMMENT ON FUNCTION vigil.percentile_frame_add(internal, double precision, double precision[]) IS 'Moving step of vigil.approx_percentile for several fractions: a value enters the frame.';
COMMENT ON FUNCTION vigil.percentile_frame_remove(internal, double precision, double precision) IS 'Inverse step of vigil.approx_percentile: the earliest value leaves the frame.';
COMMENT ON FUNCTION vigil.percentile_frame_remove(internal, double precision, double precision[]) IS 'Inverse step of vigil.approx_percentile for several fractions: the earliest value leaves the frame.';
COMMENT ON FUNCTION vigil.percentile_frame_result(internal) IS 'The percentile of a moving frame; null when nothing is in it.';
COMMENT ON FUNCTION vigil.percentiles_frame_result(internal) IS 'The percentiles of a moving frame; null when nothing is in it.';

CREATE OR REPLACE AGGREGATE vigil.histogram_agg(value double precision) (
  SFUNC = vigil.histogram_add, STYPE = vigil.histogram, COMBINEFUNC = vigil.histogram_merge, SSPACE = 1024,
  MSFUNC = vigil.histogram_frame_add, MINVFUNC = vigil.histogram_frame_remove, MSTYPE = internal,
  MFINALFUNC = vigil.histogram_frame_result, MSSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.histogram_agg(double precision) IS
  'Distribution of the values that are not null. NaN and infinities: SQLSTATE 22003.';

CREATE OR REPLACE AGGREGATE vigil.histogram_agg(value double precision, max_relative_error double precision) (
  SFUNC = vigil.histogram_add, STYPE = vigil.histogram, COMBINEFUNC = vigil.histogram_merge, SSPACE = 1024,
  MSFUNC = vigil.histogram_frame_add, MINVFUNC = vigil.histogram_frame_remove, MSTYPE = internal,
  MFINALFUNC = vigil.histogram_frame_result, MSSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.histogram_agg(double precision, double precision) IS
  'Distribution of the values that are not null, at the lowest scale that keeps percentiles within the relative error: 0.00136 to below 1, the same in all rows; else SQLSTATE 22023.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(histogram vigil.histogram) (
  SFUNC = vigil.histogram_merge, STYPE = vigil.histogram, COMBINEFUNC = vigil.histogram_merge, SSPACE = 1024,
  MSFUNC = vigil.histogram_frame_merge, MINVFUNC = vigil.histogram_frame_subtract, MSTYPE = internal,
  MFINALFUNC = vigil.histogram_frame_result, MSSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.histogram) IS 'The union of distributions; any order of merging gives equal bytes.';

CREATE OR REPLACE FUNCTION vigil.percentile(histogram vigil.histogram, fraction double precision) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_percentile';
COMMENT ON FUNCTION vigil.percentile(vigil.histogram, double precision) IS
  'Value of rank ceil(fraction * count), as percentile_disc: exact up to 64 different values, then within 0.55 % of it. Fraction outside 0 to 1: SQLSTATE 22023. Null when empty.';

CREATE OR REPLACE FUNCTION vigil.percentiles(histogram vigil.histogram, fractions double precision[]) RETURNS double precision[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_percentiles';
COMMENT ON FUNCTION vigil.percentiles(vigil.histogram, double precision[]) IS
  'vigil.percentile of each fraction, in their order, in one pass; null for a null fraction. Fraction outside 0 to 1: SQLSTATE 22023; more than 1000: 54000. Null when empty.';

CREATE OR REPLACE FUNCTION vigil.percentile_rank(histogram vigil.histogram, value double precision) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_rank';
COMMENT ON FUNCTION vigil.percentile_rank(vigil.histogram, double precision) IS
  'Share of the values at or below the value, 0 to 1: exact up to 64 different values, then true for a value within 0.55 % of it. NaN: SQLSTATE 22023. Null when empty.';

CREATE OR REPLACE FUNCTION vigil.count(histogram vigil.histogram) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_count';
COMMENT ON FUNCTION vigil.count(vigil.histogram) IS 'Number of values.';

CREATE OR REPLACE FUNCTION vigil.sum(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_sum';
COMMENT ON FUNCTION vigil.sum(vigil.histogram) IS 'Exact sum, correctly rounded whatever the order; null when empty.';

CREATE OR REPLACE FUNCTION vigil.mean(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_mean';
COMMENT ON FUNCTION vigil.mean(vigil.histogram) IS
  'Exact sum divided by the number of values; null when empty.';

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

CREATE OR REPLACE FUNCTION vigil.trimmed_mean(histogram vigil.histogram, low double precision, high double precision) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_trimmed_mean';
COMMENT ON FUNCTION vigil.trimmed_mean(vigil.histogram, double precision, double precision) IS
  'Mean of the values of rank floor(low * count) + 1 to ceil(high * count). Unless 0 <= low < high <= 1: SQLSTATE 22023. Null when empty.';

CREATE OR REPLACE FUNCTION vigil.apdex(histogram vigil.histogram, threshold double precision) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_apdex';
COMMENT ON FUNCTION vigil.apdex(vigil.histogram, double precision) IS
  'Share of the values up to the threshold, and half the share of those above it up to four times as much. Threshold not positive: SQLSTATE 22023. Null when empty.';

CREATE OR REPLACE FUNCTION vigil.max_relative_error(histogram vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_error';
COMMENT ON FUNCTION vigil.max_relative_error(vigil.histogram) IS
  'The largest relative error of a percentile: 0 up to 64 different values, then 0.0054 unless another was asked for or the values span more than 2^256.';

CREATE OR REPLACE FUNCTION vigil.ks_distance(a vigil.histogram, b vigil.histogram) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_ks_distance';
COMMENT ON FUNCTION vigil.ks_distance(vigil.histogram, vigil.histogram) IS
  'Kolmogorov-Smirnov distance: the largest difference between the shares at or below a value; at most the largest share of a bucket too small. Null when either is empty.';

CREATE OR REPLACE FUNCTION vigil.ks_test(a vigil.histogram, b vigil.histogram) RETURNS TABLE (distance double precision, p_value double precision)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1 AS 'MODULE_PATHNAME', 'vigil_histogram_ks_test';
COMMENT ON FUNCTION vigil.ks_test(vigil.histogram, vigil.histogram) IS
  'Kolmogorov-Smirnov test: the distance, and how likely one as large is if both come from one distribution. No row when either is empty.';

CREATE OR REPLACE FUNCTION vigil.buckets(histogram vigil.histogram) RETURNS TABLE (lower double precision, upper double precision, count bigint)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 200 AS 'MODULE_PATHNAME', 'vigil_histogram_buckets';
COMMENT ON FUNCTION vigil.buckets(vigil.histogram) IS
  'The buckets that are not empty, ascending: values above lower and up to upper, at or above lower and below upper when negative, or one value when both are equal.';

CREATE OR REPLACE FUNCTION vigil.show(histogram vigil.histogram, most integer DEFAULT 20) RETURNS TABLE (range text, count bigint, percent double precision, bar text)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 12 AS 'MODULE_PATHNAME', 'vigil_histogram_show';
COMMENT ON FUNCTION vigil.show(vigil.histogram, integer) IS
  'The distribution in at most so many rows, 12 to 1000, drawn as bars, for psql.';

-- Histograms of other systems ----------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION vigil.histogram_from_prometheus(buckets jsonb) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_from_prometheus';
COMMENT ON FUNCTION vigil.histogram_from_prometheus(jsonb) IS
  'Histogram of Prometheus: cumulative counts as {"le": count}, also with sum beside "buckets", or a native histogram with schema, spans and deltas. One that contradicts itself: SQLSTATE 22023; custom buckets or float counts: 0A000.';

CREATE OR REPLACE FUNCTION vigil.histogram_from_prometheus(bounds double precision[], counts bigint[], sum double precision DEFAULT NULL) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_from_classic';
COMMENT ON FUNCTION vigil.histogram_from_prometheus(double precision[], bigint[], double precision) IS
  'Histogram of cumulative counts at ascending upper bounds, the last of which may be infinite; values are taken as evenly spread over their bucket.';

CREATE OR REPLACE FUNCTION vigil.to_prometheus(histogram vigil.histogram, bounds double precision[]) RETURNS jsonb
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_to_prometheus';
COMMENT ON FUNCTION vigil.to_prometheus(vigil.histogram, double precision[]) IS
  'Cumulative counts at these upper bounds and +Inf, with sum and count, as histogram_from_prometheus reads them. Counts are those of values within 0.55 % of the bounds.';

CREATE OR REPLACE FUNCTION vigil.to_prometheus_native(histogram vigil.histogram) RETURNS jsonb
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_histogram_to_native';
COMMENT ON FUNCTION vigil.to_prometheus_native(vigil.histogram) IS
  'The histogram as a Prometheus native histogram: schema, spans and deltas. Scale below -4: SQLSTATE 0A000.';

-- Percentiles in one step --------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION vigil.percentile_add(state vigil.percentile_state, value double precision, fraction double precision)
  RETURNS vigil.percentile_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_add';
CREATE OR REPLACE FUNCTION vigil.percentile_add(state vigil.percentile_state, value double precision, fractions double precision[])
  RETURNS vigil.percentile_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentiles_add';
CREATE OR REPLACE FUNCTION vigil.percentile_merge(state vigil.percentile_state, other vigil.percentile_state)
  RETURNS vigil.percentile_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_merge';
CREATE OR REPLACE FUNCTION vigil.percentile_result(state vigil.percentile_state) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentile_result';
CREATE OR REPLACE FUNCTION vigil.percentiles_result(state vigil.percentile_state) RETURNS double precision[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_percentiles_result';
COMMENT ON FUNCTION vigil.percentile_add(vigil.percentile_state, double precision, double precision) IS 'Step of vigil.approx_percentile.';
COMMENT ON FUNCTION vigil.percentile_add(vigil.percentile_state, double precision, double precision[]) IS 'Step of vigil.approx_percentile for several fractions.';
COMMENT ON FUNCTION vigil.percentile_merge(vigil.percentile_state, vigil.percentile_state) IS 'Combination of partial states of vigil.approx_percentile.';
COMMENT ON FUNCTION vigil.percentile_result(vigil.percentile_state) IS 'Result of vigil.approx_percentile.';
COMMENT ON FUNCTION vigil.percentiles_result(vigil.percentile_state) IS 'Result of vigil.approx_percentile for several fractions.';

CREATE OR REPLACE AGGREGATE vigil.approx_percentile(value double precision, fraction double precision) (
  SFUNC = vigil.percentile_add, STYPE = vigil.percentile_state, COMBINEFUNC = vigil.percentile_merge,
  FINALFUNC = vigil.percentile_result, FINALFUNC_MODIFY = READ_ONLY, SSPACE = 1024,
  MSFUNC = vigil.percentile_frame_add, MINVFUNC = vigil.percentile_frame_remove, MSTYPE = internal,
  MFINALFUNC = vigil.percentile_frame_result, MSSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.approx_percentile(double precision, double precision) IS
  'vigil.percentile of the values that are not null, in one step. The fraction, 0 to 1, must be the same in all rows: SQLSTATE 22023. Null without values or for a null fraction.';

CREATE OR REPLACE AGGREGATE vigil.approx_percentile(value double precision, fractions double precision[]) (
  SFUNC = vigil.percentile_add, STYPE = vigil.percentile_state, COMBINEFUNC = vigil.percentile_merge,
  FINALFUNC = vigil.percentiles_result, FINALFUNC_MODIFY = READ_ONLY, SSPACE = 1024,
  MSFUNC = vigil.percentile_frame_add, MINVFUNC = vigil.percentile_frame_remove, MSTYPE = internal,
  MFINALFUNC = vigil.percentiles_frame_result, MSSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.approx_percentile(double precision, double precision[]) IS
  'The percentiles of several fractions, in their order; null for a null fraction. Up to 1000 fractions: SQLSTATE 54000.';
