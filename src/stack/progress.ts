import process from "node:process";

let shown = ""; // the step that runs, when a terminal shows it

/** Shows a step while it runs, and what came of it with the seconds it took. */
export async function showStep<T>(
  name: string,
  work: () => Promise<T>,
  result: (value: T) => string,
): Promise<T> {
  const label = name.padEnd(12);
  const begun = performance.now();
  if (process.stdout.isTTY) {
    shown = `  … ${label}`;
    process.stdout.write(shown);
  }
  const end = (line: string) => {
    const clear = clearShown();
    shown = "";
    process.stdout.write(`${clear}${line}`);
  };
  try {
    const value = await work();
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    end(`  ✓ ${label} ${seconds.padStart(4)} s   ${result(value)}\n`);
    return value;
  } catch (error) {
    end((error as Error).name === "AbortError" ? "" : `  ✗ ${label}\n`);
    throw error;
  }
}

/** Writes a line between the steps. */
export function print(line: string): void {
  process.stdout.write(`${clearShown()}${line}\n${shown}`);
}

const clearShown = () => (shown ? "\r\x1b[K" : "");
