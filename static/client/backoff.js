/**
 * Full jitter: delay = random(0, min(cap, base * 2^n)). Many clients that lost one server come back spread
 * out.
 */

export class Backoff {
  #base;
  #cap;
  #random;

  /** Attempts since the last reset. */
  attempt = 0;

  /**
   * @param {number} base milliseconds
   * @param {number} cap milliseconds
   * @param {() => number} random gives [0, 1)
   */
  constructor(base, cap, random) {
    this.#base = base;
    this.#cap = cap;
    this.#random = random;
  }

  /** The next delay in milliseconds. */
  next() {
    const ceiling = Math.min(this.#cap, this.#base * 2 ** Math.min(this.attempt, 30));
    this.attempt += 1;
    return Math.floor(this.#random() * ceiling);
  }

  reset() {
    this.attempt = 0;
  }
}
