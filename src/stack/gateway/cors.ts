const METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS";
const EXPOSED =
  "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Preference-Applied, " +
  "Range-Unit, Server, Transfer-Encoding, X-Total-Count, Link, X-Supabase-Api-Version, X-Sb-Error-Code, Sb-Error-Code";

/** The answer to a browser's question whether it may send a request; undefined when `request` is none. */
export function preflight(request: Request): Response | undefined {
  if (request.method !== "OPTIONS" || !request.headers.has("access-control-request-method")) return undefined;
  return new Response(null, {
    status: 200,
    headers: {
      "access-control-allow-methods": METHODS,
      "access-control-allow-headers":
        request.headers.get("access-control-request-headers") ?? "authorization, apikey, content-type",
      "access-control-max-age": "3600",
    },
  });
}

/** Lets any origin read the answer, as the platform's REST and Auth do. */
export function allowAnyOrigin(headers: Headers): void {
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", EXPOSED);
  headers.delete("access-control-allow-credentials");
}
