# What operators can do wrong, or what happens to them: the doctor tells it with what mends it, jobs name cause and remedy, and all
# is well again when the cause is gone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use File::Temp ();
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# Too few of everything.
my $node = vigil_node('doctor', preload => 1, streaming => 1, conf => <<'CONF');
max_worker_processes = 3
max_prepared_transactions = 5
vigil.max_databases = 1
vigil.capture_queue_size = 64kB
vigil.rate_limit_buckets = 512
CONF
my $db = 'postgres';

sub found
{
	my ($area, $in) = @_;
	return $node->safe_psql($in // $db, "SELECT concat_ws(' ', severity, subject || ':', problem) FROM vigil.doctor() WHERE area = '$area'");
}

# Waits until the doctor says it, or with undef nothing of that area.
sub finds
{
	my ($area, $expected, $description, $in) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $last;
	while (time < $deadline)
	{
		$last = found($area, $in);
		return pass($description) if defined $expected ? $last =~ $expected : $last eq '';
		select undef, undef, undef, 0.1;
	}
	fail($description);
	diag("found: $last");
	return;
}

# Does what the doctor says; what has to be done outside of SQL is left to the caller.
sub mend
{
	my ($area, $in) = @_;
	$in //= $db;
	$node->safe_psql($in, $_) for split /;\s*(?:--[^\n]*)?\n?/, $node->safe_psql($in,
		"SELECT string_agg(remedy, E'\n') FROM vigil.doctor() WHERE area = '$area'");
	return;
}

sub setting
{
	my ($line) = @_;
	$node->append_conf('postgresql.conf', $line);
	$node->reload;
	return;
}

sub session
{
	my (@statements) = @_;
	my $psql = $node->background_psql($db);
	$psql->query_safe($_) for @statements;
	return ($psql, $psql->query_safe('SELECT pg_backend_pid()'));
}

# --- Too few processes, too few databases -------------------------------------------------------------

finds('workers', qr/^critical courier: no courier runs in database "postgres": all 3 of max_worker_processes are taken$/, 'no process is left for a worker');
mend('workers');
$node->restart;
finds('workers', undef, 'the remedy makes room');
$node->safe_psql($db, 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION pg_vigil');
finds('workers', qr/^critical courier: .*\ncritical scheduler: no scheduler runs in database "second": vigil.max_databases = 1 are served already$/,
	'more databases than are served', 'second');
mend('workers', 'second');
$node->restart;
finds('workers', undef, 'the remedy makes room', 'second');
ok($node->poll_query_until($db, 'SELECT count(*) = 0 FROM vigil.doctor()'), 'all is well: no row')
  or diag($node->safe_psql($db, 'SELECT * FROM vigil.doctor()'));

# --- A standby ------------------------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql($db, q{SELECT string_agg(problem, '; ') FROM vigil.doctor() WHERE area <> 'transactions'}), '',
	'on a standby all checks can look, and no worker is missed');
$standby->stop('immediate');

# --- Switches -----------------------------------------------------------------------------------------

$node->safe_psql($db, 'ALTER SYSTEM SET vigil.workers = off');
$node->safe_psql($db, 'ALTER SYSTEM SET vigil.capture_server_errors = on');
$node->reload;
finds('workers', qr/^critical vigil.workers: the workers are switched off/, 'workers that are switched off');
finds('settings', qr/^warning vigil.capture_server_errors: .*nothing is captured: vigil.workers is off$/, 'capture without workers');
mend('workers');
finds('workers', undef, 'on again');
finds('settings', undef, 'which also capture');
$node->safe_psql($db, 'ALTER SYSTEM RESET vigil.capture_server_errors');
setting('vigil.rollup_workers = 8');
finds('workers', qr/^warning vigil.rollup_workers: \d of 7 rollers run in database "postgres" besides the scheduler: all 11 of max_worker_processes are taken$/,
	'rollers without processes');
setting('vigil.rollup_workers = 1');
finds('workers', undef, 'none wanted');
setting('vigil.pause_jobs = on');
finds('jobs', qr/^warning vigil.pause_jobs: all jobs are paused$/, 'all jobs paused');
mend('jobs');
finds('jobs', undef, 'and not');

# --- Bad settings --------------------------------------------------------------------------------------

my $conf = $node->data_dir . '/postgresql.conf';
my $good = slurp_file($conf);
setting("vigil.http_timeout = 'soon'");
finds('settings', qr/^warning vigil.http_timeout: line \d+ of .*postgresql.conf is not applied: vigil.http_timeout = 'soon': /, 'a value that cannot be read');
unlink $conf;
append_to_file($conf, $good);
setting("vigil.http_timout = 5");
finds('settings', qr/^warning vigil.http_timout: line \d+ .* is not applied: /, 'a name that is misspelt');
unlink $conf;
append_to_file($conf, $good);
setting("vigil.max_databases = 7");
$node->safe_psql($db, 'ALTER SYSTEM RESET vigil.max_databases');
$node->reload;
finds('settings', qr/^info vigil.max_databases: vigil.max_databases was changed, but the server still works with '2'$/, 'one that needs a restart');
$node->restart;
finds('settings', undef, 'restarted');

# --- Jobs that fail, wait, do not run -------------------------------------------------------------------

$node->safe_psql($db, "INSERT INTO vigil.job_settings (name, description, step, run_every) VALUES ('broken', 'fails', '1 / 0', '1 second')");
finds('jobs', qr/^warning broken: job "broken" has failed once, last at .*: division by zero$/, 'a job that fails');
$node->safe_psql($db, "UPDATE vigil.job_settings SET step = '1' WHERE name = 'broken'");
finds('jobs', undef, 'works again by itself');

$node->safe_psql($db, "UPDATE vigil.job_settings SET step = '(SELECT count(*) FROM vigil.modules)' WHERE name = 'broken'");
my ($holder, $pid) = session('BEGIN', 'LOCK TABLE vigil.modules IN ACCESS EXCLUSIVE MODE');
finds('jobs', qr/^warning broken: job "broken" waits for a lock of process $pid, whose transaction began at .*: /m, 'a job that waits for a lock, and whose');
$node->safe_psql($db, "SET lock_timeout = '100ms'; UPDATE vigil.job_settings SET run_every = '1 hour' WHERE name = 'broken'");
mend('jobs');
finds('jobs', undef, 'the remedy ends it');
eval { $holder->quit };

# Somebody has altered a job and not committed: it can neither begin nor say why.
($holder, $pid) = session('BEGIN', "INSERT INTO vigil.job_state (name) VALUES ('fresh')",
	"UPDATE vigil.job_state SET next_run_at = now() - interval '10 minutes' WHERE name = 'broken'");
$node->safe_psql($db, "INSERT INTO vigil.job_settings (name, description, step, run_every) VALUES ('fresh', 'new', '1', '1 second')");
ok($node->poll_query_until($db, qq{SELECT count(*) = 1 FROM vigil.check_jobs('0') WHERE severity = 'warning'
	AND problem ~ 'job "fresh" has never run; process $pid holds rows of vigil.job_state, its transaction began at '}),
	'a job that has never run, and who prevents it');
$holder->query_safe('COMMIT');
$holder->quit;
$node->safe_psql($db, "SELECT vigil.pause_job('broken')");
ok($node->poll_query_until($db, "SELECT state = 'paused' FROM vigil.jobs WHERE name = 'broken'"), 'a job is paused');
$node->safe_psql($db, "UPDATE vigil.job_state SET next_run_at = now() - interval '10 minutes' WHERE name = 'broken'");
($holder, $pid) = session('BEGIN', "SELECT FROM vigil.job_state WHERE name = 'broken' FOR UPDATE");
$node->safe_psql($db, "UPDATE vigil.job_settings SET enabled = true WHERE name = 'broken'");
ok($node->poll_query_until($db, qq{SELECT count(*) = 1 FROM vigil.check_jobs('1 second')
	WHERE problem ~ 'job "broken" has been due since .*, it last ran at .*; process $pid holds rows' AND remedy = 'SELECT pg_terminate_backend($pid);'}),
	'one that is late, and who prevents it');
$holder->quit;
finds('jobs', undef, 'both run when they can');
$node->safe_psql($db, "DELETE FROM vigil.job_settings WHERE name IN ('broken', 'fresh')");

# --- A partition that cannot be made ---------------------------------------------------------------------

$node->safe_psql($db, "SELECT vigil.alter_job('maintain_partitions', run_every => '1 second')");
my $missing = $node->safe_psql($db, "SELECT partition FROM vigil.partitions WHERE parent = 'events' ORDER BY starts_at DESC LIMIT 1");
($holder, $pid) = session('BEGIN', "DROP TABLE vigil.$missing", 'COMMIT', 'BEGIN', 'LOCK TABLE vigil.events IN SHARE MODE');
# The job may have been faster than the lock.
if ($node->safe_psql($db, "SELECT to_regclass('vigil.$missing') IS NULL") eq 't')
{
	finds('partitions',
		qr/^warning events: vigil.events has no partition $missing: what comes for that time waits in quarantine; process $pid has ShareLock on vigil.events, its transaction began at .*: /,
		'a partition that a lock keeps from being made: by whom, since when');
}
$holder->quit;
finds('partitions', undef, 'the job makes it when the lock is gone');

# A lock on everything: the doctor does not wait for it.
($holder, $pid) = session('BEGIN', 'LOCK TABLE vigil.events IN ACCESS EXCLUSIVE MODE', 'LOCK TABLE vigil.dirty IN ACCESS EXCLUSIVE MODE');
my $began = time;
like(found('rollup'), qr/^warning rollup: the check could not look \(SQLSTATE 55P03\): .*; process $pid has AccessExclusiveLock on vigil\.(dirty|events)/,
	'tables that are locked: the check says by whom');
cmp_ok(time - $began, '<', 20, 'and does not wait');
$holder->quit;
finds('rollup', undef, 'it looks again when they are free');

# --- Transactions ----------------------------------------------------------------------------------------

($holder, $pid) = session('BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM vigil.events');
$node->safe_psql($db, "BEGIN; CREATE TABLE public.prepared (); PREPARE TRANSACTION 'left over'");
my $open = $node->safe_psql($db, "SELECT problem, remedy FROM vigil.check_transactions('0') ORDER BY subject");
like($open, qr/a transaction of ".*" has been open since .*\(idle in transaction\).*\|SELECT pg_terminate_backend\($pid\);/, 'a transaction that is open');
like($open, qr/transaction 'left over' has been prepared since .*\|ROLLBACK PREPARED 'left over';/, 'a transaction that was prepared');
$node->safe_psql($db, $_) for split /\n/, $node->safe_psql($db, "SELECT remedy FROM vigil.check_transactions('0')");
ok($node->poll_query_until($db, "SELECT count(*) = 0 FROM vigil.check_transactions('0')"), 'the remedies end them');
is($node->safe_psql($db, "SELECT count(*) FROM pg_prepared_xacts"), '0', 'both');
eval { $holder->quit };

# --- A queue that is too small ----------------------------------------------------------------------------

my $event = "jsonb_build_object('moduleId', '" . MODULE . "', 'eventType', 'render', 'eventName', 'x', 'payload', jsonb_build_object('x', repeat('x', 500)))";
ok($node->poll_query_until($db, "SELECT count(*) > 0 FROM (SELECT vigil.track_async($event) AS taken FROM generate_series(1, 1000)) t WHERE NOT taken"),
	'more events than the queue holds');
finds('ingest', qr/^warning vigil.capture_queue_size: \d+ records were lost since the start of the server, because the queue of \d+ kB was full$/, 'are lost, which is told');
$node->safe_psql($db, "SELECT vigil.rate_limit('key ' || i, 1, '1 hour') FROM generate_series(1, 3000) i");
finds('rate_limits', qr/^warning vigil.rate_limit_buckets: \d+ requests since the start of the server were not limited: there was no room for more than \d+ buckets$/,
	'more keys than there are buckets');
mend('ingest');
mend('rate_limits');
$node->restart;
finds('ingest', undef, 'the remedy makes room');
finds('rate_limits', undef, 'for both');

# --- pg_cron ----------------------------------------------------------------------------------------------

SKIP:
{
	skip 'pg_cron is not installed', 2
	  if $node->safe_psql($db, "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'") eq '0';
	setting("shared_preload_libraries = 'pg_cron, pg_vigil'\ncron.database_name = '$db'\ncron.launch_active_jobs = off\n");
	$node->restart;
	$node->safe_psql($db, 'CREATE EXTENSION pg_cron; SELECT vigil.schedule_with_pg_cron()');
	finds('pg_cron', qr/^info pg_cron: pg_cron runs \d+ jobs that the workers run as well$/, 'jobs that pg_cron runs too');
	mend('pg_cron');
	finds('pg_cron', undef, 'and not');
}

# --- A clock that is set back ------------------------------------------------------------------------------

# The clock of a server that begins with this library is ahead by the seconds in a file.
my $dir = $node->basedir;
append_to_file("$dir/clock.c", <<'C');
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec real;
	char text[32] = "";
	int saved = errno, file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
	if (file >= 0 && read(file, text, sizeof text - 1) < 0)
		text[0] = 0;
	if (file >= 0)
		close(file);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
	now->tv_sec = real.tv_sec + atol(text);
	now->tv_usec = real.tv_nsec / 1000;
	errno = saved;
	return 0;
}
C

sub set_clock
{
	my ($ahead) = @_;
	unlink "$dir/new";
	append_to_file("$dir/new", $ahead);
	rename "$dir/new", "$dir/ahead" or die;
	return;
}

SKIP:
{
	skip 'there is no compiler', 8 if system("cc -shared -fPIC -o $dir/clock.so $dir/clock.c") != 0;
	set_clock(7200);
	$node->stop;
	{
		local %ENV = (%ENV, LD_PRELOAD => "$dir/clock.so", CLOCK_OFFSET => "$dir/ahead");
		$node->start;
	}
	cmp_ok(abs($node->safe_psql($db, 'SELECT extract(epoch FROM clock_timestamp())') - time - 7200), '<', 60,
		'the clock of the server is two hours ahead');
	ok($node->poll_query_until($db, q{SELECT bool_and(last_run > now() - interval '10 minutes') FROM vigil.jobs}), 'every job has run by it');
	$node->safe_psql($db, "SELECT vigil.pause_job('expire')");
	set_clock(3600);
	finds('clock', qr/^warning clock: the clock of the server was set back: job "expire" ran at /, 'it is set back an hour, which is told');
	# A captured event does not wait for an hour, nor does a worker that ends.
	my $events = $node->safe_psql($db, 'SELECT count(*) FROM vigil.events');
	ok($node->poll_query_until($db, "SELECT vigil.track_async($event)"), 'an event is captured');
	my $scheduler = $node->safe_psql($db, "SELECT pg_terminate_backend(pid), pid FROM vigil.workers() WHERE kind = 'scheduler' AND database = '$db'");
	set_clock(0);
	ok($node->poll_query_until($db, "SELECT count(*) > $events FROM vigil.events"), 'and stored, though the clock is set back again');
	ok($node->poll_query_until($db, "SELECT bool_and(last_run < now()) FROM vigil.jobs WHERE name <> 'expire'"), 'jobs run at once, none waits for the time to come again');
	$node->safe_psql($db, "SELECT vigil.resume_job('expire')");
	finds('clock', undef, 'when all have run, nothing is to be told');
	finds('jobs', undef, 'no job is late');
	$node->stop;
	$node->start;
}

$node->stop;

# --- A full disk -------------------------------------------------------------------------------------------

# A server that sees a small disk nobody else sees; whoever may make user namespaces can mount one.
my $small = "$dir/small";
mkdir $small or die;
my ($gid) = split ' ', $(;
my @inside = ('unshare', '--user', '--map-root-user', '--mount', 'sh', '-c',
	"mount -t tmpfs -o size=64m,mode=700 tmpfs $small && exec unshare --user --map-user=$< --map-group=$gid \"\$@\"", 'sh');
SKIP:
{
	skip 'a small disk cannot be mounted here', 5 if system("@{[map { quotemeta } @inside]} true 2> /dev/null") != 0;
	$node = PostgreSQL::Test::Cluster->new('disk');
	$node->init;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_vigil'\nvigil.launcher_naptime = 1\nmax_worker_processes = 16\n");
	{
		local %ENV = $node->_get_env();
		system_or_bail(@inside, $node->installed_command('pg_ctl'), '-w', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start');
		$node->_update_pid(1);
	}
	$db = 'crowded';
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$small'");
	$node->safe_psql('postgres', 'CREATE DATABASE crowded TABLESPACE small');
	$node->safe_psql($db, q{CREATE EXTENSION pg_vigil; CREATE TABLE public.log (line text);
		CREATE FUNCTION public.grow() RETURNS bigint LANGUAGE sql AS $$
		  INSERT INTO public.log SELECT repeat('x', 1000) FROM generate_series(1, 300); SELECT 300::bigint $$;
		INSERT INTO vigil.job_settings (name, description, step, run_every) VALUES ('grow', 'writes', 'public.grow()', '1 second')});
	ok($node->poll_query_until($db, q{SELECT count(*) > 0 FROM vigil.job_history WHERE job = 'grow'}), 'a job writes to a small disk');
	ok($node->poll_query_until($db, 'SELECT count(*) = 0 FROM vigil.doctor()'), 'all is well')
	  or diag($node->safe_psql($db, 'SELECT * FROM vigil.doctor()'));
	$node->safe_psql($db, "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; dd if=/dev/zero of=$small/filler bs=64k 2> /dev/null; true'");
	finds('jobs', qr/^(?:warning|critical) grow: job "grow" has failed .*No space left on device$/m, 'when it is full, the doctor tells it');
	like($node->safe_psql($db, "SELECT remedy FROM vigil.doctor() WHERE subject = 'grow'"), qr/free.*space/i, 'with what to do');
	$node->safe_psql($db, "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm $small/filler'");
	finds('jobs', undef, 'when there is room again, jobs work again');
	$node->stop;
}

done_testing();
