/**
 * The HTTP half of the service as the pages use it. URLs are relative to the document, so that a path prefix
 * works.
 */

/** An answer that is not 2xx (an RFC 9457 problem), or no answer at all (`status` 0). */
export class ApiError extends Error {
  constructor(status, title, detail, field = null) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.field = field;
  }
}

/** How long an answer may take before the page says that the server can't be reached, milliseconds. */
const ANSWER_WITHIN = 15_000;

/**
 * `signal`, where given, lets go of the request before it has its answer (browsers without `any` wait for
 * it).
 */
async function send(method, path, body, signal = null) {
  const late = AbortSignal.timeout(ANSWER_WITHIN);
  const either = signal !== null && AbortSignal.any ? AbortSignal.any([late, signal]) : late;
  const init = { method, headers: { accept: "application/json" }, signal: either };
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(new URL(path, document.baseURI), init);
  } catch {
    throw new ApiError(0, "No answer", "The server can't be reached.");
  }
}

async function problem(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not a problem document: a proxy's own page. The status has to speak for itself.
  }
  return new ApiError(
    response.status,
    body.title || `Status ${response.status}`,
    body.detail || "",
    body.field ?? null,
  );
}

/** Ask for JSON; null for 204. Throws ApiError. */
export async function request(method, path, body) {
  const response = await send(method, path, body);
  if (!response.ok) throw await problem(response);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    // A captive portal answers 200 with a page of its own.
    throw new ApiError(
      0,
      "Not our server",
      "Something between this page and the server answered in its place.",
    );
  }
}

/** Ask for text. Throws ApiError. */
export async function requestText(path, signal) {
  const response = await send("GET", path, undefined, signal);
  if (!response.ok) throw await problem(response);
  return response.text();
}

const project = (id) => `api/projects/${encodeURIComponent(id)}`;
const filePath = (path) => path.split("/").map(encodeURIComponent).join("/");

export const api = {
  /** The newest projects, or with `before` (an id) those that are older: {projects, more, cursor}. */
  projects: (before = null) =>
    request("GET", `api/projects${before === null ? "" : `?before=${encodeURIComponent(before)}`}`),
  project: (id) => request("GET", project(id)),
  create: (name, brief) => request("POST", "api/projects", { name, brief }),
  generate: (id) => request("POST", `${project(id)}/generate`),
  cancel: (id) => request("POST", `${project(id)}/cancel`),
  remove: (id) => request("DELETE", project(id)),
  files: async (id) => (await request("GET", `${project(id)}/files`)).files,
  file: (id, path, signal) => requestText(`${project(id)}/files/${filePath(path)}`, signal),
  archive: (id) => new URL(`${project(id)}/archive`, document.baseURI).href,
  /** A page of history; `query` holds lists or values: topic, type, after, before, order, limit. */
  history(query) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const item of Array.isArray(value) ? value : [value]) parameters.append(name, String(item));
    }
    return request("GET", `api/events?${parameters}`);
  },
  trim: (topic, keep) => request("POST", "api/topics/trim", { topic, keep }),
  publish: (events) => request("POST", "api/events", events),
};

/** A sentence for people: what was tried, what went wrong, what they can do. */
export function inWords(error, what) {
  if (!(error instanceof ApiError)) return `${what} failed: ${error.message}`;
  if (error.status === 0) return `${what} did not reach the server. Check that it runs, then try again.`;
  if (error.status === 429 || error.status === 503) {
    return `${what} was put off: the server is busy or restarting. ${error.detail} Try again in a moment.`;
  }
  return `${what} was refused (${error.status}): ${error.detail || error.title}`;
}
