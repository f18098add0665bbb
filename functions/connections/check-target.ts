import { AppError } from "../_shared/errors.ts";
import { validationFailed } from "../_shared/validation.ts";
import type { ConnectionsOptions } from "./app.ts";
import type { EngineName, TlsMode } from "./engine.ts";

/**
 * Checks what depends on the engine and on the operator.
 *
 * @returns The engine's options as it understands them.
 * @throws {AppError} `validation_failed`, `tls_mode_not_allowed`.
 */
export function checkTarget(
  target: {
    engine: EngineName;
    tls_mode: TlsMode;
    ca_certificate: string | null;
    options: Record<string, unknown>;
  },
  { engines, unverifiedTls }: Pick<ConnectionsOptions, "engines" | "unverifiedTls">,
): Record<string, unknown> {
  const engine = engines[target.engine];
  if (!engine.tlsModes.includes(target.tls_mode)) {
    throw validationFailed("json", [{
      path: ["tls_mode"],
      message: `${engine.title} has: ${engine.tlsModes.join(", ")}`,
    }]);
  }
  if (!isVerified(target) && !unverifiedTls()) throw new AppError("tls_mode_not_allowed");
  const options = engine.options.safeParse(target.options);
  if (!options.success) {
    throw validationFailed(
      "json",
      options.error.issues.map(({ path, message }) => ({ path: ["options", ...path], message })),
    );
  }
  return options.data;
}

function isVerified(
  { tls_mode, ca_certificate }: { tls_mode: TlsMode; ca_certificate: string | null },
): boolean {
  // For any name, and by an authority that gives everybody a certificate: that is whoever is on the way.
  if (tls_mode === "verify-ca") return ca_certificate !== null;
  return tls_mode === "verify-full" || tls_mode === "strict";
}
