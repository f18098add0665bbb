import type { IntrospectionLimits } from "../engine.ts";

/** What SQL Server knows of its objects, in the columns that CatalogueRows wants. Shows what this login may see. */
export const mssqlCatalogue = ({ tables, columns }: IntrospectionLimits) => ({
  schemas: `select top (${tables + 1}) s.name from sys.schemas s
    where exists (select * from sys.objects o where o.schema_id = s.schema_id and o.type in ('U', 'V') and o.is_ms_shipped = 0)
    order by s.name`,
  tables: `select top (${tables + 1}) s.name as [schema], o.name,
      case o.type when 'V' then 'view' else 'table' end as kind,
      left(cast(p.value as nvarchar(max)), 1000) as comment,
      (select sum(r.rows) from sys.partitions r where r.object_id = o.object_id and r.index_id in (0, 1)) as [rows]
    from sys.objects o
    join sys.schemas s on s.schema_id = o.schema_id
    left join sys.extended_properties p
      on p.class = 1 and p.major_id = o.object_id and p.minor_id = 0 and p.name = 'MS_Description'
    where o.type in ('U', 'V') and o.is_ms_shipped = 0
    order by s.name collate Latin1_General_BIN2, o.name collate Latin1_General_BIN2`,
  columns: `select top (${columns + 1}) s.name as [schema], o.name as [table], c.name,
      t.name + case
        when t.name in ('nvarchar', 'nchar') then '(' + case c.max_length when -1 then 'max' else cast(c.max_length / 2 as varchar(10)) end + ')'
        when t.name in ('varchar', 'char', 'varbinary', 'binary') then '(' + case c.max_length when -1 then 'max' else cast(c.max_length as varchar(10)) end + ')'
        when t.name in ('decimal', 'numeric') then '(' + cast(c.precision as varchar(10)) + ',' + cast(c.scale as varchar(10)) + ')'
        when t.name in ('datetime2', 'datetimeoffset', 'time') then '(' + cast(c.scale as varchar(10)) + ')'
        else '' end as type,
      c.is_nullable as nullable, left(d.definition, 1000) as [default],
      left(cast(p.value as nvarchar(max)), 1000) as comment, c.is_identity as generated
    from sys.columns c
    join sys.objects o on o.object_id = c.object_id
    join sys.schemas s on s.schema_id = o.schema_id
    join sys.types t on t.user_type_id = c.user_type_id
    left join sys.default_constraints d on d.object_id = c.default_object_id
    left join sys.extended_properties p
      on p.class = 1 and p.major_id = c.object_id and p.minor_id = c.column_id and p.name = 'MS_Description'
    where o.type in ('U', 'V') and o.is_ms_shipped = 0
    order by s.name collate Latin1_General_BIN2, o.name collate Latin1_General_BIN2, c.column_id`,
  indexes: `select top (${columns + 1}) s.name as [schema], o.name as [table], i.name, c.name as [column],
      i.is_unique as [unique], i.is_primary_key as [primary]
    from sys.indexes i
    join sys.objects o on o.object_id = i.object_id
    join sys.schemas s on s.schema_id = o.schema_id
    join sys.index_columns x on x.object_id = i.object_id and x.index_id = i.index_id and x.is_included_column = 0
    join sys.columns c on c.object_id = x.object_id and c.column_id = x.column_id
    where o.type in ('U', 'V') and o.is_ms_shipped = 0 and i.name is not null
    order by s.name collate Latin1_General_BIN2, o.name collate Latin1_General_BIN2, i.index_id, x.key_ordinal`,
  foreignKeys: `select top (${columns + 1}) s.name as [schema], o.name as [table], f.name, c.name as [column],
      rs.name as to_schema, ro.name as to_table, rc.name as to_column
    from sys.foreign_keys f
    join sys.foreign_key_columns x on x.constraint_object_id = f.object_id
    join sys.objects o on o.object_id = f.parent_object_id
    join sys.schemas s on s.schema_id = o.schema_id
    join sys.columns c on c.object_id = x.parent_object_id and c.column_id = x.parent_column_id
    join sys.objects ro on ro.object_id = f.referenced_object_id
    join sys.schemas rs on rs.schema_id = ro.schema_id
    join sys.columns rc on rc.object_id = x.referenced_object_id and rc.column_id = x.referenced_column_id
    where o.is_ms_shipped = 0
    order by s.name collate Latin1_General_BIN2, o.name collate Latin1_General_BIN2, f.object_id, x.constraint_column_id`,
});
