/** The projects' half of the API, as their pages use it. */

import { request, requestText, url } from "../shared/api.js";

const project = (id) => `api/projects/${encodeURIComponent(id)}`;
const filePath = (path) => path.split("/").map(encodeURIComponent).join("/");

export const projects = {
  /** The newest projects, or with `before` (an id) those that are older: {projects, more, cursor}. */
  list: (before = null) => request("GET", "api/projects", { params: [["before", before]] }),
  get: (id) => request("GET", project(id)),
  create: (name, brief) => request("POST", "api/projects", { body: { name, brief } }),
  generate: (id) => request("POST", `${project(id)}/generate`),
  cancel: (id) => request("POST", `${project(id)}/cancel`),
  remove: (id) => request("DELETE", project(id)),
  files: async (id) => (await request("GET", `${project(id)}/files`)).files,
  file: (id, path, signal) => requestText(`${project(id)}/files/${filePath(path)}`, signal),
  archive: (id) => String(url(`${project(id)}/archive`)),
};
