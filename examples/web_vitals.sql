-- Web vitals of the last seven days: the 75th percentile and its rating. Send each as an event of type web_vital whose
-- name is the metric and whose value is what the browser measured:
SELECT vigil.track_batch((SELECT jsonb_agg(jsonb_build_object(
    'moduleId', '11111111-1111-4111-8111-111111111111', 'eventType', 'web_vital', 'eventName', v.name,
    'value', v.typical * exp(random() - 0.5), 'pagePath', '/product', 'id', 'example-' || v.name || '-' || n))
  FROM (VALUES ('LCP', 2100), ('INP', 160), ('CLS', 0.08), ('FCP', 1500), ('TTFB', 500)) AS v (name, typical),
       generate_series(1, 200) AS n));

WITH limits (name, good, poor, unit) AS (
  VALUES ('LCP', 2500, 4000, 'ms'), ('INP', 200, 500, 'ms'), ('CLS', 0.1, 0.25, ''),
         ('FCP', 1800, 3000, 'ms'), ('TTFB', 800, 1800, 'ms'))
SELECT h.module_id, h.subject AS vital, sum(vigil.cell_count(h.cell)) AS views,
       round(p.p75::numeric, 3) AS p75, l.unit,
       CASE WHEN p.p75 <= l.good THEN 'good' WHEN p.p75 <= l.poor THEN 'needs improvement' ELSE 'poor' END AS rating
FROM (SELECT module_id, subject, vigil.merge_agg(cell) AS cell FROM vigil.hours
      WHERE event_type = 'web_vital' AND bucket >= now() - interval '7 days' GROUP BY 1, 2) h
JOIN limits l ON l.name = h.subject
CROSS JOIN LATERAL (SELECT vigil.percentile(vigil.cell_distribution(h.cell, 'value'), 0.75)) AS p (p75)
GROUP BY h.module_id, h.subject, p.p75, l.unit, l.good, l.poor
ORDER BY 1, 2;
