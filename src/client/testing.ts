/** A fetch that answers from a table of paths and keeps what it was asked. */
export function createFakeFetch(answers: Record<string, (request: Request) => Response | Promise<Response>>) {
  const requests: Request[] = [];
  const fake: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    requests.push(request);
    const { pathname } = new URL(request.url);
    const answer = answers[pathname];
    if (!answer) throw new TypeError(`fetch failed: nothing answers at ${pathname}`);
    return await answer(request);
  };
  return {
    fetch: fake,
    requests,
    at: (path: string) => requests.filter(({ url }) => new URL(url).pathname === path),
  };
}

/** A token that looks like one of the auth server's and ends at `expiresAt` (seconds since 1970). */
export function fakeToken(
  claims: Record<string, unknown>,
  expiresAt = Math.floor(Date.now() / 1000) + 3600,
): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return `${encode({ alg: "ES256", kid: "k" })}.${encode({ sub: "u", exp: expiresAt, ...claims })}.c2ln`;
}
