# A streaming standby: it is read, also while marks are open, it runs no workers, and when it is promoted
# it goes on where the primary ended.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $db = 'postgres';
my $m = MODULE;

# The primary runs no jobs by itself, so that its marks stay open.
my $primary = vigil_node('primary', preload => 1, streaming => 1, conf => "vigil.workers = off\n");
install_recompute($primary, $db);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "vigil.workers = on\nvigil.launcher_naptime = 1\n");
$standby->start;

my $ingest = sub {
	my ($from, $to) = @_;
	return qq{SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object('moduleId', '$m', 'eventType',
	    (ARRAY['render', 'api_call'])[1 + i % 2], 'eventName', 'done', 'durationMs', i % 30, 'externalId', 'e' || i,
	    'createdAt', now() - i * interval '97 seconds')) FROM generate_series($from, $to) i));
	  SELECT vigil.track_error('{"moduleId": "$m", "errorType": "api", "errorName": "E", "errorMessage": "x"}');};
};
my $catch_up = sub { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')); };
my $equal = "hourly 0 0\ndaily 0 0\ngroups 0 0";
my $views = sub {
	my ($node) = @_;
	return $node->safe_psql($db, q{SELECT v FROM vigil.module_analytics_hourly v ORDER BY v;
	  SELECT v FROM vigil.module_analytics_daily v ORDER BY v; SELECT v FROM vigil.module_error_groups v ORDER BY v});
};

$primary->safe_psql($db, $ingest->(1, 300));
roll_up($primary, $db);
$primary->safe_psql($db, $ingest->(301, 400));
$primary->safe_psql($db, q{DELETE FROM vigil.events WHERE external_id = 'e7'});
$catch_up->();
cmp_ok($standby->safe_psql($db, 'SELECT count(*) FROM vigil.dirty'), '>', 50, 'design 6: marks are open on the standby');
is(differences($standby, $db), $equal, 'design 6: views of the standby equal raw rows, with open marks');
is($views->($standby), $views->($primary), 'design 6: and what the primary shows');
is($standby->safe_psql($db, 'SELECT marked_minutes > 0 FROM vigil.rollup_lag'), 't', 'design 6: the lag is shown');
is($standby->safe_psql($db, 'SELECT count(*) > 0, count(*) FILTER (WHERE state = \'running\') FROM vigil.jobs'), 't|0',
	'design 9: jobs are shown');
is($standby->safe_psql($db, 'SELECT count(*) FROM vigil.partitions'),
	$primary->safe_psql($db, 'SELECT count(*) FROM vigil.partitions'), 'design 5: and partitions');

roll_up($primary, $db);
$catch_up->();
is(differences($standby, $db), $equal, 'design 6: views of the standby equal raw rows, rolled up');
is(cell_differences($standby, $db), "minute_cells 0 0\nhour_cells 0 0\nday_cells 0 0", 'design 6: so do its cells');

# --- It only reads ------------------------------------------------------------------------------------

my $module = qq{"moduleId": "$m"};
my %writes = (
	track_event => qq{SELECT vigil.track_event('{$module, "eventType": "render", "eventName": "x"}')},
	'track_event with a client id' =>
	  qq{SELECT vigil.track_event('{$module, "eventType": "render", "eventName": "x", "externalId": "new"}')},
	track_batch => qq{SELECT vigil.track_batch('[{$module, "eventType": "render", "eventName": "x"}]')},
	track_error => qq{SELECT vigil.track_error('{$module, "errorType": "api", "errorName": "New", "errorMessage": "x"}')},
	capture_sentry => qq{SELECT vigil.capture_sentry('$m', E'{}\\n{"type":"event"}\\n{"message":"x"}\\n'::text)},
	rollup => 'SELECT vigil.rollup()',
	evaluate_alerts => qq{SELECT vigil.create_alert_rule('$m', 'error_spike', 'error_count', 'gt', 0)},
	run_job => q{CALL vigil.run_job('rollup')},
	set_time_zone => qq{SELECT vigil.set_time_zone('$m', 'Asia/Tokyo')});
for my $name (sort keys %writes)
{
	my ($status, $out, $err) = $standby->psql($db, "\\set VERBOSITY sqlstate\n$writes{$name}");
	is($err =~ /ERROR:\s+(\w+)/ ? $1 : "no error: $out", '25006', "design 5: $name is refused by a standby with 25006");
}
is($standby->safe_psql($db, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_vigil%'}), 0,
	'design 9: no worker runs on the standby');
unlike(slurp_file($standby->logfile), qr/FATAL|PANIC|background worker "pg_vigil/, 'design 9: nor did one try, as its log shows');

# --- It takes over ----------------------------------------------------------------------------------

$primary->safe_psql($db, $ingest->(401, 450));
$primary->safe_psql($db, q{SELECT vigil.alter_job('rollup', '1 second')});
$catch_up->();
$primary->stop('immediate');
$standby->promote;
ok($standby->poll_query_until($db, q{SELECT count(*) = 3 FROM vigil.workers()}),
	'design 9: launcher, scheduler and courier start after the promotion');
ok($standby->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), 'design 9: and roll up the marks that were open');
is($standby->safe_psql($db, 'SELECT count(*) FROM vigil.events'), 449, 'design 6: every event is there');
$standby->safe_psql($db, $ingest->(431, 500));
is($standby->safe_psql($db, 'SELECT count(*) FROM vigil.events'), 499, 'design 5: ingest goes on, and knows the ids of before');
same_as_raw($standby, $db, 'design 6 after the promotion');

$standby->stop;
done_testing();
