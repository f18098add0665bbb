import { failure } from "../errors.ts";
import { inverted, keyOf } from "../keys.ts";
import { exists, keyValues } from "../paths.ts";
import { documentWords } from "../query/text.ts";
import type { Document } from "../values.ts";
import type { Index } from "./catalog.ts";

const SEVERAL = 50_000;

/**
 * The keys a document has in an index: none where the index does not hold it, several where it has an array.
 *
 * @throws {MongoError} when two fields of the index are arrays.
 */
export function indexKeys(index: Index, document: Document): { keys: Buffer[]; multikey: boolean } {
  const { spec, fields, covers } = index;
  if (covers && !covers(document)) return { keys: [], multikey: false };
  if (spec.sparse && !fields.some(({ path }) => exists(document, path))) return { keys: [], multikey: false };

  let keys: Buffer[] = [];
  let multikey = false;
  let array: string | undefined;
  for (const [i, { path, direction }] of fields.entries()) {
    const found = keyValues(document, path);
    let parts = found.values.map((value) => (direction < 0 ? inverted(keyOf(value)) : keyOf(value)));
    if (found.multikey) {
      multikey = true;
      if (parts.length > 1) {
        parts = distinct(parts);
        if (array !== undefined && array !== path.split(".")[0]) {
          throw failure(171, `cannot index parallel arrays [${path}] [${array}]`);
        }
        array = path.split(".")[0];
      }
    }
    keys = i === 0 ? parts : keys.flatMap((key) => parts.map((part) => Buffer.concat([key, part])));
    if (keys.length > SEVERAL) throw failure(17280, "too many index keys generated for one document");
  }
  if (spec.weights) {
    multikey = true;
    const words = [...documentWords(document, spec.weights)].map(keyOf);
    keys =
      fields.length === 0 ? words : keys.flatMap((key) => words.map((word) => Buffer.concat([key, word])));
  }
  return { keys: multikey ? distinct(keys) : keys, multikey };
}

const distinct = (keys: Buffer[]) => [...new Map(keys.map((key) => [key.toString("latin1"), key])).values()];
