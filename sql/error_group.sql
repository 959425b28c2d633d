-- Groups of errors: what ingest does to them, what people do, what they add up to.
CREATE OR REPLACE FUNCTION vigil.log_error_group(
    module uuid, group_id uuid, action text, changed_by uuid, old jsonb, new jsonb) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, vigil, pg_temp
AS $$
  INSERT INTO vigil.error_group_log (module_id, group_id, action, changed_by, old, new)
  VALUES (module, group_id, action, changed_by, coalesce(old, '{}'), coalesce(new, '{}'))
$$;
COMMENT ON FUNCTION vigil.log_error_group(uuid, uuid, text, uuid, jsonb, jsonb) IS 'Adds a row to the activity of a group.';

-- What ingest does ------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION vigil.recurs(resolved vigil.error_groups, version uuid) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT CASE
    WHEN resolved.resolved_in_version IS NOT NULL THEN
      coalesce(vigil.release_order(resolved.module_id, version, resolved.resolved_in_version) >= 0, true)
    WHEN resolved.resolved_after_version IS NOT NULL THEN
      coalesce(vigil.release_order(resolved.module_id, version, resolved.resolved_after_version) > 0, true)
    ELSE true END
$$;
COMMENT ON FUNCTION vigil.recurs(vigil.error_groups, uuid) IS
  'Whether an error of a release opens a resolved group again: not when the release came before the one that resolved it. An unknown release does.';

CREATE OR REPLACE FUNCTION vigil.reopen_error_groups(modules uuid[], groups uuid[], versions uuid[]) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  seen record;
  reopened vigil.error_groups;
BEGIN
  -- Sorted, so that two writers that open several groups do not wait in a circle.
  FOR seen IN
    SELECT DISTINCT s.module_id, s.group_id, s.version_id,
           coalesce(g.resolved_in_version, g.resolved_after_version) AS bound
    FROM unnest(modules, groups, versions) AS s (module_id, group_id, version_id)
    JOIN vigil.error_groups g ON g.module_id = s.module_id AND g.id = s.group_id AND g.status = 'resolved'
    ORDER BY 1, 2, 3
  LOOP
    IF seen.bound IS NOT NULL THEN
      PERFORM vigil.register_release(seen.module_id, seen.bound);
      PERFORM vigil.register_release(seen.module_id, seen.version_id);
    END IF;
    UPDATE vigil.error_groups g
    SET status = 'open', resolved_at = NULL, regressed_at = now(), regressed_in_version = seen.version_id,
        regressions = g.regressions + 1, updated_at = now()
    WHERE g.module_id = seen.module_id AND g.id = seen.group_id AND g.status = 'resolved'
      AND vigil.recurs(g, seen.version_id)
    RETURNING * INTO reopened;
    IF FOUND THEN
      PERFORM vigil.log_error_group(seen.module_id, seen.group_id, 'regress', NULL,
        '{"status": "resolved"}',
        jsonb_build_object('status', 'open', 'regressed_in_version', seen.version_id, 'regressions', reopened.regressions));
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.reopen_error_groups(uuid[], uuid[], uuid[]) IS
  'Step of ingest: opens resolved groups whose errors recur in these releases.';

CREATE OR REPLACE FUNCTION vigil.group_errors(since timestamptz DEFAULT '-infinity') RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  orphan record;
  made uuid;
  grouped bigint := 0;
BEGIN
  FOR orphan IN
    SELECT DISTINCT ON (e.module_id, e.fingerprint) e.module_id, e.fingerprint, e.error_type, e.error_name,
           e.error_message, e.error_stack, e.level
    FROM vigil.errors e
    WHERE e.created_at >= since AND e.fingerprint <> ''
      AND NOT EXISTS (SELECT FROM vigil.error_fingerprints f
                      WHERE f.module_id = e.module_id AND f.fingerprint = e.fingerprint)
    ORDER BY e.module_id, e.fingerprint, e.created_at
  LOOP
    INSERT INTO vigil.error_groups
      (module_id, fingerprint, error_type, error_name, error_message, sample_stack, level, priority)
    VALUES (orphan.module_id, orphan.fingerprint, orphan.error_type, orphan.error_name, orphan.error_message,
            orphan.error_stack, orphan.level,
            coalesce(vigil.priority_by_rules(orphan.module_id, orphan.error_type, orphan.error_name, orphan.error_message,
                                             orphan.level), 'medium'))
    RETURNING id INTO made;
    INSERT INTO vigil.error_fingerprints (module_id, fingerprint, group_id)
    VALUES (orphan.module_id, orphan.fingerprint, made) ON CONFLICT DO NOTHING;
    IF FOUND THEN
      grouped := grouped + 1;
    ELSE
      -- Another session was faster.
      DELETE FROM vigil.error_groups g WHERE g.module_id = orphan.module_id AND g.id = made;
    END IF;
  END LOOP;
  RETURN grouped;
END $$;
COMMENT ON FUNCTION vigil.group_errors(timestamptz) IS
  'Makes groups for errors since an event time that have none, as they were written to vigil.errors directly; returns how many.';

-- What people do --------------------------------------------------------------------------------------

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

CREATE OR REPLACE FUNCTION vigil.lock_error_group(id uuid) RETURNS vigil.error_groups
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  locked vigil.error_groups;
BEGIN
  SELECT * INTO locked FROM vigil.error_groups g WHERE g.id = lock_error_group.id FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    locked := vigil.find_error_group(id);
  END IF;
  IF locked.root_id IS NOT NULL THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('error group %s is merged into %s', id, locked.root_id),
      HINT = format('Change that group, or take this one out: SELECT vigil.unmerge(%L);', id);
  END IF;
  RETURN locked;
END $$;
COMMENT ON FUNCTION vigil.lock_error_group(uuid) IS
  'A group by its id, locked until the transaction ends; SQLSTATE P0002 when there is none, 55000 when it is merged into another.';

CREATE OR REPLACE FUNCTION vigil.change_error_group(id uuid, action text, changed_by uuid, changes jsonb) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.lock_error_group(id);
  changed constant vigil.error_groups := jsonb_populate_record(target, changes);
  old jsonb;
  new jsonb;
BEGIN
  UPDATE vigil.error_groups g
  SET status = changed.status, priority = changed.priority, assigned_to = changed.assigned_to, notes = changed.notes,
      resolution_commit = changed.resolution_commit, resolved_in_version = changed.resolved_in_version,
      resolved_after_version = changed.resolved_after_version, resolved_at = changed.resolved_at,
      resolved_by = changed.resolved_by, ignored_until = changed.ignored_until, ignored_since = changed.ignored_since,
      ignored_until_count = changed.ignored_until_count, ignored_until_users = changed.ignored_until_users,
      updated_at = now()
  WHERE g.module_id = target.module_id AND g.id = target.id;
  SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value) INTO old, new
  FROM jsonb_each(to_jsonb(target)) o JOIN jsonb_each(to_jsonb(changed)) n USING (key)
  WHERE o.value <> n.value;
  IF new IS NOT NULL THEN
    PERFORM vigil.log_error_group(target.module_id, target.id, action, changed_by, old, new);
  END IF;
END $$;
COMMENT ON FUNCTION vigil.change_error_group(uuid, text, uuid, jsonb) IS
  'Sets columns of a group to the members of changes and logs those that became others.';

CREATE OR REPLACE FUNCTION vigil.set_error_group_status(
    id uuid, status text, changed_by uuid DEFAULT NULL, notes text DEFAULT NULL) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.change_error_group(id, 'status', changed_by,
    jsonb_build_object('status', status, 'ignored_until', NULL, 'ignored_since', NULL,
                       'ignored_until_count', NULL, 'ignored_until_users', NULL)
    || CASE WHEN status = 'resolved'
            THEN jsonb_build_object('resolved_at', now(), 'resolved_by', changed_by,
                                    'resolved_in_version', NULL, 'resolved_after_version', NULL)
            ELSE '{"resolved_at": null, "resolved_by": null}' END
    || CASE WHEN notes IS NULL THEN '{}' ELSE jsonb_build_object('notes', notes) END)
$$;
COMMENT ON FUNCTION vigil.set_error_group_status(uuid, text, uuid, text) IS
  'Sets a group to open, investigating, resolved or ignored (another word: SQLSTATE 23514).';

CREATE OR REPLACE FUNCTION vigil.set_error_group_priority(
    id uuid, priority text, changed_by uuid DEFAULT NULL) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.change_error_group(id, 'priority', changed_by, jsonb_build_object('priority', priority))
$$;
COMMENT ON FUNCTION vigil.set_error_group_priority(uuid, text, uuid) IS
  'Sets the priority of a group: low, medium, high or critical (another word: SQLSTATE 22P02).';

CREATE OR REPLACE FUNCTION vigil.assign_error_group(
    id uuid, assigned_to uuid, changed_by uuid DEFAULT NULL) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.change_error_group(id, 'assign', changed_by, jsonb_build_object('assigned_to', assigned_to))
$$;
COMMENT ON FUNCTION vigil.assign_error_group(uuid, uuid, uuid) IS 'Says who looks after a group; null: nobody.';

CREATE OR REPLACE FUNCTION vigil.add_error_group_note(id uuid, note text, author uuid DEFAULT NULL) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.change_error_group(g.id, 'note', author,
           jsonb_build_object('notes', concat_ws(E'\n', nullif(g.notes, ''), note)))
  FROM vigil.lock_error_group(add_error_group_note.id) g
$$;
COMMENT ON FUNCTION vigil.add_error_group_note(uuid, text, uuid) IS
  'Appends a line to the notes of a group; the activity tells who wrote which.';

CREATE OR REPLACE FUNCTION vigil.resolve_error_group(
    id uuid, version_id uuid DEFAULT NULL, commit text DEFAULT NULL, notes text DEFAULT NULL,
    resolved_by uuid DEFAULT NULL, in_next_release boolean DEFAULT false) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.lock_error_group(id);
  latest uuid;
BEGIN
  IF in_next_release AND version_id IS NOT NULL THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('release %s is given, and the next release', version_id),
      HINT = 'Leave version_id or in_next_release out.';
  ELSIF in_next_release THEN
    latest := vigil.latest_release(target.module_id);
    IF latest IS NULL THEN
      RAISE object_not_in_prerequisite_state USING
        MESSAGE = format('module %s has no release yet', target.module_id),
        HINT = 'Resolve without in_next_release; vigil.versions has the releases that clients named.';
    END IF;
  END IF;
  PERFORM vigil.change_error_group(id, 'resolve', resolved_by,
    jsonb_build_object('status', 'resolved', 'resolved_at', now(), 'resolved_by', resolved_by,
                       'resolved_in_version', version_id, 'resolved_after_version', latest, 'resolution_commit', commit,
                       'notes', coalesce(resolve_error_group.notes, target.notes), 'ignored_until', NULL,
                       'ignored_since', NULL, 'ignored_until_count', NULL, 'ignored_until_users', NULL));
END $$;
COMMENT ON FUNCTION vigil.resolve_error_group(uuid, uuid, text, text, uuid, boolean) IS
  'Resolves a group, with the release and commit that did it. An error of an older release, or with in_next_release of any release known now, does not open it again.';

-- What they add up to ---------------------------------------------------------------------------------

CREATE OR REPLACE VIEW vigil.error_group_activity AS
SELECT l.module_id, l.group_id, l.changed_at, l.changed_by, l.role::text AS role, l.action, l.old, l.new
FROM vigil.error_group_log l
ORDER BY l.module_id, l.group_id, l.id;
COMMENT ON VIEW vigil.error_group_activity IS
  'What was done to each group, when and by whom, in order: columns that changed, as they were and as they became.';

CREATE OR REPLACE VIEW vigil.error_group_fingerprints AS
SELECT f.module_id, f.fingerprint, coalesce(g.root_id, g.id) AS group_id, g.id AS owner_id, f.attached_at
FROM vigil.error_fingerprints f
JOIN vigil.error_groups g ON g.module_id = f.module_id AND g.id = f.group_id;
COMMENT ON VIEW vigil.error_group_fingerprints IS
  'Keys of each group, also of those merged into it: owner_id is the group that vigil.unmerge gives the key back to.';

CREATE OR REPLACE VIEW vigil.error_group_totals AS
SELECT d.module_id, coalesce(g.fingerprint, d.subject) AS fingerprint,
       sum(vigil.cell_count(d.cell))::bigint AS occurrences,
       vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'sites')) AS sites,
       vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'sessions')) AS sessions,
       vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'users')) AS users,
       min(vigil.cell_time(d.cell, false)) AS first_seen_at,
       max(vigil.cell_time(d.cell, true)) AS last_seen_at,
       coalesce(array_agg(DISTINCT d.version_id) FILTER (WHERE d.version_id IS NOT NULL), '{}') AS versions,
       g.id AS group_id
FROM vigil.days d
LEFT JOIN vigil.error_group_fingerprints f ON f.module_id = d.module_id AND f.fingerprint = d.subject
LEFT JOIN vigil.error_groups g ON g.module_id = f.module_id AND g.id = f.group_id
WHERE d.event_type = 'error' AND d.subject <> ''
GROUP BY d.module_id, g.id, coalesce(g.fingerprint, d.subject);
COMMENT ON VIEW vigil.error_group_totals IS
  'What the errors of each group add up to, with those of merged groups, from day cells and the facts of marked minutes: exact at once. Keys without a group are rows of their own.';
COMMENT ON COLUMN vigil.error_group_totals.occurrences IS 'Number of errors.';
COMMENT ON COLUMN vigil.error_group_totals.sites IS 'Different sites; exact up to 512, then within 3 %.';
COMMENT ON COLUMN vigil.error_group_totals.sessions IS 'Different sessions, as sites.';
COMMENT ON COLUMN vigil.error_group_totals.users IS 'Different users, as sites.';
COMMENT ON COLUMN vigil.error_group_totals.first_seen_at IS 'Event time of the first error.';
COMMENT ON COLUMN vigil.error_group_totals.last_seen_at IS 'Event time of the last error.';
COMMENT ON COLUMN vigil.error_group_totals.versions IS 'Releases in which it happened.';
COMMENT ON COLUMN vigil.error_group_totals.group_id IS 'The group; null = none, errors that did not come by ingest.';

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
LEFT JOIN vigil.error_group_totals t ON t.module_id = g.module_id AND t.group_id = g.id
WHERE g.root_id IS NULL;
COMMENT ON VIEW vigil.module_error_groups IS
  'Error groups with their totals, in the columns that dashboards know; a merged group is in the one it was merged into.';

CREATE OR REPLACE FUNCTION vigil.list_error_groups(
    module_id uuid, status text DEFAULT 'open', priority text DEFAULT 'all', search text DEFAULT NULL)
  RETURNS SETOF vigil.module_error_groups
  LANGUAGE sql STABLE ROWS 100 SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT g.* FROM vigil.module_error_groups g
  WHERE g.module_id = list_error_groups.module_id
    AND (list_error_groups.status = 'all' OR g.status = list_error_groups.status::vigil.group_status)
    AND (list_error_groups.priority = 'all' OR g.priority = list_error_groups.priority::vigil.priority::text)
    AND (coalesce(search, '') = '' OR strpos(lower(g.error_message), lower(search)) > 0
         OR strpos(lower(g.error_name), lower(search)) > 0)
  ORDER BY g.last_seen_at DESC, g.id
$$;
COMMENT ON FUNCTION vigil.list_error_groups(uuid, text, text, text) IS
  'Groups of a module, last seen first, with this status and priority (all: any) whose name or message contains a text in any case.';

CREATE OR REPLACE FUNCTION vigil.error_group_counts(module_id uuid, OUT open_count bigint, OUT critical_count bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT count(*), count(*) FILTER (WHERE g.priority = 'critical')
  FROM vigil.error_groups g
  WHERE g.module_id = error_group_counts.module_id AND g.status = 'open' AND g.root_id IS NULL
$$;
COMMENT ON FUNCTION vigil.error_group_counts(uuid) IS 'How many groups of a module are open, and how many of those critical.';

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
FROM vigil.all_errors e
LEFT JOIN vigil.error_group_fingerprints f ON f.module_id = e.module_id AND f.fingerprint = e.fingerprint
LEFT JOIN vigil.error_groups g ON g.module_id = f.module_id AND g.id = f.group_id;
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
