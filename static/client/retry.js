/** When the next attempt is made, and the timer until then. */

import { Backoff } from "./backoff.js";
import { FaultKind } from "./states.js";

/** @import { Environment, FullFault, Settings, Timer } from "./internal.js" */

export class Retry {
  #env;
  #settings;
  #backoff;
  /** @type {Timer | null} */
  #timer = null;
  #ordered = false;

  /**
   * @param {Environment} env
   * @param {Settings} settings
   */
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

  /**
   * Calls `act` after the delay that `fault` asks for. Returns `{attempt, delay, ordered}`, milliseconds.
   *
   * @param {FullFault} fault
   * @param {() => void} act
   */
  plan(fault, act) {
    this.cancel();
    const delay = this.#delay(fault, this.#backoff.next());
    this.#ordered = Boolean(fault.retryAfter);
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      act();
    }, delay);
    return { attempt: this.#backoff.attempt, delay, ordered: this.#ordered };
  }

  /**
   * @param {FullFault} fault
   * @param {number} jitter
   */
  #delay(fault, jitter) {
    if (fault.retryAfter) return fault.retryAfter; // 0 is an order to hurry: from many, again and again
    if (!this.#env.online()) return this.#settings.backoffCap; // the `online` event comes before
    return fault.kind === FaultKind.SUSPENDED ? 0 : jitter;
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
