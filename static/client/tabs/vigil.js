/**
 * A follower's eye on its leader: one that has said nothing for a while is asked, which costs two messages, and
 * replaced if it does not answer (tabs.js), so that a page whose leader hangs stands still for ten seconds at
 * most. One that is reconnecting in a hidden tab, where timers are slow, has its waiting done by a tab that is
 * looked at; so has one that does not notice there that its connection is dead.
 *
 * What the page shows is as old as what the leader has last heard of the server, whoever of the two is silent.
 */

import { Backoff } from "../backoff.js";
import { Silence } from "../silence.js";
import { State } from "../states.js";

/** @import { Context, Timer } from "../internal.js" */
/** @import { StreamState } from "../index.js" */

const SILENCE = 2.5; // heartbeats
const QUIET = 7_000; // ms; with the time to answer, it is less than the ten seconds after which it is replaced
const DEAD = 2; // times what makes a connection stale: a leader that is looked at has given it up by then

export class Vigil {
  #env;
  #wake;
  #backoff;
  #silence;
  /** @type {Timer | null} */
  #nudge = null;
  #isOver = false;

  /**
   * `doubt()`: it was silent for too long; `wake()`: it is time for its next attempt, or to look at its connection;
   * `stale(isStale)`: the server was not heard for too long, or is again.
   *
   * @param {Context} context
   * @param {{ doubt(): void, wake(): void, stale(isStale: boolean): void }} act
   */
  constructor({ env, settings }, { doubt, wake, stale }) {
    this.#env = env;
    this.#wake = wake;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
    this.#silence = new Silence(env, {
      stale,
      over: () => {
        doubt();
        const { staleAfter, duration } = this.#silence;
        if (staleAfter !== null && duration > DEAD * staleAfter) wake();
      },
    });
  }

  get isStale() {
    return this.#silence.isStale;
  }

  /** The leader was heard, whose heartbeat is so many seconds. @param {number | null} heartbeat */
  heard(heartbeat) {
    if (this.#isOver) return;
    this.#silence.alive();
    this.#silence.limit({ over: Math.min((heartbeat ?? Infinity) * 1_000 * SILENCE, QUIET) });
  }

  /**
   * When the leader has heard the server, milliseconds since 1970, and after how many of silence its connection is
   * stale; null: it has none.
   *
   * @type {(at: number | null, staleAfter: number | null) => void}
   */
  server(at, staleAfter) {
    if (this.#isOver) return;
    if (at !== null) this.#silence.heard(Math.max(this.#env.now() - at, 0));
    this.#silence.limit({ stale: at === null ? null : staleAfter });
  }

  /** The page is shown again. */
  look() {
    this.#silence.look();
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
    this.#silence.end();
    this.#env.clearTimeout(this.#nudge);
  }
}
