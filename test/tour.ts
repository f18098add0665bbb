// `npm run tour`: two tenants meet, told in real requests against a running backend.
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { createNectarClient } from "../src/client/index.ts";
import { must, type Person, signUp, uniqueSlug } from "./support/people.ts";
import { runningProject } from "./support/running-project.ts";

const project = await runningProject();

const say = (text: string) => console.log(`\n${text}`);
const show = (label: string, value: unknown) =>
  console.log(`    ${label.padEnd(34)} ${JSON.stringify(value)}`);

/** A tour that only prints would show a broken backend as a working one. */
function expect(what: string, holds: boolean): void {
  if (!holds) throw new Error(`The tour expected that ${what}.`);
}

const applications = async (person: Person): Promise<string[]> =>
  must(await person.supabase.from("applications").select("name").order("name")).map(({ name }) => name);

say(`Nectar at ${project.url}`);
const visitor = createNectarClient(project);
const health = await visitor.functions.GET("/health");
expect("the backend is healthy", health.data?.status === "ok");
show("GET /functions/v1/health", health.data);

say("Ada and Grace sign up. Neither belongs anywhere yet.");
const [ada, grace] = await Promise.all([signUp(project, "Ada"), signUp(project, "Grace")]);
show("Ada", ada.email);
show("Grace", grace.email);

say("Each makes an organization, and owns it: create_organization is one transaction.");
const createOrganization = async (person: Person, name: string) =>
  must(
    await person.supabase.rpc("create_organization", {
      p_name: name,
      p_slug: uniqueSlug(name.toLowerCase().replaceAll(" ", "-")),
    }),
  );
const engines = await createOrganization(ada, "Analytical Engines");
const compilers = await createOrganization(grace, "Compiler Works");
show("Ada's", engines.slug);
show("Grace's", compilers.slug);

say("Each adds an application, straight into the table. Row security decides, no server in between.");
const addApplication = async (person: Person, organizationId: string, name: string) =>
  person.supabase
    .from("applications")
    .insert({ organization_id: organizationId, name, slug: name.toLowerCase() })
    .select()
    .single();
must(await addApplication(ada, engines.id, "Loom"));
must(await addApplication(grace, compilers.id, "Flow-Matic"));
show("Ada sees", await applications(ada));
show("Grace sees", await applications(grace));
expect("neither sees the other's", (await applications(ada)).join() === "Loom");

say("Grace tries Ada's organization. Reading finds nothing; writing is refused.");
const peek = await grace.supabase.from("organizations").select().eq("id", engines.id);
show("select", peek.data);
const planted = await addApplication(grace, engines.id, "Mole");
show("insert", { status: planted.status, code: planted.error?.code });
expect("a stranger is refused", peek.data?.length === 0 && planted.status === 403);

say("Ada invites Grace as a developer. The link goes by mail; where none is sent, Ada gets it once.");
const invited = must(
  await ada.organizations.invite(engines.id, { email: grace.email, roleKey: "developer" }),
);
show("link", invited.accept_url?.replace(/(token=.{6}).*/, "$1…"));
const token = new URL(invited.accept_url ?? "").hash.slice("#token=".length);
show("Grace sees", must(await grace.organizations.previewInvitation(token)).organization_name);

say("Grace accepts. It holds at once, with the token she signed in with.");
must(await grace.organizations.acceptInvitation(token));
show("Grace sees", await applications(grace));
must(await addApplication(grace, engines.id, "Punch-Card"));
show("and writes", await applications(ada));

say("A fresh token tells the front end where she belongs. The database does not rely on it.");
const { session } = must(await grace.supabase.auth.refreshSession());
const { app_metadata } = decodeJwt<{ app_metadata: { orgs: Record<string, string> } }>(
  session?.access_token ?? "",
);
show("app_metadata.orgs", app_metadata.orgs);

say("Ada removes Grace. The token stays valid for an hour; the next request is refused all the same.");
const removed = await ada.organizations.removeMember(engines.id, grace.id);
expect("Ada removes a member", removed.error === null);
show("Grace sees", await applications(grace));
const late = await addApplication(grace, engines.id, "Late");
show("insert", { status: late.status, code: late.error?.code });
expect("a removed member is refused", late.status === 403);

say("The last owner cannot leave, and the error says what to do.");
const leaving = (await ada.organizations.leave(engines.id)).error;
show(leaving?.code ?? "", leaving?.message);
expect("an organization keeps an owner", leaving?.code === "last_owner");

say("Ada makes an API key. Its secret is shown once; the database keeps a hash, and decides on every call.");
const [loom] = must(await ada.supabase.from("applications").select("id").eq("name", "Loom"));
const key = must(await ada.keys.create(loom?.id ?? "", { name: "Server", scopes: ["applications.read"] }));
const ping = async (secret: string) => {
  const headers = { authorization: `Bearer ${secret}` };
  const answer = await fetch(`${project.url}/functions/v1/api/ping`, { headers });
  return { status: answer.status, limits: answer.headers.get("ratelimit") };
};
const allowed = await ping(key.secret);
show("GET /functions/v1/api/ping", allowed);
expect("a key opens the data plane", allowed.status === 200);
must(await ada.keys.revoke(key.api_key_id));
const revoked = await ping(key.secret);
show("revoked, at the next request", revoked);
expect("a revoked key is refused", revoked.status === 401);

say("A workflow is drafted, changed by whoever read it last, and published as a version that never changes.");
const draft = must(
  await ada.workflows.create(engines.id, {
    name: "Hello",
    slug: "hello",
    definition: {
      format: "nectar.workflow/1",
      trigger: { type: "http", method: "GET", path: "/hello/{name}" },
      parameters: [{ name: "name", type: "string", in: "path" }],
      start: "answer",
      steps: [{ id: "answer", type: "respond", status: 200, body: { parameter: "name" } }],
      edges: [],
    },
  }),
);
const renamed = must(await ada.workflows.patch(engines.id, draft.id, { description: "Says hello." }, draft));
const lost = await ada.workflows.patch(engines.id, draft.id, { description: "Lost." }, { etag: draft.etag });
show("a change to what is not the latest", { status: lost.error?.status, code: lost.error?.code });
expect("nobody's change is overwritten", lost.error?.code === "stale_revision");
const { version } = must(await ada.workflows.publish(engines.id, draft.id, { etag: renamed.etag }));
show("published", { version: version.number, route: version.route });

say("Ada buys a plan. Stripe says who pays; the database says what that entitles to, at the next statement.");
const applicationsAllowed = async () =>
  must(await ada.billing.entitlements(engines.id)).find((one) => one.key === "applications")?.value;
show("applications on the free plan", await applicationsAllowed());
const pro = must(await ada.billing.plans()).find((plan) => plan.key === "pro");
const price = pro?.plan_prices.find(({ interval }) => interval === "month");
if (price) {
  const page = must(await ada.billing.checkout(engines.id, { price_id: price.stripe_price_id, quantity: 3 }));
  show("a page to pay at", page.url.slice(0, 48));
  if (new URL(page.url).hostname === "127.0.0.1") {
    await fetch(page.url, { method: "POST", redirect: "manual" });
    const deadline = Date.now() + 10_000;
    while ((await applicationsAllowed()) !== 25 && Date.now() < deadline) await sleep(50);
    show("applications on Pro", await applicationsAllowed());
    expect("what is paid is had", (await applicationsAllowed()) === 25);
  }
}

say("All of it is in the audit log, chained by hashes, in the change's own transaction.");
for await (const page of ada.organizations.auditLog(engines.id)) {
  for (const { seq, action, actor_id } of page.data ?? [])
    show(`${seq} ${action}`, actor_id === ada.id ? "Ada" : actor_id === grace.id ? "Grace" : "system");
}
const chain = must(await ada.organizations.verifyAudit(engines.id));
show("verified", { checked: chain.checked, first_broken_seq: chain.first_broken_seq });
expect("the chain is whole", chain.reason === null);

say("That was it. The same story, and much more, is proven by npm test.\n");
