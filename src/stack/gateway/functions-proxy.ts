import type { IncomingMessage, ServerResponse } from "node:http";

/** Serves edge functions: a request's path begins with the function's name. */
export interface FunctionHost {
  handle(incoming: IncomingMessage, outgoing: ServerResponse): void;
}

/** Hands a request for `/functions/v1/<name>/…` to the host as `/<name>/…`; bodies are streamed both ways. */
export function forwardToFunctions(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  functions: FunctionHost | undefined,
): void {
  const path = (incoming.url ?? "").slice("/functions/v1".length);
  if (!functions || /^\/*(\?|$)/.test(path)) {
    outgoing.writeHead(404, { "content-type": "application/json", "access-control-allow-origin": "*" });
    outgoing.end(JSON.stringify({ code: "NOT_FOUND", message: "Requested function was not found" }));
    return;
  }
  incoming.url = path;
  incoming.headers["x-forwarded-host"] = incoming.headers.host ?? "";
  incoming.headers["x-forwarded-proto"] = "http";
  // What a client says of itself here is not to be believed.
  incoming.headers["x-forwarded-for"] = incoming.socket.remoteAddress ?? "";
  functions.handle(incoming, outgoing);
}
