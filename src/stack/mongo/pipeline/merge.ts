import { findOne, insertDocument, updateDocument } from "../commands/writing.ts";
import { type Context, ensureCollection } from "../engine.ts";
import { failure, notSupported } from "../errors.ts";
import { type Document, isDocument, setField } from "../values.ts";

/** `$merge`: writes results into a collection, by their ids. */
export function mergeWriter(context: Context, argument: unknown): (documents: Document[]) => void {
  const options: Document = isDocument(argument) ? argument : { into: argument };
  const { into, on = "_id", whenMatched = "merge", whenNotMatched = "insert", ...others } = options;
  const [other] = Object.keys(others);
  if (other === "let") throw notSupported("$merge with let");
  if (other) throw failure(40415, `BSON field '$merge.${other}' is an unknown field.`);
  if (on !== "_id") throw notSupported("$merge on fields other than _id");
  if (Array.isArray(whenMatched)) throw notSupported("$merge with a pipeline");
  if (!["merge", "replace", "keepExisting", "fail"].includes(whenMatched)) {
    throw failure(
      2,
      `Enumeration value '${String(whenMatched)}' for field 'whenMatched' is not a valid value.`,
    );
  }
  if (!["insert", "discard", "fail"].includes(whenNotMatched)) {
    throw failure(
      2,
      `Enumeration value '${String(whenNotMatched)}' for field 'whenNotMatched' is not a valid value.`,
    );
  }
  const name: unknown = isDocument(into) ? into["coll"] : into;
  if (typeof name !== "string") throw failure(51178, "$merge needs the collection to write into");
  if (isDocument(into) && into["db"] !== undefined && into["db"] !== context.database) {
    throw notSupported("$merge into another database");
  }
  return (documents) => {
    const collection = ensureCollection(context, name);
    for (const document of documents) {
      const found =
        document["_id"] === undefined
          ? undefined
          : findOne(context, collection, { _id: { $eq: document["_id"] } }, {});
      if (!found) {
        if (whenNotMatched === "fail")
          throw failure(13113, "$merge could not find a matching document in the target collection");
        if (whenNotMatched === "insert") insertDocument(context, collection, document);
      } else if (whenMatched === "fail") {
        insertDocument(context, collection, document); // which is a duplicate
      } else if (whenMatched === "replace") updateDocument(context, collection, found, () => document);
      else if (whenMatched === "merge") {
        updateDocument(context, collection, found, (before) => {
          const merged = { ...before };
          for (const field of Object.keys(document)) setField(merged, field, document[field]);
          return merged;
        });
      }
    }
  };
}
