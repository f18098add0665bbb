import { decodeJwt } from "jose";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { toNectarError } from "../../src/client/index.ts";
import { join } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");

describe("two people, two organizations", () => {
  let ada: Person;
  let grace: Person;
  let engines: { id: string };
  let compilers: { id: string };

  const createOrganization = async (person: Person, name: string) =>
    must(
      await person.supabase.rpc("create_organization", {
        p_name: name,
        p_slug: uniqueSlug(name.toLowerCase().replace(" ", "-")),
      }),
    );

  beforeAll(async () => {
    [ada, grace] = await Promise.all([signUp(project, "Ada"), signUp(project, "Grace")]);
    engines = await createOrganization(ada, "Analytical Engines");
    compilers = await createOrganization(grace, "Compiler Works");
    must(
      await ada.supabase
        .from("applications")
        .insert({ organization_id: engines.id, name: "Loom", slug: "loom" })
        .select(),
    );
    must(
      await grace.supabase
        .from("applications")
        .insert({ organization_id: compilers.id, name: "A-0", slug: "a-0" })
        .select(),
    );
  });

  const applications = async (person: Person) =>
    must(await person.supabase.from("applications").select("name").order("name")).map(({ name }) => name);

  test("each sees their own organization and application, and nothing of the other's", async () => {
    expect(await applications(ada)).toEqual(["Loom"]);
    expect(await applications(grace)).toEqual(["A-0"]);
    const foreign = await ada.supabase.from("organizations").select().eq("id", compilers.id);
    expect(foreign).toMatchObject({ data: [], error: null });
  });

  test("writing into the other's organization is refused", async () => {
    const planted = await grace.supabase
      .from("applications")
      .insert({ organization_id: engines.id, name: "Mole", slug: "mole" });
    expect(planted).toMatchObject({ status: 403, error: { code: "42501" } });
    const renamed = await grace.supabase
      .from("organizations")
      .update({ name: "Taken over" })
      .eq("id", engines.id)
      .select();
    expect(renamed).toMatchObject({ data: [], error: null });
  });

  test("a member who is added reads at once, and one who is removed is refused at the next request", async () => {
    await join(ada, engines.id, grace, "developer");
    expect(await applications(grace)).toEqual(["A-0", "Loom"]);

    // The token now names the organization, and stays valid for an hour.
    const { session } = must(await grace.supabase.auth.refreshSession());
    const claims = decodeJwt(session?.access_token ?? "") as { app_metadata: { orgs: unknown } };
    expect(claims.app_metadata.orgs).toEqual({ [engines.id]: "developer", [compilers.id]: "owner" });

    expect((await ada.organizations.removeMember(engines.id, grace.id)).error).toBeNull();
    expect(await applications(grace)).toEqual(["A-0"]);
    const late = await grace.supabase
      .from("applications")
      .insert({ organization_id: engines.id, name: "Late", slug: "late" });
    expect(late).toMatchObject({ status: 403, error: { code: "42501" } });
  });

  test("members see each other's names, strangers do not", async () => {
    const stranger = await ada.supabase.from("users").select("name").eq("id", grace.id);
    expect(stranger.data).toEqual([]);
    await join(ada, engines.id, grace, "viewer");
    const members = must(
      await ada.supabase
        .from("memberships")
        .select("role_key, users(name)")
        .eq("organization_id", engines.id)
        .order("role_key"),
    );
    expect(members).toEqual([
      { role_key: "owner", users: { name: "Ada" } },
      { role_key: "viewer", users: { name: "Grace" } },
    ]);
    expect((await grace.organizations.leave(engines.id)).error).toBeNull();
  });

  test("what is refused says why, in a code and a sentence", async () => {
    const again = await ada.supabase
      .from("applications")
      .insert({ organization_id: engines.id, name: "Loom", slug: "loom" });
    expect(toNectarError(again)).toMatchObject({
      code: "application_slug_taken",
      status: 409,
      message: expect.stringContaining("Choose another"),
    });

    const { slug } = must(
      await ada.supabase.from("organizations").select("slug").eq("id", engines.id).single(),
    );
    const taken = await grace.supabase.rpc("create_organization", { p_name: "Copy", p_slug: slug });
    expect(toNectarError(taken)).toMatchObject({ code: "slug_taken", status: 409 });

    const leaving = await ada.organizations.leave(engines.id);
    expect(leaving.error).toMatchObject({ code: "last_owner", status: 400 });

    // Members change by the functions alone.
    const promoted = await grace.supabase
      .from("memberships")
      .update({ role_key: "owner" } as never)
      .eq("organization_id", engines.id)
      .select();
    expect(promoted).toMatchObject({ status: 403, error: { code: "42501" } });
  });

  test("nobody who is not signed in sees or does anything", async () => {
    await grace.supabase.auth.signOut();
    const read = await grace.supabase.from("organizations").select();
    expect(read).toMatchObject({ status: 401, error: { code: "42501" } });
    const created = await grace.supabase.rpc("create_organization", { p_name: "Anon", p_slug: "anon-org" });
    expect(created).toMatchObject({ status: 401, error: { code: "42501" } });
  });
});
