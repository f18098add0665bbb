import { AsyncLocalStorage } from "node:async_hooks";
import type { WriteAst } from "./rest-values.ts";
import type { Claims } from "./tokens.ts";

/** One request to `/rest/v1`, as its SQL needs it. */
export interface RestRequest {
  claims: Claims & { role: string };
  method: string;
  path: string;
  headers: Headers;
  query: URLSearchParams;
  /** The parsed JSON body, no digit lost. */
  body: unknown;
  csv: boolean;
  stripNulls: boolean;
  ast?: WriteAst;
  /** The rows of an insert, as JSON, where PostgreSQL can take them as they are. */
  rows?: string;
  /** Filled while a CSV answer is read: the rows as PostgreSQL writes them. */
  csvRows: string[];
}

/** The request that the running code serves. */
export const restRequests = new AsyncLocalStorage<RestRequest>();
