import type { IntrospectionLimits } from "../engine.ts";

const ours = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

/** What PostgreSQL knows of its objects, in the columns that CatalogueRows wants. */
export const postgresCatalogue = ({ tables, columns }: IntrospectionLimits) => ({
  schemas: `select n.nspname as name from pg_catalog.pg_namespace n
    where ${ours} and exists (select from pg_catalog.pg_class c where c.relnamespace = n.oid)
    order by n.nspname limit ${tables + 1}`,
  tables: `select n.nspname as schema, c.relname as name,
      case when c.relkind in ('v', 'm') then 'view' else 'table' end as kind,
      left(pg_catalog.obj_description(c.oid, 'pg_class'), 1000) as comment,
      nullif(c.reltuples, -1)::text as rows
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where ${ours} and c.relkind in ('r', 'p', 'f', 'v', 'm')
    order by n.nspname collate "C", c.relname collate "C" limit ${tables + 1}`,
  columns: `select n.nspname as schema, c.relname as table, a.attname as name,
      pg_catalog.format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
      left(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 1000) as default,
      left(pg_catalog.col_description(c.oid, a.attnum), 1000) as comment,
      a.attidentity <> '' or pg_catalog.pg_get_expr(d.adbin, d.adrelid) like 'nextval(%' as generated
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where ${ours} and c.relkind in ('r', 'p', 'f', 'v', 'm') and a.attnum > 0 and not a.attisdropped
    order by n.nspname collate "C", c.relname collate "C", a.attnum limit ${columns + 1}`,
  indexes: `select n.nspname as schema, c.relname as table, x.relname as name, a.attname as column,
      i.indisunique as unique, i.indisprimary as primary
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indrelid
    join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
    left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum and k.attnum > 0
    where ${ours} and c.relkind in ('r', 'p', 'm') and k.position <= i.indnkeyatts
    order by n.nspname collate "C", c.relname collate "C", x.relname, k.position limit ${columns + 1}`,
  foreignKeys: `select n.nspname as schema, c.relname as table, f.conname as name, a.attname as column,
      rn.nspname as to_schema, rc.relname as to_table, ra.attname as to_column
    from pg_catalog.pg_constraint f
    join pg_catalog.pg_class c on c.oid = f.conrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class rc on rc.oid = f.confrelid
    join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
    cross join lateral unnest(f.conkey, f.confkey) with ordinality as k (attnum, refnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
    join pg_catalog.pg_attribute ra on ra.attrelid = rc.oid and ra.attnum = k.refnum
    where ${ours} and f.contype = 'f'
    order by n.nspname collate "C", c.relname collate "C", f.conname, k.position limit ${columns + 1}`,
});
