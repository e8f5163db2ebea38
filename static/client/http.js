/**
 * Requests to the service: URLs under its base, the token, JSON answers, problems. Streams only take URL and
 * headers.
 */

import { TwinwireError, isRefusal, retryAfter } from "./errors.js";

const REQUEST_TIMEOUT = 15_000; // ms; for publishing and history; a long poll brings its own

/** The bearer token of one stream, and the way to a fresh one. */
export class Auth {
  #getToken;
  #pending = null;

  token;

  constructor(token, getToken) {
    this.token = token ?? null;
    this.#getToken = getToken ?? null;
  }

  get renewable() {
    return this.#getToken !== null;
  }

  /** Asks for a token; several askers at once share one question. Whether there is one. */
  async renew() {
    if (!this.#getToken) return false;
    this.#pending ??= Promise.resolve()
      .then(() => this.#getToken())
      .then((token) => {
        this.token = token ?? null;
        return this.token !== null;
      })
      .catch(() => false)
      .finally(() => {
        this.#pending = null;
      });
    return this.#pending;
  }
}

async function problemOf(response) {
  const media = response.headers.get("content-type") ?? "";
  if (!media.startsWith("application/problem+json")) return null;
  return response.json().catch(() => null);
}

/** The fault in a response that is not what was asked for; null if it is a 2xx of the media type. */
export async function responseFault(response, media, transport, now) {
  if (response.ok) {
    const got = response.headers.get("content-type") ?? "";
    if (got.startsWith(media)) return null;
    return {
      kind: "media",
      transport,
      status: response.status,
      detail: `${got || "no media type"} instead of ${media}`,
    };
  }
  const problem = await problemOf(response);
  return {
    kind: "http",
    transport,
    status: response.status,
    problem,
    retryAfter: retryAfter(response.headers.get("retry-after"), now),
    detail: problem?.detail ?? problem?.title ?? `HTTP ${response.status}`,
  };
}

export class Http {
  #env;
  #base;
  #credentials;

  constructor(env, base, auth, credentials = "same-origin") {
    this.#env = env;
    this.#base = base;
    this.#credentials = credentials;
    this.auth = auth;
  }

  /** `path` under the base URL; `params` as pairs, those without a value left out. */
  url(path, params = []) {
    const url = new URL(path, this.#base);
    for (const [name, value] of params) {
      if (value !== null && value !== undefined) url.searchParams.append(name, String(value));
    }
    return url;
  }

  get crossOrigin() {
    return this.#credentials === "include";
  }

  /** The `init` of a fetch that carries the token. */
  init(headers = {}, more = {}) {
    const token = this.auth.token;
    const authorization = token === null ? {} : { Authorization: `Bearer ${token}` };
    return {
      ...more,
      credentials: this.#credentials,
      cache: "no-store",
      headers: { ...headers, ...authorization },
    };
  }

  /**
   * A JSON answer, null for 204. After 401 or 403 it asks for a fresh token once. Throws TwinwireError, with
   * status 0 if no answer came from the service. `keepalive`: the request outlives the page.
   */
  json(url, { method = "GET", body, keepalive = false, timeout = REQUEST_TIMEOUT } = {}) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const read = (response) => response.json();
    return this.#answer({
      url,
      media: "application/json",
      read,
      headers,
      timeout,
      init: { method, body, keepalive },
    });
  }

  /** A text. As `json`; `signal` lets go of it. */
  text(url, { signal, timeout = REQUEST_TIMEOUT } = {}) {
    const read = (response) => response.text();
    return this.#answer({ url, media: "text/plain", read, headers: {}, timeout, init: {}, signal });
  }

  async #answer(request) {
    const first = await this.#once(request);
    const refused = first.fault && isRefusal(first.fault);
    const { fault, body } = refused && (await this.auth.renew()) ? await this.#once(request) : first;
    if (!fault) return body;
    const error = new TwinwireError(fault.detail, fault.kind === "http" ? fault.status : 0, fault.problem);
    error.retryAfter = fault.retryAfter;
    error.passing = !fault.problem || fault.status === 429 || fault.status >= 500;
    throw error;
  }

  async #once({ url, media, read, headers, timeout, init, signal }) {
    const abort = new AbortController();
    const letGo = () => abort.abort();
    const timer = this.#env.setTimeout(letGo, timeout);
    signal?.addEventListener("abort", letGo);
    try {
      signal?.throwIfAborted();
      const asked = this.init({ Accept: media, ...headers }, { ...init, signal: abort.signal });
      const response = await this.#env.fetch(String(url), asked);
      if (response.status === 204) return { body: null };
      const fault = await responseFault(response, media, "poll", this.#env.now());
      return fault ? { fault } : { body: await read(response) };
    } catch (error) {
      return { fault: { kind: "network", transport: "poll", detail: String(error?.message ?? error) } };
    } finally {
      this.#env.clearTimeout(timer);
      signal?.removeEventListener("abort", letGo);
    }
  }

  /** One page of history (docs/protocol.md, section 4). Throws TwinwireError. */
  history({ topics = null, ...query } = {}) {
    const pairs = [
      ...(topics ?? []).map((topic) => ["topic", topic]),
      ...Object.entries({ wait: 0, ...query }),
    ];
    return this.json(this.url("api/events", pairs));
  }
}
