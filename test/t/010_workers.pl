# The workers: they find databases, run jobs by themselves, survive what happens to servers, and
# leave when the extension or the database goes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PgVigil;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = vigil_node('workers', preload => 1, conf => "max_worker_processes = 16\n");

sub workers_of
{
	my ($database) = @_;
	return "SELECT count(*) FROM vigil.workers() WHERE database = '$database'";
}

sub serves
{
	my ($database, $count) = @_;
	return $node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_stat_activity
		WHERE datname = '$database' AND backend_type IN ('pg_vigil scheduler', 'pg_vigil courier')");
}

# --- They appear, and work ------------------------------------------------------------------------

ok(serves('postgres', 2), 'CREATE EXTENSION: scheduler and courier appear');
is($node->safe_psql('postgres', 'SELECT string_agg(kind, \',\' ORDER BY kind) FROM vigil.workers()'),
	'courier,launcher,scheduler', 'vigil.workers() shows them and the launcher');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE \'pg_vigil %\' AND application_name = backend_type'),
	'3', 'workers are named in pg_stat_activity');

ok($node->poll_query_until('postgres', 'SELECT bool_and(runs > 0) FROM vigil.jobs'), 'every job runs by itself');
is($node->safe_psql('postgres', 'SELECT string_agg(name || \': \' || last_error, \', \') FROM vigil.jobs'), '', 'no job fails');

# Seconds until the view holds an answer; the extension's own job does the work.
$node->safe_psql('postgres', "SELECT vigil.track_event(jsonb_build_object('moduleId', '" . MODULE . "',
	'eventType', 'render', 'eventName', 'component_mounted', 'durationMs', 12.5))");
ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)
	AND EXISTS (SELECT FROM vigil.cells_minute)'), 'an event is rolled up with no call by hand');

# --- A failing job --------------------------------------------------------------------------------

$node->safe_psql('postgres', "INSERT INTO vigil.job_settings (name, description, step, run_every)
	VALUES ('broken', 'fails', '1 / 0', '1 second')");
ok($node->poll_query_until('postgres', "SELECT failures >= 2 AND state = 'failing' AND last_error = 'division by zero'
	FROM vigil.jobs WHERE name = 'broken'"), 'a failing job is tried again, its error shown');
ok($node->safe_psql('postgres', "SELECT next_run - last_run >= '5 seconds' FROM vigil.jobs WHERE name = 'broken'") eq 't',
	'it waits at least five seconds');
my $runs = $node->safe_psql('postgres', "SELECT runs FROM vigil.jobs WHERE name = 'broken'");
my @logged = slurp_file($node->logfile) =~ /ERROR:  division by zero/g;
cmp_ok(abs(@logged - $runs), '<=', 1, 'each failure is logged once');
ok(serves('postgres', 2), 'the workers live on');
$node->safe_psql('postgres', "SELECT vigil.pause_job('broken')");
is($node->safe_psql('postgres', "SELECT state FROM vigil.jobs WHERE name = 'broken'"), 'paused', 'and can be paused');

# --- One failing job never stops another -----------------------------------------------------------

sub runs_of
{
	my ($job) = @_;
	return $node->safe_psql('postgres', "SELECT runs FROM vigil.jobs WHERE name = '$job'");
}

sub goes_on
{
	my ($job, $what) = @_;
	my $before = runs_of($job);
	return ok($node->poll_query_until('postgres', "SELECT runs > $before FROM vigil.jobs WHERE name = '$job'"), $what);
}

my $began = time;
$node->safe_psql('postgres', "INSERT INTO vigil.job_settings (name, description, step, run_every)
	SELECT 'broken' || i, 'fails', '1 / 0', '1 second' FROM generate_series(1, 8) i;
	INSERT INTO vigil.job_settings (name, description, step, run_every) VALUES ('tick', 'works', '1', '1 second')");
ok($node->poll_query_until('postgres', "SELECT runs >= 3 FROM vigil.jobs WHERE name = 'tick'"), 'a job works beside eight that fail');
cmp_ok(time - $began, '<', 20, 'about as often as it should');
ok($node->poll_query_until('postgres', "SELECT bool_and(failures >= 2) FROM vigil.jobs WHERE name LIKE 'broken_'"), 'those are tried again');
$node->safe_psql('postgres', "DELETE FROM vigil.job_settings WHERE name LIKE 'broken%'");

# Somebody has altered a job and not committed.
my $holder = $node->background_psql('postgres');
$holder->query_safe("BEGIN; UPDATE vigil.job_state SET runs = runs WHERE name = 'reopen_ignored'");
$node->safe_psql('postgres', "SELECT pg_sleep(0.01), vigil.wake_workers()");
goes_on('tick', 'a job whose row is locked does not hold up another') for 1 .. 3;
$holder->quit;

# --- All at once ----------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'vigil.pause_jobs = on');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT bool_and(state = 'paused' AND next_run IS NULL) FROM vigil.jobs"),
	'vigil.pause_jobs: all jobs are paused');
ok(serves('postgres', 2), 'the workers stay');
$runs = runs_of('tick');
$node->safe_psql('postgres', "SELECT vigil.wake_workers(), pg_sleep(2.5)");
cmp_ok(runs_of('tick'), '<=', $runs + 1, 'none is started');
$node->safe_psql('postgres', "CALL vigil.run_job('tick')");
cmp_ok(runs_of('tick'), '>=', $runs + 1, 'but for one that is run by hand');
$node->append_conf('postgresql.conf', 'vigil.pause_jobs = off');
$node->reload;
goes_on('tick', 'off: jobs run again');

# --- A clock that was set back an hour --------------------------------------------------------------

for my $columns ('last_started_at = last_started_at + interval \'1 hour\', next_run_at = next_run_at + interval \'1 hour\'',
	'next_run_at = next_run_at + interval \'1 hour\'')
{
	$node->safe_psql('postgres', "UPDATE vigil.job_state SET $columns; SELECT vigil.wake_workers()");
	goes_on('tick', "a clock that was set back an hour silences no job: $columns");
}
$node->safe_psql('postgres', "DELETE FROM vigil.job_settings WHERE name = 'tick'");

# --- They come back -------------------------------------------------------------------------------

my $scheduler = $node->safe_psql('postgres', "SELECT pid FROM vigil.workers() WHERE kind = 'scheduler'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM vigil.workers() WHERE kind = 'scheduler' AND pid <> $scheduler"),
	'a terminated scheduler comes back');
my $launcher = $node->safe_psql('postgres', "SELECT pid FROM vigil.workers() WHERE kind = 'launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM vigil.workers() WHERE kind = 'launcher' AND pid <> $launcher"),
	'a terminated launcher comes back');
ok(serves('postgres', 2), 'and keeps the workers that are there');

# --- vigil.workers --------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'vigil.workers = off');
$node->reload;
ok(serves('postgres', 0), 'vigil.workers = off stops scheduler and courier');
$node->append_conf('postgresql.conf', 'vigil.workers = on');
$node->reload;
ok(serves('postgres', 2), 'vigil.workers = on starts them');

# --- Two databases, and their end -----------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION pg_vigil');
ok(serves('second', 2), 'a second database is served');
is($node->safe_psql('postgres', workers_of('postgres')), '2', 'besides the first');
ok($node->poll_query_until('second', 'SELECT bool_and(runs > 0) FROM vigil.jobs'), 'its jobs run as well');

$node->safe_psql('postgres', 'ALTER DATABASE second RENAME TO renamed');
ok(serves('renamed', 2), 'ALTER DATABASE RENAME succeeds while workers are there, and they come back');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE renamed');
ok(serves('copy', 2), 'so does CREATE DATABASE ... TEMPLATE, and the copy is found');
$node->safe_psql('postgres', 'DROP DATABASE renamed');
$node->safe_psql('postgres', 'DROP DATABASE copy');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname IN ('renamed', 'copy')"), '0',
	'DROP DATABASE succeeds while workers are there');

# --- DROP EXTENSION -------------------------------------------------------------------------------

my $before = -s $node->logfile;
for my $round (1 .. 3)
{
	if ($round == 2)
	{
		$node->safe_psql('postgres', "INSERT INTO vigil.job_settings (name, description, step, run_every)
			VALUES ('slow', 'sleeps', '(SELECT 1 FROM pg_sleep(2))', '1 second')");
		ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM vigil.jobs WHERE name = 'slow'"),
			'a job runs while the extension is dropped');
	}
	$node->safe_psql('postgres', 'DROP EXTENSION pg_vigil CASCADE');
	ok(serves('postgres', 0), "DROP EXTENSION: no worker stays (round $round)");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('vigil')"), '0',
		'nothing of the schema is left');
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_vigil');
	ok(serves('postgres', 2), 'CREATE EXTENSION again: they are back');
}
my $log = substr(slurp_file($node->logfile), $before);
my @errors = grep { /(ERROR|FATAL|PANIC|WARNING):/ } split /\n/, $log;
is(join("\n", @errors), '', 'and the log holds no error');
my @farewells = $log =~ /extension "pg_vigil" was dropped from database "postgres"/g;
cmp_ok(scalar @farewells, '<=', 3, 'at most one line each time');

# --- S0-36: stopping ------------------------------------------------------------------------------

ok($node->poll_query_until('postgres', 'SELECT bool_and(runs > 0) FROM vigil.jobs'), 'jobs run again');
$began = time;
$node->stop('fast');
cmp_ok(time - $began, '<', 10, 'S0-36: the server stops promptly');
$node->start;
ok(serves('postgres', 2), 'after a restart the workers are there');

done_testing();
