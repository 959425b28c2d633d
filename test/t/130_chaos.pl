# Chaos: writers of every kind write, change, prepare and roll back, rollers roll, partitions are made and retired,
# zones change, and the postmaster, the scheduler and sessions are killed at random. At every checkpoint, with marks
# open, all views equal a recomputation from raw rows, byte for byte, also for times whose facts were retired; and
# what each writer sent is stored, rejected, in quarantine or counted as late, once.
#
# VIGIL_CHAOS_SECONDS  how long, 60 unless set; at least 20 checkpoints in any case
# VIGIL_CHAOS_SEED     repeats the choices of a run, though not its timing
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Ledger;
use List::Util qw(first max shuffle sum0);
use PgVigil;
use POSIX qw(strftime);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{VIGIL_CHAOS_SECONDS} || 60;
my $seed = $ENV{VIGIL_CHAOS_SEED} || time * 1000 % 1_000_000_000;
my $least_checkpoints = 20;
my $patience = $PostgreSQL::Test::Utils::timeout_default;
my $began = time;
srand $seed;
note("VIGIL_CHAOS_SEED=$seed VIGIL_CHAOS_SECONDS=$seconds");

my $db = 'postgres';
my $gate = 42;    # writers hold this advisory lock, shared, during each transaction, and
my $rest = 43;    # those who roll up by hand this one
my %zone = (
	'00000000-0000-4000-8000-00000000000a' => 'UTC',
	'00000000-0000-4000-8000-00000000000b' => 'Europe/Amsterdam',
	'00000000-0000-4000-8000-00000000000c' => 'America/New_York',
	# Its days begin within an hour, so late facts of the first day that is not retired would not be exact: see
	# doc/partitions.md. It has none of that age.
	'00000000-0000-4000-8000-00000000000d' => 'Asia/Kolkata');
my @modules = sort keys %zone;
my ($oldest, $youngest) = (16, 6);    # days for which partitions are kept, at the beginning and in the end
my %count;

my $node = vigil_node('chaos', preload => 1, conf => <<'CONF');
restart_after_crash = on
max_prepared_transactions = 30
autovacuum_naptime = 1
vigil.async_flush_interval = 200ms
vigil.rollup_patience = 200ms
vigil.rollup_workers = 2
max_worker_processes = 16
log_line_prefix = '%m [%p] %e %b %a '
log_statement = none
vigil.workers = off
CONF
install_recompute($node, $db);
$node->safe_psql($db, <<"SQL");
CREATE SCHEMA archive;
CREATE SCHEMA chaos;

-- What an item of this name is, the same whenever it is sent.
CREATE FUNCTION chaos.hash(item text) RETURNS bigint LANGUAGE sql IMMUTABLE AS \$\$
  SELECT hashtextextended(item, $seed) & 1152921504606846975
\$\$;
CREATE FUNCTION chaos.module(item text) RETURNS uuid LANGUAGE sql IMMUTABLE AS \$\$
  SELECT ('{@{[ join ',', @modules ]}}'::uuid[])[1 + chaos.hash(item) / 7 % 4]
\$\$;
-- Mostly now, some late, some later than minute cells are kept, few in the future; unless tame, also where no
-- partition is yet or ever will be.
CREATE FUNCTION chaos.happened(item text, tame boolean) RETURNS timestamptz LANGUAGE sql STABLE AS \$\$
  SELECT CASE
    WHEN class < 65 OR class >= 97 AND tame THEN now() - size % 180000 * interval '1 ms'
    WHEN class < 78 THEN now() - size % 18000000 * interval '1 ms'
    WHEN class < 87 OR module = '$modules[3]' THEN now() - size % 216000000 * interval '1 ms'
    WHEN class < 95 THEN now() - size % (86400000::bigint * $oldest) * interval '1 ms'
    WHEN class < 97 THEN now() + size % 86400000 * interval '1 ms'
    WHEN class < 99 THEN now() + interval '5 days' + size % 518400000 * interval '1 ms'
    ELSE now() - interval '60 days' - size % 864000000 * interval '1 ms' END
  FROM (SELECT chaos.hash(item) % 100, chaos.hash(item) / 100, chaos.module(item)) t (class, size, module)
\$\$;
CREATE FUNCTION chaos.event(item text, tame boolean DEFAULT false) RETURNS jsonb LANGUAGE sql STABLE AS \$\$
  SELECT jsonb_build_object('moduleId', chaos.module(item), 'externalId', item, 'createdAt', chaos.happened(item, tame),
    'eventType', (ARRAY['render', 'api_call', 'user_interaction', 'custom', 'function', 'error'])[1 + h % 6],
    'eventName', (ARRAY['done', 'api_success', 'api_error'])[1 + h % 3], 'durationMs', h % 24 * 0.25,
    'memoryUsageKb', h % 9 * 512, 'sessionId', 's' || h % 50, 'userId', 'u' || h % 40, 'countryCode', (ARRAY['DE', 'NL'])[1 + h % 2],
    'siteId', '00000000-0000-4000-8000-00000000001' || h % 10, 'deviceType', 'd' || h % 3,
    'sampleWeight', (ARRAY[NULL, 10, vigil.sample_weight(0.3)])[1 + h % 3],
    'versionId', CASE WHEN h % 2 = 0 THEN '00000000-0000-4000-8000-00000000000' || h % 3 END)
  FROM (SELECT chaos.hash(item) / 31) t (h)
\$\$;
CREATE FUNCTION chaos.error(item text) RETURNS jsonb LANGUAGE sql STABLE AS \$\$
  SELECT chaos.event(item) - '{eventType,eventName,durationMs,memoryUsageKb}'::text[]
    || jsonb_build_object('errorType', 'api', 'errorName', 'E' || h % 12, 'errorMessage', 'x')
  FROM (SELECT chaos.hash(item) / 37) t (h)
\$\$;
CREATE FUNCTION chaos.batch(good text[], bad text[] DEFAULT '{}', tame boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  r vigil.ingest_result;
BEGIN
  r := vigil.track_batch((SELECT jsonb_agg(e) FROM (
    SELECT chaos.event(item, tame) FROM unnest(good) AS item UNION ALL
    SELECT chaos.event(item) || (ARRAY['{"durationMs": -1}', '{"moduleId": "no uuid"}', '{"eventName": ""}'])
      [1 + chaos.hash(item) % 3]::jsonb FROM unnest(bad) AS item) t (e)));
  ASSERT r.accepted + r.duplicate + r.quarantined = cardinality(good) AND r.rejected = cardinality(bad), r::text;
END \$\$;
CREATE FUNCTION chaos.columns(good text[], bad text[]) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  r vigil.ingest_result;
BEGIN
  r := (SELECT vigil.track_columns('$modules[0]', array_agg(e.time), array_agg(e.type), array_agg(e.name),
      duration_ms => array_agg(CASE WHEN e.item = ANY (bad) THEN 'NaN' ELSE e.duration END), session_id => array_agg(e.session),
      site_id => array_agg(e.site), version_id => array_agg(e.version), memory_usage_kb => array_agg(e.memory),
      user_id => array_agg(e.person), country_code => array_agg(e.country), device_type => array_agg(e.device),
      external_id => array_agg(e.item), sample_weight => array_agg(e.weight), module_ids => array_agg(e.module))
  FROM (SELECT item, chaos.module(item), chaos.happened(item, false), j ->> 'eventType', j ->> 'eventName', (j ->> 'durationMs')::float8,
               j ->> 'sessionId', (j ->> 'siteId')::uuid, (j ->> 'versionId')::uuid, (j ->> 'memoryUsageKb')::bigint,
               j ->> 'userId', j ->> 'countryCode', j ->> 'deviceType', (j ->> 'sampleWeight')::float8
        FROM unnest(good || bad) AS item, chaos.event(item) AS j
        OFFSET 0) e (item, module, time, type, name, duration, session, site, version, memory, person, country, device, weight));
  ASSERT r.accepted + r.quarantined = cardinality(good) AND r.rejected = cardinality(bad), r::text;
END \$\$;

-- Facts that were retired, as they were; and every item with its place.
CREATE TABLE chaos.events (LIKE vigil.events);
CREATE TABLE chaos.errors (LIKE vigil.errors);
CREATE TABLE chaos.kept (partition text PRIMARY KEY);
CREATE OR REPLACE VIEW recompute.events AS SELECT * FROM vigil.events UNION ALL SELECT * FROM chaos.events;
CREATE OR REPLACE VIEW recompute.errors AS SELECT * FROM vigil.errors UNION ALL SELECT * FROM chaos.errors;
CREATE FUNCTION chaos.keep_retired() RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  old record;
BEGIN
  -- What is only closed is still read from its parent.
  FOR old IN SELECT parent, partition FROM vigil.retired_partitions r WHERE partition NOT IN (SELECT partition FROM chaos.kept)
             AND NOT EXISTS (SELECT FROM vigil.partitions p WHERE p.partition = r.partition AND p.state <> 'detaching') LOOP
    EXECUTE format('INSERT INTO chaos.%I SELECT * FROM vigil.%I', old.parent, old.partition);
    INSERT INTO chaos.kept VALUES (old.partition);
  END LOOP;
END \$\$;
-- What is counted as late is gone, too; what is stored at last is not of these times.
CREATE FUNCTION chaos.keep_late() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
  OLD.content := OLD.content || jsonb_build_object('received_at', OLD.received_at);
  IF OLD.created_at <@ vigil.late_times() AND OLD.fact = 'events' THEN
    INSERT INTO chaos.events SELECT (jsonb_populate_record(NULL::vigil.events, OLD.content)).*;
  ELSIF OLD.created_at <@ vigil.late_times() THEN
    INSERT INTO chaos.errors SELECT (jsonb_populate_record(NULL::vigil.errors, OLD.content)).*;
  END IF;
  RETURN NULL;
END \$\$;
CREATE TRIGGER keep_late AFTER DELETE ON vigil.quarantine FOR EACH ROW EXECUTE FUNCTION chaos.keep_late();
CREATE VIEW chaos.items AS
SELECT 'fact' AS place, external_id AS item, environment AS mark FROM recompute.events UNION ALL
SELECT 'fact', external_id, environment FROM recompute.errors UNION ALL
SELECT 'waiting', content ->> 'external_id', content ->> 'environment' FROM vigil.quarantine UNION ALL
SELECT 'rejected', coalesce(item::jsonb ->> 'externalId', item::jsonb ->> 'external_id'), NULL FROM vigil.rejected;
CREATE TABLE chaos.checkpoints (number serial, at timestamptz DEFAULT clock_timestamp());
-- A window with an end among retired facts counts whole hours.
CREATE FUNCTION chaos.window_end(t timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS \$\$
  SELECT CASE WHEN t < (SELECT max(ends_at) FROM vigil.retired_partitions) THEN date_trunc('hour', t) ELSE t END
\$\$;

UPDATE vigil.partition_policy SET width = 'day', ahead = '3 days', past = '$oldest days', retention = '$oldest days',
  archive_schema = CASE parent WHEN 'events' THEN 'archive' END;
SELECT count(*) FROM vigil.maintain_partitions();
SELECT vigil.alter_job('rollup', '1 second'), vigil.alter_job('maintain_partitions', '1 second'),
  vigil.alter_job('replay_quarantine', '1 second'), vigil.alter_job('expire', '5 seconds'), vigil.alter_job('verify_rollups', '2 seconds');
@{[ map { "SELECT vigil.set_time_zone('$_', '$zone{$_}');" } @modules ]}
SQL
# Not before: the workers would have made months.
$node->append_conf('postgresql.conf', 'vigil.workers = on');
$node->reload;

sub one { return $node->safe_psql($db, $_[0]); }

sub poll
{
	my ($condition, $what) = @_;
	my $deadline = time + $patience;
	until ($condition->())
	{
		die "waited $patience s in vain: $what" if time > $deadline;
		usleep(50_000);
	}
	return;
}

sub chance { return rand() < $_[0]; }

sub choose { return $_[ int rand @_ ]; }

sub array { return "'{" . join(',', @_) . "}'"; }

# --- Writers: each returns the statements of a transaction and says what they do --------------------------------------

my (%ledger, %number, %unsettled, %last);

sub items
{
	my ($name, $from, $to) = @_;
	return map { "$name-$_" } $from .. $to;
}

sub pause { return 'SELECT pg_sleep(' . sprintf('%.3f', rand $_[0]) . ');'; }

my %writers = (
	# One event; a bad one is an error.
	single => sub {
		my ($name) = @_;
		my $bad = chance(0.1);
		my $event = "chaos.event('$name-1')" . ($bad ? q( || '{"durationMs": -1}') : '');
		return { alone => 1, stored => $bad ? [] : ["$name-1"] },
		  "SELECT 'done $name' FROM vigil.track_event($event) r WHERE r.accepted + r.quarantined = 1;";
	},
	# Several calls, bad items, repeated items, savepoints.
	batch => sub {
		my ($name) = @_;
		my @first = items($name, 1, 1 + int rand 6);
		my @bad = chance(0.4) ? items($name, 20, 20 + int rand 3) : ();
		my @undone = items($name, 30, 33);
		my @second = items($name, 40, 41 + int rand 4);
		my @again = $last{batch} && chance(0.4) ? @{ $last{batch} } : ();
		$last{batch} = \@first;
		return { stored => [ @first, @second, @again ], refused => \@bad },
		  "SELECT chaos.batch(" . array(@first) . ', ' . array(@bad) . ');', pause(0.05),
		  (chance(0.5) ? ('SAVEPOINT s;', 'SELECT chaos.batch(' . array(@undone) . ');', 'ROLLBACK TO s;') : ()),
		  (chance(0.3) ? ('SAVEPOINT t;', 'SELECT 1 / 0;', 'ROLLBACK TO t;') : ()),
		  'SAVEPOINT u;', 'SELECT chaos.batch(' . array(@second, @again) . ');', 'RELEASE u;';
	},
	columns => sub {
		my ($name) = @_;
		my @stored = items($name, 1, 1 + int rand 8);
		my @bad = chance(0.3) ? items($name, 20, 20 + int rand 3) : ();
		my @undone = items($name, 30, 33);
		return { stored => \@stored, refused => \@bad },
		  (chance(0.3) ? ('SAVEPOINT s;', 'SELECT chaos.columns(' . array(@undone) . ", '{}');", pause(0.05), 'ROLLBACK TO s;') : ()),
		  'SELECT chaos.columns(' . array(@stored) . ', ' . array(@bad) . ');', pause(0.05);
	},
	error => sub {
		my ($name) = @_;
		my @stored = items($name, 1, 1 + int rand 3);
		my @undone = items($name, 10, 11);
		my $track = sub { return map { "SELECT 1 / (r.accepted + r.quarantined) * 0 FROM vigil.track_error(chaos.error('$_')) r \\g /dev/null" } @_ };
		return { stored => \@stored }, $track->($stored[0]), pause(0.05),
		  (chance(0.4) ? ('SAVEPOINT s;', $track->(@undone), 'ROLLBACK TO s;') : ()), $track->(@stored[ 1 .. $#stored ]);
	},
	async => sub {
		my ($name) = @_;
		my @queued = items($name, 1, 1 + int rand 5);
		return { queued => \@queued }, map { "SELECT 'queued $_ ' || vigil.track_async(chaos.event('$_'));" } @queued;
	},
	# COPY, to a partition too; changes and deletes what it copied before.
	copy => sub {
		my ($name) = @_;
		my @stored = items($name, 1, 2 + int rand 8);
		my @before = @{ $last{copy} // [] };
		$last{copy} = \@stored;
		my $now = time;
		my $table = chance(0.25) ? strftime('events_y%Ym%md%d', gmtime $now) : 'events';
		my @rows = map {
			join "\t", choose(@modules), $_, choose(qw(render api_call custom)), 'copied', int(rand 24) * 0.25,
			  strftime('%Y-%m-%d %H:%M:%S.', gmtime $now - ($table eq 'events' && chance(0.3) ? rand 250_000 : rand 100)) . int(rand 1000) . 'Z'
		} @stored;
		my ($change, $delete) = map { my $odd = $_; [ grep { /(\d+)$/ && $1 % 2 == $odd } @before ] } (0, 1);
		return { stored => \@stored },
		  "COPY vigil.$table (module_id, external_id, event_type, event_name, duration_ms, created_at) FROM stdin;", @rows, '\.',
		  pause(0.05),
		  "UPDATE vigil.events SET environment = 'u$number{copy}', duration_ms = duration_ms + 7, created_at = created_at - interval '70 minutes'
		     WHERE external_id = ANY (" . array(@$change) . ") RETURNING 'changed ' || external_id || ' ' || environment;",
		  (chance(0.5) ? 'DELETE FROM vigil.events WHERE external_id = ANY (' . array(@$delete) . ") RETURNING 'deleted ' || external_id;" : ());
	},
	# INSERT, UPDATE and DELETE of the owner, of events and errors; where no partition is, all of it fails.
	direct => sub {
		my ($name) = @_;
		my @events = items($name, 1, 1 + int rand 5);
		my @errors = items($name, 10, 10 + int rand 3);
		my @before = @{ $last{direct} // [] };
		$last{direct} = \@errors;
		return { stored => [ @events, @errors ] },
		  'INSERT INTO vigil.events (module_id, created_at, external_id, event_type, event_name, duration_ms, version_id)
		     SELECT chaos.module(i), chaos.happened(i, true), i, e ->> \'eventType\', \'direct\', (e ->> \'durationMs\')::float8,
		            (e ->> \'versionId\')::uuid FROM unnest(' . array(@events) . '::text[]) i, chaos.event(i) e;',
		  'INSERT INTO vigil.errors (module_id, created_at, external_id, error_type, error_name, error_message, fingerprint, session_id)
		     SELECT chaos.module(i), chaos.happened(i, true), i, \'api\', \'Direct\', \'x\', \'f\' || chaos.hash(i) % 3, \'s1\'
		     FROM unnest(' . array(@errors) . '::text[]) i;',
		  pause(0.05),
		  "UPDATE vigil.errors SET environment = 'u$number{direct}', fingerprint = 'changed', created_at = created_at + interval '50 s'
		     WHERE external_id = ANY (" . array(@before) . ") RETURNING 'changed ' || external_id || ' ' || environment;",
		  (chance(0.3) ? 'DELETE FROM vigil.errors WHERE external_id = ANY (' . array($before[0] // ()) . ") RETURNING 'deleted ' || external_id;" : ());
	},
	# Transactions that are prepared, and end later, some of them after a crash.
	twophase => sub {
		my ($name) = @_;
		my @stored = items($name, 1, 1 + int rand 5);
		my @before = @{ $last{twophase} // [] };
		$last{twophase} = \@stored;
		return { prepared => 1, stored => \@stored }, 'SELECT chaos.batch(' . array(@stored) . ", '{}', true);",
		  "UPDATE vigil.events SET environment = 'u$number{twophase}', created_at = created_at - interval '3 minutes'
		     WHERE external_id = ANY (" . array(@before) . ") RETURNING 'changed ' || external_id || ' ' || environment;";
	});
my @names = sort keys %writers;
@ledger{@names} = map { Ledger->new($_) } @names;

sub resolve_prepared
{
	my ($name) = @_;
	my $how = chance(0.7) ? 'commit' : 'rollback';
	return ("\U$how\E PREPARED '$name';", "\\echo resolved $name $how :ERROR");
}

sub transaction
{
	my ($writer) = @_;
	my $name = sprintf '%s-%d', $writer, ++$number{$writer};
	my ($what, @body) = $writers{$writer}->($name);
	my $rolled_back = !$what->{alone} && chance(0.12);
	my $witness = first { /^\Q$name\E-/ } @{ $what->{stored} };
	$ledger{$writer}->send($name, %$what, rolled_back => $rolled_back, witness => $witness);
	my @lines = ("SELECT pg_advisory_lock_shared($gate);", "\\echo begin $name");
	if ($what->{alone}) { push @lines, @body, "\\echo committed $name"; }
	elsif ($what->{prepared} && !$rolled_back)
	{
		push @lines, 'BEGIN;', @body, "SELECT 'done $name';", "PREPARE TRANSACTION '$name';", "\\echo prepared $name :ERROR";
		push @{ $unsettled{$writer} }, $name;
	}
	else { push @lines, 'BEGIN;', @body, "SELECT 'done $name';", ($rolled_back ? 'ROLLBACK;' : 'COMMIT;'), "\\echo committed $name"; }
	if ($what->{prepared})
	{
		# Now and then none is open, or no partition could ever be retired.
		my $open = $unsettled{$writer} //= [];
		my $leave = choose(0, 0, 1, 3);
		push @lines, resolve_prepared(splice @$open, int rand @$open, 1) while @$open > $leave;
	}
	return (@lines, "SELECT FROM pg_advisory_unlock_shared($gate);", pause(0.15));
}

my $scripts = 0;
my (%session, %out);

sub start_writers
{
	for my $writer (@names)
	{
		next if $session{$writer} && $session{$writer}->pumpable;
		end_session($writer);
		my @lines = map { transaction($writer) } 1 .. 100;
		unshift @lines, map { resolve_prepared($_) } splice @{ $unsettled{"$writer before"} // [] };
		my $file = write_script("chaos.$writer." . ++$scripts, "SET application_name = '$writer';", @lines);
		$out{$writer} = "$file.out";
		$ledger{$writer}->new_output;
		$session{$writer} = start_psql($node, $db, $file, go_on => 1);
	}
	return;
}

sub by_turns { return ("SELECT pg_advisory_lock_shared($rest);", @_, "SELECT FROM pg_advisory_unlock_shared($rest);"); }

# Sessions that roll up, keep partitions, and read: at any moment one statement sees equal counts.
my %helpers = (
	roller => sub { return by_turns("SELECT vigil.rollup(1 + (random() * 50)::integer);") },
	runner => sub { return by_turns("CALL vigil.run_job('rollup');") },
	keeper => sub { return "CALL vigil.run_job('maintain_partitions');" },
	reader => sub {
		my $module = choose(@modules);
		my $window = "now() - interval '" . int(rand 9000) . " s', now() + interval '1 minute'";
		return "SELECT 'read', (SELECT coalesce(sum(vigil.cell_count(cell)), 0) FROM vigil.window_cells('$module', $window))
		  = (SELECT count(*) FROM vigil.facts f, (VALUES ($window)) w (a, b) WHERE module_id = '$module' AND created_at >= a AND created_at < b);";
	});

sub start_helpers
{
	for my $helper (sort keys %helpers)
	{
		next if $session{$helper} && $session{$helper}->pumpable;
		end_session($helper);
		my @lines = map { ($helpers{$helper}->(), pause(0.1)) } 1 .. 400;
		my $file = write_script("chaos.$helper." . ++$scripts, "SET application_name = '$helper';", @lines);
		$out{$helper} = "$file.out";
		$session{$helper} = start_psql($node, $db, $file, go_on => 1);
	}
	return;
}

# What helpers print but for empty lines and zeros is counted; an error that is not the end of the session fails.
my @complaints;

sub end_session
{
	my ($name) = @_;
	my $session = delete $session{$name} or return;
	finish_psql($session);
	my $file = $out{$name};
	if ($ledger{$name}) { $ledger{$name}->read_output($file); }
	else
	{
		for (read_lines($file))
		{
			$count{reads}++ if $_ eq 'read|t';
			$count{rolls}++ if $name eq 'roller' && /^[1-9]/;
			push @complaints, "a reader saw other counts than the raw rows: $_" if $_ eq 'read|f';
		}
		(my $errors = $file) =~ s/out$/err/;
		push @complaints, grep { /ERROR/ } read_lines($errors);
	}
	return;
}

# --- Kills ------------------------------------------------------------------------------------------------------------

sub backend
{
	my ($application) = @_;
	my $pid;
	# While it works, if it does.
	for (1 .. 20)
	{
		$pid = one("SELECT pid FROM pg_stat_activity WHERE application_name = '$application' ORDER BY state = 'active' DESC LIMIT 1");
		last if $pid && one("SELECT state FROM pg_stat_activity WHERE pid = $pid") eq 'active';
	}
	return $pid;
}

sub kill_backend
{
	my $pid = backend(@_) or return 0;
	return kill 9, $pid;
}

# Each returns whether the server was down.
my %disturbances = (
	pause => sub { return 0; },
	terminate => sub {
		my $pid = backend(choose('roller', 'runner', 'pg_vigil scheduler', 'pg_vigil roller', 'pg_vigil launcher'));
		one("SELECT pg_terminate_backend($pid)") if $pid;
		return 0;
	},
	kill_scheduler => sub { return kill_backend('pg_vigil scheduler') },
	kill_roller => sub { return kill_backend(choose('roller', 'runner', 'pg_vigil roller')) },
	kill_writer => sub { return kill_backend(choose(@names)) },
	kill_postmaster => sub { kill_server($node, chance(0.5)); return 1; },
	stop_immediate => sub { $node->stop('immediate'); return 1; },
	stop_fast => sub { $node->stop('fast'); return 1; });
my @deck;

sub disturb
{
	@deck = shuffle((keys %disturbances) x 2, ('pause') x 4, 'kill_postmaster') unless @deck;
	my $kind = pop @deck;
	my $down = $disturbances{$kind}->();
	# Nobody to be killed was there.
	$kind = 'pause' if !$down && $kind =~ /^kill/;
	$count{$kind}++;
	return ($kind, $down);
}

# A backend without postmaster may hold the shared memory for a moment longer.
sub recover
{
	end_session($_) for keys %session;
	poll(sub { return $node->start(fail_ok => 1) }, 'the server starts') unless defined $node->{_pid};
	poll(sub { my ($status) = $node->psql($db, 'SELECT 1'); return defined $status && $status == 0 }, 'the server answers');
	return;
}

# --- Checkpoints ------------------------------------------------------------------------------------------------------

my @differences;

sub windows
{
	my @windows;
	for my $module (@modules)
	{
		my @ends = sort { $a <=> $b } map { chance(0.5) ? rand(7200) : rand($oldest * 86400) } 1 .. 2;
		push @windows, sprintf "('%s'::uuid, chaos.window_end(now() - interval '%.6f s'), chaos.window_end(now() - interval '%.6f s'))",
		  $module, reverse @ends;
	}
	return join ', ', @windows;
}

# All in one snapshot. Partitions are not retired meanwhile, for somebody reads them.
sub read_all
{
	my $compared = join ' UNION ALL ', map { "SELECT '$_', only_shown, only_raw FROM recompute.compare_$_()" }
	  qw(minutes hours days hourly daily groups);
	my $output = one(<<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ;
LOCK TABLE vigil.events, vigil.errors IN ACCESS SHARE MODE;
SELECT chaos.keep_retired() \\g /dev/null
SELECT 'compared ' || name || ' ' || only_shown || ' ' || only_raw FROM ($compared) t (name, only_shown, only_raw);
SELECT format('compared window %s %s %s %s %s', module, replace(a::text, ' ', 'T'), replace(b::text, ' ', 'T'), w.only_shown, w.only_raw)
FROM (VALUES @{[ windows() ]}) t (module, a, b), recompute.compare_window(module, a, b) w;
SELECT 'marks ' || count(*) FROM vigil.dirty;
SELECT 'prepared ' || gid FROM pg_prepared_xacts;
SELECT concat_ws(' ', place, item, mark) FROM chaos.items;
INSERT INTO chaos.checkpoints DEFAULT VALUES;
COMMIT;
-- Now they may be dropped or archived.
UPDATE vigil.retired_partitions SET finish_after = now() WHERE finish_after > now() AND partition IN (SELECT partition FROM chaos.kept);
SQL
	my (%found, %prepared, $marks);
	for (split /\n/, $output)
	{
		my ($word, $item, @rest) = split / /;
		if ($word eq 'compared') { push @differences, join ' ', $item, @rest if "@rest[-2, -1]" ne '0 0'; }
		elsif ($word eq 'marks') { $marks = $item; }
		elsif ($word eq 'prepared') { $prepared{$item} = 1; }
		else
		{
			my ($writer) = $item =~ /^(\w+)-/;
			push @differences, "$item is there twice" if $found{$writer}{$item};
			$found{$writer}{$item} = [ $word, $rest[0] // '' ];
		}
	}
	return (\%found, \%prepared, $marks);
}

sub check
{
	my ($kind, $crashed) = @_;
	my $number = ++$count{checkpoints};
	my ($found, $prepared, $marks) = read_all();
	for my $writer (@names)
	{
		my $mine = $found->{$writer} // {};
		$count{unknown} += $ledger{$writer}->resolve($mine, $prepared) if $crashed;
		my $lost = $ledger{$writer}->settle_queue($mine, $crashed);
		$count{'lost with the queue'} += $lost;
		# A server that ends in peace stores what is in it.
		push @differences, "$lost events of the queue are lost" if $lost && $kind eq 'stop_fast';
		push @differences, $ledger{$writer}->differences($mine);
	}
	if ($crashed)
	{
		# Those of a script that did not get to them.
		@{ $unsettled{twophase} } = ();
		@{ $unsettled{'twophase before'} } = grep { chance(0.7) } sort keys %$prepared;
		push @{ $unsettled{twophase} }, grep { my $name = $_; !grep { $_ eq $name } @{ $unsettled{'twophase before'} } } sort keys %$prepared;
	}
	$count{prepared_open} += keys %$prepared;
	$count{with_marks}++ if $marks;
	ok(!@differences, sprintf 'design 6, S0-118: checkpoint %d at %d s after %s: %d marks open, %d items', $number, time - $began, $kind,
		$marks, sum0(map { scalar keys %$_ } values %$found));
	return;
}

sub wait_for_queue
{
	my @taken = grep { $ledger{async}{queued}{$_} } keys %{ $ledger{async}{queued} } or return;
	poll(sub { return one('SELECT count(DISTINCT item) FROM chaos.items WHERE item = ANY (' . array(@taken) . ')') == @taken },
		'the queue is stored: ' . join ' ', @taken);
	return;
}

# --- The run ----------------------------------------------------------------------------------------------------------

# A session that holds an advisory lock.
sub hold
{
	my $holder = $node->background_psql($db);
	$holder->query_safe("SELECT FROM pg_advisory_lock($_[0])");
	return $holder;
}

sub transactions { return sum0(map { scalar keys %{ $ledger{$_}{state} } } @names); }

sub work
{
	my $until = time + 0.3 + rand 1.2;
	my $before = transactions();
	my $done = max(0, (time - $began) / $seconds);
	my $past = max($youngest, $oldest - int(($oldest - $youngest + 1) * $done));
	my $ahead = 3 + int(6 * $done);
	one("UPDATE vigil.partition_policy SET past = '$past days', retention = '$past days', ahead = '$ahead days'");
	if (chance(0.2))
	{
		one("SELECT vigil.set_time_zone('$modules[1]', '" . choose('Europe/Amsterdam', 'America/New_York', 'Asia/Tokyo') . q{')});
		$count{'changes of zone'}++;
	}
	poll(sub {
			start_writers();    # who have come to the end of their script
			$ledger{$_}->read_output($out{$_}) for @names;
			return time > $until && transactions() >= $before + 20;
		}, 'writers get on');
	return;
}

start_writers();
start_helpers();
while (!@differences && !@complaints && ($count{checkpoints} // 0) < 10_000
	&& (time - $began < $seconds || $count{checkpoints} < $least_checkpoints))
{
	# Often nobody rolls up, so that the next checkpoint finds many marks.
	my $resting = chance(0.6) ? hold($rest) : undef;
	one("SELECT vigil.pause_job('rollup')") if $resting;
	work();
	my ($kind, $crashed) = disturb();
	if ($crashed)
	{
		recover();
		check($kind, 1);
	}
	else
	{
		my $holder = hold($gate);
		$ledger{$_}->read_output($out{$_}) for @names;
		check($kind, 0);
		# While nobody writes, unless a transaction is prepared.
		one('SELECT vigil.retire_partitions()');
		wait_for_queue() unless @differences;
		$holder->quit;
	}
	one("SELECT vigil.resume_job('rollup')") if $resting;
	eval { $resting->quit } if $resting;
	start_writers();
	start_helpers();
}

# --- The end ----------------------------------------------------------------------------------------------------------

# Everybody leaves between two transactions; those that are prepared end at random.
my $holder = hold($gate);
one(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('} . join("', '", keys %session) . q{')});
end_session($_) for keys %session;
$holder->quit;
for my $name (split /\n/, one('SELECT gid FROM pg_prepared_xacts'))
{
	my $how = choose('commit', 'rollback');
	one("\U$how\E PREPARED '$name'");
	$ledger{twophase}->settle($name, $how eq 'commit' ? 'committed' : 'aborted');
}
if (!@differences)
{
	wait_for_queue();
	ok($node->poll_query_until($db, 'SELECT marked_minutes = 0 FROM vigil.rollup_lag'), 'design 9: the lag goes to zero');
	# What is retired from here on would not be among the copies of what was.
	one(q{SELECT vigil.pause_job('maintain_partitions')});
	ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_vigil detacher'
	  OR EXISTS (SELECT FROM vigil.jobs WHERE name = 'maintain_partitions' AND state = 'running')}), 'issue 5: nothing is being retired');
	check('the end', 0);
	is(cell_differences($node, $db), "minute_cells 0 0\nhour_cells 0 0\nday_cells 0 0", 'design 6: cells equal raw rows, byte for byte')
	  if !$node->safe_psql($db, 'SELECT count(*) FROM vigil.dirty');
	one(q{SELECT vigil.resume_job('maintain_partitions')});
	ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM vigil.jobs WHERE failures > 0 OR state NOT IN ('waiting', 'running')}),
		'design 9: every job goes on');
	is(one('SELECT hours > 0, differences, (SELECT count(*) FROM vigil.rollup_differences) FROM vigil.verify_state'), 't|0|0',
		'issue 5: the verifier was at work and found nothing');
	is(one(q{SELECT count(*) FROM vigil.job_history WHERE sqlstate = '40P01' AND job NOT IN ('maintain_partitions', 'replay_quarantine', 'expire')}), 0,
		'design 6: no deadlock but of jobs that look at bounds of partitions');
	ok($node->poll_query_until($db, 'SELECT count(*) > 0 FROM vigil.retired_partitions WHERE finished_at IS NOT NULL'),
		'design 5: partitions were retired');
	$node->command_ok([ 'pg_amcheck', '--install-missing', '--heapallindexed', '--schema', 'vigil', $db ], 'no table or index is damaged');
}
splice @differences, 20;
is(join("\n", @differences), '', "no view and no ledger differs (VIGIL_CHAOS_SEED=$seed)");
is(join("\n", @complaints), '', 'no roller, keeper or reader failed');

# Errors that writers provoke: division by zero, bad values, no partition (also a closed one, or one that does not exist), the rest of
# their transactions, prepared ones that exist no more. And a job that loses a deadlock: DETACH ... FINALIZE after a crash waits for older
# snapshots with the partition locked, and whoever looks at bounds of partitions needs it. The job runs again.
my @log = grep { !/ LOG: | 00000 / || /terminated by signal/ } read_lines($node->logfile);
my $provoked = qr/ (22012|22003|23514|55000|42P01|25P02|42704) client backend (@{[ join '|', @names ]}) ERROR: | 40P01 pg_vigil scheduler +ERROR: /;
is(join("\n", grep { / ERROR: / && !/$provoked/ } @log), '', 'the log shows no other error');
is(join("\n", grep { / (FATAL|PANIC): / && !/ (57P0[1-3]|08006|55006|F0001) / || /terminated by signal/ && !/signal 9/ || /TRAP/ } @log), '',
	'and no fault of the server');
note(one(q{SELECT concat('transactions: ', '@transactions', ', events: ', (SELECT count(*) FROM recompute.events), ', errors: ',
  (SELECT count(*) FROM recompute.errors), ', in quarantine: ', (SELECT count(*) FROM vigil.quarantine), ', counted late: ', (SELECT coalesce(sum(counted), 0) FROM vigil.late_facts), ', rejected: ',
  (SELECT count(*) FROM vigil.rejected), ', partitions retired: ', (SELECT count(*) FROM vigil.retired_partitions), ' with ',
  (SELECT count(*) FROM chaos.events) + (SELECT count(*) FROM chaos.errors), ' facts, events an hour late: ',
  (SELECT count(*) FROM recompute.events WHERE created_at < received_at - interval '1 hour'))}
  =~ s/\@transactions/transactions()/er));
note(join ', ', map { "$_: $count{$_}" } sort keys %count);
$node->stop;
done_testing();
