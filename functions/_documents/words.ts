/** The words of a text as they are searched: without case and accents. */
export function wordsOf(text: string, most = 40): string[] {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = Array.from(plain.matchAll(/[\p{L}\p{N}]+/gu), ([word]) => word.slice(0, 40));
  return [...new Set(words)].slice(0, most);
}
