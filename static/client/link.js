/**
 * One connection on one transport, from the attempt to its end, with its own timers: the handshake, the
 * connection frame (nothing counts as connected before it), silence, and whether it has proved productive.
 *
 * Its owner hears `linkConnected`, `linkFrame`, `linkProductive` and, once and last, `linkEnded`.
 */

import { AUTH_REF } from "./auth.js";
import { isCursor } from "./cursor.js";
import { boundedDelay, reasonOf } from "./errors.js";
import { Silence } from "./silence.js";
import { AuthState, FaultKind } from "./states.js";
import { openEventSource } from "./transports/eventsource.js";
import { openPoll } from "./transports/poll.js";
import { openSse } from "./transports/sse.js";
import { openWebSocket } from "./transports/websocket.js";

/** @import { Context, Frame, LinkOwner, StreamRequest, Timer } from "./internal.js" */
/** @import { Wire, WireFault, WireListener } from "./internal.js" */
/** @import { ControlFrame, Problem, TransportName, WireEvent } from "./index.js" */

/** @type {Record<TransportName, (context: Context, request: StreamRequest, link: Link) => Wire>} */
const OPENERS = { websocket: openWebSocket, sse: openSse, poll: openPoll, eventsource: openEventSource };

/** Heartbeats of silence after which one is overdue, and nobody knows whether the connection still lives. */
export const STALE_HEARTBEATS = 1.25;

/** Heartbeats of silence after which a connection is stalled. */
export const STALL_HEARTBEATS = 2.5;

/** Milliseconds. Paths that kill a tunnel do it within 500 ms: an event before that proves nothing yet. */
const PROVING_TIME = 2_000;

/** Milliseconds; a timer that fires this much too late was on a machine that slept. */
const SLEPT = 2_000;

/** Milliseconds a doubtful connection has to answer a ping. */
export const PING_TIMEOUT = 4_000;

/** @implements {WireListener} */
export class Link {
  #context;
  #owner;
  /** @type {Wire | null} */
  #wire = null;
  /** By purpose. @type {Record<string, Timer | null>} */
  #timers = {};
  #silence;
  #pingEvery = Infinity;

  /** The connection frame; null before it came. @type {ControlFrame | null} */
  connection = null;
  /** The token with which it was opened, or that it was told later. @type {string | null} */
  token = null;
  /** When its credential ends, once the server has warned of it, as `elapsed` counts. @type {number | null} */
  endsAt = null;
  caughtUp = false;
  productive = false;
  ended = false;
  events = 0;

  /**
   * @param {Context} context
   * @param {TransportName} name
   * @param {StreamRequest} request
   * @param {LinkOwner} owner
   */
  constructor(context, name, request, owner) {
    this.#context = context;
    this.#owner = owner;
    this.#silence = new Silence(context.env, {
      stale: (isStale) => owner.linkStale(this, isStale),
      over: (late) => this.#over(late),
    });
    this.name = name;
    this.request = request;
  }

  get #env() {
    return this.#context.env;
  }

  /** Seconds, as the server said; null where it sends none. */
  get heartbeat() {
    const heartbeat = this.connection?.heartbeat;
    return typeof heartbeat === "number" && heartbeat > 0 ? heartbeat : null;
  }

  /** Milliseconds since the last byte. */
  get silence() {
    return this.#silence.duration;
  }

  /** Whether nothing has come for so long that nobody knows what is so. */
  get isStale() {
    return this.#silence.isStale;
  }

  /** Milliseconds of silence after which it is; null while nothing is expected. */
  get staleAfter() {
    return this.#silence.staleAfter;
  }

  open() {
    const { connectTimeout } = this.#context.settings;
    this.#arm("start", connectTimeout, () =>
      this.end({ kind: FaultKind.TIMEOUT, detail: "no handshake in time" }),
    );
    this.token = this.#context.http.auth.token;
    try {
      this.#wire = OPENERS[this.name](this.#context, this.request, this);
      if (this.ended) this.#wire.close();
    } catch (error) {
      this.end({ kind: FaultKind.UNSUPPORTED, detail: reasonOf(error) });
    }
    return this;
  }

  /**
   * Sends text; false if this transport can't, or not now.
   *
   * @param {string} text
   */
  send(text) {
    return !this.ended && this.#wire?.send !== undefined && this.#wire.send(text);
  }

  close() {
    if (this.ended) return;
    this.ended = true;
    this.#silence.end();
    for (const name of Object.keys(this.#timers)) this.#disarm(name);
    this.#wire?.close();
  }

  /**
   * Ends with a fault, as if the other side had: also the transports' way to say that it did.
   *
   * @param {WireFault} fault
   */
  end(fault) {
    if (this.ended) return;
    const silence = this.silence; // for an idle timeout on the path, before anything changes it
    const unheard = fault.kind === FaultKind.NETWORK && !this.connection;
    const detail = unheard ? (fault.detail ?? "") + this.#context.http.doubt : fault.detail;
    this.close();
    this.#owner.linkEnded(this, { transport: this.name, silence, ...fault, detail });
  }

  // -- what the transports tell

  opened() {
    if (this.ended || this.connection) return;
    const { frameTimeout } = this.#context.settings;
    this.#arm("start", frameTimeout, () =>
      this.end({ kind: FaultKind.TIMEOUT, detail: "opened, but no connection frame" }),
    );
  }

  bytes() {
    this.#silence.heard();
    if (this.#timers.doubt) this.#disarm("doubt");
  }

  /** Takes a frame as text; false if it is not one. @param {string} text */
  text(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return false;
    }
    if (frame === null || typeof frame !== "object" || typeof frame.type !== "string") return false;
    this.frame(frame);
    return true;
  }

  /** @param {Frame} frame */
  frame(frame) {
    if (this.ended) return;
    this.bytes();
    if (!this.connection) this.#first(frame);
    else if (frame.topic !== undefined) this.#event(frame);
    else if (frame.type === "goodbye") this.#goodbye(frame);
    else if (frame.type === "problem" && frame.ref === AUTH_REF) this.#problem(frame);
    else {
      if (frame.type === "caught_up") this.caughtUp = true;
      if (frame.type === "auth") this.#warned(frame);
      this.#owner.linkFrame(this, frame);
    }
  }

  /** @param {Frame} frame */
  #first(frame) {
    if (frame.topic === undefined && frame.type === "goodbye") return this.#goodbye(frame);
    if (frame.topic === undefined && frame.type === "problem") return this.#problem(frame);
    if (frame.topic !== undefined || frame.type !== "connection") {
      return this.end({ kind: FaultKind.PROTOCOL, detail: "the first frame is not a connection frame" });
    }
    // It is a cookie's then, of whoever is signed in beside the page.
    if (this.token === null && this.#context.http.auth.hasToken)
      return this.end({ kind: FaultKind.HTTP, status: 401, detail: "the page has no token" });
    this.connection = frame;
    this.#disarm("start");
    this.#arm("proving", PROVING_TIME, () => this.#prove());
    this.#arm("productive", this.#context.settings.productiveAfter, () => this.#proved());
    if (this.heartbeat !== null) {
      const beat = this.heartbeat * 1_000;
      this.#silence.limit({ stale: beat * STALE_HEARTBEATS, over: beat * STALL_HEARTBEATS });
    }
    return this.#owner.linkConnected(this, frame);
  }

  /**
   * An event has a topic and a cursor. A topic without one marks an event that is in no log (docs/protocol.md,
   * section 10).
   *
   * @param {WireEvent} event
   */
  #event(event) {
    if (event.id === undefined || event.id === null)
      return this.#owner.linkBeside(this, /** @type {any} */ (event));
    if (!isCursor(event.id))
      return this.end({ kind: FaultKind.PROTOCOL, detail: "an event's id is no cursor" });
    this.events += 1;
    this.#owner.linkFrame(this, event);
    return this.events === 1 && !this.#timers.proving ? this.#prove() : undefined;
  }

  /** @param {ControlFrame} frame */
  #goodbye(frame) {
    if (this.connection) this.#owner.linkFrame(this, frame);
    const { reason, code, retry, detail } = frame;
    this.end({
      kind: FaultKind.GOODBYE,
      reason: typeof reason === "string" ? reason : undefined,
      code: typeof code === "number" ? code : undefined,
      refusal: typeof detail === "string" ? detail : undefined,
      retryAfter: boundedDelay(retry),
      detail: detail ? `goodbye: ${reason}, ${detail}` : `goodbye: ${reason}`,
    });
  }

  /** What was asked for with the first messages is refused. @param {ControlFrame} frame */
  #problem(frame) {
    const { status, title, detail } = frame;
    this.end({
      kind: FaultKind.HTTP,
      status: Number(status),
      problem: /** @type {Problem} */ (frame),
      detail: String(detail ?? title),
    });
  }

  /** @param {ControlFrame} frame */
  #warned({ state, in: seconds }) {
    const isEnding = state === AuthState.EXPIRING && typeof seconds === "number";
    if (isEnding) this.endsAt = this.#env.elapsed() + seconds * 1_000;
    else if (state === AuthState.RENEWED) this.endsAt = null;
  }

  // -- productive: an event after the proving time, or a long enough life

  #prove() {
    if (this.events > 0) this.#proved();
  }

  #proved() {
    if (this.ended || this.productive) return;
    this.productive = true;
    this.#disarm("productive");
    this.#owner.linkProductive(this);
  }

  // -- silence

  /** The transport will have an answer within so many milliseconds, and again after each. @param {number} ms */
  expects(ms) {
    if (this.ended) return;
    this.bytes();
    this.#silence.limit({ stale: ms });
  }

  /** @param {number} late milliseconds */
  #over(late) {
    if (late > SLEPT) return this.end({ kind: FaultKind.SUSPENDED, detail: "the machine slept" });
    return this.end({ kind: FaultKind.STALLED, detail: `no byte for ${Math.round(this.silence / 1_000)} s` });
  }

  /**
   * The tab is shown again, or the network is gone or back: find out soon whether this connection still lives. False
   * if it can't be asked.
   */
  verify() {
    if (this.ended || !this.connection) return false;
    this.#silence.look();
    if (this.heartbeat === null) return false;
    if (this.#silence.isOver)
      this.end({ kind: FaultKind.SUSPENDED, detail: "silent since the tab was hidden" });
    else if (!this.ping()) return false;
    else if (!this.#timers.doubt)
      this.#arm("doubt", PING_TIMEOUT, () =>
        this.end({ kind: FaultKind.SUSPENDED, detail: "no answer to a ping" }),
      );
    return true;
  }

  ping() {
    return this.connection !== null && this.send('{"op":"ping"}');
  }

  /** Pings every `ms` of milliseconds, or more often if that was asked for. @param {number} ms */
  keepAlive(ms) {
    if (ms >= this.#pingEvery) return;
    this.#pingEvery = ms;
    this.#keep();
  }

  #keep() {
    this.#arm("keep", this.#pingEvery, () => {
      this.ping();
      this.#keep();
    });
  }

  /**
   * @param {string} name
   * @param {number} ms
   * @param {() => void} fn
   */
  #arm(name, ms, fn) {
    this.#disarm(name);
    this.#timers[name] = this.#env.setTimeout(() => {
      this.#timers[name] = null;
      fn();
    }, ms);
  }

  /** @param {string} name */
  #disarm(name) {
    if (this.#timers[name]) this.#env.clearTimeout(this.#timers[name]);
    this.#timers[name] = null;
  }
}
