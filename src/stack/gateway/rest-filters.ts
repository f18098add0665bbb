// lite guesses the type of a filter's value (`eq.1.10` becomes the number 1.1, `eq.null` becomes null) and lets a
// second filter on a column, or a second `or`, replace or widen the first. PostgREST takes every value as text for
// PostgreSQL to convert, and joins all filters by `and`. So values travel through lite as hexadecimal text behind a
// mark, and repeated filters as one `and=(…)`.

const MARK = "\u{e000}";
const NOT_FILTERS = new Set(["select", "order", "limit", "offset", "on_conflict", "columns", "apikey"]);
const OPERATOR =
  /^((?:not\.)?)((?:eq|neq|gt|gte|lt|lte|like|ilike|match|imatch|isdistinct|in|is|cs|cd|ov|sl|sr|nxl|nxr|adj|fts|plfts|phfts|wfts)(?:\([^()]*\))?)\./;

/** The query with every filter's value marked, in a form that lite reads as PostgREST would. */
export function markFilters(query: URLSearchParams): URLSearchParams {
  const filters = new Map<string, string[]>();
  const marked = new URLSearchParams();
  for (const [key, value] of query) {
    const filter = isFilter(key) ? markFilter(key, value) : undefined;
    if (filter === undefined) marked.append(key, value);
    else filters.set(key, [...(filters.get(key) ?? []), filter]);
  }
  for (const [key, values] of filters) {
    const { path, name } = splitKey(key);
    const [only] = values;
    if (values.length === 1 && only !== undefined && !name.startsWith("not.")) marked.append(key, only);
    else {
      const logic = /^(not\.)?(or|and)$/.test(name) && values.every((value) => value.startsWith("("));
      const terms = values.map((value) => (logic ? name + value : `${name}.${value}`));
      marked.append(path ? `${path}.and` : "and", `(${terms.join(",")})`);
    }
  }
  return marked;
}

/** `relation.column`, `relation.not.or`, `column`, `data->>key.with.dots`. */
function splitKey(key: string): { path: string; name: string } {
  const name = /(?:^|\.)((?:not\.)?(?:or|and))$/.exec(key)?.[1];
  if (name) return { path: key.slice(0, -name.length - 1), name };
  const plain = /^[^">-]*/.exec(key)?.[0] ?? "";
  const at = plain.lastIndexOf(".");
  return { path: key.slice(0, Math.max(at, 0)), name: key.slice(at + 1) };
}

function isFilter(key: string): boolean {
  return !NOT_FILTERS.has(key) && !/\.(order|limit|offset)$/.test(key);
}

function markFilter(key: string, value: string): string | undefined {
  if (/(^|\.)(or|and)$/.test(key) && value.startsWith("(")) {
    const tree = markTree(value, 0);
    return tree && tree.end === value.length ? tree.text : undefined;
  }
  const operator = OPERATOR.exec(value);
  return operator ? operator[0] + markOperand(operator[2] ?? "", value.slice(operator[0].length)) : undefined;
}

function markOperand(operator: string, operand: string): string {
  if (operator === "is") return operand;
  const pattern = /^i?like/.test(operator);
  const mark = (text: string) => encode(pattern ? text.replaceAll("*", "%") : text);
  if (operator === "in" && /^\(.*\)$/s.test(operand)) return `(${elements(operand).map(mark).join(",")})`;
  if (/\((any|all)\)$/.test(operator) && /^\{.*\}$/s.test(operand)) {
    return `{${elements(operand).map(mark).join(",")}}`;
  }
  return mark(operand);
}

interface Parsed {
  text: string;
  /** Where the text after it begins. */
  end: number;
}

/** `(a.eq.1,not.and(b.gt.2,c.in.(x,y)))` from its opening parenthesis on. */
function markTree(text: string, start: number): Parsed | undefined {
  const terms: string[] = [];
  for (let at = start + 1; ; at++) {
    const term = markTerm(text, at);
    if (!term) return undefined;
    terms.push(term.text);
    at = term.end;
    if (text[at] === ")") return { text: `(${terms.join(",")})`, end: at + 1 };
    if (text[at] !== ",") return undefined;
  }
}

function markTerm(text: string, start: number): Parsed | undefined {
  const rest = text.slice(start).trimStart();
  const at = text.length - rest.length;
  const logic = /^(?:not\.)?(?:and|or)(?=\()/.exec(rest)?.[0];
  if (logic) {
    const tree = markTree(text, at + logic.length);
    return tree && { text: logic + tree.text, end: tree.end };
  }
  const column = /^(?:"(?:[^"\\]|\\.)*"|[^.,()"])+\./s.exec(rest)?.[0];
  const operator = column && OPERATOR.exec(rest.slice(column.length));
  if (!operator) return undefined;
  const from = at + column.length + operator[0].length;
  const end = operandEnd(text, from);
  if (end === undefined) return undefined;
  const operand = text.slice(from, end);
  const value = operand.startsWith('"') ? (elements(`(${operand})`)[0] ?? "") : operand;
  return { text: column + operator[0] + markOperand(operator[2] ?? "", value), end };
}

function operandEnd(text: string, start: number): number | undefined {
  const opening = text[start];
  if (opening !== '"' && opening !== "(" && opening !== "{") {
    const length = text.slice(start).search(/[,)]/);
    return length < 0 ? undefined : start + length;
  }
  let depth = 0;
  for (let at = start, quoted = false; at < text.length; at++) {
    const character = text[at];
    if (quoted && character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === "(" || character === "{")) depth++;
    else if (!quoted && (character === ")" || character === "}")) depth--;
    if (!quoted && depth === 0) return at + 1;
  }
  return undefined;
}

/** The elements of `(a,"b,c")` or `{a,"b"}`, without quotes. */
function elements(list: string): string[] {
  const inner = list.slice(1, -1);
  if (inner === "") return [];
  const found = inner.matchAll(/(?:^|,)(?:"((?:[^"\\]|\\.)*)"(?=,|$)|([^,]*))/gs);
  return [...found].map(([, quoted, plain = ""]) => quoted?.replace(/\\(.)/gs, "$1") ?? plain);
}

const encode = (text: string) => MARK + Buffer.from(text).toString("hex");

/** Puts the values back into what lite has read. */
export function unmark<T>(value: T): T {
  return restore(value) as T;
}

function restore(value: unknown): unknown {
  if (typeof value === "string") {
    return value.startsWith(MARK) ? Buffer.from(value.slice(MARK.length), "hex").toString() : value;
  }
  if (Array.isArray(value)) return value.map(restore);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, restore(entry)]));
}
