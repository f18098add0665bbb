import { lookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";

/** A host as it may be connected to: a name, or an address in its usual notation. */
export interface Host {
  kind: "name" | "address";
  /** In lower case; an address in its canonical form. */
  text: string;
}

export type Resolve = (name: string) => Promise<string[]>;

export interface AddressGuardOptions {
  /** Networks that the operator opens, as CIDR: `10.1.0.0/16`. */
  allowedNetworks?: readonly string[];
  /** Ports below 1024 that the operator opens. */
  allowedPorts?: readonly number[];
  /** Instead of the system's resolver. */
  resolve?: Resolve;
}

/** Why an address is not connected to. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
  readonly code: "dns_failed" | "blocked_address";

  constructor(code: "dns_failed" | "blocked_address", options?: ErrorOptions) {
    super(code, options);
    this.code = code;
  }
}

/** Decides to which addresses a stranger may send us. Closed, unless opened. */
export interface AddressGuard {
  /**
   * Resolves a host, once, to the addresses to connect to: whoever resolves it again may be told another.
   *
   * @throws {AddressRefused} when it has none, or any of them is not public and not opened.
   */
  pin(host: Host): Promise<string[]>;
  /** Whether the port may be connected to: databases have theirs from 1024 on. */
  permitsPort(port: number): boolean;
}

const MOST_ADDRESSES = 8;

/** @throws {TypeError} naming the network that is not one. */
export function createAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  const { resolve = resolveBySystem, allowedPorts = [] } = options;
  const opened = (options.allowedNetworks ?? []).map(parseNetwork);

  const permits = (text: string) => {
    const address = ipaddr.parse(text);
    return isPublic(address) || opened.some((network) => contains(network, address));
  };

  return {
    async pin(host) {
      const found = host.kind === "address" ? [host.text] : await resolveName(host.text, resolve);
      // One that is not public among others that are is how a name is bent.
      if (!found.every(permits)) throw new AddressRefused("blocked_address");
      return found;
    },
    permitsPort: (port) =>
      Number.isInteger(port) && port <= 65535 && (port >= 1024 || allowedPorts.includes(port)),
  };
}

async function resolveName(name: string, resolve: Resolve): Promise<string[]> {
  let found: string[];
  try {
    found = [...new Set(await resolve(name))].slice(0, MOST_ADDRESSES);
  } catch (cause) {
    throw new AddressRefused("dns_failed", { cause });
  }
  if (found.length === 0 || !found.every((address) => ipaddr.isValid(address) && !address.includes("%"))) {
    throw new AddressRefused("dns_failed");
  }
  return found;
}

const resolveBySystem: Resolve = async (name) =>
  (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address);

/**
 * Reads a host that a stranger wrote: a name of letters, digits and hyphens (others as `xn--`), an IPv4 address as four
 * decimal numbers, or an IPv6 address without brackets and zone. Undefined for everything else: what one resolver reads
 * as a name, another reads as an address (`127.1`, `0x7f.1`, `2130706433`).
 */
export function parseHost(text: string): Host | undefined {
  if (text.length > 253) return undefined;
  if (/^[0-9a-f:.]+$/i.test(text) && text.includes(":")) {
    return ipaddr.IPv6.isValid(text)
      ? { kind: "address", text: ipaddr.IPv6.parse(text).toString() }
      : undefined;
  }
  if (ipaddr.IPv4.isValidFourPartDecimal(text) && !/(^|\.)0\d/.test(text)) return { kind: "address", text };
  const labels = text.toLowerCase().split(".");
  const last = labels.at(-1) ?? "";
  if (/^(\d+|0x[0-9a-f]*)$/.test(last)) return undefined;
  if (!labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label))) return undefined;
  return { kind: "name", text: labels.join(".") };
}

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

function parseNetwork(text: string): Network {
  try {
    return ipaddr.parseCIDR(text);
  } catch {
    throw new TypeError(`${text} is not a network such as 10.1.0.0/16`);
  }
}

function contains([network, bits]: Network, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return network.kind() === address.kind() && address.match(network as ipaddr.IPv4 & ipaddr.IPv6, bits);
}

/** Beyond what ipaddr.js knows by name. */
const neverPublic = [
  // Azure's host, which looks like any public address
  "168.63.129.16/32",
  // IPv6 that carries an IPv4 address, and would lead there: compatible, NAT64, 6to4, Teredo
  "::/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "2002::/16",
  "2001::/32",
  // IETF protocol assignments, documentation
  "2001::/23",
  "3fff::/20",
  "192.88.99.0/24",
].map(parseNetwork);

const globalUnicast = parseNetwork("2000::/3");

/** True for what anybody on the internet can reach. */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.kind() === "ipv6" && !contains(globalUnicast, address)) return false;
  return address.range() === "unicast" && !neverPublic.some((network) => contains(network, address));
}
