import type { TdsServerOptions } from "../support/tds/server.ts";
import type { Cell, Rowset } from "../support/tds/tokens.ts";
import { serverAnswers } from "./support.ts";

// As SQL Server answers for the shop of the other engines' tests; a real one is asked where MSSQL_URL names it.
const rowset = (columns: string, rows: Cell[][]): Rowset => ({ columns: columns.split(" "), rows });

export const mssqlCatalogueAnswers: NonNullable<TdsServerOptions["answers"]> = [
  ...serverAnswers,
  [/db_name\(\)/, rowset("name", [["shop"]])],
  [/from sys\.schemas s\s+where exists/, rowset("name", [["sales"]])],
  [
    /from sys\.objects o/,
    rowset("schema name kind comment rows", [
      ["sales", "customers", "table", "Who buys", 50],
      ["sales", "open_orders", "view", null, null],
      ["sales", "orders", "table", null, 0],
    ]),
  ],
  [
    /from sys\.columns c/,
    rowset("schema table name type nullable default comment generated", [
      ["sales", "customers", "id", "bigint", false, null, null, true],
      ["sales", "customers", "email", "nvarchar(200)", false, null, null, false],
      ["sales", "customers", "credit", "decimal(10,2)", true, "((0))", "In euro", false],
      ["sales", "open_orders", "number", "int", true, null, null, false],
      ["sales", "orders", "number", "int", false, null, null, false],
      ["sales", "orders", "customer_id", "bigint", false, null, null, false],
    ]),
  ],
  [
    /from sys\.indexes i/,
    rowset("schema table name column unique primary", [
      ["sales", "customers", "PK_customers", "id", true, true],
      ["sales", "customers", "customers_email_key", "email", true, false],
      ["sales", "orders", "PK_orders", "number", true, true],
      ["sales", "orders", "PK_orders", "customer_id", true, true],
    ]),
  ],
  [
    /from sys\.foreign_keys f/,
    rowset("schema table name column to_schema to_table to_column", [
      ["sales", "orders", "orders_customer", "customer_id", "sales", "customers", "id"],
    ]),
  ],
  [/set lock_timeout/, rowset("x", [])],
];
