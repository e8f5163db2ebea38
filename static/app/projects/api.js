/** The projects' half of the API, as their pages use it. */

import { api, request, requestText, url } from "../shared/api.js";
import { hasShape } from "./shape.js";

/** @import { Question } from "./project/question-store.js" */
/** @import { AppView, FileInfo, Listing, LogPage, Past, Project, Run, RunDetail, RunPage, Snapshot } from "./types.js" */

/** For a model that thinks, milliseconds. */
const PROPOSAL_TIMEOUT = 180_000;
/** @param {string} id */
const project = (id) => `api/projects/${encodeURIComponent(id)}`;
/**
 * @param {string} id
 * @param {number} number
 */
const run = (id, number) => `${project(id)}/runs/${number}`;
/**
 * @param {string} id
 * @param {string} asked the question's id
 */
const question = (id, asked) => `${project(id)}/questions/${encodeURIComponent(asked)}`;
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
  /** Whether there is a language model that writes briefs. Elsewhere that is no address. */
  proposes: async () => {
    try {
      return (await request("GET", "api/projects/brief")).available === true;
    } catch {
      return false;
    }
  },
  /** A brief for a description. @type {(text: string) => Promise<{ brief: string, explanation: string }>} */
  propose: (text) => request("POST", "api/projects/brief", { body: { text }, timeout: PROPOSAL_TIMEOUT }),
  /** @type {(id: string) => Promise<Run>} */
  generate: (id) => request("POST", `${project(id)}/generate`),
  /** @type {(id: string) => Promise<Run>} */
  cancel: (id) => request("POST", `${project(id)}/cancel`),
  /** @type {(id: string) => Promise<null>} */
  remove: (id) => request("DELETE", project(id)),
  /**
   * The newest runs, or with `before` (a number) those that are older.
   *
   * @param {string} id
   * @param {number} limit
   * @param {number | null} before
   * @returns {Promise<RunPage>}
   */
  runs: (id, limit, before = null) =>
    request("GET", `${project(id)}/runs`, {
      params: [
        ["limit", limit],
        ["before", before],
      ],
    }),
  /** @type {(id: string, number: number) => Promise<RunDetail>} */
  run: (id, number) => request("GET", run(id, number)),
  /**
   * Lines of a run's log after a line, those alone that have what is searched for if anything is.
   *
   * @param {string} id
   * @param {number} number
   * @param {{ after: number, limit: number, search?: string }} wanted
   * @returns {Promise<LogPage>}
   */
  lines: (id, number, { after, limit, search }) =>
    request("GET", `${run(id, number)}/lines`, {
      params: [
        ["after", after],
        ["limit", limit],
        ["search", search || null],
      ],
    }),
  /** @type {(id: string, number: number, stage: number) => Promise<Run>} */
  retry: (id, number, stage) => request("POST", `${run(id, number)}/retry`, { body: { stage } }),
  /** @type {(id: string, number: number) => Promise<Run>} */
  cancelCommand: (id, number) => request("POST", `${run(id, number)}/cancel`),
  /** @type {(id: string, number: number) => string} */
  log: (id, number) => String(url(`${run(id, number)}/log`)),
  /** @type {(id: string, number: number, signal: AbortSignal) => Promise<string>} */
  logText: (id, number, signal) => requestText(`${run(id, number)}/log`, signal),
  /** @type {(id: string, number: number) => Promise<FileInfo[]>} */
  files: async (id, number) => (await request("GET", `${run(id, number)}/files`)).files,
  /** @type {(id: string, number: number, path: string, signal: AbortSignal) => Promise<string>} */
  file: (id, number, path, signal) => requestText(`${run(id, number)}/files/${filePath(path)}`, signal),
  /** @type {(id: string) => string} */
  archive: (id) => String(url(`${project(id)}/archive`)),
  /** How the finished application does; a look also keeps it running. @type {(id: string) => Promise<AppView>} */
  app: (id) => request("GET", `${project(id)}/app`),
  /** Start it unless it runs; `url` is where this browser enters. @type {(id: string) => Promise<AppView & { url: string }>} */
  openApp: (id) => request("POST", `${project(id)}/app`),
  /** Open ones, and what became of the others. @type {(id: string) => Promise<Question[]>} */
  questions: async (id) => (await request("GET", `${project(id)}/questions`)).questions,
  /** @type {(id: string, asked: string, answer: string) => Promise<Question>} */
  answer: (id, asked, answer) => request("POST", `${question(id, asked)}/answer`, { body: { answer } }),
  /** @type {(id: string, asked: string) => Promise<null>} */
  withdraw: (id, asked) => request("DELETE", question(id, asked)),
};
