CREATE OR REPLACE FUNCTION vigil.fingerprint(
    error_type text, error_name text, message text, stack text, scheme text DEFAULT 'v1', rules jsonb DEFAULT NULL)
  RETURNS text
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_fingerprint';
COMMENT ON FUNCTION vigil.fingerprint(text, text, text, text, text, jsonb) IS
  'Key of the group an error belongs to. Scheme v1: e1, what it was made from (s frames of the application, y of libraries, m message, c rule), _ and 32 hexadecimal digits. Scheme seed: 32 hexadecimal digits of type, name and the first 500 UTF-16 units of the stack without positions and queries. Null when all is null; scheme seed: without type or name.';

CREATE OR REPLACE FUNCTION vigil.fingerprints(
    error_type text, error_name text, message text, stack text, scheme text DEFAULT 'v1', rules jsonb DEFAULT NULL)
  RETURNS text[]
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_fingerprints';
COMMENT ON FUNCTION vigil.fingerprints(text, text, text, text, text, jsonb) IS
  'All keys of an error, the most telling first: all frames (vigil.fingerprint), the frame that threw (e1t_), the message (e1m_).';

CREATE OR REPLACE FUNCTION vigil.explain_fingerprint(
    error_type text, error_name text, message text, stack text, rules jsonb DEFAULT NULL)
  RETURNS jsonb
  LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_explain_fingerprint';
COMMENT ON FUNCTION vigil.explain_fingerprint(text, text, text, text, jsonb) IS
  'Why an error has its keys of scheme v1: every frame as it is part of the key, or why it is not, and what was kept of the message.';

CREATE OR REPLACE FUNCTION vigil.custom_fingerprint(parts text[], default_key text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_custom_fingerprint';
COMMENT ON FUNCTION vigil.custom_fingerprint(text[], text) IS
  'Key (e1c_) of a fingerprint that is given in parts; {{ default }} within a part stands for default_key. Alone it is that key. Null parts are left out.';

CREATE OR REPLACE FUNCTION vigil.fingerprint_rules_of(module_id uuid) RETURNS jsonb
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('action', r.action, 'file', r.file, 'function', r.function,
                                                        'name', r.name, 'message', r.message, 'key', r.key))
                   ORDER BY r.position)
  FROM vigil.fingerprint_rules r
  WHERE r.module_id = fingerprint_rules_of.module_id
$$;
COMMENT ON FUNCTION vigil.fingerprint_rules_of(uuid) IS
  'The rules of a module as vigil.fingerprint takes them; null when there are none.';

CREATE OR REPLACE FUNCTION vigil.check_fingerprint_rule() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  PERFORM vigil.fingerprint('', '', '', '', 'v1', jsonb_build_array(jsonb_strip_nulls(
    jsonb_build_object('action', NEW.action, 'file', NEW.file, 'function', NEW.function,
                       'name', NEW.name, 'message', NEW.message, 'key', NEW.key))));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION vigil.check_fingerprint_rule() IS
  'Trigger: refuses a rule that vigil.fingerprint would refuse, so that ingest never meets one.';
CREATE OR REPLACE TRIGGER check_fingerprint_rule BEFORE INSERT OR UPDATE ON vigil.fingerprint_rules
  FOR EACH ROW EXECUTE FUNCTION vigil.check_fingerprint_rule();
