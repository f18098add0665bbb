import type { IncomingMessage, ServerResponse } from "node:http";

const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** The body is larger than this gateway takes. */
export class TooLarge extends Error {}

/** The request without its body; undefined when its target is not a URL. */
export function requestOf(incoming: IncomingMessage, base: string): Request | undefined {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  try {
    const target = incoming.url ?? "/";
    decodeURIComponent(target.replaceAll("+", " "));
    const url = new URL(target.replace(/^\/+/, "/"), base);
    return new Request(url, { method: incoming.method ?? "GET", headers });
  } catch {
    return undefined;
  }
}

/** Reads the whole body. @throws TooLarge */
export async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Writes `response` with `headers` instead of its own. */
export async function send(
  outgoing: ServerResponse,
  response: Response,
  headers: Headers,
  bodiless: boolean,
): Promise<void> {
  const body = bodiless ? undefined : Buffer.from(await response.arrayBuffer());
  const { status } = response;
  if (body && status !== 204 && status !== 304) headers.set("content-length", String(body.byteLength));
  for (const [name, value] of headers) outgoing.appendHeader(name, value);
  outgoing.writeHead(status);
  outgoing.end(body);
}
