import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { Running, Worker } from "./worker.ts";

/** What the platform answers instead of a function: https://supabase.com/docs/guides/functions/error-codes */
const refusals = {
  NOT_FOUND: [404, "Requested function was not found"],
  WORKER_ERROR: [500, "Function exited due to an error (please check logs)"],
  BOOT_ERROR: [503, "Function failed to start (please check logs)"],
  IDLE_TIMEOUT: [504, "Function did not answer within the request limit"],
} as const;

export function refuse(outgoing: ServerResponse, code: keyof typeof refusals): void {
  if (outgoing.headersSent) {
    // Half an answer cannot be taken back; a cut connection at least cannot be taken for a whole one.
    outgoing.destroy();
    return;
  }
  const [status, message] = refusals[code];
  outgoing.writeHead(status, {
    "content-type": "application/json",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "sb-error-code",
    "sb-error-code": code,
  });
  outgoing.end(JSON.stringify({ code, message }));
}

/**
 * Sends a request to a function and its answer back, both as they come. Whatever happens, `outgoing` is answered or
 * closed.
 */
export async function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  worker: Worker,
  limitMs: number,
): Promise<void> {
  let running: Running;
  try {
    running = await worker.acquire();
  } catch {
    return refuse(outgoing, "BOOT_ERROR");
  }
  if (outgoing.destroyed) return worker.release(running);

  const { instance } = running;
  const request = http.request({
    host: "127.0.0.1",
    port: instance.port,
    agent: instance.agent,
    method: incoming.method,
    path: incoming.url,
    headers: {
      ...endToEnd(incoming.headers),
      // Without it Node would send a DELETE's streamed body unframed.
      ...(incoming.headers["transfer-encoding"] && { "transfer-encoding": "chunked" }),
    },
  });
  const limit = setTimeout(() => {
    // It may be in an endless loop, and then answers nobody else either.
    worker.retire(running);
    refuse(outgoing, "IDLE_TIMEOUT");
  }, limitMs);
  const finish = () => {
    clearTimeout(limit);
    request.destroy();
    worker.release(running);
  };
  outgoing.once("close", finish);

  let answered = false;
  request.once("response", (response) => {
    answered = true;
    outgoing.writeHead(response.statusCode ?? 502, endToEnd(response.headers));
    outgoing.flushHeaders();
    pipeline(response, outgoing, () => {});
  });
  request.on("error", (error: NodeJS.ErrnoException) => {
    // A function may answer without reading all of a body: the rest is of no interest.
    incoming.unpipe(request).resume();
    if (answered || outgoing.destroyed || outgoing.writableEnded) return;
    if (error.code !== "ECONNREFUSED") return refuse(outgoing, "WORKER_ERROR");
    // The process is ending. Nothing was sent to it: the next one takes the request.
    outgoing.off("close", finish);
    finish();
    void instance.kill().then(() => forward(incoming, outgoing, worker, limitMs));
  });
  request.once("socket", (socket) => {
    const send = () => incoming.pipe(request);
    if (socket.connecting) socket.once("connect", send);
    else send();
  });
}

const betweenNeighbours = [
  "connection",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** The headers that are meant for the other end, not for the next hop. */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const listed = headers.connection?.toLowerCase().split(/\s*,\s*/) ?? [];
  const dropped = new Set([...betweenNeighbours, ...listed]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}
