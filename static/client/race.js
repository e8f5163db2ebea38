/**
 * The hedged start: the best transport goes first; the next joins after a while, or as soon as all running
 * ones have failed; the first connection frame wins.
 */

import { isFinal, isRefusal } from "./errors.js";

/**
 * The fault that decides what to do: a refusal before a final answer before an ordered delay before the rest.
 */
function tellingFault(faults) {
  return (
    faults.find(isRefusal) ??
    faults.find(isFinal) ??
    faults.find((fault) => fault.retryAfter !== undefined) ??
    faults[faults.length - 1]
  );
}

/** The service itself has answered: another transport would hear the same. */
function isAnswer(fault) {
  return isRefusal(fault) || isFinal(fault) || fault.retryAfter !== undefined;
}

export class Race {
  #env;
  #hedgeDelay;
  #waiting;
  #launch;
  #lost;
  #running = new Set();
  #faults = [];
  #timer = null;

  /**
   * `launch(name)` opens a link; `lost(fault, all)` if none connects, `all` telling whether every one was
   * tried.
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

  has(link) {
    return this.#running.has(link);
  }

  /** `link` has connected. Returns the others that are still trying; they are the caller's now. */
  won(link) {
    this.#stop();
    this.#running.delete(link);
    const others = [...this.#running];
    this.#running.clear();
    return others;
  }

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

  #lose(all) {
    this.cancel();
    this.#lost(tellingFault(this.#faults), all);
  }

  #next() {
    this.#stop();
    const name = this.#waiting.shift();
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
