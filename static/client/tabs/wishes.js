/** Topics that a follower's page waits for, since no leader covers them yet. */

import { TwinwireError } from "../errors.js";

/** @import { Wish } from "../internal.js" */
/** @import { Position } from "../source.js" */

export class Wishes {
  /** @type {Wish[]} */
  #pending = [];

  get topics() {
    return this.#pending.flatMap(({ topics }) => topics);
  }

  /** Resolves once they are covered. @type {(topics: readonly string[]) => Promise<Position>} */
  add(topics) {
    return new Promise((resolve, reject) => this.#pending.push({ topics, resolve, reject }));
  }

  /**
   * Grants those that are covered from `position` on; `took(topics)` is told of each before its page is.
   *
   * @param {(topics: readonly string[]) => boolean} covers
   * @param {Position} position
   * @param {(topics: readonly string[]) => void} took
   */
  settle(covers, position, took = () => {}) {
    for (const wish of this.#pending.filter(({ topics }) => covers(topics))) {
      this.#pending.splice(this.#pending.indexOf(wish), 1);
      took(wish.topics);
      wish.resolve(position);
    }
  }

  /** Nobody will carry the stream on. */
  abandon() {
    for (const { reject } of this.#pending.splice(0)) reject(new TwinwireError("the stream is closed"));
  }
}
