/** The platform and the settings: each option beside its default. The only module that touches a global. */

import { TwinwireError } from "./errors.js";

/** Milliseconds, counts and seconds as index.d.ts says; each can be set through `connect`. */
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

const TRANSPORT_NAMES = ["websocket", "sse", "poll", "eventsource"];

/** What `read` gives, or null: browsers throw from the mere access to storage when cookies are blocked. */
function guarded(read) {
  try {
    return read() ?? null;
  } catch {
    return null;
  }
}

function bound(owner, name) {
  const value = guarded(() => owner[name]);
  return typeof value === "function" ? value.bind(owner) : null;
}

function defaults() {
  const page = globalThis;
  return {
    fetch: bound(page, "fetch"),
    WebSocket: guarded(() => page.WebSocket),
    EventSource: guarded(() => page.EventSource),
    BroadcastChannel: guarded(() => page.BroadcastChannel),
    locks: guarded(() => page.navigator.locks),
    setTimeout: (fn, ms) => page.setTimeout(fn, ms),
    clearTimeout: (timer) => page.clearTimeout(timer),
    now: () => Date.now(),
    random: () => Math.random(),
    storage: guarded(() => page.sessionStorage),
    memory: guarded(() => page.localStorage),
    visibility: guarded(() => page.document),
    page: typeof page.addEventListener === "function" ? page : null,
    network: guarded(() => page.navigator),
  };
}

/** The service's root as a URL that ends with a slash; `ws:` and `wss:` are taken as `http:` and `https:`. */
export function baseUrl(option) {
  const page = guarded(() => globalThis.document.baseURI) ?? undefined;
  const url = option ? new URL(String(option), page) : new URL("../", import.meta.url);
  url.protocol = url.protocol.replace(/^ws/, "http");
  url.search = "";
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** Whether `fetch` hands out a body as it arrives: without that, SSE needs EventSource. */
function canStream(env) {
  return (
    Boolean(env.fetch) && typeof globalThis.ReadableStream === "function" && typeof TextDecoder === "function"
  );
}

/**
 * Transports that can't carry a token: a browser sets no header on them, and a token in a URL ends up in logs
 * and histories (RFC 9700, 4.3.2).
 */
const TOKENLESS = new Set(["websocket", "eventsource"]);

/**
 * The transports that this platform has, best first; with a token, those that can carry it. Throws
 * TwinwireError for a name that does not exist, and if none is left.
 */
export function usableTransports(env, wanted, withToken = false) {
  for (const name of wanted ?? []) {
    if (!TRANSPORT_NAMES.includes(name)) throw new TwinwireError(`no such transport: ${name}`, 422);
  }
  const streams = canStream(env);
  const present = (wanted ?? ["websocket", "sse", "poll"])
    .map((name) => (name === "sse" && !streams ? "eventsource" : name))
    .filter((name) => {
      if (name === "websocket") return Boolean(env.WebSocket);
      return name === "eventsource" ? Boolean(env.EventSource) : Boolean(env.fetch);
    });
  if (present.length === 0) throw new TwinwireError("this platform has none of the wanted transports");
  const usable = present.filter((name) => !withToken || !TOKENLESS.has(name));
  if (usable.length === 0) throw new TwinwireError(`a token can't travel over ${present.join(" or ")}`, 422);
  return [...new Set(usable)];
}

/** The platform for one stream: the options that name a piece of it, else the global. */
export function environment(options) {
  const env = defaults();
  for (const name of Object.keys(env)) if (options[name] !== undefined) env[name] = options[name];
  env.visible = () => guarded(() => env.visibility.visibilityState) !== "hidden";
  env.online = () => guarded(() => env.network.onLine) !== false;
  return env;
}

/** The numbers for one stream. */
export function settings(options) {
  const chosen = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) if (options[name] !== undefined) chosen[name] = options[name];
  return chosen;
}
