import type { CatalogueRow } from "../introspection/assemble.ts";

// Every statement of ours asks for fewer. A wide row costs a hundred times the bytes that it came in.
const most = { rows: 100_000, columns: 20 };

/** Keeps a query's rows as they come. `tooMany` is told of a server that sends more than anybody asked for. */
export function rowKeeper(tooMany: () => void): { rows: CatalogueRow[]; keep: (row: CatalogueRow) => void } {
  const rows: CatalogueRow[] = [];
  return {
    rows,
    keep(row) {
      if (rows.length < most.rows && Object.keys(row).length <= most.columns) rows.push(row);
      else tooMany();
    },
  };
}
