import { createHash, timingSafeEqual } from "node:crypto";
import type { ProjectKeys } from "../keys.ts";
import { json } from "./replies.ts";

/** Who calls, as far as the API key and the bearer token say; the token is not verified yet. */
export interface Credentials {
  /** The role of the API key. */
  role: "anon" | "service_role";
  /** The user's token, if one was sent. */
  token: string | undefined;
  /** What stands after `Bearer`, even if it is the API key itself. */
  bearer: string | undefined;
}

/** Reads the API key from the header `apikey` or the query, or answers as the platform's gateway does. */
export function readCredentials(request: Request, url: URL, keys: ProjectKeys): Credentials | Response {
  const apiKey = request.headers.get("apikey") ?? url.searchParams.get("apikey");
  if (!apiKey) {
    return refused("UNAUTHORIZED_MISSING_API_KEY", {
      message: "No API key found in request",
      hint: "No `apikey` request header or url param was found.",
    });
  }
  const secret = same(apiKey, keys.secretKey);
  if (!secret && !same(apiKey, keys.publishableKey)) {
    return refused("UNAUTHORIZED_INVALID_API_KEY", {
      message: "Invalid API key",
      hint: "Double check your Supabase `apikey`",
    });
  }
  if (secret && BROWSER.test(request.headers.get("user-agent") ?? "")) {
    return refused("UNAUTHORIZED_INVALID_API_KEY_TYPE", {
      message: "Forbidden use of secret API key in browser",
    });
  }
  const bearer = /^Bearer\s+(.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1]?.trim();
  // supabase-js sends the API key as bearer when nobody is signed in.
  const token = bearer === undefined || bearer === apiKey || bearer.startsWith("sb_") ? undefined : bearer;
  return { role: secret ? "service_role" : "anon", token, bearer };
}

const BROWSER = /^\s*Mozilla\s*\/\s*5\s*\.\s*0/i;

function refused(code: string, body: { message: string; hint?: string }): Response {
  return json(401, body, { "sb-error-code": code });
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
