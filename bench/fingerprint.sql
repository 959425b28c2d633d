-- Fingerprints, frames and templates: right answers on the pairs of test/data and the open data, and rates in one
-- backend against SQL that does less. Variables: rows (stacks per size), repeats. Runs in the root of the project.
\set QUIET on
\if :{?rows} \else \set rows 30000 \endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS fingerprint;
CREATE DATABASE fingerprint;
\connect fingerprint
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '512MB';
SET jit = off;
CREATE EXTENSION pg_vigil;
\ir include/measure.sql

-- --- Pairs of errors ----------------------------------------------------------------------------------

CREATE TABLE pairs (pair jsonb);
\copy pairs FROM PROGRAM 'cat test/data/fingerprint_pairs.jsonl' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')

CREATE FUNCTION key_of(report jsonb, scheme text) RETURNS text LANGUAGE sql AS $$
  SELECT vigil.fingerprint(report ->> 'type', report ->> 'name', report ->> 'message', report ->> 'stack', scheme) $$;

CREATE VIEW judged AS
SELECT scheme, pair ->> 'level' AS level, pair ->> 'expect' AS expect,
       (key_of(pair -> 'a', scheme) = key_of(pair -> 'b', scheme)) = (pair ->> 'expect' = 'same') AS is_right
FROM pairs, unnest(ARRAY['v1', 'seed']) AS scheme;
-- Balanced: both kinds weigh the same, however many there are.
CREATE VIEW accuracy AS
SELECT scheme, level, avg(share) AS share, sum(pairs) AS pairs
FROM (SELECT scheme, level, expect, avg(is_right::integer) AS share, count(*) AS pairs FROM judged GROUP BY 1, 2, 3) s
GROUP BY 1, 2;

-- --- Log lines ----------------------------------------------------------------------------------------

CREATE TABLE lines (dataset text, content text, event text);
\copy lines FROM PROGRAM 'python3 bench/include/loghub.py' WITH (FORMAT csv)

-- The group that each line is put in: by a key of the line alone, and by what the lines of its data set taught.
CREATE TABLE grouped AS
SELECT 'stateless' AS layer, dataset, event, vigil.template_key(content) AS key FROM lines
UNION ALL
SELECT 'SQL: words with digits masked', dataset, event, regexp_replace(content, '\S*\d\S*', '<*>', 'g') FROM lines
UNION ALL
SELECT 'learned', dataset, t.event, t.key
FROM (SELECT dataset, array_agg(content ORDER BY ctid) AS contents, array_agg(event ORDER BY ctid) AS events FROM lines GROUP BY 1) d,
     unnest(vigil.learned_templates(d.contents), d.events) AS t (key, event);

-- The share of lines whose group has exactly the lines that it should have.
CREATE VIEW grouping_accuracy AS
SELECT layer, avg(share) AS share
FROM (SELECT layer, dataset, sum(lines) FILTER (WHERE lines = in_key AND lines = in_event) / sum(lines) AS share
      FROM (SELECT layer, dataset, count(*) AS lines, sum(count(*)) OVER (PARTITION BY layer, dataset, key) AS in_key,
                   sum(count(*)) OVER (PARTITION BY layer, dataset, event) AS in_event
            FROM grouped GROUP BY layer, dataset, key, event) g
      GROUP BY 1, 2) d
GROUP BY 1;

-- --- Rates ------------------------------------------------------------------------------------------

-- Stacks as Node.js prints them, half of the frames from packages.
CREATE FUNCTION make_stack(number integer, frames integer) RETURNS text LANGUAGE sql AS $$
  SELECT E'TypeError: Cannot read properties of null (reading ''id'')\n' || string_agg(
    CASE WHEN frame % 2 = 0
         THEN format(E'    at Ledger.post%s (/srv/bank/src/ledger/%s.js:%s:%s)\n', chr(97 + frame % 26),
                     (ARRAY['account', 'transfer', 'posting', 'limit'])[1 + (frame / 2 + number) % 4], 40 + number % 1000, frame)
         ELSE format(E'    at Layer.handle%s [as handle_request] (/srv/bank/node_modules/express/lib/router/layer.js:%s:%s)\n',
                     chr(97 + frame % 26), 90 + number % 100, frame) END, '' ORDER BY frame)
  FROM generate_series(1, frames) AS frame $$;
-- Neither compressed nor, as far as a page has room, out of line: what is measured is not how texts are kept.
CREATE TABLE stacks (frames integer, stack text) PARTITION BY LIST (frames);
CREATE TABLE stacks_10 PARTITION OF stacks FOR VALUES IN (10) WITH (toast_tuple_target = 8160);
CREATE TABLE stacks_30 PARTITION OF stacks FOR VALUES IN (30) WITH (toast_tuple_target = 8160);
CREATE TABLE stacks_100 PARTITION OF stacks FOR VALUES IN (100);
CREATE TABLE java (stack text) WITH (toast_tuple_target = 8160);
ALTER TABLE stacks ALTER stack SET STORAGE EXTERNAL;
ALTER TABLE stacks_10 ALTER stack SET STORAGE EXTERNAL;
ALTER TABLE stacks_30 ALTER stack SET STORAGE EXTERNAL;
ALTER TABLE stacks_100 ALTER stack SET STORAGE EXTERNAL;
ALTER TABLE java ALTER stack SET STORAGE EXTERNAL;
INSERT INTO stacks
SELECT frames, make_stack(number, frames) AS stack
FROM unnest(ARRAY[10, 30, 100]) AS frames, generate_series(1, :rows) AS number;
INSERT INTO java
SELECT E'java.lang.IllegalStateException: limit\n' || string_agg(
  CASE WHEN frame % 2 = 0 THEN format(E'\tat com.bank.ledger.Account%s.post(Account.java:%s)\n', chr(65 + frame % 26), number % 900)
       ELSE format(E'\tat org.springframework.web.servlet.FrameworkServlet.service%s(FrameworkServlet.java:%s)\n', chr(97 + frame % 26), number % 900)
  END, '' ORDER BY frame) AS stack
FROM generate_series(1, :rows) AS number, generate_series(1, 30) AS frame GROUP BY number;
INSERT INTO lines SELECT 'synthetic', format('Received block blk_%s of size %s from /10.0.%s.%s:50010 in %s ms', i * 7919, i, i % 256, i % 199, i % 77), ''
FROM generate_series(1, 8000) AS i WHERE NOT EXISTS (SELECT FROM lines);
CREATE TABLE messages AS SELECT content FROM lines, generate_series(1, 200000 / (SELECT count(*)::integer FROM lines) + 1);
VACUUM ANALYZE stacks, java, messages;

-- The formula of the seed, in SQL: it looks at the text only.
CREATE FUNCTION sql_fingerprint(type text, name text, stack text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT left(encode(sha256(convert_to(type || ':' || name || ':' || left(
    regexp_replace(regexp_replace(stack, ':\d+:\d+', ':X:X', 'g'), '\?[^\s]+', '', 'g'), 500), 'UTF8')), 'hex'), 32) $$;

INSERT INTO queries
SELECT format('fingerprint, %s frames', frames),
       format($q$SELECT count(vigil.fingerprint('javascript', 'TypeError', 'Cannot read properties of null (reading ''id'')', stack)) FROM stacks WHERE frames = %s$q$, frames)
FROM unnest(ARRAY[10, 30, 100]) AS frames;
INSERT INTO queries VALUES
 ('fingerprint, 30 frames of Java', $q$SELECT count(vigil.fingerprint('app', 'IllegalStateException', 'limit', stack)) FROM java$q$),
 ('all three keys, 30 frames', $q$SELECT count(vigil.fingerprints('javascript', 'TypeError', 'Cannot read properties of null (reading ''id'')', stack)) FROM stacks WHERE frames = 30$q$),
 ('scheme seed, 30 frames', $q$SELECT count(vigil.fingerprint('javascript', 'TypeError', NULL, stack, 'seed')) FROM stacks WHERE frames = 30$q$),
 ('SQL: the seed''s formula, 30 frames', $q$SELECT count(sql_fingerprint('javascript', 'TypeError', stack)) FROM stacks WHERE frames = 30$q$),
 ('template_key', 'SELECT count(vigil.template_key(content)) FROM messages'),
 ('SQL: regexp_replace', $q$SELECT count(regexp_replace(content, '\S*\d\S*', '<*>', 'g')) FROM messages$q$);
CALL measure(:repeats);

CREATE FUNCTION rate(wanted text) RETURNS numeric LANGUAGE sql AS $$
  SELECT round((1000 * (CASE WHEN wanted IN ('template_key', 'SQL: regexp_replace') THEN (SELECT count(*) FROM messages)
                             ELSE (SELECT count(*) FROM stacks) / 3 END) / cpu(wanted))::numeric, -3) $$;

-- --- Report -----------------------------------------------------------------------------------------

\pset border 1
\echo
\echo 'Frames of stacks in the open data and of our own'
\! python3 test/e2e/stacks.py | grep '^#'
\echo
\echo 'Pairs of errors, right answers, both kinds weighing the same (targets: core 97 %, stretch 80 %)'
SELECT scheme, level, pairs, round(100 * share, 1) AS percent FROM accuracy ORDER BY scheme DESC, level;
\echo 'Lines of logs in exactly the right group (targets: stateless 82 %, learned 92 %)'
SELECT layer, round(100 * share, 1) AS percent FROM grouping_accuracy ORDER BY layer;
\echo 'Rates of one backend, medians of CPU time'
SELECT q.name AS measure, t.target, rate(q.name) AS per_second, round(rate(q.name) / t.target, 2) AS of_target
FROM queries q
LEFT JOIN (VALUES ('fingerprint, 10 frames', 400000), ('fingerprint, 30 frames', 180000), ('fingerprint, 100 frames', 60000),
                  ('template_key', 1500000)) AS t (name, target) USING (name)
ORDER BY q.ctid;
\c postgres
DROP DATABASE fingerprint;
