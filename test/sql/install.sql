-- The extension as a user meets it first.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_vigil;
RESET client_min_messages;
CREATE EXTENSION pg_vigil;
SELECT extname, nspname AS schema, extrelocatable AS relocatable, extversion = vigil.version() AS same_version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'pg_vigil';
-- Nothing outside its own schema.
SELECT DISTINCT n.nspname
FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_vigil');
SELECT name, every, enabled FROM vigil.jobs ORDER BY name;
SELECT parent, width, ahead, past FROM vigil.partition_policy ORDER BY parent;
SELECT metric, unit FROM vigil.metrics ORDER BY metric COLLATE "C";
DROP EXTENSION pg_vigil;
SELECT count(*) AS left_over FROM pg_class WHERE relnamespace = to_regnamespace('vigil');
CREATE EXTENSION pg_vigil;
