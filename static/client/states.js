/**
 * The closed sets of the client: the one place where their words stand. index.d.ts says what each one means.
 */

/** @import { StreamState } from "./index.js" */

export const State = Object.freeze({
  CONNECTING: "connecting",
  REPLAYING: "replaying",
  LIVE: "live",
  RECONNECTING: "reconnecting",
  OFFLINE: "offline",
  UNAUTHORIZED: "unauthorized",
  CLOSED: "closed",
});

export const Transport = Object.freeze({
  WEBSOCKET: "websocket",
  SSE: "sse",
  POLL: "poll",
  EVENTSOURCE: "eventsource",
});

export const FaultKind = Object.freeze({
  NETWORK: "network",
  TIMEOUT: "timeout",
  STALLED: "stalled",
  SUSPENDED: "suspended",
  MEDIA: "media",
  HTTP: "http",
  CLOSED: "closed",
  GOODBYE: "goodbye",
  UNSUPPORTED: "unsupported",
  PROTOCOL: "protocol",
  DROPPED: "dropped",
});

/** Why a credential was refused. */
export const Refusal = Object.freeze({
  EXPIRED: "expired",
  REVOKED: "revoked",
  INVALID: "invalid",
  FORBIDDEN: "forbidden",
});

/** What a page is told of its credential. */
export const AuthState = Object.freeze({
  EXPIRING: "expiring",
  RENEWED: "renewed",
  REDUCED: "reduced",
  REFUSED: "refused",
});

/** Which part a tab plays where many share one connection. */
export const Role = Object.freeze({ LEADER: "leader", FOLLOWER: "follower" });

/** What the reader says of an event. */
export const Verdict = Object.freeze({
  DELIVER: "deliver",
  DUPLICATE: "duplicate",
  IGNORED: "ignored",
  LOST: "lost",
  FOREIGN: "foreign",
  UNREPAIRED: "unrepaired",
  REPAIRED: "repaired",
});

/** @type {(state: StreamState) => boolean} */
export const isLost = (state) => state === State.RECONNECTING || state === State.OFFLINE;
/** @type {(state: StreamState) => boolean} */
export const isConnected = (state) => state === State.REPLAYING || state === State.LIVE;
