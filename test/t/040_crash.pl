# The postmaster is killed with SIGKILL again and again while sessions write, change and roll up. After
# every restart each acknowledged transaction is there whole, no transaction is there in part or twice,
# and the views equal what the raw rows say.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $kills = 6;
my $transactions = 2000;    # of a writer in a round; more than it gets to
my $db = 'postgres';
my $m = MODULE;
my $n = OTHER_MODULE;

my $node = vigil_node('crash', conf => "autovacuum_naptime = 1\nvigil.launcher_naptime = 1\n");
install_recompute($node, $db);

# Every row has a key in external_id: writer.round.transaction.rows-row.
$node->safe_psql($db, <<"SQL");
-- Most times are just now, some hours old, some older than the minute cells.
CREATE FUNCTION happened(seed text) RETURNS timestamptz LANGUAGE sql AS \$\$
  SELECT now() - CASE WHEN h % 20 = 0 THEN h % 4000 WHEN h % 7 = 0 THEN h % 300 ELSE h % 3 END * interval '1 minute'
  FROM (SELECT abs(hashtext(seed)::bigint)) AS t (h)
\$\$;
CREATE FUNCTION event(key text) RETURNS jsonb LANGUAGE sql AS \$\$
  SELECT jsonb_build_object('moduleId', CASE WHEN h % 3 = 0 THEN '$n' ELSE '$m' END, 'externalId', key,
    'eventType', (ARRAY['render', 'api_call', 'user_interaction', 'custom'])[1 + h % 4],
    'eventName', (ARRAY['done', 'api_success', 'api_error'])[1 + h % 3], 'createdAt', happened(key),
    'durationMs', (h % 24) * 0.25, 'memoryUsageKb', h % 9 * 512, 'sessionId', 's' || h % 50, 'countryCode', 'DE',
    'versionId', CASE WHEN h % 2 = 0 THEN '00000000-0000-4000-8000-00000000000' || h % 3 END)
  FROM (SELECT abs(hashtext(key)::bigint) / 7) AS t (h)
\$\$;
CREATE FUNCTION events_of(key text, first integer, last integer) RETURNS vigil.ingest_result LANGUAGE sql AS \$\$
  SELECT vigil.track_batch((SELECT jsonb_agg(event(key || '-' || i)) FROM generate_series(first, last) i))
\$\$;
CREATE FUNCTION error_of(key text) RETURNS vigil.ingest_result LANGUAGE sql AS \$\$
  SELECT vigil.track_error(jsonb_build_object('moduleId', '$m', 'errorType', 'api', 'errorName', 'E' || h % 5,
    'errorMessage', 'x', 'externalId', key, 'createdAt', happened(key), 'siteId',
    '00000000-0000-4000-8000-00000000000' || h % 10, 'sessionId', 's' || h % 50))
  FROM (SELECT abs(hashtext(key)::bigint) / 7) AS t (h)
\$\$;
CREATE TABLE acknowledged (key text PRIMARY KEY);
CREATE VIEW stored AS
SELECT split_part(external_id, '-', 1) AS key, split_part(external_id, '-', 2)::integer AS item, duration_ms, external_id
FROM vigil.events UNION ALL
SELECT split_part(external_id, '-', 1), split_part(external_id, '-', 2)::integer, NULL, external_id FROM vigil.errors;
CREATE VIEW transactions AS
SELECT key, split_part(key, '.', 1) AS writer, split_part(key, '.', 2)::integer AS round,
       split_part(key, '.', 3)::integer AS number, split_part(key, '.', 4)::bigint AS wanted,
       count(*) AS rows, bool_and(duration_ms >= 1000) AS changed, min(item) AS first
FROM stored GROUP BY key;
SELECT vigil.alter_job('rollup', '1 second');
-- COPY does not make partitions, and may be the first to write.
SELECT count(*) FROM vigil.maintain_partitions();
SQL

# --- Writers: each transaction is followed by its key, which psql prints once it has committed ---------

my %writers = (
	# The ingest functions, in transactions that stay open between their statements.
	batch => sub {
		my ($key, $i) = @_;
		return ('BEGIN;', "SELECT events_of('$key', 1, 12);", "SELECT pg_sleep(0.01 * ($i % 4));",
			"SELECT events_of('$key', 13, 20);", 'COMMIT;');
	},
	error => sub {
		my ($key, $i) = @_;
		return ('BEGIN;', "SELECT error_of('$key-1');", "SELECT pg_sleep(0.005 * ($i % 3));",
			"SELECT error_of('$key-2');", "SELECT error_of('$key-3');", 'COMMIT;');
	},
	single => sub {
		my ($key) = @_;
		return "SELECT vigil.track_event(event('$key-1'));";
	},
	# The owner's own statements: every transaction copies rows, changes those of the transaction before,
	# and deletes three of those of the one before that.
	copy => sub {
		my ($key, $i, $round) = @_;
		my ($before, $second) = map { "copy.$round." . ($i - $_) . '.10' } (1, 2);
		my @lines = map { join "\t", $m, "$key-$_", 'render', 'copied', $_ * 0.25 } 1 .. 10;
		my $same = sub { return "external_id IN (" . join(', ', map { "'$_[0]-$_'" } 1 .. $_[1]) . ')' };
		return ('BEGIN;',
			'COPY vigil.events (module_id, external_id, event_type, event_name, duration_ms) FROM stdin;', @lines, '\.',
			"UPDATE vigil.events SET duration_ms = duration_ms + 1000, created_at = created_at - interval '70 minutes' WHERE "
			  . $same->($before, 10) . ';',
			"SELECT pg_sleep(0.01 * ($i % 3));",
			'DELETE FROM vigil.events WHERE ' . $same->($second, 3) . ';', 'COMMIT;');
	},
	# What is rolled back must not be there, nor may it be counted.
	undo => sub {
		my ($key) = @_;
		return ('BEGIN;', "SELECT events_of('never.$key', 1, 9);", 'ROLLBACK;',
			'BEGIN;', "SELECT events_of('$key', 1, 3);", 'SAVEPOINT s;', "SELECT events_of('never.$key', 1, 9);",
			"SELECT error_of('never.$key-99');", 'ROLLBACK TO s;', "SELECT events_of('$key', 4, 5);", 'COMMIT;');
	});
my %rows = (batch => 20, error => 3, single => 1, copy => 10, undo => 5);
my %last;    # key of a writer's last acknowledged transaction

sub writer_script
{
	my ($writer, $round) = @_;
	my @lines = ('\o /dev/null');
	my $add = sub {
		my ($r, $i) = @_;
		my $key = "$writer.$r.$i.$rows{$writer}";
		push @lines, $writers{$writer}->($key, $i, $r), "\\echo $key";
	};
	# What was not acknowledged is sent again, with the same ids.
	$add->($round - 1, $last{$writer} + 1) if $round > 1 && $writer =~ /^(batch|error|single|undo)$/;
	$add->($round, $_) for 1 .. $transactions;
	return write_script("$writer.$round", @lines);
}

sub roller_script
{
	my ($round) = @_;
	return write_script("roller.$round",
		map { ("SELECT vigil.rollup(1 + $_ % 50);", "CALL vigil.run_job('rollup');") } 1 .. $transactions);
}

# --- Kills ------------------------------------------------------------------------------------------

sub preload
{
	my ($on) = @_;
	$node->append_conf('postgresql.conf', 'shared_preload_libraries = ' . ($on ? "'pg_vigil'" : "''"));
}

sub acknowledge
{
	my ($writer, $round) = @_;
	my @keys = read_lines("$PostgreSQL::Test::Utils::tmp_check/$writer.$round.sql.out");
	my @numbers = map { /^\w+\.$round\.(\d+)\./ ? $1 : () } @keys;
	$last{$writer} = $numbers[-1] // 0;
	$node->safe_psql($db, "COPY acknowledged FROM stdin;\n" . join('', map { "$_\n" } @keys) . "\\.\n") if @keys;
	return scalar @keys;
}

sub one { return $node->safe_psql($db, $_[0]); }

sub run_round
{
	my ($round, $preloaded) = @_;
	my $before = one('SELECT count(*) FROM stored');
	my %psql = map { $_ => start_psql($node, $db, writer_script($_, $round)) } keys %writers;
	$psql{"roller$_"} = start_psql($node, $db, roller_script("$round.$_")) for $preloaded ? () : (1, 2);
	my $wanted = $before + 800 + 250 * $round;
	my $working = $preloaded ? "SELECT count(*) > 0 FROM vigil.jobs WHERE name = 'rollup' AND state = 'running'"
	  : "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND query ~ 'vigil.ro'";
	ok($node->poll_query_until($db, "SELECT (SELECT count(*) FROM stored) > $wanted AND ($working)"),
		"round $round: sessions write and roll up");
	kill_server($node, $round % 2);
	finish_psql($_) for values %psql;
	return;
}

sub check_rows
{
	my ($round) = @_;
	is(one(q{SELECT count(*) FROM acknowledged LEFT JOIN transactions USING (key)
		WHERE (CASE WHEN writer = 'copy' THEN rows IN (7, 10) ELSE rows = wanted END) IS NOT TRUE}), 0,
		"S0-118 kill $round: every acknowledged transaction is there");
	is(one('SELECT count(*) - count(DISTINCT external_id) FROM stored'), 0, "S0-118 kill $round: nothing is there twice");
	is(one(q{SELECT count(*) FROM transactions WHERE writer <> 'copy' AND rows <> wanted}), 0,
		"S0-118 kill $round: no transaction is there in part");
	is(one(q{SELECT count(*) FROM transactions WHERE writer = 'never'}), 0, "S0-118 kill $round: nothing that was rolled back is there");
	is(one(q{SELECT count(*) FROM (SELECT *, lead(number) OVER w = number + 1 AS followed,
		    lead(number, 2) OVER w = number + 2 AS followed_twice
		  FROM transactions WHERE writer = 'copy' WINDOW w AS (PARTITION BY round ORDER BY number)) t
		WHERE coalesce(followed, false) <> changed OR rows <> CASE WHEN followed_twice THEN 7 ELSE 10 END
		   OR (followed_twice AND first <> 4)}), 0,
		"S0-118 kill $round: updates and deletes came with their transaction");
	return;
}

for my $round (1 .. $kills)
{
	my $preloaded = $round > $kills / 2;
	run_round($round, $preloaded);
	# From the middle on with workers, which then begin to roll up as soon as the server is there.
	preload($round + 1 > $kills / 2);
	$node->start;
	my $acknowledged = 0;
	$acknowledged += acknowledge($_, $round) for sort keys %writers;
	cmp_ok($acknowledged, '>', 10, "round $round: transactions were acknowledged");
	my ($errors) = grep { /ERROR/ } map { read_lines("$PostgreSQL::Test::Utils::tmp_check/$_.$round.sql.err") } keys %writers;
	is($errors, undef, "round $round: no statement of a writer failed before the kill");

	check_rows($round);
	is(differences($node, $db), "hourly 0 0\ndaily 0 0\ngroups 0 0", "design 6 kill $round: views equal raw rows after the restart");
	if ($round + 1 > $kills / 2)
	{
		ok($node->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'),
			"design 9 kill $round: the workers go on and roll everything up");
	}
	roll_up($node, $db);
	is(differences($node, $db), "hourly 0 0\ndaily 0 0\ngroups 0 0", "design 6 kill $round: and when everything is rolled up");
	is(cell_differences($node, $db), "minute_cells 0 0\nhour_cells 0 0\nday_cells 0 0",
		"design 6 kill $round: cells equal raw rows, byte for byte");
	one('CALL vigil.run_job(\'expire\')') if $round == 2;
}

$node->stop('immediate');
$node->start;
check_rows('of an immediate stop');
same_as_raw($node, $db, 'design 6 after an immediate stop');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal 11|signal 6/, 'the server met no fault of its own');
note(one(q{SELECT 'acknowledged transactions: ' || (SELECT count(*) FROM acknowledged) || ', events: '
  || (SELECT count(*) FROM vigil.events) || ', errors: ' || (SELECT count(*) FROM vigil.errors)}) . ", kills: $kills");

$node->stop;
done_testing();
