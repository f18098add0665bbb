import type { Document } from "bson";

/** What a command answers when it cannot be done, in MongoDB's own codes and code names. */
export class MongoError extends Error {
  override name = "MongoError";
  readonly code: number;
  readonly codeName: string;
  /** Further fields of the answer: `keyPattern`, `errInfo`, `errorLabels`. */
  readonly details: Document;

  constructor(code: number, codeName: string, message: string, details: Document = {}) {
    super(message);
    this.code = code;
    this.codeName = codeName;
    this.details = details;
  }
}

const codeNames = {
  2: "BadValue",
  9: "FailedToParse",
  14: "TypeMismatch",
  15: "Overflow",
  18: "AuthenticationFailed",
  20: "IllegalOperation",
  26: "NamespaceNotFound",
  27: "IndexNotFound",
  28: "PathNotViable",
  40: "ConflictingUpdateOperators",
  43: "CursorNotFound",
  48: "NamespaceExists",
  50: "MaxTimeMSExpired",
  52: "DollarPrefixedFieldName",
  53: "InvalidIdField",
  54: "NotSingleValueField",
  59: "CommandNotFound",
  66: "ImmutableField",
  67: "CannotCreateIndex",
  72: "InvalidOptions",
  73: "InvalidNamespace",
  85: "IndexOptionsConflict",
  86: "IndexKeySpecsConflict",
  100: "UnsatisfiableWriteConcern",
  112: "WriteConflict",
  115: "CommandNotSupported",
  121: "DocumentValidationFailure",
  168: "InvalidPipelineOperator",
  225: "TransactionTooOld",
  238: "NotImplemented",
  246: "SnapshotUnavailable",
  251: "NoSuchTransaction",
  256: "TransactionCommitted",
  263: "OperationNotSupportedInTransaction",
  10334: "BSONObjectTooLarge",
  11000: "DuplicateKey",
} as const;

/** An error of MongoDB's: those without a name are called by their location, as mongod does. */
export function failure(code: number, message: string, details?: Document): MongoError {
  const codeName = (codeNames as Record<number, string>)[code] ?? `Location${code}`;
  return new MongoError(code, codeName, message, details);
}

export const badValue = (message: string) => failure(2, message);
export const failedToParse = (message: string) => failure(9, message);
export const typeMismatch = (message: string) => failure(14, message);

/** MongoDB has it, this server has not: said, rather than answered wrongly. */
export const notSupported = (what: string) =>
  failure(238, `${what} is not supported by Nectar's development server; a real mongod has it`);

/** The driver runs the whole transaction once more when it sees the label. */
export const transient = (code: number, message: string) =>
  failure(code, message, { errorLabels: ["TransientTransactionError"] });
