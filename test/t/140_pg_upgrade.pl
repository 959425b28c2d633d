# pg_upgrade from an older PostgreSQL: the cluster goes on where it ended, with open marks, facts in quarantine, retired
# partitions and values of our types in tables of users. The environment's `oldinstall` names the older installation,
# which has the extension; scripts/matrix sets it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $oldinstall = $ENV{oldinstall} or plan skip_all => 'oldinstall names no older PostgreSQL';
my $m = MODULE;
my $n = OTHER_MODULE;
my $db = 'postgres';
my $old = vigil_node('old', install_path => $oldinstall, no_extension => 1);
my $new = vigil_node('new', preload => 1, no_extension => 1, upgraded => 1, conf => "vigil.workers = off\n");
$new->stop;

# --- A cluster with some of everything ---------------------------------------------------------------

my $batch = sub {
	my ($from, $to) = @_;
	return qq{SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object('moduleId', (ARRAY['$m', '$n'])[1 + i % 2],
	  'eventType', (ARRAY['render', 'api_call', 'user_interaction'])[1 + i % 3], 'eventName', 'api_success', 'durationMs', i % 30,
	  'externalId', 'e' || i, 'sessionId', 's' || i % 20, 'ipAddress', '203.0.113.' || i % 5,
	  'createdAt', now() - i * interval '11 minutes')) FROM generate_series($from, $to) i))};
};
my $error = sub {
	return qq{SELECT vigil.track_error(jsonb_build_object('moduleId', '$m', 'errorType', 'api', 'errorName', 'E' || i % 3,
	  'errorMessage', 'x', 'ipAddress', '203.0.113.9', 'createdAt', now() - i * interval '7 hours')) FROM generate_series($_[0], $_[1]) i};
};
my $in_old = sub { return $old->safe_psql($db, $_[0]); };
my $in_new = sub { return $new->safe_psql($db, $_[0]); };
$in_old->(<<"SQL");
CREATE EXTENSION pg_vigil;
CREATE SCHEMA archive;
UPDATE vigil.partition_policy SET width = 'day', ahead = '2 days', past = '9 days', retention = '9 days', grace = '0', archive_schema = 'archive', late = 'wait';
SELECT vigil.set_time_zone('$n', 'Europe/Amsterdam');
SELECT vigil.alter_job('rollup', '1 second');
CREATE TABLE mine AS SELECT vigil.histogram_agg(i) AS histogram, vigil.distinct_agg(i::text) AS uniques, vigil.topk_agg((i % 7)::text, 10) AS top
FROM generate_series(1, 10000) i;
CREATE MATERIALIZED VIEW mine_too AS SELECT vigil.percentile(histogram, 0.95) AS p95 FROM mine;
SQL
$in_old->($_) for $batch->(1, 1000), $error->(1, 25);
roll_up($old, $db);
for my $step ([ '6 days', '0' ], [ '4 days', '1 day' ])
{
	$in_old->("UPDATE vigil.partition_policy SET past = '$step->[0]', retention = '$step->[0]', grace = '$step->[1]'");
	1 while $in_old->('SELECT vigil.retire_partitions()');
}
$in_old->($_) for $batch->(1001, 1010),
  qq{SELECT vigil.create_alert_rule('$m', 'error_spike', 'error_count', 'gt', 1, 60, notify_webhook => 'http://127.0.0.1:9/x')},
  qq{SELECT vigil.track_batch('[{"moduleId": "$m", "eventType": "render", "eventName": "open"}, {"moduleId": "no uuid"}]')},
  'UPDATE vigil.events SET duration_ms = 99 WHERE external_id = \'e5\'; DELETE FROM vigil.events WHERE external_id = \'e6\'';
install_recompute($old, $db);

my $tables = $in_old->(q{SELECT string_agg(format('SELECT %L || count(*) || '' '' || coalesce(md5(string_agg(r::text, E''\n''
    ORDER BY r::text COLLATE "C")), '''') FROM %s r', c.oid::regclass || ' ', c.oid::regclass), ' UNION ALL ' ORDER BY c.oid::regclass::text COLLATE "C")
  FROM pg_class c WHERE relnamespace IN ('vigil'::regnamespace, 'archive'::regnamespace, 'public'::regnamespace) AND relkind IN ('r', 'm')});
my $shown = q{SELECT v FROM vigil.module_analytics_hourly v ORDER BY v; SELECT v FROM vigil.module_analytics_daily v ORDER BY v;
  SELECT v FROM vigil.module_error_groups v ORDER BY v; SELECT v FROM vigil.module_alert_rules v ORDER BY v};
my $rows = sub { return join "\n", sort split /\n/, $_[0]->($tables); };
my %wanted = (tables => $rows->($in_old), shown => $in_old->($shown));
like($wanted{tables}, qr/^$_ [1-9]/m, "there are rows in $_")
  for qw(mine mine_too vigil.cells_day vigil.cells_minute vigil.dirty vigil.error_groups vigil.quarantine vigil.rejected vigil.retired_partitions
  vigil.secrets);
like($wanted{tables}, qr/^archive\.events_\w+ [1-9]/m, 'and in the archive');
$old->stop;

# --- Upgraded --------------------------------------------------------------------------------------

{
	# Its libraries that this system does not have are there.
	local $ENV{LD_LIBRARY_PATH} = "$oldinstall/lib";
	chdir PostgreSQL::Test::Utils::tempdir;
	command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', "$oldinstall/bin", '-B', $new->config_data('--bindir'),
			'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'design 3: pg_upgrade ' . $old->pg_version . ' to ' . $new->pg_version);
}
$new->start;
is($rows->($in_new), $wanted{tables}, 'design 3: every table has its rows');
is($in_new->($shown), $wanted{shown}, 'design 6: the views show what they showed');

$new->append_conf('postgresql.conf', "vigil.workers = on\n");
$new->reload;
ok($new->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), 'design 9: the workers roll up the marks of before');
is($in_new->($shown), $wanted{shown}, 'design 6: the views show what they showed');
is($in_new->($batch->(995, 1020)), '(0,16,0,10)', 'design 5: ingest goes on and knows the ids of before; times that were retired wait');
is($in_new->($batch->(0, 5)), '(1,5,0,0)', 'design 5: new facts are stored');
$in_new->($error->(1, 3));
is($in_new->(q{SELECT count(DISTINCT ip_hash), count(DISTINCT fingerprint) FROM vigil.errors}), '1|3', 'S0-35: addresses have the hash of before, errors the group');

$in_new->(q{UPDATE vigil.partition_policy SET past = '30 days', retention = '30 days'});
$in_new->(q{DO $$ DECLARE p text; BEGIN FOR p IN SELECT partition FROM vigil.retired_partitions WHERE parent = 'events' ORDER BY 1 LOOP
  PERFORM vigil.restore_partition(p); END LOOP; END $$});
$in_new->(q{CALL vigil.run_job('replay_quarantine')});
ok($new->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.quarantine)'), 'design 5: what was retired comes back, and what waited is stored');
same_as_raw($new, $db, 'design 6: with all facts there again');
is($in_new->(q{SELECT (SELECT vigil.percentile(histogram, 0.95) FROM mine) = (SELECT p95 FROM mine_too)}), 't', 'values of tables of users are read');
my @errors = grep { /\b(ERROR|FATAL|PANIC):/ } read_lines($new->logfile);
is_deeply(\@errors, [], 'the log shows no error');
$new->stop;
done_testing();
