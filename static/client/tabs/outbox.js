/** What a leader has yet to tell: the events of one turn of the loop in one message. */

/** @import { WireEvent } from "../index.js" */

const BATCH_MAX = 500; // events in one message

/** @typedef {{ from: string | null, to: string, events: WireEvent[] }} Batch */

export class Outbox {
  #send;
  /** Where the batch begins. @type {string | null} */
  #from = null;
  /** Where it ends; null: there is none yet. @type {string | null} */
  #to = null;
  /** @type {WireEvent[]} */
  #events = [];
  #flushing = false;

  /** @param {(batch: Batch) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /** @type {(from: string | null, to: string | null, event: WireEvent | null) => void} */
  queue(from, to, event) {
    if (this.#events.length === 0 && this.#to === null) this.#from = from;
    this.#to = to;
    if (event) this.#events.push(event);
    if (this.#events.length >= BATCH_MAX) return this.flush();
    if (this.#flushing) return undefined;
    this.#flushing = true;
    return void Promise.resolve().then(() => this.flush());
  }

  flush() {
    this.#flushing = false;
    if (this.#to === null) return;
    const [to, events] = [this.#to, this.#events];
    this.#to = null;
    this.#events = [];
    this.#send({ from: this.#from, to, events });
  }
}
