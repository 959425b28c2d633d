-- vigil.track_columns: the rows, refusals and counts of vigil.track_batch, from arrays.
BEGIN;
\ir include/setup.sql
SELECT plan(31);
SELECT count(*) FROM vigil.maintain_partitions() \g /dev/null

-- The same items both ways --------------------------------------------------------------------------

-- Every column with values that are good, missing, too long and out of range.
CREATE FUNCTION pg_temp.pick(choices anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN random() < 0.2 THEN NULL ELSE choices[1 + floor(random() * cardinality(choices))] END $$;
SELECT setseed(0.42) \g /dev/null
CREATE TABLE pg_temp.item AS
SELECT i,
       CASE WHEN random() < 0.01 THEN NULL ELSE (ARRAY[:m1, :m2])[1 + i % 2]::uuid END AS module_id,
       pg_temp.pick(ARRAY[now(), now() - interval '90 seconds', now() - interval '1 day', '1985-10-26 08:15:00Z',
                          '0001-06-01 00:00:00Z', '9999-12-31 23:59:59.999999Z']) AS created_at,
       CASE WHEN random() < 0.02 THEN (ARRAY[NULL, '', repeat('x', 101)])[1 + i % 3]
            ELSE (ARRAY['render', 'api_call', 'user_interaction', 'function', 'error', 'ünï'])[1 + i % 6] END AS event_type,
       CASE WHEN random() < 0.02 THEN (ARRAY[NULL, E' \t', repeat('ü', 501)])[1 + i % 3]
            ELSE (ARRAY['done', 'api_success', 'api_error', repeat('ü', 500)])[1 + i % 4] END AS event_name,
       pg_temp.pick(ARRAY['', '/api', repeat('s', 500)] || CASE WHEN i % 50 = 0 THEN repeat('s', 501) END) AS subject,
       pg_temp.pick(ARRAY[0, 0.1, 83.25, 1e300, i::float8] || CASE WHEN i % 50 = 1 THEN -0.5::float8 END) AS duration_ms,
       pg_temp.pick(ARRAY[true, false]) AS success,
       pg_temp.pick(ARRAY['200', '404', '99', 'timeout', '']) AS status,
       pg_temp.pick(ARRAY['s1', 's2', 'ß']) AS session_id,
       pg_temp.pick(ARRAY[:s1, :s2]::uuid[]) AS site_id,
       pg_temp.pick(ARRAY[:v1, :v2]::uuid[]) AS version_id,
       pg_temp.pick(ARRAY[-1.5, 0, 2, 1e-300]::float8[]) AS value,
       pg_temp.pick(ARRAY['ms', 'kb', repeat('u', 50)] || CASE WHEN i % 50 = 2 THEN repeat('u', 51) END) AS unit,
       pg_temp.pick(ARRAY[0, 1024, 9007199254740993, 9200000000000000000] || CASE WHEN i % 50 = 3 THEN -7::bigint END) AS memory_usage_kb,
       pg_temp.pick(ARRAY[1, 10, 1 / 0.3::float8] || CASE WHEN i % 50 = 7 THEN 0.5::float8 END) AS sample_weight,
       pg_temp.pick(ARRAY['user', 'system']) AS event_category,
       pg_temp.pick(ARRAY['/p', '/q?a=b']) AS page_path,
       pg_temp.pick(ARRAY['u1', 'u2', '']) AS user_id,
       pg_temp.pick(ARRAY['203.0.113.7', '2001:DB8::1', 'no address']) AS ip_address,
       pg_temp.pick(ARRAY['Mozilla/5.0', '1.2.3.4']) AS user_agent,
       pg_temp.pick(ARRAY['de', 'DE', 'ünk']) AS country_code,
       pg_temp.pick(ARRAY['desktop', 'mobile']) AS device_type,
       pg_temp.pick(ARRAY['Firefox']) AS browser,
       pg_temp.pick(ARRAY['Linux']) AS os,
       pg_temp.pick(ARRAY['production']) AS environment,
       pg_temp.pick(ARRAY['00ff']) AS trace_id,
       CASE WHEN random() < 0.5 THEN 'id' || floor(random() * 100) END AS external_id,
       pg_temp.pick(ARRAY['{}', '{"endpoint": "/api/orders", "statusCode": 500}', '{"elementId": "buy", "ip": "198.51.100.9", "n": 1.50}',
                          '{"text": "from 198.51.100.9", "list": [1, {"a": null}]}', 'null']::jsonb[]
                    || CASE i % 50 WHEN 4 THEN '[1]'::jsonb WHEN 5 THEN '7' WHEN 6 THEN '"{}"' END) AS payload,
       pg_temp.pick(ARRAY['{}', '{"device": "tablet", "browser": "Safari"}', '{"timestamp": "2026-11-20T09:30:00Z"}', '{"timestamp": "x"}']::jsonb[]) AS metadata
FROM generate_series(1, 2000) AS i;

CREATE TABLE pg_temp.stored (way text, number bigint, fact jsonb);
CREATE TABLE pg_temp.refused (way text, number bigint, reason jsonb);
CREATE TABLE pg_temp.result (way text, counts vigil.ingest_result);
-- Takes what the call stored out of the tables, so that the other way finds them as they were.
CREATE FUNCTION pg_temp.take(way text, counts vigil.ingest_result) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO pg_temp.result VALUES (way, counts);
  INSERT INTO pg_temp.stored SELECT way, row_number() OVER (ORDER BY fact), fact FROM (
    SELECT to_jsonb(e) - 'id' AS fact FROM vigil.events e
    UNION ALL SELECT to_jsonb(q) #- '{id}' #- '{content,id}' FROM vigil.quarantine q
    UNION ALL SELECT to_jsonb(d) - 'id' FROM vigil.dirty d) f;
  INSERT INTO pg_temp.refused SELECT way, r.position, jsonb_build_array(r.module_id, r.sqlstate, r.reason, r.hint) FROM vigil.rejected r
  WHERE r.source = way;
  DELETE FROM vigil.events;
  DELETE FROM vigil.quarantine;
  DELETE FROM vigil.received_ids;
  DELETE FROM vigil.dirty;
END $$;
SELECT pg_temp.take('track_batch', vigil.track_batch((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(t) - '{i,payload,metadata}'::text[])
    || CASE WHEN payload IS NULL THEN '{}' ELSE jsonb_build_object('payload', payload) END
    || CASE WHEN metadata IS NULL THEN '{}' ELSE jsonb_build_object('metadata', metadata) END ORDER BY i) FROM pg_temp.item t))) \g /dev/null
SELECT pg_temp.take('track_columns', (SELECT vigil.track_columns(NULL, module_ids => array_agg(module_id ORDER BY i), created_at => array_agg(created_at ORDER BY i),
  event_type => array_agg(event_type ORDER BY i), event_name => array_agg(event_name ORDER BY i), subject => array_agg(subject ORDER BY i),
  duration_ms => array_agg(duration_ms ORDER BY i), success => array_agg(success ORDER BY i), status => array_agg(status ORDER BY i),
  session_id => array_agg(session_id ORDER BY i), site_id => array_agg(site_id ORDER BY i), version_id => array_agg(version_id ORDER BY i),
  value => array_agg(value ORDER BY i), unit => array_agg(unit ORDER BY i), memory_usage_kb => array_agg(memory_usage_kb ORDER BY i),
  event_category => array_agg(event_category ORDER BY i), page_path => array_agg(page_path ORDER BY i), user_id => array_agg(user_id ORDER BY i),
  ip_address => array_agg(ip_address ORDER BY i), user_agent => array_agg(user_agent ORDER BY i), country_code => array_agg(country_code ORDER BY i),
  device_type => array_agg(device_type ORDER BY i), browser => array_agg(browser ORDER BY i), os => array_agg(os ORDER BY i),
  environment => array_agg(environment ORDER BY i), trace_id => array_agg(trace_id ORDER BY i), external_id => array_agg(external_id ORDER BY i),
  payload => array_agg(payload ORDER BY i), metadata => array_agg(metadata ORDER BY i),
  sample_weight => array_agg(sample_weight ORDER BY i)) FROM pg_temp.item)) \g /dev/null
SELECT is((SELECT counts FROM pg_temp.result WHERE way = 'track_columns'), (SELECT counts FROM pg_temp.result WHERE way = 'track_batch'),
  'S0-28: 2,000 events of every kind have the same counts as columns and as jsonb');
SELECT ok((SELECT least((counts).accepted, (counts).duplicate, (counts).rejected, (counts).quarantined) > 30 FROM pg_temp.result LIMIT 1),
  'S0-28: among which is all that can become of an event');
SELECT results_eq($$SELECT number, fact FROM pg_temp.stored WHERE way = 'track_columns' ORDER BY 1$$,
  $$SELECT number, fact FROM pg_temp.stored WHERE way = 'track_batch' ORDER BY 1$$, 'S0-28: the same rows, quarantined facts and marks');
SELECT results_eq($$SELECT number FROM pg_temp.refused WHERE way = 'track_columns' ORDER BY 1$$,
  $$SELECT number FROM pg_temp.refused WHERE way = 'track_batch' ORDER BY 1$$, 'S0-29: the same positions of what is refused');
-- An item can have several faults, which are looked for in the order of the arrays or of jsonb.
SELECT is_empty($$SELECT c.number, c.reason, b.reason FROM pg_temp.refused c JOIN pg_temp.refused b USING (number)
  WHERE c.way = 'track_columns' AND b.way = 'track_batch' AND c.reason <> b.reason
  AND split_part(c.reason ->> 2, ' ', 1) = split_part(b.reason ->> 2, ' ', 1)$$, 'S0-29: the same modules, SQLSTATEs, reasons and hints');
SELECT is_empty($$SELECT fact FROM pg_temp.stored WHERE strpos(fact::text, '198.51.100.9') > 0$$, 'S0-35: no address is stored in clear');
DELETE FROM vigil.rejected;

-- One array for each column --------------------------------------------------------------------------

CREATE FUNCTION pg_temp.names() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(concat_ws('/', left(module_id::text, 1), event_type, event_name, duration_ms), ' ' ORDER BY module_id, event_name, duration_ms) FROM vigil.events $$;
SELECT is(vigil.track_columns(:m1, NULL, '{render}', '{a,b,c}', duration_ms => '{1,NULL,3}'), ROW(3, 0, 0, 0)::vigil.ingest_result,
  'S0-28: an array of one element is that of all events');
SELECT is(pg_temp.names(), '1/render/a/1 1/render/b 1/render/c/3', 'S0-28: a null element is a missing member');
SELECT is((SELECT count(*) FROM vigil.events WHERE created_at = now() AND received_at = now() AND subject = '' AND payload = '{}'), 3::bigint,
  'S0-30: what is missing has its default');
DELETE FROM vigil.events;
SELECT is(vigil.track_columns(:m1, NULL, '{render,click}', '{a}', module_ids => ARRAY[NULL, :m2]::uuid[]), ROW(2, 0, 0, 0)::vigil.ingest_result,
  'S0-28: events of another module');
SELECT is(pg_temp.names(), '1/render/a 2/click/a', 'S0-28: where module_ids says so');
DELETE FROM vigil.events;
SELECT is(vigil.track_columns(:m1, ARRAY[now()], '{render}', '{a}', external_id => '{x}'), ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-28: a single event');
SELECT is(vigil.track_columns(:m1, NULL, '{render}', '{a,b}', external_id => '{x,y}'), ROW(1, 1, 0, 0)::vigil.ingest_result, 'D-82: ids are known');
SELECT is((vigil.track_event(pg_temp.event('{"id": "y"}'))).duplicate, 1, 'D-82: to all ways in');
SELECT is(vigil.track_columns(:m1, '{}', '{}', '{}'), ROW(0, 0, 0, 0)::vigil.ingest_result, 'S0-28: empty arrays are no error');
DELETE FROM vigil.events;
SELECT is(vigil.track_columns(:m1, NULL, '{api_call}', '{api_success}', status => '{503}', user_id => '{u}', ip_address => '{203.0.113.7}', country_code => '{nl}',
    payload => ARRAY['{"endpoint": "/a", "remote_addr": "198.51.100.1"}'::jsonb]), ROW(1, 0, 0, 0)::vigil.ingest_result, 'S0-35: an event about somebody');
SELECT is((SELECT (success, subject, country_code, payload, user_key = 'u', ip_hash = vigil.hash_ip('203.0.113.7', 'pepper'))::text FROM vigil.events),
  '(f,/a,NL,"{""endpoint"": ""/a""}",f,t)', 'S0-35: is judged, named and hidden as ever');

-- What is refused ------------------------------------------------------------------------------------

SELECT is(vigil.track_columns(:m1, ARRAY[now(), 'infinity', '-infinity', '10000-01-01Z', now()], '{render}', '{a,b,c,d,e}', duration_ms => '{1,1,1,1,NaN}'),
  ROW(1, 0, 4, 0)::vigil.ingest_result, 'S0-29: bad elements');
SELECT results_eq('SELECT source, position, module_id, sqlstate, reason FROM vigil.rejected ORDER BY position',
  format($$VALUES ('track_columns', 2, %1$L::uuid, '22008', '"created_at" is out of range: infinity'),
    ('track_columns', 3, %1$L, '22008', '"created_at" is out of range: -infinity'),
    ('track_columns', 4, %1$L, '22008', '"created_at" is out of range: 10000-01-01 00:00:00+00'),
    ('track_columns', 5, %1$L, '22003', '"duration_ms" is out of range: NaN, it must be finite')$$, :m1), 'S0-29: are refused with position, module and reason');
SELECT results_eq('SELECT item::jsonb FROM vigil.rejected WHERE position = 2',
  $$VALUES ('{"created_at": "infinity", "event_type": "render", "event_name": "b", "duration_ms": "1"}'::jsonb)$$, 'S0-29: and kept as JSON');
DELETE FROM vigil.rejected;
SELECT is(vigil.track_columns(:m1, NULL, '{render}', '{a}', ip_address => '{198.51.100.202}', page_path => ARRAY[repeat('x', 4001)]), ROW(0, 0, 1, 0)::vigil.ingest_result,
  'S0-35: a refused event with an address');
SELECT is_empty('SELECT * FROM pg_temp.rows_with(''198.51.100.202'')', 'S0-35: leaves none in clear');
DELETE FROM vigil.rejected;
SET vigil.max_payload_bytes = 1024;
SELECT is(vigil.track_columns(:m1, NULL, '{render}', '{a}', payload => ARRAY['{}', jsonb_build_object('a', repeat('x', 2000))]), ROW(1, 0, 1, 0)::vigil.ingest_result,
  'S0-29: vigil.max_payload_bytes is the limit here, too');
RESET vigil.max_payload_bytes;
SELECT is((SELECT sqlstate FROM vigil.rejected), '54000', 'S0-29: with its SQLSTATE');

CREATE TABLE pg_temp.wrong (what text, arguments text, state text, message text);
INSERT INTO pg_temp.wrong VALUES
  ('no module', 'NULL, NULL, ''{a}'', ''{a}''', '22004', '"module_id" is missing'),
  ('no type', ':m1, NULL, NULL, ''{a}''', '22004', '"event_type" is missing'),
  ('no name', ':m1, NULL, ''{a}'', NULL', '22004', '"event_name" is missing'),
  ('arrays of different lengths', ':m1, NULL, ''{a}'', ''{a,b,c}'', duration_ms => ''{1,2}''', '22023',
   'array of "duration_ms" has 2 elements, that of "event_name" has 3'),
  ('an empty array among others', ':m1, NULL, ''{a}'', ''{a,b,c}'', unit => ''{}''', '22023', 'array of "unit" has 0 elements, that of "event_name" has 3'),
  ('an array of two dimensions', ':m1, NULL, ''{{a,b},{c,d}}'', ''{a,b,c,d}''', '22023', 'array of "event_type" has 2 dimensions, it must have one');
SELECT throws_ok('SELECT vigil.track_columns(' || replace(arguments, ':m1', quote_literal(:m1)) || ')', state, message, 'S0-28: ' || what || ' is an error of the call')
FROM pg_temp.wrong;
SET vigil.max_batch_items = 2;
SELECT throws_ok(format('SELECT vigil.track_columns(%L, NULL, ''{a}'', ''{a,b,c}'')', :m1), '54000', 'batch has 3 items, the limit is 2', 'C-16: vigil.max_batch_items is the limit');
RESET vigil.max_batch_items;

SELECT * FROM finish();
ROLLBACK;
