-- vigil.log_templates: what is merged, that merges are rows which can be undone, limits, and learning without tables.
BEGIN;
\ir include/setup.sql
SELECT plan(50);

CREATE FUNCTION pg_temp.services(VARIADIC names text[]) RETURNS text[] LANGUAGE sql AS $$
  SELECT array_agg(format('service %s is up', n)) FROM unnest(names) n $$;
CREATE FUNCTION pg_temp.merged(module uuid) RETURNS TABLE (template text, merged text) LANGUAGE sql AS $$
  SELECT t.template, m.template FROM vigil.log_templates t
  LEFT JOIN vigil.log_templates m ON m.module_id = t.module_id AND m.key = t.merged_into
  WHERE t.module_id = module AND NOT t.learned $$;
CREATE FUNCTION pg_temp.key_of(module uuid, wanted text) RETURNS text LANGUAGE sql AS $$
  SELECT key FROM vigil.log_templates WHERE module_id = module AND template = wanted $$;

-- Learning.
SELECT results_eq($$SELECT * FROM vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', pg_temp.services('oak', 'fir', 'yew', 'ash') || ARRAY['slot 5', 'slot 6', NULL])$$,
  'VALUES (5, 5, 0, 0::bigint)', 'four words are not enough');
SELECT is(vigil.log_template(:m1, 'service oak is up'), 'service oak is up', 'what is not merged has its own template');
SELECT is(vigil.log_template(:m1, 'never seen 7'), 'never seen <num>', 'an unknown line has its stateless template');
SELECT results_eq($$SELECT * FROM vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', pg_temp.services('elm', 'oak'))$$,
  'VALUES (2, 1, 5, 0::bigint)', 'the fifth word merges all');
SELECT is(vigil.log_template(:m1, 'service ' || n || ' is up'), 'service <*> is up', 'merged: ' || n) FROM unnest('{oak,fir,yew,ash,elm}'::text[]) n;
SELECT is(vigil.log_template(:m1, 'slot 99'), 'slot <num>', 'others are left alone');
SELECT is(vigil.template_key('service oak is up'), pg_temp.key_of(:m1, 'service oak is up'), 'stateless keys stay');
SELECT is(key, vigil.key_of_template('service <*> is up'), 'the merge has a key of its own') FROM vigil.log_templates WHERE module_id = :m1 AND learned;
SELECT results_eq($$SELECT lines FROM vigil.log_templates WHERE template IN ('service oak is up', 'slot <num>') ORDER BY template$$, 'VALUES (2::bigint), (2)', 'lines are counted');
SELECT results_eq($$SELECT template, templates, lines FROM vigil.module_log_templates WHERE module_id = '11111111-1111-4111-8111-111111111111' ORDER BY template COLLATE "C"$$,
  $$VALUES ('service <*> is up', 5::bigint, 6::bigint), ('slot <num>', 1, 2)$$, 'the view adds up what is merged');
SELECT ok(bool_and(merged_at IS NOT NULL AND reason LIKE 'one of 5 templates%'), 'a merge says when and why') FROM vigil.log_templates WHERE merged_into IS NOT NULL;
SELECT is(vigil.log_template(:m2, 'service oak is up'), 'service oak is up', 'another module learned nothing');
SELECT results_eq($$SELECT * FROM vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', pg_temp.services('pine'))$$,
  'VALUES (1, 1, 1, 0::bigint)', 'the next word is merged at once');
SELECT results_eq($$SELECT * FROM vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', pg_temp.services('pine'))$$,
  'VALUES (1, 0, 0, 0::bigint)', 'what is known changes nothing');
SELECT results_eq($$SELECT * FROM vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', '{}')$$, 'VALUES (0, 0, 0, 0::bigint)', 'no lines');

-- Many lines at once.
SELECT is(vigil.log_templates_of(:m1, ARRAY['slot 1', 'service oak is up', NULL, 'other 10.0.0.1']),
  ARRAY['slot <num>', 'service <*> is up', NULL, 'other <host>'], 'many lines at once');
SELECT is(vigil.log_templates_of(:m2, ARRAY['slot 1']), ARRAY['slot <num>'], 'of a module that learned nothing');
SELECT throws_ok($$SELECT vigil.known_templates('{}', '{a}', '{}')$$, '22023', NULL, 'keys without templates');

-- Undo.
SELECT is(vigil.split_log_template(:m1, pg_temp.key_of(:m1, 'service oak is up')), 1, 'one template leaves its merge');
SELECT is(vigil.log_template(:m1, 'service oak is up'), 'service oak is up', 'it stands for itself');
SELECT is(vigil.log_template(:m1, 'service fir is up'), 'service <*> is up', 'the others stay');
SELECT lives_ok($$SELECT vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', pg_temp.services('oak', 'lime'))$$);
SELECT is(vigil.log_templates_of(:m1, pg_temp.services('oak', 'lime')), ARRAY['service oak is up', 'service <*> is up'], 'it is not merged again');
SELECT is(vigil.split_log_template(:m1, pg_temp.key_of(:m1, 'service <*> is up')), 6, 'a merge is split');
SELECT lives_ok($$SELECT vigil.learn_log_templates('11111111-1111-4111-8111-111111111111', pg_temp.services('a1', 'plum', 'pear', 'fig', 'teak', 'beech', 'cedar'))$$);
SELECT is_empty($$SELECT FROM pg_temp.merged('11111111-1111-4111-8111-111111111111') m WHERE m.merged IS NOT NULL$$, 'nothing of it is merged again, nor are new words');
UPDATE vigil.log_templates SET apart_since = NULL WHERE module_id = :m1;
SELECT cmp_ok(vigil.merge_log_templates(:m1), '>', 10, 'rows say it: without the mark it is merged');
SELECT is(vigil.log_template(:m1, 'service oak is up'), 'service <*> is up', 'all of it');
SELECT throws_ok($$SELECT vigil.split_log_template('11111111-1111-4111-8111-111111111111', 'nonsense')$$, 'P0002', NULL, 'no such key');

-- A wider merge takes the place of a narrower one, whose key still leads there.
SELECT lives_ok($$SELECT vigil.learn_log_templates('22222222-2222-4222-8222-222222222222', array(SELECT format('copied %s over to oak', n) FROM unnest('{ash,elm,fig,fir,yew}'::text[]) n))$$);
SELECT is(vigil.log_template(:m2, 'copied ash over to oak'), 'copied <*> over to oak', 'one place varies');
SELECT lives_ok($$SELECT vigil.learn_log_templates('22222222-2222-4222-8222-222222222222', array(SELECT format('copied ash over to %s', n) FROM unnest('{elm,fig,fir,yew}'::text[]) n))$$);
SELECT results_eq($$SELECT DISTINCT merged FROM pg_temp.merged('22222222-2222-4222-8222-222222222222')$$, $$VALUES ('copied <*> over to <*>')$$, 'both vary');
SELECT is(m.template, 'copied <*> over to <*>', 'the key of the narrower merge leads to the wider')
FROM vigil.log_templates t JOIN vigil.log_templates m ON m.key = t.merged_into AND m.module_id = t.module_id WHERE t.module_id = :m2 AND t.template = 'copied <*> over to oak';

-- In batches of any order.
CREATE TEMP TABLE line AS SELECT format('copied %s over to %s', a, b) AS line FROM unnest('{ash,elm,fig,fir,yew,null}'::text[]) a, unnest('{x1,oak,lime,pine,plum,down}'::text[]) b
  UNION ALL SELECT format('%s in state %s', a, b) FROM unnest('{a1,b2}'::text[]) a, unnest('{NEW,OLD,ODD,DONE,LAST,ON}'::text[]) b
  UNION ALL SELECT unnest(pg_temp.services('oak', 'fir', 'yew', 'ash', 'elm', '7'));
DO $$
DECLARE
  batch text[];
  seed float8;
BEGIN
  FOREACH seed IN ARRAY '{0.1,0.2,0.3}'::float8[] LOOP
    PERFORM setseed(seed);
    FOR batch IN SELECT array_agg(s.line) FROM (SELECT line, row_number() OVER (ORDER BY random()) / 7 AS batch FROM line) s GROUP BY s.batch ORDER BY s.batch LOOP
      PERFORM vigil.learn_log_templates(format('33333333-3333-4333-8333-33333333333%s', (seed * 10)::integer)::uuid, batch);
    END LOOP;
  END LOOP;
END $$;
SELECT set_eq($$SELECT * FROM pg_temp.merged('33333333-3333-4333-8333-333333333331')$$, $$SELECT * FROM pg_temp.merged('33333333-3333-4333-8333-333333333332')$$, 'the order of batches does not matter');
SELECT set_eq($$SELECT * FROM pg_temp.merged('33333333-3333-4333-8333-333333333331')$$, $$SELECT * FROM pg_temp.merged('33333333-3333-4333-8333-333333333333')$$, 'in no order');
SELECT set_eq($$SELECT DISTINCT coalesce(merged, template) FROM pg_temp.merged('33333333-3333-4333-8333-333333333331')$$,
  $$SELECT unnest(vigil.learned_templates(array(SELECT line FROM line)))$$, 'learning without tables gives the same');

-- Learning without tables.
SELECT is(vigil.learned_templates(pg_temp.services('oak', 'fir', 'yew', 'ash', 'elm') || ARRAY[NULL, 'slot 7']),
  array_fill('service <*> is up'::text, '{5}') || ARRAY[NULL, 'slot <num>'], 'templates in the order of the lines');
SELECT is(vigil.learned_templates('{}'), '{}', 'of no lines');
SELECT throws_ok($$SELECT vigil.learned_templates('{a}', 1)$$, '22023', NULL, 'one word is never enough');
SELECT throws_ok($$SELECT vigil.learned_templates('{{a},{b}}')$$, '22023', NULL, 'one dimension only');

-- Limits.
SELECT results_eq($$SELECT * FROM vigil.learn_log_templates('44444444-4444-4444-8444-444444444444', ARRAY['often', 'often', 'once upon', 'twice upon', 'twice upon'], most_templates => 2)$$,
  'VALUES (3, 2, 0, 1::bigint)', 'the module has no room: the most frequent ones stay');
SELECT results_eq($$SELECT lines FROM vigil.log_template_overflow$$, 'VALUES (1::bigint)', 'the overflow is counted');
SELECT is(vigil.forget_log_templates('44444444-4444-4444-8444-444444444444', now() + interval '1 second'), 2, 'room is made');
SELECT throws_ok($$SELECT vigil.learn_log_templates('44444444-4444-4444-8444-444444444444', '{a}', 1)$$, '22023', NULL, 'one word is never enough');
SELECT throws_ok($$SELECT vigil.learn_log_templates('44444444-4444-4444-8444-444444444444', '{a}', 5, -1)$$, '22023', NULL, 'less than no templates');

SELECT * FROM finish();
ROLLBACK;
