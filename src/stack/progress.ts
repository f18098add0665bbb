/** Shows a step while it runs, and what came of it with the seconds it took. */
export async function showStep<T>(
  name: string,
  work: () => Promise<T>,
  result: (value: T) => string,
): Promise<T> {
  const label = name.padEnd(12);
  const live = process.stdout.isTTY;
  if (live) process.stdout.write(`  … ${label}`);
  const begun = performance.now();
  const clear = live ? "\r\x1b[K" : "";
  try {
    const value = await work();
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    process.stdout.write(`${clear}  ✓ ${label} ${seconds.padStart(4)} s   ${result(value)}\n`);
    return value;
  } catch (error) {
    process.stdout.write(`${clear}  ✗ ${label}\n`);
    throw error;
  }
}
