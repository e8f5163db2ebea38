/**
 * `for await (const message of stream)`: a bounded queue between the stream and a reader that takes its time.
 */

import { OverrunError } from "./errors.js";

export class MessageIterator {
  #limit;
  #leave;
  #queue = [];
  #asking = [];
  #end = null;

  /** `limit`: events that may wait; `leave(iterator)` is called when the reader stops. */
  constructor(limit, leave) {
    this.#limit = limit;
    this.#leave = leave;
  }

  push(message) {
    if (this.#end) return;
    const asking = this.#asking.shift();
    if (asking) asking.resolve({ value: message, done: false });
    else if (this.#queue.length < this.#limit) this.#queue.push(message);
    else this.end(new OverrunError(this.#queue.at(-1).id, this.#limit));
  }

  /** No more messages; what is queued is still handed out. `error` is then thrown. */
  end(error) {
    if (this.#end) return;
    this.#end = { error };
    this.#leave(this);
    for (const asking of this.#asking.splice(0)) this.#finish(asking);
  }

  next() {
    return new Promise((resolve, reject) => {
      const asking = { resolve, reject };
      if (this.#queue.length > 0) {
        resolve({ value: this.#queue.shift(), done: false });
      } else if (this.#end) this.#finish(asking);
      else this.#asking.push(asking);
    });
  }

  return() {
    this.#queue = [];
    this.end(null);
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #finish({ resolve, reject }) {
    const { error } = this.#end;
    this.#end = { error: null };
    if (error) reject(error);
    else resolve({ value: undefined, done: true });
  }
}
