import { afterAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../support/certificates.ts";
import { startTdsServer, type TdsServerOptions, testAuthority } from "../support/tds/server.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess, serverAnswers, version } from "./support.ts";

const day = 86_400_000;
const signed = { subject: "db.test", names: ["db.test"], issuer: testAuthority };

describe.concurrent.each(runtimes)("$name", (runtime) => {
  const runner = startRunner(runtime);
  afterAll(() => runner.stop());

  async function against(options: TdsServerOptions, request: Partial<RunRequest>) {
    const server = await startTdsServer({ answers: serverAnswers, ...options });
    try {
      const answer = await runner.run({
        engine: "mssql",
        host: "db.test",
        port: server.port,
        username: "sa",
        password: "Passw0rd!",
        database: "shop",
        ...request,
        tls: { ca: server.ca, ...request.tls },
      });
      await server.idle();
      return { answer, server };
    } finally {
      await server.close();
    }
  }

  describe.each(["on", "required", "off"] as const)("a server whose encryption is %s", (encryption) => {
    it.each(["verify-full", "verify-ca", "require"] as const)(
      "is logged into by %s, inside TLS",
      async (mode) => {
        const { answer, server } = await against({ encryption }, { tls: { mode } });
        expectSuccess(answer);
        expect(answer.value.server).toEqual({
          product: "Microsoft SQL Server",
          version,
          edition: "Developer Edition (64-bit)",
        });
        expect(answer.value.tls).toMatchObject({
          version: "TLSv1.2",
          certificate: { subject: "db.test", issuer: "Nectar test authority", self_signed: false },
        });
        expect(answer.value.tls.certificate.fingerprint).toMatch(/^[0-9a-f]{64}$/);
        for (const phase of ["tls", "login", "query"]) expect(answer.value.phases[phase]).toBeGreaterThan(0);
        expect(server.logins).toMatchObject([{ tls: "TLSv1.2", user: "sa", database: "shop" }]);
        expect(server.connections()).toBe(1);
      },
    );
  });

  it("strict: TLS comes first", async () => {
    const { answer, server } = await against({}, { tls: { mode: "strict" } });
    expectSuccess(answer);
    expect(answer.value.tls.version).toBe("TLSv1.3");
    expect(server.logins).toMatchObject([{ tls: "TLSv1.3" }]);
  });

  it("strict: a server that knows only TDS 7 is told so", async () => {
    const { answer } = await against({ strict: false }, { tls: { mode: "strict" } });
    expectFailure(answer, "tls_failed", "protocol");
  });

  it("disable: a login in clear where the server allows it, and no other", async () => {
    const { answer, server } = await against({ encryption: "not_supported" }, { tls: { mode: "disable" } });
    expectSuccess(answer);
    expect(answer.value).toMatchObject({ tls: null, phases: { tls: null } });
    expect(server.logins).toMatchObject([{ tls: null }]);

    const refused = await against({ encryption: "required" }, { tls: { mode: "disable" } });
    expectFailure(refused.answer, "tls_required");
    expect(refused.answer.failure?.facts).toEqual({ version: "16.0.4100", encryption: "required" });
    expect(refused.server.logins, "no password in clear").toEqual([]);
  });

  it("a server that declines encryption gets no login", async () => {
    for (const mode of ["require", "verify-full"] as const) {
      const { answer, server } = await against({ encryption: "not_supported" }, { tls: { mode } });
      expectFailure(answer, "tls_failed", "not_offered");
      expect(server.logins).toEqual([]);
    }
  });

  describe.each(["verify-full", "strict"] as const)("%s refuses a certificate", (mode) => {
    it.each([
      ["for another host name", "wrong_name", { ...signed, subject: "other.test", names: ["other.test"] }],
      ["that has expired", "expired", { ...signed, to: new Date(Date.now() - day / 2) }],
      ["that is not valid yet", "not_yet_valid", { ...signed, from: new Date(Date.now() + day) }],
    ] as const)("%s", async (_, reason, options) => {
      const identity = makeCertificate({ ...options, names: [...options.names] });
      const { answer, server } = await against({ identity }, { tls: { mode } });
      expectFailure(answer, "tls_failed", reason);
      expect(server.logins).toEqual([]);
    });

    it("of an authority that nobody gave", async () => {
      const stranger = makeCertificate({ subject: "Somebody", authority: true });
      const { answer } = await against({}, { tls: { mode, ca: stranger.cert } });
      expectFailure(answer, "tls_failed", "untrusted");
    });

    it("that signed itself", async () => {
      const identity = makeCertificate({ subject: "db.test", names: ["db.test"] });
      const { answer } = await against({ identity }, { tls: { mode } });
      // TLS 1.3 hides the certificate from whoever only looks on.
      expectFailure(answer, "tls_failed", runtime.old && mode === "strict" ? "untrusted" : "self_signed");
    });
  });

  it("a self-signed certificate is taken when it is given as the authority", async () => {
    const identity = makeCertificate({ subject: "db.test", names: ["db.test"] });
    const { answer } = await against({ identity }, { tls: { ca: identity.cert } });
    expectSuccess(answer);
    expect(answer.value.tls.certificate.self_signed).toBe(true);
  });

  it("a CA that cannot be read is told before anything is sent", async () => {
    for (const ca of ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]) {
      const { answer } = await against({}, { tls: { ca } });
      expectFailure(answer, "tls_failed", "invalid_ca");
    }
  });

  it("an address is compared with the certificate's addresses", async () => {
    const { answer } = await against({}, { host: "127.0.0.1" });
    expectSuccess(answer);
    const identity = makeCertificate(signed);
    const { answer: other } = await against({ identity }, { host: "127.0.0.1" });
    expectFailure(other, "tls_failed", "wrong_name");
  });

  it("require takes any certificate, verify-ca any name, where the runtime can", async () => {
    const identity = makeCertificate({ subject: "other.test", names: ["other.test"] });
    const { answer: any } = await against({ identity }, { tls: { mode: "require" } });
    const named = makeCertificate({ ...signed, names: ["other.test"] });
    const { answer: name } = await against({ identity: named }, { tls: { mode: "verify-ca" } });
    for (const answer of [any, name]) {
      if (!runtime.old) expectSuccess(answer);
      else {
        expectFailure(answer, "runtime_unsupported");
        expect(answer.failure?.facts).toEqual({ version: "16.0.4100", encryption: "on" });
      }
    }
    const { answer: untrusted } = await against({ identity }, { tls: { mode: "verify-ca" } });
    expectFailure(untrusted, "tls_failed", "self_signed");
  });

  describe("where TLS inside TDS is not to be had", () => {
    const settings = { localPair: "none" } as const;

    it("a server that speaks TDS 8 is logged into by that, its certificate checked in full", async () => {
      for (const mode of ["verify-full", "verify-ca", "require"] as const) {
        const { answer, server } = await against({}, { settings, tls: { mode } });
        expectSuccess(answer);
        expect(answer.value.tls.version).toBe("TLSv1.3");
        expect(server.logins).toMatchObject([{ tls: "TLSv1.3", user: "sa" }]);
      }
      const { answer } = await against({}, { settings, password: "wrong" });
      expectFailure(answer, "login_failed");
      const other = makeCertificate({ ...signed, names: ["other.test"] });
      const { answer: misnamed, server } = await against({ identity: other }, { settings });
      expectFailure(misnamed, "tls_failed", "wrong_name");
      expect(server.logins).toEqual([]);
    });

    it("of any other, what a probe learns", async () => {
      const { answer, server } = await against({ strict: false }, { settings });
      expectFailure(answer, "runtime_unsupported");
      expect(answer.failure?.facts).toEqual({ version: "16.0.4100", encryption: "on" });
      expect(server.logins).toEqual([]);
    });

    it("long before the time is up, of one that does not say no to TDS 8", async () => {
      const { answer } = await against({ fault: "silent_in_tls" }, { settings });
      expectFailure(answer, "runtime_unsupported");
      expect(answer.failure?.facts).toEqual({ version: "16.0.4100", encryption: "on" });
      // It gives up after three seconds; how long they take is the machine's.
      expect(answer.took).toBeLessThan(20_000);
    });
  });

  it.skipIf(runtime.name === "Node")("Deno's own TLS serves on every Deno", async () => {
    for (const mode of ["verify-full", "strict"] as const) {
      const { answer } = await against({}, { settings: { oldDeno: true }, tls: { mode } });
      expectSuccess(answer);
    }
  });
});
