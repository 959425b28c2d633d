# What the TAP tests share: nodes with the extension, sessions in the background, and a recomputation
# of everything that the views show, in plain SQL over raw rows.
package PgVigil;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(vigil_node install_recompute differences cell_differences roll_up same_as_raw
  kill_server start_psql finish_psql write_script read_lines MODULE OTHER_MODULE);

use constant MODULE => '00000000-0000-4000-8000-0000000000a1';
use constant OTHER_MODULE => '00000000-0000-4000-8000-0000000000b2';

# A running node, not preloaded unless asked; `conf` is added to its settings.
sub vigil_node
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, $params{install_path} ? (install_path => $params{install_path}) : ());
	# As those of older versions, which pg_upgrade wants.
	my @extra = $params{upgraded} && $node->pg_version >= 18 ? ('--no-data-checksums') : ();
	$node->init(allows_streaming => $params{streaming} // 0, extra => \@extra);
	$node->append_conf('postgresql.conf', "max_connections = 100\n");
	# Tests wait for the roller; what patience does is shown in pgtap/rollup.sql.
	$node->append_conf('postgresql.conf', "vigil.rollup_patience = 0\n");
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_vigil'\nvigil.launcher_naptime = 1\n")
	  if $params{preload};
	$node->append_conf('postgresql.conf', $params{conf}) if $params{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_vigil') unless $params{no_extension};
	return $node;
}

# --- Recomputation ------------------------------------------------------------------------------

# Columns of the analytics views but for the id, which has no counterpart in raw rows.
my $hourly = join ', ', qw(module_id version_id hour_bucket total_renders unique_sites unique_sessions
  avg_render_time_ms p50_render_time_ms p95_render_time_ms p99_render_time_ms max_render_time_ms
  total_api_calls api_success_count api_error_count avg_api_latency_ms total_errors error_breakdown
  total_interactions interaction_breakdown avg_memory_kb max_memory_kb country_breakdown created_at);
my $daily = join ', ', qw(module_id version_id date_bucket total_renders unique_sites unique_sessions
  total_api_calls total_errors total_interactions avg_render_time_ms p95_render_time_ms error_rate
  api_success_rate hourly_breakdown error_breakdown country_breakdown device_breakdown browser_breakdown
  created_at);
my $groups = join ', ', qw(module_id fingerprint occurrences sites sessions users first_seen_at
  last_seen_at versions);
my $cell = 'vigil.cell_agg(created_at, name, success, duration_ms, value, memory_usage_kb, site_id,
  session_id, user_key, country_code, device, browser, sample_weight)::text';

# One statement compares, so that both sides see the same rows whatever else is going on.
sub compare_function
{
	my ($name, $columns, $shown, $raw) = @_;
	return <<"SQL";
CREATE FUNCTION recompute.$name(OUT rows bigint, OUT only_shown bigint, OUT only_raw bigint)
LANGUAGE sql STABLE AS \$\$
  WITH shown AS MATERIALIZED (SELECT $columns FROM $shown),
       raw AS MATERIALIZED (SELECT $columns FROM $raw)
  SELECT (SELECT count(*) FROM shown),
         (SELECT count(*) FROM (SELECT * FROM shown EXCEPT ALL SELECT * FROM raw) d),
         (SELECT count(*) FROM (SELECT * FROM raw EXCEPT ALL SELECT * FROM shown) d)
\$\$;
SQL
}

# Exact as long as the tests keep to what the sketches keep exactly, 64 distinct numbers and 320
# distinct names; beyond that what one sketch over all raw rows would say.
my $recompute_sql = <<'SQL';
CREATE SCHEMA recompute;

-- Tests that take facts away without taking them out of the views put them back here.
CREATE VIEW recompute.events AS SELECT * FROM vigil.events;
CREATE VIEW recompute.errors AS SELECT * FROM vigil.errors;

CREATE VIEW recompute.facts AS
SELECT module_id, created_at, version_id, event_type, subject,
       CASE WHEN event_type = 'error' THEN coalesce(payload ->> 'errorName', 'Unknown')
            ELSE event_name END AS name,
       CASE WHEN success IS NOT NULL THEN success
            WHEN event_type = 'api_call' THEN event_name = 'api_success' END AS success,
       duration_ms, value, memory_usage_kb, site_id, session_id, user_key, country_code,
       coalesce(device_type, metadata ->> 'device') AS device,
       coalesce(browser, metadata ->> 'browser') AS browser, sample_weight
FROM recompute.events
UNION ALL
SELECT module_id, created_at, version_id, 'error', fingerprint, error_name, NULL, NULL, NULL, NULL,
       site_id, session_id, user_key, country_code, device_type, browser, sample_weight
FROM recompute.errors;

CREATE VIEW recompute.shown AS
SELECT f.module_id, s.version_id, f.created_at, f.event_type, f.name, f.success, f.duration_ms,
       f.memory_usage_kb, f.site_id, f.session_id, f.country_code, f.device, f.browser,
       coalesce(m.time_zone, 'UTC') AS zone
FROM recompute.facts f
LEFT JOIN vigil.modules m ON m.module_id = f.module_id
CROSS JOIN LATERAL (SELECT NULL::uuid UNION ALL
                    SELECT f.version_id WHERE f.version_id IS NOT NULL) AS s (version_id);

CREATE FUNCTION recompute.counts(names text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_object_agg(name, times), '{}')
  FROM (SELECT name, count(*) AS times FROM unnest(names) AS name
        WHERE name IS NOT NULL GROUP BY name) c
$$;

CREATE FUNCTION recompute.uniques(names text[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN count(DISTINCT name) <= 320 THEN count(DISTINCT name)
              ELSE vigil.cardinality(vigil.distinct_agg(name)) END
  FROM unnest(names) AS name
$$;

CREATE FUNCTION recompute.uniques(ids uuid[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN count(DISTINCT id) <= 320 THEN count(DISTINCT id)
              ELSE vigil.cardinality(vigil.distinct_agg(id)) END
  FROM unnest(ids) AS id
$$;

CREATE FUNCTION recompute.percentile(numbers double precision[], fraction double precision)
RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT round((CASE WHEN count(DISTINCT number) <= 64 THEN percentile_disc(fraction) WITHIN GROUP (ORDER BY number)
                     ELSE vigil.percentile(vigil.histogram_agg(number), fraction) END)::numeric, 2)
  FROM unnest(numbers) AS number WHERE number IS NOT NULL
$$;

CREATE VIEW recompute.hourly AS
SELECT module_id, version_id, date_trunc('hour', created_at, 'UTC') AS hour_bucket,
       (count(*) FILTER (WHERE event_type = 'render'))::integer AS total_renders,
       recompute.uniques(array_agg(site_id))::integer AS unique_sites,
       recompute.uniques(array_agg(session_id))::integer AS unique_sessions,
       round((sum(duration_ms) FILTER (WHERE event_type = 'render')
              / count(duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS avg_render_time_ms,
       recompute.percentile(array_agg(duration_ms) FILTER (WHERE event_type = 'render'), 0.5) AS p50_render_time_ms,
       recompute.percentile(array_agg(duration_ms) FILTER (WHERE event_type = 'render'), 0.95) AS p95_render_time_ms,
       recompute.percentile(array_agg(duration_ms) FILTER (WHERE event_type = 'render'), 0.99) AS p99_render_time_ms,
       round(max(duration_ms) FILTER (WHERE event_type = 'render'))::integer AS max_render_time_ms,
       (count(*) FILTER (WHERE event_type = 'api_call'))::integer AS total_api_calls,
       (count(*) FILTER (WHERE event_type = 'api_call' AND success))::integer AS api_success_count,
       (count(*) FILTER (WHERE event_type = 'api_call' AND success IS NOT TRUE))::integer AS api_error_count,
       round((sum(duration_ms) FILTER (WHERE event_type = 'api_call')
              / count(duration_ms) FILTER (WHERE event_type = 'api_call'))::numeric, 2) AS avg_api_latency_ms,
       (count(*) FILTER (WHERE event_type = 'error'))::integer AS total_errors,
       recompute.counts(array_agg(name) FILTER (WHERE event_type = 'error')) AS error_breakdown,
       (count(*) FILTER (WHERE event_type = 'user_interaction'))::integer AS total_interactions,
       recompute.counts(array_agg(name) FILTER (WHERE event_type = 'user_interaction')) AS interaction_breakdown,
       round((sum(memory_usage_kb)::double precision / count(memory_usage_kb))::numeric, 2) AS avg_memory_kb,
       max(memory_usage_kb)::integer AS max_memory_kb,
       recompute.counts(array_agg(country_code)) AS country_breakdown,
       max(created_at) AS created_at
FROM recompute.shown
GROUP BY 1, 2, 3;

CREATE VIEW recompute.hours_of_days AS
SELECT module_id, version_id, (hour AT TIME ZONE zone)::date AS day,
       jsonb_agg(jsonb_build_object('hour', extract(hour FROM hour AT TIME ZONE zone)::integer,
                                    'renders', renders, 'errors', errors, 'avgRenderTime', mean)
                 ORDER BY hour) AS hours
FROM (SELECT module_id, version_id, zone, date_trunc('hour', created_at, 'UTC') AS hour,
             count(*) FILTER (WHERE event_type = 'render') AS renders,
             count(*) FILTER (WHERE event_type = 'error') AS errors,
             round((sum(duration_ms) FILTER (WHERE event_type = 'render')
                    / count(duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS mean
      FROM recompute.shown GROUP BY 1, 2, 3, 4) h
GROUP BY 1, 2, 3;

CREATE VIEW recompute.daily AS
SELECT d.*, coalesce(h.hours, '[]') AS hourly_breakdown
FROM (
  SELECT module_id, version_id, (created_at AT TIME ZONE zone)::date AS date_bucket,
         (count(*) FILTER (WHERE event_type = 'render'))::integer AS total_renders,
         recompute.uniques(array_agg(site_id))::integer AS unique_sites,
         recompute.uniques(array_agg(session_id))::integer AS unique_sessions,
         (count(*) FILTER (WHERE event_type = 'api_call'))::integer AS total_api_calls,
         (count(*) FILTER (WHERE event_type = 'error'))::integer AS total_errors,
         (count(*) FILTER (WHERE event_type = 'user_interaction'))::integer AS total_interactions,
         round((sum(duration_ms) FILTER (WHERE event_type = 'render')
                / count(duration_ms) FILTER (WHERE event_type = 'render'))::numeric, 2) AS avg_render_time_ms,
         recompute.percentile(array_agg(duration_ms) FILTER (WHERE event_type = 'render'), 0.95) AS p95_render_time_ms,
         coalesce(round((count(*) FILTER (WHERE event_type = 'error'))::numeric
                        / nullif(count(*) FILTER (WHERE event_type = 'render'), 0), 4), 0) AS error_rate,
         coalesce(round((count(*) FILTER (WHERE event_type = 'api_call' AND success))::numeric
                        / nullif(count(*) FILTER (WHERE event_type = 'api_call'), 0), 4), 1) AS api_success_rate,
         recompute.counts(array_agg(name) FILTER (WHERE event_type = 'error')) AS error_breakdown,
         recompute.counts(array_agg(country_code)) AS country_breakdown,
         recompute.counts(array_agg(device)) AS device_breakdown,
         recompute.counts(array_agg(browser)) AS browser_breakdown,
         max(created_at) AS created_at
  FROM recompute.shown
  GROUP BY 1, 2, 3) d
LEFT JOIN recompute.hours_of_days h
  ON h.module_id = d.module_id AND h.version_id IS NOT DISTINCT FROM d.version_id AND h.day = d.date_bucket;

-- The key that a group is called by; of errors without a group their own.
CREATE VIEW recompute.groups AS
SELECT module_id,
       coalesce((SELECT coalesce(r.fingerprint, g.fingerprint) FROM vigil.error_fingerprints k JOIN vigil.error_groups g ON g.id = k.group_id
                 LEFT JOIN vigil.error_groups r ON r.id = g.root_id
                 WHERE k.module_id = facts.module_id AND k.fingerprint = facts.subject), subject) AS fingerprint, count(*) AS occurrences,
       recompute.uniques(array_agg(site_id)) AS sites, recompute.uniques(array_agg(session_id)) AS sessions,
       recompute.uniques(array_agg(user_key)) AS users,
       min(created_at) AS first_seen_at, max(created_at) AS last_seen_at,
       coalesce(array_agg(DISTINCT version_id) FILTER (WHERE version_id IS NOT NULL), '{}') AS versions
FROM recompute.facts WHERE event_type = 'error' AND subject <> ''
GROUP BY 1, 2;
SQL

# A cell of each module, bucket, release, type and subject, from raw rows.
my %buckets = (
	minute => "date_trunc('minute', created_at)",
	hour => "date_trunc('hour', created_at, 'UTC')",
	day => "date_trunc('day', created_at, vigil.time_zone_of(module_id))");

# Compares cells byte for byte: those that are stored, or with marks open what the views say.
sub compare_cells_function
{
	my ($name, $resolution, $shown) = @_;
	# Older minutes are not kept.
	my $only = $resolution eq 'minute' ? 'WHERE created_at >= (SELECT minute_floor FROM vigil.rollup_state)' : '';
	return compare_function($name, 'module_id, bucket, version_id, event_type, subject, cell',
		"(SELECT module_id, bucket, version_id, event_type, subject, cell::text FROM $shown) c",
		"(SELECT module_id, $buckets{$resolution} AS bucket, version_id, event_type, subject, $cell AS cell
		  FROM recompute.facts $only GROUP BY 1, 2, 3, 4, 5) r");
}

# Makes the schema recompute, which says what the views must show.
sub install_recompute
{
	my ($node, $db) = @_;
	$node->safe_psql(
		$db,
		join '',
		$recompute_sql,
		compare_function('compare_hourly', $hourly, 'vigil.module_analytics_hourly', 'recompute.hourly'),
		compare_function('compare_daily', $daily, 'vigil.module_analytics_daily', 'recompute.daily'),
		compare_function('compare_groups', $groups, 'vigil.error_group_totals', 'recompute.groups'),
		(map { compare_cells_function("compare_${_}_cells", $_, "vigil.cells_$_") } sort keys %buckets),
		(map { compare_cells_function("compare_${_}s", $_, "vigil.${_}s") } sort keys %buckets),
		# Any window, byte for byte.
		<<"SQL");
CREATE FUNCTION recompute.compare_window(module uuid, starts_at timestamptz, ends_at timestamptz,
  OUT only_shown bigint, OUT only_raw bigint)
LANGUAGE sql STABLE AS \$\$
  WITH shown AS MATERIALIZED (SELECT version_id, event_type, subject, vigil.merge_agg(cell)::text
                              FROM vigil.window_cells(module, starts_at, ends_at) GROUP BY 1, 2, 3),
       raw AS MATERIALIZED (SELECT version_id, event_type, subject, $cell FROM recompute.facts
                            WHERE module_id = module AND created_at >= starts_at AND created_at < ends_at GROUP BY 1, 2, 3)
  SELECT (SELECT count(*) FROM (SELECT * FROM shown EXCEPT ALL SELECT * FROM raw) d),
         (SELECT count(*) FROM (SELECT * FROM raw EXCEPT ALL SELECT * FROM shown) d)
\$\$;
SQL
	return;
}

# Rows that are only in one of the two, per comparison; equal views give '0 0' everywhere.
sub compare
{
	my ($node, $db, @names) = @_;
	my $sql = join ' UNION ALL ',
	  map { "SELECT '$_ ' || only_shown || ' ' || only_raw FROM recompute.compare_$_()" } @names;
	return $node->safe_psql($db, $sql);
}

sub differences
{
	my ($node, $db) = @_;
	return compare($node, $db, qw(hourly daily groups));
}

sub cell_differences
{
	my ($node, $db) = @_;
	return compare($node, $db, qw(minute_cells hour_cells day_cells));
}

# Rolls up until nothing is left; returns the number of minutes.
sub roll_up
{
	my ($node, $db) = @_;
	my $total = 0;
	for (1 .. 1000)
	{
		my $minutes = $node->safe_psql($db, 'SELECT vigil.rollup()');
		return $total if $minutes == 0;
		$total += $minutes;
	}
	die "rollup does not come to an end";
}

# The views, with marks open and, after a roll-up, from cells alone; and the cells themselves.
sub same_as_raw
{
	my ($node, $db, $description) = @_;
	is(differences($node, $db), "hourly 0 0\ndaily 0 0\ngroups 0 0", "$description: views equal raw rows");
	roll_up($node, $db);
	is(differences($node, $db), "hourly 0 0\ndaily 0 0\ngroups 0 0", "$description, rolled up: views equal raw rows");
	is(cell_differences($node, $db), "minute_cells 0 0\nhour_cells 0 0\nday_cells 0 0",
		"$description, rolled up: cells equal raw rows, byte for byte");
	return;
}

# --- Crashes ------------------------------------------------------------------------------------

# Kills the postmaster and waits until nothing of the server is left. Without its postmaster a backend goes on
# until it next waits, and the others die with it or later: both happen to servers.
sub kill_server
{
	my ($node, $with_children) = @_;
	my ($postmaster) = read_lines($node->data_dir . '/postmaster.pid');
	# From the server itself: a bare chroot has no /proc that ps could read.
	my @children = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	kill 9, @children if $with_children;
	for (1 .. 1800)
	{
		@children = grep { kill 0, $_ } @children;
		return if !@children && !kill 0, $postmaster;
		usleep(100_000);
	}
	die "processes @children outlive their postmaster";
}

# --- Sessions in the background -----------------------------------------------------------------

sub write_script
{
	my ($name, @statements) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.sql";
	open my $handle, '>', $file or die "$file: $!";
	print $handle map { "$_\n" } @statements;
	close $handle;
	return $file;
}

# Starts psql on a script, its output to a file; a failing statement ends it unless the caller says
# otherwise.
sub start_psql
{
	my ($node, $db, $script, %params) = @_;
	my $out = $params{out} // "$script.out";
	local %ENV = $node->_get_env();
	return IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr($db), '-f', $script,
			'-v', 'ON_ERROR_STOP=' . ($params{go_on} ? 0 : 1) ],
		'<', '/dev/null', '>>', $out, '2>>', "$script.err");
}

# Waits for it; true when it succeeded.
sub finish_psql
{
	my ($psql) = @_;
	return $psql->finish;
}

sub read_lines
{
	my ($file) = @_;
	return () unless -e $file;
	my @lines = split /\n/, slurp_file($file);
	return @lines;
}

1;
