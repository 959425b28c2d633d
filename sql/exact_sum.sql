CREATE OR REPLACE FUNCTION vigil.exact_sum_add(state vigil.exact_sum, value double precision) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_add';
COMMENT ON FUNCTION vigil.exact_sum_add(vigil.exact_sum, double precision) IS 'Step of vigil.exact_sum_agg.';

CREATE OR REPLACE FUNCTION vigil.exact_sum_merge(state vigil.exact_sum, other vigil.exact_sum) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_merge';
COMMENT ON FUNCTION vigil.exact_sum_merge(vigil.exact_sum, vigil.exact_sum) IS 'Step of vigil.merge_agg and combination of partial sums.';

CREATE OR REPLACE FUNCTION vigil.exact_sum_frame_add(state internal, value double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_frame_add';
COMMENT ON FUNCTION vigil.exact_sum_frame_add(internal, double precision) IS 'Moving step of vigil.exact_sum_agg: a value enters the frame.';

CREATE OR REPLACE FUNCTION vigil.exact_sum_frame_remove(state internal, value double precision) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_frame_remove';
COMMENT ON FUNCTION vigil.exact_sum_frame_remove(internal, double precision) IS 'Inverse step of vigil.exact_sum_agg: a value leaves the frame.';

CREATE OR REPLACE FUNCTION vigil.exact_sum_frame_merge(state internal, other vigil.exact_sum) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_frame_merge';
COMMENT ON FUNCTION vigil.exact_sum_frame_merge(internal, vigil.exact_sum) IS 'Moving step of vigil.merge_agg: a sum enters the frame.';

CREATE OR REPLACE FUNCTION vigil.exact_sum_frame_subtract(state internal, other vigil.exact_sum) RETURNS internal
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_frame_subtract';
COMMENT ON FUNCTION vigil.exact_sum_frame_subtract(internal, vigil.exact_sum) IS 'Inverse step of vigil.merge_agg: a sum leaves the frame.';

CREATE OR REPLACE FUNCTION vigil.exact_sum_frame_result(state internal) RETURNS vigil.exact_sum
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_exact_sum_frame_result';
COMMENT ON FUNCTION vigil.exact_sum_frame_result(internal) IS 'The sum of a moving frame; null when nothing is in it.';

CREATE OR REPLACE AGGREGATE vigil.exact_sum_agg(value double precision) (
  SFUNC = vigil.exact_sum_add, STYPE = vigil.exact_sum, COMBINEFUNC = vigil.exact_sum_merge, SSPACE = 1024,
  MSFUNC = vigil.exact_sum_frame_add, MINVFUNC = vigil.exact_sum_frame_remove, MSTYPE = internal,
  MFINALFUNC = vigil.exact_sum_frame_result, MSSPACE = 256, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.exact_sum_agg(double precision) IS
  'Exact sum of the values that are not null; null without any. NaN and infinities: SQLSTATE 22003.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(exact_sum vigil.exact_sum) (
  SFUNC = vigil.exact_sum_merge, STYPE = vigil.exact_sum, COMBINEFUNC = vigil.exact_sum_merge, SSPACE = 1024,
  MSFUNC = vigil.exact_sum_frame_merge, MINVFUNC = vigil.exact_sum_frame_subtract, MSTYPE = internal,
  MFINALFUNC = vigil.exact_sum_frame_result, MSSPACE = 256, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.exact_sum) IS 'The sum of exact sums; any order of merging gives equal bytes.';
