import type { components } from "../../types/functions.ts";
import type { FunctionsClient } from "./functions.ts";
import type { CallOptions } from "./organizations.ts";
import { pages } from "./workflows.ts";

type Schemas = components["schemas"];

export type SchemaAnnotation = Schemas["SchemaAnnotation"];
export type SchemaAnnotationInput = Schemas["SchemaAnnotationInput"];
export type SchemaSnapshot = Schemas["SchemaSnapshot"];
export type SchemaSnapshotSummary = Schemas["SchemaSnapshotSummary"];

interface PageOptions extends CallOptions {
  /** Most in a page, up to 100. Default 25. */
  pageSize?: number;
}

/** A table of a connection's database. */
export interface TablePlace {
  schema: string;
  table: string;
}

/** How connected databases look, what changed, and what people say of them. Nothing here throws. */
export type SchemaClient = ReturnType<typeof createSchemaClient>;

const of = (organization_id: string, connection_id: string) => ({ path: { organization_id, connection_id } });
const until = ({ signal }: CallOptions) => (signal ? { signal } : {});

export function createSchemaClient(functions: FunctionsClient) {
  return {
    /** Tables and columns by words, or their beginnings, of names, comments and descriptions. */
    search: (
      organizationId: string,
      search: string,
      { connectionId, limit, ...options }: CallOptions & { connectionId?: string; limit?: number } = {},
    ) =>
      functions.GET("/schema/{organization_id}/search", {
        params: {
          path: { organization_id: organizationId },
          query: { search, ...(connectionId && { connection_id: connectionId }), ...(limit && { limit }) },
        },
        ...until(options),
      }),

    /** How the database looked, the latest first, page by page, each a result. */
    snapshots: (organizationId: string, connectionId: string, { pageSize, ...options }: PageOptions = {}) =>
      pages<SchemaSnapshotSummary>(async (cursor) => {
        const { data, error } = await functions.GET("/schema/{organization_id}/{connection_id}/snapshots", {
          params: {
            ...of(organizationId, connectionId),
            query: { ...(cursor && { cursor }), ...(pageSize && { limit: pageSize }) },
          },
          ...until(options),
        });
        return data ? { data: data.snapshots, next: data.next_cursor } : { error };
      }),

    snapshot: (
      organizationId: string,
      connectionId: string,
      number: number | "latest" = "latest",
      options: CallOptions = {},
    ) =>
      functions.GET("/schema/{organization_id}/{connection_id}/snapshots/{number}", {
        params: { path: { organization_id: organizationId, connection_id: connectionId, number } },
        ...until(options),
      }),

    /** What changed from one snapshot to another. Default: to the latest. */
    diff: (
      organizationId: string,
      connectionId: string,
      { from, to = "latest", ...options }: CallOptions & { from: number; to?: number | "latest" },
    ) =>
      functions.GET("/schema/{organization_id}/{connection_id}/diff", {
        params: { ...of(organizationId, connectionId), query: { from, to } },
        ...until(options),
      }),

    /** A table as it looks now, with what people say of it. */
    table: (
      organizationId: string,
      connectionId: string,
      { schema, table }: TablePlace,
      options: CallOptions = {},
    ) =>
      functions.GET("/schema/{organization_id}/{connection_id}/table", {
        params: { ...of(organizationId, connectionId), query: { schema, table } },
        ...until(options),
      }),

    /** Drafts that a table's keys suggest: name, slug and definition of each make a workflow as they are. */
    suggestions: (
      organizationId: string,
      connectionId: string,
      { schema, table }: TablePlace,
      options: CallOptions = {},
    ) =>
      functions.GET("/schema/{organization_id}/{connection_id}/suggestions", {
        params: { ...of(organizationId, connectionId), query: { schema, table } },
        ...until(options),
      }),

    /** What people say of tables and columns, page by page, each a result. */
    annotations: (organizationId: string, connectionId: string, { pageSize, ...options }: PageOptions = {}) =>
      pages<SchemaAnnotation>(async (cursor) => {
        const { data, error } = await functions.GET("/schema/{organization_id}/{connection_id}/annotations", {
          params: {
            ...of(organizationId, connectionId),
            query: { ...(cursor && { cursor }), ...(pageSize && { limit: pageSize }) },
          },
          ...until(options),
        });
        return data ? { data: data.annotations, next: data.next_cursor } : { error };
      }),

    /** Describes a table or column, or marks personal data; without either what was said is deleted. */
    annotate: (
      organizationId: string,
      connectionId: string,
      annotation: SchemaAnnotationInput,
      options: CallOptions = {},
    ) =>
      functions.PUT("/schema/{organization_id}/{connection_id}/annotations", {
        params: of(organizationId, connectionId),
        body: annotation,
        ...until(options),
      }),
  };
}
