import type { Duplex } from "node:stream";
import type { Options, PostgresType, Sql } from "postgres";
import { z } from "zod";
import type { ConnectionRequest, Engine, EnginePhases, ServerFacts, TlsFacts } from "../engine.ts";
import { ConnectionFailure, type FailureCode } from "../failures.ts";
import { assembleSnapshot, type CatalogueRow, type CatalogueRows } from "../introspection/assemble.ts";
import { postgresCatalogue } from "./postgres-catalogue.ts";
import { driverSocket } from "./driver-socket.ts";
import { messageCheck } from "./postgres-messages.ts";
import { printable } from "./printable.ts";
import { rowKeeper } from "./rows.ts";
import { secure } from "./tls/secure.ts";
import { untilAborted } from "./until-aborted.ts";

const options = z.strictObject({});

/** PostgreSQL and what speaks its protocol, by postgres.js. */
export const postgres: Engine = {
  name: "postgres",
  title: "PostgreSQL",
  defaultPort: 5432,
  tlsModes: ["disable", "require", "verify-ca", "verify-full"],
  options,
  test: (request) =>
    withSession(request, async (session) => {
      const begun = request.clock();
      const server = await readServer(session);
      return { server, tls: session.tls, phases: { ...session.phases, query: request.clock() - begun } };
    }),
  introspect: (request, limits) =>
    withSession(request, async (session) => {
      const server = await readServer(session);
      const [{ name: database = request.database } = {}] = await session.query(
        "select pg_catalog.current_database() as name",
      );
      const queries = postgresCatalogue(limits);
      const rows: CatalogueRows = {
        schemas: await session.query(queries.schemas),
        tables: await session.query(queries.tables),
        columns: await session.query(queries.columns),
        indexes: await session.query(queries.indexes),
        foreignKeys: await session.query(queries.foreignKeys),
      };
      const described = { engine: "postgres" as const, server, database: String(database) };
      return await assembleSnapshot(described, rows, limits);
    }),
};

interface Session {
  tls: TlsFacts | null;
  phases: Omit<EnginePhases, "query">;
  query: (statement: string) => Promise<CatalogueRow[]>;
}

async function withSession<T>(
  request: ConnectionRequest,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { default: connect } = await import("postgres");
  const { signal, clock } = request;
  const { stream, tls, tlsTime } = await openChannel(request);
  const { mostBytes } = request;
  const { socket } = driverSocket(stream, { mostBytes, bearable: messageCheck() });
  const sql = connect(driverOptions(request, socket));
  // The driver would wait for another connection. What it has to say of this one comes first.
  const closed = new Promise<never>((_, reject) => {
    const tell = () => reject(new ConnectionFailure("unsupported_server"));
    socket.once("close", () => setTimeout(tell));
  });
  closed.catch(() => {});
  try {
    const begun = clock();
    // In a transaction, since a pooler between us and the server gives each one another session.
    const result = sql.begin("read only", async (transaction) => {
      const phases = { tls: tlsTime, login: clock() - begun };
      await transaction.unsafe(`set local statement_timeout = ${Math.ceil(request.timeLeft())}`);
      const query = async (statement: string) => {
        const { rows, keep } = rowKeeper(() => void socket.destroy());
        await transaction.unsafe<CatalogueRow[]>(statement).forEach(keep);
        return rows;
      };
      return await work({ tls, phases, query });
    });
    return await untilAborted(signal, Promise.race([result as Promise<T>, closed]));
  } catch (error) {
    throw error instanceof ConnectionFailure ? error : failureOf(error, request);
  } finally {
    socket.destroy();
    end(sql);
  }
}

function end(sql: Sql): void {
  sql.end({ timeout: 0 }).catch(() => {});
}

function driverOptions(
  { host, port, database, username, password, timeLeft }: ConnectionRequest,
  stream: Duplex,
): Options<Record<string, PostgresType>> {
  let given = false;
  return {
    // All that the driver would otherwise take from its environment.
    host,
    port,
    database: database || username,
    username,
    password,
    ssl: false,
    // The driver dials again when a connection ends early.
    socket: () => {
      if (given) throw new ConnectionFailure("unsupported_server");
      given = true;
      return stream;
    },
    max: 1,
    prepare: false,
    fetch_types: false,
    connect_timeout: Math.ceil(timeLeft() / 1000),
    idle_timeout: 0,
    max_lifetime: null,
    connection: { application_name: "nectar" },
    onnotice: () => {},
  } as Options<Record<string, PostgresType>>;
}

const sslRequest = Uint8Array.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

async function openChannel(
  request: ConnectionRequest,
): Promise<{ stream: Duplex; tls: TlsFacts | null; tlsTime: number | null }> {
  const { tls: { mode }, signal, clock } = request;
  const socket = await request.dial();
  socket.on("error", () => {});
  if (mode === "disable") return { stream: socket, tls: null, tlsTime: null };
  try {
    const begun = clock();
    const answer = await untilAborted(signal, askForTls(socket));
    if (answer === "N") throw new ConnectionFailure("tls_failed", { reason: "not_offered" });
    // Bytes right behind the answer were not encrypted, and could be anybody's.
    if (answer !== "S") throw new ConnectionFailure("unsupported_server");
    const { stream, facts } = await secure(socket, request);
    return { stream, tls: facts, tlsTime: clock() - begun };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function askForTls(socket: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off("data", onData).off("close", onClose).off("end", onClose);
      socket.pause();
      act();
    };
    const onData = (chunk: Uint8Array) => settle(() => resolve(new TextDecoder("latin1").decode(chunk)));
    const onClose = () => settle(() => reject(new ConnectionFailure("refused")));
    socket.on("data", onData).on("close", onClose).on("end", onClose);
    socket.write(sslRequest);
  });
}

async function readServer({ query }: Session): Promise<ServerFacts> {
  const [{ version = "", banner = "" } = {}] = await query(
    "select pg_catalog.current_setting('server_version') as version, pg_catalog.version() as banner",
  );
  const other = String(banner).match(/^(CockroachDB|Greenplum|EnterpriseDB|YugabyteDB)/)?.[1];
  return { product: other ?? "PostgreSQL", version: printable(version), edition: null };
}

// By SQLSTATE, then by the driver's own codes.
const codes: [RegExp, FailureCode][] = [
  [/^28/, "login_failed"],
  [/^3D000$/, "database_not_found"],
  [/^42501$/, "permission_denied"],
  [/^(53300|57P0[1-3])$/, "refused"],
  [/^(57014|55P03|CONNECT_TIMEOUT)$/, "timeout"],
  [/^SASL_SIGNATURE_MISMATCH$/, "login_failed"],
];

function failureOf(error: unknown, { tls }: ConnectionRequest): ConnectionFailure {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const said = error instanceof Error ? error.message : "";
  // The server's rules have no line for a connection in clear: there is no SQLSTATE of its own for that.
  if (tls.mode === "disable" && /^(28|08)/.test(code) && /no encryption|SSL|insecure/i.test(said)) {
    return new ConnectionFailure("tls_required", { cause: error });
  }
  const found = codes.find(([pattern]) => pattern.test(code))?.[1];
  return new ConnectionFailure(found ?? "unsupported_server", { cause: error });
}
