# Several rollers of one database, as workers: they share the work, are replaced when they are ended, follow the settings, and
# cells are what the raw rows make.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use PgVigil;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = vigil_node('rollers', preload => 1,
	conf => "max_worker_processes = 16\nvigil.rollup_patience = 1ms\nvigil.rollup_workers = 3\nautovacuum = off\n");
my $db = 'postgres';

sub has_rollers
{
	my ($count, $description) = @_;
	return ok($node->poll_query_until($db, "SELECT count(*) = $count FROM vigil.workers() WHERE kind = 'roller'"), $description);
}

sub fill
{
	my ($seed) = @_;
	$node->safe_psql($db, "INSERT INTO vigil.events (module_id, created_at, event_type, event_name, duration_ms, session_id)
		SELECT md5('module' || n % 60)::uuid, date_trunc('hour', now()) - n % 97 * interval '3 minutes', 'render', 'r', n % 40 + $seed, 's' || n % 30
		FROM generate_series(1, 60000) AS n");
	return;
}

sub all_done
{
	my ($description) = @_;
	return ok($node->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), $description);
}

$node->safe_psql($db, 'SELECT count(*) FROM vigil.maintain_partitions()');
has_rollers(2, 'design 6: two rollers besides the scheduler');
install_recompute($node, $db);

# One alone would be ready before another looks, so each chunk takes longer.
$node->safe_psql($db, q{CREATE FUNCTION public.doze() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
	CREATE TRIGGER doze AFTER INSERT ON vigil.cells_minute FOR EACH STATEMENT EXECUTE FUNCTION public.doze()});
fill(1);
ok($node->poll_query_until($db, 'SELECT count(DISTINCT pid) >= 2 FROM vigil.rollup_turns'), 'design 6: they work side by side');
$node->safe_psql($db, 'DROP TRIGGER doze ON vigil.cells_minute; DROP FUNCTION public.doze()');
all_done('design 6: and leave nothing');
is($node->safe_psql($db, 'SELECT facts_read = 60000 AND facts_counted = 60000 AND minutes = 60 * 97 FROM vigil.rollup_progress'), 't',
	'design 6: each minute once');
is(cell_differences($node, $db), "minute_cells 0 0\nhour_cells 0 0\nday_cells 0 0", 'design 6: cells equal raw rows, byte for byte');

# --- Ended in the middle --------------------------------------------------------------------------

for my $round (1 .. 5)
{
	fill($round + 1);
	$node->poll_query_until($db, "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1");
	$node->safe_psql($db, "SELECT pg_terminate_backend(pid) FROM vigil.workers() WHERE kind IN ('roller', 'scheduler')");
}
all_done('design 6: those that come after them do the rest');
has_rollers(2, 'design 9: rollers that were ended are replaced');
same_as_raw($node, $db, 'design 6 after rollers were ended');

# --- A cell that is wrong -------------------------------------------------------------------------

$node->safe_psql($db, q{UPDATE vigil.cells_hour SET subject = 'wrong' WHERE (module_id, bucket) = (SELECT module_id, min(bucket) FROM vigil.cells_hour
	GROUP BY 1 LIMIT 1)});
my $warning = qr/WARNING:  cells of module \S+ in the hour of .* UTC are not what its facts make: 4 differ/;
unlike(slurp_file($node->logfile), $warning, 'design 6: before the verifier comes, nobody knows');
$node->safe_psql($db, q{SELECT vigil.alter_job('verify_rollups', '1 second')});
ok($node->poll_query_until($db, 'SELECT count(*) > 0 FROM vigil.rollup_differences'), 'design 6: the verifier finds it');
like(slurp_file($node->logfile), $warning, 'design 6: and warns');
all_done('design 6: and the rollers make it anew');
same_as_raw($node, $db, 'design 6 after a cell was wrong');

# --- Settings -------------------------------------------------------------------------------------

$node->safe_psql($db, "SELECT vigil.pause_job('rollup')");
$node->poll_query_until($db, "SELECT state <> 'running' FROM vigil.jobs WHERE name = 'rollup'") or die 'the run does not end';
fill(20);
is($node->safe_psql($db, 'SELECT vigil.assist_rollup()'), '0', 'design 9: while the job is paused, rollers do nothing');
cmp_ok($node->safe_psql($db, 'SELECT count(*) FROM vigil.dirty'), '>', 0, 'design 9: and marks stay');
$node->safe_psql($db, "SELECT vigil.resume_job('rollup')");
all_done('design 9: until it is resumed');
$node->append_conf('postgresql.conf', "vigil.rollup_workers = 1\n");
$node->reload;
has_rollers(0, 'design 9: fewer rollers when the setting says so');
$node->append_conf('postgresql.conf', "vigil.rollup_workers = 2\n");
$node->reload;
has_rollers(1, 'design 9: and more');
$node->safe_psql($db, 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION pg_vigil');
has_rollers(2, 'design 9: each database has its own');
$node->safe_psql($db, 'DROP DATABASE other');
has_rollers(1, 'design 9: which leave with it');
$node->safe_psql($db, 'DROP SCHEMA recompute CASCADE; DROP EXTENSION pg_vigil');
ok($node->poll_query_until($db, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pg_vigil%'"), 'design 9: and with the extension');
unlike(slurp_file($node->logfile), qr/deadlock detected|PANIC|terminated by signal/, 'design 6: no deadlock, no crash');

$node->stop;
done_testing();
