/**
 * Twinwire's browser client: events of one durable log over WebSocket, SSE or long polling, in log order,
 * each exactly once, or an in-band `gap` that says what could not be delivered. docs/client.md explains it
 * with examples.
 */

/**
 * Text `epoch-offset`, e.g. `k7f3q2-1042`: the last event that was handled. Compare offsets only within one
 * epoch.
 */
export type Cursor = string;

export type TransportName = "websocket" | "sse" | "poll" | "eventsource";

/**
 * - `connecting`: no connection frame yet, since `connect()`
 * - `replaying`: connected; events after the cursor that were missed are coming in
 * - `live`: connected and caught up; this is the green light
 * - `reconnecting`: the connection is lost; another attempt runs or waits for its delay
 * - `offline`: the browser says that there is no network, and no connection says otherwise
 * - `unauthorized`: the credential was refused, also the fresh one from `getToken`, or may not do this (`:auth`
 *   says why); only `reconnect()` goes on
 * - `closed`: by `close()`, by a refusal that no retry can change (422), or after `maxRetries`; final
 */
export type StreamState =
  "connecting" | "replaying" | "live" | "reconnecting" | "offline" | "unauthorized" | "closed";

/** An event as it stands in the log (docs/protocol.md, section 1). */
export interface WireEvent<T = unknown, Type extends string = string> {
  /** The cursor after this event. */
  readonly id: Cursor;
  readonly topic: string;
  readonly type: Type;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** The cursor of the event before this one on the same topic; null for the topic's first. */
  readonly prev: Cursor | null;
  /** W3C Trace Context of the publisher's request, if that had one. */
  readonly traceparent?: string;
  /** What on its topic it is about, if anything. */
  readonly subject?: string;
  /** `data` is appended to the subject's value, and does not replace it. */
  readonly append?: true;
  /** The value is closed by it. */
  readonly final?: true;
  /** By the service itself: `data` is the text that so many events made, and replaces it. */
  readonly joined?: number;
  readonly data: T;
}

/**
 * What the page knows of its events: `data` by event type, `{ log: { message: string } }`. Without it `data`
 * is `unknown`. It is a promise of the page's, about who may publish on its topics; nothing checks it as it
 * runs.
 */
export type Events = Record<string, unknown>;

/** One of `E`, told apart by `type`. */
export type EventOf<E extends object = Events> = {
  [Type in keyof E & string]: WireEvent<E[Type], Type>;
}[keyof E & string];

/** What could not be delivered. It has no `topic`: that tells it from an event. */
export interface GapFrame {
  readonly type: "gap";
  readonly topic?: undefined;
  readonly reason: "trimmed" | "compacted" | "epoch" | "ahead" | "malformed";
  readonly requested: string;
  /** Where the stream goes on. */
  readonly id: Cursor;
  /** The cursor up to which something may be missing; null if nothing was trimmed. */
  readonly floor: Cursor | null;
}

/**
 * Any frame without a topic: `connection`, `gap`, `caught_up`, `heartbeat`, `goodbye`, `problem`, `reply`,
 * `pong`.
 */
export interface ControlFrame {
  readonly type: string;
  readonly topic?: undefined;
  readonly id?: Cursor;
  readonly [field: string]: unknown;
}

/**
 * What a publisher hands in. Without a `key` the client draws one, so that its own retries never publish
 * twice.
 */
export interface Draft {
  topic: string;
  type: string;
  data?: unknown;
  /** Idempotency key, 1-128 bytes, unique per topic. */
  key?: string;
  /** What on the topic it is about, 1-128 bytes: `data` replaces its value, null deletes it. */
  subject?: string;
  /** `data` is appended to the value instead. */
  append?: boolean;
  /** Closes the value: what is appended later is refused with 409. */
  final?: boolean;
}

/**
 * - `expired`, `revoked`: so the server says
 * - `invalid`: no credential where one is needed, or one that is no good
 * - `forbidden`: a credential that may not do this; no other token is asked for
 */
export type RefusalReason = "expired" | "revoked" | "invalid" | "forbidden";

/** What becomes of the credential (docs/protocol.md, section 9). */
export interface AuthNotice {
  /**
   * - `expiring`: it ends at `expires`; with `getToken` another one is on its way
   * - `renewed`: the connection has another one
   * - `reduced`: `lost` may not be read any more, and are not among `topics` now
   * - `refused`: nothing more is tried; the state is `unauthorized`
   */
  readonly state: "expiring" | "renewed" | "reduced" | "refused";
  readonly subject: string | null;
  /** RFC 3339; null: it does not end. */
  readonly expires: string | null;
  readonly lost: readonly string[];
  /** Of `refused`. */
  readonly reason: RefusalReason | null;
  /** Of `refused`, for people: what the server said. */
  readonly detail: string | null;
}

/** Why a connection ended, or an attempt failed. */
export interface Fault {
  readonly kind:
    | "network" // refused, reset, cut, DNS: whatever the browser does not tell
    | "timeout" // no handshake or no connection frame in time
    | "stalled" // silent for longer than 2.5 heartbeats
    | "suspended" // the machine slept; nothing is wrong with the transport
    | "media" // 200 with another media type: a captive portal
    | "http" // another status; see `status`
    | "closed" // the server closed; see `code`
    | "goodbye" // the server said goodbye; see `reason`
    | "unsupported" // this browser can't do this transport
    | "protocol" // not a frame of ours
    | "dropped"; // `drop()`
  readonly transport: TransportName;
  readonly status?: number;
  readonly code?: number;
  readonly reason?: string;
  /** Milliseconds that the server asked to wait (`goodbye.retry`, Retry-After). */
  readonly retryAfter?: number;
  readonly detail?: string;
}

/** A problem document (RFC 9457). */
export interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly field?: string;
  readonly [field: string]: unknown;
}

/**
 * A refused request; `status` and `problem` as the server gave them (RFC 9457), status 0 if it never
 * answered.
 */
export class TwinwireError extends Error {
  readonly status: number;
  readonly problem: Problem | null;
  constructor(message: string, status?: number, problem?: Problem | null);
}

/**
 * An async iterator fell more than `iteratorLimit` events behind; connect again with `after: error.cursor`.
 */
export class OverrunError extends Error {
  readonly cursor: Cursor;
  constructor(cursor: Cursor, limit: number);
}

export interface StreamStats {
  /** Events handed to the page. */
  readonly received: number;
  /** Events dropped because they were at or before the cursor. */
  readonly duplicates: number;
  /** Of `duplicates`, those of a second transport that ran in parallel while the stream moved to it. */
  readonly overlap: number;
  /** Events between the last connection frame and its caught_up. */
  readonly replayed: number;
  readonly gaps: number;
  readonly anomalies: number;
  /**
   * Milliseconds from the event's `time` to its arrival, live events only; clocks may differ; null before the
   * first.
   */
  readonly latency: number | null;
  /** Connections lost and won back. */
  readonly reconnects: number;
  /** Changes of transport. */
  readonly switches: number;
  /** Milliseconds since 1970 of the last event; null before the first. */
  readonly lastEventAt: number | null;
  /**
   * Milliseconds since 1970 at which the server was last heard: a frame of any kind, also one that another tab has
   * heard for this one; null before the first.
   */
  readonly heardAt: number | null;
}

/** Lifecycle notices have a colon, which no event type can have: no collision. */
export interface StreamNotices {
  ":state": { state: StreamState; previous: StreamState };
  /** null: no transport is connected. */
  ":transport": { transport: TransportName | null; previous: TransportName | null; reason: string };
  /** `stream.stale` has changed. `since`: when the last frame before the silence came, milliseconds since 1970. */
  ":stale": { stale: boolean; since: number };
  /** Every frame that is acted on, events and control frames, with the transport that brought it. */
  ":frame": { frame: WireEvent | ControlFrame; transport: TransportName };
  /** An attempt on one transport begins. `probe`: in the background, beside the working one. */
  ":attempt": { transport: TransportName; after: Cursor | "earliest" | "latest" | null; probe: boolean };
  /** An attempt failed or a connection ended. */
  ":fault": Fault & { probe: boolean };
  /** Another attempt follows after `delay` milliseconds. `ordered`: the server asked for this delay. */
  ":retry": { attempt: number; delay: number; ordered: boolean };
  /** The events do not add up: what was expected, and whether the re-read from the cursor repaired it. */
  ":anomaly": { kind: "prev" | "epoch"; event: WireEvent; cursor: Cursor | null; repaired: boolean | null };
  /** The cursor moved without an event of this page (heartbeat, caught_up). */
  ":cursor": { cursor: Cursor };
  ":auth": AuthNotice;
  /** Many tabs, one connection: whether this tab holds it. null: it has a connection of its own. */
  ":role": { role: "leader" | "follower" | null };
  /** The stream ended for good; `error` is null after `close()`. */
  ":close": { error: TwinwireError | Fault | null };
}

/** Storage that may throw or be absent: everything that the client keeps there is a convenience. */
export interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface ConnectOptions {
  /** Topics and filters (`projects/*`, `projects/**`). Default: all that the caller may read. */
  topics?: string | readonly string[] | undefined;
  /**
   * Where to start: a cursor (for instance a snapshot's), `earliest` or `latest` (default). A cursor beats
   * the one stored under `cursorKey`; the stored one beats `earliest` and `latest`.
   */
  after?: Cursor | "earliest" | "latest" | null | undefined;
  /** Allowed transports, best first. Default: websocket, sse, poll (eventsource where fetch can't stream). */
  transports?: readonly TransportName[] | undefined;
  /**
   * Bearer token: in the Authorization header, as a WebSocket's subprotocol or its first message, and for an
   * EventSource exchanged for a ticket. Never in a URL. With it, or with `getToken`, nobody is ever served as
   * nobody, or as whoever has a cookie: streams and reads say that somebody is expected.
   */
  token?: string | null | undefined;
  /**
   * Asked at the start if there is no `token`; once before the token ends, and then the connection goes on with
   * the fresh one; and once after a 401. Gives null, or fails, if there is none.
   */
  getToken?: (() => string | null | Promise<string | null>) | undefined;
  /**
   * For a page with a cookie and no token: somebody is expected, so that the end of the cookie is told, and is
   * not the beginning of a stream for nobody. Without it that holds once the server has said who the page is,
   * until `reconnect()`.
   */
  auth?: "required" | undefined;
  /**
   * The service's root, e.g. `https://live.example/tw/`. Default: the parent of the folder from which the
   * service has served this module; from a bundle, the root of the page's origin.
   */
  baseUrl?: string | URL | undefined;
  /** Store the cursor under this name in `storage`, so that a reload resumes. */
  cursorKey?: string | null | undefined;
  /** For the cursor. Default: sessionStorage. null: nowhere. */
  storage?: KeyValueStorage | null | undefined;
  /** For the remembered fallback. Default: localStorage. null: nowhere. */
  memory?: KeyValueStorage | null | undefined;
  /**
   * Share one connection among the tabs of this origin. Default: true where Web Locks and BroadcastChannel
   * exist. Tabs share if they have the same baseUrl, transports, token and group. With `getToken` a group
   * (the user's id) is needed, since tokens rotate: without it, each tab has its own connection.
   */
  tabs?: boolean | { group: string } | undefined;

  /** Attempts in a row before the stream gives up. Default: Infinity. */
  maxRetries?: number | undefined;
  /**
   * Milliseconds; the n-th delay is random(0, min(backoffCap, backoffBase * 2^n)). Defaults: 1,000 and
   * 30,000.
   */
  backoffBase?: number | undefined;
  backoffCap?: number | undefined;
  /** Milliseconds for the handshake. Default 4,000. */
  connectTimeout?: number | undefined;
  /** Milliseconds from the open to the connection frame. Default 4,000. */
  frameTimeout?: number | undefined;
  /** Milliseconds after which the next transport joins the start. Default 2,000. */
  hedgeDelay?: number | undefined;
  /** Milliseconds a connection must live, or bring an event, to count as productive. Default 10,000. */
  productiveAfter?: number | undefined;
  /**
   * Milliseconds until the first look whether a better transport works again; doubles up to 20 times. Default
   * 15,000.
   */
  probeInterval?: number | undefined;
  /** Seconds that a long poll waits. Default 25. */
  pollWait?: number | undefined;
  /** Milliseconds during which `publish` retries. Default 30,000. */
  publishTimeout?: number | undefined;
  /** Events that an async iterator may lag behind. Default 10,000. */
  iteratorLimit?: number | undefined;

  /** Of fetch and EventSource: `include` for cookies of another origin. Default: `same-origin`. */
  credentials?: RequestCredentials | undefined;

  /* The platform, for tests and for the wire lab; each defaults to the global of that name; null: missing. */
  fetch?: typeof fetch | null | undefined;
  WebSocket?: (new (url: string, protocols?: string[]) => WebSocket) | null | undefined;
  EventSource?: (new (url: string, init?: EventSourceInit) => EventSource) | null | undefined;
  BroadcastChannel?: (new (name: string) => BroadcastChannel) | null | undefined;
  locks?: LockManager | null | undefined;
  setTimeout?: ((fn: () => void, ms: number) => unknown) | undefined;
  clearTimeout?: ((timer: any) => void) | undefined;
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined;
  /** Milliseconds that nobody sets, for durations. Default: performance.now, or `now` if that is given. */
  monotonic?: (() => number) | undefined;
  /** [0, 1) */
  random?: (() => number) | undefined;
  /** Fires `visibilitychange`; `visibilityState` is read. Default: document. */
  visibility?: (EventTarget & { readonly visibilityState: string }) | null | undefined;
  /** Fires `online`, `offline`, `pageshow`, `pagehide`. Default: the window. */
  page?: EventTarget | null | undefined;
  /** `onLine` is read. Default: navigator. */
  network?: { readonly onLine: boolean } | null | undefined;
  /** Sends as the page ends. Default: navigator.sendBeacon. */
  sendBeacon?: ((url: string, text: string) => boolean) | null | undefined;
  /** Of the page; "null" if it has none. Default: `globalThis.origin`. */
  origin?: string | null | undefined;
  /** For the page's developer. Default: console.warn. */
  warn?: ((text: string) => void) | undefined;
}

export type Off = () => void;

/** docs/protocol.md, section 4. */
export interface HistoryQuery {
  topics?: string | readonly string[] | undefined;
  after?: Cursor | "earliest" | undefined;
  before?: Cursor | undefined;
  order?: "asc" | "desc" | undefined;
  type?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  limit?: number | undefined;
}

/** What a subject of a topic is, by all events up to a position. */
export interface StateEntry<T = unknown> {
  readonly topic: string;
  readonly subject: string;
  /** Of the last event of it. */
  readonly type: string;
  readonly id: Cursor;
  readonly time: string;
  /** A text has grown by what was appended to it; of anything else that was appended to, it is a list. */
  readonly value: T;
  /** How many events have made it, as far as they came one by one. */
  readonly parts: number;
  /** It is closed. */
  readonly final: boolean;
}

export interface StateChange<T = unknown> {
  readonly topic: string;
  readonly subject: string;
  /** null: it was deleted. */
  readonly entry: StateEntry<T> | null;
  /** null: it is new. */
  readonly previous: StateEntry<T> | null;
}

/** The latest of each subject, live; see `Stream.liveState`. Iterates over its entries. */
export interface LiveState<T = unknown> extends Iterable<StateEntry<T>> {
  readonly name: string;
  /** What it is the state of; null before it is there. */
  readonly cursor: Cursor | null;
  /** It is being fetched, at first or after a gap: what is there may be out of date until then. */
  readonly loading: boolean;
  /** Why it can't be had now, and what is there is out of date; null otherwise. It is fetched again once the stream is live. */
  readonly error: TwinwireError | null;
  /** Resolves when the state is there first; rejects with a TwinwireError if it can't be had. */
  readonly ready: Promise<void>;
  readonly size: number;
  get(topic: string, subject: string): T | undefined;
  has(topic: string, subject: string): boolean;
  entry(topic: string, subject: string): StateEntry<T> | undefined;
  /** One subject is another than before. */
  on(type: "change", fn: (change: StateChange<T>) => void): Off;
  /** The state is there, at first or anew; all of its changes were told before. */
  on(type: "loaded", fn: (detail: { cursor: Cursor }) => void): Off;
  /** It can't be had, or not any more: what is there stays as it is. */
  on(type: "error", fn: (error: TwinwireError) => void): Off;
  off(type: string, fn?: (detail: any) => void): void;
  /** Takes its topic away, as a handle does. */
  close(): void;
}

/** One tab or program at a place. `D`: what it says of itself, a promise of the page's that nothing checks. */
export interface Member<D = any> {
  /** Of its token; null for a caller without a subject. */
  readonly user: string | null;
  /** Unique at the place, and the same over reconnects and reloads. */
  readonly member: string;
  readonly data: D;
  /** When it entered, RFC 3339. */
  readonly since: string;
  /** Whether the service knows who it is. What `data` says of that nobody has checked. */
  readonly verified: boolean;
  /** The claim `info` of its token, if there is one. */
  readonly info?: unknown;
}

/** Who is at a place, with all tabs together; a caller without a user each by himself. */
export interface PlaceUser<D = any> {
  readonly user: string | null;
  /** This page's own user, or its own member. */
  readonly self: boolean;
  /** In the order in which they entered; at least one. */
  readonly members: readonly Member<D>[];
  /** Of this page's member, else of the newest that is not away, else of the newest. */
  readonly data: D;
  /** Of the member that has been here longest. */
  readonly since: string;
  /** `data.away` is true of each member. */
  readonly away: boolean;
  readonly info?: unknown;
}

/** What is other than before at a place; all three are empty if only the counts, `current` or `error` are. */
export interface PlaceChange<D = any> {
  readonly joined: readonly Member<D>[];
  readonly updated: readonly Member<D>[];
  /** `reason` as the server said: `left`, `closed`, `lost`, `expired`, `revoked`; null where nobody has told. */
  readonly left: readonly (Member<D> & { readonly reason: string | null })[];
}

export interface PlaceOptions<D = any> {
  /** What others see of this member: a JSON object, 1 KiB unless the server says otherwise. Default: {}. */
  data?: D | undefined;
  /**
   * 1-64 of `[A-Za-z0-9_.~-]`, not dots alone. Default: drawn once for each tab, and kept in `storage` over reloads; anew
   * where it is another user's, who was signed in in this tab before.
   */
  member?: string | undefined;
  /** Adds `away: true` to the data while the page is hidden. Default: false. */
  away?: boolean | undefined;
  /** false: only to see who is there, until `enter()`. Default: true. */
  enter?: boolean | undefined;
}

/** Who is at a place, live, and this tab among them; see `Stream.place`. */
export interface PlaceHandle<D = any> {
  readonly name: string;
  /** This tab's member id; null before it is drawn, which takes a moment. */
  readonly member: string | null;
  /** This tab's member as the others see it; null while it is not among them, and never another user's. */
  readonly self: Member<D> | null;
  /** Everybody, by user: this page's own first, then in the order in which they came. Replaced when it changes, never changed. */
  readonly users: readonly PlaceUser<D>[];
  /** Everybody, member by member, in the order in which they entered. Replaced as `users` is. */
  readonly members: readonly Member<D>[];
  /** How many there are, also where `truncated`. */
  readonly counts: { readonly users: number; readonly members: number };
  /** There are too many to be listed (500, unless the server says otherwise): `users` and `members` are empty, `counts` hold. */
  readonly truncated: boolean;
  /**
   * This is who is there now. False before the first list, and while the connection is away: then it is who was. For the
   * first ten seconds after that, whoever was there and is not told of yet counts as there: he may be coming back.
   */
  readonly current: boolean;
  /** Whether this tab is to be there: after `place` or `enter`, until `leave` or `close`. */
  readonly entered: boolean;
  /**
   * Why this tab is not let in, or the place may not be seen; null if nothing is wrong. Tried again with every new
   * connection, and after `set`; by itself what passes (429, 503): then it is null once this tab has entered.
   */
  readonly error: TwinwireError | null;
  /** Resolves with the first list; rejects with a TwinwireError if there can't be one. */
  readonly ready: Promise<void>;

  /**
   * Says other data, or enters with it. At most 4 times a second, the last one wins. Throws TwinwireError (422) for what is
   * no object that JSON can tell: a list, a date, a cycle, a BigInt.
   */
  set(data: D): void;
  /** As `set`, of what is other than before (RFC 7396): a member that is null goes. */
  merge(patch: { [K in keyof D]?: D[K] | null } & object): void;
  /** Enters again after `leave`, or for the first time after `enter: false`. */
  enter(data?: D): void;
  /** Goes at once, and still sees who is there. */
  leave(): void;
  /** Leaves, and takes its topic away, as a handle does. */
  close(): void;

  /** The first member of a user who was not there has come; this page's own user is not told of. */
  on(type: "came", fn: (user: PlaceUser<D>) => void): Off;
  /** The last member of a user has gone: as he was. */
  on(type: "went", fn: (user: PlaceUser<D>) => void): Off;
  /** Anything that can be read here is other than before. After `came` and `went`. */
  on(type: "change", fn: (change: PlaceChange<D>) => void): Off;
  on(type: "error", fn: (error: TwinwireError) => void): Off;
  once(type: "came" | "went", fn: (user: PlaceUser<D>) => void): Off;
  once(type: "change", fn: (change: PlaceChange<D>) => void): Off;
  once(type: "error", fn: (error: TwinwireError) => void): Off;
  off(type: string, fn?: (detail: any) => void): void;
}

/** An event that is not kept (docs/protocol.md, section 10): it has no `id`, and moves no cursor. */
export interface EphemeralEvent<T = unknown, Type extends string = string> {
  readonly id?: undefined;
  readonly topic: string;
  readonly type: Type;
  /** RFC 3339. */
  readonly time: string;
  /** The head of the log when it was accepted. */
  readonly after?: Cursor | null;
  /** Who sent it, if the service knows. */
  readonly from?: { readonly user: string | null; readonly member?: string };
  readonly data: T;
}

/** What `hear` is called with for `*`. */
export type EphemeralOf<E extends object = Events> = {
  [Type in keyof E & string]: EphemeralEvent<E[Type], Type>;
}[keyof E & string];

export interface EphemeralOptions {
  /** 1-128 bytes: of several with the same topic, type and key that were not delivered yet, the newest is. */
  key?: string | undefined;
  /** Seconds for which it is wanted, 0.1-60. Default 5. */
  ttl?: number | undefined;
  /** This page hears it too, if it listens. Without a WebSocket it does in any case. */
  echo?: boolean | undefined;
}

export interface Stream<E extends object = Events> extends AsyncIterable<EventOf<E> | GapFrame> {
  readonly state: StreamState;
  /**
   * The last event that was handled, or a later position without events of ours; null before the first
   * connection.
   */
  readonly cursor: Cursor | null;
  /**
   * Beside `live` and `replaying`: for 1.25 heartbeats nothing has come, so nobody knows whether the connection
   * still lives (`:stale`). `stats.heardAt` says when something came.
   */
  readonly stale: boolean;
  /** The connected transport; null while there is none. In a follower tab: the leader's. */
  readonly transport: TransportName | null;
  readonly topics: readonly string[];
  readonly stats: StreamStats;
  readonly role: "leader" | "follower" | null;
  /** Whose connection it is, as the server said; null: nobody's, or not known yet. */
  readonly subject: string | null;
  /** When the credential ends, RFC 3339; null: never, or not known yet. */
  readonly expires: string | null;
  /** Seconds between heartbeats, as the server said; null before the first connection. */
  readonly heartbeat: number | null;

  /** Calls `fn` for each event of `type`; `*` for every event and every gap. Returns the way to undo it. */
  on<K extends keyof StreamNotices>(notice: K, fn: (detail: StreamNotices[K]) => void): Off;
  on(type: "gap", fn: (gap: GapFrame) => void): Off;
  on(type: "*", fn: (message: EventOf<E> | GapFrame) => void): Off;
  on<Type extends keyof E & string>(type: Type, fn: (event: WireEvent<E[Type], Type>) => void): Off;
  /** As `on`, for the next one only. */
  once<K extends keyof StreamNotices>(notice: K, fn: (detail: StreamNotices[K]) => void): Off;
  once(type: "gap", fn: (gap: GapFrame) => void): Off;
  once(type: "*", fn: (message: EventOf<E> | GapFrame) => void): Off;
  once<Type extends keyof E & string>(type: Type, fn: (event: WireEvent<E[Type], Type>) => void): Off;
  /** Without `fn`: all listeners of `type`. */
  off(type: string, fn?: (detail: any) => void): void;

  /**
   * Publishes over the WebSocket if there is one, else with POST; tried again (same key) until
   * `publishTimeout`. Resolves after the commit. Rejects with a TwinwireError.
   */
  publish(draft: Draft): Promise<{ id: Cursor }>;
  publish(drafts: readonly Draft[]): Promise<{ ids: Cursor[] }>;
  /**
   * A client message of docs/protocol.md, section 4 (`{op: "ping"}`), or a draft. Resolves with the reply;
   * rejects with a TwinwireError if it was refused, or can't be sent without a WebSocket.
   */
  send(message: { op?: string; type?: string; [field: string]: unknown }): Promise<Record<string, unknown>>;
  /**
   * Adds topics. Resolves with the position from which they are covered; what lies before it is in the
   * history.
   */
  subscribe(topics: string | readonly string[]): Promise<{ id: Cursor | null }>;
  /** Removes topics, by the text with which they were added. */
  unsubscribe(topics: string | readonly string[]): Promise<{ id: Cursor | null }>;

  /**
   * One topic or filter with listeners of its own, which is added to the stream's topics if it is not among
   * them. Throws TwinwireError (422) for what is none.
   */
  topic<Own extends object = E>(filter: string): TopicHandle<Own>;

  /**
   * The latest of each subject of a topic or filter, live: a snapshot and every event after it. The filter is added to
   * the stream's topics if it is not among them. It survives reconnects, other transports and gaps. Throws
   * TwinwireError (422) for what is none.
   */
  liveState<T = unknown>(filter: string): LiveState<T>;

  /**
   * Enters a place, which is any topic, and tells who is there. The topic is added to the stream's topics if it is not
   * among them. It survives reconnects, other transports and reloads, in which nobody sees this tab go. One stream has
   * one member at a place: a second handle of the same is the same member. Throws TwinwireError (422) for what is none, and
   * for a topic with a segment of dots alone.
   */
  place<D = any>(topic: string, options?: PlaceOptions<D>): PlaceHandle<D>;

  /**
   * Sends an event that is not kept to whoever is live and hears them, over the WebSocket if there is one. Resolves once
   * it is accepted, which promises nothing; rejects with a TwinwireError if it was refused, or there is no connection.
   * Who does not look at the promise is not bothered.
   */
  ephemeral(topic: string, type: string, data: unknown, options?: EphemeralOptions): Promise<void>;

  /**
   * Calls `fn` for each event of `type` that is not kept, on the stream's topics; `*`: of any type. They come only while
   * somebody hears them. Returns the way to undo it.
   */
  hear(type: "*", fn: (event: EphemeralOf<E>) => void): Off;
  hear<Type extends keyof E & string>(type: Type, fn: (event: EphemeralEvent<E[Type], Type>) => void): Off;

  /**
   * One page of history, through the same base URL and token: from the oldest event that is kept, unless `after`,
   * `before` or `order` says where.
   */
  history(query?: HistoryQuery): Promise<{
    events: EventOf<E>[];
    cursor: Cursor;
    head: Cursor;
    /** Up to here, events of these topics may be missing; null if none ever were trimmed. */
    floor: Cursor | null;
    more: boolean;
    gap: GapFrame | null;
  }>;

  /** Resolves when the stream is live; rejects when it ends before. */
  ready(): Promise<void>;
  /**
   * Connects again at once, from the cursor: a "try again" button, or after new credentials (`unauthorized`).
   */
  reconnect(): void;
  /** Diagnosis: cuts the connection as the network would. In a follower tab this does nothing. */
  drop(): void;
  /** Ends the stream. Idempotent. */
  close(): void;
}

/** A topic of a stream; see `Stream.topic`. */
export interface TopicHandle<E extends object = Events> {
  readonly name: string;
  /** Resolves with the position from which the stream has this topic. Rejects with a TwinwireError. */
  readonly ready: Promise<{ id: Cursor | null }>;
  /** As the stream's, for events of this topic, and for gaps, which are everybody's. */
  on(type: "gap", fn: (gap: GapFrame) => void): Off;
  on(type: "*", fn: (message: EventOf<E> | GapFrame) => void): Off;
  on<Type extends keyof E & string>(type: Type, fn: (event: WireEvent<E[Type], Type>) => void): Off;
  once(type: "gap", fn: (gap: GapFrame) => void): Off;
  once(type: "*", fn: (message: EventOf<E> | GapFrame) => void): Off;
  once<Type extends keyof E & string>(type: Type, fn: (event: WireEvent<E[Type], Type>) => void): Off;
  off(type: string, fn?: (detail: any) => void): void;
  /** On this topic. Rejects with a TwinwireError (422) if it is a filter. */
  publish(draft: Omit<Draft, "topic">): Promise<{ id: Cursor }>;
  /** As the stream's, for events of this topic that are not kept. Ends with the handle. */
  hear(type: "*", fn: (event: EphemeralOf<E>) => void): Off;
  hear<Type extends keyof E & string>(type: Type, fn: (event: EphemeralEvent<E[Type], Type>) => void): Off;
  /** On this topic. Rejects with a TwinwireError (422) if it is a filter. */
  ephemeral(type: string, data: unknown, options?: EphemeralOptions): Promise<void>;
  /** One page of this topic's history. */
  history(query?: Omit<HistoryQuery, "topics">): ReturnType<Stream<E>["history"]>;
  /** Takes its listeners away, and its topic if no other handle holds it and the stream had it not. */
  close(): void;
}

/**
 * Opens a stream. Nothing is thrown for a server that is down: it is tried again. A TwinwireError (422) or a
 * TypeError is thrown for options that can't be meant.
 */
export function connect<E extends object = Events>(options?: ConnectOptions): Stream<E>;
/** One connection and a handful of functions, for a page that watches one topic at a time. */
export interface Facade<E extends object = Events> {
  /**
   * Opens a stream on the topic `prefix + name`, in place of the one before. Throws TwinwireError (422) if
   * that is not one topic.
   */
  connect(
    name: string | number,
    onMessage?: (message: EventOf<E> | GapFrame) => void,
    onError?: (fault: Fault | TwinwireError) => void,
    onConnectionChange?: (connected: boolean, state: StreamState) => void,
    options?: ConnectOptions,
  ): Stream<E>;
  disconnect(): void;
  /** Listeners stay when the connection is replaced, and may be added before it exists. */
  on<K extends keyof StreamNotices>(notice: K, fn: (detail: StreamNotices[K]) => void): Off;
  on(type: "gap", fn: (gap: GapFrame) => void): Off;
  on(type: "*", fn: (message: EventOf<E> | GapFrame) => void): Off;
  on<Type extends keyof E & string>(type: Type, fn: (event: WireEvent<E[Type], Type>) => void): Off;
  off(type: string, fn?: (detail: any) => void): void;
  /** `{type, data}` is published on the topic; `{op}` and `{type: "ping"}` are client messages. */
  send(message: { op?: string; type?: string; [field: string]: unknown }): Promise<Record<string, unknown>>;
  isConnected(): boolean;
}

/** A façade; `prefix` (`projects/`) stands before each name, the rest are the options of every `connect`. */
export function createFacade<E extends object = Events>(
  options?: ConnectOptions & { prefix?: string },
): Facade<E>;

/** Less than 0, 0 or more than 0, as `a` lies before, at or after `b`; null if they are not of one epoch. */
export function compareCursors(a: Cursor, b: Cursor): number | null;
