import type { ExportedEntry, Format } from "./formats.ts";

/** The page behind a number of the log; the last one is shorter than the others. */
export type ReadPage = (after: number, signal: AbortSignal) => Promise<ExportedEntry[]>;

export const PAGE = 1000;

/**
 * Streams the log page by page, each read when the one before has been taken: however long the log, one page is in
 * memory. The first page is read before this resolves, so that a database that is away is an answer, not a torn file.
 */
export async function exportStream(read: ReadPage, format: Format): Promise<ReadableStream<Uint8Array>> {
  const encoder = new TextEncoder();
  const ended = new AbortController();
  let page: ExportedEntry[] | undefined = await read(0, ended.signal);
  let text = format.header;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const entries = page ?? [];
      text += entries.map((entry) => format.line(entry)).join("");
      if (text !== "") controller.enqueue(encoder.encode(text));
      text = "";
      const last = entries.at(-1)?.seq;
      if (entries.length < PAGE || last === undefined) return controller.close();
      page = undefined;
      page = await read(last, ended.signal);
    },
    cancel: () => ended.abort(),
  }, { highWaterMark: 0 });
}
