import { AppError } from "../_shared/errors.ts";
import type { Content } from "../_workflows/content.ts";
import type { Documents, Tenant } from "./documents.ts";
import { exclusively } from "./guards.ts";
import { newId } from "./id.ts";
import { createLiveWorkflows } from "./live-workflows.ts";
import { isDuplicate } from "./tenant-collection.ts";
import { beginsWith, below, noneOf, type Where } from "./where.ts";
import { wordsOf } from "./words.ts";
import { heads, published, requireVersion, requireWorkflow } from "./workflow-documents.ts";
import type { Workflow, WorkflowVersion } from "./workflows.ts";

/** What people say of a workflow, beside the definition. */
export interface About {
  name: string;
  slug: string;
  description: string;
  tags: string[];
  application_id?: string | undefined;
}

export interface WorkflowQuery {
  limit: number;
  /** The last id of the page before. */
  after?: string | undefined;
  state?: Workflow["state"] | undefined;
  application_id?: string | undefined;
  tag?: string | undefined;
  /** Words, or their beginnings, of the name. */
  search?: string | undefined;
}

const summaryFields = [
  "_id",
  "name",
  "slug",
  "description",
  "tags",
  "application_id",
  "state",
  "content_hash",
  "trigger",
  "connection_ids",
  "revision",
  "latest_version",
  "latest_hash",
  "live_route",
  "created_by",
  "created_at",
  "updated_by",
  "updated_at",
] as const;
/** A workflow without its definition. */
export type WorkflowSummary = Pick<Workflow, typeof summaryFields[number]>;

const versionFields = [
  "_id",
  "workflow_id",
  "number",
  "content_hash",
  "trigger",
  "route",
  "note",
  "rolled_back_to",
  "published_by",
  "published_at",
] as const;
/** A version without its definition. */
export type VersionSummary = Pick<WorkflowVersion, typeof versionFields[number]>;

export interface Publication {
  workflow: Workflow;
  version: WorkflowVersion;
  /** False when it was what was live already. */
  created: boolean;
}

export type WorkflowStore = ReturnType<typeof createWorkflowStore>;

/** Workflows and their versions. Every call is for one organization, the first argument, and throws AppErrors. */
export function createWorkflowStore(
  documents: Documents,
  { clock = Date.now }: { clock?: (() => number) | undefined } = {},
) {
  const { run, transaction } = documents;
  const now = () => new Date(clock());

  /** At most `limit` workflows, archived ones included; null is no limit. Exact, however many are made at once. */
  const create = (
    organizationId: string,
    about: About,
    content: Content,
    { by, limit }: { by?: string | undefined; limit: number | null },
  ): Promise<Workflow> =>
    explainDuplicates(() =>
      exclusively(documents, organizationId, "workflows", async (tenant) => {
        if (limit !== null && await heads(tenant).count({}, limit + 1) >= limit) {
          throw new AppError("limit_reached", { details: { limit: "workflows" } });
        }
        const at = now();
        return await heads(tenant).insert({
          _id: newId(clock()),
          ...draftOf(about, content),
          state: "draft",
          revision: 1,
          latest_version: 0,
          ...(by && { created_by: by, updated_by: by }),
          created_at: at,
          updated_at: at,
        });
      })
    );

  const list = (organizationId: string, query: WorkflowQuery): Promise<WorkflowSummary[]> =>
    run(organizationId, (tenant) => {
      const { after, state, application_id, tag, search = "", limit } = query;
      const words = wordsOf(search, 8);
      const where: Where<Workflow> = [
        {
          ...(after !== undefined && { _id: below(after) }),
          ...(state !== undefined && { state }),
          ...(application_id !== undefined && { application_id }),
          ...(tag !== undefined && { tags: tag }),
        },
        ...words.map((word) => ({ name_words: beginsWith(word) })),
      ];
      return heads(tenant).find(where, { fields: summaryFields, sort: { _id: -1 }, limit });
    });

  /** With a revision: only if the draft is at it, and can be changed. */
  const get = (organizationId: string, id: string, revision?: number): Promise<Workflow> =>
    run(
      organizationId,
      (tenant) => revision === undefined ? requireWorkflow(tenant, id) : requireAt(tenant, id, revision),
    );

  /** Replaces the draft at a revision, of which it is the next. Of any number of writers one wins. */
  const save = (
    organizationId: string,
    id: string,
    revision: number,
    about: About,
    content: Content,
    by?: string,
  ): Promise<Workflow> =>
    explainDuplicates(() =>
      run(organizationId, async (tenant) => {
        const saved = await heads(tenant).change(
          { _id: id, revision, state: noneOf(["archived"]) },
          {
            set: { ...draftOf(about, content), ...(by && { updated_by: by }), updated_at: now() },
            ...(about.application_id === undefined && { unset: ["application_id"] as const }),
            increment: { revision: 1 },
          },
        );
        return saved ?? await refuse(tenant, id, revision);
      })
    );

  /** Makes the draft the next version. What is live already is not published again. */
  const publish = (
    organizationId: string,
    id: string,
    revision: number,
    { note, by, route }: { note: string; by?: string | undefined; route?: string | undefined },
  ): Promise<Publication> =>
    explainDuplicates(() =>
      transaction(organizationId, async (tenant) => {
        const draft = await requireAt(tenant, id, revision);
        return await append(tenant, draft, { ...draft, route }, { note, by });
      })
    );

  /** Makes an earlier version's content the next version, and the draft. */
  const rollBack = (
    organizationId: string,
    id: string,
    revision: number,
    to: number,
    { note, by }: { note: string; by?: string | undefined },
  ): Promise<Publication> =>
    explainDuplicates(() =>
      transaction(organizationId, async (tenant) => {
        const draft = await requireAt(tenant, id, revision);
        const earlier = await requireVersion(tenant, id, to);
        const { definition, content_hash, trigger, connection_ids } = earlier;
        const changed = draft.content_hash === content_hash ? draft : await heads(tenant).change(
          { _id: id, revision },
          {
            set: {
              definition,
              content_hash,
              trigger,
              connection_ids,
              ...(by && { updated_by: by }),
              updated_at: now(),
            },
            increment: { revision: 1 },
          },
        );
        return await append(tenant, changed ?? await refuse(tenant, id, revision), earlier, {
          note,
          by,
          rolled_back_to: to,
        });
      })
    );

  async function append(
    tenant: Tenant,
    draft: Workflow,
    content: Pick<Workflow, "definition" | "content_hash" | "trigger" | "connection_ids"> & {
      route?: string | undefined;
    },
    { by, ...about }: { note: string; by?: string | undefined; rolled_back_to?: number },
  ): Promise<Publication> {
    const { _id: id, latest_version, latest_hash, state } = draft;
    if (state === "published" && latest_hash === content.content_hash) {
      return { workflow: draft, version: await requireVersion(tenant, id, latest_version), created: false };
    }
    const { definition, content_hash, trigger, connection_ids, route } = content;
    const workflow = await heads(tenant).change(
      { _id: id, revision: draft.revision, latest_version },
      {
        set: { state: "published", latest_hash: content_hash, ...(route && { live_route: route }) },
        ...(!route && { unset: ["live_route"] as const }),
        increment: { latest_version: 1 },
      },
    );
    if (!workflow) return await refuse(tenant, id, draft.revision);
    const version = await published(tenant).insert({
      _id: newId(clock()),
      workflow_id: id,
      number: workflow.latest_version,
      definition,
      content_hash,
      trigger,
      connection_ids,
      ...(route && { route }),
      ...about,
      ...(by && { published_by: by }),
      published_at: now(),
    });
    return { workflow, version, created: true };
  }

  /** The newest first. */
  const versions = (
    organizationId: string,
    id: string,
    { limit, before }: { limit: number; before?: number | undefined },
  ): Promise<VersionSummary[]> =>
    run(organizationId, async (tenant) => {
      await requireWorkflow(tenant, id);
      return await published(tenant).find(
        { workflow_id: id, ...(before !== undefined && { number: below(before) }) },
        { fields: versionFields, sort: { number: -1 }, limit },
      );
    });

  const version = (organizationId: string, id: string, number: number): Promise<WorkflowVersion> =>
    run(organizationId, (tenant) => requireVersion(tenant, id, number));

  /** Takes it off its route; nothing can be changed until it is restored. */
  const archive = (organizationId: string, id: string, by?: string): Promise<Workflow> =>
    run(organizationId, async (tenant) => {
      const archived = await heads(tenant).change(
        { _id: id, state: noneOf(["archived"]) },
        {
          set: { state: "archived", ...(by && { updated_by: by }), updated_at: now() },
          unset: ["live_route"],
          increment: { revision: 1 },
        },
      );
      return archived ?? await requireWorkflow(tenant, id);
    });

  /** Puts it back, on the route of its latest version if that is still free. */
  const restore = (organizationId: string, id: string, by?: string): Promise<Workflow> =>
    explainDuplicates(() =>
      transaction(organizationId, async (tenant) => {
        const archived = await requireWorkflow(tenant, id);
        if (archived.state !== "archived") return archived;
        const { latest_version } = archived;
        const live = latest_version > 0 ? await requireVersion(tenant, id, latest_version) : undefined;
        const restored = await heads(tenant).change({ _id: id, revision: archived.revision }, {
          set: {
            state: live ? "published" : "draft",
            ...(live?.route && { live_route: live.route }),
            ...(by && { updated_by: by }),
            updated_at: now(),
          },
          increment: { revision: 1 },
        });
        return restored ?? await refuse(tenant, id, archived.revision);
      })
    );

  /** Deletes it with all its versions, for good. What answers requests is archived first. */
  const remove = (organizationId: string, id: string): Promise<void> =>
    transaction(organizationId, async (tenant) => {
      const gone = await heads(tenant).remove({ _id: id, state: noneOf(["published"]) });
      if (!gone) {
        await requireWorkflow(tenant, id);
        throw new AppError("workflow_not_archived");
      }
      await published(tenant).removeAll({ workflow_id: id });
    });

  return {
    create,
    list,
    get,
    save,
    publish,
    rollBack,
    versions,
    version,
    archive,
    restore,
    remove,
    ...createLiveWorkflows(documents),
  };
}

function draftOf({ name, slug, description, tags, application_id }: About, content: Content) {
  const { definition, content_hash, trigger, connection_ids } = content;
  return {
    name,
    name_words: wordsOf(name),
    slug,
    description,
    tags,
    ...(application_id && { application_id }),
    definition,
    content_hash,
    trigger,
    connection_ids,
  };
}

async function requireAt(tenant: Tenant, id: string, revision: number): Promise<Workflow> {
  const found = await heads(tenant).findOne({ _id: id, revision, state: noneOf(["archived"]) });
  return found ?? await refuse(tenant, id, revision);
}

/** Why a change found nothing to change. */
async function refuse(tenant: Tenant, id: string, revision: number): Promise<never> {
  const current = await requireWorkflow(tenant, id);
  if (current.state === "archived") throw new AppError("workflow_archived");
  throw new AppError("stale_revision", { details: { revision: current.revision, expected: revision } });
}

async function explainDuplicates<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDuplicate(error, "workflow_slug")) throw new AppError("workflow_slug_taken", { cause: error });
    if (isDuplicate(error, "workflow_route")) throw new AppError("route_taken", { cause: error });
    throw error;
  }
}
