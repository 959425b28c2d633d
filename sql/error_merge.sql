-- Groups that people put together, and take apart again. Keys stay with the group that owns them: a merge only says
-- which group shows it, so new errors follow, and what came meanwhile goes back with its owner.
CREATE OR REPLACE FUNCTION vigil.lock_error_groups(ids uuid[]) RETURNS SETOF vigil.error_groups
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  id uuid;
BEGIN
  -- Sorted, so that two who merge the same groups do not wait in a circle.
  FOR id IN SELECT DISTINCT u FROM unnest(ids) AS u ORDER BY u LOOP
    RETURN NEXT vigil.lock_error_group(id);
  END LOOP;
END $$;
COMMENT ON FUNCTION vigil.lock_error_groups(uuid[]) IS 'Groups by their ids, locked in order; see vigil.lock_error_group.';

CREATE OR REPLACE FUNCTION vigil.merge_groups(target uuid, others uuid[], changed_by uuid DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  locked constant vigil.error_groups[] := ARRAY(SELECT l FROM vigil.lock_error_groups(target || others) AS l);
  root vigil.error_groups;
  other vigil.error_groups;
  counted jsonb;
BEGIN
  SELECT * INTO root FROM unnest(locked) AS l WHERE l.id = target;
  IF target = ANY (others) THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('error group %s cannot be merged into itself', target),
      HINT = 'Leave it out of the second argument.';
  END IF;
  FOREACH other IN ARRAY locked LOOP
    IF other.module_id <> root.module_id THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('error group %s is of module %s, and %s of module %s', other.id, other.module_id, target,
                         root.module_id),
        HINT = 'Merge groups of one module.';
    END IF;
  END LOOP;
  counted := vigil.ignored_counts(root.module_id, ARRAY[target]);
  UPDATE vigil.error_groups g
  SET root_id = target, merged_into = CASE WHEN g.id = ANY (others) THEN target ELSE g.merged_into END,
      updated_at = CASE WHEN g.id = ANY (others) THEN now() ELSE g.updated_at END
  WHERE g.module_id = root.module_id AND (g.id = ANY (others) OR g.root_id = ANY (others));
  UPDATE vigil.error_groups g SET updated_at = now() WHERE g.module_id = root.module_id AND g.id = target;
  PERFORM vigil.move_ignore_bounds(root.module_id, counted);
  PERFORM vigil.log_error_group(l.module_id, l.id, 'merge', changed_by, '{"merged_into": null}',
                                jsonb_build_object('merged_into', target)),
          vigil.log_error_group(l.module_id, target, 'merge', changed_by, NULL, jsonb_build_object('merged', l.id))
  FROM unnest(locked) AS l WHERE l.id <> target;
END $$;
COMMENT ON FUNCTION vigil.merge_groups(uuid, uuid[], uuid) IS
  'Merges groups into another of their module: it has their errors, old and new, until vigil.unmerge. SQLSTATE P0002: no such group; 22023: the target itself, or another module; 55000: merged already.';

CREATE OR REPLACE FUNCTION vigil.unmerge(id uuid, changed_by uuid DEFAULT NULL) RETURNS SETOF uuid
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  target constant vigil.error_groups := vigil.find_error_group(id);
  root constant vigil.error_groups := vigil.lock_error_group(coalesce(target.root_id, target.id));
  counted constant jsonb := vigil.ignored_counts(root.module_id, ARRAY[root.id]);
  part uuid;
BEGIN
  FOR part IN
    -- Under the lock of the root nothing is merged into it or taken out.
    SELECT g.id FROM vigil.error_groups g
    WHERE g.module_id = root.module_id AND g.root_id = root.id
      AND CASE WHEN root.id = unmerge.id THEN g.merged_into = root.id ELSE g.id = unmerge.id END
    ORDER BY g.id
  LOOP
    WITH RECURSIVE tree AS (
      SELECT part AS member
      UNION ALL
      SELECT g.id FROM tree t JOIN vigil.error_groups g ON g.module_id = root.module_id AND g.merged_into = t.member)
    UPDATE vigil.error_groups g
    SET root_id = nullif(part, g.id), merged_into = CASE WHEN g.id <> part THEN g.merged_into END,
        updated_at = CASE WHEN g.id = part THEN now() ELSE g.updated_at END
    FROM tree t WHERE g.module_id = root.module_id AND g.id = t.member;
    PERFORM vigil.log_error_group(root.module_id, part, 'unmerge', changed_by,
              jsonb_build_object('merged_into', root.id), '{"merged_into": null}'),
            vigil.log_error_group(root.module_id, root.id, 'unmerge', changed_by, jsonb_build_object('merged', part), NULL);
    RETURN NEXT part;
  END LOOP;
  IF NOT FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('error group %s is not merged, and none is merged into it', id),
      HINT = format('SELECT * FROM vigil.error_group_activity WHERE group_id = %L;', id);
  END IF;
  UPDATE vigil.error_groups g SET updated_at = now() WHERE g.module_id = root.module_id AND g.id = root.id;
  PERFORM vigil.move_ignore_bounds(root.module_id, counted);
END $$;
COMMENT ON FUNCTION vigil.unmerge(uuid, uuid) IS
  'Takes a merged group out again, as it was, with its keys and those attached to it since; of a group that others were merged into, takes all of these out. Returns what stands for itself again. SQLSTATE P0002: no such group; 55000: nothing is merged.';

-- Instead of foreign keys, which no parallel restore could keep and of which pg_dump warns when a table refers to itself.
CREATE OR REPLACE FUNCTION vigil.delete_group_parts() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM gone) THEN
    DELETE FROM vigil.error_fingerprints f USING gone WHERE f.module_id = gone.module_id AND f.group_id = gone.id;
    DELETE FROM vigil.error_group_log l USING gone WHERE l.module_id = gone.module_id AND l.group_id = gone.id;
    DELETE FROM vigil.error_groups g USING gone WHERE g.module_id = gone.module_id AND g.root_id = gone.id;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.delete_group_parts() IS
  'Trigger: the keys and the activity of a group go with it, and what is merged into it.';
CREATE OR REPLACE TRIGGER delete_group_parts AFTER DELETE ON vigil.error_groups
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION vigil.delete_group_parts();

CREATE OR REPLACE FUNCTION vigil.truncate_group_parts() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  TRUNCATE vigil.error_fingerprints, vigil.error_group_log;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.truncate_group_parts() IS 'Trigger: the keys and the activity of all groups go with them.';
CREATE OR REPLACE TRIGGER truncate_group_parts AFTER TRUNCATE ON vigil.error_groups
  FOR EACH STATEMENT EXECUTE FUNCTION vigil.truncate_group_parts();

CREATE OR REPLACE FUNCTION vigil.check_group_of_key() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  -- Only what pg_dump writes turns row_security off; the group may then come later.
  IF current_setting('row_security') = 'off' THEN
    RETURN NULL;
  END IF;
  PERFORM FROM vigil.error_groups g WHERE g.module_id = NEW.module_id AND g.id = NEW.group_id FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE foreign_key_violation USING
      MESSAGE = format('error group %s of module %s does not exist', NEW.group_id, NEW.module_id),
      HINT = 'SELECT id, error_name FROM vigil.module_error_groups;';
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION vigil.check_group_of_key() IS
  'Trigger: a key belongs to a group that is there, and stays until the transaction ends.';
CREATE OR REPLACE TRIGGER check_group_of_key AFTER INSERT OR UPDATE OF group_id ON vigil.error_fingerprints
  FOR EACH ROW EXECUTE FUNCTION vigil.check_group_of_key();

CREATE OR REPLACE FUNCTION vigil.find_fingerprint(module_id uuid, fingerprint text) RETURNS vigil.error_fingerprints
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  key vigil.error_fingerprints;
BEGIN
  SELECT * INTO key FROM vigil.error_fingerprints f
  WHERE f.module_id = find_fingerprint.module_id AND f.fingerprint = find_fingerprint.fingerprint;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('module %s has no fingerprint "%s"', coalesce(module_id::text, 'null'), coalesce(fingerprint, 'null')),
      HINT = 'SELECT fingerprint, group_id FROM vigil.error_group_fingerprints;';
  END IF;
  RETURN key;
END $$;
COMMENT ON FUNCTION vigil.find_fingerprint(uuid, text) IS 'A key with the group that owns it; SQLSTATE P0002 when there is none.';

CREATE OR REPLACE FUNCTION vigil.copy_error_group(source vigil.error_groups, fingerprint text) RETURNS uuid
  LANGUAGE sql SET search_path = pg_catalog, vigil, pg_temp
AS $$
  INSERT INTO vigil.error_groups
    (module_id, fingerprint, error_type, error_name, error_message, sample_stack, level, priority)
  SELECT source.module_id, copy_error_group.fingerprint, coalesce(e.error_type, source.error_type),
         coalesce(e.error_name, source.error_name), coalesce(e.error_message, source.error_message),
         CASE WHEN e.id IS NULL THEN source.sample_stack ELSE e.error_stack END, coalesce(e.level, source.level),
         source.priority
  FROM (SELECT) AS always
  LEFT JOIN LATERAL (
    SELECT * FROM vigil.errors r
    WHERE r.module_id = source.module_id AND r.fingerprint = copy_error_group.fingerprint
    ORDER BY r.created_at DESC LIMIT 1) e ON true
  RETURNING id
$$;
COMMENT ON FUNCTION vigil.copy_error_group(vigil.error_groups, text) IS
  'Makes an open group for a key, described by its last error, otherwise as the source; returns its id.';

CREATE OR REPLACE FUNCTION vigil.move_fingerprint(
    module_id uuid, fingerprint text, group_id uuid DEFAULT NULL, changed_by uuid DEFAULT NULL) RETURNS uuid
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  source_id constant uuid := (vigil.find_fingerprint(module_id, fingerprint)).group_id;
  source vigil.error_groups;
  target vigil.error_groups;
  counted jsonb;
  other_key text;
BEGIN
  PERFORM FROM vigil.error_groups g
  WHERE g.id IN (source_id, move_fingerprint.group_id) ORDER BY g.id FOR NO KEY UPDATE;
  source := vigil.find_error_group(source_id);
  IF (vigil.find_fingerprint(module_id, fingerprint)).group_id <> source_id THEN
    RAISE serialization_failure USING
      MESSAGE = format('fingerprint "%s" has just been moved by another session', fingerprint), HINT = 'Try again.';
  END IF;
  IF move_fingerprint.group_id IS NOT NULL THEN
    target := vigil.lock_error_group(move_fingerprint.group_id);
    IF target.module_id <> module_id THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('error group %s is of module %s, the fingerprint of module %s', target.id, target.module_id, module_id),
        HINT = 'Move it to a group of its module.';
    ELSIF target.id = source_id THEN
      RAISE invalid_parameter_value USING
        MESSAGE = format('fingerprint "%s" belongs to error group %s already', fingerprint, target.id),
        HINT = 'Leave the group out to make a new one.';
    END IF;
  END IF;
  SELECT f.fingerprint INTO other_key FROM vigil.error_fingerprints f
  WHERE f.module_id = source.module_id AND f.group_id = source_id AND f.fingerprint <> move_fingerprint.fingerprint
  ORDER BY (f.fingerprint = source.fingerprint) DESC, f.attached_at, f.fingerprint LIMIT 1;
  IF NOT FOUND THEN
    RAISE object_not_in_prerequisite_state USING
      MESSAGE = format('fingerprint "%s" is the only one of error group %s', fingerprint, source_id),
      HINT = 'Merge the groups instead: vigil.merge_groups(target, ARRAY[other]).';
  END IF;
  counted := vigil.ignored_counts(source.module_id, ARRAY[coalesce(source.root_id, source_id), target.id]);
  UPDATE vigil.error_groups g SET fingerprint = other_key, updated_at = now()
  WHERE g.module_id = source.module_id AND g.id = source_id;
  IF target.id IS NULL THEN
    target.id := vigil.copy_error_group(source, fingerprint);
  END IF;
  UPDATE vigil.error_fingerprints f SET group_id = target.id, attached_at = now()
  WHERE f.module_id = source.module_id AND f.fingerprint = move_fingerprint.fingerprint;
  PERFORM vigil.move_ignore_bounds(source.module_id, counted);
  PERFORM vigil.log_error_group(source.module_id, g, 'move', changed_by,
            jsonb_build_object('fingerprint', fingerprint, 'group_id', source_id),
            jsonb_build_object('fingerprint', fingerprint, 'group_id', target.id))
  FROM unnest(ARRAY[source_id, target.id]) AS g;
  RETURN target.id;
END $$;
COMMENT ON FUNCTION vigil.move_fingerprint(uuid, text, uuid, uuid) IS
  'Gives a key, with its errors old and new, to another group of the module, or to a new one; returns that group. SQLSTATE P0002: no such key or group; 22023: it is there already, or of another module; 55000: the only key of its group, or a merged target.';
