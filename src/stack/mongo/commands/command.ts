import type { Context } from "../engine.ts";
import type { Document } from "../values.ts";

/** An answer: a document, or its bytes where they are at hand. */
export type Reply = Document | Uint8Array;

export interface Command {
  /** The fields it takes, besides those that all commands do. */
  fields: readonly string[];
  run(context: Context, command: Document): Reply;
  /** May be part of a transaction. */
  inTransaction?: true;
  /** Changes documents or collections. */
  writes?: true | ((command: Document) => boolean);
  /** Needs `$db: "admin"`. */
  adminOnly?: true;
}

export type Commands = Record<string, Command>;
