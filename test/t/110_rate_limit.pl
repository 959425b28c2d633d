# Rate limits of several sessions and databases in one shared memory: exact whoever asks, bounded, gone with a restart.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use IPC::Run ();
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = vigil_node('limits', preload => 1, streaming => 1,
	conf => "vigil.rate_limit_buckets = 512\nvigil.workers = off\n");

sub ask
{
	my ($arguments, $columns, $db) = @_;
	$columns //= 'allowed';
	return $node->safe_psql($db // 'postgres', "SELECT $columns FROM vigil.rate_limit($arguments)");
}

sub stats
{
	my ($columns) = @_;
	return $node->safe_psql('postgres', "SELECT $columns FROM vigil.rate_limit_stats");
}

is(stats('preloaded, allowed, refused, exempt, untracked, buckets, capacity'), 't|0|0|0|0|0|512', 'nothing was asked yet');

# A bucket that fills so slowly that nothing comes back while the test runs.
is(ask(q('a', 3, '300 days', 2)), 't', 'S2-62: one session');
is(ask(q('a', 3, '300 days', 2), 'allowed, remaining'), 't|0', 'S2-62: another one sees what it took');
is(ask(q('a', 3, '300 days', 2)), 'f', 'S2-62: and a third finds nothing left');
is(ask(q('a', 3, '300 days', 3)), 't', 'another limit of the key has a bucket of its own');
is(ask(q('a', 3, '300 days', 2, scope => 'login')), 't', 'so has another scope');
$node->safe_psql('postgres', q{BEGIN; SELECT vigil.rate_limit('rolled back', 1, '300 days'); ROLLBACK});
is(ask(q('rolled back', 1, '300 days')), 'f', 'what a transaction took stays taken when it is rolled back');
is($node->safe_psql('postgres', q{SELECT bool_or(NOT (vigil.rate_limit('fast', 10, '1 second', 1)).allowed) FROM generate_series(1, 1000)}), 't', 'S2-62: refused');
ok($node->poll_query_until('postgres', q{SELECT allowed FROM vigil.rate_limit('fast', 10, '1 second', 1)}), 'S2-62: until the clock has filled the bucket');

# Nobody gets more when all ask at once.
my $before = stats('allowed');
my $script = write_script('ask', q{SELECT vigil.rate_limit('hot', 1000, '10000 days');});
$node->command_ok([ 'pgbench', '-n', '-c', '8', '-t', '1000', '-f', $script, $node->connstr('postgres') ], 'eight sessions ask for one key');
is(stats("allowed - $before"), 1000, 'S2-62: 1000 of 8000 are allowed, not one more');
is(ask(q('hot', 1000, '10000 days'), 'remaining'), 0, 'and none is left');

# Databases share the memory and nothing else.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION pg_vigil');
is(ask(q('hot', 1000, '10000 days'), 'remaining', 'other'), 999, 'a key of another database is another key');

# Exempt keys.
$node->safe_psql('postgres', q{ALTER SYSTEM SET vigil.rate_limit_exempt = 'status, 192.0.2.0/24'});
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT allowed FROM vigil.rate_limit('192.0.2.99', 0)}), 'S2-62: D-113: a reload exempts addresses');
is(ask(q('status', 0)) . ask(q('192.0.3.1', 0)) . ask(q('hot', 1000, '10000 days')), 'tff', 'S2-62: and keys, and no others');
cmp_ok(stats('exempt'), '>=', 2, 'S2-62: which is counted');
$node->safe_psql('postgres', q{ALTER DATABASE other SET vigil.rate_limit_exempt = 'hot'});
is(ask(q('hot', 0), 'allowed', 'other') . ask(q('status', 0), 'allowed', 'other'), 'tf', 'a database has a list of its own');

# Reset.
is($node->safe_psql('postgres', q{SELECT vigil.reset_rate_limit('a'), vigil.reset_rate_limit('a'), vigil.reset_rate_limit('nobody')}), '2|0|0',
	'S2-65: reset fills all buckets of a key');
is(ask(q('a', 3, '300 days', 2), 'remaining') . ask(q('a', 3, '300 days', 2, 0, 'login'), 'remaining'), '11', 'S2-65: but not of another scope');

# Memory is bounded, and nobody is refused for want of it.
is($node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE (vigil.rate_limit('many ' || i, 1, '300 days')).allowed) FROM generate_series(1, 5000) AS i}),
	5000, 'S2-64: ten times as many keys as buckets are allowed');
is(stats('buckets, untracked > 4000'), '512|t', 'S2-64: those without a bucket are counted');
is(ask(q('hot', 1000, '10000 days')), 'f', 'S2-64: those with one keep it');
is(ask(q('without a bucket', 0)) . ask(q('without a bucket', 5, cost => 6)), 'ff', 'S2-64: what no bucket could ever give is refused without one');

# Quotas: what ingest takes of a module, whoever sends.
my $m = MODULE;
my $event = qq('{"moduleId": "$m", "eventType": "render", "eventName": "e"}');
my $copy = qq('{"moduleId": "$m", "errorType": "api", "errorName": "Flood", "errorMessage": "m"}');
my $other = qq('{"moduleId": "$m", "errorType": "api", "errorName": "Other", "errorMessage": "n"}');
$node->restart;
$node->safe_psql('postgres', "SELECT vigil.set_quota('$m', 'events', 100, '300 days'), vigil.set_quota('$m', 'error_copies', 100, '300 days', 10)");
$script = write_script('send', "SELECT vigil.track_event($event);", "SELECT vigil.track_batch(jsonb_build_array($event\::jsonb, $event\::jsonb));",
	"SELECT vigil.track_error($copy);");
$node->command_ok([ 'pgbench', '-n', '-c', '4', '-t', '25', '-f', $script, $node->connstr('postgres') ], 'four sessions send 300 events and 100 copies of an error');
is($node->safe_psql('postgres', 'SELECT count(*) FROM vigil.events'), 100, 'S3-75: the quota of events is taken, not one more');
is($node->safe_psql('postgres', 'SELECT count(*) FROM vigil.errors'), 10, 'and of copies');
is($node->safe_psql('postgres', "SELECT sum(items), count(DISTINCT sqlstate) FROM vigil.rejected"), '290|1', 'D-130: sent = stored + rejected');
is($node->safe_psql('postgres', "SELECT accepted FROM vigil.track_error($other)"), 1, 'an error that was not seen before is stored');
is($node->safe_psql('postgres', "SELECT used, remaining, reset_at > now() + interval '250 days' FROM vigil.quota_usage WHERE fact = 'events'"), '100|0|t',
	'the view tells what is used, and until when');
my $change = qq(\\! psql -XAtq -d postgres -c "SELECT vigil.set_quota('$m', 'events', 200, '300 days')");
is($node->safe_psql('postgres', "SELECT accepted FROM vigil.track_event($event);\n$change\nSELECT accepted FROM vigil.track_event($event)"), "0\n\n1",
	'S2-65: a session notices what another one has set');

# A restart forgets.
$node->restart;
is(stats('allowed, refused, untracked, buckets'), '0|0|0|0', 'a restart forgets');
is(ask(q('hot', 1000, '10000 days'), 'remaining'), 999, 'and fills all buckets');

# It writes nothing, so it works where nothing can be written.
$node->backup('limits');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'limits', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', q{SELECT remaining FROM vigil.named_rate_limit('query', 'k')}), 9, 'on a standby');
is($node->safe_psql('postgres', q{SELECT remaining FROM vigil.named_rate_limit('query', 'k')}), 9, 'which counts for itself');
is($node->safe_psql('postgres', q{BEGIN READ ONLY; SELECT remaining FROM vigil.named_rate_limit('query', 'k'); COMMIT}), 8, 'and in a transaction that only reads');

done_testing();
