-- The outbox: notifications are rows of the transaction that causes them, and are sent after it.
CREATE TABLE vigil.outbox (
  module_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT vigil.uuid_v7(),
  channel text NOT NULL DEFAULT 'webhook' CHECK (channel IN ('webhook', 'email')),
  target text NOT NULL,
  group_key text NOT NULL,
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  body jsonb NOT NULL,
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'sending', 'delivered', 'dead', 'superseded')),
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz,
  claimed_by integer,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz,
  last_http_status integer,
  last_error text,
  PRIMARY KEY (module_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX outbox_due ON vigil.outbox (next_attempt_at, sequence)
  WHERE status = 'pending' AND channel = 'webhook';
CREATE INDEX outbox_claimed ON vigil.outbox (claimed_by, id) WHERE status = 'sending';
CREATE INDEX outbox_order ON vigil.outbox (target, group_key, sequence)
  WHERE status IN ('pending', 'sending');
COMMENT ON TABLE vigil.outbox IS
  'Notifications, sent at least once and always under one id, in order per target and group. Channel webhook is sent; no mail relay can be configured yet, so rows of channel email stay pending.';
COMMENT ON COLUMN vigil.outbox.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.outbox.id IS 'The webhook-id header of every attempt: receivers recognise repetitions by it.';
COMMENT ON COLUMN vigil.outbox.channel IS 'webhook: JSON by HTTP POST. email: kept with status pending, as no mail relay is configured.';
COMMENT ON COLUMN vigil.outbox.target IS 'URL, or mail address.';
COMMENT ON COLUMN vigil.outbox.group_key IS 'Rows of one target and group are sent one after the other, in order.';
COMMENT ON COLUMN vigil.outbox.sequence IS 'The order within target and group.';
COMMENT ON COLUMN vigil.outbox.body IS 'What is sent.';
COMMENT ON COLUMN vigil.outbox.status IS 'pending, sending (claimed), delivered, dead (given up; vigil.redeliver tries again) or superseded (no longer worth sending).';
COMMENT ON COLUMN vigil.outbox.attempts IS 'Attempts begun.';
COMMENT ON COLUMN vigil.outbox.next_attempt_at IS 'Not sent before.';
COMMENT ON COLUMN vigil.outbox.lease_until IS 'While sending: when the claim ends by itself.';
COMMENT ON COLUMN vigil.outbox.claimed_by IS 'While sending: the backend that claimed it; its claims end with it.';
COMMENT ON COLUMN vigil.outbox.created_at IS 'When it was written.';
COMMENT ON COLUMN vigil.outbox.delivered_at IS 'When the target accepted it.';
COMMENT ON COLUMN vigil.outbox.last_http_status IS 'Status of the last answer.';
COMMENT ON COLUMN vigil.outbox.last_error IS 'Why the last attempt failed.';

CREATE TABLE vigil.delivery_attempts (
  module_id uuid NOT NULL,
  outbox_id uuid NOT NULL,
  attempt integer NOT NULL,
  started_at timestamptz NOT NULL,
  duration_ms integer,
  http_status integer,
  error text,
  verdict text NOT NULL CHECK (verdict IN ('delivered', 'retry', 'permanent', 'gone')),
  PRIMARY KEY (module_id, outbox_id, started_at, attempt)
);
COMMENT ON TABLE vigil.delivery_attempts IS 'Every attempt to send a row of vigil.outbox; rows are only added.';
COMMENT ON COLUMN vigil.delivery_attempts.module_id IS 'Tenant.';
COMMENT ON COLUMN vigil.delivery_attempts.outbox_id IS 'Row of vigil.outbox.';
COMMENT ON COLUMN vigil.delivery_attempts.attempt IS 'Number of the attempt, from 1; from 1 again after vigil.redeliver.';
COMMENT ON COLUMN vigil.delivery_attempts.started_at IS 'When the request was sent.';
COMMENT ON COLUMN vigil.delivery_attempts.duration_ms IS 'Until answer or failure, milliseconds.';
COMMENT ON COLUMN vigil.delivery_attempts.http_status IS 'Status of the answer; null without one.';
COMMENT ON COLUMN vigil.delivery_attempts.error IS 'What failed, with the beginning of the answer.';
COMMENT ON COLUMN vigil.delivery_attempts.verdict IS 'delivered; retry: tried again; permanent: repeating it cannot help; gone: 410, the receiver wants no more.';
