/**
 * Requests to the service: URLs under its base, the token, JSON answers, problems. Streams only take URL and
 * headers.
 */

import {
  TwinwireError,
  isFinal,
  isTooLong,
  reasonOf,
  retryAfter,
  strangerWords,
  tooLongWords,
} from "./errors.js";
import { fieldsOf } from "./queries.js";
import { FaultKind, Transport } from "./states.js";

export { Auth } from "./auth.js";

/** @import { Auth } from "./auth.js" */
/** @import { Environment, EventPage, FullFault, WireFault } from "./internal.js" */
/** @import { Cursor, Problem, TransportName, WireEvent } from "./index.js" */

/**
 * One request of `Http`: what it asks, the media type that it must get, and how that is read.
 *
 * @typedef {object} Question
 * @property {string | URL} url
 * @property {string} media
 * @property {(response: Response) => Promise<any>} read
 * @property {Record<string, string>} headers
 * @property {number} timeout milliseconds
 * @property {RequestInit} init
 * @property {boolean} [renew] whether a 401 is asked again with a fresh token; true without it
 * @property {AbortSignal} [signal]
 */

/** Characters of a URL up to which proxies are sure to take it: nginx's default is 8 KiB, with the headers. */
export const URL_MAX = 6_000;

const REQUEST_TIMEOUT = 15_000; // ms; for publishing and history; a long poll brings its own

/**
 * @param {Response} response
 * @returns {Promise<Problem | null>}
 */
async function problemOf(response) {
  const media = response.headers.get("content-type") ?? "";
  if (!media.startsWith("application/problem+json")) return null;
  return response.json().catch(() => null);
}

/**
 * The fault in a response that is not what was asked for; null if it is a 2xx of the media type.
 *
 * @param {Response} response
 * @param {string} media
 * @param {TransportName} transport
 * @param {number} now
 * @returns {Promise<FullFault | null>}
 */
export async function responseFault(response, media, transport, now) {
  if (response.ok) {
    const got = response.headers.get("content-type") ?? "";
    if (got.startsWith(media)) return null;
    return {
      kind: FaultKind.MEDIA,
      transport,
      status: response.status,
      detail: `${got || "no media type"} instead of ${media}`,
    };
  }
  const problem = await problemOf(response);
  const words = problem === null && response.status === 400 ? await response.text().catch(() => "") : "";
  const tooLong = problem === null && isTooLong(response.status, words);
  return {
    kind: FaultKind.HTTP,
    transport,
    status: response.status,
    problem,
    tooLong,
    retryAfter: retryAfter(response.headers.get("retry-after"), now, response.headers.get("date")),
    detail:
      problem?.detail ??
      problem?.title ??
      (tooLong ? tooLongWords(response.status) : `HTTP ${response.status}`),
  };
}

/**
 * The query's `topic` parameters.
 *
 * @param {readonly string[]} topics
 * @returns {[string, string][]}
 */
export const topicPairs = (topics) => topics.map((topic) => ["topic", topic]);

/** @param {FullFault} fault */
function refusal(fault) {
  const { kind, status = 0, problem = null, detail = "no answer", retryAfter: delay } = fault;
  const error = new TwinwireError(detail, kind === FaultKind.HTTP ? status : 0, problem);
  error.retryAfter = delay;
  error.passing = !isFinal(fault) && (problem === null || status === 429 || status >= 500);
  return error;
}

/** A request's error as what ends a stream. @param {unknown} error @returns {WireFault} */
export function faultOf(error) {
  if (!(error instanceof TwinwireError)) return { kind: FaultKind.NETWORK, detail: reasonOf(error) };
  const { status, problem, message, retryAfter: delay } = error;
  return {
    kind: status === 0 ? FaultKind.NETWORK : FaultKind.HTTP,
    status: status || undefined,
    problem,
    retryAfter: delay,
    detail: message,
  };
}

export class Http {
  #env;
  #base;
  #credentials;

  /**
   * @param {Environment} env
   * @param {URL} base
   * @param {Auth} auth
   * @param {RequestCredentials} credentials
   */
  constructor(env, base, auth, credentials = "same-origin") {
    this.#env = env;
    this.#base = base;
    this.#credentials = credentials;
    this.auth = auth;
  }

  /**
   * `path` under the base URL; `params` as pairs, those without a value left out.
   *
   * @param {string} path
   * @param {readonly (readonly [string, unknown])[]} params
   */
  url(path, params = []) {
    const url = new URL(path, this.#base);
    for (const [name, value] of params) {
      if (value !== null && value !== undefined) url.searchParams.append(name, String(value));
    }
    return url;
  }

  /**
   * Where to ask for `topics`, and how: with a GET at `path`, or with the same in a body at `longer`, if the URL
   * would outgrow what proxies take (docs/protocol.md, section 4). `init` is of a fetch.
   *
   * @param {string} path
   * @param {string} longer
   * @param {readonly string[]} topics
   * @param {readonly (readonly [string, unknown])[]} params
   * @returns {{ url: string, headers: Record<string, string>, init: RequestInit }}
   */
  asking(path, longer, topics, params) {
    const url = String(this.url(path, [...topicPairs(topics), ...params, ...this.auth.query]));
    if (url.length <= URL_MAX) return { url, headers: {}, init: {} };
    return {
      url: String(this.url(longer, this.auth.query)),
      headers: { "Content-Type": "application/json" },
      init: { method: "POST", body: JSON.stringify({ topics, ...fieldsOf(params) }) },
    };
  }

  /** What to add to "no answer", for a page that may not be shown one; mostly empty. */
  get doubt() {
    return strangerWords(this.#env.origin, this.#base);
  }

  get crossOrigin() {
    return this.#credentials === "include";
  }

  /**
   * The `init` of a fetch that carries the token. Where it is missing no cookie goes in its place.
   *
   * @param {Record<string, string>} headers
   * @param {RequestInit} more
   * @returns {RequestInit}
   */
  init(headers = {}, more = {}) {
    const token = this.auth.token;
    const all = token === null ? headers : { ...headers, Authorization: `Bearer ${token}` };
    const credentials = this.auth.isMissing ? "omit" : this.#credentials;
    return { ...more, credentials, cache: "no-store", headers: all };
  }

  /**
   * A JSON answer, null for 204. After 401 it asks for a fresh token once, unless `renew` is false. Throws
   * TwinwireError, with status 0 if no answer came from the service. `keepalive`: the request outlives the page.
   *
   * @param {string | URL} url
   * @param {{ method?: string, body?: string, keepalive?: boolean, renew?: boolean, timeout?: number }} options
   */
  json(url, options = {}) {
    return this.#json(url, options, (response) => response.json());
  }

  /**
   * As `json`, with what the answer says beside its body.
   *
   * @param {string | URL} url
   * @param {{ method?: string, body?: string }} options
   * @returns {Promise<{ status: number, location: string | null, body: any }>}
   */
  whole(url, options) {
    return this.#json(url, options, async (response) => ({
      status: response.status,
      location: response.headers.get("Location"),
      body: await response.json(),
    }));
  }

  /**
   * @param {string | URL} url
   * @param {{ method?: string, body?: string, keepalive?: boolean, renew?: boolean, timeout?: number }} options
   * @param {(response: Response) => Promise<any>} read
   */
  #json(url, options, read) {
    const { method = "GET", body, keepalive = false, renew = true, timeout = REQUEST_TIMEOUT } = options;
    /** @type {Record<string, string>} */
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    return this.#answer({
      url,
      media: "application/json",
      read,
      headers,
      timeout,
      renew,
      init: { method, body, keepalive },
    });
  }

  /**
   * A text. As `json`; `signal` lets go of it.
   *
   * @param {string | URL} url
   * @param {{ signal?: AbortSignal, timeout?: number }} options
   * @returns {Promise<string>}
   */
  text(url, { signal, timeout = REQUEST_TIMEOUT } = {}) {
    /** @param {Response} response */
    const read = (response) => response.text();
    return this.#answer({ url, media: "text/plain", read, headers: {}, timeout, init: {}, signal });
  }

  /** @param {Question} question */
  async #answer(question) {
    const first = await this.#once(question);
    const refused = first.fault?.status === 401 && question.renew !== false;
    const { fault, body } = refused && (await this.auth.renew()) ? await this.#once(question) : first;
    if (fault) throw refusal(fault);
    return body;
  }

  /**
   * @param {Question} question
   * @returns {Promise<{ fault?: FullFault, body?: any }>}
   */
  async #once({ url, media, read, headers, timeout, init, signal }) {
    const abort = new AbortController();
    const letGo = () => abort.abort();
    const timer = this.#env.setTimeout(letGo, timeout);
    signal?.addEventListener("abort", letGo);
    try {
      signal?.throwIfAborted();
      const asked = this.init({ Accept: media, ...headers }, { ...init, signal: abort.signal });
      if (!this.#env.fetch) throw new TypeError("there is no fetch");
      const response = await this.#env.fetch(String(url), asked);
      if (response.status === 204) return { body: null };
      const fault = await responseFault(response, media, Transport.POLL, this.#env.now());
      return fault ? { fault } : { body: await read(response) };
    } catch (error) {
      const detail = reasonOf(error) + this.doubt;
      return { fault: { kind: FaultKind.NETWORK, transport: Transport.POLL, detail } };
    } finally {
      this.#env.clearTimeout(timer);
      signal?.removeEventListener("abort", letGo);
    }
  }

  /**
   * One page of history (docs/protocol.md, section 4), from the oldest event on unless it says where. Throws TwinwireError.
   *
   * @param {{ topics?: readonly string[] | null, [parameter: string]: unknown }} query
   * @returns {Promise<EventPage>}
   */
  history({ topics = null, ...query } = {}) {
    // Without any of these it would be what comes after now: nothing. A time is no place: it sifts what lies behind one.
    const places = [query.after, query.before].filter((place) => (place ?? null) !== null);
    const isPlaced = query.order === "desc" || places.length > 0;
    const params = Object.entries({ wait: 0, ...query, ...(isPlaced ? {} : { after: "earliest" }) });
    const { url, init } = this.asking("api/events", "api/events/read", topics ?? [], params);
    return this.json(url, /** @type {{ method?: string, body?: string }} */ (init));
  }

  /**
   * One page of the state of a filter (docs/protocol.md, "State"). Throws TwinwireError.
   *
   * @param {string} topic
   * @param {{ join: string, next: string | null, subject?: string }} page `subject`: of this one alone
   * @returns {Promise<{ events: WireEvent[], cursor: Cursor, more: boolean, next: string | null }>}
   */
  state(topic, { join, next, subject }) {
    const params = [["topic", topic], ...(join ? [["join", join]] : []), ["next", next]];
    if (subject !== undefined) params.push(["subject", subject]);
    const url = this.url("api/state", /** @type {[string, unknown][]} */ ([...params, ...this.auth.query]));
    return this.json(url);
  }

  /**
   * A ticket for one stream on `topics`, where nothing but a URL can be sent. Throws TwinwireError.
   *
   * @param {readonly string[]} topics
   * @returns {Promise<string>}
   */
  async ticket(topics) {
    const body = JSON.stringify(topics.length > 0 ? { topics } : {});
    const { ticket } = await this.json(this.url("api/tickets"), { method: "POST", body, renew: false });
    return ticket;
  }

  /**
   * Who asks, as the service sees it. Throws TwinwireError.
   *
   * @returns {Promise<{ subject: string | null, expires: string | null }>}
   */
  session() {
    return this.json(this.url("api/session"));
  }
}
