/**
 * The hedged start: the best transport goes first; the next joins after a while, or as soon as all running
 * ones have failed; the first connection frame wins.
 */

import { isFinal, isRefusal } from "./errors.js";

/** @import { Environment, FullFault, Timer } from "./internal.js" */
/** @import { TransportName } from "./index.js" */
/** @import { Link } from "./link.js" */

/**
 * The fault that decides what to do: a refusal before a final answer before an ordered delay before the rest.
 *
 * @param {FullFault[]} faults at least one
 */
function tellingFault(faults) {
  return (
    faults.find(isRefusal) ??
    faults.find(isFinal) ??
    faults.find((fault) => fault.retryAfter !== undefined) ??
    faults[faults.length - 1]
  );
}

/** The service itself has answered: another transport would hear the same. @param {FullFault} fault */
function isAnswer(fault) {
  return isRefusal(fault) || isFinal(fault) || fault.retryAfter !== undefined;
}

export class Race {
  #env;
  #hedgeDelay;
  #waiting;
  #launch;
  #lost;
  /** @type {Set<Link>} */
  #running = new Set();
  /** @type {FullFault[]} */
  #faults = [];
  /** @type {Timer | null} */
  #timer = null;

  /**
   * `launch(name)` opens a link; `lost(fault, all)` if none connects, `all` telling whether every one was
   * tried. `order` is not empty; `hedgeDelay` in milliseconds.
   *
   * @param {Environment} env
   * @param {object} how
   * @param {readonly TransportName[]} how.order
   * @param {number} how.hedgeDelay
   * @param {(name: TransportName) => Link} how.launch
   * @param {(fault: FullFault, all: boolean) => void} how.lost
   */
  constructor(env, { order, hedgeDelay, launch, lost }) {
    this.#env = env;
    this.#hedgeDelay = hedgeDelay;
    this.#waiting = [...order];
    this.#launch = launch;
    this.#lost = lost;
  }

  start() {
    this.#next();
  }

  /** @param {Link} link */
  has(link) {
    return this.#running.has(link);
  }

  /**
   * `link` has connected. Returns the others that are still trying; they are the caller's now.
   *
   * @param {Link} link
   */
  won(link) {
    this.#stop();
    this.#running.delete(link);
    const others = [...this.#running];
    this.#running.clear();
    return others;
  }

  /**
   * @param {Link} link
   * @param {FullFault} fault
   */
  ended(link, fault) {
    this.#running.delete(link);
    this.#faults.push(fault);
    if (isAnswer(fault)) return this.#lose(false);
    if (this.#running.size > 0) return undefined;
    return this.#waiting.length > 0 ? this.#next() : this.#lose(true);
  }

  cancel() {
    this.#stop();
    for (const link of this.#running) link.close();
    this.#running.clear();
  }

  /** @param {boolean} all */
  #lose(all) {
    this.cancel();
    this.#lost(tellingFault(this.#faults), all);
  }

  #next() {
    this.#stop();
    const name = this.#waiting.shift();
    if (name === undefined) return;
    if (this.#waiting.length > 0) this.#timer = this.#env.setTimeout(() => this.#next(), this.#hedgeDelay);
    const link = this.#launch(name);
    this.#running.add(link);
    link.open();
  }

  #stop() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
