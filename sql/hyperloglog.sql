CREATE OR REPLACE FUNCTION vigil.hyperloglog_add(state vigil.hyperloglog, value text) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_add_text';
COMMENT ON FUNCTION vigil.hyperloglog_add(vigil.hyperloglog, text) IS 'Step of vigil.distinct_agg.';

CREATE OR REPLACE FUNCTION vigil.hyperloglog_add(state vigil.hyperloglog, value uuid) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_add_uuid';
COMMENT ON FUNCTION vigil.hyperloglog_add(vigil.hyperloglog, uuid) IS 'Step of vigil.distinct_agg.';

CREATE OR REPLACE FUNCTION vigil.hyperloglog_merge(state vigil.hyperloglog, other vigil.hyperloglog) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_merge';
COMMENT ON FUNCTION vigil.hyperloglog_merge(vigil.hyperloglog, vigil.hyperloglog) IS 'Step of vigil.merge_agg and combination of partial sets.';

CREATE OR REPLACE AGGREGATE vigil.distinct_agg(value text) (
  SFUNC = vigil.hyperloglog_add, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 512, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.distinct_agg(text) IS 'Set of the different texts that are not null; see vigil.cardinality.';

CREATE OR REPLACE AGGREGATE vigil.distinct_agg(value uuid) (
  SFUNC = vigil.hyperloglog_add, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 512, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.distinct_agg(uuid) IS 'Set of the different ids that are not null; see vigil.cardinality.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(hyperloglog vigil.hyperloglog) (
  SFUNC = vigil.hyperloglog_merge, STYPE = vigil.hyperloglog, COMBINEFUNC = vigil.hyperloglog_merge,
  SSPACE = 512, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.hyperloglog) IS 'The union of sets; any order of merging gives equal bytes.';

CREATE OR REPLACE FUNCTION vigil.cardinality(hyperloglog vigil.hyperloglog) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_hyperloglog_cardinality';
COMMENT ON FUNCTION vigil.cardinality(vigil.hyperloglog) IS
  'Number of different values: exact up to 512, then estimated with a standard error of 1.6 %.';
