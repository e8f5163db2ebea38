/** The platform and the settings: each option beside its default. The only module that touches a global. */

import { TwinwireError } from "./errors.js";
import { passing } from "./passing.js";
import { Transport } from "./states.js";

/** @import { Environment, Settings } from "./internal.js" */
/** @import { ConnectOptions, TransportName } from "./index.js" */

/**
 * Milliseconds, counts and seconds as index.d.ts says; each can be set through `connect`.
 *
 * @type {Readonly<Settings>}
 */
export const DEFAULTS = Object.freeze({
  maxRetries: Infinity,
  backoffBase: 1_000,
  backoffCap: 30_000,
  connectTimeout: 4_000, // Chrome's own handshake timeout is 240 s
  frameTimeout: 4_000,
  hedgeDelay: 2_000,
  productiveAfter: 10_000,
  probeInterval: 15_000,
  pollWait: 25, // s; below the 30 s that the strictest common proxies allow
  publishTimeout: 30_000,
  iteratorLimit: 10_000,
});

/** Options that are neither a number of `DEFAULTS` nor a piece of the platform. */
const OTHER_OPTIONS = [
  ...["topics", "after", "transports", "token", "getToken", "auth"],
  ...["baseUrl", "cursorKey", "tabs", "credentials"],
];

/** Where bundlers put modules that are not files of the service any more. */
const BUNDLED = /\/(?:@fs|@id|node_modules)\//;

/** Below what the service serves modules to its own pages, by their version. */
const VERSIONED = /\/v\/[0-9a-f]{16}\/$/;

const TRANSPORT_NAMES = Object.values(Transport);
const DEFAULT_TRANSPORTS = [Transport.WEBSOCKET, Transport.SSE, Transport.POLL];

/**
 * What `read` gives, or null: browsers throw from the mere access to storage when cookies are blocked.
 *
 * @template T
 * @param {() => T} read
 */
function guarded(read) {
  try {
    return read() ?? null;
  } catch {
    return null;
  }
}

/** @returns {Omit<Environment, "visible" | "online" | "elapsed">} */
function defaults() {
  const page = globalThis;
  const fetch = guarded(() => page.fetch);
  return {
    fetch: fetch && fetch.bind(page),
    WebSocket: guarded(() => page.WebSocket),
    EventSource: guarded(() => page.EventSource),
    BroadcastChannel: guarded(() => page.BroadcastChannel),
    locks: guarded(() => page.navigator.locks),
    setTimeout: (fn, ms) => page.setTimeout(fn, ms),
    clearTimeout: (timer) => page.clearTimeout(/** @type {number} */ (timer)),
    now: () => Date.now(),
    monotonic: () => page.performance?.now() ?? Date.now(),
    random: () => Math.random(),
    storage: guarded(() => page.sessionStorage),
    memory: guarded(() => page.localStorage),
    visibility: guarded(() => page.document),
    page: typeof page.addEventListener === "function" ? page : null,
    network: guarded(() => page.navigator),
    sendBeacon: guarded(() => page.navigator.sendBeacon.bind(page.navigator)),
    origin: guarded(() => page.origin),
    warn: (text) => console.warn(text),
  };
}

/**
 * Throws TypeError for an option that does not exist: `topic`, misspelt, would else mean everything.
 *
 * @param {object} options
 */
export function checkOptions(options) {
  const known = [...OTHER_OPTIONS, ...Object.keys(DEFAULTS), ...Object.keys(defaults())];
  const other = Object.keys(options).find((name) => !known.includes(name));
  if (other === undefined) return;
  const low = other.toLowerCase();
  const near = known.find((name) => name.toLowerCase().startsWith(low) || low.startsWith(name.toLowerCase()));
  throw new TypeError(`connect has no option ${other}${near ? `; is it ${near}?` : ""}`);
}

/** @param {URL} url */
const isHttp = ({ protocol }) => protocol === "http:" || protocol === "https:";

/**
 * What belongs to the service if nobody says: the parent of the folder from which it served this module, or,
 * where a bundler has put the module elsewhere, the root of the page's origin.
 *
 * @param {string} here URL of this module; bundlers may leave it out
 */
function ownBase(here) {
  const module = guarded(() => new URL(here)) ?? new URL("file:///");
  const isServed = isHttp(module) && module.pathname.endsWith("/client/environment.js");
  if (isServed && !BUNDLED.test(module.pathname)) {
    const base = new URL("../", module);
    base.pathname = base.pathname.replace(VERSIONED, "/");
    return base;
  }
  const page = guarded(() => new URL(globalThis.location.href)); // not baseURI: a page may name another's
  return new URL("/", page && isHttp(page) ? page : globalThis.document.baseURI);
}

/**
 * @param {string | URL | undefined} option
 * @param {string} here
 */
function resolve(option, here) {
  const page = guarded(() => globalThis.document.baseURI) ?? guarded(() => globalThis.location.href); // a worker's
  try {
    return option ? new URL(String(option), page ?? undefined) : ownBase(here);
  } catch {
    return null; // a relative one where there is no page, or one like `blob:`
  }
}

/**
 * The service's root as a URL that ends with a slash; `ws:` and `wss:` are taken as `http:` and `https:`. Throws
 * TypeError where it can't be told.
 *
 * @param {string | URL} [option]
 * @param {string} here URL of this module
 */
export function baseUrl(option, here = import.meta.url) {
  const url = resolve(option, here);
  if (url) url.protocol = url.protocol.replace(/^ws/, "http");
  if (!url || !isHttp(url)) {
    const what = option ? `not ${String(option)}` : "and this page does not tell it";
    throw new TypeError(`baseUrl is the http: or https: URL of the service, ${what}`);
  }
  url.search = "";
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/**
 * Whether `fetch` hands out a body as it arrives: without that, SSE needs EventSource.
 *
 * @param {Environment} env
 */
function canStream(env) {
  return (
    Boolean(env.fetch) && typeof globalThis.ReadableStream === "function" && typeof TextDecoder === "function"
  );
}

/**
 * An EventSource carries a token as a ticket, which has to be fetched.
 *
 * @param {Environment} env
 * @param {TransportName} name
 * @param {boolean} withToken
 */
function isPresent(env, name, withToken) {
  if (name === Transport.WEBSOCKET) return Boolean(env.WebSocket);
  if (name !== Transport.EVENTSOURCE) return Boolean(env.fetch);
  return Boolean(env.EventSource) && (!withToken || Boolean(env.fetch));
}

/**
 * The transports that this platform has, best first; with a token, those that can carry it. Throws
 * TwinwireError for a name that does not exist, and if none is left.
 *
 * @param {Environment} env
 * @param {readonly TransportName[]} [wanted]
 * @param {boolean} withToken
 */
export function usableTransports(env, wanted, withToken = false) {
  for (const name of wanted ?? []) {
    if (!TRANSPORT_NAMES.includes(name)) throw new TwinwireError(`no such transport: ${name}`, 422);
  }
  const streams = canStream(env);
  const present = (wanted ?? DEFAULT_TRANSPORTS)
    .map((name) => (name === Transport.SSE && !streams ? Transport.EVENTSOURCE : name))
    .filter((name) => isPresent(env, name, withToken));
  if (present.length === 0) throw new TwinwireError("this platform has none of the wanted transports");
  return [...new Set(present)];
}

/**
 * `usual` with what `options` say otherwise; null says "as if it were missing".
 *
 * @template {object} T
 * @param {T} usual
 * @param {ConnectOptions} options
 * @returns {T}
 */
function chosen(usual, options) {
  const named = Object.entries(options).filter(([name, value]) => name in usual && value !== undefined);
  return { ...usual, ...Object.fromEntries(named) };
}

/**
 * The platform for one stream: the options that name a piece of it, else the global.
 *
 * @param {ConnectOptions} options
 * @returns {Environment}
 */
export function environment(options) {
  const env = chosen(defaults(), options);
  const { now, monotonic = now } = options; // who brings a calendar alone counts by it
  return {
    ...env,
    elapsed: passing(env.now, monotonic ?? env.monotonic),
    visible: () => guarded(() => env.visibility?.visibilityState) !== "hidden",
    online: () => guarded(() => env.network?.onLine) !== false,
  };
}

/**
 * The numbers for one stream.
 *
 * @param {ConnectOptions} options
 */
export function settings(options) {
  return chosen(DEFAULTS, options);
}
