CREATE OR REPLACE FUNCTION vigil.message_template(message text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_message_template';
COMMENT ON FUNCTION vigil.message_template(text) IS
  'What messages of one kind have in common: the message with placeholders such as <num>, <host> or <path> for what varies. Looks at the first 8192 bytes; never an error.';

CREATE OR REPLACE FUNCTION vigil.template_key(message text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_template_key';
COMMENT ON FUNCTION vigil.template_key(text) IS
  'Key of the template of a message: t1_ and 32 hexadecimal digits of MurmurHash3 over vigil.message_template(message). t1 is the version of the rules.';
