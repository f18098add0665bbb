// Whatever the indexes are, the answer is the one without them.
import fc from "fast-check";
import { expect, test } from "vitest";
import { openEngine } from "../engine.ts";
import { indexSpec } from "../storage/index-specs.ts";
import { type Document, decode, encode } from "../values.ts";
import { count, documentOf, filterContext, prepareFind, sortBy, sortOf } from "./find.ts";
import { matcherOf } from "./match.ts";

const scalar = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom("a", "b", null, true, 1.5, new Date(3)),
);
const value = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.record({ c: scalar }) },
  { weight: 1, arbitrary: fc.array(fc.record({ c: scalar }), { maxLength: 2 }) },
);
const document = fc.record({ a: value, b: value, n: scalar }, { requiredKeys: [] });

const condition = fc.oneof(
  scalar,
  fc.record({ $eq: scalar }),
  fc.record({ $in: fc.array(scalar, { maxLength: 3 }) }),
  fc.record({ $gt: scalar }),
  fc.record({ $gte: scalar, $lt: scalar }),
  fc.record({ $lte: scalar }),
  fc.record({ $ne: scalar }),
  fc.record({ $exists: fc.boolean() }),
  fc.record({ $elemMatch: fc.record({ $gte: scalar, $lte: scalar }) }),
  fc.constantFrom([1], { $type: "string" }),
);
const path = fc.constantFrom("a", "b", "n", "a.c", "b.c", "_id");
const fields = fc.dictionary(path, condition, { maxKeys: 3 });
const filter = fc.oneof(
  fields,
  fc.record({ $and: fc.array(fields, { minLength: 1, maxLength: 2 }) }),
  fc.tuple(fields, fc.array(fields, { minLength: 1, maxLength: 3 })).map(([own, $or]) => ({ ...own, $or })),
);

const key = fc.uniqueArray(
  fc.tuple(
    path.filter((name) => name !== "_id"),
    fc.constantFrom(1, -1),
  ),
  {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name,
  },
);
const index = fc.record({
  key: key.map((parts) => Object.fromEntries(parts)),
  options: fc.constantFrom<Document>(
    {},
    { sparse: true },
    { partialFilterExpression: { n: 1 } },
    { partialFilterExpression: { n: { $gt: 1 } } },
    { partialFilterExpression: { a: { $exists: true } } },
  ),
});
const sort = fc
  .uniqueArray(fc.tuple(path, fc.constantFrom<1 | -1>(1, -1)), { maxLength: 2, selector: ([name]) => name })
  .map((parts) => Object.fromEntries(parts));

const parallelArrays = 171;

test("an index changes how documents are found, never which, nor in which order", () => {
  fc.assert(
    fc.property(
      fc.array(document, { maxLength: 12 }),
      fc.array(index, { minLength: 1, maxLength: 3 }),
      filter,
      sort,
      (documents, indexes, filter, sort) => {
        const { catalog, records, database, close } = openEngine({ directory: undefined, durable: false });
        try {
          const collection = catalog.create("test.c");
          for (const [i, { key, options }] of indexes.entries()) {
            catalog.addIndex(collection, indexSpec(decode(encode({ name: `i${i}`, key, ...options }))));
          }
          const stored: Document[] = [];
          for (const [i, given] of documents.entries()) {
            const one = decode(encode({ _id: i, ...given }));
            try {
              database.atomically(() => records.put(collection, i + 1, encode(one), one));
              stored.push(one);
            } catch (error) {
              if ((error as { code?: number }).code !== parallelArrays) throw error;
            }
          }
          const exact = decode(encode(filter));
          const order = sortOf(decode(encode(sort)));
          const expected = sortBy(stored.filter(matcherOf(exact, filterContext())), (one) => one, order);
          const found = prepareFind(records, collection, exact, { sort: decode(encode(sort)) })
            .results()
            .map(documentOf);

          const ids = (list: Document[]) => list.map(({ _id }) => Number(_id));
          expect(ids(found).sort()).toEqual(ids(expected).sort());
          expect(count(records, collection, exact, {})).toBe(expected.length);
          // Documents that are equal in the sort may come in any order among themselves.
          expect(isSorted(found, order)).toBe(true);
        } finally {
          close();
        }
      },
    ),
    {
      numRuns: 500,
      examples: [
        [
          [{}],
          [{ key: { a: 1 }, options: { partialFilterExpression: { a: { $exists: true } } } }],
          { a: null },
          {},
        ],
      ],
    },
  );
});

const isSorted = (documents: Document[], order: ReturnType<typeof sortOf>): boolean =>
  documents.every((one, i) => {
    const next = documents[i + 1];
    return next === undefined || sortBy([one, next], (each) => each, order)[0] === one;
  });
