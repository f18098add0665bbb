import type { IntrospectionLimits } from "../engine.ts";

// Of the connection's database alone: in MySQL that is what other engines call a schema.
const ours = "table_schema = database()";

/** What MySQL and MariaDB know of their objects, in the columns that CatalogueRows wants. Shows what this login may see. */
export const mysqlCatalogue = ({ tables, columns }: IntrospectionLimits) => ({
  schemas: "select schema_name as `name` from information_schema.schemata where schema_name = database()",
  tables: `select table_schema as \`schema\`, table_name as \`name\`,
      case when table_type like '%VIEW' then 'view' else 'table' end as \`kind\`,
      case when table_type like '%VIEW' then null else left(table_comment, 1000) end as \`comment\`,
      table_rows as \`rows\`
    from information_schema.tables where ${ours}
    order by binary table_name limit ${tables + 1}`,
  columns: `select table_schema as \`schema\`, table_name as \`table\`, column_name as \`name\`,
      left(column_type, 1000) as \`type\`, is_nullable = 'YES' as \`nullable\`, left(column_default, 1000) as \`default\`,
      left(column_comment, 1000) as \`comment\`, extra like '%auto_increment%' as \`generated\`
    from information_schema.columns where ${ours}
    order by binary table_name, ordinal_position limit ${columns + 1}`,
  indexes: `select table_schema as \`schema\`, table_name as \`table\`, index_name as \`name\`,
      column_name as \`column\`, non_unique = 0 as \`unique\`, index_name = 'PRIMARY' as \`primary\`
    from information_schema.statistics where ${ours}
    order by binary table_name, index_name, seq_in_index limit ${columns + 1}`,
  foreignKeys: `select table_schema as \`schema\`, table_name as \`table\`, constraint_name as \`name\`,
      column_name as \`column\`, referenced_table_schema as to_schema, referenced_table_name as to_table,
      referenced_column_name as to_column
    from information_schema.key_column_usage where ${ours} and referenced_table_name is not null
    order by binary table_name, constraint_name, ordinal_position limit ${columns + 1}`,
});
