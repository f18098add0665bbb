import { AppError } from "../_shared/errors.ts";
import { boundedCache } from "./bounded-cache.ts";
import type { Documents, Tenant } from "./documents.ts";
import { matchRoute } from "./routes.ts";
import { above, type Fields, present } from "./where.ts";
import { heads, requireVersion } from "./workflow-documents.ts";
import type { Workflow, WorkflowVersion } from "./workflows.ts";

const routeFields = ["_id", "slug", "live_route", "latest_version", "latest_hash"] as const;
/** What answers a method and path. */
export type LiveRoute = Pick<Workflow, typeof routeFields[number]>;

const PAGE = 1000;

/** What one process keeps of what is live. */
const CACHED_BYTES = 16 * 1024 * 1024;

/** What is published, as a runtime asks for it. */
export function createLiveWorkflows({ run }: Documents) {
  // Versions never change: whether one may still be read, its workflow says each time.
  const known = boundedCache<WorkflowVersion>(CACHED_BYTES);

  /** What is live under which route: what a runtime's router is made of. In the order in which they were made. */
  const routes = (
    organizationId: string,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Promise<LiveRoute[]> => run(organizationId, (tenant) => liveRoutes(tenant, limit, after));

  /** A version of what is live, by the workflow's slug or id, or by a request's method and path. */
  const live = (
    organizationId: string,
    route: { slug: string } | { id: string } | { method: string; path: string },
    wanted: number | "latest",
  ): Promise<{ slug: string; version: WorkflowVersion }> =>
    run(organizationId, async (tenant) => {
      const head = await heads(tenant).findOne(
        { ...await namedBy(tenant, route), state: "published" },
        { fields: ["_id", "slug", "latest_version"] },
      );
      if (!head) throw new AppError("workflow_not_found");
      const number = wanted === "latest" ? head.latest_version : wanted;
      const name = `${tenant.organizationId}:${head._id}:${number}`;
      const version = known.get(name) ?? await requireVersion(tenant, head._id, number);
      known.set(name, version, version.definition.length);
      return { slug: head.slug, version };
    });

  async function namedBy(
    tenant: Tenant,
    route: Parameters<typeof live>[1],
  ): Promise<Fields<Workflow>> {
    if ("slug" in route) return { slug: route.slug };
    if ("id" in route) return { _id: route.id };
    const claimed: string[] = [];
    let after: string | undefined;
    do {
      const page = await liveRoutes(tenant, PAGE, after);
      claimed.push(...page.flatMap(({ live_route }) => live_route ?? []));
      after = page.length === PAGE ? page.at(-1)?._id : undefined;
    } while (after !== undefined);
    const found = matchRoute(claimed, route.method, route.path);
    if (found === undefined) throw new AppError("workflow_not_found");
    return { live_route: found };
  }

  return { routes, live };
}

const liveRoutes = (tenant: Tenant, limit: number, after?: string): Promise<LiveRoute[]> =>
  heads(tenant).find({ live_route: present(), ...(after !== undefined && { _id: above(after) }) }, {
    fields: routeFields,
    sort: { _id: 1 },
    limit,
  });
