-- The last 24 hours of every module: one row each, with a comparison to the 24 hours before. Runs on any database with
-- pg_vigil; cells are merged, so percentiles and distinct counts are those of the whole range.
WITH spans AS (
  SELECT 'now' AS span, now() - interval '24 hours' AS starts_at, now() AS ends_at
  UNION ALL
  SELECT 'before', now() - interval '48 hours', now() - interval '24 hours'),
modules AS (
  SELECT module_id FROM vigil.module_analytics_daily
  WHERE version_id IS NULL AND date_bucket >= current_date - 3 GROUP BY module_id),
asked AS (
  SELECT array_agg(m.module_id) AS modules, array_agg(s.span) AS spans, array_agg(s.starts_at) AS starts, array_agg(s.ends_at) AS ends
  FROM modules m CROSS JOIN spans s),
totals AS (
  SELECT a.modules[w.number] AS module_id, a.spans[w.number] AS span,
         vigil.measures_agg(w.cell) AS everything,
         vigil.measures_agg(w.cell) FILTER (WHERE w.event_type = 'render') AS renders,
         vigil.measures_agg(w.cell) FILTER (WHERE w.event_type = 'api_call') AS api_calls,
         vigil.measures_agg(w.cell) FILTER (WHERE w.event_type = 'error') AS errors
  FROM asked a CROSS JOIN LATERAL vigil.cells_of_windows(a.modules, a.starts, a.ends, measures_only => true) w
  GROUP BY 1, 2)
SELECT coalesce(n.name, t.module_id::text) AS module,
       vigil.cell_count(t.everything) AS facts,
       round(100.0 * (vigil.cell_count(t.everything) - vigil.cell_count(b.everything))
             / nullif(vigil.cell_count(b.everything), 0), 1) AS change_percent,
       vigil.cardinality(vigil.cell_uniques(t.everything, 'sessions')) AS sessions,
       vigil.rounded(vigil.percentile(vigil.cell_distribution(t.renders, 'duration'), 0.95)) AS p95_render_ms,
       vigil.rounded(vigil.percentile(vigil.cell_distribution(t.api_calls, 'duration'), 0.95)) AS p95_api_ms,
       vigil.cell_count(t.errors) AS errors,
       round(100.0 * vigil.cell_count(t.errors) / nullif(vigil.cell_count(t.everything), 0), 2) AS error_percent
FROM totals t
LEFT JOIN totals b ON b.module_id = t.module_id AND b.span = 'before'
LEFT JOIN vigil.modules n ON n.module_id = t.module_id
WHERE t.span = 'now'
ORDER BY facts DESC;
