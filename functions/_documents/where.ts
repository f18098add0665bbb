import type { Document, Filter } from "mongodb";
import { refused } from "./refused.ts";

/** What a field may be compared with. */
export type Scalar = string | number | boolean | Date | null;

/** A comparison other than equality: made by the functions below alone, so that no JSON can pass for one. */
export class Condition {
  readonly #operators: Document;

  private constructor(operators: Document) {
    this.#operators = operators;
  }

  static of(operators: Document): Condition {
    return new Condition(operators);
  }

  static operatorsOf(condition: Condition): Document {
    return condition.#operators;
  }
}

const scalars = (values: readonly unknown[]): Scalar[] => values.map((value) => scalar(value, "value"));

export const oneOf = (values: readonly Scalar[]): Condition => Condition.of({ $in: scalars(values) });
export const noneOf = (values: readonly Scalar[]): Condition => Condition.of({ $nin: scalars(values) });
export const below = (value: Scalar): Condition => Condition.of({ $lt: scalar(value, "value") });
export const atMost = (value: Scalar): Condition => Condition.of({ $lte: scalar(value, "value") });
export const above = (value: Scalar): Condition => Condition.of({ $gt: scalar(value, "value") });
export const atLeast = (value: Scalar): Condition => Condition.of({ $gte: scalar(value, "value") });
export const present = (): Condition => Condition.of({ $exists: true });
export const absent = (): Condition => Condition.of({ $exists: false });

/** From one value on, to before another. */
export const between = (from: Scalar, to: Scalar): Condition =>
  Condition.of({ $gte: scalar(from, "value"), $lt: scalar(to, "value") });

/** Text that begins so, case and all: an index finds it. */
export function beginsWith(text: string): Condition {
  if (typeof text !== "string") throw refused("value", "expected text");
  return Condition.of({ $regex: `^${text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")}` });
}

/** Fields and what they must be. An array field matches when one of its elements does. */
export type Fields<T> = {
  readonly [Name in (keyof T & string) | `${keyof T & string}.${string}`]?: Scalar | Condition;
};

/** Several of which one must hold. */
export class Alternatives<T> {
  readonly #choices: readonly Fields<T>[];

  constructor(choices: readonly Fields<T>[]) {
    this.#choices = choices;
  }

  toFilter(): Filter<Document> {
    return { $or: this.#choices.map(fieldsToFilter) };
  }
}

export const anyOf = <T>(...choices: Fields<T>[]): Alternatives<T> => new Alternatives(choices);

/** What must hold of a document: fields, or a list of which all must hold. */
export type Where<T> = Fields<T> | readonly (Fields<T> | Alternatives<T>)[];

/**
 * The filter for MongoDB. Names of fields come from the program; values become `$eq`, so that none is an operator.
 *
 * @throws {AppError} `validation_failed` for a value that is no scalar: an object, an array, undefined.
 */
export function toFilter<T>(where: Where<T>): Filter<Document>[] {
  const parts = Array.isArray(where)
    ? where as readonly (Fields<T> | Alternatives<T>)[]
    : [where as Fields<T>];
  return parts.map((part) => part instanceof Alternatives ? part.toFilter() : fieldsToFilter(part));
}

function fieldsToFilter<T>(fields: Fields<T>): Filter<Document> {
  if (typeof fields !== "object" || fields === null) throw refused("filter", "expected fields");
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      fieldName(name),
      value instanceof Condition ? Condition.operatorsOf(value) : { $eq: scalar(value, name) },
    ]),
  );
}

/** A field that a program may name; the tenant is the collection's own to say. */
export function fieldName(name: string): string {
  if (!/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$/.test(name) || name.includes("__proto__")) {
    throw refused(name, "not a field's name");
  }
  if (name === "organization_id") throw refused(name, "the organization is given by the caller's tenant");
  return name;
}

function scalar(value: unknown, field: string): Scalar {
  const fits = value === null || typeof value === "string" || typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value)) ||
    (value instanceof Date && !Number.isNaN(value.getTime()));
  if (!fits) throw refused(field, "expected text, a number, a boolean or a date");
  return value;
}
