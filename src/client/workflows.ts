import type { components } from "../../types/functions.ts";
import type { FunctionError } from "./errors.ts";
import type { FunctionResult, FunctionsClient } from "./functions.ts";
import type { CallOptions } from "./organizations.ts";

type Schemas = components["schemas"];

export type Workflow = Schemas["Workflow"];
export type WorkflowDefinition = Schemas["WorkflowDefinition"];
export type WorkflowDifference = Schemas["WorkflowDifference"];
export type WorkflowFile = Schemas["WorkflowFile"];
export type WorkflowInput = Schemas["WorkflowInput"];
export type WorkflowPatch = Schemas["WorkflowPatch"];
export type WorkflowPublication = Schemas["WorkflowPublication"];
export type WorkflowSummary = Schemas["WorkflowSummary"];
export type WorkflowVersion = Schemas["WorkflowVersion"];
export type WorkflowVersionSummary = Schemas["WorkflowVersionSummary"];

/** A workflow, and the revision of its draft: what a change is made on. */
export interface Revision {
  /** From the answer that was read. Another one makes the change fail with `stale_revision`. */
  etag: string;
}

/** The answer of a call, or why there is none. */
export type Result<T> = { data: T; error: null } | { data: null; error: FunctionError };

export interface WorkflowListOptions extends CallOptions {
  /** Most workflows in a page, up to 100. Default 25. */
  pageSize?: number;
  state?: WorkflowSummary["state"];
  applicationId?: string;
  tag?: string;
  /** Words of the name, or how they begin. */
  search?: string;
}

/** Workflows and their versions: the calls of one who is signed in. Nothing here throws. */
export type WorkflowsClient = ReturnType<typeof createWorkflowsClient>;

const at = (organization_id: string) => ({ path: { organization_id } });
const of = (organization_id: string, id: string) => ({ path: { organization_id, id } });
const until = ({ signal }: CallOptions) => (signal ? { signal } : {});

export function createWorkflowsClient(functions: FunctionsClient) {
  const get = async (
    organizationId: string,
    id: string,
    options: CallOptions = {},
  ): Promise<Result<Workflow & Revision>> =>
    withEtag(
      await functions.GET("/workflows/{organization_id}/{id}", {
        params: of(organizationId, id),
        ...until(options),
      }),
    );

  /** Changes what is given, by a JSON Merge Patch: null removes, lists are replaced. */
  const patch = async (
    organizationId: string,
    id: string,
    change: WorkflowPatch,
    { etag, ...options }: Revision & CallOptions,
  ): Promise<Result<Workflow & Revision>> =>
    withEtag(
      await functions.PATCH("/workflows/{organization_id}/{id}", {
        params: { ...of(organizationId, id), header: { "if-match": etag } },
        body: change,
        headers: { "content-type": "application/merge-patch+json" },
        ...until(options),
      }),
    );

  return {
    create: async (organizationId: string, workflow: WorkflowInput, options: CallOptions = {}) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}", {
          params: at(organizationId),
          body: workflow,
          ...until(options),
        }),
      ),

    /**
     * The workflows, the newest first, page by page, each a result; it ends after the last page or the first error.
     *
     * @example
     * ```ts
     * for await (const { data, error } of nectar.workflows.list(organization.id, { state: "published" })) {
     *   if (error) return show(error);
     *   render(data);
     * }
     * ```
     */
    list: (
      organizationId: string,
      { pageSize, state, applicationId, tag, search, ...options }: WorkflowListOptions = {},
    ) =>
      pages(async (cursor) => {
        const { data, error } = await functions.GET("/workflows/{organization_id}", {
          params: {
            ...at(organizationId),
            query: {
              ...(cursor && { cursor }),
              ...(pageSize && { limit: pageSize }),
              ...(state && { state }),
              ...(applicationId && { application_id: applicationId }),
              ...(tag && { tag }),
              ...(search && { search }),
            },
          },
          ...until(options),
        });
        return data ? { data: data.workflows, next: data.next_cursor } : { error };
      }),

    /** What is kept of answers, and how often it helped. */
    cacheStatistics: (organizationId: string, options: CallOptions = {}) =>
      functions.GET("/workflows/{organization_id}/cache", { params: at(organizationId), ...until(options) }),

    /** Deletes cached answers: of a workflow, under a tag, or all. */
    purgeCache: (organizationId: string, what: Schemas["CachePurge"], options: CallOptions = {}) =>
      functions.POST("/workflows/{organization_id}/cache/purge", {
        params: at(organizationId),
        body: what,
        ...until(options),
      }),

    /** The draft, with the etag to change it by. */
    get,

    /** Replaces the draft that has this etag. `stale_revision`: somebody was faster; read it again. */
    replace: async (
      organizationId: string,
      id: string,
      workflow: WorkflowInput,
      { etag, ...options }: Revision & CallOptions,
    ) =>
      withEtag(
        await functions.PUT("/workflows/{organization_id}/{id}", {
          params: { ...of(organizationId, id), header: { "if-match": etag } },
          body: workflow,
          ...until(options),
        }),
      ),

    patch,

    /**
     * Reads the draft, patches it, and does both again when somebody was faster. `change` may be asked several times, and
     * ends it without a change by giving undefined.
     */
    async edit(
      organizationId: string,
      id: string,
      change: (current: Workflow) => WorkflowPatch | undefined,
      { attempts = 5, ...options }: CallOptions & { attempts?: number } = {},
    ): Promise<Result<Workflow & Revision>> {
      for (let attempt = 1; ; attempt++) {
        const current = await get(organizationId, id, options);
        if (current.error) return current;
        const wanted = change(current.data);
        if (!wanted) return current;
        const changed = await patch(organizationId, id, wanted, { etag: current.data.etag, ...options });
        if (changed.error?.code !== "stale_revision" || attempt >= attempts) return changed;
      }
    },

    /** Makes the draft the next version. What is live already is not published again: `created` is false. */
    publish: async (
      organizationId: string,
      id: string,
      { etag, note, ...options }: Revision & CallOptions & { note?: string },
    ) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}/{id}/publish", {
          params: { ...of(organizationId, id), header: { "if-match": etag } },
          body: { ...(note !== undefined && { note }) },
          ...until(options),
        }),
      ),

    /** Makes an earlier version's content the next version, and the draft. */
    rollBack: async (
      organizationId: string,
      id: string,
      { version, etag, note, ...options }: Revision & CallOptions & { version: number; note?: string },
    ) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}/{id}/rollback", {
          params: { ...of(organizationId, id), header: { "if-match": etag } },
          body: { version, ...(note !== undefined && { note }) },
          ...until(options),
        }),
      ),

    /** What was published, the newest first, page by page. */
    versions: (
      organizationId: string,
      id: string,
      { pageSize, ...options }: CallOptions & { pageSize?: number } = {},
    ) =>
      pages(async (cursor) => {
        const { data, error } = await functions.GET("/workflows/{organization_id}/{id}/versions", {
          params: {
            ...of(organizationId, id),
            query: { ...(cursor && { cursor }), ...(pageSize && { limit: pageSize }) },
          },
          ...until(options),
        });
        return data ? { data: data.versions, next: data.next_cursor } : { error };
      }),

    version: (organizationId: string, id: string, number: number, options: CallOptions = {}) =>
      functions.GET("/workflows/{organization_id}/{id}/versions/{number}", {
        params: { path: { organization_id: organizationId, id, number } },
        ...until(options),
      }),

    /** What changed between two versions. Default: from the latest version to the draft. */
    diff: (
      organizationId: string,
      id: string,
      { from = "latest", to = "draft", ...options }: CallOptions & { from?: Side; to?: Side } = {},
    ) =>
      functions.GET("/workflows/{organization_id}/{id}/diff", {
        params: { ...of(organizationId, id), query: { from, to } },
        ...until(options),
      }),

    duplicate: async (
      organizationId: string,
      id: string,
      copy: { name: string; slug: string },
      options: CallOptions = {},
    ) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}/{id}/duplicate", {
          params: of(organizationId, id),
          body: copy,
          ...until(options),
        }),
      ),

    /** Takes it off its route, and keeps it, read-only. */
    archive: async (organizationId: string, id: string, options: CallOptions = {}) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}/{id}/archive", {
          params: of(organizationId, id),
          ...until(options),
        }),
      ),

    /** Puts it back, on the route of its latest version. `route_taken`: another has it now. */
    restore: async (organizationId: string, id: string, options: CallOptions = {}) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}/{id}/restore", {
          params: of(organizationId, id),
          ...until(options),
        }),
      ),

    /** Deletes it with all its versions, for good. What is published is archived first. */
    delete: (organizationId: string, id: string, options: CallOptions = {}) =>
      functions.DELETE("/workflows/{organization_id}/{id}", {
        params: of(organizationId, id),
        ...until(options),
      }),

    /** A workflow as a file, which `import` takes. */
    export: (
      organizationId: string,
      id: string,
      { version = "draft", ...options }: CallOptions & { version?: Side } = {},
    ) =>
      functions.GET("/workflows/{organization_id}/{id}/export", {
        params: { ...of(organizationId, id), query: { version } },
        ...until(options),
      }),

    /** Makes a workflow of a file, with other connections, name and slug where they are given. */
    import: async (
      organizationId: string,
      file: WorkflowFile,
      {
        name,
        slug,
        connections,
        ...options
      }: CallOptions & { name?: string; slug?: string; connections?: Record<string, string> } = {},
    ) =>
      withEtag(
        await functions.POST("/workflows/{organization_id}/import", {
          params: at(organizationId),
          body: { file, ...(name && { name }), ...(slug && { slug }), ...(connections && { connections }) },
          ...until(options),
        }),
      ),
  };
}

type Side = number | "latest" | "draft";

function withEtag<T>(result: FunctionResult<T>): Result<T & Revision> {
  if (result.error) return { data: null, error: result.error };
  return { data: { ...result.data, etag: result.response.headers.get("etag") ?? "" }, error: null };
}

type Page<T> = { data: T[]; next: string | null; error?: never } | { data?: never; error: FunctionError };

/** Page after page, each a result, until there is none left or one fails. */
export async function* pages<T>(
  read: (cursor: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<Result<T[]>, void, undefined> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    if (page.error) return yield { data: null, error: page.error };
    if (page.data.length > 0) yield { data: page.data, error: null };
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}
