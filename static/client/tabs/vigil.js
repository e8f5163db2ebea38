/**
 * A follower's eye on its leader: one that has said nothing for a while is asked, which costs two messages, and
 * replaced if it does not answer (tabs.js), so that a page whose leader hangs stands still for ten seconds at
 * most. One that is reconnecting in a hidden tab, where timers are slow, has its waiting done by a tab that is
 * looked at.
 */

import { Backoff } from "../backoff.js";
import { State } from "../states.js";

/** @import { Context, Timer } from "../internal.js" */
/** @import { StreamState } from "../index.js" */

const SILENCE = 2.5; // heartbeats
const QUIET = 7_000; // ms; with the time to answer, it is less than the ten seconds after which it is replaced

export class Vigil {
  #env;
  #doubt;
  #wake;
  #backoff;
  /** @type {Timer | null} */
  #watch = null;
  /** @type {Timer | null} */
  #nudge = null;
  #isOver = false;

  /**
   * `doubt()`: it was silent for too long; `wake()`: it is time for its next attempt.
   *
   * @param {Context} context
   * @param {{ doubt(): void, wake(): void }} act
   */
  constructor({ env, settings }, { doubt, wake }) {
    this.#env = env;
    this.#doubt = doubt;
    this.#wake = wake;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
  }

  /** The leader was heard, whose heartbeat is so many seconds. @param {number | null} heartbeat */
  heard(heartbeat) {
    if (this.#isOver) return;
    this.#env.clearTimeout(this.#watch);
    this.#watch = this.#env.setTimeout(
      () => {
        if (this.#env.visible()) this.#doubt();
        this.heard(heartbeat);
      },
      Math.min((heartbeat ?? Infinity) * 1_000 * SILENCE, QUIET),
    );
  }

  /** @param {StreamState} state the stream's, from now on */
  shows(state) {
    this.#env.clearTimeout(this.#nudge);
    if (state !== State.RECONNECTING || this.#isOver) return this.#backoff.reset();
    this.#nudge = this.#env.setTimeout(() => {
      if (this.#env.visible()) this.#wake();
      this.shows(state);
    }, this.#backoff.next());
  }

  end() {
    this.#isOver = true;
    this.#env.clearTimeout(this.#watch);
    this.#env.clearTimeout(this.#nudge);
  }
}
