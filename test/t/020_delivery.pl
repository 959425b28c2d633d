# Delivery to a real HTTP server: exact bodies, one id for all attempts, retries, refusals, and that
# nothing is lost when the courier is killed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use Digest::SHA qw(hmac_sha256_base64);
use IPC::Run ();
use JSON::PP;
use MIME::Base64;
use PgVigil;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $scripts = "$FindBin::RealBin/../../scripts";
my @receivers;

# A receiver in the background: its port, and the file with its requests.
sub receiver
{
	my ($name, @options) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;
	my $receiver = { out => "$dir/$name.jsonl", said => '' };
	$receiver->{run} = IPC::Run::start(['python3', "$scripts/receiver.py", '--port', '0', '--out', $receiver->{out}, @options],
		'>', \$receiver->{said}, '2>', \$receiver->{errors});
	my $deadline = time + 30;
	until ($receiver->{said} =~ /listening on (\d+)/ || time > $deadline)
	{
		$receiver->{run}->pump_nb;
		sleep 0.05;
	}
	($receiver->{port}) = $receiver->{said} =~ /listening on (\d+)/ or die "receiver $name did not start";
	push @receivers, $receiver;
	return $receiver;
}

sub requests
{
	my ($receiver) = @_;
	return map { decode_json($_) } grep { /\S/ } split /\n/, slurp_file($receiver->{out});
}

my $node = vigil_node('delivery', preload => 1,
	conf => "vigil.http_allow = '127.0.0.0/8'\nrestart_after_crash = on\nvigil.http_timeout = 5s\n");

sub send_to
{
	my ($url, $body, $group) = @_;
	$group //= 'group';
	return $node->safe_psql('postgres', "INSERT INTO vigil.outbox (module_id, target, group_key, body)
		VALUES ('" . MODULE . "', '$url', '$group', '$body') RETURNING id");
}

sub becomes
{
	my ($id, $status) = @_;
	return $node->poll_query_until('postgres', "SELECT status = '$status' FROM vigil.outbox WHERE id = '$id'");
}

sub field
{
	my ($id, $columns) = @_;
	return $node->safe_psql('postgres', "SELECT $columns FROM vigil.outbox WHERE id = '$id'");
}

# --- S0-112: what the receiver gets -----------------------------------------------------------------

my $body = '{"alertId": "0f", "moduleId": "a1", "alertType": "error_spike", "severity": "critical", "metric": "error_rate", "currentValue": 12.5, "threshold": 5, "timestamp": "2026-11-20T10:00:00.000Z"}';
my $good = receiver('good');
my $id = send_to("http://127.0.0.1:$good->{port}/hook", $body);
ok(becomes($id, 'delivered'), 'S0-112: a row of the outbox is delivered with no call by hand');
my ($request) = requests($good);
is($request->{method}, 'POST', 'by POST');
is($request->{path}, '/hook', 'to the path of its target');
is($request->{body}, field($id, 'body::text'), 'S0-112: with its body, byte for byte');
is_deeply([sort keys %{ decode_json($request->{body}) }],
	[sort qw(alertId moduleId alertType severity metric currentValue threshold timestamp)], 'S0-112: and exact keys');
my %headers = map { lc($_) => $request->{headers}{$_} } keys %{ $request->{headers} };
is($headers{'content-type'}, 'application/json', 'content-type');
like($headers{'user-agent'}, qr{^pg_vigil/\d+\.\d+\.\d+$}, 'user-agent');
is($headers{'webhook-id'}, $id, 'webhook-id is the id of the row');
cmp_ok(abs($headers{'webhook-timestamp'} - time), '<', 60, 'webhook-timestamp is the time of the attempt');
my ($secret) = $node->safe_psql('postgres', 'SELECT vigil.webhook_secret()') =~ /^whsec_(.*)/s;
my $signature = hmac_sha256_base64("$id.$headers{'webhook-timestamp'}.$request->{body}", decode_base64($secret));
is($headers{'webhook-signature'}, "v1,$signature=", 'S0-112: signature as Standard Webhooks');
is(field($id, 'attempts, last_http_status, last_error, delivered_at IS NOT NULL'), '1|200||t', 'the row tells how it went');

# --- Retries ----------------------------------------------------------------------------------------

my $flaky = receiver('flaky', '--fail-first', '1', '--status', '500');
$id = send_to("http://127.0.0.1:$flaky->{port}/", '{"n": 1}');
my $second = send_to("http://127.0.0.1:$flaky->{port}/", '{"n": 2}');
my $other = send_to("http://127.0.0.1:$good->{port}/other", '{"n": 3}');
ok($node->poll_query_until('postgres', "SELECT last_error LIKE 'HTTP status 500%' FROM vigil.outbox WHERE id = '$id'"),
	'a 500 is kept as error');
ok(becomes($other, 'delivered'), 'another target does not wait for it');
is(field($second, 'status, attempts'), 'pending|0', 'the next row of its group does');
ok(becomes($id, 'delivered'), 'a 500 is tried again');
ok(becomes($second, 'delivered'), 'and the next row follows');
my @ids = map { $_->{headers}{'webhook-id'} } requests($flaky);
is_deeply(\@ids, [$id, $id, $second], 'in order, and with one webhook-id for both attempts');
is($node->safe_psql('postgres', "SELECT string_agg(attempt || ' ' || verdict || ' ' || http_status, ', ' ORDER BY attempt)
	FROM vigil.delivery_attempts WHERE outbox_id = '$id'"), '1 retry 500, 2 delivered 200', 'every attempt is logged');

my $busy = receiver('busy', '--fail-first', '1', '--status', '429', '--retry-after', '100');
$id = send_to("http://127.0.0.1:$busy->{port}/", '{}');
ok($node->poll_query_until('postgres', "SELECT last_http_status = 429 FROM vigil.outbox WHERE id = '$id'"), 'a 429');
cmp_ok(field($id, 'extract(epoch FROM next_attempt_at - now())'), '>', 60, 'Retry-After is honoured');

# --- What is not tried again --------------------------------------------------------------------------

my $gone = receiver('gone', '--fail-first', '1', '--status', '410');
$id = send_to("http://127.0.0.1:$gone->{port}/", '{}');
ok(becomes($id, 'dead'), '410: dead');
is($node->safe_psql('postgres', "SELECT verdict FROM vigil.delivery_attempts WHERE outbox_id = '$id'"), 'gone', 'and called gone');
$node->safe_psql('postgres', "SELECT vigil.redeliver('" . MODULE . "', '$id')");
ok(becomes($id, 'delivered'), 'vigil.redeliver sends it again');
is_deeply([map { $_->{headers}{'webhook-id'} } requests($gone)], [$id, $id], 'with the same id');

$id = send_to('ftp://example.com/', '{}');
ok(becomes($id, 'dead'), 'a protocol that is not HTTP: dead');
$id = send_to('http://10.1.2.3/', '{}');
ok(becomes($id, 'dead'), 'a private address: dead');
is(field($id, 'last_error'), 'address 10.1.2.3 is not public, and vigil.http_allow does not name it', 'the error says why');
$node->append_conf('postgresql.conf', "vigil.http_allow = ''");
$node->reload;
for my $host ('127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1')
{
	$id = send_to("http://$host:$good->{port}/blocked", '{}', $host);
	ok(becomes($id, 'dead'), "without vigil.http_allow $host is refused");
}
is(scalar(grep { $_->{path} eq '/blocked' } requests($good)), 0, 'and nothing arrived, over kept connections either');
$node->append_conf('postgresql.conf', "vigil.http_allow = '127.0.0.0/8'");
$node->reload;

my $email = $node->safe_psql('postgres', "INSERT INTO vigil.outbox (module_id, channel, target, group_key, body)
	VALUES ('" . MODULE . "', 'email', 'ops\@example.com', 'g', '{}') RETURNING id");

# --- A slow receiver ------------------------------------------------------------------------------------

my $slow = receiver('slow', '--delay', '4');
my $slow_id = send_to("http://127.0.0.1:$slow->{port}/", '{}');
ok(becomes($slow_id, 'sending'), 'a slow receiver is waited for');
my $began = time;
$id = send_to("http://127.0.0.1:$good->{port}/fast", '{}');
ok(becomes($id, 'delivered'), 'others are served meanwhile');
is(field($slow_id, 'status'), 'sending', 'while it still has not answered');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_vigil courier' AND backend_xid IS NOT NULL"),
	'0', 'and no transaction id is held');
ok(becomes($slow_id, 'delivered'), 'in the end it is delivered too');

$slow_id = send_to("http://127.0.0.1:$slow->{port}/", '{}');
ok(becomes($slow_id, 'sending'), 'a slow receiver again');
$began = time;
my $courier = $node->safe_psql('postgres', "SELECT pid FROM vigil.workers() WHERE kind = 'courier'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($courier)");
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $courier)"),
	'SIGTERM ends the courier');
cmp_ok(time - $began, '<', 3, 'at once, though it waits for the network');
ok(becomes($slow_id, 'delivered'), 'the row is sent by the next courier');

# --- kill -9 -----------------------------------------------------------------------------------------------

my $many = receiver('many', '--delay', '0.02');
$node->safe_psql('postgres', "INSERT INTO vigil.outbox (module_id, target, group_key, body)
	SELECT '" . MODULE . "', 'http://127.0.0.1:$many->{port}/many', 'g' || i, jsonb_build_object('n', i)
	FROM generate_series(1, 500) i");
ok($node->poll_query_until('postgres', "SELECT count(*) BETWEEN 20 AND 450 FROM vigil.outbox
	WHERE target LIKE '%/many' AND status = 'delivered'"), 'the courier is in the middle of 500 rows');
$courier = $node->safe_psql('postgres', "SELECT pid FROM vigil.workers() WHERE kind = 'courier'");
kill 'KILL', $courier;
my $deadline = time + 120;
my $left = -1;
while (time < $deadline && $left ne '0')
{
	my ($status, $stdout) = $node->psql('postgres', "SELECT count(*) FROM vigil.outbox WHERE target LIKE '%/many' AND status <> 'delivered'");
	$left = $stdout if $status == 0;
	sleep 0.2;
}
is($left, '0', 'after kill -9 of the courier every row is delivered');
my %times;
$times{ $_->{headers}{'webhook-id'} }++ for requests($many);
is(scalar keys %times, 500, 'and every row has arrived, repetitions under the same id');

# --- By hand ------------------------------------------------------------------------------------------------

is(field($email, 'status, attempts'), 'pending|0', 'S0-111: channel email waits for a mail relay');
$node->safe_psql('postgres', "SELECT vigil.pause_job('deliver')");
$id = send_to("http://127.0.0.1:$good->{port}/hand", '{}');
is($node->safe_psql('postgres', 'SELECT vigil.deliver(); SELECT vigil.deliver(); SELECT vigil.deliver();'), "1\n1\n0",
	'vigil.deliver() claims, sends and records, and then finds nothing');
is(field($id, 'status'), 'delivered', 'which delivers');
$id = send_to("http://127.0.0.1:$good->{port}/call", '{}');
$node->safe_psql('postgres', "CALL vigil.run_job('deliver')");
is(field($id, 'status'), 'delivered', "so does CALL vigil.run_job('deliver')");
is($node->safe_psql('postgres', "SELECT status, error IS NULL, permanent FROM vigil.http_send(
	ARRAY[gen_random_uuid()], ARRAY['http://127.0.0.1:$good->{port}/raw'], ARRAY['x-test: 1'], ARRAY['hello'])"), '200|t|f',
	'vigil.http_send returns the outcome');
($request) = grep { $_->{path} eq '/raw' } requests($good);
is($request->{headers}{'x-test'} . $request->{body}, '1hello', 'of what it was given');
my ($status, undef, $stderr) = $node->psql('postgres', "SET statement_timeout = '500ms'; SELECT * FROM vigil.http_send(
	ARRAY[gen_random_uuid()], ARRAY['http://127.0.0.1:$slow->{port}/'], ARRAY[''], ARRAY['']); ");
like($stderr, qr/canceling statement due to statement timeout/, 'a cancel is honoured while it waits');

$_->{run}->kill_kill(grace => 5) for @receivers;
$node->stop('fast');
done_testing();
