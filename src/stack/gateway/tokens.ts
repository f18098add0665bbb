import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  importJWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import type { ProjectKeys } from "../keys.ts";
import { publicJwks } from "../keys.ts";

/** The claims of an access token. */
export type Claims = JWTPayload & { role?: string; session_id?: string };

/** Why a token was not accepted. */
export class TokenError extends Error {
  override name = "TokenError";
  readonly reason: "malformed" | "unreadable-header" | "signature" | "expired" | "not-yet-valid" | "audience";

  constructor(reason: TokenError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface TokenKeys {
  sign(claims: Claims): Promise<string>;
  /** @throws TokenError */
  verify(token: string): Promise<Claims>;
}

/** Signs access tokens with the project's ES256 key and believes only tokens that were. */
export async function tokenKeys(keys: ProjectKeys, issuer: string): Promise<TokenKeys> {
  const { kid } = keys.signingKey;
  const privateKey = await importJWK(keys.signingKey, "ES256");
  const [publicJwk] = publicJwks(keys).keys;
  if (!kid || !publicJwk) throw new Error("The signing key needs a kid.");
  const publicKey = await importJWK(publicJwk, "ES256");
  return {
    sign: (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid, typ: "JWT" }).sign(privateKey),
    verify: async (token) => {
      requireShape(token);
      try {
        const options = { algorithms: ["ES256"], requiredClaims: ["exp", "iss"], issuer };
        const { payload, protectedHeader } = await jwtVerify<Claims>(token, publicKey, options);
        if (protectedHeader.kid !== kid) throw new TokenError("signature", "unrecognized JWT kid");
        const { aud } = payload;
        if (aud !== undefined && ![aud].flat().includes("authenticated")) {
          throw new TokenError("audience", "token has an invalid audience");
        }
        return payload;
      } catch (error) {
        throw asTokenError(error);
      }
    },
  };
}

/** The claims of a token that needs no proof, because this process has just made it. */
export const claimsOf = (token: string): Claims => decodeJwt<Claims>(token);

function requireShape(token: string): void {
  if (token.split(".").length !== 3) {
    throw new TokenError("malformed", "token contains an invalid number of segments");
  }
  try {
    decodeProtectedHeader(token);
  } catch {
    throw new TokenError("unreadable-header", "could not JSON decode header");
  }
}

function asTokenError(error: unknown): TokenError {
  if (error instanceof TokenError) return error;
  if (error instanceof errors.JWTExpired) return new TokenError("expired", "token is expired");
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === "nbf") {
    return new TokenError("not-yet-valid", "token is not valid yet");
  }
  return new TokenError("signature", "signature is invalid");
}
