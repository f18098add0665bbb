import type { Duplex } from "node:stream";
import type { Connection as Driver, ConnectionOptions } from "mysql2";
import { z } from "zod";
import type { ConnectionRequest, Engine, EnginePhases, ServerFacts, TlsFacts } from "../engine.ts";
import { ConnectionFailure, type FailureCode } from "../failures.ts";
import { assembleSnapshot, type CatalogueRow, type CatalogueRows } from "../introspection/assemble.ts";
import { concat, empty } from "./bytes.ts";
import { driverSocket } from "./driver-socket.ts";
import { mysqlCatalogue } from "./mysql-catalogue.ts";
import { printable } from "./printable.ts";
import { rowKeeper } from "./rows.ts";
import { secure } from "./tls/secure.ts";
import { untilAborted } from "./until-aborted.ts";

const options = z.strictObject({});

/** MySQL, MariaDB and what speaks their protocol, by mysql2. */
export const mysql: Engine = {
  name: "mysql",
  title: "MySQL",
  defaultPort: 3306,
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
      const left = request.timeLeft();
      await session.query(
        server.product === "MariaDB"
          ? `set session max_statement_time = ${Math.ceil(left / 1000)}`
          : `set session max_execution_time = ${Math.ceil(left)}`,
      );
      await session.query("start transaction read only");
      const [{ name = request.database } = {}] = await session.query("select database() as name");
      const queries = mysqlCatalogue(limits);
      const rows: CatalogueRows = {
        schemas: await session.query(queries.schemas),
        tables: await session.query(queries.tables),
        columns: await session.query(queries.columns),
        indexes: await session.query(queries.indexes),
        foreignKeys: await session.query(queries.foreignKeys),
      };
      return await assembleSnapshot({ engine: "mysql", server, database: String(name ?? "") }, rows, limits);
    }),
};

interface Session {
  tls: TlsFacts | null;
  phases: Omit<EnginePhases, "query">;
  query: (statement: string) => Promise<CatalogueRow[]>;
}

/** The part of the driver that its own TLS stands on; its types leave it out. */
interface Upgradable {
  startTLS: (onSecure: (error?: Error) => void) => void;
}

async function withSession<T>(
  request: ConnectionRequest,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { createConnection } = await import("mysql2");
  const { signal, clock } = request;
  const socket = await request.dial();
  const begun = clock();
  let tls: TlsFacts | null = null;
  const alone = request.tls.mode === "disable" ? () => true : greetingAlone();
  let sinceRow = 0;
  const bearable = (heard: Uint8Array) => {
    sinceRow += heard.length;
    return sinceRow <= mostBetweenRows && (tls !== null || alone(heard));
  };
  const driver = driverSocket(socket, { mostBytes: request.mostBytes, bearable });
  const connection = createConnection(driverOptions(request, driver.socket));
  let tlsTime: number | null = null;
  let tlsFailure: unknown;
  // One TLS for all engines, that checks and classifies in one way; the driver's own fails on Deno before 2.5.
  (connection as unknown as Upgradable).startTLS = (onSecure) => {
    const asked = clock();
    driver.release();
    secureChannel(request, socket).then(({ stream, facts }) => {
      tls = facts;
      tlsTime = clock() - asked;
      driver.moveTo(stream);
      onSecure();
    }).catch((error) => {
      tlsFailure = error;
      // The driver writes on the error that it is given.
      onSecure(new Error("TLS failed."));
    });
  };

  let onFailure: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => onFailure = reject);
  failure.catch(() => {});
  connection.on("error", onFailure);
  driver.socket.once("close", () => onFailure(new Error("closed")));
  try {
    const login = new Promise<void>((resolve, reject) => {
      connection.connect((error) => error ? reject(error) : resolve());
    });
    await untilAborted(signal, Promise.race([login, failure]));
    return await work({
      tls,
      phases: { tls: tlsTime, login: clock() - begun - (tlsTime ?? 0) },
      query: (statement) => {
        const hangUp = () => void driver.socket.destroy();
        const rows = query(connection, statement, hangUp, () => void (sinceRow = 0));
        return untilAborted(signal, Promise.race([rows, failure]));
      },
    });
  } catch (error) {
    if (tlsFailure instanceof ConnectionFailure) throw tlsFailure;
    throw error instanceof ConnectionFailure ? error : failureOf(error);
  } finally {
    connection.destroy();
    driver.socket.destroy();
    socket.destroy();
  }
}

// A result has as many columns as a server likes, and the driver keeps what it says of each.
const mostBetweenRows = 256 * 1024;
const longestGreeting = 4096;

/**
 * Before TLS a server greets, and waits. What came right behind could be anybody's, and the driver would answer it: with
 * the password, in clear.
 */
function greetingAlone(): (heard: Uint8Array) => boolean {
  let said: Uint8Array = empty;
  return (heard) => {
    said = concat([said, heard]);
    const [low = 0, middle = 0, high = 0] = said;
    const end = 4 + (low | middle << 8 | high << 16);
    return said.length < 4 || said.length <= Math.min(end, longestGreeting);
  };
}

function secureChannel(request: ConnectionRequest, socket: Duplex) {
  // The driver asks for TLS only where there is a mode for it.
  if (request.tls.mode === "disable") throw new ConnectionFailure("unsupported_server");
  return secure(socket, request);
}

function driverOptions(
  { host, port, database, username, password, tls, timeLeft }: ConnectionRequest,
  stream: Duplex,
): ConnectionOptions {
  return {
    stream,
    host,
    port,
    user: username,
    password,
    ...(database ? { database } : {}),
    ...(tls.mode === "disable" ? {} : { ssl: {} }),
    connectTimeout: Math.ceil(timeLeft()),
    // A server may ask its client for any file of its machine, and for the password in clear.
    flags: ["-LOCAL_FILES"],
    enableCleartextPlugin: false,
    multipleStatements: false,
    // No code is made of the names of the server's columns.
    disableEval: true,
    connectAttributes: { program_name: "nectar" },
  } as ConnectionOptions;
}

function query(
  connection: Driver,
  statement: string,
  hangUp: () => void,
  heard: () => void,
): Promise<CatalogueRow[]> {
  return new Promise((resolve, reject) => {
    const { rows, keep } = rowKeeper(hangUp);
    connection.query(statement)
      .on("error", reject)
      // Also for what has no rows: then with a header, that nobody reads.
      .on("result", (row) => {
        heard();
        keep(row as CatalogueRow);
      })
      .on("end", () => resolve(rows));
  });
}

async function readServer({ query }: Session): Promise<ServerFacts> {
  const [{ version = "", comment = "" } = {}] = await query(
    "select version() as version, @@version_comment as comment",
  );
  const maria = /mariadb/i.test(`${version} ${comment}`);
  return {
    product: maria ? "MariaDB" : "MySQL",
    // Old clients take 5.5.5 for a version that they know.
    version: printable(String(version).replace(/^5\.5\.5-(?=\d)/, "")),
    edition: comment ? printable(comment, 200) : null,
  };
}

// By the server's error number, then by the driver's own codes.
const codes: [RegExp, FailureCode][] = [
  [/^(1045|1698|1862|1820|3118|3955|4151|1130|1524)$/, "login_failed"],
  [/^(1044|1049)$/, "database_not_found"],
  [/^(1142|1143|1227|1356|1370)$/, "permission_denied"],
  [/^3159$/, "tls_required"],
  [/^(1040|1129|1203|1226)$/, "refused"],
  [/^(1205|1969|3024|ETIMEDOUT)$/, "timeout"],
];

function failureOf(error: unknown): ConnectionFailure {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  if (code === "HANDSHAKE_NO_SSL_SUPPORT") {
    return new ConnectionFailure("tls_failed", { reason: "not_offered", cause: error });
  }
  const found = codes.find(([pattern]) => pattern.test(String(errno)) || pattern.test(String(code)))?.[1];
  return new ConnectionFailure(found ?? "unsupported_server", { cause: error });
}
