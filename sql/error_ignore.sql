-- Groups that are ignored for a while.
CREATE OR REPLACE FUNCTION vigil.count_errors(
    module uuid, group_id uuid, since timestamptz, OUT occurrences bigint, OUT users bigint)
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT coalesce(sum(vigil.cell_count(d.cell)), 0)::bigint,
         coalesce(vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(d.cell), 'users')), 0)
  FROM vigil.error_group_fingerprints f
  JOIN vigil.days d ON d.module_id = module AND d.event_type = 'error' AND d.subject = f.fingerprint
                    AND d.bucket >= since
  WHERE f.module_id = module AND f.group_id = count_errors.group_id
$$;
COMMENT ON FUNCTION vigil.count_errors(uuid, uuid, timestamptz) IS
  'Errors of a group and different users that they affected, of the days since a day began.';

CREATE OR REPLACE FUNCTION vigil.ignore_error_group(
    id uuid, until_count bigint DEFAULT NULL, until_users bigint DEFAULT NULL, until timestamptz DEFAULT NULL,
    changed_by uuid DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.lock_error_group(id);
  since timestamptz;
  counted record;
BEGIN
  IF until_count < 1 OR until_users < 1 THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('%s must be 1 or more, not %s', CASE WHEN until_count < 1 THEN 'until_count' ELSE 'until_users' END,
                       CASE WHEN until_count < 1 THEN until_count ELSE until_users END);
  ELSIF until <= now() THEN
    RAISE invalid_parameter_value USING MESSAGE = format('until is %s, which is over', until);
  END IF;
  IF until_count IS NOT NULL OR until_users IS NOT NULL THEN
    -- What comes a week late counts; cells of all time need not be read again and again.
    since := date_trunc('day', now() - interval '7 days', vigil.time_zone_of(target.module_id));
    counted := vigil.count_errors(target.module_id, target.id, since);
  END IF;
  PERFORM vigil.change_error_group(id, 'ignore', changed_by,
    jsonb_build_object('status', 'ignored', 'resolved_at', NULL, 'resolved_by', NULL,
                       'ignored_until', until, 'ignored_since', since,
                       'ignored_until_count', counted.occurrences + until_count,
                       'ignored_until_users', counted.users + until_users));
END $$;
COMMENT ON FUNCTION vigil.ignore_error_group(uuid, bigint, bigint, timestamptz, uuid) IS
  'Ignores a group until it has occurred so often again, affected so many users more, or until a time, whichever is first; without any of them for good. Job reopen_ignored opens it.';

CREATE OR REPLACE FUNCTION vigil.ignored_counts(module uuid, ids uuid[]) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', g.id, 'since', g.ignored_since, 'occurrences', c.occurrences,
                                               'users', c.users)), '[]')
  FROM vigil.error_groups g, LATERAL vigil.count_errors(module, g.id, g.ignored_since) c
  WHERE g.module_id = module AND g.id = ANY (ids) AND g.ignored_since IS NOT NULL
$$;
COMMENT ON FUNCTION vigil.ignored_counts(uuid, uuid[]) IS
  'What those of the groups that are ignored until a count have counted, for vigil.move_ignore_bounds.';

CREATE OR REPLACE FUNCTION vigil.move_ignore_bounds(module uuid, before jsonb) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, vigil, pg_temp
AS $$
  UPDATE vigil.error_groups g
  SET ignored_until_count = g.ignored_until_count + c.occurrences - b.occurrences,
      ignored_until_users = g.ignored_until_users + c.users - b.users
  FROM jsonb_to_recordset(before) AS b (id uuid, since timestamptz, occurrences bigint, users bigint),
       LATERAL vigil.count_errors(module, b.id, b.since) c
  WHERE g.module_id = module AND g.id = b.id
$$;
COMMENT ON FUNCTION vigil.move_ignore_bounds(uuid, jsonb) IS
  'After groups got or lost keys: they stay ignored for as many more occurrences and users as before.';

CREATE OR REPLACE FUNCTION vigil.reopen_ignored_groups() RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  ignored vigil.error_groups;
  counted record;
  reopened bigint := 0;
BEGIN
  -- Cells of a dump may not be here yet.
  IF vigil.being_restored() THEN
    RETURN 0;
  END IF;
  FOR ignored IN
    SELECT * FROM vigil.error_groups g
    WHERE g.status = 'ignored' AND (g.ignored_until IS NOT NULL OR g.ignored_since IS NOT NULL) AND g.root_id IS NULL
    ORDER BY g.module_id, g.id FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    counted := vigil.count_errors(ignored.module_id, ignored.id, coalesce(ignored.ignored_since, 'infinity'));
    IF ignored.ignored_until <= now() OR counted.occurrences >= ignored.ignored_until_count
       OR counted.users >= ignored.ignored_until_users
    THEN
      PERFORM vigil.change_error_group(ignored.id, 'return', NULL,
        '{"status": "open", "ignored_until": null, "ignored_since": null, "ignored_until_count": null, "ignored_until_users": null}');
      reopened := reopened + 1;
    END IF;
  END LOOP;
  RETURN reopened;
END $$;
COMMENT ON FUNCTION vigil.reopen_ignored_groups() IS
  'Opens the groups that were ignored until something that has happened by now; returns their number.';
