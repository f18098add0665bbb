import { expect, test } from "vitest";
import { describeLocal, raw, useProject } from "./support.ts";

describeLocal("/functions/v1", () => {
  const project = useProject(undefined, {
    functions: {
      handle(incoming, outgoing) {
        if (incoming.url === "/stream") {
          outgoing.writeHead(200, { "content-type": "text/plain" });
          incoming.on("data", (chunk) => outgoing.write(`got ${chunk};`));
          incoming.on("end", () => outgoing.end("end"));
          return;
        }
        const { url, method, headers } = incoming;
        outgoing.writeHead(201, { "content-type": "application/json", "x-own": "kept" });
        outgoing.end(JSON.stringify({ url, method, headers }));
      },
    },
  });

  test("hands on path, query, method and headers; no API key is asked for", async () => {
    const answer = await fetch(`${project.url}/functions/v1/hello/world?x=1%202`, {
      method: "DELETE",
      headers: { authorization: "Bearer abc", "x-forwarded-for": "6.6.6.6" },
    });
    expect([answer.status, answer.headers.get("x-own")]).toEqual([201, "kept"]);
    expect(await answer.json()).toMatchObject({
      url: "/hello/world?x=1%202",
      method: "DELETE",
      headers: {
        authorization: "Bearer abc",
        "x-forwarded-host": new URL(project.url).host,
        "x-forwarded-proto": "http",
        "x-forwarded-for": "127.0.0.1",
      },
    });
  });

  test("leaves CORS to the function", async () => {
    const answer = await fetch(`${project.url}/functions/v1/hello`, {
      method: "OPTIONS",
      headers: { origin: "http://localhost", "access-control-request-method": "POST" },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.has("access-control-allow-origin")).toBe(false);
  });

  test("streams both ways", async () => {
    const { readable, writable } = new TransformStream<Uint8Array>();
    const writer = writable.getWriter();
    const init = { method: "POST", body: readable, duplex: "half" } as RequestInit;
    const pending = fetch(`${project.url}/functions/v1/stream`, init);
    const send = (text: string) => writer.write(new TextEncoder().encode(text));
    await send("one");
    const reader = (await pending).body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe("got one;");
    await send("two");
    expect((await reader?.read())?.value).toBe("got two;");
    await writer.close();
    expect((await reader?.read())?.value).toBe("end");
  });

  test("without a name there is no function", async () => {
    const answer = await raw(project, "/functions/v1/");
    expect([answer.status, answer.json]).toEqual([
      404,
      { code: "NOT_FOUND", message: "Requested function was not found" },
    ]);
  });
});

describeLocal("without a function host", () => {
  const project = useProject();

  test("no function is found", async () => {
    const answer = await raw(project, "/functions/v1/hello", { method: "POST", body: "{}" });
    expect([answer.status, answer.json]).toEqual([
      404,
      { code: "NOT_FOUND", message: "Requested function was not found" },
    ]);
  });
});
