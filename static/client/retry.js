/** When the next attempt is made, and the timer until then. */

import { Backoff } from "./backoff.js";

export class Retry {
  #env;
  #settings;
  #backoff;
  #timer = null;
  #ordered = false;

  constructor(env, settings) {
    this.#env = env;
    this.#settings = settings;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
  }

  /** Whether an attempt is due some time. */
  get waiting() {
    return this.#timer !== null;
  }

  /** Whether it may be made earlier: a delay that the server ordered is kept. */
  get wakeable() {
    return this.waiting && !this.#ordered;
  }

  get exhausted() {
    return this.#backoff.attempt >= this.#settings.maxRetries;
  }

  /** Calls `act` after the delay that `fault` asks for. Returns `{attempt, delay, ordered}`, milliseconds. */
  plan(fault, act) {
    this.cancel();
    const delay = this.#delay(fault, this.#backoff.next());
    this.#ordered = fault.retryAfter !== undefined;
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      act();
    }, delay);
    return { attempt: this.#backoff.attempt, delay, ordered: this.#ordered };
  }

  #delay(fault, jitter) {
    if (fault.retryAfter !== undefined) return fault.retryAfter;
    if (!this.#env.online()) return this.#settings.backoffCap; // the `online` event comes before
    return fault.kind === "suspended" ? 0 : jitter;
  }

  cancel() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#ordered = false;
  }

  /** A productive connection: the next delay is a short one again. */
  reset() {
    this.#backoff.reset();
  }
}
