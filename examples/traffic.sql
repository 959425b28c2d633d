-- Made-up traffic of three services, for demonstrations and for trying queries: psql -f examples/traffic.sql, then
--   CALL traffic.history(1, now() - interval '3 days', now());    three days of service 1, through vigil.track_batch
--   SELECT traffic.second(1, now(), 40, 0, 1);                    a second of it: 40 events, no incident
-- traffic.calls tells how long the ingest functions took.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS traffic CASCADE;
RESET client_min_messages;
CREATE SCHEMA traffic;
SET search_path = traffic, pg_catalog;

CREATE TABLE service (
  number integer PRIMARY KEY,
  module_id uuid NOT NULL,
  name text NOT NULL,
  peak_per_hour integer NOT NULL,
  render_ms double precision NOT NULL,
  api_ms double precision NOT NULL,
  pages text[] NOT NULL,
  endpoints text[] NOT NULL
);
INSERT INTO service VALUES
  (1, '11111111-1111-4111-8111-111111111111', 'shop', 4600, 62, 110,
   '{/,/search,/product,/product,/cart,/checkout}', '{/api/products,/api/products,/api/cart,/api/checkout}'),
  (2, '22222222-2222-4222-8222-222222222222', 'console', 2000, 95, 180,
   '{/dashboard,/orders,/customers,/reports}', '{/api/orders,/api/customers,/api/reports}'),
  (3, '33333333-3333-4333-8333-333333333333', 'mobile app', 2400, 48, 240,
   '{home,catalog,basket,profile}', '{/v2/catalog,/v2/basket,/v2/profile}');

-- Releases: the second one of each service went out 20 hours ago.
CREATE TABLE release (number integer, name text, live_from timestamptz, version_id uuid);
INSERT INTO release
SELECT s.number, s.name || '@' || v.version, v.live_from, vigil.version_id(s.module_id, s.name || '@' || v.version)
FROM service s, (VALUES ('2.7.1', '-infinity'), ('2.8.0', now() - interval '20 hours')) AS v (version, live_from);

CREATE TABLE error_kind (
  number integer PRIMARY KEY, type text, name text, message text, place text, weight integer, release text);
INSERT INTO error_kind VALUES
  (1, 'javascript', 'TypeError', 'Cannot read properties of undefined (reading ''total'')', 'cart.js', 30, '2.8.0'),
  (2, 'javascript', 'ReferenceError', 'dataLayer is not defined', 'analytics.js', 12, NULL),
  (3, 'api', 'NetworkError', 'Failed to fetch', 'client.js', 24, NULL),
  (4, 'api', 'ApiError', '503 Service Unavailable', 'client.js', 14, NULL),
  (5, 'render', 'ChunkLoadError', 'Loading chunk 17 failed', 'router.js', 9, NULL),
  (6, 'permission', 'ForbiddenError', 'Role viewer may not edit orders', 'guard.js', 6, NULL),
  (7, 'timeout', 'TimeoutError', 'Request took longer than 30000 ms', 'client.js', 5, NULL),
  (8, 'api', 'PaymentGatewayError', 'Payment provider did not answer within 3000 ms', 'payment.js', 0, NULL);

CREATE TABLE calls (function text, items integer, seconds double precision);

CREATE FUNCTION pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE
AS $$ SELECT choices[1 + floor(random() * cardinality(choices))::integer] $$;

CREATE FUNCTION lognormal(median double precision, sigma double precision) RETURNS double precision
  LANGUAGE sql VOLATILE
AS $$ SELECT median * exp(sigma * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) $$;

-- From 0 to 1: quiet at night, busiest in the afternoon.
CREATE FUNCTION shape(at timestamptz) RETURNS double precision LANGUAGE sql IMMUTABLE
AS $$
  SELECT 0.12 + 0.88 * exp(-power((mod(extract(epoch FROM at)::numeric, 86400) / 3600 - 14.5) / 4.6, 2))
$$;

-- What every fact of a service has: who, where, with what.
CREATE FUNCTION circumstances(s service, at timestamptz, visitor integer) RETURNS jsonb LANGUAGE sql STABLE
AS $$
  SELECT jsonb_build_object('moduleId', s.module_id, 'timestamp', at,
    'versionId', (SELECT r.version_id FROM traffic.release r WHERE r.number = s.number AND r.live_from <= at
                  ORDER BY r.live_from DESC LIMIT 1),
    'siteId', md5('site ' || s.number || ' ' || visitor % 37)::uuid, 'sessionId', 's' || visitor,
    'userId', 'u' || visitor % 900,
    'countryCode', (ARRAY['DE','DE','DE','US','US','GB','FR','NL','PL','JP'])[1 + visitor % 10],
    'deviceType', (ARRAY['desktop','mobile','desktop','mobile','mobile','desktop','tablet'])[1 + visitor % 7],
    'browser', (ARRAY['Chrome','Safari','Chrome','Firefox','Edge','Chrome','Safari','Chrome'])[1 + visitor % 8],
    'environment', 'production')
$$;

-- Events of a service between two times; `slow` multiplies the time that renders take.
CREATE FUNCTION events(s service, starts_at timestamptz, ends_at timestamptz, wanted integer, slow double precision)
  RETURNS jsonb LANGUAGE sql VOLATILE
AS $$
  SELECT coalesce(jsonb_agg(traffic.circumstances(s, d.at, d.visitor) || CASE
    WHEN d.kind < 0.22 THEN jsonb_build_object('eventType', 'page_view', 'eventName', 'page_viewed', 'pagePath', d.page)
    WHEN d.kind < 0.60 THEN jsonb_build_object('eventType', 'render', 'eventName', 'component_mounted',
      'eventCategory', 'lifecycle', 'pagePath', d.page,
      'durationMs', round((slow * traffic.lognormal(s.render_ms, 0.55))::numeric, 2))
    WHEN d.kind < 0.84 THEN jsonb_build_object('eventType', 'api_call',
      'eventName', CASE WHEN d.luck < 0.985 THEN 'api_success' ELSE 'api_error' END, 'eventCategory', 'network',
      'durationMs', round(traffic.lognormal(s.api_ms, 0.7)::numeric, 2),
      'payload', jsonb_build_object('endpoint', d.endpoint, 'statusCode', CASE WHEN d.luck < 0.985 THEN 200 ELSE 503 END))
    WHEN d.kind < 0.96 THEN jsonb_build_object('eventType', 'user_interaction',
      'eventName', CASE WHEN d.luck < 0.8 THEN 'click' ELSE 'submit' END, 'eventCategory', 'user', 'pagePath', d.page)
    ELSE jsonb_build_object('eventType', 'performance', 'eventName', 'heap', 'eventCategory', 'system',
      'memoryUsageKb', round(traffic.lognormal(42000, 0.3))) END), '[]')
  FROM (SELECT starts_at + random() * (ends_at - starts_at) AS at, floor(random() * 6000)::integer AS visitor,
               random() AS kind, random() AS luck, traffic.pick(VARIADIC s.pages) AS page,
               traffic.pick(VARIADIC s.endpoints) AS endpoint
        FROM generate_series(1, wanted)) d
$$;

-- One error; kind null: a usual one of its release.
CREATE FUNCTION error(s service, at timestamptz, kind integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql VOLATILE
AS $$
  SELECT traffic.circumstances(s, at, floor(random() * 6000)::integer) || jsonb_build_object(
    'errorType', k.type, 'errorName', k.name, 'errorMessage', k.message, 'filePath', k.place,
    'lineNumber', 10 + k.number, 'errorStack', format(E'%s: %s\n    at run (https://cdn.example.com/%s?v=%s:%s:7)\n'
      '    at main (https://cdn.example.com/%s/app.js:1:%s)', k.name, k.message, k.place, floor(random() * 9),
      10 + k.number, replace(s.name, ' ', '-'), floor(random() * 900)))
  FROM (SELECT e.* FROM traffic.error_kind e
        WHERE e.number = kind
           OR kind IS NULL AND e.weight > 0
              AND (e.release IS NULL OR EXISTS (SELECT FROM traffic.release r WHERE r.number = s.number
                   AND r.name LIKE '%@' || e.release AND r.live_from <= at))
        -- the one whose exponential clock rings first, by weight
        ORDER BY -ln(1 - random()) / greatest(e.weight, 1) LIMIT 1) k
$$;

-- Sends events and errors through the ingest functions and writes down how long these took.
CREATE FUNCTION send(events jsonb, errors jsonb[]) RETURNS integer LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  began timestamptz := clock_timestamp();
  stored integer := 0;
BEGIN
  IF jsonb_array_length(events) > 0 THEN
    stored := (vigil.track_batch(events)).accepted;
    INSERT INTO traffic.calls VALUES ('track_batch', stored, extract(epoch FROM clock_timestamp() - began));
  END IF;
  IF cardinality(errors) > 0 THEN
    began := clock_timestamp();
    PERFORM r.accepted FROM unnest(errors) AS e, LATERAL vigil.track_error(e) AS r;
    INSERT INTO traffic.calls VALUES ('track_error', cardinality(errors), extract(epoch FROM clock_timestamp() - began));
  END IF;
  RETURN stored + cardinality(errors);
END $$;

CREATE FUNCTION traffic(number integer, starts_at timestamptz, ends_at timestamptz, wanted integer, errors integer,
                        error_kind integer, slow double precision) RETURNS integer LANGUAGE sql VOLATILE
AS $$
  SELECT traffic.send(traffic.events(s, starts_at, ends_at, wanted, slow),
    ARRAY(SELECT traffic.error(s, starts_at + random() * (ends_at - starts_at), error_kind)
          FROM generate_series(1, errors)))
  FROM traffic.service s WHERE s.number = traffic.number
$$;

-- Hour after hour, a transaction each, at most 2000 events in a call.
CREATE PROCEDURE history(number integer, starts_at timestamptz, ends_at timestamptz) LANGUAGE plpgsql
AS $$
DECLARE
  peak integer := (SELECT s.peak_per_hour FROM traffic.service s WHERE s.number = history.number);
  slot timestamptz := starts_at;
  slot_end timestamptz;
  wanted integer;
BEGIN
  WHILE slot < ends_at LOOP
    wanted := ceil(peak * traffic.shape(slot));
    slot_end := least(slot + interval '1 hour' / ceil(wanted / 2000.0), ends_at);
    wanted := ceil(wanted * extract(epoch FROM slot_end - slot) / 3600);
    PERFORM traffic.traffic(number, slot, slot_end, wanted, round(wanted * 0.009 + random() - 0.5)::integer, NULL, 1);
    COMMIT;
    slot := slot_end;
  END LOOP;
END $$;

-- The last second of a service; an incident is errors of one kind and slow renders.
CREATE FUNCTION second(number integer, at timestamptz, wanted integer, incident_errors integer DEFAULT 0,
                       slow double precision DEFAULT 1) RETURNS integer LANGUAGE sql VOLATILE
AS $$
  SELECT traffic.traffic(number, at - interval '1 second', at, wanted, incident_errors, 8, slow)
$$;
