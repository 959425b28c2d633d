# Without preload, pg_cron runs the jobs.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->start;
plan skip_all => 'pg_cron is not installed'
  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'") eq '0';

sub fails
{
	my ($database, $sql) = @_;
	my (undef, undef, $errors) = $node->psql($database, "\\set VERBOSITY verbose\n$sql");
	return $errors;
}

# --- Without pg_cron --------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE EXTENSION pg_vigil');
my $errors = fails('postgres', 'SELECT vigil.schedule_with_pg_cron()');
like($errors, qr/ERROR:  42704: pg_cron is not loaded/, 'without pg_cron: 42704');
like($errors, qr/HINT:.*shared_preload_libraries.*CREATE EXTENSION pg_cron/s, 'with what to do');
is($node->safe_psql('postgres', 'SELECT count(*) FROM vigil.workers()'), '0', 'without preload there are no workers');
$node->safe_psql('postgres', "CALL vigil.run_job('rollup')");
is($node->safe_psql('postgres', "SELECT runs FROM vigil.jobs WHERE name = 'rollup'"), '1', 'and jobs run by hand');

# --- With pg_cron -----------------------------------------------------------------------------------

my $socket = $node->host;
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.host = '$socket'
CONF
$node->restart;
like(fails('postgres', 'SELECT vigil.schedule_with_pg_cron()'),
	qr/42704: extension "pg_cron" does not exist.*HINT:  Run CREATE EXTENSION pg_cron/s, 'not created yet: 42704 and what to type');

$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
my $jobs = $node->safe_psql('postgres', 'SELECT count(*) FROM vigil.jobs');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT cron_job_id) FROM vigil.schedule_with_pg_cron()'),
	"$jobs|$jobs", 'every job is registered');
is($node->safe_psql('postgres', "SELECT schedule, command FROM cron.job WHERE jobname = 'pg_vigil maintain_partitions'"),
	q{*/10 * * * *|CALL vigil.run_job('maintain_partitions')}, 'with its interval');
is($node->safe_psql('postgres', "SELECT schedule IN ('* * * * *', '5 seconds') FROM cron.job WHERE jobname = 'pg_vigil rollup'"),
	't', 'or as often as cron can');
$node->safe_psql('postgres', "SELECT vigil.pause_job('expire')");
$node->safe_psql('postgres', 'SELECT vigil.schedule_with_pg_cron()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), $jobs - 1, 'registering again replaces; a paused job is left out');

$node->safe_psql('postgres', "UPDATE vigil.job_state SET runs = 0");
ok($node->poll_query_until('postgres', "SELECT runs > 0 AND failures = 0 FROM vigil.jobs WHERE name = 'rollup'"),
	'pg_cron runs a job');
is($node->safe_psql('postgres', 'SELECT vigil.unschedule_from_pg_cron()'), $jobs - 1, 'all are removed again');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), '0', 'none is left');

# --- pg_cron in another database ---------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('app', 'CREATE EXTENSION pg_vigil');
$errors = fails('app', 'SELECT vigil.schedule_with_pg_cron()');
like($errors, qr/ERROR:  0A000: pg_cron runs in database "postgres"/, 'pg_cron in another database: 0A000');
my @statements = $errors =~ /^(SELECT cron\.schedule_in_database\(.*\);)$/mg;
is(scalar @statements, $jobs, 'with the statements to run there');
$node->safe_psql('postgres', join "\n", @statements);
is($node->safe_psql('postgres', "SELECT count(*) FROM cron.job WHERE database = 'app'"), $jobs, 'which work');

$node->stop('fast');
done_testing();
