-- vigil.time_bucket: floors in UTC, from an origin, by the clocks of a zone; what it refuses; plans.
BEGIN;
\ir include/setup.sql
SELECT no_plan();

CREATE TEMP TABLE many AS
SELECT '1950-06-01 00:00+00'::timestamptz + n * interval '6 days 7 hours 11 minutes 13.000001 s' AS ts FROM generate_series(0, 5000) AS n
UNION ALL SELECT '2026-03-01 00:00+00'::timestamptz + n * interval '15 minutes' FROM generate_series(0, 96 * 275) AS n;

-- UTC --------------------------------------------------------------------------------------------------

SET LOCAL TimeZone = 'America/New_York';
SELECT is((SELECT count(*) FROM many WHERE vigil.time_bucket(width::interval, ts) <> date_trunc(unit, ts, 'UTC')), 0::bigint, width || ': as date_trunc in UTC, whatever the TimeZone')
FROM (VALUES ('1 second', 'second'), ('1 minute', 'minute'), ('1 hour', 'hour'), ('1 day', 'day'), ('24 hours', 'day'), ('1 week', 'week'), ('1 month', 'month'), ('3 months', 'quarter'), ('1 year', 'year')) AS t (width, unit);
SET LOCAL TimeZone = 'UTC';
SELECT is((SELECT count(*) FROM many WHERE vigil.time_bucket(width, ts, origin) <> date_bin(width, ts, origin)), 0::bigint, format('%s from %s: as date_bin', width, origin))
FROM unnest('{7 minutes,15 minutes,5 days,36 hours,1 day 00:00:00.000001,1 microsecond}'::interval[]) AS width, unnest('{1900-01-01 00:00:00.5,2000-01-03}'::timestamptz[]) AS origin;
SELECT is(vigil.time_bucket(width, ts::timestamptz), expected::timestamptz, format('%s of %s', width, ts))
FROM (VALUES ('1 hour'::interval, '1969-12-31 23:59:59.999999', '1969-12-31 23:00'), ('1 hour', '1999-12-31 23:30', '1999-12-31 23:00'), ('1 hour', '1969-12-31 23:00', '1969-12-31 23:00'),
  ('7 days', '2026-11-20 10:15', '2026-11-16'), ('2 weeks', '2000-01-02', '1999-12-20'), ('1 month', '2024-02-29 10:15', '2024-02-01'), ('5 months', '1999-12-31', '1999-08-01'),
  ('1 century', '1999-12-31', '1900-01-01'), ('10 years', '0004-06-01 BC', '0011-01-01 BC'), ('1 day', '4714-11-24 00:00 BC', '4714-11-24 00:00 BC'), ('1 month', '294276-12-31 23:59:59', '294276-12-01'),
  ('1 day -1 hour', '2000-01-03 23:30', '2000-01-03 23:00')) AS t (width, ts, expected);
SELECT is(vigil.time_bucket(width, ts), ts, format('%s of %s', width, ts)) FROM unnest('{1 hour,1 month}'::interval[]) AS width, unnest('{infinity,-infinity}'::timestamptz[]) AS ts;
SELECT is(vigil.time_bucket('1 hour', 'infinity', '2026-01-01'::timestamptz), 'infinity', 'infinity from an origin');
SELECT is(vigil.time_bucket('1 hour', '-infinity', 'Europe/Berlin'), '-infinity', 'infinity in a zone');
SELECT is(vigil.time_bucket(NULL, now()), NULL, 'no width');
SELECT is(vigil.time_bucket('1 hour', NULL), NULL, 'no time');
SELECT is(vigil.time_bucket('1 hour', now(), NULL::timestamptz), NULL, 'no origin');
SELECT is(vigil.time_bucket('1 hour', now(), NULL::text), NULL, 'no zone');

-- From an origin of months ------------------------------------------------------------------------------

SELECT is(vigil.time_bucket('1 month', ts::timestamptz, '2024-01-31 06:00+00'::timestamptz), expected::timestamptz, 'months from the 31st: ' || ts)
FROM (VALUES ('2024-02-29 06:00', '2024-02-29 06:00'), ('2024-02-29 05:59', '2024-01-31 06:00'), ('2025-03-30', '2025-02-28 06:00'), ('2023-12-31', '2023-11-30 06:00')) AS t (ts, expected);

-- By the clocks of a zone -------------------------------------------------------------------------------

SELECT is((SELECT count(*) FROM many WHERE vigil.time_bucket(width::interval, ts, zone) <> date_trunc(unit, ts, zone)), 0::bigint, format('%s in %s: as date_trunc', width, zone))
FROM (VALUES ('1 hour', 'hour'), ('1 day', 'day'), ('1 week', 'week'), ('1 month', 'month'), ('1 year', 'year')) AS t (width, unit), unnest('{Europe/Berlin,america/new_york,Asia/Kathmandu,UTC,EST5EDT}'::text[]) AS zone
WHERE (width, zone) <> ('1 hour', 'Asia/Kathmandu');
SELECT is((SELECT count(DISTINCT vigil.time_bucket('1 day', ts, 'America/Havana')) FROM generate_series('2019-11-03 04:00+00'::timestamptz, '2019-11-04 04:59+00', '10 minutes') AS ts), 1::bigint, 'a day of 25 hours whose midnight comes twice is one bucket');
SELECT is(vigil.time_bucket('1 day', '2019-11-03 20:00+00', 'America/Havana'), '2019-11-03 04:00+00', 'and begins at the first');
SELECT is(vigil.time_bucket('1 hour', '2026-10-25 00:30+00', 'Europe/Berlin'), '2026-10-25 00:00+00', 'an hour that comes twice, the first');
SELECT is(vigil.time_bucket('1 hour', '2026-10-25 01:30+00', 'Europe/Berlin'), '2026-10-25 01:00+00', 'and the second');
SELECT is(vigil.time_bucket('2 hours', '2026-03-29 01:30+00', 'Europe/Berlin'), '2026-03-29 01:00+00', 'a beginning that was skipped is the moment of the change');
SELECT results_eq('SELECT vigil.time_bucket(''1 day'', ''2026-07-01 23:00+00'', zone) FROM (VALUES (1, ''UTC''), (2, ''Asia/Tokyo''), (3, ''UTC''), (4, ''America/New_York'')) AS t (n, zone) ORDER BY n',
  'VALUES (''2026-07-01 00:00+00''::timestamptz), (''2026-07-01 15:00+00''), (''2026-07-01 00:00+00''), (''2026-07-01 04:00+00'')', 'a zone of each row');

-- Mistakes ----------------------------------------------------------------------------------------------

SELECT throws_ok(format('SELECT vigil.time_bucket(%L, now()%s)', width, third), '22023', NULL, format('the width %s%s is refused', width, third))
FROM unnest('{0,-1 hour,-1 day,-1 month,1 day -24 hours,1 month 1 day,1 month 1 second,1 month -30 days,1 year 1 hour}'::text[]) AS width, unnest('{"",", now()",", ''UTC''"}'::text[]) AS third;
SELECT throws_ok($$ SELECT vigil.time_bucket('-1 hour', now()) $$, '22023', 'width of a time bucket must be greater than zero', 'the message');
SELECT throws_ok($$ SELECT vigil.time_bucket('1 hour', now(), 'Europe/Atlantis') $$, '22023', 'time zone "Europe/Atlantis" not recognized', 'an unknown zone');
SELECT throws_ok($$ SELECT vigil.time_bucket('1 hour', now(), 'infinity'::timestamptz) $$, '22008', NULL, 'an infinite origin');
SELECT throws_ok($$ SELECT vigil.time_bucket('2147483647 days', now()) $$, '22008', NULL, 'a width beyond the range of time');
SELECT throws_ok(format('SELECT vigil.time_bucket(%L, %L)', width, '4714-11-24 00:00+00 BC'), '22008', NULL, 'a beginning before the first timestamp: ' || width) FROM unnest('{6 days,1 month}'::text[]) AS width;
SELECT throws_ok($$ SELECT vigil.time_bucket('1 day', '4714-11-24 00:00+00 BC', 'Asia/Tokyo') $$, '22008', NULL, 'also in a zone');
SELECT results_eq($$ SELECT vigil.time_bucket('1 day', '294276-12-31 23:59:59.999999+00', zone) FROM unnest('{Asia/Tokyo,America/New_York,<+24>-24:59:59}'::text[]) AS zone $$,
  $$ VALUES ('294276-12-31 15:00+00'::timestamptz), ('294276-12-31 05:00+00'), ('294276-12-31 23:00:01+00') $$, 'the last timestamp in any zone');
SELECT is(vigil.time_bucket('1 hour', '1969-12-31 23:59:59.999999+00', 'Europe/Berlin'), '1969-12-31 23:00+00', 'a time before both epochs in a zone');

-- What the planner knows --------------------------------------------------------------------------------

SELECT results_eq($$ SELECT DISTINCT provolatile, proparallel, proisstrict FROM pg_proc WHERE oid::regprocedure::text LIKE 'vigil.time_bucket(%' $$, $$ VALUES ('i'::"char", 's'::"char", true) $$, 'immutable, strict, parallel safe');
SELECT is((SELECT count(*) FROM pg_proc WHERE oid::regprocedure::text LIKE 'vigil.time_bucket(%' AND obj_description(oid) IS NULL), 0::bigint, 'every function says what it does');
SELECT lives_ok($$ CREATE INDEX ON many (vigil.time_bucket('1 day', ts)) $$, 'an index may use it');
CREATE TABLE vigil_dense AS SELECT '2026-01-01 00:00+00'::timestamptz + n * interval '1 minute' AS ts FROM generate_series(1, 50000) AS n;
SET LOCAL work_mem = '64kB';
CREATE STATISTICS vigil_dense_day ON vigil.time_bucket('1 day', ts) FROM vigil_dense;
ANALYZE vigil_dense;
SELECT matches(pg_temp.plan_of($$ SELECT vigil.time_bucket('1 day', ts), vigil.exact_sum_agg(1) FROM vigil_dense GROUP BY 1 $$), '^HashAggregate', 'with statistics on the expression it hashes');

SELECT * FROM finish();
ROLLBACK;
