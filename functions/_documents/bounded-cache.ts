/** Values by name, of which the least lately used go when there are too many bytes of them. */
export interface BoundedCache<T> {
  get(name: string): T | undefined;
  set(name: string, value: T, bytes: number): void;
}

export function boundedCache<T>(mostBytes: number): BoundedCache<T> {
  // A Map keeps the order in which its entries were set.
  const entries = new Map<string, { value: T; bytes: number }>();
  let total = 0;

  function drop(name: string) {
    total -= entries.get(name)?.bytes ?? 0;
    entries.delete(name);
  }

  return {
    get(name) {
      const entry = entries.get(name);
      if (!entry) return undefined;
      entries.delete(name);
      entries.set(name, entry);
      return entry.value;
    },
    set(name, value, bytes) {
      drop(name);
      if (bytes > mostBytes) return;
      entries.set(name, { value, bytes });
      total += bytes;
      for (const oldest of entries.keys()) {
        if (total <= mostBytes) break;
        drop(oldest);
      }
    },
  };
}
