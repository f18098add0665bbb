// X.509 for tests: Node makes keys and signatures but no certificates, so their few lines of DER are written here.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

export interface Identity {
  /** PEM. */
  cert: string;
  /** PEM, PKCS #8. */
  key: string;
}

export interface CertificateOptions {
  /** Common name. */
  subject: string;
  /** Host names and IPv4 addresses that the certificate is for. */
  names?: string[];
  from?: Date;
  to?: Date;
  /** Signs it; left out, the certificate signs itself. */
  issuer?: Identity & { subject: string };
  authority?: boolean;
}

const day = 86_400_000;

/** Makes a key and a certificate for it, valid from yesterday for ten years unless told otherwise. */
export function makeCertificate(options: CertificateOptions): Identity & { subject: string } {
  const { subject, names = [], issuer, authority = false } = options;
  const { from = new Date(Date.now() - day), to = new Date(Date.now() + 3650 * day) } = options;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer: KeyObject = issuer ? createPrivateKey(issuer.key) : privateKey;

  const extensions = [
    extension([0x55, 0x1d, 0x13], authority ? sequence(Buffer.from([0x01, 0x01, 0xff])) : sequence()),
  ];
  if (names.length > 0) {
    const alternatives = names.map((name) =>
      isIPv4(name) ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name)),
    );
    extensions.push(extension([0x55, 0x1d, 0x11], sequence(...alternatives)));
  }
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    name(issuer?.subject ?? subject),
    sequence(time(from), time(to)),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const certificate = sequence(body, ecdsaWithSha256, bits(sign("sha256", body, signer)));
  return {
    subject,
    cert: pem("CERTIFICATE", certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const integer = (value: Buffer) => der(0x02, value);
const bits = (value: Buffer) => der(0x03, Buffer.from([0]), value);
const objectId = (encoded: number[]) => der(0x06, Buffer.from(encoded));
const ecdsaWithSha256 = sequence(objectId([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
const name = (common: string) =>
  sequence(der(0x31, sequence(objectId([0x55, 0x04, 0x03]), der(0x0c, Buffer.from(common)))));
const extension = (id: number[], value: Buffer) => sequence(objectId(id), der(0x04, value));
const time = (date: Date) =>
  der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));

function pem(label: string, content: Buffer): string {
  const lines = content.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
