-- Error groups that matter now: occurrences of the last 24 hours beside all, new and recurring ones marked.
WITH recent AS (
  SELECT h.module_id, f.group_id, sum(vigil.cell_count(h.cell)) AS errors,
         vigil.cardinality(vigil.cell_uniques(vigil.merge_agg(h.cell), 'users')) AS users
  FROM vigil.hours h
  JOIN vigil.error_group_fingerprints f ON f.module_id = h.module_id AND f.fingerprint = h.subject
  WHERE h.event_type = 'error' AND h.bucket >= now() - interval '24 hours'
  GROUP BY 1, 2)
SELECT coalesce(m.name, g.module_id::text) AS module, g.error_name, left(g.error_message, 60) AS message,
       r.errors AS last_24_hours, v.total_occurrences AS ever, r.users, v.affected_sites AS sites,
       CASE WHEN g.regressed_at >= now() - interval '24 hours' THEN 'came back'
            WHEN v.first_seen_at >= now() - interval '24 hours' THEN 'new'
            ELSE '' END AS note,
       g.status, g.priority
FROM recent r
JOIN vigil.error_groups g ON g.module_id = r.module_id AND g.id = r.group_id
JOIN vigil.module_error_groups v ON v.module_id = g.module_id AND v.id = g.id
LEFT JOIN vigil.modules m ON m.module_id = g.module_id
WHERE g.status <> 'ignored'
ORDER BY r.errors DESC, g.error_name
LIMIT 20;
