import { type Context, ensureCollection } from "../engine.ts";
import { badValue, failure } from "../errors.ts";
import { type Document, decode, encode, isDocument, toInteger } from "../values.ts";
import {
  documentOr,
  documents,
  flag,
  requireAbsent,
  requireFields,
  variables,
  wholeNumber,
} from "./arguments.ts";
import type { Commands, Reply } from "./command.ts";
import { runDelete, runUpdate } from "./writes.ts";
import { eachWrite, insertDocument } from "./writing.ts";

const UPDATE = new Set([
  "update",
  "filter",
  "updateMods",
  "multi",
  "upsert",
  "arrayFilters",
  "hint",
  "collation",
  "sort",
]);

/** Writes to several collections at once: what `MongoClient.bulkWrite` sends. */
function bulkWrite(context: Context, command: Document): Reply {
  requireAbsent(command, "bulkWrite", ["bypassDocumentValidation"]);
  const namespaces = documents(command, "nsInfo").map(({ ns }) => {
    const [database = "", ...name] = typeof ns === "string" ? ns.split(".") : [];
    if (name.length === 0) throw failure(73, `Invalid namespace specified '${String(ns)}'`);
    return { context: { ...context, database }, name: name.join(".") };
  });
  const target = (index: unknown) => {
    const namespace = namespaces[toInteger(index, "nsInfo")];
    if (!namespace) throw badValue("BulkWrite ops entry has an invalid nsInfo index");
    return namespace;
  };
  const ops = documents(command, "ops");
  const lets = variables(command);
  const results: Document[] = [];
  const totals = { nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };

  const errors = eachWrite(context, ops, flag(command, "ordered", true), (op, idx) => {
    const [kind = ""] = Object.keys(op);
    const { context: own, name } = target(op[kind]);
    if (kind === "insert") {
      requireFields(op, "bulkWrite.ops", new Set(["insert", "document"]));
      insertDocument(own, ensureCollection(own, name), documentOr(op, "document"));
      totals.nInserted++;
      results.push({ ok: 1, idx, n: 1 });
    } else if (kind === "update") {
      requireFields(op, "bulkWrite.ops", UPDATE);
      const { update: _index, filter, updateMods, ...options } = op;
      const result = runUpdate(own, name, { q: filter, u: updateMods, ...options }, lets);
      const upserted = "upserted" in result ? { upserted: { _id: result.upserted } } : {};
      totals.nMatched += result.matched;
      totals.nModified += result.modified;
      totals.nUpserted += "upserted" in result ? 1 : 0;
      results.push({
        ok: 1,
        idx,
        n: result.matched + ("upserted" in result ? 1 : 0),
        nModified: result.modified,
        ...upserted,
      });
    } else if (kind === "delete") {
      requireFields(op, "bulkWrite.ops", new Set(["delete", "filter", "multi", "hint", "collation"]));
      const { delete: _index, filter, multi, ...options } = op;
      const n = runDelete(own, name, { q: filter, limit: multi === true ? 0 : 1, ...options }, lets);
      totals.nDeleted += n;
      results.push({ ok: 1, idx, n });
    } else throw badValue(`Unrecognized bulkWrite operation: ${kind}`);
  });

  for (const { index, errmsg, code, ...details } of errors) {
    results.push({ ok: 0, idx: index, code, errmsg, n: 0, ...details });
  }
  results.sort((a, b) => a["idx"] - b["idx"]);
  const shown = flag(command, "errorsOnly") ? results.filter(({ ok }) => ok === 0) : results;
  const batch = context.engine.cursors.open("admin.$cmd.bulkWrite", shown.map(encode), {
    batchSize: isDocument(command["cursor"]) ? wholeNumber(command["cursor"], "batchSize") : undefined,
    session: context.session,
  });
  return encode({
    cursor: { id: batch.id, firstBatch: batch.documents.map(decode), ns: batch.namespace },
    nErrors: errors.length,
    ...totals,
    ok: 1,
  });
}

export const bulk: Commands = {
  bulkWrite: {
    fields: ["ops", "nsInfo", "ordered", "bypassDocumentValidation", "let", "errorsOnly", "cursor"],
    adminOnly: true,
    inTransaction: true,
    writes: true,
    run: bulkWrite,
  },
};
