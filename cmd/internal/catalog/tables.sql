-- The columns of the tables that Electric can replicate: of partitioned tables, and not of
-- their partitions; not of views, of unlogged and temporary tables, or of what an extension
-- brought. Types are called as Electric calls them.
SELECT
  n.nspname,
  c.relname,
  a.attname,
  CASE WHEN e.oid IS NULL THEN t.typname ELSE e.typname END,
  CASE WHEN e.oid IS NULL THEN 0 ELSE greatest(a.attndims, 1) END::int4,
  a.attgenerated <> '',
  CASE WHEN k.at < i.indnkeyatts THEN k.at END, -- behind are the columns of INCLUDE
  coalesce(i.indnkeyatts, 0)::int4
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON t.typtype = 'b' AND t.typcategory = 'A' AND e.oid = t.typelem
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
LEFT JOIN LATERAL (SELECT array_position(i.indkey::int2[], a.attnum) AS at) k ON true
WHERE c.relkind IN ('r', 'p')
  AND c.relpersistence = 'p'
  AND NOT c.relispartition
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname, a.attnum
