/**
 * Who is calling, from the one header that the proxy in front always sets itself (`CLIENT_IP_HEADER`). Of a list
 * it is the last entry, which that proxy added: what stands before it is what the caller says. There is no second header
 * to fall back on, since a caller could send that one.
 */
export function clientIp(headers: Headers, trustedHeader: string): string | undefined {
  const told = headers.get(trustedHeader)?.split(",").at(-1)?.trim();
  // An IPv4 address that arrives over IPv6 is the address that a range of IPv4 means.
  return told?.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "") || undefined;
}
