/** Several pieces as one. Works on what Node calls Buffer too. */
export function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Big-endian, as TDS headers and TLS records have their lengths. Zero where there are no such bytes. */
export const uint16At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

export const uint16 = (value: number): number[] => [value >> 8, value & 0xff];

export const empty = new Uint8Array();
