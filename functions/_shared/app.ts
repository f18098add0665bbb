import { OpenAPIHono } from "@hono/zod-openapi";
import type { SupabaseContext } from "@supabase/server";
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { Database } from "../../types/database.ts";
import { AppError, type ErrorCode } from "./errors.ts";
import { type Log, logToConsole } from "./log.ts";
import { requestLog } from "./request-log.ts";
import { validationFailed } from "./validation.ts";

/** What a handler finds in `c.var`. */
export interface FunctionEnv {
  Variables: {
    /** Names the request in the answer, the log, and an error report. */
    requestId: string;
    /** The tenant the request is about, once a handler knows: it goes into the log. */
    organizationId?: string;
    /** What the request made, where its path does not say: for the activity log. */
    objectId?: string;
    /** Set when the answer is an error. */
    errorCode?: ErrorCode;
    /** The caller's own client and identity, after `authenticate`. */
    supabaseContext?: SupabaseContext<Database>;
  };
}

/** One edge function: routes with zod schemas, under the function's name. */
export type FunctionApp = OpenAPIHono<FunctionEnv>;

export interface FunctionOptions {
  /** The function's name and first path segment. */
  name: string;
  /** Most bytes of a request body, or `streamed`: the handler counts what it reads. Default 1 MiB. */
  maxBodyBytes?: number | "streamed";
  log?: Log;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

/**
 * Makes the app of one edge function: request ids, one log line per request, CORS, a body limit, and every
 * failure in the one error shape.
 *
 * @example
 * ```ts
 * export const createApp = ({ clock = Date.now }) => {
 *   const app = createFunction({ name: "greeting", clock });
 *   app.openapi(route, (c) => c.json({ at: clock() }, 200));
 *   return app;
 * };
 * ```
 */
export function createFunction(options: FunctionOptions): FunctionApp {
  const { name, maxBodyBytes = 1024 * 1024, log = logToConsole, clock = Date.now } = options;

  const root = new OpenAPIHono<FunctionEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationFailed(result.target, result.error.issues);
    },
  });
  const app: FunctionApp = root.basePath(`/${name}`);

  // On the root, so that a request outside of the function's path has its id and log line too.
  root.use(requestLog({ name, log, clock }));
  root.use(
    cors({
      origin: "*",
      exposeHeaders: ["x-request-id", "retry-after", "etag", "ratelimit", "ratelimit-policy"],
      maxAge: 600,
    }),
  );
  root.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) =>
      writeError(c, new AppError("method_not_allowed", { headers: { allow: methods.join(", ") } })),
  }));
  if (maxBodyBytes !== "streamed") root.use(limitBody(maxBodyBytes));
  app.notFound((c) => writeError(c, new AppError("not_found")));
  app.onError((error, c) => writeError(c, toAppError(error)));
  return app;
}

/** Refuses a body of more bytes, and reads no more of it. For single routes where the app takes streams. */
export function limitBody(maxBodyBytes: number): MiddlewareHandler {
  const limit = bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new AppError("payload_too_large", { details: { max_bytes: maxBodyBytes } });
    },
  });
  // What handlers throw ends before it comes here: this is a body that broke off, which is no fault of ours.
  return (c, next) =>
    limit(c, next).catch((cause) => {
      throw cause instanceof AppError ? cause : new AppError("malformed_body", { cause });
    });
}

/** What Hono and its validators throw by themselves. */
const thrownByHono: Record<number, ErrorCode> = {
  400: "malformed_body",
  415: "unsupported_media_type",
};

function toAppError(error: Error): AppError {
  if (error instanceof AppError) return error;
  const code = error instanceof HTTPException ? thrownByHono[error.status] : undefined;
  return new AppError(code ?? "internal", { cause: error });
}

function writeError<E extends FunctionEnv>(c: Context<E>, error: AppError): Response {
  c.set("errorCode", error.code);
  return c.json(error.toBody(c.var.requestId), error.status, error.headers);
}
