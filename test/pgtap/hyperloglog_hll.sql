-- vigil.hyperloglog and postgresql-hll read each other's bytes, and build the same ones from the same values.
BEGIN;
\ir include/setup.sql
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hll') AS present \gset
\if :present
CREATE EXTENSION hll;
SELECT no_plan();

CREATE TEMP TABLE numbers AS SELECT n, md5(n::text)::uuid AS id, to_timestamp(n) AS at FROM generate_series(1, 100000) AS n;
CREATE TEMP TABLE built AS
SELECT size, log2m, (SELECT hll_add_agg(hll_hash_text(n::text), log2m, 5, 0, 1) FROM numbers WHERE n <= size) AS theirs,
       (SELECT vigil.distinct_agg(n::text, log2m) FROM numbers WHERE n <= size) AS ours
FROM unnest('{1,2,5,32,100,320,512,513,700,900,1204,1205,1300,2000,5000,10000,30000,100000}'::integer[]) AS size, unnest('{12,11,14}'::integer[]) AS log2m;

SELECT is(ours::bytea, hll_send(theirs), format('hll: the same bytes from %s texts, log2m %s', size, log2m)) FROM built;
SELECT ok(hll_eq(ours::bytea::hll, theirs), format('hll: which it finds equal: %s, log2m %s', size, log2m)) FROM built;
SELECT is(hll_send(theirs)::vigil.hyperloglog::bytea, hll_send(theirs), format('hll: its bytes come back: %s, log2m %s', size, log2m)) FROM built;
SELECT is((ours OPERATOR(vigil.|) hll_send(theirs)::vigil.hyperloglog)::bytea, hll_send(hll_union(ours::bytea::hll, theirs)), format('hll: the same union: %s, log2m %s', size, log2m)) FROM built;

-- The number that both tell of the same bytes. Ours is a whole number, so that half a value comes in. From half a value to seven values for each
-- register, the original estimator is less precise and biased by up to 1.5 %: there ours is another one.
CREATE TEMP TABLE told AS
SELECT size, log2m, hll_cardinality(ours::bytea::hll) AS theirs, vigil.cardinality(ours::bytea::vigil.hyperloglog) AS ours,
       vigil.relative_error(ours::bytea::vigil.hyperloglog) AS error, size BETWEEN 0.45 * 2 ^ log2m AND 7 * 2 ^ log2m AS differ FROM built;
SELECT ok(abs(ours - theirs) <= 0.5 + 0.0001 * theirs, format('hll: the same number from %s texts: %s, log2m %s', size, theirs, log2m)) FROM told WHERE NOT differ;
SELECT ok(abs(vigil.original_cardinality(b.ours) / t.theirs - 1) <= 0.0001, format('hll: its number from %s texts, within 0.01 %%: %s, log2m %s', size, t.theirs, log2m))
FROM told t JOIN built b USING (size, log2m);
SELECT ok(abs(ours / theirs - 1) <= 4 * error, format('hll: as near as can be expected from %s texts: %s and %s, log2m %s', size, theirs, ours, log2m)) FROM told WHERE differ;

-- Its default parameters: log2m 11, whole hashes while there are few; so all four kinds.
CREATE TEMP TABLE defaults AS SELECT size, coalesce((SELECT hll_add_agg(hll_hash_bigint(n)) FROM numbers WHERE n <= size), hll_empty()) AS theirs
FROM unnest('{0,1,2,100,160,161,400,1000,50000}'::integer[]) AS size;
SELECT is((SELECT array_agg(DISTINCT get_byte(hll_send(theirs), 0) & 15) FROM defaults), '{1,2,3,4}', 'hll: empty, explicit, sparse and full');
SELECT is(hll_send(theirs)::vigil.hyperloglog::bytea, hll_send(theirs), 'hll: its bytes come back with its parameters: ' || size) FROM defaults;
SELECT is(vigil.cardinality(hll_send(theirs)::vigil.hyperloglog), round(hll_cardinality(theirs))::bigint, 'hll: and tell the same number: ' || size) FROM defaults;
SELECT ok(abs(vigil.original_cardinality(hll_send(theirs)::vigil.hyperloglog) - hll_cardinality(theirs)) <= 0.0001 * hll_cardinality(theirs), 'hll: within 0.01 %: ' || size) FROM defaults;
-- Many values in few registers: where a register can tell no more.
SELECT ok(abs(vigil.original_cardinality(hll_send(h)::vigil.hyperloglog) / hll_cardinality(h) - 1) <= 0.0001, format('hll: within 0.01 %%, log2m %s, regwidth %s: %s', m, w, hll_cardinality(h)))
FROM unnest('{4,5,6,8}'::integer[]) AS m, unnest('{4,5}'::integer[]) AS w, LATERAL (SELECT hll_add_agg(hll_hash_bigint(n), m, w, 0, 1) AS h FROM numbers) AS t;
SELECT is((SELECT vigil.merge_agg(hll_send(theirs)::vigil.hyperloglog)::bytea FROM defaults WHERE size <= 160), (SELECT hll_send(theirs) FROM defaults WHERE size = 160), 'hll: they merge');

-- Hashes of each type it has a function for.
SELECT is(ours::bytea, hll_send(theirs), 'hll: the same bytes from values of type ' || type) FROM (
  SELECT 'bytea', vigil.distinct_agg(n::text::bytea), hll_add_agg(hll_hash_bytea(n::text::bytea), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'varchar', vigil.distinct_agg(n::varchar), hll_add_agg(hll_hash_text(n::varchar), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'bigint', vigil.distinct_agg(-n::bigint), hll_add_agg(hll_hash_bigint(-n), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'integer', vigil.distinct_agg(-n), hll_add_agg(hll_hash_integer(-n), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'smallint', vigil.distinct_agg((n % 9999 - 5000)::smallint), hll_add_agg(hll_hash_smallint((n % 9999 - 5000)::smallint), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'boolean', vigil.distinct_agg(n % 2 = 0), hll_add_agg(hll_hash_boolean(n % 2 = 0), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'uuid', vigil.distinct_agg(id), hll_add_agg(hll_hash_any(id), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'timestamptz', vigil.distinct_agg(at), hll_add_agg(hll_hash_any(at), 12, 5, 0, 1) FROM numbers
  UNION ALL SELECT 'date', vigil.distinct_agg(at::date), hll_add_agg(hll_hash_any(at::date), 12, 5, 0, 1) FROM numbers) AS t (type, ours, theirs);

SELECT * FROM finish();
\else
SELECT plan(1);
SELECT skip('the extension hll is not available: install postgresql-<version>-hll', 1);
SELECT * FROM finish();
\endif
ROLLBACK;
