-- The newest copies of each error outlive their partition: a rare one is there when the ten-thousandth copy of another is long gone.
CREATE TABLE vigil.kept_errors (
  LIKE vigil.errors INCLUDING COMMENTS,
  PRIMARY KEY (module_id, fingerprint, created_at, id)
);
CREATE INDEX kept_errors_created_at ON vigil.kept_errors USING brin (created_at);
COMMENT ON TABLE vigil.kept_errors IS
  'Errors that outlive their partition: of each fingerprint the newest, as many as keep_copies of vigil.partition_policy says. Nothing is counted from them.';
