# vigil.events and vigil.errors are tables that their owner writes with any statement: after each, the
# views must equal what the raw rows say, with marks open and rolled up.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = vigil_node('direct', conf => "max_prepared_transactions = 2\n");
my $db = 'postgres';
install_recompute($node, $db);

# Times are counted from a fixed minute of the recent past, so that no step meets a moving clock.
my $sql = sub { return $node->safe_psql($db, "SET TIME ZONE 'UTC'; $_[0]"); };
$sql->(q{
CREATE TABLE clock AS SELECT date_trunc('hour', now() - interval '5 hours', 'UTC') AS zero;
CREATE FUNCTION at(minutes numeric) RETURNS timestamptz LANGUAGE sql STABLE AS
  $$ SELECT zero + minutes * interval '1 minute' FROM clock $$;
SELECT vigil.maintain_partitions();
});
my $m = MODULE;
my $n = OTHER_MODULE;
my $version = '00000000-0000-4000-8000-0000000000f1';
my $partition = $sql->(q{SELECT 'vigil.' || partition FROM vigil.partitions, clock
  WHERE parent = 'events' AND starts_at <= zero AND ends_at > zero});
my $past = $sql->(q{SELECT 'vigil.' || partition FROM vigil.partitions
  WHERE parent = 'events' AND ends_at <= now() ORDER BY ends_at DESC LIMIT 1});
my $past_at = $sql->(q{SELECT ends_at - interval '3 hours' FROM vigil.partitions
  WHERE parent = 'events' AND ends_at <= now() ORDER BY ends_at DESC LIMIT 1});

$sql->(qq{
INSERT INTO vigil.modules (module_id, time_zone) VALUES ('$n', 'Asia/Kolkata');
INSERT INTO vigil.events (module_id, created_at, version_id, site_id, event_type, event_name, session_id,
                          duration_ms, memory_usage_kb, country_code, device_type, browser, payload)
SELECT (ARRAY['$m', '$n'])[1 + i % 2]::uuid, at(i * 0.37), (ARRAY['$version', NULL])[1 + i % 2]::uuid,
       ('00000000-0000-4000-8000-' || lpad((i % 17)::text, 12, '0'))::uuid,
       (ARRAY['render', 'api_call', 'user_interaction', 'error', 'custom'])[1 + i % 5],
       (ARRAY['done', 'api_success', 'click', 'error', 'api_error', 'other'])[1 + i % 6],
       's' || i % 29, (i % 40) * 0.25, (i % 7) * 1024, (ARRAY['DE', 'FR', NULL])[1 + i % 3],
       (ARRAY['desktop', NULL])[1 + i % 2], (ARRAY['Firefox', 'Safari'])[1 + i % 2],
       CASE WHEN i % 4 = 0 THEN jsonb_build_object('errorName', 'E' || i % 3) ELSE '{}' END
FROM generate_series(1, 600) i;
});
is($sql->('SELECT count(*) FROM vigil.events'), 600, 'S0-118 INSERT of 600 events by the owner');
same_as_raw($node, $db, 'S0-118 INSERT on the parent');

my $rows = $sql->(q{SELECT count(*) FROM recompute.hourly WHERE version_id IS NOT NULL});
cmp_ok($rows, '>', 3, 'the comparison covers single versions');

# What is copied: 300 lines as a bulk loader writes them.
my $copy = sub {
	my ($table) = @_;
	my $lines = $sql->(qq{SELECT string_agg(format(E'\%s\\t\%s\\trender\\tdone\\t\%s', '$m', at(i * 0.9), i % 40 * 0.25),
	  E'\\n') FROM generate_series(1, 300) i});
	$node->safe_psql($db, "COPY $table (module_id, created_at, event_type, event_name, duration_ms) FROM stdin;\n$lines\n\\.\n");
};
$copy->('vigil.events');
same_as_raw($node, $db, 'S0-118 COPY to the parent');
$copy->($partition);
same_as_raw($node, $db, 'S0-118 COPY to a partition');

my @steps = (
	[ 'UPDATE of measures', qq{UPDATE vigil.events SET duration_ms = duration_ms + 1, country_code = 'JP'
	    WHERE event_type = 'render' AND created_at < at(30)} ],
	[ 'UPDATE that moves rows to other minutes, hours and days',
		q{UPDATE vigil.events SET created_at = created_at - interval '27 hours' WHERE session_id = 's3'} ],
	[ 'UPDATE that moves rows to another partition',
		qq{UPDATE vigil.events SET created_at = '$past_at' WHERE session_id = 's4'} ],
	[ 'UPDATE that moves rows to another module, version and type',
		qq{UPDATE vigil.events SET module_id = '$n', version_id = NULL, event_type = 'render' WHERE session_id = 's5'} ],
	[ 'UPDATE of a partition', qq{UPDATE $partition SET event_name = 'renamed' WHERE event_type = 'user_interaction'} ],
	[ 'DELETE of some rows', q{DELETE FROM vigil.events WHERE session_id IN ('s6', 's7')} ],
	[ 'DELETE of all rows of an hour', q{DELETE FROM vigil.events WHERE created_at >= at(60) AND created_at < at(120)} ],
	[ 'DELETE from a partition', qq{DELETE FROM $partition WHERE session_id = 's8'} ],
	[ 'INSERT into a partition', qq{INSERT INTO $partition (module_id, created_at, event_type, event_name)
	    SELECT '$n', at(60 + i), 'render', 'done' FROM generate_series(1, 5) i} ],
	[ 'INSERT ON CONFLICT DO UPDATE', qq{INSERT INTO $partition SELECT * FROM $partition WHERE session_id = 's9'
	    ON CONFLICT (module_id, created_at, id) DO UPDATE SET event_type = 'api_call', success = true} ],
	[ 'MERGE', q{MERGE INTO vigil.events e USING (SELECT DISTINCT ON (id) * FROM vigil.events) s
	      ON e.module_id = s.module_id AND e.created_at = s.created_at AND e.id = s.id
	    WHEN MATCHED AND s.session_id = 's10' THEN DELETE
	    WHEN MATCHED AND s.session_id = 's11' THEN UPDATE SET created_at = e.created_at + interval '61 minutes'} ],
	[ 'WITH that inserts, updates and deletes', qq{WITH gone AS (DELETE FROM vigil.events WHERE session_id = 's12' RETURNING *),
	    changed AS (UPDATE vigil.events SET memory_usage_kb = 1 WHERE session_id = 's13' RETURNING 1)
	    INSERT INTO vigil.errors (module_id, created_at, error_type, error_name, error_message, fingerprint, site_id)
	    SELECT module_id, created_at + interval '1 hour', 'api', 'Gone', 'x', 'f1', site_id FROM gone} ],
	[ 'UPDATE and DELETE of errors', q{UPDATE vigil.errors SET fingerprint = 'f2' WHERE created_at < at(70);
	    DELETE FROM vigil.errors WHERE fingerprint = 'f2' AND module_id = (SELECT min(module_id::text)::uuid FROM vigil.errors)} ],
	[ 'several statements and a savepoint in one transaction', qq{BEGIN;
	    INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES ('$m', at(7), 'render', 'kept');
	    SAVEPOINT s; DELETE FROM vigil.events; ROLLBACK TO s;
	    UPDATE vigil.events SET created_at = at(8) WHERE event_name = 'kept'; COMMIT} ],
	[ 'a change of the time zone', q{UPDATE vigil.modules SET time_zone = 'America/St_Johns'} ],
	[ 'the end of a time zone', q{DELETE FROM vigil.modules} ]);
for my $step (@steps)
{
	my ($name, $statement) = @$step;
	$sql->($statement);
	same_as_raw($node, $db, "S0-118 $name");
}

# A session remembers what its transaction marked: the next one must not rely on it.
$sql->(qq{
BEGIN; INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES ('$m', at(9), 'render', 'one'); ROLLBACK;
BEGIN; INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES ('$m', at(9), 'render', 'two'); COMMIT;
});
same_as_raw($node, $db, 'S0-118 a transaction that rolled back, and one after it');
$sql->(qq{
BEGIN; INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES ('$m', at(9), 'render', 'three');
PREPARE TRANSACTION 'waits';
INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES ('$m', at(9), 'render', 'four');
});
same_as_raw($node, $db, 'S0-118 a prepared transaction, and one after it in the same session');
$sql->(q{COMMIT PREPARED 'waits'});
same_as_raw($node, $db, 'S0-118 COMMIT PREPARED');

# --- Tables that come and go with their rows ------------------------------------------------------

$sql->(qq{
CREATE TABLE filled (LIKE vigil.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO filled (module_id, created_at, event_type, event_name, duration_ms)
SELECT '$m', timestamptz '2020-01-15 10:00Z' + i * interval '7 minutes', 'render', 'done', i % 10
FROM generate_series(1, 200) i;
SELECT vigil.index_partition('events', 'filled');
ALTER TABLE vigil.events ATTACH PARTITION filled FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z');
});
is($sql->(qq{SELECT vigil.mark_dirty('$m', '2020-01-15 10:00Z', '2020-01-16 12:00Z')}), 26 * 60,
	'S0-118 mark_dirty() marks the minutes of an attached table');
same_as_raw($node, $db, 'S0-118 ATTACH of a filled table');

# Minute cells expire; what changes later is read from raw rows.
$sql->('SELECT vigil.expire()');
same_as_raw($node, $db, 'S0-118 minute cells have expired');
$sql->(q{SELECT vigil.watch_table('filled'); UPDATE filled SET duration_ms = 3 WHERE duration_ms = 9});
same_as_raw($node, $db, 'S0-118 UPDATE older than the minute cells');
$sql->(q{DELETE FROM vigil.events WHERE created_at < timestamptz '2020-01-15 12:00Z'});
same_as_raw($node, $db, 'S0-118 DELETE older than the minute cells');

my $history = sub {
	return $sql->(q{SELECT 'day', v.* FROM vigil.module_analytics_daily v WHERE date_bucket < '2020-02-01'
	  UNION ALL SELECT 'hours', NULL, module_id, version_id, NULL, count(*), sum(total_renders), NULL, NULL, NULL, NULL,
	    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	  FROM vigil.module_analytics_hourly WHERE hour_bucket < '2020-02-01' GROUP BY module_id, version_id});
};
my $before = $history->();
like($before, qr/^day\|.*^hours\|/ms, 'there is history to lose');
$sql->('ALTER TABLE vigil.events DETACH PARTITION filled; DROP TABLE filled');
is($history->(), $before, 'S0-118 day rows are unchanged when the raw partition is dropped');
roll_up($node, $db);
is($history->(), $before, 'S0-118 ... and by a roll-up');

# --- TRUNCATE ------------------------------------------------------------------------------------

$sql->("TRUNCATE $past");
is($sql->("SELECT count(*) FROM $past"), 0, 'TRUNCATE of a partition');
is($history->(), $before, 'S0-118 TRUNCATE of a partition leaves the rows of dropped partitions alone');
roll_up($node, $db);
is($history->(), $before, 'S0-118 ... and so does the roll-up after it');
$sql->(qq{BEGIN; TRUNCATE vigil.events;
  INSERT INTO vigil.events (module_id, created_at, event_type, event_name) VALUES ('$m', at(1), 'render', 'new'); COMMIT});
is($sql->(q{SELECT sum(total_renders) FROM vigil.module_analytics_hourly
  WHERE version_id IS NULL AND hour_bucket > '2021-01-01'}), 1, 'S0-118 TRUNCATE of the parent, then an INSERT');
is($history->(), $before, 'S0-118 TRUNCATE of the parent leaves the rows of dropped partitions alone');
roll_up($node, $db);
is($history->(), $before, 'S0-118 ... and so does the roll-up after it');
$sql->(q{DELETE FROM vigil.cells WHERE bucket < '2020-02-02'});
same_as_raw($node, $db, 'S0-118 TRUNCATE');
$sql->('TRUNCATE vigil.events, vigil.errors');
same_as_raw($node, $db, 'S0-118 TRUNCATE of both tables');
is($sql->('SELECT count(*) FROM vigil.cells'), 0, 'S0-118 nothing is left of truncated tables');

$node->stop;
done_testing();
