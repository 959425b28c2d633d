CREATE OR REPLACE FUNCTION vigil.hyperloglog_add(state vigil.hyperloglog, value text) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_add';
CREATE OR REPLACE FUNCTION vigil.hyperloglog_add(state vigil.hyperloglog, value text, log2m integer) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_add_sized';
COMMENT ON FUNCTION vigil.hyperloglog_add(vigil.hyperloglog, text) IS 'Step of vigil.distinct_agg.';
COMMENT ON FUNCTION vigil.hyperloglog_add(vigil.hyperloglog, text, integer) IS 'Step of vigil.distinct_agg.';

CREATE OR REPLACE FUNCTION vigil.hyperloglog_add(state vigil.hyperloglog, value anyelement) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_add';
CREATE OR REPLACE FUNCTION vigil.hyperloglog_add(state vigil.hyperloglog, value anyelement, log2m integer) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_add_sized';
COMMENT ON FUNCTION vigil.hyperloglog_add(vigil.hyperloglog, anyelement) IS 'Step of vigil.distinct_agg.';
COMMENT ON FUNCTION vigil.hyperloglog_add(vigil.hyperloglog, anyelement, integer) IS 'Step of vigil.distinct_agg.';

CREATE OR REPLACE FUNCTION vigil.hyperloglog_merge(state vigil.hyperloglog, other vigil.hyperloglog) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_merge';
COMMENT ON FUNCTION vigil.hyperloglog_merge(vigil.hyperloglog, vigil.hyperloglog) IS 'Step of vigil.merge_agg and combination of partial sets.';

-- The variants for text are there for literals, whose type is not known yet.
CREATE OR REPLACE AGGREGATE vigil.distinct_agg(value text) (
  SFUNC = vigil.hyperloglog_add, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 1024, PARALLEL = SAFE
);
CREATE OR REPLACE AGGREGATE vigil.distinct_agg(value text, log2m integer) (
  SFUNC = vigil.hyperloglog_add, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.distinct_agg(text) IS
  'Set of the different texts that are not null; null without any. See vigil.cardinality.';
COMMENT ON AGGREGATE vigil.distinct_agg(text, integer) IS
  'Set of the different texts that are not null, with 2^log2m registers; null without any. log2m outside 4 to 17, or not the same in all rows: SQLSTATE 22023.';

CREATE OR REPLACE AGGREGATE vigil.distinct_agg(value anyelement) (
  SFUNC = vigil.hyperloglog_add, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 1024, PARALLEL = SAFE
);
CREATE OR REPLACE AGGREGATE vigil.distinct_agg(value anyelement, log2m integer) (
  SFUNC = vigil.hyperloglog_add, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.distinct_agg(anyelement) IS
  'Set of the different values that are not null; null without any. See vigil.cardinality. A type that cannot be hashed: SQLSTATE 0A000.';
COMMENT ON AGGREGATE vigil.distinct_agg(anyelement, integer) IS
  'Set of the different values that are not null, with 2^log2m registers; null without any. log2m outside 4 to 17, or not the same in all rows: SQLSTATE 22023.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(hyperloglog vigil.hyperloglog) (
  SFUNC = vigil.hyperloglog_merge, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.hyperloglog) IS
  'The union of sets; null without any; any order of merging gives equal bytes. Different parameters: SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.cardinality(hyperloglog vigil.hyperloglog) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_cardinality';
COMMENT ON FUNCTION vigil.cardinality(vigil.hyperloglog) IS
  'Number of different values: exact up to 512, then estimated with a standard error of 1.6 %. 2^63 or more: SQLSTATE 22003.';

CREATE OR REPLACE FUNCTION vigil.original_cardinality(hyperloglog vigil.hyperloglog) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_original_cardinality';
COMMENT ON FUNCTION vigil.original_cardinality(vigil.hyperloglog) IS
  'The number that postgresql-hll''s hll_cardinality tells of the same set: less precise than vigil.cardinality, to compare with figures that were made there.';

CREATE OR REPLACE FUNCTION vigil.relative_error(hyperloglog vigil.hyperloglog) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_relative_error';
COMMENT ON FUNCTION vigil.relative_error(vigil.hyperloglog) IS
  'Standard error of vigil.cardinality, relative to it: 0 while it is exact, then 1.04 / sqrt(2^log2m).';

CREATE OR REPLACE FUNCTION vigil.intersection_cardinality(a vigil.hyperloglog, b vigil.hyperloglog,
                                                          OUT estimate double precision, OUT standard_error double precision)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_intersection';
COMMENT ON FUNCTION vigil.intersection_cardinality(vigil.hyperloglog, vigil.hyperloglog) IS
  'How many values two sets have in common, with the standard error of that number: 0 while both are exact. Different parameters: SQLSTATE 22023.';
