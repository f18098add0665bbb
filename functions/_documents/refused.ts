import { AppError } from "../_shared/errors.ts";

/** The answer to a value that must not reach a query or a document. */
export function refused(field: string, message: string): AppError {
  return new AppError("validation_failed", {
    details: { issues: [{ in: "document", path: field.split("."), message }] },
  });
}
