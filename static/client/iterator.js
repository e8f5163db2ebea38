/**
 * `for await (const message of stream)`: a bounded queue between the stream and a reader that takes its time.
 */

import { OverrunError } from "./errors.js";

/** @import { GapFrame, WireEvent } from "./index.js" */
/** @typedef {WireEvent<any, any> | GapFrame} Message */
/** @typedef {IteratorResult<Message, undefined>} Result */
/** @typedef {{ resolve(result: Result): void, reject(error: Error): void }} Asking */

/** @implements {AsyncIterableIterator<Message, undefined>} */
export class MessageIterator {
  #limit;
  #leave;
  /** @type {Message[]} */
  #queue = [];
  /** Calls of `next` that wait. @type {Asking[]} */
  #asking = [];
  /** `error` is told once. @type {{ error: Error | null } | null} */
  #end = null;

  /**
   * @param {number} limit events that may wait
   * @param {(iterator: MessageIterator) => void} leave called when the reader stops
   */
  constructor(limit, leave) {
    this.#limit = limit;
    this.#leave = leave;
  }

  /** @param {Message} message */
  push(message) {
    if (this.#end) return;
    const asking = this.#asking.shift();
    if (asking) asking.resolve({ value: message, done: false });
    else if (this.#queue.length < this.#limit) this.#queue.push(message);
    else this.end(new OverrunError(this.#queue[this.#queue.length - 1].id, this.#limit));
  }

  /**
   * No more messages; what is queued is still handed out. `error` is then thrown.
   *
   * @param {Error | null} error
   */
  end(error) {
    if (this.#end) return;
    this.#end = { error };
    this.#leave(this);
    for (const asking of this.#asking.splice(0)) this.#finish(asking);
  }

  /** @returns {Promise<Result>} */
  next() {
    return new Promise((resolve, reject) => {
      const message = this.#queue.shift();
      if (message !== undefined) resolve({ value: message, done: false });
      else if (this.#end) this.#finish({ resolve, reject });
      else this.#asking.push({ resolve, reject });
    });
  }

  /** @returns {Promise<Result>} */
  return() {
    this.#queue = [];
    this.end(null);
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @param {Asking} asking */
  #finish({ resolve, reject }) {
    const error = this.#end?.error;
    this.#end = { error: null };
    if (error) reject(error);
    else resolve({ value: undefined, done: true });
  }
}
