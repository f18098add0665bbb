import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ErrorBody } from "../_shared/errors.ts";
import { createStores } from "../_documents/stores.ts";
import { test, type TestStore, withStore } from "../_documents/testing.ts";
import { AppError } from "../_shared/errors.ts";
import type { Permissions } from "../_shared/permissions.ts";
import { createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import type { LinkKeys } from "./links.ts";

const { keys, publishableKey, signToken } = await createTestProject();
const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const token = await signToken();
const newKey = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));

interface Tools extends TestStore {
  call: (
    method: string,
    path: string,
    body?: BodyInit | object,
    headers?: Record<string, string>,
  ) => Promise<Response>;
  links: { keys: LinkKeys | undefined };
  time: { now: number };
}

function withApp(
  work: (tools: Tools) => Promise<void>,
  { may = ["artifacts.read", "artifacts.write"], most = 1e6 } = {},
) {
  return withStore(async (store) => {
    const links: Tools["links"] = { keys: { a: newKey() } };
    const time = { now: Date.now() };
    const require: Permissions["require"] = (organizationId, permission) =>
      organizationId === acme && may.includes(permission)
        ? Promise.resolve()
        : Promise.reject(new AppError("not_permitted"));
    const app = createApp({
      artifacts: createStores(store.documents).artifacts,
      linkKeys: () => links.keys,
      url: () => "https://project.example.com",
      maxUploadBytes: most,
      clock: () => time.now,
      keys,
      log: () => {},
      connect: () => ({
        require,
        limits: async (organizationId, permission) => {
          await require(organizationId, permission);
          return { artifact_bytes: 1_500_000, cache_bytes: null, activity_days: null };
        },
      }),
    });
    const call: Tools["call"] = async (method, path, body, headers) => {
      const isJson = body !== undefined && Object.getPrototypeOf(body) === Object.prototype;
      return await app.request(`/artifacts/${path}`, {
        method,
        headers: headers ?? {
          apikey: publishableKey,
          authorization: `Bearer ${token}`,
          "content-type": isJson ? "application/json" : "text/html; charset=utf-8",
        },
        ...(body !== undefined && { body: isJson ? JSON.stringify(body) : body as BodyInit }),
      });
    };
    await work({ ...store, call, links, time });
  });
}

const codeOf = async (response: Response) => ((await response.json()) as ErrorBody).error.code;
const html = "<script>alert(1)</script>";
const upload = async (call: Tools["call"], name = "page.html", content: BodyInit = html) =>
  await (await call("POST", `${acme}?name=${encodeURIComponent(name)}&kind=export`, content)).json();

test("a file is uploaded, listed, downloaded harmlessly, and deleted", () =>
  withApp(async ({ call }) => {
    const made = await upload(call, "Übersicht (1).html");
    const sha256 = createHash("sha256").update(html).digest("hex");
    assert.deepEqual([made.name, made.kind, made.bytes, made.sha256], [
      "Übersicht (1).html",
      "export",
      25,
      sha256,
    ]);
    const { artifacts, used_bytes } = await (await call("GET", acme)).json();
    assert.deepEqual([artifacts, used_bytes], [[made], 25]);
    assert.deepEqual(await (await call("GET", `${acme}/${made.id}`)).json(), made);
    const download = await call("GET", `${acme}/${made.id}/content`);
    assert.equal(await download.text(), html);
    const header = (name: string) => download.headers.get(name);
    assert.equal(
      header("content-disposition"),
      "attachment; filename=\"U_bersicht (1).html\"; filename*=UTF-8''%C3%9Cbersicht%20%281%29.html",
    );
    assert.equal(header("x-content-type-options"), "nosniff");
    assert.match(header("content-security-policy") ?? "", /^sandbox; default-src 'none'$/);
    assert.equal(header("content-length"), "25");
    assert.match(header("cache-control") ?? "", /no-store/);
    assert.equal((await call("DELETE", `${acme}/${made.id}`)).status, 204);
    assert.equal(await codeOf(await call("GET", `${acme}/${made.id}/content`)), "artifact_not_found");
  }));

test("a stream without a length is taken as it comes, up to what is allowed", () =>
  withApp(async ({ call, mongo }) => {
    let given = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        given += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const response = await call("POST", `${acme}?name=endless`, endless);
    assert.deepEqual([response.status, await codeOf(response)], [413, "payload_too_large"]);
    assert.ok(given < 1_500_000, `${given} bytes were taken`);
    assert.equal(await mongo.run((db) => db.collection("artifact_files.chunks").countDocuments()), 0);
    const fits = new Response(new Uint8Array(999_000)).body as ReadableStream;
    assert.equal((await call("POST", `${acme}?name=fits`, fits)).status, 201);
    const more = new Response(new Uint8Array(999_000)).body as ReadableStream;
    assert.equal(await codeOf(await call("POST", `${acme}?name=more`, more)), "limit_reached");
  }));

test("a link downloads one artifact, for its time, whoever has it", () =>
  withApp(async ({ call, links, time }) => {
    const [made, other] = [await upload(call), await upload(call)];
    const share = async (body: object = { expires_in: 60 }) =>
      new URL((await (await call("POST", `${acme}/${made.id}/link`, body)).json()).url);
    const url = await share();
    assert.equal(url.origin, "https://project.example.com");
    const follow = (link: URL) =>
      call("GET", (link.pathname + link.search).replace("/functions/v1/artifacts/", ""), undefined, {});
    const answer = await follow(url);
    assert.deepEqual([answer.status, await answer.text()], [200, html]);
    assert.equal(answer.headers.get("content-security-policy"), "sandbox; default-src 'none'");

    const changed = (change: (link: URL) => void) => {
      const link = new URL(url);
      change(link);
      return follow(link);
    };
    const signature = url.searchParams.get("signature") ?? "";
    const flipped = (signature[0] === "A" ? "B" : "A") + signature.slice(1);
    const forged = [
      changed((link) => link.pathname = link.pathname.replace(made.id, other.id)),
      changed((link) => link.pathname = link.pathname.replace(acme, globex)),
      changed((link) => link.searchParams.set("expires", "9999999999")),
      changed((link) => link.searchParams.set("key", "b")),
      changed((link) => link.searchParams.set("key", "constructor")),
      changed((link) => link.searchParams.set("signature", flipped)),
    ];
    for (const response of await Promise.all(forged)) {
      assert.deepEqual([response.status, await codeOf(response)], [403, "invalid_link"]);
    }
    assert.equal((await changed((link) => link.searchParams.delete("signature"))).status, 400);

    // A new key signs; the old one is still believed, until it is taken away.
    const old = links.keys?.["a"] ?? "";
    links.keys = { b: newKey(), a: old };
    assert.equal((await share()).searchParams.get("key"), "b");
    assert.equal((await follow(url)).status, 200);
    links.keys = { b: links.keys["b"] ?? "" };
    assert.equal((await follow(url)).status, 403);
    links.keys = { a: old };
    time.now += 61_000;
    assert.equal(await codeOf(await follow(url)), "invalid_link");
    assert.equal((await call("POST", `${acme}/${made.id}/link`, { expires_in: 3601 })).status, 400);
    links.keys = undefined;
    assert.equal((await call("POST", `${acme}/${made.id}/link`, {})).status, 503);
    assert.equal(await codeOf(await follow(url)), "links_unavailable");
  }));

test("what asks for a link is small: no more of it is read", () =>
  withApp(async ({ call }) => {
    const made = await upload(call);
    let given = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        given += 65_536;
        if (given > 5e6) controller.close();
        else controller.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    const headers = {
      apikey: publishableKey,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    };
    const response = await call("POST", `${acme}/${made.id}/link`, endless, headers);
    assert.deepEqual([response.status, await codeOf(response)], [413, "payload_too_large"]);
    assert.ok(given < 1e6, `${given} bytes were taken`);
  }));

test("a link leads nowhere once its artifact is deleted, also after another of the same name", () =>
  withApp(async ({ call }) => {
    const made = await upload(call);
    const { url } = await (await call("POST", `${acme}/${made.id}/link`, { expires_in: 60 })).json();
    const { pathname, search } = new URL(url);
    const follow = () =>
      call("GET", (pathname + search).replace("/functions/v1/artifacts/", ""), undefined, {});
    assert.equal(await (await follow()).text(), html);
    await call("DELETE", `${acme}/${made.id}`);
    await upload(call);
    assert.equal(await codeOf(await follow()), "artifact_not_found");
  }));

test("an empty file is a file; one that is not as long as was said takes what it is", () =>
  withApp(async ({ call }) => {
    const empty = await upload(call, "empty", "");
    assert.deepEqual([empty.bytes, empty.sha256], [0, createHash("sha256").digest("hex")]);
    const download = await call("GET", `${acme}/${empty.id}/content`);
    assert.deepEqual([download.status, await download.text()], [200, ""]);
    const headers = {
      apikey: publishableKey,
      authorization: `Bearer ${token}`,
      "content-type": "text/plain",
    };
    for (const said of ["1", "900000", "-1", "1e3", "99999999999999999999"]) {
      const response = await call("POST", `${acme}?name=lied`, html, { ...headers, "content-length": said });
      assert.deepEqual([response.status, (await response.json()).bytes], [201, html.length], said);
    }
    assert.equal((await (await call("GET", acme)).json()).used_bytes, 5 * html.length);
  }));

test("who may read does not write, and nobody does either elsewhere", async () => {
  let id = "";
  await withApp(async ({ call }) => {
    id = (await upload(call)).id;
    for (const path of [globex, `${globex}/${id}`, `${globex}/${id}/content`]) {
      assert.equal((await call("GET", path)).status, 403);
    }
    assert.equal((await call("GET", acme, undefined, {})).status, 401);
  });
  await withApp(async ({ call }) => {
    assert.equal((await call("POST", `${acme}?name=x`, html)).status, 403);
    assert.equal((await call("DELETE", `${acme}/${id}`)).status, 403);
    assert.equal((await call("GET", acme)).status, 200);
  }, { may: ["artifacts.read"] });
});

test("400: names and content types that could break out", () =>
  withApp(async ({ call }) => {
    for (const wrong of ["", "a/b", "..\\x", "a\r\nb", "a\u202egnp.exe", '"', "x".repeat(201)]) {
      assert.equal(
        (await call("POST", `${acme}?name=${encodeURIComponent(wrong)}`, html)).status,
        400,
        wrong,
      );
    }
    const headers = { apikey: publishableKey, authorization: `Bearer ${token}` };
    for (const wrong of ["x", "text/html; x=y", "a b/c"]) {
      const given = { ...headers, "content-type": wrong };
      assert.equal((await call("POST", `${acme}?name=x`, html, given)).status, 400, wrong);
    }
  }));
