-- The fact tables: append-only, partitioned by event time. There is no default partition; what the
-- ingest functions receive outside all partitions waits in vigil.quarantine.
--
-- Keys and indexes are made with each partition, not here. pg_dump takes partitions along as tables, with
-- their own keys, while these two are made again by CREATE EXTENSION: had they a key, a restored partition
-- would get it when it is attached, and its own one would then be an error.
CREATE TABLE vigil.events (
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  module_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  received_at timestamptz NOT NULL DEFAULT now(),
  version_id uuid,
  site_id uuid,
  duration_ms double precision,
  value double precision,
  memory_usage_kb bigint,
  sample_weight double precision,
  success boolean,
  event_type text NOT NULL,
  event_name text NOT NULL,
  event_category text,
  subject text NOT NULL DEFAULT '',
  status text,
  unit text,
  page_path text,
  session_id text,
  user_key text,
  user_agent text,
  ip_hash text,
  country_code text,
  device_type text,
  browser text,
  os text,
  environment text,
  trace_id text,
  external_id text,
  payload jsonb NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  -- Cells have them in their key, and a key must fit a page of its index: a longer one would stop the roller.
  CONSTRAINT events_type_length CHECK (octet_length(event_type) <= 400),
  CONSTRAINT events_subject_length CHECK (octet_length(subject) <= 2000),
  -- What rollups can sum exactly.
  CONSTRAINT events_sample_weight CHECK (sample_weight BETWEEN 1 AND 1000000000)
) PARTITION BY RANGE (created_at);

COMMENT ON TABLE vigil.events IS 'One row per thing that happened, partitioned by event time.';
COMMENT ON COLUMN vigil.events.id IS 'UUID version 7, made here.';
COMMENT ON COLUMN vigil.events.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.events.created_at IS 'Event time: when it happened, as the client says; otherwise when it was received.';
COMMENT ON COLUMN vigil.events.received_at IS 'When the row was written.';
COMMENT ON COLUMN vigil.events.version_id IS 'Release of the module, if known.';
COMMENT ON COLUMN vigil.events.site_id IS 'Installation of the module, if known.';
COMMENT ON COLUMN vigil.events.duration_ms IS 'Duration, milliseconds.';
COMMENT ON COLUMN vigil.events.value IS 'Measured value of a metric, in the unit of column unit.';
COMMENT ON COLUMN vigil.events.memory_usage_kb IS 'Memory in use, kilobytes.';
COMMENT ON COLUMN vigil.events.sample_weight IS 'How many events it stands for where a sample is stored, 1 / rate; null = itself alone.';
COMMENT ON COLUMN vigil.events.success IS 'Whether it succeeded, where that has a meaning (api_call); null = unknown.';
COMMENT ON COLUMN vigil.events.event_type IS 'Kind of event: render, api_call, hook_execution, user_interaction, error, performance, or any other name.';
COMMENT ON COLUMN vigil.events.event_name IS 'Name within the type, for example component_mounted.';
COMMENT ON COLUMN vigil.events.event_category IS 'lifecycle, user, system, network or another word.';
COMMENT ON COLUMN vigil.events.subject IS 'What the event is about within its type: endpoint, function, element, metric.';
COMMENT ON COLUMN vigil.events.status IS 'Status as reported, for example an HTTP status code.';
COMMENT ON COLUMN vigil.events.unit IS 'Unit of value: ms, kb, count, percent or another.';
COMMENT ON COLUMN vigil.events.page_path IS 'Page or screen.';
COMMENT ON COLUMN vigil.events.session_id IS 'Session as the client names it.';
COMMENT ON COLUMN vigil.events.user_key IS 'Pseudonym of the user: a keyed hash of the id that the client sent.';
COMMENT ON COLUMN vigil.events.user_agent IS 'User agent as reported.';
COMMENT ON COLUMN vigil.events.ip_hash IS 'Keyed hash of the IP address; the address itself is never stored.';
COMMENT ON COLUMN vigil.events.country_code IS 'ISO 3166 code, upper case.';
COMMENT ON COLUMN vigil.events.device_type IS 'desktop, mobile, tablet or another.';
COMMENT ON COLUMN vigil.events.browser IS 'Browser family.';
COMMENT ON COLUMN vigil.events.os IS 'Operating system.';
COMMENT ON COLUMN vigil.events.environment IS 'production, staging ...';
COMMENT ON COLUMN vigil.events.trace_id IS 'Trace the event belongs to, hexadecimal.';
COMMENT ON COLUMN vigil.events.external_id IS 'The client''s own id; the same id is stored once.';
COMMENT ON COLUMN vigil.events.payload IS 'Data of the event.';
COMMENT ON COLUMN vigil.events.metadata IS 'Data about its circumstances.';

CREATE TABLE vigil.errors (
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  module_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  received_at timestamptz NOT NULL DEFAULT now(),
  version_id uuid,
  site_id uuid,
  line_number integer,
  column_number integer,
  sample_weight double precision,
  handled boolean,
  error_type text NOT NULL,
  error_name text NOT NULL,
  error_message text NOT NULL,
  error_stack text,
  fingerprint text NOT NULL,
  level text NOT NULL DEFAULT 'error',
  platform text,
  file_path text,
  page_path text,
  page_title text,
  session_id text,
  user_key text,
  user_agent text,
  ip_hash text,
  country_code text,
  device_type text,
  browser text,
  browser_version text,
  os text,
  environment text,
  trace_id text,
  external_id text,
  module_state jsonb,
  module_settings jsonb,
  tags jsonb NOT NULL DEFAULT '{}',
  context jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT errors_fingerprint_length CHECK (octet_length(fingerprint) <= 2000),
  CONSTRAINT errors_sample_weight CHECK (sample_weight BETWEEN 1 AND 1000000000)
) PARTITION BY RANGE (created_at);

COMMENT ON TABLE vigil.errors IS 'One row per occurrence of an error, partitioned by event time.';
COMMENT ON COLUMN vigil.errors.id IS 'UUID version 7, made here.';
COMMENT ON COLUMN vigil.errors.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.errors.created_at IS 'Event time: when it happened, as the client says; otherwise when it was received.';
COMMENT ON COLUMN vigil.errors.received_at IS 'When the row was written.';
COMMENT ON COLUMN vigil.errors.version_id IS 'Release of the module, if known.';
COMMENT ON COLUMN vigil.errors.site_id IS 'Installation of the module, if known.';
COMMENT ON COLUMN vigil.errors.line_number IS 'Line of the place of throw.';
COMMENT ON COLUMN vigil.errors.column_number IS 'Column of the place of throw.';
COMMENT ON COLUMN vigil.errors.sample_weight IS 'How many errors it stands for where a sample is stored, 1 / rate; null = itself alone.';
COMMENT ON COLUMN vigil.errors.handled IS 'Whether the application caught it; null = unknown.';
COMMENT ON COLUMN vigil.errors.error_type IS 'javascript, api, render, permission, timeout or another kind.';
COMMENT ON COLUMN vigil.errors.error_name IS 'Class of the error, for example TypeError.';
COMMENT ON COLUMN vigil.errors.error_message IS 'Message as reported.';
COMMENT ON COLUMN vigil.errors.error_stack IS 'Stack trace as reported, throw site first.';
COMMENT ON COLUMN vigil.errors.fingerprint IS 'Key of the error group.';
COMMENT ON COLUMN vigil.errors.level IS 'fatal, error, warning, info or debug.';
COMMENT ON COLUMN vigil.errors.platform IS 'Language or runtime that reported it.';
COMMENT ON COLUMN vigil.errors.file_path IS 'File of the place of throw.';
COMMENT ON COLUMN vigil.errors.page_path IS 'Page or screen.';
COMMENT ON COLUMN vigil.errors.page_title IS 'Title of the page.';
COMMENT ON COLUMN vigil.errors.session_id IS 'Session as the client names it.';
COMMENT ON COLUMN vigil.errors.user_key IS 'Pseudonym of the user: a keyed hash of the id that the client sent.';
COMMENT ON COLUMN vigil.errors.user_agent IS 'User agent as reported.';
COMMENT ON COLUMN vigil.errors.ip_hash IS 'Keyed hash of the IP address; the address itself is never stored.';
COMMENT ON COLUMN vigil.errors.country_code IS 'ISO 3166 code, upper case.';
COMMENT ON COLUMN vigil.errors.device_type IS 'desktop, mobile, tablet or another.';
COMMENT ON COLUMN vigil.errors.browser IS 'Browser family.';
COMMENT ON COLUMN vigil.errors.browser_version IS 'Browser version.';
COMMENT ON COLUMN vigil.errors.os IS 'Operating system.';
COMMENT ON COLUMN vigil.errors.environment IS 'production, staging ...';
COMMENT ON COLUMN vigil.errors.trace_id IS 'Trace the error belongs to, hexadecimal.';
COMMENT ON COLUMN vigil.errors.external_id IS 'The client''s own id; the same id is stored once.';
COMMENT ON COLUMN vigil.errors.module_state IS 'State of the module at the time.';
COMMENT ON COLUMN vigil.errors.module_settings IS 'Settings of the module at the time.';
COMMENT ON COLUMN vigil.errors.tags IS 'Tags as an object of texts.';
COMMENT ON COLUMN vigil.errors.context IS 'Everything else that was reported: breadcrumbs, request, runtime, causes.';

CREATE TABLE vigil.received_ids (
  module_id uuid NOT NULL,
  key uuid NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (module_id, key)
);
CREATE INDEX received_ids_received_at ON vigil.received_ids USING brin (received_at);
COMMENT ON TABLE vigil.received_ids IS
  'Client ids of the last seven days: what makes ingest idempotent, whatever time a repeated item carries.';
COMMENT ON COLUMN vigil.received_ids.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.received_ids.key IS 'Hash of fact table and client id.';
COMMENT ON COLUMN vigil.received_ids.received_at IS 'When it was first received.';

CREATE TABLE vigil.quarantine (
  module_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  fact text NOT NULL CHECK (fact IN ('events', 'errors')),
  created_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  reason text NOT NULL,
  content jsonb NOT NULL,
  PRIMARY KEY (module_id, id)
);
CREATE INDEX quarantine_created_at ON vigil.quarantine (fact, created_at);
CREATE INDEX quarantine_received_at ON vigil.quarantine USING brin (received_at);
COMMENT ON TABLE vigil.quarantine IS
  'Valid facts whose event time lies outside all partitions; vigil.replay_quarantine() stores them when their partition exists.';
COMMENT ON COLUMN vigil.quarantine.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.quarantine.id IS 'Id that the fact will have.';
COMMENT ON COLUMN vigil.quarantine.fact IS 'Table the fact belongs to.';
COMMENT ON COLUMN vigil.quarantine.created_at IS 'Event time that no partition holds.';
COMMENT ON COLUMN vigil.quarantine.received_at IS 'When it was received.';
COMMENT ON COLUMN vigil.quarantine.reason IS 'Why it waits here.';
COMMENT ON COLUMN vigil.quarantine.content IS 'The row as an object, column by column.';

CREATE TABLE vigil.rejected (
  id uuid PRIMARY KEY DEFAULT vigil.uuid_v7(),
  module_id uuid,
  received_at timestamptz NOT NULL DEFAULT now(),
  source text NOT NULL,
  position integer,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  hint text,
  item text,
  item_bytes integer,
  items integer NOT NULL DEFAULT 1
);
CREATE INDEX rejected_received_at ON vigil.rejected USING brin (received_at);
COMMENT ON TABLE vigil.rejected IS
  'Items that ingest could not read, with the reason; nothing else of their batch was lost.';
COMMENT ON COLUMN vigil.rejected.id IS 'UUID version 7.';
COMMENT ON COLUMN vigil.rejected.module_id IS 'Tenant, if it could be read.';
COMMENT ON COLUMN vigil.rejected.received_at IS 'When it was received.';
COMMENT ON COLUMN vigil.rejected.source IS 'Function that received it.';
COMMENT ON COLUMN vigil.rejected.position IS 'Position in the batch, from 1.';
COMMENT ON COLUMN vigil.rejected.sqlstate IS 'Class of the fault.';
COMMENT ON COLUMN vigil.rejected.reason IS 'What is wrong, with the value and the limit.';
COMMENT ON COLUMN vigil.rejected.hint IS 'How to mend it.';
COMMENT ON COLUMN vigil.rejected.item IS 'The item, at most 64 kB of it, with IP addresses masked.';
COMMENT ON COLUMN vigil.rejected.item_bytes IS 'Size of the whole item, bytes.';
COMMENT ON COLUMN vigil.rejected.items IS 'Items that the row stands for: 1, or how many of a call were above a quota (53400).';

CREATE TYPE vigil.ingest_result AS (
  accepted integer,
  duplicate integer,
  rejected integer,
  quarantined integer
);
COMMENT ON TYPE vigil.ingest_result IS
  'What became of the items of one call: stored, known already, refused (vigil.rejected), waiting for a partition (vigil.quarantine).';
