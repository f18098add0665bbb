/** What a statement's text says: the parameters it binds, and what is wrong with it. */
export interface SqlText {
  names: Set<string>;
  problems: string[];
}

// Strings, quoted names and comments: in them nothing is bound. An end that never comes is a problem.
const quoted =
  /'(?:[^']|'')*('|$)|"(?:[^"]|"")*("|$)|`[^`]*(`|$)|\[[^\]]*(\]|$)|--[^\n]*|\/\*[\s\S]*?(\*\/|$)|\$(\w*)\$[\s\S]*?(\$\6\$|$)/g;

const refusals: [RegExp, string][] = [
  [
    /\$\{|\{\{|<%|#\{|%\(|%[sd]\b/,
    "text is put into the statement: bind a parameter, as :name or @name, instead",
  ],
  [/\{[A-Za-z_]\w*\}/, "text is put into the statement: bind a parameter, as :name or @name, instead"],
  [/\?(?![?|&])|(?<![\w$])\$\d/, "a parameter without a name: bind it as :name or @name"],
  [
    /\b(execute\s+immediate|sp_executesql|exec(ute)?\s*\(|prepare\s+\w+\s+from|do\s+\$)/i,
    "a statement that is put together when it runs: say it as it is",
  ],
];

/**
 * Reads a statement as far as is needed to know what it binds. Which SQL it is, the database will say; here only that no
 * text is put together: a value has no way into the statement but as a bound parameter.
 */
export function readSql(statement: string): SqlText {
  const problems: string[] = [];
  // To MySQL a quote behind a backslash ends nothing; to others it does. Whoever reads differently than the database is deceived.
  if (/\\['"`]/.test(statement)) problems.push("a quote behind a backslash: double the quote instead");
  for (const [piece] of statement.matchAll(quoted)) {
    const misread = misreadComment(piece);
    if (misread) problems.push(misread);
    if (!/^(--|\[)/.test(piece) && !isClosed(piece)) problems.push("a quote or comment does not end");
    if (/^['"`]/.test(piece) && /[:@]\w/.test(piece) && /^'[:@]\w+'$/.test(piece)) {
      problems.push(`${piece} is text, not a parameter: leave out the quotes`);
    }
    if (/^['"`]/.test(piece) && /\$\{|\{\{|<%|#\{|%\(/.test(piece)) problems.push(refusals[0]?.[1] ?? "");
  }
  const bare = statement.replace(
    quoted,
    (piece) => piece.startsWith("[") && /^\[[\w: @]*\]$/.test(piece) ? piece : " ",
  );
  for (const [pattern, problem] of refusals) if (pattern.test(bare)) problems.push(problem);
  if (/;\s*\S/.test(bare)) problems.push("more than one statement: make each a step of its own");
  if (bare.trim() === "") problems.push("no statement");
  const names = Array.from(bare.matchAll(/(?<![:@\w])[:@]([A-Za-z_]\w*)/g), ([, name = ""]) => name);
  return { names: new Set(names), problems: [...new Set(problems)] };
}

/** Comments that are none, or end elsewhere, for one of the databases. */
function misreadComment(piece: string): string | undefined {
  if (/^\/\*M?!/.test(piece)) return "MySQL runs what stands in /*! … */: leave out the exclamation mark";
  if (/^\/\*[\s\S]*\/\*/.test(piece)) return "a comment in a comment: databases disagree on where it ends";
  if (/^--[^\s-]/.test(piece)) return "to MySQL a comment begins with -- and a space: put one there";
}

function isClosed(piece: string): boolean {
  if (piece.startsWith("/*")) return piece.length >= 4 && piece.endsWith("*/");
  if (piece.startsWith("$")) {
    const tag = piece.match(/^\$\w*\$/)?.[0] ?? "";
    return piece.length >= 2 * tag.length && piece.endsWith(tag);
  }
  return piece.length >= 2 && piece.endsWith(piece[0] ?? "");
}
