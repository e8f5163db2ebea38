/**
 * How a stream stands, as its page is told: state, transport, and whether it is stale; each change once, and what is
 * counted of them.
 */

import { State, isConnected, isLost } from "./states.js";

/** @import { Emitter } from "./emitter.js" */
/** @import { StreamState, TransportName } from "./index.js" */
/** @import { Stats } from "./stats.js" */

export class Condition {
  #emitter;
  #stats;
  #isCut = false; // since it was live
  /** The last transport that there was. @type {TransportName | null} */
  #lastTransport = null;

  /** @type {StreamState} */ state = State.CONNECTING;
  /** @type {TransportName | null} */ transport = null;
  /** A connection is said to be there, and for too long nothing has come that proves it. */
  stale = false;
  #silentSince = 0;

  /**
   * @param {Emitter} emitter
   * @param {Stats} stats
   */
  constructor(emitter, stats) {
    this.#emitter = emitter;
    this.#stats = stats;
  }

  /** Whether there ever was a connection. */
  get wasConnected() {
    return this.#lastTransport !== null;
  }

  /** @param {StreamState} state */
  setState(state) {
    const previous = this.state;
    if (state === previous) return;
    this.state = state;
    if (this.#isCut && isLost(previous) && isConnected(state)) this.#stats.reconnects += 1;
    if (state === State.LIVE) this.#isCut = false;
    this.#emitter.emit(":state", { state, previous });
    if (!isConnected(this.state)) this.setStale(false); // which the state says itself
  }

  /** @type {(transport: TransportName | null, reason: string) => void} */
  setTransport(transport, reason) {
    const previous = this.transport;
    if (transport === previous) return;
    this.transport = transport;
    this.#isCut ||= transport === null;
    if (transport !== null && this.#lastTransport !== null && transport !== this.#lastTransport)
      this.#stats.switches += 1;
    this.#lastTransport = transport ?? this.#lastTransport;
    this.#emitter.emit(":transport", { transport, previous, reason });
    if (this.transport === null) this.setStale(false);
  }

  /** @param {boolean} isStale */
  setStale(isStale) {
    const { heardAt } = this.#stats;
    const stale = isStale && heardAt !== null && isConnected(this.state);
    if (stale === this.stale) return;
    this.stale = stale;
    if (stale) this.#silentSince = heardAt;
    this.#emitter.emit(":stale", { stale, since: this.#silentSince });
  }
}
