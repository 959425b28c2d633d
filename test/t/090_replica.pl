# A streaming standby: it is read, also while marks are open, it runs no workers, and when it is promoted in the
# middle of a load it goes on where the primary ended.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Ledger;
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $db = 'postgres';
my $m = MODULE;

# The primary runs no jobs by itself, so that its marks stay open.
my $primary = vigil_node('primary', preload => 1, streaming => 1, conf => "vigil.workers = off\nmax_prepared_transactions = 5\n");
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

# Marks, so that there would be something to roll up.
$primary->safe_psql($db, $ingest->(401, 410));
$catch_up->();

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

# --- It takes over in the middle of a load -----------------------------------------------------------

# What is acknowledged is on the standby.
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'\nvigil.workers = on\n");
$primary->reload;
$primary->safe_psql($db, q{SELECT vigil.alter_job('rollup', '1 second')});
ok($primary->poll_query_until($db, q{SELECT sync_state = 'sync' FROM pg_stat_replication}), 'the standby is synchronous');

my $items = sub {
	my ($name) = @_;
	return qq{SELECT jsonb_build_object('moduleId', '$m', 'eventType', 'render', 'eventName', 'load', 'durationMs', i % 30, 'externalId', '$name-' || i,
	  'errorType', 'api', 'errorName', 'Load', 'errorMessage', 'x', 'createdAt', now() - i * interval '37 minutes') AS item
	  FROM generate_series(1, 5) i};
};
my %load = (
	batch => sub { return 'SELECT FROM (SELECT vigil.track_batch(jsonb_agg(item)) FROM (' . $items->($_[0]) . ') t OFFSET 0) r;'; },
	error => sub { return 'SELECT FROM (SELECT vigil.track_error(item) FROM (' . $items->($_[0]) . ') t OFFSET 0) r;'; },
	direct => sub {
		return qq{INSERT INTO vigil.events (module_id, event_type, event_name, external_id, created_at)
		  SELECT '$m', 'render', 'load', item ->> 'externalId', (item ->> 'createdAt')::timestamptz FROM (} . $items->($_[0]) . ') t;';
	});
my (%ledger, %psql, %script);
for my $writer (sort keys %load)
{
	$ledger{$writer} = Ledger->new($writer);
	my @lines;
	for my $name (map { "$writer-$_" } 1 .. 2000)
	{
		$ledger{$writer}->send($name, stored => [ map { "$name-$_" } 1 .. 5 ], witness => "$name-1");
		push @lines, "\\echo begin $name", 'BEGIN;', $load{$writer}->($name), "SELECT 'done $name';", 'COMMIT;', "\\echo committed $name";
	}
	$script{$writer} = write_script("replica.$writer", @lines);
	$psql{$writer} = start_psql($primary, $db, $script{$writer});
}
$primary->safe_psql($db, 'BEGIN; ' . $load{batch}->('prepared') . " PREPARE TRANSACTION 'prepared'");
ok($primary->poll_query_until($db, q{SELECT count(*) > 300 AND count(DISTINCT split_part(external_id, '-', 1)) = 2 FROM vigil.events
    WHERE external_id ~ '^(batch|direct)-'}), 'sessions write');
ok($primary->poll_query_until($db, q{SELECT state = 'running' FROM vigil.jobs WHERE name = 'rollup'}), 'and a job rolls up');
kill_server($primary, 0);
finish_psql($_) for values %psql;
$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''\n");
$standby->promote;
my $promoted = $standby->safe_psql($db, 'SELECT now()');

my $listed = sub {
	my %found;
	for (split /\n/, $standby->safe_psql($db, q{SELECT external_id FROM vigil.events WHERE event_name = 'load'
	  UNION ALL SELECT external_id FROM vigil.errors WHERE error_name = 'Load'}))
	{
		my ($writer) = /^(\w+)-/;
		$found{$writer}{$_} = [ $found{$writer}{$_} ? 'twice' : 'fact', '' ];
	}
	return \%found;
};
my $found = $listed->();
my ($known, $unknown) = (0, 0);
for my $writer (sort keys %load)
{
	$ledger{$writer}->read_output("$script{$writer}.out");
	$known += $ledger{$writer}->count('committed');
	$unknown += $ledger{$writer}->resolve($found->{$writer}, {});
	is(join("\n", $ledger{$writer}->differences($found->{$writer})), '', "S0-118: each transaction of $writer that was acknowledged is there, and none in part");
}
cmp_ok($known, '>', 50, 'transactions were acknowledged');
note("acknowledged before the primary was killed: $known, unknown: $unknown");
is(differences($standby, $db), $equal, 'design 6: views equal raw rows after the promotion');
is($standby->safe_psql($db, 'SELECT count(*) FROM vigil.events WHERE event_name = \'done\''), 409, 'design 6: with what was there before');

ok($standby->poll_query_until($db, q{SELECT count(*) = 3 FROM vigil.workers()}),
	'design 9: launcher, scheduler and courier start after the promotion');
ok($standby->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), 'design 9: and roll up the marks that were open');
ok($standby->poll_query_until($db, qq{SELECT count(*) = 2 FROM vigil.jobs WHERE name IN ('rollup', 'evaluate_alerts') AND last_run > '$promoted' AND failures = 0}),
	'design 9: jobs go on, also the one that the primary was in');

# Clients that got no answer ask again; a transaction that was prepared there ends here.
for my $writer (qw(batch error))
{
	my $sent = $ledger{$writer}->count('committed') + $ledger{$writer}->count('aborted');
	for my $number ($sent - 9 .. $sent + 1)
	{
		$standby->safe_psql($db, $load{$writer}->("$writer-$number"));
		$ledger{$writer}->settle("$writer-$number", 'committed');
	}
}
$standby->safe_psql($db, "COMMIT PREPARED 'prepared'");
$found = $listed->();
is(join("\n", map { $ledger{$_}->differences($found->{$_}) } sort keys %load), '', 'S0-118: what is sent again is there once');
is(scalar keys %{ $found->{prepared} }, 5, 'S0-118: and what was prepared, too');
$standby->safe_psql($db, $ingest->(391, 420));
is($standby->safe_psql($db, 'SELECT count(*) FROM vigil.events WHERE event_name = \'done\''), 419, 'design 5: ingest goes on, and knows the ids of before');
same_as_raw($standby, $db, 'design 6 after the promotion');

$standby->stop;
done_testing();
