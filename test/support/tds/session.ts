import type { Socket } from "node:net";
import { type Login, readLogin7 } from "./login7.ts";
import { createPacketReader, packetType, toPackets } from "./packets.ts";
import { encryption, negotiate, readPreloginEncryption, writePrelogin } from "./prelogin.ts";
import type { SeenLogin, TdsServerOptions } from "./server.ts";
import { type ServerTls, startServerTls } from "./tls.ts";
import {
  attentionToken,
  doneToken,
  errorToken,
  failedToken,
  loggedIn,
  type Rowset,
  routingToken,
  rowsetTokens,
  type ServerError,
  transactionToken,
} from "./tokens.ts";

type Settings = TdsServerOptions &
  Required<Pick<TdsServerOptions, "users" | "databases" | "encryption" | "strict" | "identity">>;

const tlsHandshake = 0x16;

/** Serves one client until either side closes. */
export function serveSession(
  socket: Socket,
  settings: Settings,
  seen: { logins: SeenLogin[]; statements: string[] },
): void {
  const { fault, delays = {} } = settings;
  let tls: ServerTls | undefined;
  let state: "start" | "handshake" | "tls" | "plain" = "start";
  let loginOnly = false;
  let write = (bytes: Buffer) => void socket.write(bytes);

  const answer = (payload: Buffer, type: number = packetType.result) => write(toPackets(type, payload));
  const messages = createPacketReader((type, payload) => {
    if (type === packetType.prelogin) onPrelogin(payload);
    else if (type === packetType.login7) after(delays.login, () => onLogin(readLogin7(payload)));
    else if (type === packetType.batch) after(delays.query, () => onBatch(payload));
    else if (type === packetType.attention) answer(attentionToken());
    else socket.destroy();
  });

  socket.on("data", (chunk) => {
    try {
      if (fault !== "silent") onBytes(chunk);
    } catch {
      socket.destroy();
    }
  });

  function onBytes(chunk: Buffer) {
    if (state === "start" && chunk[0] === tlsHandshake) {
      if (!settings.strict) return void socket.destroy();
      secure("first");
      state = "tls";
    }
    // The first record that is not wrapped ends the handshake.
    if (state === "handshake" && messages.atStart() && chunk[0] !== packetType.prelogin) state = "tls";
    if (fault === "reset_on_hello" && state !== "start") return void socket.resetAndDestroy();
    if (state === "tls") tls?.records.write(chunk);
    else messages.read(chunk);
  }

  function secure(kind: "inside" | "first") {
    if (fault === "reset_in_tls") return void socket.resetAndDestroy();
    if (fault === "silent_in_tls") return;
    tls = startServerTls(socket, settings.identity, kind);
    const { plain } = tls;
    plain.on("secure", () => {
      write = (bytes) => void plain.write(bytes);
    });
    plain.on("data", (bytes: Buffer) => messages.read(bytes));
  }

  function onPrelogin(payload: Buffer) {
    if (state === "handshake") return void tls?.records.write(payload);
    if (fault === "reset_on_prelogin") return void socket.resetAndDestroy();
    if (fault === "garbage") return write(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
    // A first packet that never ends its message.
    if (fault === "endless_prelogin") return write(Buffer.from([4, 0, 0, 9, 0, 0, 1, 0, 0]));
    const wish = readPreloginEncryption(payload);
    const reply = state === "tls" ? encryption.on : negotiate(wish, settings.encryption);
    after(delays.prelogin, () => {
      answer(writePrelogin(reply, [16, 0, 4100]));
      if (state === "tls" || wish === encryption.not_supported || reply === encryption.not_supported) return;
      loginOnly = reply === encryption.off;
      state = "handshake";
      secure("inside");
    });
  }

  function onLogin(login: Login) {
    seen.logins.push({ ...login, tls: tls?.plain.getProtocol() ?? null });
    if (fault === "reset_on_login") return void socket.resetAndDestroy();
    if (fault === "silent_on_login") return;
    if (loginOnly) {
      state = "plain";
      write = (bytes) => void socket.write(bytes);
    }
    const errors = settings.loginErrors ?? loginErrors(login);
    if (errors.length > 0) {
      answer(Buffer.concat([...errors.map(errorToken), failedToken()]));
      return after(settings.closeDelay, () => void socket.end());
    }
    const route = settings.routing ? [routingToken(settings.routing)] : [];
    answer(Buffer.concat([...route, loggedIn(login.database || "master", settings.packetSize)]));
  }

  function loginErrors({ user, password, database }: Login): ServerError[] {
    const failed = { number: 18456, message: `Login failed for user '${user}'.` };
    // Azure's gateway takes user@server too.
    if (settings.users[user.replace(/@.*$/, "")] !== password) return [failed];
    const known = settings.databases.some(
      (name) => name.toLowerCase() === (database || "master").toLowerCase(),
    );
    if (known) return [];
    return [{ number: 4060, class: 11, message: `Cannot open database "${database}".` }, failed];
  }

  function onBatch(payload: Buffer) {
    const statement = payload.subarray(payload.readUInt32LE(0)).toString("utf16le");
    seen.statements.push(statement);
    // The driver's own statements, before the client's.
    const begun = fault === "begins_transaction" ? transactionToken() : Buffer.alloc(0);
    if (/^\s*set /i.test(statement)) return answer(Buffer.concat([begun, doneToken()]));
    if (fault === "reset_on_query") return void socket.resetAndDestroy();
    if (fault === "silent_on_query") return;
    if (fault === "endless_errors") return pour(errorToken({ number: 50_000, message: "" }));
    // A client that has kept what nobody asked for.
    if (fault === "begins_transaction" && payload.readBigUInt64LE(10) !== 0n) return void socket.destroy();
    answer(result(settings.answers?.find(([pattern]) => pattern.test(statement))?.[1]));
  }

  /** One message, of the same token for as long as the client takes it. */
  function pour(token: Buffer) {
    const tokens = Buffer.concat(Array.from({ length: 100 }, () => token));
    const packet = toPackets(packetType.result, tokens, 32_767);
    // Not the last one.
    packet[1] = 0;
    const more = () => {
      while (!socket.destroyed && socket.write(packet));
    };
    socket.on("drain", more);
    more();
  }

  function result(found: Rowset | { error: ServerError } | undefined): Buffer {
    const unknown = { error: { number: 102, class: 15, message: "Incorrect syntax." } };
    const reply = found ?? unknown;
    return "error" in reply ? Buffer.concat([errorToken(reply.error), failedToken()]) : rowsetTokens(reply);
  }

  function after(delay: number | undefined, act: () => void) {
    if (!delay) return act();
    const timer = setTimeout(act, delay);
    socket.once("close", () => clearTimeout(timer));
  }
}
