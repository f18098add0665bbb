import assert from "node:assert/strict";
import { clientIp } from "./client-ip.ts";

Deno.test("the trusted header tells, and no other", () => {
  const headers = new Headers({ "x-forwarded-for": "198.51.100.1", "x-real-ip": "198.51.100.2" });
  assert.equal(clientIp(headers, "cf-connecting-ip"), undefined);
  headers.set("cf-connecting-ip", "203.0.113.7");
  assert.equal(clientIp(headers, "cf-connecting-ip"), "203.0.113.7");
});

Deno.test("of a list it is what the proxy added, not what the caller began it with", () => {
  const headers = new Headers({ "x-forwarded-for": "10.0.0.1, 203.0.113.7" });
  assert.equal(clientIp(headers, "x-forwarded-for"), "203.0.113.7");
});

Deno.test("an IPv4 address over IPv6 is the IPv4 address, and IPv6 stays", () => {
  const told = (ip: string) => clientIp(new Headers({ ip }), "ip");
  assert.equal(told("::ffff:203.0.113.7"), "203.0.113.7");
  assert.equal(told("2001:db8::1"), "2001:db8::1");
  assert.equal(told(" "), undefined);
});
