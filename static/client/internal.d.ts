/** The shapes that modules of the client hand to each other. Nothing here is public. */

import type { TwinwireError } from "./errors.js";
import type { Http } from "./http.js";
import type {
  AuthNotice,
  ConnectOptions,
  ControlFrame,
  Cursor,
  EphemeralEvent,
  Fault,
  GapFrame,
  KeyValueStorage,
  Member,
  Problem,
  StreamState,
  TransportName,
  WireEvent,
} from "./index.js";
import type { Link } from "./link.js";
import type { Access, Position, RootSource, SourceListener } from "./source.js";

/** What a timer is differs from platform to platform; it is only ever handed back. */
export type Timer = unknown;

/** The platform of one stream: what `connect` was given, else the globals; null where there is none. */
export interface Environment {
  fetch: typeof fetch | null;
  WebSocket: NonNullable<ConnectOptions["WebSocket"]> | null;
  EventSource: NonNullable<ConnectOptions["EventSource"]> | null;
  BroadcastChannel: NonNullable<ConnectOptions["BroadcastChannel"]> | null;
  locks: LockManager | null;
  setTimeout(fn: () => void, ms: number): Timer;
  clearTimeout(timer: Timer): void;
  /** The calendar, milliseconds since 1970. */
  now(): number;
  monotonic(): number;
  /** Milliseconds, for durations: see passing.js. */
  elapsed(): number;
  random(): number;
  storage: KeyValueStorage | null;
  memory: KeyValueStorage | null;
  visibility: NonNullable<ConnectOptions["visibility"]> | null;
  page: EventTarget | null;
  network: { readonly onLine: boolean } | null;
  sendBeacon: ((url: string, text: string) => boolean) | null;
  origin: string | null;
  /** For the page's developer. */
  warn(text: string): void;
  visible(): boolean;
  online(): boolean;
}

/** The numbers of one stream, in the units of ConnectOptions. */
export interface Settings {
  maxRetries: number;
  backoffBase: number;
  backoffCap: number;
  connectTimeout: number;
  frameTimeout: number;
  hedgeDelay: number;
  productiveAfter: number;
  probeInterval: number;
  pollWait: number;
  publishTimeout: number;
  iteratorLimit: number;
}

/** What all connections of one stream share. */
export interface Context {
  readonly env: Environment;
  readonly settings: Settings;
  readonly http: Http;
  /** The service's root. */
  readonly base: URL;
  /** Allowed and usable ones, best first. */
  readonly transports: readonly TransportName[];
  /** Where a fallback is remembered. */
  readonly memoryKey: string;
  /** Seconds that a long poll waits, as the path has taught; see transports/poll.js. */
  readonly patience: { seconds: number };
  /** The token with which a WebSocket never opened, if one did not; see transports/websocket.js. */
  readonly handshake: { failed: string | null };
}

/** A source for several tabs; null where they can't share one. Null topics: all of them. */
export type Share = (
  context: Context,
  start: Start<readonly string[] | null>,
  listener: SourceListener,
  options: ConnectOptions,
) => RootSource | null;

/** What one connection asks for. No topic: all of them. */
export interface StreamRequest {
  readonly topics: readonly string[];
  /** A cursor, `earliest`, `latest`, or null for `latest`. */
  readonly after: string | null;
  /** Events that are not kept, too. */
  readonly ephemeral: boolean;
  /** Who is at the places that its topics are. */
  readonly presence: boolean;
  /** Whether that of a place is looked at now. */
  readonly isWatched: (place: string) => boolean;
}

export type Frame = WireEvent | ControlFrame;

/** A fault as those who decide see it. */
export interface FullFault extends Fault {
  /** What the service itself said (RFC 9457). */
  readonly problem?: Problem | null;
  /** Of a goodbye `auth`: its `detail`. */
  readonly refusal?: string;
  /** The request is too long for who answered, and will be the next time. */
  readonly tooLong?: boolean;
  /** Milliseconds without a byte, when the connection ended. */
  readonly silence?: number;
}

/** A fault as a transport tells it. */
export type WireFault = Omit<FullFault, "transport"> & { readonly transport?: TransportName };

/** One open transport. */
export interface Wire {
  /** Sends text; false if it can't now. Missing: this transport can't. */
  send?(text: string): boolean;
  /** Lets go of it. Nothing is told after that. Idempotent. */
  close(): void;
}

/** What a transport tells, of Link. */
export interface WireListener {
  opened(): void;
  bytes(): void;
  /** False if it is not a frame. */
  text(text: string): boolean;
  frame(frame: Frame): void;
  /** An answer comes within so many milliseconds, and again after each one; else the connection is stale. */
  expects(ms: number): void;
  end(fault: WireFault): void;
}

/** Who opened a Link. */
export interface LinkOwner {
  /** The connection frame came: from now on it is a connection. */
  linkConnected(link: Link, frame: ControlFrame): void;
  linkFrame(link: Link, frame: Frame): void;
  /** An event that is in no log: it proves nothing and moves nothing. */
  linkBeside(link: Link, event: EphemeralEvent): void;
  /** Nothing has come for so long that nobody knows what is so; or something has again. */
  linkStale(link: Link, isStale: boolean): void;
  /** It has proved to be of use. At most once. */
  linkProductive(link: Link): void;
  /** Once, and last; not after `close`. */
  linkEnded(link: Link, fault: FullFault): void;
}

/** A page of GET /api/events (docs/protocol.md, section 4). */
export interface EventPage {
  readonly events: WireEvent<any, any>[];
  readonly cursor: Cursor;
  readonly head: Cursor;
  readonly floor: Cursor | null;
  readonly more: boolean;
  readonly gap: GapFrame | null;
  /** Of a long poll that asked for it. */
  readonly presence?: readonly PresenceFrame[];
  readonly ephemeral?: readonly EphemeralEvent[];
}

/** Where a source starts. */
export interface Start<Topics = readonly string[]> {
  readonly topics: Topics;
  readonly after: string | null;
}

// -- presence (docs/protocol.md, section 11)

/** A `state`, or a diff; `fetched`: it came beside the connection. */
export interface PresenceFrame {
  readonly type: "presence";
  readonly topic?: undefined;
  readonly place: string;
  readonly version: number;
  readonly state?: readonly Member[];
  readonly joins?: readonly Member[];
  readonly updates?: readonly Member[];
  readonly leaves?: readonly {
    readonly user: string | null;
    readonly member: string;
    readonly reason: string;
  }[];
  readonly users: number;
  readonly members: number;
  readonly truncated?: boolean;
  readonly fetched?: boolean;
}

export interface WantedMember {
  readonly place: string;
  readonly member: string;
  readonly data: Record<string, unknown>;
}

/** What a stream wants of its source beside the log: all of it, each time. */
export interface Wanted {
  readonly ephemeral: boolean;
  /** Those that are watched. */
  readonly places: readonly string[];
  readonly members: readonly WantedMember[];
}

/** A place may not be watched (`member` null), or this member may not be there. `error` as a tab can tell another. */
export interface Refused {
  readonly type: "refused";
  readonly topic?: undefined;
  readonly place: string;
  readonly member: string | null;
  readonly error: { readonly message: string; readonly status: number; readonly problem: Problem | null };
}

/** What a source tells beside its log. */
export type Beside =
  | EphemeralEvent
  | PresenceFrame
  | Refused
  | { readonly type: "entered"; readonly topic?: undefined; readonly place: string; readonly member: string };

// -- what tabs tell each other; tabs/leader.js and tabs/follower.js say when

export interface Hello {
  readonly kind: "hello";
  readonly tab: string;
  readonly topics: readonly string[];
  /** Those that have joined; undefined: not told by an older version of this tab's. */
  readonly tabs?: readonly string[];
  readonly position: Cursor | null;
  readonly state: StreamState;
  readonly transport: TransportName | null;
  readonly heartbeat: number | null;
  /** When it last heard the server, milliseconds since 1970; null: never, or an older version of this tab's. */
  readonly heard?: number | null;
  /** Milliseconds of silence after which the connection is stale; null: there is none. */
  readonly staleAfter?: number | null;
  /** Whose connection it is. */
  readonly access: Access;
}

export interface Frames {
  readonly kind: "frames";
  readonly tab: string;
  /** Whose events these are. */
  readonly access: Access;
  readonly from: Cursor | null;
  readonly to: Cursor;
  readonly events: readonly WireEvent[];
}

export type TabMessage =
  | Hello
  | Frames
  | { readonly kind: "auth"; readonly tab: string; readonly notice: AuthNotice }
  | { readonly kind: "refused"; readonly tab: string; readonly to: string }
  | { readonly kind: "beside"; readonly tab: string; readonly access: Access; readonly word: Beside }
  | {
      readonly kind: "join";
      readonly tab: string;
      readonly topics: readonly string[];
    }
  | { readonly kind: "attend"; readonly tab: string; readonly to: string; readonly wanted: Wanted }
  | { readonly kind: "ask"; readonly tab: string; readonly to: string; readonly place: string }
  | { readonly kind: "leave" | "wake" | "reconnect" | "deposed"; readonly tab: string };

/** Topics that a follower's page waits for, since no leader covers them yet. */
export interface Wish {
  readonly topics: readonly string[];
  resolve(position: Position): void;
  reject(error: TwinwireError): void;
}

/** What a part has of its Tabs. */
export interface TabPort {
  /** The group's name, which its locks and its channel share. */
  readonly name: string;
  post(message: TabMessage): void;
  /** The leader was silent for too long. */
  silent(): void;
  /** The leader can't carry this tab's topics. */
  refused(): void;
  /** The leader's connection ended for good. */
  ended(error: TwinwireError | Fault | null): void;
  /** This tab is, or its leader is, somebody else than those with whom it shares. */
  foreign(): void;
}
