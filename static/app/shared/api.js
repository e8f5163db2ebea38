/** The HTTP half of the service as the pages use it: the client's own, so that there is one kind of error. */

import { baseUrl, environment } from "../../client/environment.js";
import { TwinwireError, reasonOf } from "../../client/errors.js";
import { Auth, Http } from "../../client/http.js";

/** @import { Draft } from "../../client/index.js" */

const http = new Http(environment({}), baseUrl(), new Auth());

/**
 * The URL of `path` under the service's root; a path prefix works.
 *
 * @param {string} path
 * @param {[string, unknown][]} params
 */
export const url = (path, params = []) => http.url(path, params);

/**
 * Ask for JSON; null for 204. `body` is sent as JSON. Throws TwinwireError.
 *
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, params?: [string, unknown][], keepalive?: boolean, timeout?: number }} options
 * @returns {Promise<any>}
 */
export function request(method, path, { body, params = [], keepalive = false, timeout } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return http.json(url(path, params), { method, body: text, keepalive, timeout });
}

/**
 * Send a body that is JSON already, and hear its answer whole: status and Location too. Throws TwinwireError.
 *
 * @param {string} method
 * @param {string} path
 * @param {string} body
 */
export const send = (method, path, body) => http.whole(url(path), { method, body });

/**
 * Ask for text. Throws TwinwireError.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 */
export const requestText = (path, signal) => http.text(url(path), { signal });

export const api = {
  /** A page of history: topics (a list), type, after, before, order, limit. @type {Http["history"]} */
  history: (query) => http.history(query),
  /**
   * @param {string} topic
   * @param {number} keep
   * @param {{ keepalive?: boolean }} more
   * @returns {Promise<{ removed: number }>}
   */
  trim: (topic, keep, more = {}) => request("POST", "api/topics/trim", { body: { topic, keep }, ...more }),
  /**
   * @param {Draft[]} events
   * @returns {Promise<{ ids: string[] }>}
   */
  publish: (events) => request("POST", "api/events", { body: events }),
};

/** The status of a refused request; 0 for whatever else went wrong. @param {unknown} error */
export const statusOf = (error) => (error instanceof TwinwireError ? error.status : 0);

/** Whether it passes by itself: the server was away, busy or restarting. @param {unknown} error */
export const passes = (error) =>
  error instanceof TwinwireError && [0, 429, 502, 503, 504].includes(error.status);

/**
 * A sentence for people: what was tried, what went wrong, what they can do.
 *
 * @param {unknown} error
 * @param {string} what
 */
export function inWords(error, what) {
  if (!(error instanceof TwinwireError)) return `${what} failed: ${reasonOf(error)}`;
  if (error.status === 0) return `${what} did not reach the server. Check that it runs, then try again.`;
  if (error.status === 429 || error.status === 503) {
    return `${what} was put off: the server is busy or restarting. ${error.problem?.detail ?? ""} Try again in a moment.`;
  }
  return `${what} was refused (${error.status}): ${error.message}`;
}
