-- Sampling that any program can repeat.
BEGIN;
\ir include/setup.sql
SELECT plan(17);

CREATE FUNCTION pg_temp.point(id text) RETURNS double precision LANGUAGE sql AS $$
  SELECT (('x' || substr(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 1, 16))::bit(64)::bit(53)::bigint) / 2 ^ 53::double precision
$$;
SELECT is(vigil.sampled(id, rate), pg_temp.point(id) < rate, format('S1-04: %L at %s as plain SQL decides', id, rate))
FROM unnest(ARRAY['', 'abc', 'żółw', '4bf92f3577b34da6a3ce929d0e0e4736']) AS id, unnest(ARRAY[0.1, 0.8]) AS rate;
SELECT is_empty($$SELECT i FROM generate_series(1, 10000) i WHERE vigil.sampled('t' || i, 0.3) <> (pg_temp.point('t' || i) < 0.3)$$, 'S1-04: so are ten thousand');
SELECT cmp_ok(abs(count(*) FILTER (WHERE vigil.sampled('trace ' || i, 0.1)) - 1000), '<=', 100::bigint, 'S1-04: of 10,000 trace ids at 0.1 there are 1000, give or take 100')
FROM generate_series(1, 10000) i;
SELECT is_empty($$SELECT i FROM generate_series(1, 10000) i WHERE vigil.sampled('t' || i, 0.1) AND NOT vigil.sampled('t' || i, 0.2)$$, 'S1-74: a sample is part of a larger one');
SELECT is(ARRAY[vigil.sampled('a', 0), vigil.sampled('a', 1), vigil.sampled(NULL, 1)], ARRAY[false, true, NULL], 'S1-74: none, all, null');
SELECT throws_ok(format('SELECT vigil.sampled(%L, %L)', 'a', rate), '22023', NULL, 'S1-74: no rate is ' || rate) FROM unnest('{-0.1,1.1,NaN}'::text[]) AS rate;
SELECT is(ARRAY[vigil.sample_weight(0.1), vigil.sample_weight(1), vigil.sample_weight(0)], ARRAY[10, 1, NULL]::float8[], 'S1-74: weights');
SELECT cmp_ok(abs(sum(vigil.sample_weight(0.1)) FILTER (WHERE vigil.sampled('trace ' || i, 0.1)) - 10000), '<=', 1000::double precision, 'S1-74: a weighted count is near the truth')
FROM generate_series(1, 10000) i;

SELECT * FROM finish();
ROLLBACK;
