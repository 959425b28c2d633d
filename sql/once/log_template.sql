CREATE TABLE vigil.log_templates (
  module_id uuid NOT NULL,
  key text NOT NULL,
  template text NOT NULL,
  learned boolean NOT NULL DEFAULT false,
  lines bigint NOT NULL DEFAULT 0,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  merged_into text,
  merged_at timestamptz,
  reason text,
  apart_since timestamptz,
  PRIMARY KEY (module_id, key),
  CHECK (merged_into <> key)
);
-- No foreign key to itself, of which pg_dump warns: who points nowhere stands for itself.
CREATE INDEX log_templates_merged_idx ON vigil.log_templates (module_id, merged_into)
  WHERE merged_into IS NOT NULL;
COMMENT ON TABLE vigil.log_templates IS
  'Templates of the logs of a module, and which of them were merged into one because they differ in a word of which enough were seen.';
COMMENT ON COLUMN vigil.log_templates.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.log_templates.key IS 'vigil.template_key of its lines; of a merge vigil.key_of_template of its text.';
COMMENT ON COLUMN vigil.log_templates.template IS 'vigil.message_template of its lines; of a merge the text with <*> where the merged ones differ.';
COMMENT ON COLUMN vigil.log_templates.learned IS 'Whether it is a merge and no template of lines.';
COMMENT ON COLUMN vigil.log_templates.lines IS 'Lines seen of this template itself; 0 of a merge.';
COMMENT ON COLUMN vigil.log_templates.first_seen_at IS 'When the row was made.';
COMMENT ON COLUMN vigil.log_templates.last_seen_at IS 'When its lines were last seen.';
COMMENT ON COLUMN vigil.log_templates.merged_into IS 'Key of the merge it belongs to; null: it stands for itself.';
COMMENT ON COLUMN vigil.log_templates.merged_at IS 'When it came to that merge.';
COMMENT ON COLUMN vigil.log_templates.reason IS 'Why it was merged or split.';
COMMENT ON COLUMN vigil.log_templates.apart_since IS 'When somebody split it: it is not merged again, and neither is what a split merge covers.';

CREATE TABLE vigil.log_template_overflow (
  module_id uuid PRIMARY KEY,
  lines bigint NOT NULL,
  first_at timestamptz NOT NULL DEFAULT now(),
  last_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vigil.log_template_overflow IS
  'Lines whose template was new when the module had as many templates as it may have: they keep their stateless template.';
COMMENT ON COLUMN vigil.log_template_overflow.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.log_template_overflow.lines IS 'How many lines.';
COMMENT ON COLUMN vigil.log_template_overflow.first_at IS 'When it happened first.';
COMMENT ON COLUMN vigil.log_template_overflow.last_at IS 'When it happened last.';
