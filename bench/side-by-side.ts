const BLOCK = 50;

/**
 * Calls every variant `rounds` times and gives the median milliseconds of each. The variants take turns in
 * blocks, so that all see the same minutes of the machine, and each the warm caches it has under load.
 */
export async function sideBySide<Name extends string>(
  variants: Record<Name, () => Promise<unknown>>,
  rounds: number,
): Promise<Record<Name, number>> {
  const names = Object.keys(variants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  const block = Math.min(BLOCK, rounds);
  const warmUp = Math.floor(block / 5);
  for (let done = 0; done < rounds; done += block) {
    for (const name of names) {
      for (let turn = -warmUp; turn < block; turn++) {
        const start = performance.now();
        await variants[name]();
        if (turn >= 0) samples[name].push(performance.now() - start);
      }
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(samples[name])])) as Record<Name, number>;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
