CREATE OR REPLACE FUNCTION vigil.topk_add(state vigil.topk, item text, k integer) RETURNS vigil.topk
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_add';
COMMENT ON FUNCTION vigil.topk_add(vigil.topk, text, integer) IS 'Step of vigil.topk_agg.';

CREATE OR REPLACE FUNCTION vigil.topk_merge(state vigil.topk, other vigil.topk) RETURNS vigil.topk
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_merge';
COMMENT ON FUNCTION vigil.topk_merge(vigil.topk, vigil.topk) IS 'Step of vigil.merge_agg and combination of partial summaries.';

CREATE OR REPLACE AGGREGATE vigil.topk_agg(item text, k integer) (
  SFUNC = vigil.topk_add, STYPE = vigil.topk, COMBINEFUNC = vigil.topk_merge, SSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.topk_agg(text, integer) IS
  'The k most frequent of the texts that are not null; null without any. k outside 1 to 10000, or not the same in all rows: SQLSTATE 22023.';

CREATE OR REPLACE AGGREGATE vigil.merge_agg(topk vigil.topk) (
  SFUNC = vigil.topk_merge, STYPE = vigil.topk, COMBINEFUNC = vigil.topk_merge, SSPACE = 8192, PARALLEL = SAFE
);
COMMENT ON AGGREGATE vigil.merge_agg(vigil.topk) IS 'The union of summaries, with the smallest k of all; the bounds hold for any order of merging.';

CREATE OR REPLACE FUNCTION vigil.topk(topk vigil.topk, n integer DEFAULT NULL)
  RETURNS TABLE (item text, count bigint, error bigint)
  LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 100 AS 'MODULE_PATHNAME', 'vigil_topk_items';
COMMENT ON FUNCTION vigil.topk(vigil.topk, integer) IS
  'The n most frequent items, all without n: each occurred at most count times and at least count - error times. Negative n: SQLSTATE 22023.';

CREATE OR REPLACE FUNCTION vigil.count(topk vigil.topk) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_count';
COMMENT ON FUNCTION vigil.count(vigil.topk) IS 'Number of texts, listed or not.';

CREATE OR REPLACE FUNCTION vigil.max_unlisted(topk vigil.topk) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_topk_max_unlisted';
COMMENT ON FUNCTION vigil.max_unlisted(vigil.topk) IS
  'How often a text that is not listed may have occurred at most, and the largest error: 0 while all are listed, never more than count / k.';
