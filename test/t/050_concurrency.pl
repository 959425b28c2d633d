# Many sessions at once: nothing is lost, nothing is counted twice, and nobody fails.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = vigil_node('concurrency');
my $db = 'postgres';
install_recompute($node, $db);
my $m = MODULE;

my $one = sub { return $node->safe_psql($db, $_[0]); };

# Runs a script in as many sessions as asked for, each so many times. All of them wait at a gate, which
# opens when the last has come.
my $together = sub {
	my ($sessions, $times, $script, $description) = @_;
	my $file = write_script('together', 'SELECT pg_advisory_lock_shared(42);', $script,
		'SELECT pg_advisory_unlock_shared(42);');
	my $gate = $node->background_psql($db);
	$gate->query_safe('SELECT pg_advisory_lock(42)');
	local %ENV = $node->_get_env();
	my $errors = '';
	my $run = IPC::Run::start([ 'pgbench', '-n', '-c', $sessions, '-j', 2, '-t', $times, '-f', $file, '-d', $db ],
		'<', \undef, '>', \my $output, '2>', \$errors);
	$node->poll_query_until($db,
		"SELECT count(*) = $sessions FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted")
	  or die 'the sessions did not come';
	$gate->query_safe('SELECT pg_advisory_unlock(42)');
	ok($run->finish, $description) or diag($errors);
	$gate->quit;
};

# --- The first facts ------------------------------------------------------------------------------

is($one->('SELECT count(*) FROM vigil.partitions'), 0, 'a new extension has no partitions');
$together->(20, 1, qq{
SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object('moduleId', '$m', 'eventType', 'render',
  'eventName', 'first', 'sessionId', 'c' || :client_id, 'createdAt', now() - i * interval '2 days')) FROM generate_series(0, 9) i));
SELECT vigil.track_error(jsonb_build_object('moduleId', '$m', 'errorType', 'api', 'errorName', 'First',
  'errorMessage', 'x', 'sessionId', 'c' || :client_id));
}, 'design 5: 20 sessions write the first facts at once');
is($one->(q{SELECT count(*), count(DISTINCT session_id) FROM vigil.events}), '200|20',
	'design 5: every one of their events is stored');
is($one->(q{SELECT count(*), count(DISTINCT session_id) FROM vigil.errors}), '20|20', 'design 5: and every error');
is($one->('SELECT (SELECT count(*) FROM vigil.quarantine) + (SELECT count(*) FROM vigil.rejected)'), 0,
	'design 5: none went to quarantine');
is($one->('SELECT count(*) FROM vigil.missing_partitions()'), 0, 'design 5: the partitions of the policy exist');

# Whoever makes the partitions holds their names until it commits: others wait as long as that takes.
$node->safe_psql('postgres', 'CREATE DATABASE held');
$node->safe_psql('held', 'CREATE EXTENSION pg_vigil');
my $event = qq{SELECT vigil.track_event('{"moduleId": "$m", "eventType": "render", "eventName": "held"}')};
my $holder = $node->background_psql('held');
$holder->query_safe("BEGIN; $event");
my $waiting = start_psql($node, 'held', write_script('waiting', "$event;"));
ok($node->poll_query_until('held', q{SELECT count(*) = 1 FROM pg_stat_activity
  WHERE datname = 'held' AND wait_event_type = 'Lock' AND query_start < clock_timestamp() - interval '2.5 seconds'}),
	'design 5: a second session waits for the first one to commit');
$holder->query_safe('COMMIT');
$holder->quit;
ok(finish_psql($waiting), 'design 5: and then stores its fact');
is($node->safe_psql('held', 'SELECT count(*) FROM vigil.events'), 2, 'design 5: both facts are there');

# --- Groups ---------------------------------------------------------------------------------------

my $error = sub {
	my ($module, $name) = @_;
	return qq{SELECT vigil.track_error(jsonb_build_object('moduleId', '$module', 'errorType', 'javascript',
	  'errorName', '$name', 'errorMessage', 'x is undefined', 'sessionId', 's' || :client_id,
	  'siteId', '00000000-0000-4000-8000-0000000000' || (:client_id % 10 + 10),
	  'versionId', '00000000-0000-4000-8000-0000000000' || (:client_id % 3 + 20),
	  'createdAt', now() - (:client_id % 5) * interval '7 hours'));};
};
my $group = sub {
	my ($module, $name) = @_;
	return $one->(qq{SELECT count(*), sum(total_occurrences), sum(affected_sites), sum(affected_sessions),
	  sum(cardinality(affected_versions)), min(status) FROM vigil.module_error_groups
	  WHERE module_id = '$module' AND error_name = '$name'});
};
$together->(50, 20, $error->($m, 'TypeError'), 'S0-32 50 sessions send an error 20 times each');
is($group->($m, 'TypeError'), '1|1000|10|50|3|open',
	'S0-32 at once: one group, 1000 occurrences, 10 sites, 50 sessions, 3 versions');
is($one->(q{SELECT count(*) FROM vigil.error_groups WHERE error_name = 'TypeError'}), 1, 'S0-32 one row of a group');

my $n = OTHER_MODULE;
my @rollers = map {
	start_psql($node, $db, write_script("roller$_", ("SELECT vigil.rollup($_);", 'SELECT pg_sleep(0.01);') x 2000))
} (3, 1000);
$together->(50, 20, $error->($n, 'RangeError'), 'S0-32 the same while two rollers run');
is($group->($n, 'RangeError'), '1|1000|10|50|3|open', 'S0-32 at once, with rollers: 1000 occurrences');
$_->kill_kill for @rollers;
is($group->($n, 'RangeError'), '1|1000|10|50|3|open', 'S0-32 after the rollers were ended');

# --- Regressions ----------------------------------------------------------------------------------

my $set = sub {
	my ($status) = @_;
	$one->(qq{SELECT vigil.set_error_group_status(id, '$status') FROM vigil.error_groups WHERE error_name = 'RangeError'});
};
my $state = sub {
	return $one->(q{SELECT status, regressions, resolved_at IS NULL FROM vigil.error_groups WHERE error_name = 'RangeError'});
};
$set->('resolved');
is($state->(), 'resolved|0|f', 'the group is resolved');
$together->(20, 1, $error->($n, 'RangeError'), 'S0-34 20 sessions send the error of a resolved group');
is($state->(), 'open|1|t', 'S0-34 the group is open again, and one regression is counted');
$set->('ignored');
$together->(20, 1, $error->($n, 'RangeError'), 'S0-34 20 sessions send the error of an ignored group');
is($state->(), 'ignored|1|t', 'S0-34 it is still ignored');
is($group->($n, 'RangeError'), '1|1040|10|50|3|ignored', 'S0-32 all of them were counted');

# --- New groups -------------------------------------------------------------------------------------

# Each session sends the same 60 errors in an order of its own: 20 places of throw, 3 callers of each.
my $fresh = '00000000-0000-4000-8000-0000000000d4';
my $many = qq{SELECT vigil.capture_sentry('$fresh', E'{}\\n' || (SELECT string_agg(format(E'{"type":"event"}\\n%s\\n',
  jsonb_build_object('platform', 'node', 'exception', jsonb_build_object('values', jsonb_build_array(jsonb_build_object(
    'type', 'Fresh', 'value', 'v', 'stacktrace', jsonb_build_object('frames', jsonb_build_array(
      jsonb_build_object('filename', '/app/caller' || i % 3 || '.js', 'lineno', 1, 'in_app', true),
      jsonb_build_object('filename', '/app/a.js', 'function', 'thrower' || i / 3, 'lineno', 1, 'in_app', true)))))))),
  '' ORDER BY hashtext(i || 'x' || :client_id)) FROM generate_series(0, 59) i));};
$together->(20, 2, $many, 'issue 4: 20 sessions send 60 new errors, each in its own order');
is($one->(qq{SELECT count(*), min(total_occurrences), max(total_occurrences) FROM vigil.module_error_groups WHERE module_id = '$fresh'}),
	'20|120|120', 'D-33: each place of throw is one group with all its errors');
is($one->(qq{SELECT count(*), count(DISTINCT group_id) FROM vigil.error_fingerprints WHERE module_id = '$fresh'}),
	'81|20', 'issue 4: of the keys of its callers and its own, and nothing is left over');

# --- Client ids -----------------------------------------------------------------------------------

$one->('CREATE TABLE results (sent text, result vigil.ingest_result)');
my $batch = sub {
	my ($name) = @_;
	return qq{INSERT INTO results SELECT '$name', vigil.track_batch((SELECT jsonb_agg(jsonb_build_object('moduleId', '$m',
	  'eventType', 'render', 'eventName', '$name', 'externalId', '$name' || i) ORDER BY hashtext(i || 'x' || :client_id))
	  FROM generate_series(1, 50) i));};
};
$together->(20, 3, $batch->('same'), 'design 5: 20 sessions send the same 50 client ids three times, each in its own order');
is($one->(q{SELECT count(*), count(DISTINCT external_id) FROM vigil.events WHERE event_name = 'same'}), '50|50',
	'design 5: each is stored once');
is($one->(q{SELECT sum((result).accepted), sum((result).duplicate) FROM results WHERE sent = 'same'}), '50|2950',
	'design 5: one session each was told that it was accepted');

my $undecided = $node->background_psql($db);
(my $mine = $batch->('undecided')) =~ s/:client_id/0/;
$undecided->query_safe("BEGIN; $mine");
my $second = start_psql($node, $db, write_script('second', $mine));
$node->poll_query_until($db, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'})
  or die 'the second session does not wait';
$undecided->query_safe('ROLLBACK');
$undecided->quit;
ok(finish_psql($second), 'design 5: ids of a transaction that was rolled back are free');
is($one->(q{SELECT count(*) FROM vigil.events WHERE event_name = 'undecided'}), 50, 'design 5: the second session stored them');

# --- Alerts ---------------------------------------------------------------------------------------

my $loud = '00000000-0000-4000-8000-0000000000c3';
$one->(qq{SELECT vigil.create_alert_rule('$loud', 'error_spike', 'error_count', 'gt', 10, 60, 'critical',
  'http://127.0.0.1:9/none')});
$one->(qq{SELECT vigil.track_error('{"moduleId": "$loud", "errorType": "api", "errorName": "Loud", "errorMessage": "x"}')
  FROM generate_series(1, 11)});
$one->('CREATE TABLE evaluations (opened bigint)');
$together->(20, 1, 'INSERT INTO evaluations SELECT vigil.evaluate_alerts();', 'S0-108 20 sessions evaluate at once');
is($one->(q{SELECT count(*), sum(opened) FROM evaluations}), '20|1', 'S0-108 one of them opened an alert');
is($one->(q{SELECT count(*), min(status), min(current_value) FROM vigil.module_alerts}), '1|active|11.00', 'S0-108, D-50 there is one alert');
is($one->(q{SELECT count(*) FROM vigil.outbox}), 1, 'S0-108 and one notification');
$one->('DELETE FROM vigil.errors WHERE error_name = \'Loud\'; TRUNCATE evaluations');
$together->(20, 1, 'INSERT INTO evaluations SELECT vigil.evaluate_alerts();', 'S0-108 20 sessions evaluate when it is over');
is($one->(q{SELECT sum(opened) FROM evaluations}), 1, 'S0-108 one of them resolved the alert');
is($one->(q{SELECT count(*), min(status) FROM vigil.module_alerts}), '1|resolved', 'S0-108 it is resolved');
is($one->(q{SELECT count(*) FROM vigil.outbox}), 1, 'S0-108 no further notification');

same_as_raw($node, $db, 'design 6 after all of it');
my $log = slurp_file($node->logfile);
unlike($log, qr/ERROR:.*(deadlock|lock timeout|duplicate key)/, 'design 5: no session met a deadlock, a lock timeout or a double key');
unlike($log, qr/WARNING:.*partition/, 'design 5: no partition failed to be made');

$node->stop;
done_testing();
