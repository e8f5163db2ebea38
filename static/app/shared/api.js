/** The HTTP half of the service as the pages use it: the client's own, so that there is one kind of error. */

import { baseUrl, environment } from "../../client/environment.js";
import { TwinwireError } from "../../client/errors.js";
import { Auth, Http } from "../../client/http.js";

const http = new Http(environment({}), baseUrl(), new Auth());

/** The URL of `path` under the service's root; a path prefix works. */
export const url = (path, params = []) => http.url(path, params);

/** Ask for JSON; null for 204. `body` is sent as JSON. Throws TwinwireError. */
export function request(method, path, { body, params = [], keepalive = false } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return http.json(url(path, params), { method, body: text, keepalive });
}

/** Ask for text. Throws TwinwireError. */
export const requestText = (path, signal) => http.text(url(path), { signal });

export const api = {
  /** A page of history: topics (a list), type, after, before, order, limit. */
  history: (query) => http.history(query),
  trim: (topic, keep, more = {}) => request("POST", "api/topics/trim", { body: { topic, keep }, ...more }),
  publish: (events) => request("POST", "api/events", { body: events }),
};

/** A sentence for people: what was tried, what went wrong, what they can do. */
export function inWords(error, what) {
  if (!(error instanceof TwinwireError)) return `${what} failed: ${error.message}`;
  if (error.status === 0) return `${what} did not reach the server. Check that it runs, then try again.`;
  if (error.status === 429 || error.status === 503) {
    return `${what} was put off: the server is busy or restarting. ${error.problem?.detail ?? ""} Try again in a moment.`;
  }
  return `${what} was refused (${error.status}): ${error.message}`;
}
