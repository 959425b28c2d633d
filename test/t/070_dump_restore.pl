# pg_dump takes along everything that users have made, and a restored database goes on where it ended:
# plain and custom format, restored by one session and by several, also where workers run, and in another cluster.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PgVigil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = vigil_node('dump', preload => 1, no_extension => 1,
	conf => "vigil.max_databases = 8\nmax_worker_processes = 32\nvigil.workers = off\n");
my $source = 'source';
my $m = MODULE;
my $n = OTHER_MODULE;
$node->safe_psql('postgres', "CREATE DATABASE $source");
$node->safe_psql($source, 'CREATE EXTENSION pg_vigil');
my $in = sub { return $node->safe_psql(@_); };

# --- A database with some of everything ------------------------------------------------------------

my $batch = sub {
	my ($from, $to) = @_;
	return qq{SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object('moduleId', (ARRAY['$m', '$n'])[1 + i % 2],
	  'eventType', (ARRAY['render', 'api_call', 'user_interaction'])[1 + i % 3], 'eventName', 'api_success',
	  'durationMs', i % 30, 'sampleWeight', CASE WHEN i % 4 = 0 THEN vigil.sample_weight(0.3) END, 'externalId', 'e' || i, 'sessionId', 's' || i % 20, 'ipAddress', '203.0.113.' || i % 5,
	  'createdAt', now() - i * interval '11 minutes')) FROM generate_series($from, $to) i))};
};
my $error = qq{SELECT vigil.track_error('{"moduleId": "$m", "errorType": "api", "errorName": "E", "errorMessage": "x",
  "ipAddress": "203.0.113.9"}')};
$in->($source, <<"SQL");
-- Other partitions than CREATE EXTENSION would make.
UPDATE vigil.partition_policy SET width = 'day', ahead = '3 days', past = '8 days', indexes = array_append(indexes, '(site_id)')
WHERE parent = 'events';
SELECT vigil.set_time_zone('$n', 'Asia/Kolkata');
SELECT vigil.alter_job('rollup', '7 seconds', max_steps => 77);
SELECT vigil.pause_job('refresh_baselines');
SQL
$in->($source, $batch->(1, 500));
$in->($source, $error) for 1 .. 5;
$in->($source, <<"SQL");
SELECT vigil.track_batch('[{"moduleId": "$m", "eventType": "render", "eventName": "old", "createdAt": "2001-02-03T04:05:06Z"},
  {"moduleId": "no uuid"}]');
SELECT vigil.capture_sentry('$n', E'{}\\n{"type":"event"}\\n{"message":"x","release":"shop-1"}\\n'::text);
SELECT vigil.rollup();
SELECT vigil.refresh_baselines();
SELECT vigil.expire();
SELECT vigil.create_alert_rule('$m', 'error_spike', 'error_count', 'gt', 1, 60, notify_webhook => 'http://127.0.0.1:9/x');
SELECT vigil.evaluate_alerts();
UPDATE vigil.outbox SET next_attempt_at = 'infinity';
SELECT vigil.acknowledge_alert(id) FROM vigil.alerts;
SELECT vigil.set_error_group_priority(id, 'critical') FROM vigil.error_groups;
SELECT vigil.assign_error_group(id, '$n') FROM vigil.error_groups;
SELECT vigil.set_fingerprint_scheme('$n', 'seed');
SELECT vigil.create_priority_rule('low', error_name => 'Other*');
SELECT vigil.track_error('{"moduleId": "$m", "errorType": "api", "errorName": "Other", "errorMessage": "y"}');
SELECT vigil.merge_groups(e.id, ARRAY[o.id]) FROM vigil.error_groups e, vigil.error_groups o WHERE e.error_name = 'E' AND o.error_name = 'Other';
CALL vigil.run_job('rollup');
SQL
# Marks that are open, of new facts and of changed ones.
$in->($source, $batch->(501, 560));
$in->($source, q{DELETE FROM vigil.events WHERE external_id IN ('e3', 'e4'); UPDATE vigil.events SET duration_ms = 99 WHERE external_id = 'e5'});
install_recompute($node, $source);
cmp_ok($in->($source, 'SELECT count(*) FROM vigil.dirty'), '>', 50, 'marks are open when the database is dumped');

# Every table of the schema with the number and the digest of its rows; all but the state of jobs, which
# run in the copies.
my $tables = $in->($source, q{SELECT string_agg(format('SELECT %L || count(*) || '' '' || coalesce(md5(string_agg(r::text, E''\n''
    ORDER BY r::text)), '''') FROM vigil.%I r', relname || ' ', relname), ' UNION ALL ' ORDER BY relname) || ' ORDER BY 1'
  FROM pg_class WHERE relnamespace = 'vigil'::regnamespace AND relkind = 'r' AND relname NOT IN ('job_state', 'job_history')});
my $contents = sub { return $in->($_[0], $tables); };
my $shown = sub {
	return $in->($_[0], q{SELECT v FROM vigil.module_analytics_hourly v ORDER BY v; SELECT v FROM vigil.module_analytics_daily v ORDER BY v;
	  SELECT v FROM vigil.module_error_groups v ORDER BY v; SELECT v FROM vigil.module_alerts v ORDER BY v;
	  SELECT v FROM vigil.module_performance_baselines v ORDER BY v; SELECT v FROM vigil.module_alert_rules v ORDER BY v});
};
# Partitions with bounds, keys, indexes and triggers.
my $shape = sub {
	return $in->($_[0], q{SELECT c.relname, pg_get_expr(c.relpartbound, c.oid),
	  (SELECT string_agg(regexp_replace(pg_get_indexdef(i.indexrelid), '.* (USING .*)', '\1'), ', ' ORDER BY i.indexrelid::regclass::text)
	   FROM pg_index i WHERE i.indrelid = c.oid),
	  (SELECT string_agg(t.tgname, ', ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid)
	  FROM pg_class c WHERE c.relnamespace = 'vigil'::regnamespace AND c.relispartition AND c.relname ~ '^(events|errors)_'
	    AND c.relkind = 'r' ORDER BY 1});
};
my %wanted = (contents => $contents->($source), shown => $shown->($source), shape => $shape->($source));
like($wanted{contents}, qr/^$_ [1-9]/m, "there are rows in $_")
  for qw(alert_rules alerts baselines cells_day cells_hour cells_minute dirty error_fingerprints error_group_log error_groups
  error_priority_rules grouping_settings modules outbox quarantine
  received_ids rejected secrets versions);

# --- Dumps -----------------------------------------------------------------------------------------

my $dir = PostgreSQL::Test::Utils::tempdir;
$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", $source ], 'pg_dump, plain');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom.dump", $source ], 'pg_dump, custom');

sub restore
{
	my ($db, $format) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	my @command = $format eq 'plain'
	  ? ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $db, '-f', "$dir/plain.sql")
	  : ('pg_restore', '--exit-on-error', ($format eq 'parallel' ? ('-j', '3') : ()), '-d', $db, "$dir/custom.dump");
	local %ENV = $node->_get_env();
	my ($out, $err) = run_command(\@command);
	is($err, '', "design 3: $db: a dump is restored without an error");
	return;
}

sub check_same
{
	my ($db) = @_;
	is($contents->($db), $wanted{contents}, "design 3: $db: every table has the rows of the dump");
	is($shape->($db), $wanted{shape}, "design 3: $db: partitions have the bounds, keys, indexes and triggers of before");
	is($shown->($db), $wanted{shown}, "design 6: $db: the views show what they showed");
	return;
}

# Ingest goes on: known ids are known, new facts are added, the same address has the same hash.
sub check_goes_on
{
	my ($db) = @_;
	my $before = $in->($db, 'SELECT count(*) FROM vigil.events');
	is($in->($db, $batch->(541, 570)), '(10,20,0,0)', "design 5: $db: ingest goes on and knows the ids of before");
	$in->($db, $error);
	is($in->($db, q{SELECT count(*), count(DISTINCT ip_hash) FROM vigil.errors WHERE error_name = 'E'}), '6|1', "S0-35 $db: an address has the hash of before");
	is($in->($db, q{SELECT total_occurrences, priority FROM vigil.module_error_groups WHERE error_name = 'E'}), '7|critical', "S0-33 $db: the group of before goes on, with the one merged into it");
	$in->($db, q{SELECT vigil.unmerge(id) FROM vigil.error_groups WHERE error_name = 'E'});
	is($in->($db, q{SELECT string_agg(error_name || ' ' || total_occurrences || ' ' || priority, ', ' ORDER BY error_name)
	  FROM vigil.module_error_groups WHERE error_name IN ('E', 'Other')}), 'E 6 critical, Other 1 low', "issue 4 $db: which can be taken out");
	is($in->($db, q{SELECT string_agg(action, ' ' ORDER BY l.id) FROM vigil.error_group_log l
	  JOIN vigil.error_groups g ON g.id = l.group_id WHERE g.error_name = 'Other'}), 'merge unmerge', "issue 4 $db: and the activity goes on");
	$in->($db, q{DELETE FROM vigil.events WHERE external_id = 'e9'});
	same_as_raw($node, $db, "design 6: $db: writes go on");
	is($in->($db, 'SELECT count(*) FROM vigil.events'), $before + 9, "design 5: $db: every fact is there");
	return;
}

for my $format (qw(plain custom parallel))
{
	restore($format, $format);
	check_same($format);
	check_goes_on($format);
}

# --- Where workers run ------------------------------------------------------------------------------

# They find the new extension at once, and must leave a half restored database alone.
$node->append_conf('postgresql.conf', "vigil.workers = on\n");
$node->reload;
for my $format (qw(plain parallel))
{
	my $db = "${format}_with_workers";
	restore($db, $format);
	ok($node->poll_query_until($db, 'SELECT count(*) = 2 FROM vigil.workers() WHERE database = current_database()'),
		"design 9: $db: workers run there");
	is($shape->($db), $wanted{shape}, "design 5: $db: the partitions are those of the dump");
	ok($node->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), "design 9: $db: and roll up its open marks");
	is($shown->($db), $wanted{shown}, "design 6: $db: the views show what they showed");
	is(cell_differences($node, $db), "minute_cells 0 0\nhour_cells 0 0\nday_cells 0 0",
		"design 6: $db: cells equal raw rows, byte for byte");
	check_goes_on($db);
}

# A restore that takes its time: the session has made the extension and does not go on yet.
$node->safe_psql('postgres', 'CREATE DATABASE slow');
my $restore = $node->background_psql('slow');
$restore->query_safe('SET row_security = off; CREATE EXTENSION pg_vigil');
ok($node->poll_query_until('slow', q{SELECT count(*) = 1 FROM vigil.job_state WHERE name = 'maintain_partitions' AND runs > 0}),
	'design 9: slow: the workers are there before the restore ends');
is($in->('slow', 'SELECT count(*) FROM vigil.partitions'), 0, 'design 5: slow: and make no partitions that the dump may bring');
$restore->query_safe(qq{INSERT INTO vigil.dirty (module_id, minute) VALUES ('$m', date_trunc('minute', now()))});
is($in->('slow', 'SELECT vigil.rollup(), (SELECT count(*) FROM vigil.dirty)'), '0|1', 'design 6: slow: marks are left until their facts are there');
$restore->quit;
ok($node->poll_query_until('slow', 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), 'design 9: slow: when the session has ended, jobs are done');

# --- In a new cluster, with facts that were retired ---------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE retired');
# In one transaction, or the workers would make months.
$in->('retired', <<"SQL");
BEGIN;
CREATE EXTENSION pg_vigil;
SELECT vigil.pause_job(name) FROM vigil.jobs;
UPDATE vigil.partition_policy SET width = 'day', ahead = '2 days', past = '9 days', retention = '9 days', grace = '0', archive_schema = 'archive', late = 'wait';
COMMIT;
CREATE SCHEMA archive;
SELECT vigil.set_time_zone('$n', 'Europe/Amsterdam');
SQL
$in->('retired', $batch->(1, 1000));
$in->('retired', qq{SELECT vigil.track_error(jsonb_build_object('moduleId', '$m', 'errorType', 'api', 'errorName', 'E' || i % 3,
  'errorMessage', 'x', 'createdAt', now() - i * interval '7 hours')) FROM generate_series(1, 25) i});
roll_up($node, 'retired');
# Of the oldest days only the archive is left, of some the tables are still there.
for my $step ([ '6 days', '0' ], [ '4 days', '1 day' ])
{
	$in->('retired', "UPDATE vigil.partition_policy SET past = '$step->[0]', retention = '$step->[0]', grace = '$step->[1]'");
	1 while $in->('retired', 'SELECT vigil.retire_partitions()');
}
my $retired = q{SELECT parent, partition, starts_at, ends_at, finished_at FROM vigil.retired_partitions ORDER BY 1, 2};
my $late = sub {
	return qq{SELECT vigil.track_event(jsonb_build_object('moduleId', '$m', 'eventType', 'render', 'eventName', 'late $_[0]',
	  'createdAt', now() - interval '7 days'))};
};
is($in->('retired', q{SELECT count(*) FILTER (WHERE finished_at IS NULL) > 0, count(*) FILTER (WHERE finished_at IS NOT NULL) > 0
  FROM vigil.retired_partitions}), 't|t', 'facts were retired, some to the archive');
$in->('retired', $late->('before'));
$in->('retired', qq{SELECT vigil.track_event('{"moduleId": "$m", "eventType": "render", "eventName": "open"}')});
install_recompute($node, 'retired');
is($in->('retired', 'SELECT (SELECT count(*) FROM vigil.dirty), (SELECT count(*) FROM vigil.quarantine)'), '1|1', 'a mark is open, and a fact waits');
%wanted = (shown => $shown->('retired'), retired => $in->('retired', $retired), shape => $shape->('retired'),
	counts => $in->('retired', 'SELECT (SELECT count(*) FROM vigil.events), (SELECT count(*) FROM vigil.errors)'));
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/retired.dump", 'retired' ], 'pg_dump of a database with retired facts');

my $fresh = vigil_node('fresh', preload => 1, no_extension => 1);
$fresh->command_ok([ 'pg_restore', '--exit-on-error', '-d', $fresh->connstr('postgres'), "$dir/retired.dump" ], 'design 3: it is restored into a new cluster');
$in = sub { return $fresh->safe_psql(@_); };
my $db = 'postgres';
is($shown->($db), $wanted{shown}, 'design 6: the views show what they showed');
is($in->($db, $retired), $wanted{retired}, 'design 5: retired partitions are known');
is($shape->($db), $wanted{shape}, 'design 5: all partitions are there');
is($in->($db, 'SELECT (SELECT count(*) FROM vigil.events), (SELECT count(*) FROM vigil.errors)'), $wanted{counts}, 'design 5: and all facts');

$in->($db, q{SELECT vigil.resume_job(name) FROM vigil.jobs WHERE name <> 'refresh_baselines'});
ok($fresh->poll_query_until($db, 'SELECT NOT EXISTS (SELECT FROM vigil.dirty)'), 'design 9: the marks of before are rolled up');
is($shown->($db), $wanted{shown}, 'design 6: the views show what they showed');
like($in->($db, $late->('after')), qr/^\(0,0,0,1\)$/, 'design 5: a fact of a retired time waits still');
is($shown->($db), $wanted{shown}, 'design 6: and changes nothing');

$in->($db, q{UPDATE vigil.partition_policy SET past = '30 days', retention = '30 days'});
$in->($db, q{DO $$ DECLARE p text; BEGIN FOR p IN SELECT partition FROM vigil.retired_partitions WHERE parent = 'events' ORDER BY 1 LOOP
  PERFORM vigil.restore_partition(p); END LOOP; END $$});
is($in->($db, q{SELECT count(*) FROM vigil.retired_partitions}), 0, 'design 5: what was retired comes back, from the archive too');
same_as_raw($fresh, $db, 'design 6: with all facts there again');
ok($fresh->poll_query_until($db, q{SELECT count(*) = 2 FROM vigil.events WHERE event_name ~ '^late'}), 'design 5: and the facts that waited are stored');
same_as_raw($fresh, $db, 'design 6: with them');
$fresh->stop;

# A session whose psql has ended may still be there when its server stops.
my @errors = grep { /\b(ERROR|FATAL|PANIC):/ && !/terminating connection due to administrator command/ } map { read_lines($_->logfile) } $node, $fresh;
is_deeply(\@errors, [], 'the logs of the servers show no error');
$node->stop;
done_testing();
