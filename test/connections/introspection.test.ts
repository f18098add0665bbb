import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diffSnapshots } from "../../functions/_shared/schema-diff.ts";
import {
  contentHash,
  type SchemaSnapshot,
  schemaSnapshotSchema,
} from "../../functions/_shared/schema-snapshot.ts";
import { startTdsServer } from "../support/tds/server.ts";
import { hasMariadb, startMariadb } from "./mariadb-server.ts";
import { mssqlCatalogueAnswers } from "./mssql-catalogue.ts";
import { startPostgresWithTls } from "./postgres-server.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectSuccess } from "./support.ts";

const postgresShop = `
  create schema sales;
  create type sales.state as enum ('open', 'paid');
  create table sales.customers (
    id bigint generated always as identity primary key,
    email varchar(200) not null constraint customers_email_key unique,
    credit numeric(10,2) default 0
  );
  comment on table sales.customers is 'Who buys';
  comment on column sales.customers.credit is 'In euro';
  create table sales.orders (
    number serial, customer_id bigint not null, state sales.state not null default 'open',
    primary key (number, customer_id),
    constraint orders_customer foreign key (customer_id) references sales.customers (id)
  );
  create index orders_lower on sales.orders (state, lower(number::text));
  create view sales.open_orders as select number from sales.orders where state = 'open';
  insert into sales.customers (email) select i::text from generate_series(1, 50) i;
  analyze sales.customers;`;

const mysqlShop = `
  create table customers (
    id bigint auto_increment primary key, email varchar(200) not null, credit decimal(10,2) default 0 comment 'In euro',
    unique key customers_email_key (email)
  ) comment 'Who buys';
  create table orders (
    number int not null, customer_id bigint not null, state enum('open','paid') not null default 'open',
    primary key (number, customer_id), key orders_customer (customer_id),
    constraint orders_customer foreign key (customer_id) references customers (id)
  );
  create view open_orders as select number from orders where state = 'open';`;

let postgres: Awaited<ReturnType<typeof startPostgresWithTls>>;
let mariadb: Awaited<ReturnType<typeof startMariadb>> | undefined;
let mssql: Awaited<ReturnType<typeof startTdsServer>>;

beforeAll(async () => {
  mssql = await startTdsServer({ answers: mssqlCatalogueAnswers });
  postgres = await startPostgresWithTls();
  await postgres.admin`create database shop`;
  await postgres.inDatabase("shop", (sql) => sql.unsafe(postgresShop));
  if (!hasMariadb) return;
  mariadb = await startMariadb();
  await mariadb.admin.query(`
    create user shopkeeper@'%' identified by 'x'; create database shop; grant all on shop.* to shopkeeper@'%';
    use shop; ${mysqlShop}`);
});
afterAll(() => Promise.all([postgres?.stop(), mariadb?.stop(), mssql?.close()]));

const table = ({ tables }: SchemaSnapshot, name: string) => tables.find((each) => each.name === name);

describe.each(runtimes)("$name", (runtime) => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner(runtime);
  });
  afterAll(() => runner.stop());

  const requests: Record<string, () => RunRequest> = {
    mssql: () => ({
      ...{ engine: "mssql", host: "db.test", port: mssql.port, username: "sa", password: "Passw0rd!" },
      ...{ database: "shop", tls: { ca: mssql.ca } },
    }),
    postgres: () => ({
      ...{ engine: "postgres", host: "db.test", port: postgres.port, username: "postgres" },
      ...{ password: "postgres", database: "shop", tls: { ca: postgres.ca } },
    }),
    mysql: () => ({
      ...{
        engine: "mysql",
        host: "db.test",
        port: mariadb?.port ?? 0,
        username: "shopkeeper",
        password: "x",
      },
      ...{ database: "shop", tls: { ca: mariadb?.ca ?? "" } },
    }),
  };

  async function introspect(engine: string, limits: RunRequest["limits"] = {}): Promise<SchemaSnapshot> {
    const request = requests[engine]?.();
    if (!request) throw new Error(engine);
    const answer = await runner.run({ ...request, action: "introspect", limits });
    expectSuccess(answer);
    const snapshot = schemaSnapshotSchema.parse(answer.value);
    expect(snapshot.content_hash).toBe(await contentHash(snapshot));
    return snapshot;
  }

  const names = ["mssql", "postgres", ...(hasMariadb ? ["mysql"] : [])];

  it.each(names)("%s: what a person would call the schema", async (engine) => {
    const snapshot = await introspect(engine);
    expect(snapshot).toMatchObject({ engine, database: "shop", truncated: false });
    expect(snapshot.tables.map(({ name, kind }) => [name, kind])).toEqual([
      ["customers", "table"],
      ["open_orders", "view"],
      ["orders", "table"],
    ]);
    const customers = table(snapshot, "customers");
    expect(customers).toMatchObject({ comment: "Who buys", primary_key: ["id"], foreign_keys: [] });
    expect(customers?.indexes).toEqual([{ name: "customers_email_key", columns: ["email"], unique: true }]);
    const [id, email, credit] = customers?.columns ?? [];
    expect(id).toMatchObject({ name: "id", nullable: false, generated: true });
    expect(id?.type).toMatch(/^bigint/);
    expect(email).toMatchObject({ name: "email", nullable: false, default: null, generated: false });
    expect(email?.type).toMatch(/^(n?varchar|character varying)\(200\)$/);
    expect(credit).toMatchObject({ nullable: true, comment: "In euro" });
    expect(credit?.type).toMatch(/^(decimal|numeric)\(10,2\)$/);
    expect(credit?.default).toMatch(/^\(?\(?0(\.00)?\)?\)?$/);
    const orders = table(snapshot, "orders");
    expect(orders?.primary_key).toEqual(["number", "customer_id"]);
    expect(orders?.foreign_keys).toEqual([
      {
        name: "orders_customer",
        columns: ["customer_id"],
        schema: customers?.schema,
        table: "customers",
        references: ["id"],
      },
    ]);
  });

  it("postgres: estimates, expressions in indexes, enums", async () => {
    const snapshot = await introspect("postgres");
    expect(snapshot.schemas).toContain("sales");
    expect(table(snapshot, "customers")?.rows).toBe(50);
    expect(table(snapshot, "orders")?.rows).toBeNull();
    expect(table(snapshot, "orders")?.indexes).toEqual([
      { name: "orders_lower", columns: ["state"], unique: false },
    ]);
    expect(table(snapshot, "orders")?.columns[2]).toMatchObject({ type: "sales.state", nullable: false });
  });

  it.each(names)("%s: no more than the limits, and it says so", async (engine) => {
    const few = await introspect(engine, { tables: 2 });
    expect(few).toMatchObject({ truncated: true });
    expect(few.tables.map(({ name }) => name)).toEqual(["customers", "open_orders"]);
    // Seven columns: of the last table only a part was read.
    const narrow = await introspect(engine, { columns: 5 });
    expect(narrow).toMatchObject({ truncated: true, tables: few.tables });
    expect(diffSnapshots(await introspect(engine), narrow)).toEqual([]);
    const small = await introspect(engine, { bytes: 1000 });
    expect(small.truncated).toBe(true);
    expect(JSON.stringify(small.tables).length).toBeLessThan(1010);
  });

  it("a second snapshot shows what changed, and the same one nothing", async () => {
    const before = await introspect("postgres");
    expect((await introspect("postgres")).content_hash).toBe(before.content_hash);
    await postgres.inDatabase("shop", async (sql) => {
      await sql`alter table sales.customers add column vat text`;
      await sql`alter table sales.orders drop constraint orders_customer`;
      await sql`create table sales.items (id int primary key)`;
    });
    const after = await introspect("postgres");
    expect(after.content_hash).not.toBe(before.content_hash);
    expect(
      diffSnapshots(before, after).map(({ change, table, ...rest }) => [
        change,
        table,
        "name" in rest ? rest.name : null,
      ]),
    ).toEqual([
      ["column_added", "customers", "vat"],
      ["table_added", "items", null],
      ["foreign_key_removed", "orders", "orders_customer"],
    ]);
    await postgres.inDatabase("shop", async (sql) => {
      await sql`alter table sales.customers drop column vat`;
      await sql`alter table sales.orders add constraint orders_customer foreign key (customer_id) references sales.customers (id)`;
      await sql`drop table sales.items`;
    });
    expect((await introspect("postgres")).content_hash).toBe(before.content_hash);
  });
});
