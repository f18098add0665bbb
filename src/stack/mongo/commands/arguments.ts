import { badValue, failure, notSupported, typeMismatch } from "../errors.ts";
import { expressionOf } from "../query/expressions.ts";
import { type Document, isDocument, isNumber, toInteger, toNumber, typeName } from "../values.ts";

/** The name of the collection that a command is for. */
export function collectionName(command: Document, name: string): string {
  const value: unknown = command[name];
  if (typeof value !== "string") throw failure(73, `collection name has invalid type ${typeName(value)}`);
  if (value === "" || value.includes("\0") || value.includes("$") || value.startsWith(".")) {
    throw failure(73, `Invalid namespace specified '${String(command["$db"])}.${value}'`);
  }
  return value;
}

export function optionalDocument(command: Document, name: string): Document | undefined {
  const value: unknown = command[name];
  if (value === undefined || value === null) return undefined;
  if (!isDocument(value))
    throw typeMismatch(`BSON field '${name}' is the wrong type '${typeName(value)}', expected type 'object'`);
  return value;
}

export const documentOr = (command: Document, name: string): Document =>
  optionalDocument(command, name) ?? {};

export function documents(command: Document, name: string): Document[] {
  const value: unknown = command[name];
  if (!Array.isArray(value) || !value.every(isDocument))
    throw typeMismatch(`BSON field '${name}' must be an array of objects`);
  return value;
}

export function wholeNumber(command: Document, name: string, least = 0): number | undefined {
  const value: unknown = command[name];
  if (value === undefined || value === null) return undefined;
  const number = toInteger(value, name);
  if (number < least)
    throw failure(51024, `BSON field '${name}' value must be >= ${least}, actual value '${number}'`);
  return number;
}

export function flag(command: Document, name: string, otherwise = false): boolean {
  const value: unknown = command[name];
  if (value === undefined || value === null) return otherwise;
  if (typeof value === "boolean") return value;
  if (isNumber(value)) return toNumber(value) !== 0;
  throw typeMismatch(`BSON field '${name}' is the wrong type '${typeName(value)}', expected type 'bool'`);
}

/** @throws {MongoError} for fields that the command has not in MongoDB, and for options that this server has not. */
export function requireFields(command: Document, what: string, known: Set<string>): void {
  for (const name of Object.keys(command)) {
    if (!known.has(name)) throw failure(40415, `BSON field '${what}.${name}' is an unknown field.`);
  }
}

/** Refuses options, unless they are given as what happens without them. */
export function requireAbsent(command: Document, what: string, names: string[]): void {
  for (const name of names) {
    const value: unknown = command[name];
    if (value !== undefined && value !== null && value !== false)
      throw notSupported(`The option ${name} of ${what}`);
  }
}

/** Strings are compared by their bytes, whatever the language. */
export function requireSimpleCollation(command: Document): void {
  const collation = optionalDocument(command, "collation");
  if (collation && Object.keys(collation).length > 0 && collation["locale"] !== "simple") {
    throw notSupported(`The collation ${JSON.stringify(collation["locale"])}`);
  }
}

/** What `$$name` stands for in a command's expressions. */
export function variables(command: Document): Document | undefined {
  const given = optionalDocument(command, "let");
  if (!given) return undefined;
  for (const name of Object.keys(given)) {
    if (!/^[a-z]\w*$/.test(name)) throw badValue(`'${name}' is no name for a variable`);
  }
  return expressionOf(given)({}) as Document;
}
