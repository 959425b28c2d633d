# Late facts of retired times are counted once, whatever is killed meanwhile, and a dump takes them along.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $kills = 4;
my $db = 'postgres';
my $m = MODULE;
my $n = OTHER_MODULE;
my $node = vigil_node('late', conf => "autovacuum_naptime = 1\n");
my $one = sub { return $node->safe_psql($db, $_[0]); };

# A month of facts is retired and dropped; a copy is kept here, and one of whatever comes to quarantine.
$one->(<<"SQL");
UPDATE vigil.partition_policy SET past = '0', ahead = '20 days', retention = '90 days', grace = '0';
SELECT count(*) FROM vigil.maintain_partitions(at => '2025-01-15');
SELECT count(*) FROM vigil.maintain_partitions();
SELECT vigil.set_time_zone('$n', 'Asia/Kolkata');
CREATE FUNCTION send(first integer, last integer) RETURNS vigil.ingest_result LANGUAGE sql AS \$\$
  SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object('moduleId', CASE WHEN h % 3 = 0 THEN '$n' ELSE '$m' END,
    'eventType', (ARRAY['render', 'api_call', 'error', 'custom'])[1 + h % 4], 'eventName', 'n' || h % 7, 'subject', 's' || h % 5,
    'durationMs', h % 90, 'sampleWeight', CASE WHEN h % 5 < 2 THEN vigil.sample_weight(0.3) END, 'sessionId', 'p' || h % 400, 'siteId', md5('site' || h % 9)::uuid,
    'versionId', CASE WHEN h % 3 = 0 THEN md5('version' || h % 2)::uuid END,
    'timestamp', timestamptz '2025-01-10' + h % 500000 * interval '1 second'))
    FROM generate_series(first, last) AS i, abs(hashtext(i::text)::bigint) AS h))
\$\$;
SELECT send(1, 500);
CREATE TABLE copied AS SELECT * FROM vigil.facts;
SELECT vigil.rollup();
SELECT vigil.expire();
CREATE TABLE kept AS SELECT * FROM vigil.quarantine WITH NO DATA;
DO \$\$ BEGIN
  EXECUTE 'CREATE VIEW kept_facts AS ' || replace(pg_get_viewdef('vigil.quarantined_facts'), 'vigil.quarantine q', 'kept q');
END \$\$;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.kept SELECT NEW.*; RETURN NULL; END';
CREATE TRIGGER keep AFTER INSERT ON vigil.quarantine FOR EACH ROW EXECUTE FUNCTION keep();
-- What was counted: all but what still waits.
CREATE VIEW counted AS
SELECT c.* FROM copied c UNION ALL
SELECT module_id, created_at, version_id, event_type, subject, name, success, duration_ms, value, memory_usage_kb, site_id, session_id,
       user_key, country_code, device, browser, sample_weight
FROM kept_facts k WHERE NOT EXISTS (SELECT FROM vigil.quarantine q WHERE q.module_id = k.module_id AND q.id = k.id);
CREATE FUNCTION one_pass(width text) RETURNS TABLE (module_id uuid, bucket timestamptz, version_id uuid, event_type text, subject text, cell text)
LANGUAGE sql AS \$\$
  SELECT c.module_id, date_trunc(width, c.created_at, CASE width WHEN 'hour' THEN 'UTC' ELSE vigil.time_zone_of(c.module_id) END), c.version_id,
         c.event_type, c.subject, vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id,
           session_id, user_key, country_code, device, browser, sample_weight)::text
  FROM counted c GROUP BY 1, 2, 3, 4, 5
\$\$;
CREATE VIEW differences AS
WITH shown AS (SELECT 'hour', module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.hours WHERE bucket < '2025-03-01' UNION ALL
               SELECT 'day', module_id, bucket, version_id, event_type, subject, cell::text FROM vigil.days WHERE bucket < '2025-03-01'),
     made AS (SELECT 'hour', * FROM one_pass('hour') UNION ALL SELECT 'day', * FROM one_pass('day'))
(SELECT * FROM shown EXCEPT ALL SELECT * FROM made) UNION ALL (SELECT * FROM made EXCEPT ALL SELECT * FROM shown);
SQL
1 while $one->(q{SELECT vigil.retire_partitions('2025-06-01')});
is($one->('SELECT count(*) FROM vigil.retired_partitions WHERE finished_at IS NULL'), 0, 'design 5: a month is retired');
is($one->('SELECT (SELECT count(*) FROM differences), count(*) FROM copied'), '0|500', 'design 6: its cells are what its facts made');

# Some send, some count in small turns, some roll up what is new.
my $round = 0;
my %sessions = (
	sender => sub { my $from = 1000 * ++$round; return map { 'SELECT send(' . ($from + 5 * $_) . ', ' . ($from + 5 * $_ + 4) . ');' } 1 .. 190 },
	counter => sub { return ('SELECT vigil.count_late_facts(3);') x 2000 },
	other => sub { return ('SELECT vigil.count_late_facts(11);', 'SELECT pg_sleep(0.001);') x 1000 },
	roller => sub {
		return (qq{SELECT vigil.track_event('{"moduleId": "$m", "eventType": "render", "eventName": "now"}');}, 'SELECT vigil.rollup();') x 500;
	});
for my $kill (1 .. $kills)
{
	my @running = map { start_psql($node, $db, write_script("late.$_.$kill", $sessions{$_}->()), go_on => 1) } sort keys %sessions;
	my $before = $one->('SELECT coalesce(sum(counted), 0) FROM vigil.late_facts');
	ok($node->poll_query_until($db, "SELECT sum(counted) > $before + 60 FROM vigil.late_facts"), "design 6: round $kill: late facts are counted");
	kill_server($node, $kill % 2);
	finish_psql($_) for @running;
	my $started = 0;
	for (1 .. 600)
	{
		last if $started = $node->start(fail_ok => 1);
		select undef, undef, undef, 0.1;
	}
	ok($started, "design 6: round $kill: the server starts again");
	is($one->('SELECT (SELECT count(*) FROM kept) - (SELECT sum(counted + waiting) FROM vigil.late_facts)'), 0, "design 6: round $kill: each is counted or waits, once");
	is($one->('SELECT count(*) FROM differences'), 0, "design 6: round $kill: cells are what one pass makes, byte for byte");
}
1 while $one->('SELECT vigil.count_late_facts()');
is($one->('SELECT count(*) FROM vigil.quarantine'), 0, 'design 6: in the end none waits');
is($one->('SELECT count(*) FROM differences'), 0, 'design 6: and cells are what one pass makes');
cmp_ok($one->('SELECT sum(counted) FROM vigil.late_facts'), '>', 60 * $kills, 'design 6: late facts are visible as such');

# A dump.
my $dump = "$PostgreSQL::Test::Utils::tmp_check/late.sql";
my $shown = 'SELECT l FROM vigil.late_facts l ORDER BY l; SELECT h.bucket, h.cell::text FROM vigil.hours h ORDER BY 1, 2; SELECT count(*) FROM differences';
$one->('CREATE DATABASE copy');
$one->(q{SELECT send(90001, 90030)});
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr($db) ], 'a dump');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restores');
is($node->safe_psql('copy', $shown), $one->($shown), 'design 6: a dump takes late facts along, counted and waiting');
is($node->safe_psql('copy', 'SELECT vigil.count_late_facts()'), 30, 'design 6: and those that waited are counted there');
is($node->safe_psql('copy', 'SELECT count(*) FROM differences'), 0, 'design 6: exactly');

# Hours expire, in turns with kills between; days stay, and so do they in a dump.
my $total = $one->('SELECT sum(vigil.cell_count(cell)) FROM vigil.days');
$one->(q{UPDATE vigil.cell_policy SET hours = now() - timestamptz '2025-01-13'});
for my $immediate (0, 1)
{
	my $running = start_psql($node, $db, write_script("expire.$immediate", ('SELECT vigil.expire();', q{SELECT vigil.delete_cells('vigil.cells_hour', hour_floor, 40) FROM vigil.rollup_state;}) x 200), go_on => 1);
	ok($node->poll_query_until($db, q{SELECT hour_floor = '2025-01-13' FROM vigil.rollup_state}), 'issue 5: the floor of hours rises');
	kill_server($node, $immediate);
	finish_psql($running);
	for (1 .. 600)
	{
		last if $node->start(fail_ok => 1);
		select undef, undef, undef, 0.1;
	}
	is($one->(q{SELECT count(*) FROM differences d WHERE d."?column?" = 'day'}), 0, 'issue 5: days are what one pass makes');
}
1 while $one->('SELECT vigil.expire()');
is($one->(q{SELECT count(*) FROM vigil.cells_hour WHERE bucket < '2025-01-13'}), 0, 'issue 5: hours are gone');
$shown = 'SELECT * FROM vigil.cell_policy; SELECT hour_floor FROM vigil.rollup_state; SELECT d.module_id, d.bucket, d.cell::text FROM vigil.days d ORDER BY 1, 2, 3';
$one->('CREATE DATABASE second');
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr($db) ], 'a dump');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('second') ], 'restores');
is($node->safe_psql('second', $shown), $one->($shown), 'issue 5: a dump takes the policy, the floor and final days along');
$node->safe_psql('second', "SELECT vigil.set_time_zone('$m', 'America/New_York'), vigil.set_time_zone('$m', 'Pacific/Auckland')");
is($node->safe_psql('second', 'SELECT sum(vigil.cell_count(cell)) FROM vigil.days'), $total, 'issue 5: there, too, a change of the zone loses none');

$node->stop;
done_testing();
