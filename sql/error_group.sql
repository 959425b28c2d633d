CREATE OR REPLACE FUNCTION vigil.touch_error_groups(
    modules uuid[], fingerprints text[], types text[], names text[], messages text[], stacks text[])
  RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  -- Sorted, so that two writers that meet several new groups do not wait in a circle.
  INSERT INTO vigil.error_groups AS g
    (module_id, fingerprint, error_type, error_name, error_message, sample_stack)
  SELECT s.*
  FROM unnest(modules, fingerprints, types, names, messages, stacks)
       AS s (module_id, fingerprint, type, name, message, stack)
  WHERE NOT EXISTS (SELECT FROM vigil.error_groups e
                    WHERE e.module_id = s.module_id AND e.fingerprint = s.fingerprint)
  ORDER BY s.module_id, s.fingerprint
  ON CONFLICT DO NOTHING;

  PERFORM FROM vigil.error_groups g
  JOIN unnest(modules, fingerprints) AS s (module_id, fingerprint) USING (module_id, fingerprint)
  WHERE g.status = 'resolved'
  ORDER BY g.module_id, g.fingerprint FOR UPDATE OF g;
  IF FOUND THEN
    UPDATE vigil.error_groups g
    SET status = 'open', resolved_at = NULL, regressed_at = now(), regressions = g.regressions + 1,
        updated_at = now()
    FROM unnest(modules, fingerprints) AS s (module_id, fingerprint)
    WHERE g.module_id = s.module_id AND g.fingerprint = s.fingerprint AND g.status = 'resolved';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.touch_error_groups(uuid[], text[], text[], text[], text[], text[]) IS
  'Step of ingest: creates groups that do not exist and opens resolved ones; all other groups are left alone.';

CREATE OR REPLACE FUNCTION vigil.find_error_group(id uuid) RETURNS vigil.error_groups
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  found_group vigil.error_groups;
BEGIN
  SELECT * INTO found_group FROM vigil.error_groups g WHERE g.id = find_error_group.id;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('error group %s does not exist', coalesce(id::text, 'null')),
      HINT = 'SELECT id, error_name, status FROM vigil.module_error_groups;';
  END IF;
  RETURN found_group;
END $$;
COMMENT ON FUNCTION vigil.find_error_group(uuid) IS 'A group by its id; SQLSTATE P0002 when there is none.';

CREATE OR REPLACE FUNCTION vigil.set_error_group_status(
    id uuid, status text, changed_by uuid DEFAULT NULL, notes text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.find_error_group(id);
  resolved constant boolean := set_error_group_status.status = 'resolved';
BEGIN
  UPDATE vigil.error_groups g
  SET status = set_error_group_status.status,
      resolved_at = CASE WHEN resolved THEN now() END,
      resolved_by = CASE WHEN resolved THEN changed_by END,
      notes = coalesce(set_error_group_status.notes, g.notes),
      updated_at = now()
  WHERE g.module_id = target.module_id AND g.id = target.id;
END $$;
COMMENT ON FUNCTION vigil.set_error_group_status(uuid, text, uuid, text) IS
  'Sets a group to open, investigating, resolved or ignored (another word: SQLSTATE 23514).';

CREATE OR REPLACE FUNCTION vigil.set_error_group_priority(id uuid, priority text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.find_error_group(id);
BEGIN
  UPDATE vigil.error_groups g
  SET priority = set_error_group_priority.priority::vigil.priority, updated_at = now()
  WHERE g.module_id = target.module_id AND g.id = target.id;
END $$;
COMMENT ON FUNCTION vigil.set_error_group_priority(uuid, text) IS
  'Sets the priority of a group: low, medium, high or critical (another word: SQLSTATE 22P02).';

CREATE OR REPLACE FUNCTION vigil.assign_error_group(id uuid, assigned_to uuid) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.find_error_group(id);
BEGIN
  UPDATE vigil.error_groups g
  SET assigned_to = assign_error_group.assigned_to, updated_at = now()
  WHERE g.module_id = target.module_id AND g.id = target.id;
END $$;
COMMENT ON FUNCTION vigil.assign_error_group(uuid, uuid) IS 'Says who looks after a group; null: nobody.';

CREATE OR REPLACE FUNCTION vigil.resolve_error_group(
    id uuid, version_id uuid DEFAULT NULL, commit text DEFAULT NULL, notes text DEFAULT NULL,
    resolved_by uuid DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.set_error_group_status(id, 'resolved', resolved_by, notes);
  UPDATE vigil.error_groups g
  SET resolved_in_version = version_id, resolution_commit = commit
  WHERE g.id = resolve_error_group.id;
END $$;
COMMENT ON FUNCTION vigil.resolve_error_group(uuid, uuid, text, text, uuid) IS
  'Resolves a group, with the release and commit that did it.';

CREATE OR REPLACE VIEW vigil.error_group_totals AS
SELECT d.module_id, d.subject AS fingerprint,
       sum(vigil.cell_count(d.cell))::bigint AS occurrences,
       vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'sites')) AS sites,
       vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'sessions')) AS sessions,
       vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'users')) AS users,
       min(vigil.cell_time(d.cell, false)) AS first_seen_at,
       max(vigil.cell_time(d.cell, true)) AS last_seen_at,
       coalesce(array_agg(DISTINCT d.version_id) FILTER (WHERE d.version_id IS NOT NULL), '{}') AS versions
FROM vigil.days d
WHERE d.event_type = 'error' AND d.subject <> ''
GROUP BY d.module_id, d.subject;
COMMENT ON VIEW vigil.error_group_totals IS
  'What the errors of each group add up to, from day cells and the facts of marked minutes: exact at once.';
COMMENT ON COLUMN vigil.error_group_totals.occurrences IS 'Number of errors.';
COMMENT ON COLUMN vigil.error_group_totals.sites IS 'Different sites; exact up to 512, then within 3 %.';
COMMENT ON COLUMN vigil.error_group_totals.sessions IS 'Different sessions, as sites.';
COMMENT ON COLUMN vigil.error_group_totals.users IS 'Different users, as sites.';
COMMENT ON COLUMN vigil.error_group_totals.first_seen_at IS 'Event time of the first error.';
COMMENT ON COLUMN vigil.error_group_totals.last_seen_at IS 'Event time of the last error.';
COMMENT ON COLUMN vigil.error_group_totals.versions IS 'Releases in which it happened.';

CREATE OR REPLACE VIEW vigil.module_error_groups AS
SELECT g.id, g.module_id, g.fingerprint AS error_fingerprint, g.error_type, g.error_name, g.error_message,
       g.sample_stack,
       vigil.small(t.occurrences) AS total_occurrences,
       vigil.small(t.sites) AS affected_sites,
       vigil.small(t.sessions) AS affected_sessions,
       coalesce(t.first_seen_at, g.created_at) AS first_seen_at,
       coalesce(t.last_seen_at, g.created_at) AS last_seen_at,
       g.status::text AS status, g.priority::text AS priority, g.assigned_to,
       coalesce(t.versions, '{}') AS affected_versions,
       g.notes, g.resolution_commit, g.resolved_in_version, g.created_at, g.updated_at
FROM vigil.error_groups g
LEFT JOIN vigil.error_group_totals t ON t.module_id = g.module_id AND t.fingerprint = g.fingerprint;
COMMENT ON VIEW vigil.module_error_groups IS
  'Error groups with their totals, in the columns that dashboards know.';

CREATE OR REPLACE VIEW vigil.module_errors AS
SELECT e.id, e.module_id, e.version_id, e.site_id, e.error_type, e.error_name, e.error_message, e.error_stack,
       e.fingerprint AS error_fingerprint, e.file_path, e.line_number, e.column_number, e.browser,
       e.browser_version, e.os, e.device_type, e.country_code, e.page_path, e.page_title, e.module_state,
       e.module_settings, e.session_id,
       coalesce(g.status = 'resolved', false) AS is_resolved,
       CASE WHEN g.status = 'resolved' THEN g.resolved_at END AS resolved_at,
       CASE WHEN g.status = 'resolved' THEN g.resolved_by END AS resolved_by,
       CASE WHEN g.status = 'resolved' THEN g.notes END AS resolution_notes,
       e.created_at AS first_seen_at, e.created_at AS last_seen_at, 1 AS occurrence_count, e.created_at
FROM vigil.errors e
LEFT JOIN vigil.error_groups g ON g.module_id = e.module_id AND g.fingerprint = e.fingerprint;
COMMENT ON VIEW vigil.module_errors IS
  'Single errors in the columns that dashboards know; what is resolved is told by the group.';

CREATE OR REPLACE VIEW vigil.module_events AS
SELECT id, module_id, version_id, site_id, event_type, event_name, event_category, payload, metadata,
       vigil.whole(duration_ms) AS duration_ms,
       vigil.whole(memory_usage_kb) AS memory_usage_kb,
       page_path, session_id, user_agent, ip_hash, country_code, created_at
FROM vigil.events
UNION ALL
SELECT id, module_id, version_id, site_id, 'error', error_name, NULL,
       jsonb_build_object('errorName', error_name, 'errorType', error_type, 'errorMessage', error_message,
                          'fingerprint', fingerprint),
       context, NULL, NULL, page_path, session_id, user_agent, ip_hash, country_code, created_at
FROM vigil.errors;
COMMENT ON VIEW vigil.module_events IS
  'Events in the columns that dashboards know; every error is an event of type error as well.';
