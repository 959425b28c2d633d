-- Claiming, sending and recording what stands in vigil.outbox.
--
-- The outbox is empty at one moment and long at the next, so statistics are never right: functions
-- that read it allow only the plans that follow an index, which are right at any length.
CREATE OR REPLACE FUNCTION vigil.wake_courier() RETURNS trigger
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_wake_courier';
COMMENT ON FUNCTION vigil.wake_courier() IS
  'Trigger: when the transaction commits, the courier of this database looks into the outbox. Does nothing without shared_preload_libraries.';

CREATE OR REPLACE TRIGGER wake_courier AFTER INSERT ON vigil.outbox
  FOR EACH STATEMENT EXECUTE FUNCTION vigil.wake_courier();
COMMENT ON TRIGGER wake_courier ON vigil.outbox IS 'New rows are sent as soon as they are committed.';

CREATE OR REPLACE FUNCTION vigil.http_send(
  ids uuid[], urls text[], headers text[], bodies text[], timeout_ms integer DEFAULT NULL,
  OUT id uuid, OUT status integer, OUT duration_ms integer, OUT error text, OUT retry_after text,
  OUT permanent boolean) RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_http_send';
COMMENT ON FUNCTION vigil.http_send(uuid[], text[], text[], text[], integer) IS
  'POSTs each body to its URL with its headers (one per line), up to vigil.http_connections at once, and returns every outcome once all are known. Only public addresses and those of vigil.http_allow are reached; redirects are not followed.';

CREATE OR REPLACE FUNCTION vigil.http_start(ids uuid[], urls text[], headers text[], bodies text[])
  RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_http_start';
COMMENT ON FUNCTION vigil.http_start(uuid[], text[], text[], text[]) IS
  'For vigil.deliver: as vigil.http_send, but only begins; ids already under way are left alone. Requests belong to the session and outlive the transaction.';

CREATE OR REPLACE FUNCTION vigil.http_finish(
  wait interval DEFAULT NULL,
  OUT id uuid, OUT status integer, OUT duration_ms integer, OUT error text, OUT retry_after text,
  OUT permanent boolean) RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_http_finish';
COMMENT ON FUNCTION vigil.http_finish(interval) IS
  'For vigil.deliver: drives the requests of vigil.http_start until some end, or for the time given, and returns the outcomes of the ended ones.';

CREATE OR REPLACE FUNCTION vigil.http_state(
  OUT pending integer, OUT ids uuid[], OUT busy text[], OUT capacity integer, OUT lease interval)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'vigil_http_state';
COMMENT ON FUNCTION vigil.http_state() IS
  'For vigil.deliver: how many requests of this session are under way, their ids, the origins that have many of them, how many it should hold at most, and how long a claim has to last so that none ends before its request.';

CREATE OR REPLACE FUNCTION vigil.webhook_headers(id uuid, sent_at timestamptz, body text, key bytea)
  RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'vigil_webhook_headers';
COMMENT ON FUNCTION vigil.webhook_headers(uuid, timestamptz, text, bytea) IS
  'Headers of a delivery, signed as Standard Webhooks asks: base64 of HMAC-SHA256 over id.timestamp.body.';

CREATE OR REPLACE FUNCTION vigil.webhook_secret() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT 'whsec_' || encode(value, 'base64') FROM vigil.secrets WHERE name = 'webhook_signing_key'
$$;
COMMENT ON FUNCTION vigil.webhook_secret() IS
  'The signing key as receivers that verify Standard Webhooks want it: whsec_ and base64.';

CREATE OR REPLACE FUNCTION vigil.judge_delivery(
  attempt integer, http_status integer, permanent boolean, retry_after text,
  OUT verdict text, OUT retry_in interval)
  LANGUAGE c VOLATILE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'vigil_judge_delivery';
COMMENT ON FUNCTION vigil.judge_delivery(integer, integer, boolean, text) IS
  'What an outcome means: delivered, retry, permanent or gone; and how long to wait, null when this attempt was the last.';

CREATE OR REPLACE FUNCTION vigil.has_deliveries() RETURNS boolean
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  SELECT (SELECT pending > 0 FROM vigil.http_state())
    OR EXISTS (SELECT FROM vigil.outbox
               WHERE status = 'pending' AND channel = 'webhook' AND next_attempt_at <= clock_timestamp())
    OR EXISTS (SELECT FROM vigil.outbox WHERE status = 'sending')
$$;
COMMENT ON FUNCTION vigil.has_deliveries() IS 'Whether vigil.deliver() would find something to do.';

CREATE OR REPLACE FUNCTION vigil.release_deliveries() RETURNS bigint
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH void AS (
    SELECT module_id, id FROM vigil.outbox
    WHERE status = 'sending'
      AND (lease_until <= clock_timestamp()
           OR (claimed_by <> pg_backend_pid()
               AND NOT EXISTS (SELECT FROM pg_stat_get_activity(claimed_by))))
    FOR UPDATE SKIP LOCKED
  ), released AS (
    UPDATE vigil.outbox o
    SET status = 'pending', next_attempt_at = clock_timestamp(), claimed_by = NULL, lease_until = NULL
    FROM void WHERE o.module_id = void.module_id AND o.id = void.id
    RETURNING 1
  )
  SELECT count(*) FROM released
$$;
COMMENT ON FUNCTION vigil.release_deliveries() IS
  'Makes rows pending again whose claim has expired, or whose claiming backend is gone; returns how many.';

CREATE OR REPLACE FUNCTION vigil.claim_deliveries(
  max integer DEFAULT 100, lease interval DEFAULT '1 minute', busy text[] DEFAULT '{}')
  RETURNS SETOF vigil.outbox
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF max IS NULL OR max < 1 THEN
    RAISE EXCEPTION 'number of deliveries to claim must be positive, not %', coalesce(max::text, 'null')
      USING ERRCODE = 'invalid_parameter_value';
  ELSIF lease IS NULL OR lease <= '0' THEN
    RAISE EXCEPTION 'lease must be positive, not %', coalesce(lease::text, 'null')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the longest time that sending can take.';
  END IF;
  PERFORM vigil.release_deliveries();
  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT o.module_id, o.id FROM vigil.outbox o
    WHERE o.status = 'pending' AND o.channel = 'webhook' AND o.next_attempt_at <= clock_timestamp()
      AND (busy = '{}' OR substring(o.target FROM '^[^:]+://[^/?#]+') <> ALL (busy))
      -- In order: nothing overtakes an older row of its target and group.
      AND o.sequence = (
        SELECT older.sequence FROM vigil.outbox older
        WHERE older.target = o.target AND older.group_key = o.group_key
          AND older.status IN ('pending', 'sending')
        ORDER BY older.sequence LIMIT 1)
    ORDER BY o.next_attempt_at, o.sequence
    LIMIT max
    FOR UPDATE OF o SKIP LOCKED
  )
  UPDATE vigil.outbox o
  SET status = 'sending', attempts = o.attempts + 1, claimed_by = pg_backend_pid(),
      lease_until = clock_timestamp() + lease
  FROM due WHERE o.module_id = due.module_id AND o.id = due.id
  RETURNING o.*;
END $$;
COMMENT ON FUNCTION vigil.claim_deliveries(integer, interval, text[]) IS
  'Takes due rows of the outbox for this session and returns them: commit, send, then vigil.record_deliveries() in the same session. A claim ends with its session, or after the lease. At most one row of each target and group is under way. Rows for the origins (scheme, host, port) in busy are left out.';

CREATE OR REPLACE FUNCTION vigil.record_deliveries(
  ids uuid[], statuses integer[], durations_ms integer[], errors text[],
  retry_afters text[] DEFAULT NULL, permanents boolean[] DEFAULT NULL) RETURNS bigint
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH outcome AS MATERIALIZED (
    SELECT o.module_id, o.id, o.attempts, r.status, r.duration_ms, left(r.error, 1024) AS error,
           j.verdict, j.retry_in
    FROM unnest(ids, statuses, durations_ms, errors, retry_afters, permanents)
           AS r(id, status, duration_ms, error, retry_after, permanent)
    JOIN vigil.outbox o ON o.id = r.id AND o.claimed_by = pg_backend_pid() AND o.status = 'sending'
    CROSS JOIN LATERAL vigil.judge_delivery(o.attempts, r.status, coalesce(r.permanent, false), r.retry_after) j
  ), logged AS (
    INSERT INTO vigil.delivery_attempts
      (module_id, outbox_id, attempt, started_at, duration_ms, http_status, error, verdict)
    SELECT module_id, id, attempts,
           clock_timestamp() - coalesce(duration_ms, 0) * interval '1 millisecond',
           duration_ms, status, error, verdict
    FROM outcome
  ), recorded AS (
    UPDATE vigil.outbox o
    SET status = CASE WHEN r.verdict = 'delivered' THEN 'delivered'
                      WHEN r.retry_in IS NULL THEN 'dead' ELSE 'pending' END,
        delivered_at = CASE WHEN r.verdict = 'delivered' THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp() + coalesce(r.retry_in, '0'),
        last_http_status = r.status, last_error = r.error, claimed_by = NULL, lease_until = NULL
    FROM outcome r WHERE o.module_id = r.module_id AND o.id = r.id
    RETURNING 1
  )
  SELECT count(*) FROM recorded
$$;
COMMENT ON FUNCTION vigil.record_deliveries(uuid[], integer[], integer[], text[], text[], boolean[]) IS
  'Records outcomes of rows that this session claimed: logs the attempt, then the row is delivered, pending until its next attempt, or dead. Returns how many; rows claimed no longer are left alone.';

CREATE OR REPLACE FUNCTION vigil.redeliver(module_id uuid, id uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  current_status text;
BEGIN
  SELECT o.status INTO current_status FROM vigil.outbox o
  WHERE o.module_id = redeliver.module_id AND o.id = redeliver.id FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'delivery % of module % does not exist', id, module_id
      USING ERRCODE = 'no_data_found',
            HINT = 'SELECT module_id, id, status, last_error FROM vigil.outbox WHERE status = ''dead'';';
  ELSIF current_status = 'sending' THEN
    RAISE EXCEPTION 'delivery % is being sent', id
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Its outcome is recorded within vigil.http_timeout.';
  END IF;
  UPDATE vigil.outbox o
  SET status = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), delivered_at = NULL
  WHERE o.module_id = redeliver.module_id AND o.id = redeliver.id;
  PERFORM vigil.wake_workers();
END $$;
COMMENT ON FUNCTION vigil.redeliver(uuid, uuid) IS
  'Sends a row of the outbox again, under the same id, whatever became of it, with a new schedule of retries.';

CREATE OR REPLACE FUNCTION vigil.start_deliveries() RETURNS integer
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, vigil, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  SELECT vigil.http_start(array_agg(o.id), array_agg(o.target),
           array_agg(vigil.webhook_headers(o.id, clock_timestamp(), o.body::text, s.value)),
           array_agg(o.body::text))
  FROM vigil.outbox o, vigil.secrets s
  WHERE o.status = 'sending' AND o.claimed_by = pg_backend_pid()
    AND o.id NOT IN (SELECT unnest(ids) FROM vigil.http_state())
    AND s.name = 'webhook_signing_key'
$$;
COMMENT ON FUNCTION vigil.start_deliveries() IS 'For vigil.deliver: begins to send what this session has claimed.';

CREATE OR REPLACE FUNCTION vigil.finish_deliveries(wait interval DEFAULT NULL) RETURNS bigint
  LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  SELECT vigil.record_deliveries(array_agg(id), array_agg(status), array_agg(duration_ms),
                                 array_agg(error), array_agg(retry_after), array_agg(permanent))
  FROM vigil.http_finish(wait)
$$;
COMMENT ON FUNCTION vigil.finish_deliveries(interval) IS
  'For vigil.deliver: waits for answers and records them; returns how many.';

CREATE OR REPLACE FUNCTION vigil.deliver(wait interval DEFAULT NULL) RETURNS bigint
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
DECLARE
  recorded bigint := 0;
  claimed bigint := 0;
  http record;
BEGIN
  -- First the network, then the first write: no transaction id is held while it is used, and what
  -- is sent was claimed by an earlier, committed step.
  PERFORM vigil.start_deliveries();
  SELECT * INTO http FROM vigil.http_state();
  IF http.pending > 0 THEN
    recorded := vigil.finish_deliveries(wait);
    SELECT * INTO http FROM vigil.http_state();
  END IF;
  IF http.pending <= http.capacity / 2 THEN
    -- Not all of the capacity at once, and nothing for an origin that has a quarter of it: a slow
    -- one leaves room for the others.
    SELECT count(*) INTO claimed
    FROM vigil.claim_deliveries(greatest(http.capacity / 2, 1), http.lease, http.busy);
  END IF;
  RETURN CASE WHEN recorded > 0 THEN recorded
              WHEN wait IS NULL THEN claimed
              WHEN claimed > 0 OR http.pending > 0 THEN NULL
              ELSE 0 END;
END $$;
COMMENT ON FUNCTION vigil.deliver(interval) IS
  'One step of delivery: sends what earlier steps claimed, records what was answered, claims more. Commit between steps and repeat until it returns 0. Returns rows recorded, or else claimed. With a wait it returns null when that has passed without an answer, and when it has only claimed.';

CREATE OR REPLACE FUNCTION vigil.expire_deliveries(
  keep interval DEFAULT '30 days', keep_dead interval DEFAULT '90 days') RETURNS bigint
  LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, vigil, pg_temp
AS $$
  WITH old AS MATERIALIZED (
    SELECT module_id, id FROM vigil.outbox
    WHERE (status IN ('delivered', 'superseded') AND coalesce(delivered_at, created_at) < now() - keep)
       OR (status = 'dead' AND next_attempt_at < now() - keep_dead)
    LIMIT 10000 FOR UPDATE SKIP LOCKED
  ), attempts AS (
    DELETE FROM vigil.delivery_attempts a USING old
    WHERE a.module_id = old.module_id AND a.outbox_id = old.id
  ), deleted AS (
    DELETE FROM vigil.outbox o USING old
    WHERE o.module_id = old.module_id AND o.id = old.id
    RETURNING 1
  )
  SELECT count(*) FROM deleted
$$;
COMMENT ON FUNCTION vigil.expire_deliveries(interval, interval) IS
  'Deletes up to 10000 rows of the outbox with their attempts: delivered or superseded ones after 30 days, dead ones after 90. Returns how many, 0 when none is left.';

REVOKE ALL ON FUNCTION vigil.expire_deliveries(interval, interval), vigil.http_send(uuid[], text[], text[], text[], integer),
  vigil.http_start(uuid[], text[], text[], text[]), vigil.http_finish(interval), vigil.http_state(),
  vigil.webhook_secret(), vigil.has_deliveries(), vigil.release_deliveries(),
  vigil.claim_deliveries(integer, interval, text[]),
  vigil.record_deliveries(uuid[], integer[], integer[], text[], text[], boolean[]),
  vigil.redeliver(uuid, uuid), vigil.start_deliveries(), vigil.finish_deliveries(interval),
  vigil.deliver(interval) FROM PUBLIC;
