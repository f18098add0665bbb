import { once } from "node:events";
import net from "node:net";
import { createSupabaseContext } from "@supabase/server";
import { describe, expect, test, vi } from "vitest";
import { startGateway } from "../../src/stack/gateway/gateway.ts";
import { publicJwks } from "../../src/stack/keys.ts";
import { freePort } from "../../src/stack/ports.ts";
import {
  adminClient,
  anonClient,
  describeLocal,
  newEmail,
  PASSWORD,
  raw,
  signedInUser,
  useProject,
} from "./support.ts";

const project = useProject();
const local = () => {
  if (!project.local) throw new Error("local only");
  return project.local;
};

describeLocal("the database under the gateway", () => {
  const grants = () => local().superuser`
    select 'table ' || oid::regclass as what, relowner::regrole::text as owner, relacl::text as acl, relrowsecurity::text as rls from pg_class
      where relnamespace in (select oid from pg_namespace where nspname !~ '^pg_') and relkind <> 't'
    union all select 'schema ' || nspname, nspowner::regrole::text, nspacl::text, '' from pg_namespace where nspname !~ '^pg_'
    union all select 'default ' || defaclnamespace::regnamespace || defaclobjtype::text, defaclrole::regrole::text, defaclacl::text, '' from pg_default_acl
    union all select 'function ' || oid::regprocedure, proowner::regrole::text, proacl::text, '' from pg_proc
      where pronamespace in (select oid from pg_namespace where nspname !~ '^pg_')
    union all select 'role ' || rolname, '', rolconfig::text, '' from pg_roles
    order by 1`;

  test("keeps its schema, grants and owners through every kind of request", async () => {
    const before = await grants();
    const client = anonClient(project);
    await client.auth.signUp({ email: newEmail(), password: PASSWORD });
    await client.from("nothing").select();
    await client.rpc("nothing");
    await adminClient(project).auth.admin.listUsers();
    expect(await grants()).toEqual(before);
  });

  test("has the auth tables in supabase_auth_admin's hands, with row security, and no history of lite's", async () => {
    const tables = await local().superuser`
      select relname, relowner::regrole::text as owner, relrowsecurity as secured from pg_class
      where relnamespace = 'auth'::regnamespace and relkind = 'r' order by 1`;
    expect(tables.map(({ relname }) => relname)).toEqual([
      "audit_log_entries",
      "flow_state",
      "identities",
      "mfa_amr_claims",
      "refresh_tokens",
      "sessions",
      "users",
    ]);
    for (const { owner, secured } of tables) expect([owner, secured]).toEqual(["supabase_auth_admin", true]);
    const [history] = await local().superuser`select to_regnamespace('supabase_migrations') as found`;
    expect(history?.["found"]).toBeNull();
  });

  test("is never reached as superuser", async () => {
    await signedInUser(project);
    await raw(project, "/rest/v1/rpc/nothing", { method: "POST", body: "{}" });
    const sessions = await local().superuser`
      select usename from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`;
    const roles = new Set(sessions.map(({ usename }) => usename));
    expect(roles).not.toContain("supabase_admin");
    expect(roles).toContain("authenticator");
    expect(roles).toContain("supabase_auth_admin");
  });
});

describeLocal("a client", () => {
  test("that goes in the middle of its request is no error of ours", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    try {
      const { hostname, port } = new URL(project.url);
      const socket = net.connect(Number(port), hostname);
      socket.write(
        `POST /rest/v1/x HTTP/1.1\r\nhost: x\r\napikey: ${project.secretKey}\r\ncontent-length: 9\r\n\r\n{`,
      );
      await once(socket, "ready");
      await raw(project, "/auth/v1/health", {}); // by then the gateway has begun to read
      socket.destroy();
      await once(socket, "close");
      await raw(project, "/auth/v1/health", {});
      expect(said).not.toHaveBeenCalled();
    } finally {
      said.mockRestore();
    }
  });
});

describeLocal("starting and stopping", () => {
  const options = (port: number) => {
    const { host, port: ports } = local().superuser.options;
    return {
      port,
      databaseUrl: (role: string) =>
        `postgresql://${role}:postgres@${host[0]}:${ports[0]}/postgres?sslmode=disable`,
      keys: local().keys,
      auth: { siteUrl: "http://localhost:3000" },
    };
  };
  const connections = async () => {
    const rows = await local().superuser<{ pid: number }[]>`
      select pid from pg_stat_activity where usename in ('authenticator', 'supabase_auth_admin')`;
    return rows.map(({ pid }) => pid);
  };
  /** Until none is left that was not there before: PostgreSQL ends them a moment after their clients. */
  const noneBeside = (before: number[]) =>
    expect
      .poll(async () => (await connections()).filter((pid) => !before.includes(pid)), {
        timeout: 20_000,
        interval: 20,
      })
      .toEqual([]);

  test("a taken port is an error with its code, and leaves nothing open", async () => {
    const before = await connections();
    const { port } = new URL(project.url);
    await expect(startGateway(options(Number(port)))).rejects.toMatchObject({ code: "EADDRINUSE" });
    await noneBeside(before);
  });

  test("an unknown token hook too", async () => {
    const port = await freePort();
    const tokenHook = "pg-functions://postgres/private/nothing";
    const wanted = { ...options(port), auth: { siteUrl: "http://localhost:3000", tokenHook } };
    await expect(startGateway(wanted)).rejects.toThrow(/does not exist/);
    const gateway = await startGateway(options(port));
    await gateway.close();
  });

  test("close ends every connection, even one that is waiting", async () => {
    const before = await connections();
    const gateway = await startGateway(options(0));
    await fetch(`${gateway.url}/rest/v1/x`, { headers: { apikey: local().keys.publishableKey } });
    await gateway.close();
    await noneBeside(before);
    await expect(fetch(gateway.url)).rejects.toThrow();
  });

  test("it listens on the loopback interface only", () => {
    expect(new URL(project.url).hostname).toBe("127.0.0.1");
  });
});

describe("around the services", () => {
  test.each(["/_system/info", "/studio", "/static/main.js", "/rest/v2/x", "/", "/auth"])(
    "%s is closed",
    async (path) => {
      const answer = await raw(project, path, { headers: { apikey: project.secretKey } });
      expect(answer.status).toBe(404);
    },
  );

  test("a server can ask whether REST is there, without reading", async () => {
    const answer = await fetch(`${project.url}/rest/v1/`, {
      method: "HEAD",
      headers: { apikey: project.secretKey },
    });
    expect(answer.status).toBe(200);
  });

  test("a browser may ask from anywhere", async () => {
    for (const path of ["/rest/v1/anything", "/auth/v1/token", "/auth/v1/admin/users"]) {
      const answer = await fetch(project.url + path, {
        method: "OPTIONS",
        headers: {
          origin: "http://localhost:3000",
          "access-control-request-method": "PATCH",
          "access-control-request-headers": "authorization,apikey,prefer,x-client-info",
        },
      });
      expect(answer.ok).toBe(true);
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      expect(answer.headers.get("access-control-allow-methods")).toContain("PATCH");
      expect(answer.headers.get("access-control-allow-headers")).toContain("x-client-info");
    }
    const refused = await fetch(`${project.url}/rest/v1/anything`, {
      headers: { origin: "http://localhost:3000" },
    });
    expect(refused.headers.get("access-control-allow-origin")).toBe("*");
  });
});

describeLocal("parts of the platform that are not here", () => {
  test.each(["storage", "realtime", "graphql"])("%s says so", async (name) => {
    const answer = await raw(project, `/${name}/v1/anything`);
    expect(answer.status).toBe(501);
    expect(answer.json).toMatchObject({
      code: "not_in_local_stack",
      message: expect.stringMatching(/not part of the local stack/),
    });
  });
});

describeLocal("@supabase/server", () => {
  const context = (token: string, jwks: unknown) =>
    createSupabaseContext(
      new Request("http://localhost/", {
        headers: { authorization: `Bearer ${token}`, apikey: project.publishableKey },
      }),
      {
        auth: "user",
        env: {
          url: project.url,
          publishableKeys: { default: project.publishableKey },
          secretKeys: { default: project.secretKey },
          jwks: jwks as never,
        },
      },
    );

  test.each([
    ["with the keys given", () => publicJwks(local().keys)],
    ["fetching the keys", () => new URL(`${project.url}/auth/v1/.well-known/jwks.json`)],
  ])("believes our tokens, %s", async (_how, jwks) => {
    const { token, id, email } = await signedInUser(project);
    const { data, error } = await context(token, jwks());
    expect(error).toBeNull();
    expect(data?.userClaims).toMatchObject({ id, email, role: "authenticated" });
    const user = await data?.supabase.auth.getUser(token);
    expect(user?.data.user?.id).toBe(id);
  });

  test("and no others", async () => {
    const { token } = await signedInUser(project);
    const [header, claims, signature = ""] = token.split(".");
    const other = (signature.startsWith("A") ? "B" : "A") + signature.slice(1);
    const { error } = await context(`${header}.${claims}.${other}`, publicJwks(local().keys));
    expect(error?.status).toBe(401);
  });
});
