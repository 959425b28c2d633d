CREATE OR REPLACE FUNCTION vigil.cell_add(
    state vigil.cell, created_at timestamptz, name text, success boolean, duration double precision,
    value double precision, memory bigint, site uuid, session text, usr text, country text,
    device text, browser text)
  RETURNS vigil.cell
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_add';
COMMENT ON FUNCTION vigil.cell_add(vigil.cell, timestamptz, text, boolean, double precision, double precision, bigint, uuid, text, text, text, text, text) IS
  'Step of vigil.cell_agg.';

CREATE OR REPLACE FUNCTION vigil.cell_add(
    state vigil.cell, created_at timestamptz, name text, success boolean, duration double precision,
    value double precision, memory bigint, site uuid, session text, usr text, country text,
    device text, browser text, sample_weight double precision)
  RETURNS vigil.cell
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_add';
COMMENT ON FUNCTION vigil.cell_add(vigil.cell, timestamptz, text, boolean, double precision, double precision, bigint, uuid, text, text, text, text, text, double precision) IS
  'Step of vigil.cell_agg with weights.';

CREATE OR REPLACE FUNCTION vigil.cell_merge(state vigil.cell, other vigil.cell) RETURNS vigil.cell
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_merge';
COMMENT ON FUNCTION vigil.cell_merge(vigil.cell, vigil.cell) IS 'Step of vigil.merge_agg and combination of partial cells.';

CREATE OR REPLACE FUNCTION vigil.cell_fold(state vigil.cell) RETURNS vigil.cell
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_fold';
COMMENT ON FUNCTION vigil.cell_fold(vigil.cell) IS
  'Last step: a breakdown keeps its 200 most frequent names, the rest is counted as (other).';

CREATE OR REPLACE AGGREGATE vigil.cell_agg(
    created_at timestamptz, name text, success boolean, duration double precision,
    value double precision, memory bigint, site uuid, session text, usr text, country text,
    device text, browser text) (
  SFUNC = vigil.cell_add, STYPE = vigil.cell, COMBINEFUNC = vigil.cell_merge,
  FINALFUNC = vigil.cell_fold, SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.cell_agg(timestamptz, text, boolean, double precision, double precision, bigint, uuid, text, text, text, text, text) IS
  'Everything a rollup cell holds, in one pass over facts. Durations and values that are not finite count as missing.';

CREATE OR REPLACE AGGREGATE vigil.cell_agg(
    created_at timestamptz, name text, success boolean, duration double precision,
    value double precision, memory bigint, site uuid, session text, usr text, country text,
    device text, browser text, sample_weight double precision) (
  SFUNC = vigil.cell_add, STYPE = vigil.cell, COMBINEFUNC = vigil.cell_merge,
  FINALFUNC = vigil.cell_fold, SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.cell_agg(timestamptz, text, boolean, double precision, double precision, bigint, uuid, text, text, text, text, text, double precision) IS
  'The same for facts of which a sample is stored; a null weight is 1, one that is not between 1 and 1e9 is SQLSTATE 22003.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(cell vigil.cell) (
  SFUNC = vigil.cell_merge, STYPE = vigil.cell, COMBINEFUNC = vigil.cell_merge,
  FINALFUNC = vigil.cell_fold, SSPACE = 1024, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.cell) IS 'The union of cells; any order of merging gives equal bytes.';

CREATE OR REPLACE FUNCTION vigil.cell_number(cell vigil.cell, name text) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_number';
COMMENT ON FUNCTION vigil.cell_number(vigil.cell, text) IS 'A count of the cell: count, successes, failures, memory_count.';

CREATE OR REPLACE FUNCTION vigil.cell_count(cell vigil.cell) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(vigil.cell_number(cell, 'count'), 0) $$;
COMMENT ON FUNCTION vigil.cell_count(vigil.cell) IS 'Number of facts; 0 for null.';

CREATE OR REPLACE FUNCTION vigil.cell_successes(cell vigil.cell) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(vigil.cell_number(cell, 'successes'), 0) $$;
COMMENT ON FUNCTION vigil.cell_successes(vigil.cell) IS 'Number of facts that succeeded; 0 for null.';

CREATE OR REPLACE FUNCTION vigil.cell_weight(cell vigil.cell, name text DEFAULT 'count') RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_weight';
COMMENT ON FUNCTION vigil.cell_weight(vigil.cell, text) IS
  'How many facts those of the cell stand for, as an exact sum of their weights that is rounded once: count, successes or failures. Equal to the count where nothing was sampled.';

CREATE OR REPLACE FUNCTION vigil.cell_time(cell vigil.cell, last boolean) RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_time';
COMMENT ON FUNCTION vigil.cell_time(vigil.cell, boolean) IS 'Event time of the first or the last fact; null when there is none.';

CREATE OR REPLACE FUNCTION vigil.cell_memory_avg(cell vigil.cell) RETURNS double precision
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_memory_avg';
COMMENT ON FUNCTION vigil.cell_memory_avg(vigil.cell) IS 'Mean of the known memory figures, kilobytes; null when there is none.';

CREATE OR REPLACE FUNCTION vigil.cell_memory_max(cell vigil.cell) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_memory_max';
COMMENT ON FUNCTION vigil.cell_memory_max(vigil.cell) IS 'Largest of the known memory figures, kilobytes; null when there is none.';

CREATE OR REPLACE FUNCTION vigil.cell_distribution(cell vigil.cell, name text) RETURNS vigil.histogram
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_distribution';
COMMENT ON FUNCTION vigil.cell_distribution(vigil.cell, text) IS 'A distribution of the cell: duration (milliseconds) or value.';

CREATE OR REPLACE FUNCTION vigil.cell_uniques(cell vigil.cell, name text) RETURNS vigil.hyperloglog
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_uniques';
COMMENT ON FUNCTION vigil.cell_uniques(vigil.cell, text) IS 'A set of the cell: sites, sessions or users.';

CREATE OR REPLACE FUNCTION vigil.cell_breakdown(cell vigil.cell, name text) RETURNS jsonb
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_cell_breakdown';
COMMENT ON FUNCTION vigil.cell_breakdown(vigil.cell, text) IS 'Counts by name as an object: names, countries, devices or browsers.';
