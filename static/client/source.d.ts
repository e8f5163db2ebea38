/**
 * The contract between a stream (what a page holds) and its source (what brings the events). There are four
 * sources, and a stream can't tell them apart: `Connection`, one connection of this page's own; `Tabs`, this
 * tab's part in a connection that many tabs share; and the two parts that Tabs plays, `Leader` and
 * `Follower`.
 */

import type { TwinwireError } from "./errors.js";
import type {
  AuthNotice,
  ControlFrame,
  Cursor,
  Fault,
  GapFrame,
  StreamNotices,
  StreamState,
  TransportName,
  WireEvent,
} from "./index.js";
import type { Beside, Wanted } from "./internal.js";

/** What a client message brings back: the server's reply. */
export type Reply = ControlFrame;

/** A position from which a change of topics holds; null if nothing changed, or none is known yet. */
export interface Position {
  readonly id: Cursor | null;
}

/** Whose a connection is, and until when; both null for nobody's, and before it is known. */
export interface Access {
  readonly subject: string | null;
  readonly expires: string | null;
}

/**
 * What every source has.
 *
 * Before `start` it is silent, holds nothing that would have to be given back, and may be dropped. Between
 * `start` and its end the listener hears of it, always from a task of its own or from within a call below,
 * never from the constructor. After `quit` or `close` it says nothing more, whatever still arrives.
 *
 * The listener may call back into the source, also to close it: so each call of the listener is the last
 * thing that a source does in a step, or is followed by a look whether it still lives.
 */
export interface Source {
  readonly state: StreamState;
  /** The last event that the listener heard of, or a later position; null before there is one. */
  readonly cursor: Cursor | null;
  /** The transport that brings events now; null while there is none. */
  readonly transport: TransportName | null;
  /** Seconds, as the server said; null before it has. */
  readonly heartbeat: number | null;

  readonly access: Access;

  /** Begins. Once. */
  start(): void;
  /**
   * Adds topics, which are well-formed; those that are there already count as added. Resolves with the
   * position from which all of them are covered: no event after it is missing. Rejects with a TwinwireError
   * if the server refuses them (then they are not added) or the source closes before.
   */
  subscribe(topics: readonly string[]): Promise<Position>;
  /** Takes topics away. Events of theirs may still come: the stream filters. */
  unsubscribe(topics: readonly string[]): Promise<Position>;
  /**
   * Sends a client message (docs/protocol.md, section 4). Rejects with UnansweredError if there is no
   * WebSocket of this source's own, or no answer: whether it took effect is not known then.
   */
  request(message: object): Promise<Reply>;
  /**
   * What is wanted beside the log from now on, all of it. It may be told at any time, also before `start`; the source
   * brings it about over whatever connection there is.
   */
  attend(wanted: Wanted): void;
  /** The state of a place that is watched is needed once more. */
  ask(place: string): void;
  /** Connects anew from the cursor, at once, also after `unauthorized`. */
  reconnect(): void;
  /**
   * Something changed for the better (online, shown again): waits for nothing but what the server ordered.
   */
  wake(): void;
  /** The browser says that the network is gone. A connection that still works is left alone. */
  offline(): void;
  /** Diagnosis: cuts the connection as the network would. */
  drop(): void;
}

/** A source that another source holds: Tabs its part, Leader its connection. */
export interface InnerSource extends Source {
  /** `lapsed`: members that are not wanted any more have not left; their tab is gone, and may be back soon. */
  attend(wanted: Wanted, lapsed?: boolean): void;
  /** Ends without a word: somebody else carries the stream on, from `cursor`. Idempotent. */
  quit(): void;
}

/** A source that a stream holds itself, not through another source. */
export interface RootSource extends Source {
  /** The part in a shared connection; null: the connection is this page's own. */
  readonly role: "leader" | "follower" | null;
  /** The page is hidden for good, or put aside (bfcache). `wake` comes back. */
  rest(members?: Wanted["members"]): void;
  /** Ends, and says so: `state` with `closed`, then `ended`. Idempotent. */
  close(): void;
}

/** What a source says about events and positions. In log order; a cursor never goes back but with a gap. */
export interface IntakeListener {
  /** Each event once, after the cursor has moved to it from `before`. */
  event(event: WireEvent, before: Cursor | null): void;
  /** An event that came already. `overlap`: two connections are open, so that was to be expected. */
  duplicate(event: WireEvent, overlap: boolean): void;
  gap(gap: GapFrame): void;
  /** The cursor moved without an event. */
  moved(before: Cursor | null, cursor: Cursor | null): void;
  anomaly(detail: StreamNotices[":anomaly"]): void;
}

/** What a source says about itself. */
export interface SourceListener extends IntakeListener {
  /** Only when it changes. */
  state(state: StreamState): void;
  transport(name: TransportName | null, reason: string): void;
  /** Nothing has come for so long that nobody knows what is so; or something has again. Not only when it changes. */
  stale(isStale: boolean): void;
  /** The leading tab heard the server then, milliseconds since 1970. What this tab hears itself, `frame` tells. */
  heard(at: number): void;
  attempt(detail: StreamNotices[":attempt"]): void;
  fault(fault: Fault, probe: boolean): void;
  retry(detail: StreamNotices[":retry"]): void;
  role(role: "leader" | "follower" | null): void;
  /** A connection began: what comes until `live` is a replay. */
  connected(frame: ControlFrame): void;
  frame(frame: WireEvent | ControlFrame, transport: TransportName): void;
  /** What is not of the log; of places that another tab watches, too. */
  beside(word: Beside): void;
  /** What becomes of the credential. `lost` are of all topics of a shared connection. */
  auth(notice: AuthNotice): void;
  /** Last, once: null after `close`, else why no attempt will follow. */
  ended(error: TwinwireError | Fault | null): void;
}
