import { failure } from "./errors.ts";
import { filterContext } from "./query/find.ts";
import { matcherOf } from "./query/match.ts";
import { schemaCheck } from "./query/schema.ts";
import type { Collection } from "./storage/catalog.ts";
import { type Document, field, isDocument } from "./values.ts";

/** What is wrong with a document; undefined when it may be stored. */
type Validate = (document: Document) => Document | undefined;

const compiled = new WeakMap<Collection, { options: Document; validate: Validate }>();

/** @throws {MongoError} when the validator is none. */
export function validatorOf(validator: Document): Validate {
  const { $jsonSchema, ...others } = validator;
  const check = $jsonSchema === undefined ? undefined : schemaCheck($jsonSchema);
  const matches = matcherOf(others, filterContext());
  return (document) => {
    const violation = check?.(document, "");
    if (violation) {
      const { keyword, path } = violation;
      return {
        operatorName: "$jsonSchema",
        schemaRulesNotSatisfied: [{ operatorName: keyword, propertyName: path }],
      };
    }
    return matches(document) ? undefined : { operatorName: "validator", reason: "document did not match" };
  };
}

/**
 * Checks a document against its collection's validator.
 *
 * @param before what it replaces: at the level "moderate", what was wrong already may stay so
 * @throws {MongoError} 121 when it may not be stored.
 */
export function requireValid(collection: Collection, document: Document, before?: Document): void {
  const { options } = collection;
  const validator: unknown = options["validator"];
  if (
    !isDocument(validator) ||
    options["validationLevel"] === "off" ||
    options["validationAction"] === "warn"
  )
    return;
  let entry = compiled.get(collection);
  if (entry?.options !== options) {
    entry = { options, validate: validatorOf(validator) };
    compiled.set(collection, entry);
  }
  const details = entry.validate(document);
  if (!details) return;
  if (before && options["validationLevel"] === "moderate" && entry.validate(before)) return;
  throw failure(121, "Document failed validation", {
    errInfo: { failingDocumentId: field(document, "_id"), details },
  });
}
