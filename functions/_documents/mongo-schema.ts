import type { Document } from "mongodb";
import { z } from "zod";

/** What MongoDB's `$jsonSchema` (draft 4) and zod's own output say alike. The rest is checked before it is written. */
const kept = new Set([
  "required",
  "properties",
  "additionalProperties",
  "items",
  "enum",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "pattern",
  "minItems",
  "maxItems",
  "anyOf",
  "bsonType",
]);

const bsonTypes: Record<string, string | string[]> = {
  // The driver writes whole numbers as int or double, whichever fits.
  integer: ["int", "long", "double"],
  number: ["int", "long", "double"],
  boolean: "bool",
};

/** The `$jsonSchema` of a collection's documents. */
export function toMongoSchema(schema: z.ZodType): Document {
  const json = z.toJSONSchema(schema, {
    target: "draft-4",
    unrepresentable: "any",
    reused: "inline",
    override: ({ zodSchema, jsonSchema }) => {
      const type = zodSchema._zod.def.type;
      if (type === "date") (jsonSchema as Document)["bsonType"] = "date";
    },
  });
  return translate(json as Document);
}

function translate(schema: Document): Document {
  const translated: Document = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "type") translated["bsonType"] = bsonTypes[value] ?? value;
    else if (key === "properties") {
      translated[key] = Object.fromEntries(
        Object.entries(value as Record<string, Document>).map(([name, inner]) => [name, translate(inner)]),
      );
    } else if (key === "items") translated[key] = translate(value);
    else if (key === "anyOf") translated[key] = (value as Document[]).map(translate);
    else if (key === "additionalProperties") {
      if (typeof value === "boolean") translated[key] = value;
    } else if (kept.has(key)) translated[key] = value;
  }
  return translated;
}
