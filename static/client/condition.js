/** How a stream stands, as its page is told: state and transport, each change once, and what is counted of them. */

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
  }
}
