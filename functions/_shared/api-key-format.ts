const wellFormed = /^nk_(?:live|test)_[0-9A-Za-z]{49}$/;
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const checksumDigits = 6;

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** Whether a text can be an API key: its form and its checksum, which tell a typo without a look at the database. */
export function isApiKey(text: string): boolean {
  if (!wellFormed.test(text)) return false;
  let checksum = crc32(new TextEncoder().encode(text.slice(0, -checksumDigits)));
  let encoded = "";
  for (let place = 0; place < checksumDigits; place++) {
    encoded = digits.charAt(checksum % 62) + encoded;
    checksum = Math.floor(checksum / 62);
  }
  return text.endsWith(encoded);
}

/** What the database knows a key by: the SHA-256 of its text. */
export async function hashApiKey(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
