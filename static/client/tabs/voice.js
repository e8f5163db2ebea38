/**
 * What a follower tells its leader that it wants beside the log. Members enter as who the leader's connection is, so
 * only a leader is told that is connected, and known to be who this tab is.
 */

import { NOTHING_WANTED } from "../attendance.js";

/** @import { TabMessage, Wanted } from "../internal.js" */

export class Voice {
  #tab;
  #post;
  /** The leader that is told. @type {string | null} */
  #leader = null;
  #wanted = NOTHING_WANTED;

  /**
   * @param {string} tab
   * @param {(message: TabMessage) => void} post
   */
  constructor(tab, post) {
    this.#tab = tab;
    this.#post = post;
  }

  /** Who is told from now on; null: nobody. @param {string | null} leader */
  trust(leader) {
    const isNew = leader !== this.#leader;
    this.#leader = leader;
    if (isNew) this.again();
  }

  /** @param {Wanted} wanted */
  attend(wanted) {
    this.#wanted = wanted;
    this.again();
  }

  /** A message may have been lost. */
  again() {
    if (this.#leader === null) return;
    this.#post({ kind: "attend", tab: this.#tab, to: this.#leader, wanted: this.#wanted });
  }

  /** @param {string} place */
  ask(place) {
    if (this.#leader !== null) this.#post({ kind: "ask", tab: this.#tab, to: this.#leader, place });
  }
}
