/** One entry as it is exported. */
export interface ExportedEntry {
  seq: number;
  occurred_at: string;
  actor_kind: string;
  actor_id: string | null;
  on_behalf_of: string | null;
  action: string;
  object_id: string | null;
  before: unknown;
  after: unknown;
  request_id: string | null;
  ip: unknown;
  /** In hex. */
  previous_hash: string;
  hash: string;
}

export const columns = [
  "seq",
  "occurred_at",
  "actor_kind",
  "actor_id",
  "on_behalf_of",
  "action",
  "object_id",
  "before",
  "after",
  "request_id",
  "ip",
  "previous_hash",
  "hash",
] as const satisfies (keyof ExportedEntry)[];

export interface Format {
  contentType: string;
  /** What stands before the first entry. */
  header: string;
  line(entry: ExportedEntry): string;
}

export const formats = {
  ndjson: {
    contentType: "application/x-ndjson",
    header: "",
    line: (entry) => `${JSON.stringify(entry)}\n`,
  },
  csv: {
    contentType: "text/csv; charset=utf-8",
    header: `${columns.join(",")}\r\n`,
    line: (entry) => `${columns.map((name) => cell(entry[name])).join(",")}\r\n`,
  },
} as const satisfies Record<string, Format>;

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  // A spreadsheet would run it as a formula.
  const harmless = /^[\s\p{Cc}]*[=+\-@|%]/u.test(text) ? `'${text}` : text;
  return /[",\r\n\t]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
