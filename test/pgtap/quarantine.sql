-- What waits in quarantine, and for how long.
BEGIN;
\ir include/setup.sql
SELECT plan(13);

SELECT throws_ok($$UPDATE vigil.partition_policy SET keep_quarantined = '90'$$, '23514', NULL, 'issue 5: refused: an interval without a unit');
SELECT results_eq('SELECT parent, keep_quarantined FROM vigil.partition_policy ORDER BY 1', $$VALUES ('errors', interval '90 days'), ('events', '90 days')$$, 'issue 5: 90 days unless a policy says otherwise');

UPDATE vigil.partition_policy SET width = 'day', past = '5 days', ahead = '5 days';
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null
-- Facts of five times, each received long ago and just now.
CREATE TEMP TABLE times AS SELECT * FROM (VALUES
  ('old', now() - interval '1 year'), ('future', now() + interval '1 year'), ('stored', now() - interval '1 day'),
  ('retired', '2020-01-01 12:00'), ('waiting', '2020-01-02 12:00')) AS v (what, at);
INSERT INTO vigil.retired_partitions (parent, partition, starts_at, ends_at, estimated_rows, bytes, closed_at, detached_at, finish_after, finished_at)
SELECT 'events', 'events_' || d, d::timestamptz, d::timestamptz + interval '1 day', 0, 0, now(), now(), now(), f
FROM (VALUES ('2020-01-01', now()), ('2020-01-02', NULL)) AS v (d, f);
INSERT INTO vigil.quarantine (module_id, fact, created_at, received_at, reason, content)
SELECT m::uuid, f, t.at, r.at, 'none', jsonb_build_object('what', t.what, 'new', r.new)
FROM times t, unnest('{events,errors}'::text[]) f, unnest(ARRAY[:m1, :m2]) m, (VALUES (now() - interval '91 days', false), (now() - interval '89 days', true)) AS r (at, new);
CREATE TEMP VIEW left_over AS
SELECT content ->> 'what' AS what, (content ->> 'new')::boolean AS new, fact, count(*) FROM vigil.quarantine GROUP BY 1, 2, 3;

UPDATE vigil.partition_policy SET keep_quarantined = NULL WHERE parent = 'errors';
SELECT is(vigil.expire_quarantine(4), 4::bigint, 'issue 5: in steps');
SELECT is(vigil.expire_quarantine(4), 2::bigint, 'issue 5: until all are gone');
SELECT is(vigil.expire_quarantine(4), 0::bigint, 'issue 5: once');
SELECT is((SELECT sum(count) FROM left_over WHERE new), 20::numeric, 'issue 5: what came later waits');
SELECT is((SELECT sum(count) FROM left_over WHERE fact = 'errors'), 20::numeric, 'issue 5: and what a policy keeps for ever');
SELECT results_eq($$SELECT what FROM left_over WHERE fact = 'events' AND NOT new ORDER BY 1$$, $$VALUES ('stored'), ('waiting')$$, 'issue 5: and what has a partition or is counted when its partition is gone');
SELECT results_eq('SELECT module_id, sum(items) FROM vigil.rejected GROUP BY 1 ORDER BY 1', format('VALUES (%L::uuid, 3::bigint), (%L, 3)', :m1, :m2), 'issue 5: each module is told how many were not stored');
SELECT matches(reason, '^\d events from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d waited in quarantine for longer than 90 days$', 'issue 5: and which') FROM vigil.rejected LIMIT 1;
SELECT matches((SELECT string_agg(problem, ' ') FROM vigil.doctor() WHERE area = 'ingest'), 'expire_quarantine', 'issue 5: and the doctor says so');
SELECT is((SELECT step ~ 'expire_quarantine' FROM vigil.job_settings WHERE name = 'expire'), true, 'issue 5: the job does it');
UPDATE vigil.partition_policy SET keep_quarantined = '90 days';
SELECT is(vigil.expire_quarantine(), 6::bigint, 'issue 5: those of errors as well');

SELECT * FROM finish();
ROLLBACK;
