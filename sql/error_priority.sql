-- Priorities that rules give.
CREATE OR REPLACE FUNCTION vigil.glob_matches(value text, pattern text) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT pattern IS NULL OR coalesce(value, '') ILIKE
    replace(replace(replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'), '?', '_')
$$;
COMMENT ON FUNCTION vigil.glob_matches(text, text) IS
  'Whether a text matches a pattern with * for any characters and ? for one, in any case; a null pattern matches.';

CREATE OR REPLACE FUNCTION vigil.priority_by_rules(
    module uuid, error_type text, error_name text, error_message text, level text) RETURNS vigil.priority
  LANGUAGE sql STABLE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT r.priority FROM vigil.error_priority_rules r
  WHERE coalesce(r.module_id, module) = module
    AND (r.module_name IS NULL
         OR vigil.glob_matches((SELECT m.name FROM vigil.modules m WHERE m.module_id = module), r.module_name))
    AND vigil.glob_matches(priority_by_rules.error_type, r.error_type)
    AND vigil.glob_matches(priority_by_rules.error_name, r.error_name)
    AND vigil.glob_matches(priority_by_rules.error_message, r.error_message)
    AND vigil.glob_matches(priority_by_rules.level, r.level)
  ORDER BY r.rank, r.created_at, r.id LIMIT 1
$$;
COMMENT ON FUNCTION vigil.priority_by_rules(uuid, text, text, text, text) IS
  'Priority that the first matching rule gives to such an error; null when none matches.';

CREATE OR REPLACE FUNCTION vigil.create_priority_rule(
    priority text, module_id uuid DEFAULT NULL, error_type text DEFAULT NULL, error_name text DEFAULT NULL,
    error_message text DEFAULT NULL, level text DEFAULT NULL, module_name text DEFAULT NULL, rank integer DEFAULT 0)
  RETURNS uuid
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
  INSERT INTO vigil.error_priority_rules
    (module_id, rank, module_name, error_type, error_name, error_message, level, priority)
  VALUES (module_id, rank, module_name, error_type, error_name, error_message, level, priority::vigil.priority)
  RETURNING id
$$;
COMMENT ON FUNCTION vigil.create_priority_rule(text, uuid, text, text, text, text, text, integer) IS
  'Makes a rule that gives new groups which match all its patterns a priority: low, medium, high or critical (another word: SQLSTATE 22P02). Returns its id.';

CREATE OR REPLACE FUNCTION vigil.delete_priority_rule(id uuid) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  DELETE FROM vigil.error_priority_rules r WHERE r.id = delete_priority_rule.id;
  IF NOT FOUND THEN
    RAISE no_data_found USING
      MESSAGE = format('priority rule %s does not exist', coalesce(id::text, 'null')),
      HINT = 'SELECT * FROM vigil.error_priority_rules;';
  END IF;
END $$;
COMMENT ON FUNCTION vigil.delete_priority_rule(uuid) IS 'Deletes a rule; groups keep their priority. SQLSTATE P0002 when there is none.';

CREATE OR REPLACE FUNCTION vigil.apply_priority_rules(module_id uuid DEFAULT NULL) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  judged record;
  changed bigint := 0;
BEGIN
  FOR judged IN
    SELECT g.id, r.priority
    FROM vigil.error_groups g,
         LATERAL vigil.priority_by_rules(g.module_id, g.error_type, g.error_name, g.error_message, g.level) AS r (priority)
    WHERE g.module_id = coalesce(apply_priority_rules.module_id, g.module_id) AND g.root_id IS NULL
      AND r.priority <> g.priority
      AND NOT EXISTS (SELECT FROM vigil.error_group_log l
                      WHERE l.module_id = g.module_id AND l.group_id = g.id AND l.action = 'priority')
    ORDER BY g.id
  LOOP
    PERFORM vigil.change_error_group(judged.id, 'priority_rule', NULL, jsonb_build_object('priority', judged.priority));
    changed := changed + 1;
  END LOOP;
  RETURN changed;
END $$;
COMMENT ON FUNCTION vigil.apply_priority_rules(uuid) IS
  'Gives the groups that exist, of one module or all, the priority of their rule, but for those that somebody set by hand; returns how many changed.';
