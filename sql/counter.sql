CREATE OR REPLACE FUNCTION vigil.counter_add(state vigil.counter, at timestamptz, value double precision) RETURNS vigil.counter
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_add';
COMMENT ON FUNCTION vigil.counter_add(vigil.counter, timestamptz, double precision) IS 'Step of vigil.counter_agg.';

CREATE OR REPLACE FUNCTION vigil.counter_merge(state vigil.counter, other vigil.counter) RETURNS vigil.counter
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_merge';
COMMENT ON FUNCTION vigil.counter_merge(vigil.counter, vigil.counter) IS 'Step of vigil.merge_agg and combination of partial counters.';

CREATE OR REPLACE AGGREGATE vigil.counter_agg(at timestamptz, value double precision) (
  SFUNC = vigil.counter_add, STYPE = vigil.counter, COMBINEFUNC = vigil.counter_merge, SSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.counter_agg(timestamptz, double precision) IS
  'The samples whose time and value are not null, in any order; null without any. NaN and infinities: SQLSTATE 22003; an infinite time: 22008.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(counter vigil.counter) (
  SFUNC = vigil.counter_merge, STYPE = vigil.counter, COMBINEFUNC = vigil.counter_merge, SSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.counter) IS 'The union of samples, also of overlapping times; any order of merging gives equal bytes.';

CREATE OR REPLACE FUNCTION vigil.increase(counter vigil.counter, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL) RETURNS double precision
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_increase';
COMMENT ON FUNCTION vigil.increase(vigil.counter, timestamptz, timestamptz) IS
  'Increase of the counter after "from" up to "to", resets made good, extrapolated to these bounds as Prometheus does; without bounds from the first to the last sample. Null for fewer than two samples. "from" not before "to": SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.rate(counter vigil.counter, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL) RETURNS double precision
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_rate';
COMMENT ON FUNCTION vigil.rate(vigil.counter, timestamptz, timestamptz) IS
  'The increase per second of the range; see vigil.increase.';

CREATE OR REPLACE FUNCTION vigil.idelta(counter vigil.counter, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL) RETURNS double precision
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_idelta';
COMMENT ON FUNCTION vigil.idelta(vigil.counter, timestamptz, timestamptz) IS
  'The last sample after "from" up to "to" less the one before. Null for fewer than two samples.';

CREATE OR REPLACE FUNCTION vigil.irate(counter vigil.counter, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL) RETURNS double precision
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_irate';
COMMENT ON FUNCTION vigil.irate(vigil.counter, timestamptz, timestamptz) IS
  'Increase per second between the last two samples after "from" up to "to". Null for fewer than two samples.';

CREATE OR REPLACE FUNCTION vigil.resets(counter vigil.counter, "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL) RETURNS bigint
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_resets';
COMMENT ON FUNCTION vigil.resets(vigil.counter, timestamptz, timestamptz) IS
  'How often the counter fell after "from" up to "to". Null without a sample.';

CREATE OR REPLACE FUNCTION vigil.count(counter vigil.counter) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_counter_count';
COMMENT ON FUNCTION vigil.count(vigil.counter) IS 'Number of samples.';
