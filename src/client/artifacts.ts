import type { components } from "../../types/functions.ts";
import type { FunctionsClient } from "./functions.ts";
import type { CallOptions } from "./organizations.ts";
import { pages } from "./workflows.ts";

type Schemas = components["schemas"];

export type Artifact = Schemas["Artifact"];
export type ArtifactLink = Schemas["ArtifactLink"];

export interface UploadOptions extends CallOptions {
  name: string;
  kind?: Artifact["kind"];
  /** Default: the blob's, else `application/octet-stream`. */
  contentType?: string;
}

/** Generated files. Nothing here throws, but a download that breaks off in the middle. */
export type ArtifactsClient = ReturnType<typeof createArtifactsClient>;

const of = (organization_id: string, id: string) => ({ path: { organization_id, id } });
const until = ({ signal }: CallOptions) => (signal ? { signal } : {});

export function createArtifactsClient(functions: FunctionsClient) {
  return {
    /** Stores a file. `limit_reached`: the plan allows no more. A stream is sent as it comes, where the runtime can. */
    upload: (
      organizationId: string,
      content: Blob | Uint8Array<ArrayBuffer> | string | ReadableStream<Uint8Array>,
      { name, kind, contentType, ...options }: UploadOptions,
    ) =>
      functions.POST("/artifacts/{organization_id}", {
        params: { path: { organization_id: organizationId }, query: { name, ...(kind && { kind }) } },
        body: content as unknown as string,
        bodySerializer: (given: unknown) => given as BodyInit,
        headers: {
          "content-type":
            contentType ?? ((content instanceof Blob && content.type) || "application/octet-stream"),
        },
        // Without it a stream cannot be sent.
        ...(content instanceof ReadableStream && { duplex: "half" }),
        ...until(options),
      }),

    /** The artifacts, the newest first, page by page, each a result. */
    list: (
      organizationId: string,
      { pageSize, kind, ...options }: CallOptions & { pageSize?: number; kind?: Artifact["kind"] } = {},
    ) =>
      pages<Artifact>(async (cursor) => {
        const { data, error } = await functions.GET("/artifacts/{organization_id}", {
          params: {
            path: { organization_id: organizationId },
            query: { ...(cursor && { cursor }), ...(pageSize && { limit: pageSize }), ...(kind && { kind }) },
          },
          ...until(options),
        });
        return data ? { data: data.artifacts, next: data.next_cursor } : { error };
      }),

    get: (organizationId: string, id: string, options: CallOptions = {}) =>
      functions.GET("/artifacts/{organization_id}/{id}", {
        params: of(organizationId, id),
        ...until(options),
      }),

    /** The file, as a stream that is read as it is taken. */
    download: (organizationId: string, id: string, options: CallOptions = {}) =>
      functions.GET("/artifacts/{organization_id}/{id}/content", {
        params: of(organizationId, id),
        parseAs: "stream",
        ...until(options),
      }),

    /** A link that downloads without signing in, for `expiresIn` seconds: default 300, at most 3600. */
    link: (
      organizationId: string,
      id: string,
      { expiresIn = 300, ...options }: CallOptions & { expiresIn?: number } = {},
    ) =>
      functions.POST("/artifacts/{organization_id}/{id}/link", {
        params: of(organizationId, id),
        body: { expires_in: expiresIn },
        ...until(options),
      }),

    /** Deletes it, for good. */
    delete: (organizationId: string, id: string, options: CallOptions = {}) =>
      functions.DELETE("/artifacts/{organization_id}/{id}", {
        params: of(organizationId, id),
        ...until(options),
      }),
  };
}
