# Errors of the server become errors of the extension without a call: whatever becomes of the transaction, in
# bounded memory, and without harm when nothing can store them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use IPC::Run ();
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $m = MODULE;
my $event = qq('{"moduleId": "$m", "eventType": "render", "eventName": "e"}');
my $node = vigil_node('capture', preload => 1, streaming => 1,
	conf => "max_worker_processes = 16\nvigil.capture_server_errors = on\nvigil.capture_queue_size = 256kB\n"
	  . "restart_after_crash = on\nstats_fetch_consistency = none\n");

sub serves
{
	my ($db) = @_;
	return $node->poll_query_until($db, 'SELECT count(*) = 1 FROM vigil.capture_stats');
}

sub drained
{
	my ($db) = @_;
	return $node->poll_query_until($db // 'postgres', 'SELECT waiting = 0 FROM vigil.capture_stats');
}

sub stats
{
	my ($columns, $db) = @_;
	return $node->safe_psql($db // 'postgres', "SELECT $columns FROM vigil.capture_stats");
}

# Statements one of which fails.
sub failing
{
	my ($sql, $db) = @_;
	my ($status, $out, $err) = $node->psql($db // 'postgres', $sql);
	return $err;
}

sub errors_named
{
	my ($name, $columns) = @_;
	$columns //= 'count(*)';
	return $node->safe_psql('postgres', "SELECT $columns FROM vigil.errors WHERE error_name = '$name'");
}

ok(serves('postgres'), 'CREATE EXTENSION: the database has a queue');

# --- What is captured -----------------------------------------------------------------------------

$node->safe_psql('postgres', q{
CREATE TABLE customer (id integer PRIMARY KEY, email text);
INSERT INTO customer VALUES (1, 'secret@example.com');
CREATE FUNCTION inner_division(n integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN 10 / n; END $$;
CREATE FUNCTION outer_division(n integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE result integer; BEGIN EXECUTE 'SELECT inner_division($1) -- secret' INTO result USING n; RETURN result; END $$});
failing(q{BEGIN; INSERT INTO customer VALUES (2, 'x'); SELECT outer_division(0); COMMIT});
failing(q{INSERT INTO customer VALUES (1, 'secret')});
failing(q{SET statement_timeout = '20ms'; SELECT pg_sleep(60)});
failing(q{COPY customer FROM PROGRAM 'echo secret'});
failing(q{DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'VX001'; END $$});
failing(q{DO $$ BEGIN RAISE WARNING 'only a warning'; END $$});
ok(drained(), 'the recorder stores what waits');
is(errors_named('division_by_zero', q{error_type || ' ' || level || ' ' || handled || E'\n' || error_stack}),
	"database error false\nPL/pgSQL function inner_division(integer) line 1 at RETURN\n"
	  . 'PL/pgSQL function outer_division(integer) line 2 at EXECUTE',
	'an error of a transaction that was rolled back is stored, with its frames as stack');
is(errors_named('unique_violation', q{error_message || ': ' || (context ->> 'table') || ', ' || (context ->> 'constraint')
	|| ', ' || (tags ->> 'command') || ', ' || (tags ->> 'role') || ', ' || (tags ->> 'sqlstate')}),
	'duplicate key value violates unique constraint "customer_pkey": customer, customer_pkey, INSERT, '
	  . $node->safe_psql('postgres', 'SELECT session_user') . ', 23505', 'with the names that it tells');
is(errors_named('query_canceled'), 1, 'a statement timeout is one');
is(errors_named('VX001'), 1, 'an SQLSTATE of the application is its own name');
is($node->safe_psql('postgres', q{SELECT count(*) FROM vigil.errors WHERE error_message = 'only a warning'}), 0,
	'a warning is none');
is($node->safe_psql('postgres', q{SELECT count(*) FROM vigil.errors e WHERE e::text ~ 'secret' AND error_name <> 'invalid_text_representation'}), 0,
	'no statement, no row and no detail is stored');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT module_id), bool_and(module_id = vigil.server_module()) FROM vigil.errors'),
	'1|t', 'all are of the module of the server');
is($node->safe_psql('postgres', 'SELECT name FROM vigil.modules WHERE module_id = vigil.server_module()'),
	'PostgreSQL: postgres', 'which has a name');
is($node->safe_psql('postgres', 'SELECT count(*) FROM vigil.module_error_groups'),
	$node->safe_psql('postgres', 'SELECT count(DISTINCT fingerprint) FROM vigil.errors'), 'and they are grouped');

failing(q{SET vigil.capture_values = on; INSERT INTO customer VALUES (1, 'value')});
failing(q{SET vigil.capture_severity = warning; DO $$ BEGIN RAISE WARNING 'now captured'; END $$});
failing(q{SET vigil.capture_severity = fatal; SELECT 1 / 0});
failing(q{SET vigil.capture_server_errors = off; SELECT 1 / 0});
drained();
is($node->safe_psql('postgres', q{SELECT (context ->> 'detail') || ' ' || (context ->> 'statement') FROM vigil.errors WHERE context ? 'statement'}),
	q{Key (id)=(1) already exists. INSERT INTO customer VALUES (1, 'value')}, 'vigil.capture_values adds detail and statement');
is($node->safe_psql('postgres', q{SELECT level FROM vigil.errors WHERE error_message = 'now captured'}), 'warning',
	'vigil.capture_severity lets warnings in');
is(errors_named('division_by_zero'), 1, 'and keeps errors out, as vigil.capture_server_errors = off does');

my $parallel = $node->pg_version < 16 ? 'force_parallel_mode' : 'debug_parallel_query';
failing("SET $parallel = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SELECT sum(1 / (id - 1)) FROM customer");
drained();
is(errors_named('division_by_zero'), 2, 'an error of a parallel worker is captured once');

# --- vigil.capture_exception and vigil.track_async ---------------------------------------------------

my $handler = sub {
	my ($arguments) = @_;
	return qq{BEGIN; DO \$\$ BEGIN PERFORM nothing FROM nowhere;
	  EXCEPTION WHEN OTHERS THEN PERFORM vigil.capture_exception(SQLSTATE, SQLERRM$arguments); END \$\$; ROLLBACK};
};
$node->safe_psql('postgres', $handler->(''));
is(errors_named('undefined_table'), 0, 'a caught error is rolled back with its transaction');
$node->safe_psql('postgres', $handler->(', survive => true'));
drained();
is(errors_named('undefined_table', 'handled'), 't', 'or survives it, if asked to');
$node->safe_psql('postgres', "BEGIN; SELECT vigil.track_async($event); ROLLBACK");
is(stats('waiting'), 1, 'S0-24: an event waits for others');
ok(drained(), 'S0-24: but not for long');
is($node->safe_psql('postgres', 'SELECT count(*), bool_and(created_at < received_at) FROM vigil.events'), '1|t',
	'it survives the rollback, and has the time of the call');
$node->safe_psql('postgres', "SELECT vigil.track_async($event) FROM generate_series(1, 250)");
ok($node->poll_query_until('postgres', 'SELECT count(*) = 251 FROM vigil.events'), 'S0-24: many are stored at once');
$node->safe_psql('postgres', q{SELECT vigil.track_async('{"moduleId": "nobody"}')});
drained();
is($node->safe_psql('postgres', 'SELECT source, sqlstate FROM vigil.rejected'), 'track_async|22P02', 'a bad one is kept with its reason');

# --- Harmless ---------------------------------------------------------------------------------------

my $captured = stats('captured');
isnt($node->psql('nowhere', 'SELECT 1'), 0, 'a login to a database that does not exist');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
failing('SELECT 1 / 0', 'plain') for 1 .. 3;
is(stats('captured'), $captured, 'errors of a database without the extension are not captured');

# --- Every failure in its group -----------------------------------------------------------------------

$node->safe_psql('postgres', q{
CREATE SCHEMA shop;
CREATE FUNCTION shop.fail_0() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE serialization_failure; END $$;
CREATE FUNCTION shop.fail_1() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE serialization_failure USING MESSAGE = 'other'; END $$});
my $script = write_script('bench', '\set fails random(1, 100)', '\set kind random(0, 1)', 'BEGIN;', 'SELECT 1;',
	'\if :fails <= 5', '\if :kind = 0', 'SELECT shop.fail_0();', '\else', 'SELECT shop.fail_1();', '\endif', '\endif', 'END;');
my ($out, $err);
{
	local %ENV = $node->_get_env();
	IPC::Run::run([ $node->installed_command('pgbench'), '-n', '-c', 4, '-j', 2, '-t', 2000, '-f', $script, $node->connstr('postgres') ],
		'>', \$out, '2>', \$err) or diag($err);
}
my ($failures) = $out =~ /number of failed transactions: (\d+)/;
drained();
cmp_ok($failures, '>', 100, 'pgbench: about 5 % of transactions fail');
is($node->safe_psql('postgres', q{SELECT sum(total_occurrences) FROM vigil.module_error_groups WHERE error_name = 'serialization_failure'}),
	$failures, 'pgbench: every failure is in its group');
is($node->safe_psql('postgres', q{SELECT count(*) FROM vigil.module_error_groups WHERE error_name = 'serialization_failure'}), 2,
	'pgbench: of which there are two');
is(stats('dropped, failed, captured = stored'), '0|0|t', 'pgbench: none is lost');

# --- What cannot be stored ------------------------------------------------------------------------------

$node->safe_psql('postgres', q{ALTER TABLE vigil.errors ADD CONSTRAINT poison CHECK (error_message <> 'poison')});
$captured = stats('captured');
failing(join '', map { "DO \$\$ BEGIN RAISE EXCEPTION '" . ($_ == 5 ? 'poison' : "good") . "'; END \$\$;\n" } $_) for 1 .. 10;
ok(drained(), 'an error that cannot be stored does not stay');
is(stats('failed, captured - ' . $captured), '1|10', 'it is given up alone, and no new one comes of that');
is($node->safe_psql('postgres', q{SELECT count(*) FROM vigil.errors WHERE error_message = 'good'}), 9, 'the others are stored');
$node->safe_psql('postgres', 'ALTER TABLE vigil.errors DROP CONSTRAINT poison');

my $locker = start_psql($node, 'postgres', write_script('lock', 'BEGIN; LOCK TABLE vigil.errors; SELECT pg_sleep(120);'));
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'vigil.errors'::regclass AND mode = 'AccessExclusiveLock'}),
	'a lock keeps the recorder from storing');
my $began = time;
my $flood = write_script('flood', map { 'SELECT 1 / 0;' } 1 .. 3000);
finish_psql(start_psql($node, 'postgres', $flood, go_on => 1));
cmp_ok(time - $began, '<', 60, 'sessions do not wait for it');
cmp_ok(stats('dropped'), '>', 0, 'what finds the queue full is dropped, and counted');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_locks
	WHERE relation = 'vigil.errors'::regclass AND mode = 'AccessExclusiveLock' AND granted});
finish_psql($locker);
ok(drained(), 'then what waited is stored');
is(stats('captured = stored + failed'), 't', 'and the counts agree');
is(errors_named('division_by_zero') - 3000 + stats('dropped') >= 1, 1, 'each error was stored or counted as dropped');

# --- Stops and crashes ----------------------------------------------------------------------------------

for my $mode ('fast', 'smart')
{
	$node->safe_psql('postgres', 'TRUNCATE vigil.events');
	$node->safe_psql('postgres', "SELECT vigil.track_async($event) FROM generate_series(1, 20)");
	is(stats('waiting'), 20, "$mode shutdown: events wait");
	$node->stop($mode);
	$node->start;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vigil.events'), 20, "$mode shutdown: they were stored");
	ok(serves('postgres'), "$mode shutdown: afterwards there is a queue again");
}
failing('SELECT 1 / 0');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM vigil.workers() WHERE kind = 'recorder'}), 'a recorder comes');
my $recorder = $node->safe_psql('postgres', q{SELECT pid FROM vigil.workers() WHERE kind = 'recorder'});
kill 'KILL', $recorder;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $recorder"), 'the recorder is killed');
ok(serves('postgres'), 'the server comes back');
$node->safe_psql('postgres', 'TRUNCATE vigil.errors');
failing('SELECT 1 / 0');
drained();
is(errors_named('division_by_zero'), 1, 'and captures again');
$recorder = $node->safe_psql('postgres', q{SELECT pid FROM vigil.workers() WHERE kind = 'recorder'});
$node->safe_psql('postgres', "SELECT vigil.track_async($event) FROM generate_series(1, 20); SELECT pg_terminate_backend($recorder)");
ok(drained(), 'a recorder that is terminated stores what waits');

# --- Two databases -----------------------------------------------------------------------------------------

$node->safe_psql('plain', 'CREATE EXTENSION pg_vigil');
ok(serves('plain'), 'a second database has its own queue');
failing('SELECT nothing', 'plain');
drained('plain');
is($node->safe_psql('plain', 'SELECT count(*), min(error_name) FROM vigil.errors'), '1|undefined_column', 'and its own errors');
is(errors_named('undefined_column'), 0, 'which the first does not see');
isnt($node->safe_psql('plain', 'SELECT vigil.server_module()'), $node->safe_psql('postgres', 'SELECT vigil.server_module()'),
	'their modules differ');

# --- The end -------------------------------------------------------------------------------------------------

$node->safe_psql('plain', "SELECT vigil.track_async($event) FROM generate_series(1, 50); DROP EXTENSION pg_vigil CASCADE");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'plain' AND backend_type LIKE 'pg\_vigil %'}),
	'DROP EXTENSION while records wait: the recorder leaves');
$node->safe_psql('plain', 'CREATE EXTENSION pg_vigil');
ok(serves('plain'), 'CREATE EXTENSION again');
is($node->safe_psql('plain', 'SELECT count(*) FROM vigil.events'), 0, 'what waited is gone');
is(stats('captured', 'plain'), 0, 'and counting begins anew');
$node->safe_psql('plain', "SELECT vigil.track_async($event)");
$node->safe_psql('postgres', 'DROP DATABASE plain');
pass('DROP DATABASE while records wait');

$node->append_conf('postgresql.conf', 'vigil.workers = off');
$node->safe_psql('postgres', "SELECT vigil.track_async($event)");
ok($node->poll_query_until('postgres', 'SELECT recorder FROM vigil.capture_stats'), 'a recorder looks after an event');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM vigil.workers()}), 'vigil.workers = off: the recorder leaves');
is(stats('waiting'), 0, 'with nothing left behind');
is($node->safe_psql('postgres', "SELECT vigil.track_async($event)"), 'f', 'and nobody takes what it would not get');
$node->append_conf('postgresql.conf', 'vigil.workers = on');
$node->reload;

# --- A standby ----------------------------------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
isnt($standby->psql('postgres', 'SELECT 1 / 0'), 0, 'an error on a standby');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM vigil.capture_stats'), 0, 'is not captured');
is($standby->safe_psql('postgres', "SELECT vigil.track_async($event)"), 'f', 'nor an event');
$node->wait_for_catchup($standby);
$standby->promote;
ok($standby->poll_query_until('postgres', 'SELECT count(*) = 1 FROM vigil.capture_stats'), 'after its promotion there is a queue');
isnt($standby->psql('postgres', 'SELECT nothing_there'), 0, 'and an error');
ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM vigil.errors WHERE error_message ~ 'nothing_there'}), 'is captured');

$standby->stop;
$node->stop;
done_testing();
