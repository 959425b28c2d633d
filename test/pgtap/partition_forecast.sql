-- How much disk will be needed: by the trend of what there is, against sums by hand.
BEGIN;
\ir include/setup.sql
SELECT plan(13);

SELECT is(vigil.reached_at('2025-01-01', 100, 10, 0), '2025-01-11', 'S4-96: 100 bytes at 10 a day take ten days');
SELECT is(vigil.reached_at('2025-01-01', 150, 10, 1), '2025-01-11', 'S4-96: 150 bytes, and one more every day, too');
SELECT is(vigil.reached_at('2025-01-01', 50, 10, -1), '2025-01-11', 'S4-96: 50 bytes and one less every day, too');
SELECT is(vigil.reached_at('2025-01-01', 51, 10, -1), NULL, 'S4-96: 51 would never come');
SELECT is(vigil.reached_at('2025-01-01', 100, 0, 0), NULL, 'S4-96: nor anything if nothing comes');
SELECT is(vigil.reached_at('2025-01-01', 1, 0, 0.0000000001), NULL, 'S4-96: nor what takes more than a century');
SELECT is(vigil.reached_at('2025-01-01', -1, 0, 0), '2025-01-01', 'S4-96: what is reached is reached');

-- Partitions of known sizes, day by day: n times 800 kB.
CREATE SCHEMA shop;
CREATE TABLE shop.big (at timestamptz, filler text) PARTITION BY RANGE (at);
ALTER TABLE shop.big ALTER filler SET STORAGE external;
SELECT vigil.manage_table('shop.big', 'day', '1 day', '5 days', retention => '29 days') \g /dev/null
SELECT sum(vigil.keep_managed_tables('2025-05-10 00:00')) FROM generate_series(1, 10) \g /dev/null
INSERT INTO shop.big SELECT '2025-05-05'::timestamptz + n * '1 day'::interval, repeat('x', 400000) FROM generate_series(0, 4) n, generate_series(0, n * 2 + 1);
CREATE FUNCTION pg_temp.near(a numeric, b numeric) RETURNS boolean LANGUAGE sql AS $$ SELECT abs(a - b) < 0.15 * abs(b) $$;
SELECT is((SELECT pg_temp.near(bytes, 12.4e6) FROM vigil.partition_forecast(NULL, '2025-05-10') WHERE parent = 'shop.big'), true, 'S4-96: what there is');
SELECT is((SELECT pg_temp.near(growth_per_day, 0.83e6) AND pg_temp.near(bytes_per_day, 4.5e6) FROM vigil.partition_forecast(NULL, '2025-05-10') WHERE parent = 'shop.big'), true,
  'S4-96: what comes on a day now, and how that grows');
SELECT is((SELECT pg_temp.near(steady_bytes, 30 * bytes_per_day) FROM vigil.partition_forecast(NULL, '2025-05-10') WHERE parent = 'shop.big'), true, 'S4-96: what retention will hold');
UPDATE vigil.managed_tables SET max_bytes = 40000000;
SELECT is((SELECT reached_at BETWEEN '2025-05-13' AND '2025-05-16' AND steady_bytes = 40000000 FROM vigil.partition_forecast(NULL, '2025-05-10') WHERE parent = 'shop.big'), true, 'S4-96: when the limit is reached');
SELECT is((SELECT reached_at BETWEEN '2025-05-13' AND '2025-05-16' FROM vigil.partition_forecast(30000000, '2025-05-10') WHERE parent IS NULL), true, 'S4-96: when the disk is full');
SELECT is((SELECT count(*) FROM vigil.partition_forecast() WHERE bytes_per_day IS NULL), 2::bigint, 'S4-96: nothing is foretold from nothing');

SELECT * FROM finish();
ROLLBACK;
