import assert from "node:assert/strict";
import { AddressRefused, createAddressGuard, parseHost } from "./address-guard.ts";

const refusedBy = async (work: Promise<unknown>) => {
  try {
    await work;
    return "permitted";
  } catch (error) {
    assert.ok(error instanceof AddressRefused);
    return error.code;
  }
};
const address = (text: string) => ({ kind: "address" as const, text });
const name = (text: string) => ({ kind: "name" as const, text });

Deno.test("names are letters, digits and hyphens; addresses are written as usual", () => {
  for (
    const [given, kind, text] of [
      ["db.example.com", "name", "db.example.com"],
      ["DB.Example.COM", "name", "db.example.com"],
      ["localhost", "name", "localhost"],
      ["xn--bcher-kva.example", "name", "xn--bcher-kva.example"],
      ["1and1.example", "name", "1and1.example"],
      ["shop.database.windows.net", "name", "shop.database.windows.net"],
      ["8.8.8.8", "address", "8.8.8.8"],
      ["2001:4860:4860:0:0:0:0:8888", "address", "2001:4860:4860::8888"],
      ["::1", "address", "::1"],
    ] as const
  ) assert.deepEqual(parseHost(given), { kind, text }, given);
});

Deno.test("what one resolver reads as a name and another as an address is neither", () => {
  const odd = [
    // an IPv4 address in other clothes
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.01",
    "010.0.0.1",
    "256.1.1.1",
    "1.2.3.4.5",
    "1.2.3.",
    "0",
    "db.0x1",
    "db.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    // an IPv6 address with something on it
    "[::1]",
    "[::1",
    "::1%lo",
    "fe80::1%25eth0",
    "::ffff:127.1",
    ":::",
    "1::2::3",
    "12345::",
    "::g",
    "0:0:0:0:0:0:0:0:1",
    // more than a host
    "db.example.com:5432",
    "user@db.example.com",
    "https://db.example.com",
    "db.example.com/x",
    "db.example.com?x=1",
    "db.example.com#x",
    "a,b",
    "a;b",
    "a|b",
    "a\\b",
    "host1,host2",
    // not a name
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a.",
    "localhost.",
    "-a.com",
    "a-.com",
    "a_b.com",
    "exa mple.com",
    " db",
    "db ",
    "db\n",
    "db\0.example.com",
    "db\t",
    "bücher.example",
    "e\u0301.com",
    "db\u200b.com",
    "ⓓⓑ.com",
    "db．example．com",
    "*.com",
    "a".repeat(64) + ".com",
    ("a".repeat(49) + ".").repeat(5) + "abcdef",
    "%31.com",
    "$(id).com",
  ];
  for (const text of odd) assert.equal(parseHost(text), undefined, JSON.stringify(text));
});

Deno.test("what is not public is blocked", async () => {
  const guard = createAddressGuard();
  const blocked = [
    ["unspecified", "0.0.0.0", "0.1.2.3", "::"],
    ["loopback", "127.0.0.1", "127.255.255.254", "::1"],
    ["private", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    ["carrier-grade NAT", "100.64.0.1", "100.127.255.255"],
    ["link-local", "169.254.0.1", "fe80::1"],
    ["metadata", "169.254.169.254", "100.100.100.200", "fd00:ec2::254", "168.63.129.16", "192.0.0.192"],
    ["multicast, broadcast, reserved", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "ff02::1"],
    ["documentation", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    [
      "benchmarking, protocols",
      "198.18.0.1",
      "198.19.255.255",
      "192.0.0.1",
      "192.88.99.1",
      "2001:2::1",
      "2001:20::1",
    ],
    ["unique local, site-local", "fc00::1", "fdff::1", "fec0::1"],
    ["discard, unassigned", "100::1", "5f00::1", "4000::1", "8000::1"],
    ["IPv4 in IPv6", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "::808:808"],
    ["NAT64", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::808:808"],
    ["6to4, Teredo", "2002:7f00:1::1", "2002:808:808::1", "2001::1", "2001:0:808:808::1"],
  ];
  for (const [what, ...addresses] of blocked) {
    for (const text of addresses) {
      assert.equal(await refusedBy(guard.pin(address(text))), "blocked_address", `${what} ${text}`);
      const named = createAddressGuard({ resolve: () => Promise.resolve([text]) });
      assert.equal(await refusedBy(named.pin(name("db.example.com"))), "blocked_address", `named ${text}`);
    }
  }
  for (
    const text of ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "2606:4700::1111"]
  ) {
    assert.deepEqual(await guard.pin(address(text)), [text]);
  }
});

Deno.test("one blocked address among others blocks them all", async () => {
  for (const found of [["8.8.8.8", "127.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["2606:4700::1111", "::1"]]) {
    const guard = createAddressGuard({ resolve: () => Promise.resolve(found) });
    assert.equal(await refusedBy(guard.pin(name("db.example.com"))), "blocked_address", found.join());
  }
});

Deno.test("a name without an address, or with something else, is not found", async () => {
  const answers: (() => Promise<string[]>)[] = [
    () => Promise.reject(new Error("ENOTFOUND")),
    () => Promise.resolve([]),
    () => Promise.resolve(["not an address"]),
    () => Promise.resolve(["fe80::1%eth0"]),
  ];
  for (const resolve of answers) {
    assert.equal(await refusedBy(createAddressGuard({ resolve }).pin(name("a.example"))), "dns_failed");
  }
});

Deno.test("operators open networks, and nothing beside them", async () => {
  const guard = createAddressGuard({ allowedNetworks: ["10.1.0.0/16", "fd12::/48"] });
  assert.deepEqual(await guard.pin(address("10.1.2.3")), ["10.1.2.3"]);
  assert.deepEqual(await guard.pin(address("fd12::1")), ["fd12::1"]);
  for (const text of ["10.2.0.1", "fd13::1", "127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203"]) {
    assert.equal(await refusedBy(guard.pin(address(text))), "blocked_address", text);
  }
  for (const network of ["10.1.0.0", "10.1.0.0/33", "everything", "0x0a000000/8/1", ""]) {
    assert.throws(() => createAddressGuard({ allowedNetworks: [network] }), TypeError, network);
  }
});

Deno.test("ports from 1024 on, and those that the operator opens", () => {
  const guard = createAddressGuard({ allowedPorts: [443] });
  for (const port of [443, 1024, 1433, 3306, 5432, 65535]) assert.ok(guard.permitsPort(port), `${port}`);
  for (const port of [0, 1, 22, 25, 80, 1023, 65536, -1, 1433.5, NaN]) {
    assert.ok(!guard.permitsPort(port), `${port}`);
  }
});
