-- vigil.capture_sentry: what becomes of the items of an envelope, and what cannot be read.
BEGIN;
\ir include/setup.sql
SELECT plan(94);

-- An envelope with one item; the payload is one line.
CREATE FUNCTION pg_temp.envelope(payload text, type text DEFAULT 'event', header text DEFAULT '{}') RETURNS text
  LANGUAGE sql AS $$ SELECT header || E'\n{"type":"' || type || E'"}\n' || payload || E'\n' $$;
CREATE FUNCTION pg_temp.capture(envelope text) RETURNS vigil.ingest_result LANGUAGE sql AS $$
  SELECT vigil.capture_sentry('11111111-1111-4111-8111-111111111111'::uuid, envelope) $$;
CREATE FUNCTION pg_temp.capture(envelope bytea) RETURNS vigil.ingest_result LANGUAGE sql AS $$
  SELECT vigil.capture_sentry('11111111-1111-4111-8111-111111111111'::uuid, envelope) $$;
CREATE FUNCTION pg_temp.reasons() RETURNS TABLE (source text, module_id uuid, sqlstate text, reason text) LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM vigil.rejected RETURNING *)
  SELECT g.source, g.module_id, g.sqlstate, g.reason FROM gone g ORDER BY g.position $$;

-- An event ------------------------------------------------------------------------------------------

CREATE TEMP TABLE payload AS SELECT replace($${"event_id": "9ec79c33ec9942ab8353589fcb2e04dc", "timestamp": "TIME",
  "platform": "javascript", "level": "fatal", "environment": "production", "release": "shop@2.7.1", "transaction": "/cart",
  "request": {"url": "https://shop.example/cart", "headers": {"User-Agent": "Mozilla/5.0"}, "method": "GET"},
  "user": {"id": "u-77", "email": "jane@example.com", "ip_address": "203.0.113.7"},
  "contexts": {"browser": {"name": "Chrome", "version": "126"}, "os": {"name": "Linux"}, "trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}},
  "tags": {"team": "checkout"},
  "exception": {"values": [{"type": "Error", "value": "inner"}, {"type": "TypeError", "value": "x is undefined",
    "mechanism": {"type": "onerror", "handled": false}, "stacktrace": {"frames": [
      {"function": "bar", "filename": "lib.js", "lineno": 20, "colno": 3}, {"function": "foo", "filename": "app.js", "lineno": 10, "colno": 15}]}}]}}$$,
  'TIME', to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS text;
UPDATE payload SET text = replace(text, E'\n', ' ');

SELECT is(pg_temp.capture(pg_temp.envelope(text, header => '{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}')), ROW(1, 0, 0, 0)::vigil.ingest_result,
  'S0-117: an envelope with an event is accepted') FROM payload;
SELECT results_eq(
  $$SELECT module_id, error_type, error_name, error_message, level, platform, handled, file_path, line_number, column_number, page_path,
           user_agent, environment, browser, browser_version, os, trace_id, external_id, tags, created_at FROM vigil.errors$$,
  $$VALUES ('11111111-1111-4111-8111-111111111111'::uuid, 'javascript', 'TypeError', 'x is undefined', 'fatal', 'javascript', false,
            'app.js', 10, 15, 'https://shop.example/cart', 'Mozilla/5.0', 'production', 'Chrome', '126', 'Linux',
            '4bf92f3577b34da6a3ce929d0e0e4736', '9ec79c33ec9942ab8353589fcb2e04dc', '{"team": "checkout"}'::jsonb, now())$$,
  'S0-117: type, message, place and circumstances land in their columns');
SELECT is((SELECT error_stack FROM vigil.errors),
  E'    at foo (app.js:10:15)\n    at bar (lib.js:20:3)\nCaused by: Error\n', 'S0-117: the stack is written throw site first');
SELECT is((SELECT ip_hash FROM vigil.errors), vigil.hash_ip('203.0.113.7', 'pepper'), 'C-24: the address is a keyed hash');
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''203.0.113.7'')', 'C-24: and stands nowhere in clear');
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''jane@example.com'')', 'C-25: nor does the mail address of the user');
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''u-77'')', 'C-25: nor the id of the user');
SELECT results_eq('SELECT e.version_id, v.release FROM vigil.errors e JOIN vigil.versions v USING (module_id, version_id)',
  $$VALUES (vigil.version_id('11111111-1111-4111-8111-111111111111', 'shop@2.7.1'), 'shop@2.7.1')$$, 'S0-22: a release by name becomes a version');
SELECT is(pg_temp.capture(pg_temp.envelope(text)), ROW(0, 1, 0, 0)::vigil.ingest_result, 'D-82: the envelope again is a duplicate') FROM payload;
SELECT is(pg_temp.capture(convert_to(pg_temp.envelope(text), 'UTF8')), ROW(0, 1, 0, 0)::vigil.ingest_result, 'D-82: as bytes as well') FROM payload;
SELECT is(vigil.capture_sentry(:m2, pg_temp.envelope(text)), ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-82: in another module it is another error') FROM payload;
SELECT is((SELECT count(*) FROM vigil.error_groups), 2::bigint, 'S0-33: each module has its group');

DELETE FROM vigil.errors;
SELECT is(pg_temp.capture(pg_temp.envelope('{"message": "hello"}')), ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-117: a message without an exception');
SELECT results_eq('SELECT error_name, error_message, level FROM vigil.errors', $$VALUES ('Message', 'hello', 'error')$$, 'S0-117: is an error, too');
DELETE FROM vigil.errors;
SELECT is(pg_temp.capture(pg_temp.envelope('{}')), ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-117: even an empty event is not lost');
SELECT is((SELECT error_message FROM vigil.errors), '(no message)', 'S0-117: and says so');

-- Repairs -------------------------------------------------------------------------------------------

DELETE FROM vigil.errors;
SELECT is(pg_temp.capture(pg_temp.envelope(payload)), ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-37: ' || what || ' is survived')
FROM (VALUES ('an escaped NUL', '{"message": "a\u0000b"}'), ('a lone high surrogate', '{"message": "a\ud800b"}'),
             ('a lone low surrogate', '{"message": "a\udc00b"}'), ('an escaped emoji', '{"message": "a\ud83c\udf89b"}'),
             ('a raw tab', E'{"message": "a\tb"}')) AS t (what, payload);
SELECT results_eq('SELECT error_message, count(*) FROM vigil.errors GROUP BY 1 ORDER BY error_message COLLATE "C"',
  $$VALUES (E'a\tb', 1::bigint), (U&'a\FFFDb', 3), ('a🎉b', 1)$$, 'D-37: what text cannot hold becomes U+FFFD');
SELECT is((pg_temp.capture('\xefbbbf'::bytea || convert_to(pg_temp.envelope('{"message": "bom"}'), 'UTF8'))).accepted, 1,
  'D-37: a byte order mark costs no item');
SELECT is(pg_temp.capture(convert_to(E'{}\n{"type":"event"}\n{"message": "', 'UTF8') || '\xc328ff'::bytea || convert_to('"}', 'UTF8')),
  ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-37: ill-formed UTF-8 is survived');

-- What cannot be read goes to vigil.rejected -----------------------------------------------------------

CREATE TEMP TABLE bad (n serial, what text, envelope text, state text, reason text);
INSERT INTO bad (what, envelope, state, reason) VALUES
  ('truncated JSON', pg_temp.envelope('{"message": "x'), '22032', '%JSON in item of type "event" at byte 14: a string does not end'),
  ('an empty payload', pg_temp.envelope(''), '22032', 'invalid JSON in item of type "event" at byte 0:%'),
  ('a payload that is an array', pg_temp.envelope('[]'), '22023', 'payload of the item is not a JSON object'),
  ('a payload that is a number', pg_temp.envelope('7'), '22023', 'payload of the item is not a JSON object'),
  ('a payload that is text', pg_temp.envelope('"x"'), '22023', 'payload of the item is not a JSON object'),
  ('a payload that is null', pg_temp.envelope('null'), '22023', 'payload of the item is not a JSON object'),
  ('deep nesting', pg_temp.envelope(repeat('{"a":', 5000) || '1' || repeat('}', 5000)), '22032', 'invalid JSON in item of type "event" at byte %'),
  ('deep brackets without end', pg_temp.envelope(repeat('[', 100000)), '22032', 'invalid JSON in item of type "event" at byte %'),
  ('a number beyond numeric', pg_temp.envelope('{"a": 1e200000}'), '22032', 'invalid JSON in item of type "event" at byte %'),
  ('NaN', pg_temp.envelope('{"a": NaN}'), '22032', 'invalid JSON in item of type "event" at byte 6:%'),
  ('a trailing comma', pg_temp.envelope('{"a": 1,}'), '22032', 'invalid JSON in item of type "event" at byte 8:%'),
  ('an unknown type', pg_temp.envelope('{}', 'statsd'), '0A000', 'item type "statsd" is not supported'),
  ('an attachment', pg_temp.envelope('bytes', 'attachment'), '0A000', 'item type "attachment" is not supported'),
  ('an item header without type', E'{}\n{"length":2}\n{}\n', '22032', 'envelope cannot be read at byte %'),
  ('an item header that is no JSON', E'{}\nnonsense\n', '22032', 'envelope cannot be read at byte 3:%'),
  ('a negative length', E'{}\n{"type":"statsd","length":-1}\n{}\n', '22032', 'envelope cannot be read at byte %'),
  ('a length beyond the end', E'{}\n{"type":"event","length":9999}\n{"message":', '22032', 'truncated JSON in item of type "event" at byte %'),
  ('a length that ends within', E'{}\n{"type":"event","length":3}\n{"message":"x"}\n', '22032', 'invalid JSON in item of type "event" at byte 3:%'),
  ('text that is no envelope', 'hello', '22032', 'envelope cannot be read at byte 0:%');

-- Both functions give the same answer: one rejected item at least, nothing stored.
CREATE FUNCTION pg_temp.check_refused(what text, envelope text, state text, reason text, bytes boolean) RETURNS SETOF text
  LANGUAGE plpgsql AS $$
DECLARE
  result vigil.ingest_result;
BEGIN
  DELETE FROM vigil.rejected;
  result := CASE WHEN bytes THEN pg_temp.capture(convert_to(envelope, 'UTF8')) ELSE pg_temp.capture(envelope) END;
  RETURN NEXT ok(result.accepted = 0 AND result.rejected >= 1 AND result.rejected = (SELECT count(*) FROM vigil.rejected)
                 AND EXISTS (SELECT FROM vigil.rejected r WHERE r.source = 'capture_sentry' AND r.sqlstate = state
                             AND r.module_id = '11111111-1111-4111-8111-111111111111' AND r.reason LIKE check_refused.reason),
    format('D-37: %s (%s) is rejected with %s', what, CASE WHEN bytes THEN 'bytea' ELSE 'text' END, state));
  IF NOT EXISTS (SELECT FROM vigil.rejected r WHERE r.sqlstate = state AND r.reason LIKE check_refused.reason) THEN
    RETURN NEXT diag(format('result %s, rejected as: %s', result, (SELECT string_agg(r.sqlstate || ' ' || r.reason, '; ') FROM vigil.rejected r)));
  END IF;
END $$;
DELETE FROM vigil.errors;
SELECT t.* FROM bad, LATERAL pg_temp.check_refused(what, envelope, state, reason, false) AS t ORDER BY n;
SELECT t.* FROM bad, LATERAL pg_temp.check_refused(what, envelope, state, reason, true) AS t ORDER BY n;
SELECT is_empty('SELECT FROM vigil.errors', 'D-37: nothing of it is stored');
SELECT is(pg_temp.capture(''::text), ROW(0, 0, 0, 0)::vigil.ingest_result, 'D-37: an empty body has no item');
SELECT is(vigil.capture_sentry(NULL, ''::text), NULL, 'D-37: without a module nothing is read');
SELECT throws_ok($$SELECT vigil.capture_sentry('x', ''::text)$$, '22P02', NULL, 'D-37: a module that is no UUID is an error');

-- The rest of the envelope is not lost ----------------------------------------------------------------

DELETE FROM vigil.rejected;
SELECT is(pg_temp.capture(E'{}\n{"type":"event"}\n{"message":"one"}\n{"type":"event"}\n{"broken\nno header\n{"type":"attachment","length":3}\nabc\n{"type":"event","length":17}\n{"message":"two"}\n'),
  ROW(2, 0, 3, 0)::vigil.ingest_result, 'D-37: good items around bad ones are stored');
SELECT results_eq('SELECT error_message FROM vigil.errors ORDER BY 1', $$VALUES ('one'), ('two')$$, 'D-37: both of them');
SELECT set_eq('SELECT sqlstate FROM vigil.rejected', $$VALUES ('22032'), ('0A000')$$, 'D-37: the bad ones have their reasons');

-- Compressed bodies -------------------------------------------------------------------------------------

DELETE FROM vigil.errors;
DELETE FROM vigil.rejected;
-- gzip of '{}\n{"type":"event"}\n{"message":"zipped"}\n'
CREATE TEMP TABLE zipped AS SELECT decode('H4sIAAAAAAACA6uu5apWKqksSFWyUkotS80rUQIJ5KYWFyemg8SqMgsKUlOAggCxwwEwKQAAAA==', 'base64') AS body;
SELECT is(pg_temp.capture(body), ROW(1, 0, 0, 0)::vigil.ingest_result, 'D-74: a gzip body is read') FROM zipped;
SELECT is((SELECT error_message FROM vigil.errors), 'zipped', 'D-74: as it was before');
SELECT is((pg_temp.capture(substr(body, 1, 30))).rejected > 0, true, 'D-37: a cut gzip body is rejected') FROM zipped;
SELECT isnt_empty($$SELECT FROM vigil.rejected WHERE sqlstate = '22P03' AND reason LIKE 'compressed body: %'$$, 'D-37: with the reason');
SELECT is((pg_temp.capture('\x1f8b08ffffffffffffffffffff'::bytea)).rejected > 0, true, 'D-37: a gzip header without a body is rejected');
SELECT is((pg_temp.capture(set_byte(body, 40, get_byte(body, 40) # 255))).rejected > 0, true, 'D-37: a gzip body with a wrong byte is rejected') FROM zipped;

-- The other items ----------------------------------------------------------------------------------------

DELETE FROM vigil.rejected;
SELECT is(pg_temp.capture(pg_temp.envelope(format($${"type":"transaction","event_id":"aa","transaction":"GET /cart","start_timestamp":%s,"timestamp":%s,"contexts":{"trace":{"status":"ok"}},"spans":[{"trace_id":"t","span_id":"s","op":"db","description":"SELECT 1","start_timestamp":%1$s,"timestamp":%2$s,"status":"internal_error"}]}$$,
    extract(epoch FROM now())::numeric(20, 6) - 0.25, extract(epoch FROM now())::numeric(20, 6)), 'transaction')),
  ROW(2, 0, 0, 0)::vigil.ingest_result, 'S0-117: a transaction with a span');
SELECT results_eq('SELECT event_type, event_name, subject, round(duration_ms), success FROM vigil.events ORDER BY 1',
  $$VALUES ('span', 'SELECT 1', 'db', 250::float8, false), ('transaction', 'GET /cart', 'GET /cart', 250, true)$$, 'S0-117: is two timed events');
DELETE FROM vigil.events;
SELECT is(pg_temp.capture(pg_temp.envelope(payload, type)), ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-117: an item of type ' || type)
FROM (VALUES ('session', '{"sid":"s1","did":"d1","status":"ok","init":true,"duration":1.5}'), ('sessions', '{"aggregates":[{"exited":3}]}'),
             ('log', '{"items":[{"level":"warn","body":"low"}]}'), ('trace_metric', '{"items":[{"name":"queue","value":7,"unit":"none"}]}'),
             ('check_in', '{"check_in_id":"c1","monitor_slug":"nightly","status":"ok","duration":2}'),
             ('feedback', '{"event_id":"f1","contexts":{"feedback":{"message":"nice","contact_email":"jane@example.com"}}}'),
             ('client_report', '{"discarded_events":[{"reason":"queue_overflow","category":"error","quantity":23}]}')) AS t (type, payload);
SELECT results_eq('SELECT event_type, event_name, subject, value, duration_ms FROM vigil.events ORDER BY 1, 2',
  $$VALUES ('check_in', 'nightly', 'nightly', NULL::float8, 2000::float8), ('client_report', 'queue_overflow', 'error', 23, NULL),
           ('feedback', 'feedback', '', NULL, NULL), ('log', 'warn', '', NULL, NULL), ('metric', 'queue', 'queue', 7, NULL),
           ('session', 'exited', '', 3, NULL), ('session', 'ok', '', NULL, 1500)$$, 'S0-117: become events with name, subject and value');
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''jane@example.com'')', 'C-25: who wrote a feedback is not kept');

-- Sample rates ----------------------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT is(sum((pg_temp.capture(pg_temp.envelope(payload, type, header))).accepted), 10::bigint, 'S1-74: transactions and spans of sampled traces')
FROM (VALUES
  ('{"event_id":"r-a","spans":[{"trace_id":"r-a","span_id":"1"}]}', 'transaction', '{"trace":{"trace_id":"r-a","sample_rate":"0.25"}}'),
  ('{"event_id":"r-b","contexts":{"trace":{"client_sample_rate":0.1}}}', 'transaction', '{"trace":{"sample_rate":"often"}}'),
  ('{"event_id":"r-c","contexts":{"trace":{"data":{"sentry.sample_rate":0.5}}},"spans":[{"trace_id":"r-c","span_id":"1"}]}', 'transaction', '{}'),
  ('{"event_id":"r-d","contexts":{"trace":{"client_sample_rate":0}}}', 'transaction', '{"trace":{"sample_rate":"1.0"}}'),
  ('{"event_id":"r-e","contexts":{"trace":{"client_sample_rate":2}}}', 'transaction', '{"trace":{"sample_rate":"0"}}'),
  ('{"items":[{"trace_id":"r-f","span_id":"1","name":"x"},{"trace_id":"r-f","span_id":"2","name":"x"}]}', 'span', '{"trace":{"trace_id":"r-f","sample_rate":"0.125"}}'),
  ('{"event_id":"r-g","message":"x"}', 'event', '{"trace":{"sample_rate":"0.25"}}')) AS t (payload, type, header);
SELECT results_eq('SELECT external_id, sample_weight FROM vigil.events ORDER BY 1',
  $$VALUES ('r-a', 4::float8), ('r-b', 10), ('r-c', 2), ('r-d', NULL), ('r-e', NULL), ('span:r-a:1', 4), ('span:r-c:1', 2), ('span:r-f:1', 8), ('span:r-f:2', 8)$$,
  'S1-74: have the weight of their trace');
SELECT is((SELECT sample_weight FROM vigil.errors WHERE external_id = 'r-g'), NULL, 'S1-74: errors are not sampled by trace');

-- Long texts ----------------------------------------------------------------------------------------------

DELETE FROM vigil.events;
SELECT is(pg_temp.capture(pg_temp.envelope(format('{"transaction":"%s"}', (SELECT string_agg(encode(sha256(i::text::bytea), 'hex'), '') FROM generate_series(1, 100) AS i)), 'transaction')),
  ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-01: a transaction with a name of 6,000 characters');
SELECT is((SELECT (length(event_name), length(subject))::text FROM vigil.events), '(500,500)', 'S0-01: is cut to what the columns hold');
SELECT is(pg_temp.capture(pg_temp.envelope(format('{"message":"long","fingerprint":["%s"],"platform":"%s"}', repeat('f', 9000), repeat('p', 9000)))),
  ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-09: an event with a long fingerprint and platform');
SELECT is((SELECT (length(fingerprint) <= 500, length(platform), length(error_type))::text FROM vigil.errors WHERE error_message = 'long'), '(t,100,100)',
  'S0-09: is cut to what the columns hold');
SELECT cmp_ok(vigil.rollup(), '>', 0::bigint, 'S0-57: and the roller goes on');

SELECT * FROM finish();
ROLLBACK;
