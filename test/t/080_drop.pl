# The extension goes while sessions write and workers run, and leaves nothing behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $db = 'busy';
my $m = MODULE;
my $node = vigil_node('drop', preload => 1, no_extension => 1);
$node->safe_psql('postgres', "CREATE DATABASE $db");

# What is in the database besides PostgreSQL's own: nothing, but for the schema that CREATE EXTENSION made.
my $left = sub {
	return $node->safe_psql($_[0], q{
	SELECT 'class', c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'vigil' OR c.relname ~ 'vigil'
	UNION ALL SELECT 'proc', p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'vigil' OR p.probin ~ 'vigil'
	UNION ALL SELECT 'type', t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'vigil'
	UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE tgname ~ '^dirty_'
	UNION ALL SELECT 'depend', d.refclassid::regclass::text FROM pg_depend d
	  WHERE d.refclassid = 'pg_extension'::regclass AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.oid = d.refobjid)
	UNION ALL SELECT 'extension', extname FROM pg_extension WHERE extname = 'pg_vigil'
	ORDER BY 1, 2});
};
my $workers = sub {
	my ($count, $description) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_stat_activity
	  WHERE datname = '$db' AND backend_type LIKE 'pg\\_vigil %'"), $description);
};

# A session that writes for as long as the functions are there. The errors of their going are expected, and
# caught here so that the log of the server has only what nobody expects.
my $ingest = qq{DO \$\$
DECLARE missing integer := 0;
BEGIN
  LOOP
    BEGIN
      PERFORM vigil.track_event('{"moduleId": "$m", "eventType": "render", "eventName": "x"}');
      PERFORM vigil.track_error('{"moduleId": "$m", "errorType": "api", "errorName": "E", "errorMessage": "x"}');
      missing := 0;
    EXCEPTION WHEN undefined_function OR invalid_schema_name OR undefined_table OR deadlock_detected THEN
      missing := missing + 1;
      EXIT WHEN missing > 100;
    END;
    COMMIT;
    PERFORM pg_sleep(0.005);
  END LOOP;
END \$\$;};
my $write_forever = write_script('ingest', $ingest);

for my $round (1 .. 5)
{
	$node->safe_psql($db, q{CREATE EXTENSION pg_vigil; SELECT vigil.alter_job('rollup', '1 second');
	  SELECT vigil.alter_job('evaluate_alerts', '1 second')});
	my @writers = map { start_psql($node, $db, $write_forever) } 1 .. 4;
	$workers->(2, "design 9: round $round: workers run");
	ok($node->poll_query_until($db, q{SELECT (SELECT count(*) FROM vigil.events) > 20
	  AND EXISTS (SELECT FROM vigil.job_state WHERE name = 'rollup' AND runs > 0)}), "design 9: round $round: sessions write and jobs run");
	# It may meet a writer's locks in the other order, as any DROP may.
	my ($status, $out, $err);
	for (1 .. 20)
	{
		($status, $out, $err) = $node->psql($db, 'DROP EXTENSION pg_vigil CASCADE');
		last if $status == 0 || $err !~ /deadlock/;
	}
	is($status, 0, "design 9: round $round: DROP EXTENSION while sessions write and workers run") or diag($err);
	is($left->($db), '', "design 9: round $round: nothing of the extension is left");
	$workers->(0, "design 9: round $round: its workers end");
	my @ends = map { finish_psql($_) ? 1 : 0 } @writers;
	is("@ends", '1 1 1 1', "design 9: round $round: the sessions live on");
}

# --- Without CASCADE, and by its schema ---------------------------------------------------------------

my $fill = qq{SELECT vigil.track_event('{"moduleId": "$m", "eventType": "render", "eventName": "x"}')};
$node->safe_psql($db, "CREATE EXTENSION pg_vigil; $fill; SELECT vigil.rollup()");
$node->safe_psql($db, 'DROP EXTENSION pg_vigil');
is($left->($db), '', 'design 3: without CASCADE, partitions with rows go with the extension');

$node->safe_psql($db, "CREATE EXTENSION pg_vigil; $fill; CREATE VIEW mine AS SELECT * FROM vigil.module_analytics_hourly");
my ($status, $out, $err) = $node->psql($db, 'DROP EXTENSION pg_vigil');
like($err, qr/other objects depend on it/, 'design 3: without CASCADE it stays when something depends on it');
is($node->safe_psql($db, 'SELECT sum(total_renders) FROM mine WHERE version_id IS NULL'), 1, 'design 3: and still works');
($status, $out, $err) = $node->psql($db, 'DROP SCHEMA vigil');
like($err, qr/depend/, 'design 3: its schema cannot be dropped under it');
$node->safe_psql($db, 'DROP SCHEMA vigil CASCADE');
is($left->($db), '', 'design 3: DROP SCHEMA CASCADE takes the extension along');
is($node->safe_psql($db, q{SELECT count(*) FROM pg_namespace WHERE nspname = 'vigil'}), 0, 'design 3: and the schema');
$workers->(0, 'design 9: the workers end then, too');

$node->safe_psql($db, "CREATE EXTENSION pg_vigil; $fill");
is($node->safe_psql($db, 'SELECT count(*) FROM vigil.events'), 1, 'design 3: CREATE EXTENSION works again');
$workers->(2, 'design 9: and its workers come back');

# --- The log -----------------------------------------------------------------------------------------

my %times;
for (read_lines($node->logfile))
{
	$times{$1}++ if /\b((?:ERROR|FATAL|PANIC): .*)/ && !/deadlock|depend/;
}
is_deeply([ grep { /PANIC|FATAL/ } keys %times ], [], 'design 9: no process died');
is_deeply([ grep { $times{$_} > 2 } keys %times ], [], 'design 9: no error was repeated');
note("$times{$_} x $_") for sort keys %times;

$node->stop;
done_testing();
