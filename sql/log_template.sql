CREATE OR REPLACE FUNCTION vigil.key_of_template(template text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_key_of_template';
COMMENT ON FUNCTION vigil.key_of_template(text) IS
  'Key of a template that is already there: vigil.template_key(message) = vigil.key_of_template(vigil.message_template(message)).';

CREATE OR REPLACE FUNCTION vigil.merged_templates(templates text[], apart text[], enough integer) RETURNS text[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_merged_templates';
COMMENT ON FUNCTION vigil.merged_templates(text[], text[], integer) IS
  'Step of vigil.learn_log_templates: for each template the text it is merged into, or null. What a text of apart covers (<*> is any word) stays alone. The order of the templates does not matter. 22023: enough is not between 2 and 1000.';

CREATE OR REPLACE FUNCTION vigil.learned_templates(lines text[], enough integer DEFAULT 5) RETURNS text[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_learned_templates';
COMMENT ON FUNCTION vigil.learned_templates(text[], integer) IS
  'The template of each line after learning from just these lines: without tables, in the order of the lines, null for null. Memory grows with the lines. 22023: enough is not between 2 and 1000.';

CREATE OR REPLACE FUNCTION vigil.lock_log_templates(module_id uuid) RETURNS void
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT pg_advisory_xact_lock(1986619241, hashtext('log templates ' || module_id))
$$;
COMMENT ON FUNCTION vigil.lock_log_templates(uuid) IS
  'Step of what changes the log templates of a module: one session at a time, until its transaction ends.';

CREATE OR REPLACE FUNCTION vigil.merge_log_templates(module_id uuid, enough integer DEFAULT 5) RETURNS integer
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  module CONSTANT uuid := merge_log_templates.module_id;
  keys text[];
  texts text[];
  apart text[];
  targets text[];
  earlier text[];
  later text[];
  changed integer;
BEGIN
  PERFORM vigil.lock_log_templates(module);
  SELECT array_agg(t.key), array_agg(t.template) INTO keys, texts
  FROM vigil.log_templates t WHERE t.module_id = module AND NOT t.learned;
  IF keys IS NULL THEN
    RETURN 0;
  END IF;
  apart := array(SELECT t.template FROM vigil.log_templates t
                 WHERE t.module_id = module AND t.apart_since IS NOT NULL);
  texts := vigil.merged_templates(texts, apart, enough);
  targets := array(SELECT vigil.key_of_template(m.text)
                   FROM unnest(texts) WITH ORDINALITY AS m (text, ordinal) ORDER BY m.ordinal);

  INSERT INTO vigil.log_templates (module_id, key, template, learned)
  SELECT DISTINCT module, m.target, m.text, true
  FROM unnest(targets, texts) AS m (target, text) WHERE m.target IS NOT NULL
  ON CONFLICT DO NOTHING;

  -- Merges whose templates now belong to a wider one: who kept such a key finds that one by it.
  SELECT array_agg(s.old), array_agg(s.new) INTO earlier, later
  FROM (SELECT t.merged_into AS old, min(m.target) AS new
        FROM vigil.log_templates t JOIN unnest(keys, targets) AS m (key, target) ON m.key = t.key
        WHERE t.module_id = module AND t.merged_into <> m.target
        GROUP BY t.merged_into) s
  WHERE s.old <> ALL (array_remove(targets, NULL));

  UPDATE vigil.log_templates t
  SET merged_into = nullif(m.target, m.key),
      merged_at = CASE WHEN m.target IS NOT NULL THEN now() END,
      reason = CASE WHEN t.apart_since IS NULL THEN m.reason ELSE t.reason END
  FROM (SELECT k.key, k.target,
               CASE WHEN k.target IS NOT NULL
                 THEN format('one of %s templates that differ where it has <*>',
                             count(*) OVER (PARTITION BY k.target)) END AS reason
        FROM unnest(keys, targets) AS k (key, target)) m
  WHERE t.module_id = module AND t.key = m.key AND t.merged_into IS DISTINCT FROM nullif(m.target, m.key);
  GET DIAGNOSTICS changed = ROW_COUNT;

  IF changed > 0 THEN
    UPDATE vigil.log_templates t SET merged_into = NULL, merged_at = NULL, reason = NULL
    WHERE t.module_id = module AND t.learned AND t.merged_into IS NOT NULL AND t.key = ANY (targets);
    UPDATE vigil.log_templates t
    SET merged_into = s.new, merged_at = now(), reason = 'a wider merge took its place'
    FROM unnest(earlier, later) AS s (old, new)
    WHERE t.module_id = module AND t.learned AND t.apart_since IS NULL
      AND (t.key = s.old OR t.merged_into = s.old) AND t.key <> s.new;
    DELETE FROM vigil.log_templates t
    WHERE t.module_id = module AND t.learned AND t.apart_since IS NULL
      AND NOT EXISTS (SELECT FROM vigil.log_templates e
                      WHERE e.module_id = module AND NOT e.learned
                        AND e.merged_into = coalesce(t.merged_into, t.key));
  END IF;
  RETURN changed;
END $$;
COMMENT ON FUNCTION vigil.merge_log_templates(uuid, integer) IS
  'Merges the templates of a module anew, as all that were seen tell; returns how many rows changed. vigil.learn_log_templates calls it when it saw new templates. 22023: enough is not between 2 and 1000.';

CREATE OR REPLACE FUNCTION vigil.learn_log_templates(
    module_id uuid, lines text[], enough integer DEFAULT 5, most_templates integer DEFAULT 10000,
    OUT templates integer, OUT new_templates integer, OUT merged integer, OUT lines_over bigint)
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  module CONSTANT uuid := learn_log_templates.module_id;
  keys text[];
  texts text[];
  counts bigint[];
  room integer;
BEGIN
  IF enough NOT BETWEEN 2 AND 1000 THEN
    RAISE invalid_parameter_value
      USING MESSAGE = format('number of different words %s is out of range', enough),
            DETAIL = 'It must be between 2 and 1000.';
  END IF;
  IF most_templates NOT BETWEEN 0 AND 1000000 THEN
    RAISE invalid_parameter_value
      USING MESSAGE = format('number of templates %s is out of range', most_templates),
            DETAIL = 'It must be between 0 and 1000000.';
  END IF;
  SELECT array_agg(s.key), array_agg(s.template), array_agg(s.lines) INTO keys, texts, counts
  FROM (SELECT vigil.template_key(l.line) AS key, vigil.message_template(l.line) AS template, count(*) AS lines
        FROM unnest(lines) AS l (line) WHERE l.line IS NOT NULL
        GROUP BY 1, 2) s;
  templates := coalesce(cardinality(keys), 0);
  new_templates := 0;
  merged := 0;
  lines_over := 0;
  IF templates = 0 THEN
    RETURN;
  END IF;

  PERFORM vigil.lock_log_templates(module);
  UPDATE vigil.log_templates t SET lines = t.lines + s.lines, last_seen_at = now()
  FROM unnest(keys, counts) AS s (key, lines)
  WHERE t.module_id = module AND t.key = s.key;
  SELECT most_templates - count(*) INTO room
  FROM vigil.log_templates t WHERE t.module_id = module AND NOT t.learned;
  WITH unknown AS (
    SELECT s.*, row_number() OVER (ORDER BY s.lines DESC, s.key COLLATE "C") AS rank
    FROM unnest(keys, texts, counts) AS s (key, template, lines)
    WHERE NOT EXISTS (SELECT FROM vigil.log_templates t WHERE t.module_id = module AND t.key = s.key)
  ), kept AS (
    INSERT INTO vigil.log_templates (module_id, key, template, lines)
    SELECT module, u.key, u.template, u.lines FROM unknown u WHERE u.rank <= room
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM kept), coalesce(sum(u.lines) FILTER (WHERE u.rank > room), 0)
  INTO new_templates, lines_over
  FROM unknown u;
  IF lines_over > 0 THEN
    INSERT INTO vigil.log_template_overflow AS o (module_id, lines) VALUES (module, lines_over)
    ON CONFLICT (module_id) DO UPDATE SET lines = o.lines + EXCLUDED.lines, last_at = now();
  END IF;
  IF new_templates > 0 THEN
    merged := vigil.merge_log_templates(module, enough);
  END IF;
END $$;
COMMENT ON FUNCTION vigil.learn_log_templates(uuid, text[], integer, integer) IS
  'Counts the templates of log lines, keeps new ones, and merges those that differ in a word once enough different ones were seen there. Returns how many templates the lines had, how many were new, how many rows were merged or moved, and how many lines had a new template when the module had most_templates already. 22023: an argument is out of range.';

CREATE OR REPLACE FUNCTION vigil.log_template(module_id uuid, line text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_log_template';
COMMENT ON FUNCTION vigil.log_template(uuid, text) IS
  'Template of a line as the module learned it: of the merge its template belongs to, else vigil.message_template(line). vigil.log_templates_of does many lines faster.';

CREATE OR REPLACE FUNCTION vigil.known_templates(lines text[], keys text[], templates text[]) RETURNS text[]
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_known_templates';
COMMENT ON FUNCTION vigil.known_templates(text[], text[], text[]) IS
  'Step of vigil.log_templates_of: for each line the template that belongs to its vigil.template_key, else vigil.message_template(line); null for null. 22023: not as many keys as templates.';

CREATE OR REPLACE FUNCTION vigil.log_templates_of(module_id uuid, lines text[]) RETURNS text[]
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.known_templates(log_templates_of.lines, coalesce(array_agg(t.key), '{}'),
                               coalesce(array_agg(coalesce(m.template, t.template)), '{}'))
  FROM vigil.log_templates t
  LEFT JOIN vigil.log_templates m ON m.module_id = t.module_id AND m.key = t.merged_into
  WHERE t.module_id = log_templates_of.module_id
$$;
COMMENT ON FUNCTION vigil.log_templates_of(uuid, text[]) IS
  'vigil.log_template of many lines at once, in their order, null for null.';

CREATE OR REPLACE FUNCTION vigil.split_log_template(module_id uuid, key text) RETURNS integer
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  module CONSTANT uuid := split_log_template.module_id;
  wanted CONSTANT text := split_log_template.key;
  found_row vigil.log_templates;
  changed integer;
BEGIN
  PERFORM vigil.lock_log_templates(module);
  UPDATE vigil.log_templates t
  SET apart_since = coalesce(t.apart_since, now()), merged_into = NULL, merged_at = NULL, reason = 'split'
  WHERE t.module_id = module AND t.key = wanted
  RETURNING * INTO found_row;
  IF NOT FOUND THEN
    RAISE no_data_found
      USING MESSAGE = format('log template "%s" of module %s does not exist', wanted, module),
            HINT = format('SELECT key, template FROM vigil.log_templates WHERE module_id = %L;', module);
  END IF;
  UPDATE vigil.log_templates t SET merged_into = NULL, merged_at = NULL, reason = 'its merge was split'
  WHERE t.module_id = module AND t.merged_into = wanted;
  GET DIAGNOSTICS changed = ROW_COUNT;
  RETURN changed + CASE WHEN found_row.learned THEN 0 ELSE 1 END;
END $$;
COMMENT ON FUNCTION vigil.split_log_template(uuid, text) IS
  'Undoes a merge for good: of one template, which leaves its merge; or of a merge, all of whose templates stand for themselves again. What it covers is not merged again. Returns how many templates it freed. P0002: the module has no such key.';

CREATE OR REPLACE FUNCTION vigil.forget_log_templates(module_id uuid, before timestamptz) RETURNS integer
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  module CONSTANT uuid := forget_log_templates.module_id;
  forgotten integer;
BEGIN
  PERFORM vigil.lock_log_templates(module);
  DELETE FROM vigil.log_templates t
  WHERE t.module_id = module AND NOT t.learned AND t.apart_since IS NULL AND t.last_seen_at < before;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END $$;
COMMENT ON FUNCTION vigil.forget_log_templates(uuid, timestamptz) IS
  'Makes room for new templates: deletes those whose lines were last seen before that time, unless somebody split them. Returns how many.';

CREATE OR REPLACE VIEW vigil.module_log_templates AS
  SELECT t.module_id, coalesce(m.key, t.key) AS key, coalesce(m.template, t.template) AS template,
         count(*) FILTER (WHERE NOT t.learned) AS templates, sum(t.lines)::bigint AS lines,
         min(t.first_seen_at) AS first_seen_at, max(t.last_seen_at) AS last_seen_at
  FROM vigil.log_templates t
  LEFT JOIN vigil.log_templates m ON m.module_id = t.module_id AND m.key = t.merged_into
  GROUP BY t.module_id, coalesce(m.key, t.key), coalesce(m.template, t.template)
  HAVING sum(t.lines) > 0;
COMMENT ON VIEW vigil.module_log_templates IS
  'Kinds of log lines of each module after merging: how many templates and lines each has, and when it was seen.';
