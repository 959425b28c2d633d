CREATE TABLE vigil.fingerprint_rules (
  module_id uuid NOT NULL,
  position integer NOT NULL,
  action text NOT NULL CHECK (action IN ('app', 'library', 'drop', 'key')),
  file text,
  function text,
  name text,
  message text,
  key text[],
  note text,
  PRIMARY KEY (module_id, position)
);
COMMENT ON TABLE vigil.fingerprint_rules IS
  'What a module says about its code: which frames are its own, a library''s or none, which messages have a group of their own. The first rule that fits decides.';
COMMENT ON COLUMN vigil.fingerprint_rules.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.fingerprint_rules.position IS 'Place in the order of the rules.';
COMMENT ON COLUMN vigil.fingerprint_rules.action IS 'app, library: whose a frame is; drop: it is no frame; key: the error gets the key made of column key.';
COMMENT ON COLUMN vigil.fingerprint_rules.file IS 'Pattern of the frame''s file: * stands for any text, ? for one byte; null asks nothing.';
COMMENT ON COLUMN vigil.fingerprint_rules.function IS 'Pattern of the frame''s function, as printed.';
COMMENT ON COLUMN vigil.fingerprint_rules.name IS 'Pattern of the error''s name (action key).';
COMMENT ON COLUMN vigil.fingerprint_rules.message IS 'Pattern of the error''s message (action key).';
COMMENT ON COLUMN vigil.fingerprint_rules.key IS 'Parts of the key (action key); {{ default }} stands for the key it would have without the rule.';
COMMENT ON COLUMN vigil.fingerprint_rules.note IS 'Why the rule is there.';
