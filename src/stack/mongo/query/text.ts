// Text search without a language: words are what stands between punctuation, without case and marks. No stemming.
import { badValue, notSupported } from "../errors.ts";
import { partsOf, visit } from "../paths.ts";
import { type Document, isDocument } from "../values.ts";

/** A search as people write it: words, "phrases", and -words that must not be there. */
export interface TextSearch {
  words: string[];
  phrases: string[];
  excludedWords: string[];
  excludedPhrases: string[];
}

const fold = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export const wordsOf = (text: string): string[] => fold(text).match(/[\p{L}\p{N}_]+/gu) ?? [];

/** @throws {MongoError} for options that ask for a language, or for case and marks to count. */
export function parseSearch(argument: unknown): TextSearch {
  if (!isDocument(argument) || typeof argument["$search"] !== "string") {
    throw badValue("$text needs a $search string");
  }
  for (const name of Object.keys(argument)) {
    const value = argument[name];
    if (name === "$search") continue;
    if (name === "$language") {
      if (value !== "none") throw notSupported("$text with a $language other than none");
    } else if (name === "$caseSensitive" || name === "$diacriticSensitive") {
      if (value !== false) throw notSupported(`$text with ${name}`);
    } else throw badValue(`unknown option of $text: ${name}`);
  }
  const search: TextSearch = { words: [], phrases: [], excludedWords: [], excludedPhrases: [] };
  for (const [, minus, phrase, word] of argument["$search"].matchAll(/(?<!\S)(-?)(?:"([^"]*)"|([^\s"]+))/g)) {
    if (phrase !== undefined) {
      (minus ? search.excludedPhrases : search.phrases).push(fold(phrase));
      if (!minus) search.words.push(...wordsOf(phrase));
    } else (minus ? search.excludedWords : search.words).push(...wordsOf(word ?? ""));
  }
  return search;
}

function* textsOf(document: Document, path: string): Generator<string> {
  const texts: string[] = [];
  visit(document, partsOf(path), (value) => {
    for (const one of Array.isArray(value) ? value : [value]) if (typeof one === "string") texts.push(one);
    return false;
  });
  yield* texts;
}

/** The words that a text index holds of a document. */
export function documentWords(document: Document, weights: Record<string, number>): Set<string> {
  const words = new Set<string>();
  for (const path of Object.keys(weights)) {
    for (const text of textsOf(document, path)) for (const word of wordsOf(text)) words.add(word);
  }
  return words;
}

/** Any of the words, all of the phrases, and nothing that is excluded. */
export function matchesText(
  document: Document,
  search: TextSearch,
  weights: Record<string, number>,
): boolean {
  const words = documentWords(document, weights);
  if (!search.words.some((word) => words.has(word))) return false;
  if (search.excludedWords.some((word) => words.has(word))) return false;
  const contains = (phrase: string) =>
    Object.keys(weights).some((path) =>
      [...textsOf(document, path)].some((text) => fold(text).includes(phrase)),
    );
  return search.phrases.every(contains) && !search.excludedPhrases.some(contains);
}

/** How well a document fits: more of the words, in shorter and heavier fields, score higher. */
export function textScore(document: Document, search: TextSearch, weights: Record<string, number>): number {
  const wanted = new Set(search.words);
  let score = 0;
  for (const path of Object.keys(weights)) {
    for (const text of textsOf(document, path)) {
      const words = wordsOf(text);
      const found = new Map<string, { count: number; frequency: number }>();
      for (const word of words) {
        if (!wanted.has(word)) continue;
        const { count, frequency } = found.get(word) ?? { count: 0, frequency: 0 };
        found.set(word, { count: count + 1, frequency: frequency + 2 ** -count });
      }
      for (const [word, { count, frequency }] of found) {
        const whole = fold(text) === word ? 1.1 : 1;
        score += (weights[path] ?? 1) * frequency * (0.5 + (0.5 * count) / words.length) * whole;
      }
    }
  }
  return score;
}
