-- Window frames of vigil.histogram_agg, vigil.merge_agg and vigil.approx_percentile: a frame that slides equals one made anew.
BEGIN;
\ir include/setup.sql
SELECT plan(21);

-- Values of several characters, with nulls, duplicates, zeros, negatives and a trend.
CREATE TEMP TABLE series AS
SELECT n, CASE WHEN n % 11 = 0 THEN NULL WHEN n % 7 = 0 THEN n % 5 ELSE CASE WHEN n % 3 = 0 THEN -1 ELSE 1 END * exp(n * 7919 % 1009 / 100.0) END AS x,
       CASE WHEN n % 13 <> 0 THEN (n % 45)::float8 END AS few, sqrt(n) AS rising
FROM generate_series(1, 700) AS n;

-- What a subquery over the rows of the frame gives, against the window function, for each row.
CREATE FUNCTION pg_temp.frames_differ(aggregate text, argument text, before integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM (SELECT n, (%1$s)::text AS slid FROM (SELECT n, %2$s AS v FROM series) t WINDOW w AS (ORDER BY n ROWS BETWEEN %3$s PRECEDING AND CURRENT ROW)) s
    WHERE slid IS DISTINCT FROM (SELECT (%4$s)::text FROM (SELECT n, %2$s AS v FROM series) t WHERE t.n BETWEEN s.n - %3$s AND s.n)',
    format(aggregate, 'OVER w'), argument, before, format(aggregate, '')) INTO result;
  RETURN result;
END $$;

SELECT is(pg_temp.frames_differ('vigil.histogram_agg(v) %s', argument, before), 0::bigint,
  format('S0-61: histogram_agg(%s), %s rows before', argument, before))
FROM unnest('{x,few,rising,abs(x)}'::text[]) AS argument, unnest('{3,60,300}'::integer[]) AS before;
SELECT is(pg_temp.frames_differ('vigil.histogram_agg(v, 0.05) %s', 'x', 100), 0::bigint, 'S0-61: histogram_agg with an error');
SELECT is(pg_temp.frames_differ('vigil.approx_percentile(v, 0.9) %s', 'x', 100), 0::bigint, 'S0-50: approx_percentile');
SELECT is(pg_temp.frames_differ('vigil.approx_percentile(v, ARRAY[0.9, NULL, 0.1]) %s', 'x', 100), 0::bigint, 'S0-50: approx_percentile of several fractions');

CREATE TEMP TABLE minutes AS
SELECT n, CASE WHEN n % 9 <> 0 THEN (SELECT CASE WHEN n % 4 = 0 THEN vigil.histogram_agg(exp(n * i % 97 / 9.0), 0.05) ELSE vigil.histogram_agg(exp(n * i % 97 / 9.0)) END
  FROM generate_series(1, CASE WHEN n % 5 = 0 THEN 90 ELSE n % 6 END) AS i) END AS h
FROM generate_series(1, 200) AS n;
SELECT is((SELECT count(*) FROM (SELECT n, (vigil.merge_agg(h) OVER (ORDER BY n ROWS 5 PRECEDING))::text AS slid FROM minutes) s
  WHERE slid IS DISTINCT FROM (SELECT vigil.merge_agg(h)::text FROM minutes t WHERE t.n BETWEEN s.n - 5 AND s.n)), 0::bigint, 'S0-61: merge_agg');

-- Frames of every kind -----------------------------------------------------------------------------------

SELECT is((SELECT count(*) FROM (SELECT n, vigil.count(vigil.histogram_agg(x) OVER (ORDER BY n ROWS BETWEEN 5 FOLLOWING AND 9 FOLLOWING)) AS a,
    nullif(count(x) OVER (ORDER BY n ROWS BETWEEN 5 FOLLOWING AND 9 FOLLOWING), 0) AS b FROM series) t WHERE a IS DISTINCT FROM b), 0::bigint, 'S0-61: frames that end empty');
SELECT is((SELECT count(*) FROM (SELECT vigil.sum(vigil.histogram_agg(few) OVER w) AS a, sum(few) OVER w AS b FROM series
    WINDOW w AS (PARTITION BY n % 3 ORDER BY n RANGE BETWEEN 40 PRECEDING AND 10 PRECEDING)) t WHERE a IS DISTINCT FROM b), 0::bigint, 'S0-61: a range frame in partitions');
SELECT is((SELECT count(*) FROM (SELECT vigil.sum(vigil.histogram_agg(few) OVER w) AS a, sum(few) OVER w AS b FROM series
    WINDOW w AS (ORDER BY n ROWS BETWEEN 4 PRECEDING AND 4 FOLLOWING EXCLUDE CURRENT ROW)) t WHERE a IS DISTINCT FROM b), 0::bigint, 'S0-61: a frame with a hole');
SELECT results_eq('SELECT vigil.max(vigil.histogram_agg(few) OVER w), (vigil.histogram_agg(few) OVER w)::text = (vigil.histogram_agg(few) OVER w)::text FROM series WINDOW w AS (ORDER BY n ROWS 3 PRECEDING)',
  'SELECT max(few) OVER w, true FROM series WINDOW w AS (ORDER BY n ROWS 3 PRECEDING)', 'S0-61: two aggregates over one frame');
SELECT throws_ok('SELECT vigil.approx_percentile(x, n / 1000.0) OVER (ORDER BY n ROWS 2 PRECEDING) FROM series', '22023', NULL, 'S0-50: fractions must be the same in all rows of a frame');

SELECT * FROM finish();
ROLLBACK;
