/** What a leader told while a follower catches up: the newest messages, bounded by the events in them. */

/** @import { Frames } from "../internal.js" */

const TAIL_MAX = 2_000; // events, and one for each message; older ones are read from the history anyway

/** @param {Frames} message */
const sizeOf = (message) => message.events.length + 1;

export class Tail {
  /** @type {Frames[]} */
  #messages = [];
  #size = 0;

  /** The oldest message that is kept; undefined if there is none. */
  get first() {
    return this.#messages.at(0);
  }

  /** @param {Frames} message */
  push(message) {
    this.#messages.push(message);
    this.#size += sizeOf(message);
    while (this.#size > TAIL_MAX) this.shift();
  }

  /** Takes the oldest message out. */
  shift() {
    const message = this.#messages.shift();
    if (message) this.#size -= sizeOf(message);
    return message;
  }

  clear() {
    this.#messages = [];
    this.#size = 0;
  }
}
