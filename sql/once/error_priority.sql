CREATE TABLE vigil.error_priority_rules (
  module_id uuid,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  rank integer NOT NULL DEFAULT 0,
  module_name text,
  error_type text,
  error_name text,
  error_message text,
  level text,
  priority vigil.priority NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (module_id, id)
);
COMMENT ON TABLE vigil.error_priority_rules IS
  'Priority of new error groups: the first rule that matches, by rank. A rule matches when all its patterns do; * stands for any characters, ? for one, case does not matter.';
COMMENT ON COLUMN vigil.error_priority_rules.module_id IS 'Module it is for; null = all.';
COMMENT ON COLUMN vigil.error_priority_rules.id IS 'Id of the rule.';
COMMENT ON COLUMN vigil.error_priority_rules.rank IS 'Lower ranks are tried first; of equal ones the older rule.';
COMMENT ON COLUMN vigil.error_priority_rules.module_name IS 'Pattern of vigil.modules.name; null = any.';
COMMENT ON COLUMN vigil.error_priority_rules.error_type IS 'Pattern of the type; null = any.';
COMMENT ON COLUMN vigil.error_priority_rules.error_name IS 'Pattern of the name; null = any.';
COMMENT ON COLUMN vigil.error_priority_rules.error_message IS 'Pattern of the message; null = any.';
COMMENT ON COLUMN vigil.error_priority_rules.level IS 'Pattern of the level; null = any.';
COMMENT ON COLUMN vigil.error_priority_rules.priority IS 'What a group that matches gets.';
COMMENT ON COLUMN vigil.error_priority_rules.created_at IS 'When the rule was made.';
