import { badJson, validationFailed } from "./auth-errors.ts";

/** The fields of a request's JSON body. */
export type Fields = Record<string, unknown>;

const TEXT_FIELDS = [
  ...[
    "email",
    "password",
    "phone",
    "token",
    "token_hash",
    "type",
    "refresh_token",
    "auth_code",
    "code_verifier",
  ],
  ...["role", "aud", "id", "ban_duration", "new_email", "password_hash", "redirect_to", "nonce"],
];
const OBJECT_FIELDS = ["data", "user_metadata", "app_metadata"];

/** Reads the body; undefined when there is none. @throws AuthError when GoTrue could not read it either. */
export function parseAuthBody(request: Request, body: Uint8Array): Fields | undefined {
  if (request.method === "GET" || request.method === "HEAD" || body.byteLength === 0) return undefined;
  const fields = parse(new TextDecoder().decode(body));
  if (fields === null || typeof fields !== "object" || Array.isArray(fields)) {
    throw badJson(`json: cannot unmarshal ${kind(fields)} into Go value`);
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined) continue;
    const fits =
      (TEXT_FIELDS.includes(name) && typeof value === "string") ||
      (OBJECT_FIELDS.includes(name) && kind(value) === "object") ||
      !(TEXT_FIELDS.includes(name) || OBJECT_FIELDS.includes(name));
    if (!fits) throw badJson(`json: cannot unmarshal ${kind(value)} into Go struct field .${name}`);
  }
  if (JSON.stringify(fields).includes("\\u0000"))
    throw validationFailed("Text must not contain a null character");
  for (const name of ["email", "new_email"]) {
    if (String(fields[name as keyof typeof fields] ?? "").length > 255)
      throw validationFailed("An email address is too long");
  }
  return fields as Fields;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badJson("invalid JSON");
  }
}

const kind = (value: unknown): string =>
  Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
