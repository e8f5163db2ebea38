/** The projects' half of the API, as their pages use it. */

import { request, requestText, url } from "../shared/api.js";

/** @import { FileInfo, Listing, Project, Run, Snapshot } from "./types.js" */

/** @param {string} id */
const project = (id) => `api/projects/${encodeURIComponent(id)}`;
/** @param {string} path */
const filePath = (path) => path.split("/").map(encodeURIComponent).join("/");

export const projects = {
  /**
   * The newest projects, or with `before` (an id) those that are older: {projects, more, cursor}.
   *
   * @param {string | null} before
   * @returns {Promise<Listing>}
   */
  list: (before = null) => request("GET", "api/projects", { params: [["before", before]] }),
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
