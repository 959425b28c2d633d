# Partitions come and go beside readers and writers: nobody waits for the keeper, whoever is in its way is named, and what
# was interrupted goes on by itself.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use IPC::Run ();
use PgVigil;
use PostgreSQL::Test::Utils;
use Test::More;

# Every wait for a lock of more than 50 ms is logged, with the name of who waits: that does not depend on how fast the
# machine is.
my $node = vigil_node('partitions', preload => 1, conf => <<'CONF');
max_worker_processes = 16
max_prepared_transactions = 1
deadlock_timeout = 50ms
log_lock_waits = on
log_line_prefix = '%m [%p] %a '
autovacuum = off
log_statement = none
vigil.workers = off
CONF
my $db = 'postgres';
my $m = MODULE;
my $one = sub { return $node->safe_psql($db, $_[0]); };
my $until = sub { return $node->poll_query_until($db, $_[0]); };
my $keep = sub { $one->(q{CALL vigil.run_job('maintain_partitions')}); };

sub waits_of
{
	my ($name) = @_;
	return scalar(() = slurp_file($node->logfile) =~ /\] \Q$name\E LOG:  process \d+ still waiting/g);
}

# Workers come when the days are there. The job of the partitions runs when this test says so.
$one->(q{SELECT vigil.pause_job('maintain_partitions')});
$one->(q{UPDATE vigil.partition_policy SET width = 'day', past = '12 days', ahead = '1 day', retention = NULL, grace = '0', late = 'wait'});
$keep->();
$one->(q{UPDATE vigil.partition_policy SET past = '0'});
$one->(qq{SELECT vigil.track_event(jsonb_build_object('moduleId', '$m', 'eventType', 'render', 'eventName', 'old', 'sessionId', 's' || n,
  'timestamp', date_trunc('day', now()) - n * interval '2 hours')) FROM generate_series(13, 140) n});
$one->(q{ALTER SYSTEM SET vigil.workers = on});
$one->(q{SELECT pg_reload_conf()});
$until->('SELECT NOT EXISTS (SELECT FROM vigil.dirty)') or die;
my $settled = $one->(q{SELECT date_trunc('day', now(), 'UTC') - interval '1 day'});
my $cells = "SELECT resolution, bucket, subject, cell::text FROM vigil.cells WHERE resolution <> 'minute' AND bucket < '$settled' ORDER BY 1, 2, 3";
my $before = $one->($cells);

# --- Beside readers and writers -------------------------------------------------------------------

# At any time somebody reads the facts for three seconds, and holds their tables; writers write what is new and what is late.
my $reader = write_script('reader', q{SET application_name = 'reader';}, (q{SELECT count(*), pg_sleep(3) FROM vigil.events;}) x 1000);
my $second = write_script('second', q{SET application_name = 'reader'; SELECT pg_sleep(1.5);},
	(q{SELECT count(*), pg_sleep(3) FROM vigil.errors, (SELECT count(*) FROM vigil.events) AS e;}) x 1000);
my $insert = qq{SELECT vigil.track_event(jsonb_build_object('moduleId', '$m', 'eventType', 'render', 'eventName', 'new'));};
my $late = qq{SELECT vigil.track_event(jsonb_build_object('moduleId', '$m', 'eventType', 'render', 'eventName', 'late',
  'timestamp', now() - interval '1 day' * (:client_id % 2)));};
my @sessions = (start_psql($node, $db, $reader), start_psql($node, $db, $second));
my $writers;
{
	local %ENV = $node->_get_env();
	local $ENV{PGAPPNAME} = 'writer';
	$writers = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-j', 1, '-R', 200, '-T', 600, '-f', write_script('writer', $insert, $late), $db ],
		'<', \undef, '>', \my $output, '2>', \my $errors);
}
# A table of a user, with a reader and a writer of its own.
$one->(q{CREATE ROLE shopkeeper; CREATE SCHEMA shop AUTHORIZATION shopkeeper; SET ROLE shopkeeper;
  CREATE TABLE shop.sales (at timestamptz NOT NULL, n integer) PARTITION BY RANGE (at); RESET ROLE;
  SELECT vigil.manage_table('shop.sales', 'day', '1 day', past => '5 days')});
$keep->();
push @sessions, start_psql($node, $db, write_script('buyer', q{SET application_name = 'reader';}, (q{SELECT count(*), pg_sleep(3) FROM shop.sales;}) x 1000)),
  start_psql($node, $db, write_script('seller', q{SET application_name = 'writer';}, (q{INSERT INTO shop.sales VALUES (now(), 1); SELECT pg_sleep(0.01);}) x 20000));
$until->(q{SELECT count(*) = 3 FROM pg_stat_activity WHERE application_name = 'reader' AND wait_event = 'PgSleep'}) or die;
$until->(q{SELECT count(*) > 50 FROM vigil.events WHERE event_name = 'new'}) or die;

$one->(q{UPDATE vigil.partition_policy SET ahead = '20 days'});
$keep->();
is($one->('SELECT count(*) FROM vigil.missing_partitions()'), 0, 'issue 5: partitions are made beside them');
$one->(q{CREATE SCHEMA archive; UPDATE vigil.partition_policy SET retention = '8 days';
  UPDATE vigil.partition_policy SET archive_schema = 'archive' WHERE parent = 'events'});
ok($until->(q{SELECT count(*) > 0 FROM vigil.preview_retention() WHERE goes}), 'issue 5: old ones may go');
# What is near is marked all the time, and is rolled up.
my $goes = $one->('SELECT count(*) FROM vigil.preview_retention() WHERE goes');
$one->(q{SELECT vigil.manage_table('shop.sales', 'day', '9 days', retention => '2 days', grace => '0')});
$one->(q{SELECT vigil.resume_job('maintain_partitions')});
ok($until->("SELECT count(*) >= $goes AND bool_and(detached_at IS NOT NULL) FROM vigil.retired_partitions"),
	'issue 5: they are detached beside readers of three seconds, by a worker');
ok($until->('SELECT bool_and(finished_at IS NOT NULL) FROM vigil.retired_partitions'), 'issue 5: then dropped, or moved');
is($one->(q{SELECT bool_and((to_regclass('archive.' || partition) IS NOT NULL) = (parent = 'events')) AND bool_and(to_regclass('vigil.' || partition) IS NULL)
  FROM vigil.retired_partitions}), 't', 'issue 5: events to the archive');
ok($until->(q{SELECT count(*) = 12 AND NOT EXISTS (SELECT FROM vigil.detached_tables) FROM vigil.managed_partitions}),
	'issue 5: those of a table of a user are made, detached and dropped');
$one->(q{SELECT vigil.pause_job('maintain_partitions')});
$writers->signal('INT');
$writers->finish;
$_->kill_kill for @sessions;
$until->(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name IN ('reader', 'writer')}) or die;
is(waits_of('writer'), 0, 'issue 5: no writer waited 50 ms for a lock');
is(waits_of('reader'), 0, 'issue 5: nor did a reader');
is($one->($cells), $before, 'S0-118: cells of what went are as before');
is($one->('SELECT count(*) FROM vigil.quarantine'), 0, 'issue 5: no fact is left over');

# --- Somebody in the way --------------------------------------------------------------------------

my $holder = $node->background_psql($db);
$holder->query_safe(q{BEGIN; SELECT count(*) FROM vigil.events});
my $holder_pid = $holder->query_safe('SELECT pg_backend_pid()');
$one->(q{UPDATE vigil.partition_policy SET retention = '6 days'});
$keep->();
my $half = q{SELECT count(*) = 1 FROM vigil.partitions WHERE state = 'detaching' AND parent = 'events'};
ok($until->($half), 'issue 5: a transaction that stays open holds up the detaching of a table');
is($one->(q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'vigil.events'::regclass AND NOT granted}), 'f', 'issue 5: without a lock that others would wait for');
is($one->(q{SELECT count(*) FROM vigil.preview_retention() WHERE goes AND partition IN (SELECT partition FROM vigil.retired_partitions)}), 0, 'issue 5: meanwhile it is not retired again');
my $closed = $one->(q{SELECT min(starts_at) FROM vigil.retired_partitions WHERE detached_at IS NULL});
my $quarantined = sub {
	return $one->(qq{SELECT (vigil.track_event(jsonb_build_object('moduleId', '$m', 'eventType', 'render', 'eventName', 'late',
	  'timestamp', timestamptz '$closed' + interval '1 hour'))).quarantined});
};
is($quarantined->(), 1, 'issue 5: a fact of that time goes to quarantine');
$one->('SELECT vigil.replay_quarantine()');
is($one->('SELECT count(*) FROM vigil.quarantine'), 1, 'issue 5: and stays there');

# The worker is ended in the middle, as a crash or a shutdown would.
my $detacher = q{FROM pg_stat_activity WHERE backend_type = 'pg_vigil detacher'};
is($one->("SELECT count(pg_cancel_backend(pid)) $detacher"), 1, 'issue 5: the worker can be cancelled');
ok($until->("SELECT count(*) = 0 $detacher"), 'issue 5: and leaves');
like($one->(q{SELECT max(problem) FROM vigil.retired_partitions}), qr/\b$holder_pid\b/, 'issue 5: who is in the way is told');
$keep->();
ok($until->("SELECT count(*) = 0 $detacher"), 'issue 5: the next one');
ok($until->($half), 'issue 5: does not end what it waits for');
$holder->query_safe('COMMIT');
$holder->quit;
$one->(q{SELECT vigil.resume_job('maintain_partitions')});
ok($until->(q{SELECT bool_and(finished_at IS NOT NULL) AND bool_and(problem IS NULL) FROM vigil.retired_partitions}),
	'issue 5: when it is gone, the half detached table is finished by itself');
ok($until->(q{SELECT count(*) = 0 FROM vigil.preview_retention() WHERE goes}), 'issue 5: and all others go');
is($one->($cells), $before, 'S0-118: cells of what went are as before');
is($one->(q{SELECT string_agg(job || ': ' || error, ', ') FROM vigil.job_history WHERE error IS NOT NULL}), '', 'issue 5: no job has failed');

# --- Somebody who needs the database for himself --------------------------------------------------

$one->(q{SELECT vigil.pause_job('maintain_partitions')});
$holder = $node->background_psql($db);
$holder->query_safe(q{BEGIN; SELECT count(*) FROM vigil.events});
$one->(q{UPDATE vigil.partition_policy SET retention = '5 days'});
$keep->();
ok($until->("SELECT count(*) = 1 $detacher AND wait_event_type = 'Lock'"), 'issue 5: the worker waits');
my (undef, undef, $refusal) = $node->psql('template1', "ALTER DATABASE $db RENAME TO other");
like($refusal, qr/1 other session/, 'design 9: not for the worker has he to wait who renames or drops the database');
is($one->("SELECT count(*) $detacher"), 0, 'design 9: for it has left');
$keep->();
is($one->("SELECT count(*) $detacher"), 0, 'design 9: and does not come back at once');
$holder->query_safe('COMMIT');
$holder->quit;

# --- Without a process for the worker -------------------------------------------------------------

$one->(q{ALTER SYSTEM SET vigil.workers = off});
$one->(q{ALTER SYSTEM SET max_worker_processes = 1});
$node->restart;
$holder = $node->background_psql($db);
$holder->query_safe(q{BEGIN; SELECT count(*) FROM vigil.events});
$one->(q{UPDATE vigil.partition_policy SET retention = '4 days'});
$keep->();
is($one->(q{SELECT count(*) > 0 AND bool_and(detached_at IS NULL) FROM vigil.retired_partitions WHERE finished_at IS NULL}), 't',
	'issue 5: without a worker a table that is in use stays');
like($one->(q{SELECT string_agg(problem, ' ') FROM vigil.retired_partitions}), qr/waits for process \d+/, 'issue 5: and who is in the way is told');
$holder->query_safe('COMMIT');
$holder->quit;
$keep->();
is($one->(q{SELECT bool_and(finished_at IS NOT NULL) FROM vigil.retired_partitions}), 't', 'issue 5: then the job detaches it itself');
is($one->($cells), $before, 'S0-118: cells of what went are as before');

# --- Partitions of a transaction that stays open --------------------------------------------------

$one->(q{UPDATE vigil.partition_policy SET ahead = '21 days' WHERE parent = 'events'});
$one->(q{BEGIN; SELECT * FROM vigil.maintain_partitions(); PREPARE TRANSACTION 'ahead'});
$one->(q{UPDATE vigil.partition_policy SET ahead = '23 days' WHERE parent = 'events'});
my $missing = 'SELECT count(*) FROM vigil.missing_partitions()';
$keep->();
is($one->(q{SELECT failures FROM vigil.jobs WHERE name = 'maintain_partitions'}), 0, 'issue 5: the keeper does not fail because of it');
like(slurp_file($node->logfile), qr/WARNING:  no partition was made: .* still open: one of pg_prepared_xacts/, 'issue 5: but tells who it is');
is($one->($missing), 3, 'issue 5: what is missing');
$one->(q{COMMIT PREPARED 'ahead'});
$keep->();
is($one->($missing), 0, 'issue 5: is made when it has ended');

# --- A dump ----------------------------------------------------------------------------------------

# A table that is detached and waits for its grace period to end.
$one->(q{SELECT vigil.manage_table('shop.sales', 'day', '9 days', retention => '1 day', grace => '1 hour')});
$keep->();
$keep->();
my $waiting = $one->(q{SELECT max(name) FROM vigil.detached_tables WHERE detached_at IS NOT NULL});
isnt($waiting, '', 'issue 5: a table of a user waits to be dropped');
my $policies = q{SELECT to_jsonb(m) - 'table_oid' FROM vigil.managed_tables m};
my $dump = "$PostgreSQL::Test::Utils::tmp_check/partitions.sql";
$one->('CREATE DATABASE copy');
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr($db) ], 'a dump');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restores');
is($node->safe_psql('copy', $policies), $one->($policies), 'issue 5: a dump takes the policies along');
$node->safe_psql('copy', q{SELECT vigil.manage_table('shop.sales', 'day', '12 days')});
$node->safe_psql('copy', q{CALL vigil.run_job('maintain_partitions')});
is($node->safe_psql('copy', 'SELECT count(*), max(problem) FROM vigil.managed_partitions JOIN vigil.managed_tables ON name = parent'), '14|',
	'issue 5: and the keeper goes on');
$node->safe_psql('copy', q{UPDATE vigil.detached_tables SET finish_after = '-infinity'; CALL vigil.run_job('maintain_partitions')});
is($node->safe_psql('copy', "SELECT to_regclass('$waiting')::text"), $waiting, 'issue 5: what waited there stays, for it may be any table of that name');
my $told = q{SELECT count(*) > 0 FROM vigil.doctor() WHERE problem ~ 'it comes from a dump'};
is($node->safe_psql('copy', $told), 't', 'issue 5: until its owner has dropped it');
$node->safe_psql('copy', q{SELECT remedy FROM vigil.doctor() WHERE problem ~ 'it comes from a dump' \gexec});
$node->safe_psql('copy', q{CALL vigil.run_job('maintain_partitions')});
is($node->safe_psql('copy', $told), 'f', 'issue 5: as the doctor says');
$one->(q{UPDATE vigil.detached_tables SET finish_after = '-infinity'; CALL vigil.run_job('maintain_partitions')});
is($one->("SELECT to_regclass('$waiting')"), '', 'issue 5: where it was detached, it is dropped');

$node->stop;
done_testing();
