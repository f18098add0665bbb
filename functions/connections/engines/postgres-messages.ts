import { concat, empty, uint16At } from "./bytes.ts";

// PostgreSQL's own default is 4,096. The driver computes them at once, and nothing else runs until it has.
const mostIterations = 1_000_000;

// Besides rows: some twenty settings at the login, four for each statement, and notices. The driver keeps some of them,
// and what it makes of a row's columns is ten times as long.
const mostMessages = 1000;
const longestMessage = 8192;

const headerBytes = 5;
const saslContinue = 11;
// Done, password in clear, MD5, SASL and its end.
const others = [0, 3, 5, 10, 12];
const text = new TextDecoder();

/** All that a server sends to a client that neither copies nor replicates. */
const known = new Set([..."RKSZTDCEINAnst123vV"].map((letter) => letter.charCodeAt(0)));
const dataRow = "D".charCodeAt(0);
const authentication = "R".charCodeAt(0);
const readyForQuery = "Z".charCodeAt(0);

/**
 * Reads a server's messages before the driver does: false for those that it cannot bear. It takes any number of SCRAM's
 * iterations, throws where nobody can catch it when there is none, and writes what it does not know to the console.
 */
export function messageCheck(): (chunk: Uint8Array) => boolean {
  let pending: Uint8Array = empty;
  let toSkip = 0;
  let messages = 0;
  const asked = new Set<number>();
  let ready = false;

  return (chunk) => {
    const skipped = Math.min(toSkip, chunk.length);
    toSkip -= skipped;
    pending = concat([pending, chunk.subarray(skipped)]);
    while (toSkip === 0 && pending.length >= headerBytes) {
      const [type = 0] = pending;
      const end = 1 + int32At(pending, 1);
      if (!known.has(type) || end < headerBytes) return false;
      if (type !== dataRow && end > longestMessage) return false;
      if (type === authentication) {
        if (ready) return false;
        if (pending.length < end) return true;
        const body = pending.subarray(headerBytes, end);
        const code = body.length < 4 ? -1 : int32At(body, 0);
        // The driver would do the work of each as often as it is asked.
        if (asked.has(code) || !isBearable(code, body)) return false;
        asked.add(code);
      }
      if (type !== dataRow && ++messages > mostMessages) return false;
      ready ||= type === readyForQuery;
      toSkip = Math.max(0, end - pending.length);
      pending = pending.subarray(end);
    }
    return true;
  };
}

function isBearable(code: number, body: Uint8Array): boolean {
  if (code !== saslContinue) return others.includes(code);
  const [, iterations] =
    text.decode(body.subarray(4)).match(/^r=[!-+\--~]+,s=[A-Za-z0-9+/]+=*,i=(\d{1,9})$/) ?? [];
  return Number(iterations) >= 1 && Number(iterations) <= mostIterations;
}

const int32At = (bytes: Uint8Array, at: number) => (uint16At(bytes, at) << 16) | uint16At(bytes, at + 2);
