import { Binary } from "bson";
import { badValue, failure } from "./errors.ts";
import type { Database } from "./storage/database.ts";
import { noTransaction, type Transaction, type Transactions } from "./storage/transactions.ts";
import { type Document, encode, isDocument, isNumber } from "./values.ts";

interface Session {
  /** Of the latest retryable write or transaction. */
  number: bigint;
  /** What the retryable write answered, or that the transaction was committed. */
  reply: Uint8Array | undefined;
  transaction: Transaction | undefined;
  begun: number;
  touched: number;
}

/** How a command stands in its session. */
export interface Membership {
  session: string | undefined;
  transaction: Transaction | undefined;
  /** The number of a write that may be sent twice. */
  retryable: bigint | undefined;
  /** What the same write has answered before. */
  answered: Uint8Array | undefined;
}

/** Sessions: retried writes are done once, also when the server was killed in between, and transactions belong to one. */
export interface Sessions {
  enter(command: Document, name: string): Membership;
  /** Remembers what a retryable write answered, together with the write. */
  remember(session: string, number: bigint, reply: Uint8Array): void;
  commit(command: Document): Document;
  abort(command: Document): Document;
  /** A command of the transaction has failed, and with it the transaction. */
  fail(session: string): void;
  end(ids: unknown): string[];
  /** Aborts transactions that last too long, and forgets sessions. */
  expire(now: number): void;
}

const TRANSACTION_MS = 60_000;
const SESSION_MS = 30 * 60_000;
const COMMITTED = encode({ ok: 1 });

export function createSessions(database: Database, transactions: Transactions): Sessions {
  const sessions = new Map<string, Session>();
  for (const [id, number, reply, touched] of database.all("select id, number, reply, at from sessions")) {
    sessions.set(Buffer.from(id as Uint8Array).toString("hex"), {
      number: BigInt(number as number),
      reply: (reply as Uint8Array | null) ?? undefined,
      transaction: undefined,
      begun: 0,
      touched: touched as number,
    });
  }

  function sessionOf(id: string): Session {
    let session = sessions.get(id);
    if (!session) {
      session = { number: -1n, reply: undefined, transaction: undefined, begun: 0, touched: 0 };
      sessions.set(id, session);
    }
    session.touched = Date.now();
    return session;
  }

  function save(id: string, { number, reply, touched }: Session): void {
    database.begin();
    database.run(
      "insert or replace into sessions values (?, ?, ?, ?)",
      Buffer.from(id, "hex"),
      Number(number),
      reply ?? null,
      touched,
    );
  }

  /** A number older than the session's latest is a message that has strayed. */
  function advance(id: string, number: bigint): Session {
    const session = sessionOf(id);
    if (number < session.number) {
      throw failure(
        225,
        `Cannot start transaction ${number} on session ${id} because a newer transaction ${session.number} has already started.`,
      );
    }
    if (number === session.number) return session;
    if (session.transaction) transactions.abort(session.transaction);
    Object.assign(session, { number, reply: undefined, transaction: undefined });
    return session;
  }

  function ending(command: Document): { session: Session; id: string; number: bigint } {
    const id = sessionId(command["lsid"]);
    const number = transactionNumber(command["txnNumber"]);
    if (id === undefined || number === undefined || command["autocommit"] !== false) {
      throw failure(50768, "commitTransaction and abortTransaction must be run within a transaction");
    }
    const session = sessions.get(id);
    if (!session || session.number !== number) throw noTransaction(number);
    return { session, id, number };
  }

  function enter(command: Document, name: string): Membership {
    const id = sessionId(command["lsid"]);
    const number = transactionNumber(command["txnNumber"]);
    if (command["autocommit"] === undefined) {
      if (command["startTransaction"] !== undefined)
        throw failure(72, "startTransaction needs autocommit: false");
      if (number === undefined) {
        if (id !== undefined) sessionOf(id);
        return { session: id, transaction: undefined, retryable: undefined, answered: undefined };
      }
      if (id === undefined)
        throw failure(72, "Transaction number requires a session ID to also be specified");
      if (!RETRYABLE.has(name))
        throw failure(
          50768,
          `txnNumber may only be provided for multi-document transactions and retryable write commands. '${name}' is neither`,
        );
      const session = advance(id, number);
      if (session.transaction) throw failure(117, "A transaction with this number is in progress");
      return { session: id, transaction: undefined, retryable: number, answered: session.reply };
    }
    if (command["autocommit"] !== false) throw failure(72, "Specifying autocommit=true is not allowed");
    if (id === undefined || number === undefined)
      throw failure(72, "A transaction needs a session and a transaction number");
    if (command["startTransaction"] === true) {
      if (sessions.get(id)?.number === number)
        throw failure(117, `Transaction ${number} has been started already`);
      const session = advance(id, number);
      session.transaction = transactions.start();
      session.begun = Date.now();
      return { session: id, transaction: session.transaction, retryable: undefined, answered: undefined };
    }
    const session = sessions.get(id);
    if (session?.number !== number || !session.transaction) {
      if (session?.number === number && session.reply)
        throw failure(256, `Transaction ${number} has been committed`);
      throw noTransaction(number);
    }
    session.touched = Date.now();
    return { session: id, transaction: session.transaction, retryable: undefined, answered: undefined };
  }

  return {
    enter,
    remember(id, number, reply) {
      const session = sessionOf(id);
      session.number = number;
      session.reply = reply;
      save(id, session);
    },
    commit(command) {
      const { session, id, number } = ending(command);
      const { transaction } = session;
      if (!transaction) {
        if (session.reply) return { ok: 1 }; // asked again, because the first answer was lost
        throw noTransaction(number);
      }
      session.transaction = undefined;
      transactions.commit(transaction);
      session.reply = COMMITTED;
      save(id, session);
      return { ok: 1 };
    },
    abort(command) {
      const { session, number } = ending(command);
      if (!session.transaction) {
        if (session.reply) throw failure(256, `Transaction ${number} has been committed`);
        throw noTransaction(number);
      }
      transactions.abort(session.transaction);
      session.transaction = undefined;
      return { ok: 1 };
    },
    fail(id) {
      const session = sessions.get(id);
      if (!session?.transaction) return;
      transactions.abort(session.transaction);
      session.transaction = undefined;
    },
    end(ids) {
      if (!Array.isArray(ids)) throw badValue("A list of sessions is needed");
      return ids.flatMap((each) => {
        const id = sessionId(each);
        const session = id === undefined ? undefined : sessions.get(id);
        if (id === undefined || !session) return [];
        if (session.transaction) transactions.abort(session.transaction);
        session.transaction = undefined;
        return [id];
      });
    },
    expire(now) {
      for (const [id, session] of sessions) {
        if (session.transaction && now - session.begun > TRANSACTION_MS) {
          transactions.abort(session.transaction);
          session.transaction = undefined;
        }
        if (session.transaction || now - session.touched <= SESSION_MS) continue;
        sessions.delete(id);
        database.begin();
        database.run("delete from sessions where id = ?", Buffer.from(id, "hex"));
      }
    },
  };
}

const RETRYABLE = new Set(["insert", "update", "delete", "findAndModify", "bulkWrite"]);

function sessionId(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const id: unknown = isDocument(value) ? value["id"] : undefined;
  if (!(id instanceof Binary) || id.position !== 16) throw badValue("A session's id must be a UUID");
  return Buffer.from(id.buffer.subarray(0, 16)).toString("hex");
}

function transactionNumber(value: unknown): bigint | undefined {
  if (value === undefined) return undefined;
  if (!isNumber(value)) throw failure(14, "txnNumber must be a long");
  const number = BigInt(value.toString());
  if (number < 0n || number > BigInt(Number.MAX_SAFE_INTEGER)) throw badValue("txnNumber is out of range");
  return number;
}
