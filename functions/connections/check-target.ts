import { AppError } from "../_shared/errors.ts";
import { validationFailed } from "../_shared/validation.ts";
import type { ConnectionsOptions } from "./app.ts";
import type { EngineName, TlsMode } from "./engine.ts";

const verified: readonly TlsMode[] = ["verify-ca", "verify-full", "strict"];

/**
 * Checks what depends on the engine and on the operator.
 *
 * @returns The engine's options as it understands them.
 * @throws {AppError} `validation_failed`, `tls_mode_not_allowed`.
 */
export function checkTarget(
  target: { engine: EngineName; tls_mode: TlsMode; options: Record<string, unknown> },
  { engines, unverifiedTls }: Pick<ConnectionsOptions, "engines" | "unverifiedTls">,
): Record<string, unknown> {
  const engine = engines[target.engine];
  if (!engine.tlsModes.includes(target.tls_mode)) {
    throw validationFailed("json", [{
      path: ["tls_mode"],
      message: `${engine.title} has: ${engine.tlsModes.join(", ")}`,
    }]);
  }
  if (!verified.includes(target.tls_mode) && !unverifiedTls()) throw new AppError("tls_mode_not_allowed");
  const options = engine.options.safeParse(target.options);
  if (!options.success) {
    throw validationFailed(
      "json",
      options.error.issues.map(({ path, message }) => ({ path: ["options", ...path], message })),
    );
  }
  return options.data;
}
