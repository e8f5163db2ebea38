/**
 * What is loaded at one position of the log and kept true by the events after it, however the two overtake each other.
 *
 * `load` asks the server, whose answer says up to where it goes (`cursor`). What arrives meanwhile waits, and of that
 * only what comes after the answer is applied: so nothing is told twice and nothing is left out. When it is loaded again
 * before an answer is there, the later answer counts alone. No DOM here.
 */

import { isAfter } from "../../shared/cursor.js";

/** @import { ProjectEvent } from "../types.js" */

/** Events that may wait for an answer; with more the answer is asked for once again. */
const WAITING_MAX = 5_000;

export class Since {
  #apply;
  /** @type {string | null} */
  #base = null;
  /** @type {ProjectEvent[] | null} */
  #waiting = null;
  #isLate = false;
  #turn = 0;

  /** @param {(event: ProjectEvent) => void} apply */
  constructor(apply) {
    this.#apply = apply;
  }

  /** @param {ProjectEvent} event */
  receive(event) {
    if (this.#waiting === null) {
      if (this.#base !== null && isAfter(event.id, this.#base)) this.#apply(event);
    } else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(event);
    else this.#isLate = true;
  }

  /**
   * Whether the answer was taken: not if another one was asked for meanwhile. Throws what `read` throws, and then waits
   * for the next load.
   *
   * @template {{ cursor: string }} T
   * @param {() => Promise<T>} read
   * @param {(answer: T) => void} take
   */
  async load(read, take) {
    this.#turn += 1;
    const turn = this.#turn;
    this.#waiting ??= [];
    do {
      this.#isLate = false;
      const answer = await read();
      if (turn !== this.#turn) return false;
      if (this.#isLate) this.#waiting = [];
      else this.#settle(answer, take);
    } while (this.#isLate);
    return true;
  }

  /**
   * @template {{ cursor: string }} T
   * @param {T} answer
   * @param {(answer: T) => void} take
   */
  #settle(answer, take) {
    const late = this.#waiting ?? [];
    this.#waiting = null;
    this.#base = answer.cursor;
    take(answer);
    for (const event of late) this.receive(event);
  }
}
