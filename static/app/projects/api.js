/** The projects' half of the API, as their pages use it. */

import { api, request, requestText, url } from "../shared/api.js";
import { hasShape } from "./shape.js";

/** @import { FileInfo, Listing, Past, Project, Run, Snapshot } from "./types.js" */

/** @param {string} id */
const project = (id) => `api/projects/${encodeURIComponent(id)}`;
/** @param {string} path */
const filePath = (path) => path.split("/").map(encodeURIComponent).join("/");

export const projects = {
  /**
   * A page of the past, without what has not the shape that the pages rely on.
   *
   * @param {Parameters<typeof api.history>[0]} query
   * @returns {Promise<Past>}
   */
  past: async (query) => {
    const past = await api.history(query);
    return /** @type {Past} */ ({ ...past, events: past.events.filter(hasShape) });
  },
  /**
   * The newest projects, or with `before` (an id) those that are older: {projects, more, cursor}. As many as the
   * server gives at a time, unless `limit` says fewer.
   *
   * @param {string | null} before
   * @param {number | null} limit
   * @returns {Promise<Listing>}
   */
  list: (before = null, limit = null) =>
    request("GET", "api/projects", {
      params: [
        ["before", before],
        ["limit", limit],
      ],
    }),
  /**
   * @param {string} id
   * @returns {Promise<Snapshot>}
   */
  get: (id) => request("GET", project(id)),
  /**
   * @param {string} name
   * @param {string} brief
   * @returns {Promise<Project>}
   */
  create: (name, brief) => request("POST", "api/projects", { body: { name, brief } }),
  /** @type {(id: string) => Promise<Run>} */
  generate: (id) => request("POST", `${project(id)}/generate`),
  /** @type {(id: string) => Promise<Run>} */
  cancel: (id) => request("POST", `${project(id)}/cancel`),
  /** @type {(id: string) => Promise<null>} */
  remove: (id) => request("DELETE", project(id)),
  /** @type {(id: string) => Promise<FileInfo[]>} */
  files: async (id) => (await request("GET", `${project(id)}/files`)).files,
  /** @type {(id: string, path: string, signal: AbortSignal) => Promise<string>} */
  file: (id, path, signal) => requestText(`${project(id)}/files/${filePath(path)}`, signal),
  /** @type {(id: string) => string} */
  archive: (id) => String(url(`${project(id)}/archive`)),
};
