/**
 * Something that is to be so at the server: done one at a time, again while another try may help, and once more if it
 * was asked for meanwhile.
 */

import { Backoff } from "./backoff.js";
import { TwinwireError, boundedDelay, isPassing } from "./errors.js";

/** @import { Environment, Settings, Timer } from "./internal.js" */

export class Errand {
  #env;
  #act;
  #failed;
  #delayed;
  #backoff;
  /** @type {Timer | null} */
  #timer = null;
  #isBusy = false;
  #isWanted = false;
  #isOver = false;

  /**
   * `act()` does it, and gives null if there is nothing to do; `failed(error)` if no other try helps, `delayed(error)`
   * if one may.
   *
   * @param {{ env: Environment, settings: Settings }} context
   * @param {() => Promise<unknown> | null} act
   * @param {(error: TwinwireError) => void} failed
   * @param {(error: TwinwireError) => void} delayed
   */
  constructor({ env, settings }, act, failed, delayed = () => {}) {
    this.#env = env;
    this.#act = act;
    this.#failed = failed;
    this.#delayed = delayed;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
  }

  /** Something has changed: does what is to do, now or after what is being done. */
  go() {
    if (this.#isOver) return;
    this.#isWanted = true;
    if (!this.#isBusy) this.#run();
  }

  /** Nothing more is begun. */
  end() {
    this.#isOver = true;
    this.#env.clearTimeout(this.#timer);
  }

  async #run() {
    this.#env.clearTimeout(this.#timer);
    this.#isBusy = true;
    try {
      while (this.#isWanted && !this.#isOver) await this.#once();
    } finally {
      this.#isBusy = false;
    }
  }

  async #once() {
    this.#isWanted = false;
    try {
      await this.#act();
      this.#backoff.reset();
    } catch (error) {
      if (!(error instanceof TwinwireError)) throw error;
      if (!this.#isOver) this.#judge(error);
    }
  }

  /** @param {TwinwireError} error */
  #judge(error) {
    if (!isPassing(error)) return this.#failed(error);
    const delay = error.retryAfter ?? boundedDelay(error.problem?.retry) ?? this.#backoff.next();
    this.#timer = this.#env.setTimeout(() => this.go(), delay);
    this.#delayed(error);
  }
}
