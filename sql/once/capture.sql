-- Errors of the server belong to a module of their own. Its id is kept with the keys, so that it survives a
-- restore and a new name of the database.
INSERT INTO vigil.secrets (name, value) VALUES ('server_module', uuid_send(vigil.uuid_v7()));
COMMENT ON COLUMN vigil.secrets.name IS
  'ip_hash_key: hashes IP addresses and user ids; webhook_signing_key: signs deliveries; server_module: id of the module of server errors.';
