import { z } from "zod";
import type { Connection as Driver, ConnectionConfiguration, Request as DriverRequest } from "tedious";
import type { ConnectionRequest, Engine, EnginePhases, ServerFacts, TlsFacts } from "../engine.ts";
import { ConnectionFailure, type FailureCode } from "../failures.ts";
import { assembleSnapshot, type CatalogueRow, type CatalogueRows } from "../introspection/assemble.ts";
import { mssqlCatalogue } from "./mssql-catalogue.ts";
import { printable } from "./printable.ts";
import { rowKeeper } from "./rows.ts";
import { findInstancePort } from "./tds/browser.ts";
import { type Channel, openChannel } from "./tds/channel.ts";
import type { LocalPair } from "./tls/secure.ts";
import { untilAborted } from "./until-aborted.ts";

const options = z.strictObject({
  /** A named instance: the SQL Server Browser is asked for its port. */
  instance: z.string().regex(/^[A-Za-z_#][\w#$]{0,15}$/).optional(),
  application_intent: z.enum(["read_only", "read_write"]).optional(),
});

export interface MssqlSettings {
  localPair: LocalPair;
  /** UDP port of the SQL Server Browser. */
  browserPort: number;
}

/** SQL Server and Azure SQL, by tedious. `settings` are for tests. */
export function createMssql(settings: Partial<MssqlSettings> = {}): Engine {
  const { localPair, browserPort = 1434 } = settings;
  return {
    name: "mssql",
    title: "SQL Server",
    defaultPort: 1433,
    tlsModes: ["disable", "require", "verify-ca", "verify-full", "strict"],
    options,
    async findPort({ address, options: given, signal }) {
      const { instance } = options.parse(given);
      return instance === undefined
        ? undefined
        : await findInstancePort(address, instance, browserPort, signal);
    },
    test: (request) =>
      withSession(request, localPair, async (session) => {
        const begun = request.clock();
        const server = await readServer(session);
        return {
          server,
          tls: session.tls,
          phases: { ...session.phases, query: request.clock() - begun },
        };
      }),
    introspect: (request, limits) =>
      withSession(request, localPair, async (session) => {
        const server = await readServer(session);
        await session.query("set lock_timeout 5000");
        const [{ name: database = request.database } = {}] = await session.query("select db_name() as name");
        const queries = mssqlCatalogue(limits);
        const rows: CatalogueRows = {
          schemas: await session.query(queries.schemas),
          tables: await session.query(queries.tables),
          columns: await session.query(queries.columns),
          indexes: await session.query(queries.indexes),
          foreignKeys: await session.query(queries.foreignKeys),
        };
        const described = { engine: "mssql" as const, server, database: String(database) };
        return await assembleSnapshot(described, rows, limits);
      }),
  };
}

export const mssql: Engine = createMssql();

// Of one statement, or of the login: servers have a handful.
const mostErrors = 100;

/** The driver passes the target along, which differs from the first one after a redirect; its types do not say so. */
type Connector = NonNullable<NonNullable<ConnectionConfiguration["options"]>["connector"]>;

interface Session {
  tls: TlsFacts | null;
  phases: Omit<EnginePhases, "query">;
  query: (statement: string) => Promise<CatalogueRow[]>;
}

async function withSession<T>(
  request: ConnectionRequest,
  localPair: LocalPair | undefined,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const tedious = await import("tedious");
  const { signal, clock } = request;
  const numbers: number[] = [];
  let channel: Channel | undefined;
  let channelFailure: unknown;
  let dials = 0;
  let loginBegun = 0;

  const connector = async (target?: { host: string; port: number }) => {
    try {
      dials++;
      // One hop is what Azure's gateway needs; a server that sends us on and on gets nowhere.
      if (dials > 2) throw new ConnectionFailure("unsupported_server");
      channel = await openChannel(request, dials === 1 ? undefined : target, localPair);
      loginBegun = clock();
      return channel.socket;
    } catch (error) {
      channelFailure = error;
      throw error;
    }
  };
  const connection = new tedious.Connection(
    configuration(request, connector),
  );
  keepPacketSize(connection);
  forgetTransactions(connection);
  // The driver copies all that it has whenever there is one more.
  connection.on("errorMessage", ({ number }) => {
    if (numbers.push(number) > mostErrors) channel?.socket.destroy();
  });
  connection.on("error", () => {});

  const failed = (error: unknown): unknown => {
    if (error instanceof ConnectionFailure) return error;
    if (channelFailure instanceof ConnectionFailure) return channelFailure;
    return new ConnectionFailure(codeOf(error, numbers), { cause: error });
  };
  try {
    await untilAborted(
      signal,
      new Promise<void>((resolve, reject) => {
        connection.connect((error) => error ? reject(error) : resolve());
      }),
    );
    const { tls = null, tlsTime = null } = channel ?? {};
    return await work({
      tls,
      phases: { tls: tlsTime, login: clock() - loginBegun },
      query: (statement) => {
        numbers.length = 0;
        const hangUp = () => void channel?.socket.destroy();
        return untilAborted(signal, query(tedious, connection, statement, hangUp));
      },
    });
  } catch (error) {
    throw failed(error);
  } finally {
    connection.close();
    channel?.socket.destroy();
  }
}

function configuration(
  { host, port, database, username, password, options: given, timeLeft }: ConnectionRequest,
  connector: Connector,
): ConnectionConfiguration {
  const { application_intent } = options.parse(given);
  return {
    server: host,
    authentication: { type: "default", options: { userName: loginName(username, host), password } },
    options: {
      port,
      ...(database ? { database } : {}),
      connector,
      // The channel is encrypted, or must not be, before the driver sees it.
      encrypt: false,
      appName: "Nectar",
      connectTimeout: timeLeft(),
      // The signal ends it. To cancel by itself leaves the driver waiting for an answer that can end the process.
      requestTimeout: 0,
      maxRetriesOnTransientErrors: 0,
      readOnlyIntent: application_intent === "read_only",
      useColumnNames: true,
    },
  };
}

// Of the protocol. With one of eight bytes, all header, the driver would cut its next message for ever.
const packetSizes = { least: 512, most: 32_767 };

/** A server may set the size of the packets that it is sent. The driver takes any; its types do not show where. */
function keepPacketSize(connection: Driver): void {
  type MessageIo = { packetSize: (size?: number) => number };
  let messageIo: MessageIo | undefined;
  Object.defineProperty(connection, "messageIo", {
    configurable: true,
    get: () => messageIo,
    set(created: MessageIo) {
      const set = created.packetSize;
      created.packetSize = function (size) {
        const sound = size !== undefined && size >= packetSizes.least && size <= packetSizes.most;
        return sound ? set.call(this, size) : set.call(this);
      };
      messageIo = created;
    },
  });
}

/** We begin none: a server that speaks of millions would have the driver keep them all. */
function forgetTransactions(connection: Driver): void {
  const { transactionDescriptors: kept } = connection as unknown as { transactionDescriptors: unknown[] };
  kept.push = () => kept.length;
}

/** Azure's older gateways find the server by the login: `user@server`. */
function loginName(username: string, host: string): string {
  const server = host.match(/^([a-z0-9-]+)\.database\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)$/)
    ?.[1];
  return server && !username.includes("@") ? `${username}@${server}` : username;
}

function query(
  { Request }: { Request: typeof DriverRequest },
  connection: Driver,
  statement: string,
  hangUp: () => void,
): Promise<CatalogueRow[]> {
  return new Promise((resolve, reject) => {
    const { rows, keep } = rowKeeper(hangUp);
    const request = new Request(statement, (error) => error ? reject(error) : resolve(rows));
    request.on("row", (columns: Record<string, { value: unknown }>) => {
      keep(Object.fromEntries(Object.entries(columns).map(([name, { value }]) => [name, value])));
    });
    connection.execSqlBatch(request);
  });
}

async function readServer({ query }: Session): Promise<ServerFacts> {
  const [row = {}] = await query(
    `select cast(serverproperty('ProductVersion') as nvarchar(128)) as version,
      cast(serverproperty('Edition') as nvarchar(128)) as edition,
      cast(serverproperty('EngineEdition') as int) as engine`,
  );
  const products: Record<string, string> = {
    5: "Azure SQL Database",
    6: "Azure Synapse Analytics",
    8: "Azure SQL Managed Instance",
    9: "Azure SQL Edge",
  };
  return {
    product: products[String(row["engine"])] ?? "Microsoft SQL Server",
    version: printable(row["version"]),
    edition: row["edition"] ? printable(row["edition"], 200) : null,
  };
}

// The server's error numbers, in the order in which one that is present decides.
const codes: [FailureCode, number[]][] = [
  ["database_not_found", [4060, 4063, 4064, 911, 40508]],
  ["permission_denied", [916, 229, 230, 262, 297, 300, 371]],
  // Azure's firewall, too many sessions, a paused or stopping server.
  ["refused", [40615, 40914, 10928, 10929, 17809, 17810, 17142, 6005, 40197, 40501, 49918, 49919, 49920]],
  // A database that is waking up, a lock that is not given.
  ["timeout", [40613, 42108, 42109, 1222]],
  ["login_failed", [18456, 18452, 18450, 18451, 18461, 18470, 18486, 18487, 18488, 18458, 40532, 40607]],
];

function codeOf(error: unknown, numbers: number[]): FailureCode {
  const number = error instanceof Error && "number" in error ? Number(error.number) : undefined;
  const seen = number === undefined ? numbers : [...numbers, number];
  const found = codes.find(([, known]) => known.some((one) => seen.includes(one)))?.[0];
  if (found) return found;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ETIMEOUT") return "timeout";
  return code === "ELOGIN" ? "login_failed" : "unsupported_server";
}
