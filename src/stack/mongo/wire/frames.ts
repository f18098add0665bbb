import { BrokenMessage } from "./message.ts";

const HEADER = 16;

/**
 * Cuts what a connection sends into messages.
 *
 * @param longest bytes of the longest message that is taken
 * @returns takes the next bytes, and gives the messages that are complete by now; throws {@link BrokenMessage}
 */
export function createFrames(longest: number): (chunk: Buffer) => Buffer[] {
  let chunks: Buffer[] = [];
  let held = 0;
  let wanted = HEADER;
  return (chunk) => {
    chunks.push(chunk);
    held += chunk.length;
    const messages: Buffer[] = [];
    // A message of many chunks is put together once, when it is there.
    while (held >= wanted) {
      const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, held);
      chunks = [bytes];
      const size = bytes.readInt32LE(0);
      if (size < HEADER || size > longest) throw new BrokenMessage(`a message of ${size} bytes`);
      if (held < size) {
        wanted = size;
        break;
      }
      messages.push(bytes.subarray(0, size));
      const rest = bytes.subarray(size);
      chunks = rest.length > 0 ? [rest] : [];
      held = rest.length;
      wanted = HEADER;
    }
    return messages;
  };
}
