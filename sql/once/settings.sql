-- Keys and module settings. A restore must replace what CREATE EXTENSION made, so tables whose rows
-- the install script writes take an INSERT of a known key as a replacement.
CREATE FUNCTION vigil.replace_row() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, vigil, pg_temp
AS $$
BEGIN
  EXECUTE format('DELETE FROM %I.%I t WHERE t.%I = ($1).%I',
                 TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[0]) USING NEW;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION vigil.replace_row() IS
  'Trigger: an inserted row replaces the one with the same key (argument: the key column), so that a restored dump wins over the rows of CREATE EXTENSION.';

CREATE TABLE vigil.secrets (
  name text PRIMARY KEY,
  value bytea NOT NULL CHECK (octet_length(value) >= 16)
);
COMMENT ON TABLE vigil.secrets IS
  'Random keys of this database, made by CREATE EXTENSION; readable by the owner only.';
COMMENT ON COLUMN vigil.secrets.name IS 'ip_hash_key: hashes IP addresses and user ids; webhook_signing_key: signs deliveries.';
COMMENT ON COLUMN vigil.secrets.value IS 'Key bytes, at least 16.';

CREATE TRIGGER replace_row BEFORE INSERT ON vigil.secrets
  FOR EACH ROW EXECUTE FUNCTION vigil.replace_row('name');

INSERT INTO vigil.secrets (name, value)
SELECT name, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
FROM unnest(ARRAY['ip_hash_key', 'webhook_signing_key']) AS name;

CREATE TABLE vigil.modules (
  module_id uuid PRIMARY KEY,
  name text,
  time_zone text NOT NULL DEFAULT 'UTC',
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vigil.modules IS
  'Settings of modules (tenants). A module without a row has the defaults; ingest needs none.';
COMMENT ON COLUMN vigil.modules.module_id IS 'The tenant key of every row in this schema.';
COMMENT ON COLUMN vigil.modules.name IS 'A name people read.';
COMMENT ON COLUMN vigil.modules.time_zone IS 'IANA zone in which the days of this module begin; hours and minutes are UTC.';
COMMENT ON COLUMN vigil.modules.created_at IS 'When the row was made.';

CREATE TABLE vigil.versions (
  module_id uuid NOT NULL,
  version_id uuid NOT NULL,
  release text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, version_id)
);
COMMENT ON TABLE vigil.versions IS
  'Releases that clients named by text. The id is derived from module and text, so every client gets the same one.';
COMMENT ON COLUMN vigil.versions.module_id IS 'Module the release belongs to.';
COMMENT ON COLUMN vigil.versions.version_id IS 'Id of the release, as facts carry it: vigil.version_id(module_id, release).';
COMMENT ON COLUMN vigil.versions.release IS 'The release as the client named it, for example shop@2.7.1.';
COMMENT ON COLUMN vigil.versions.created_at IS 'When the release was first seen.';
