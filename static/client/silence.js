/**
 * For how long nothing has come from another side, the server or a leading tab, and what follows: after one limit
 * nobody knows any more whether what the page shows is so (*stale*), after another one it is *over*. One timer runs
 * to whichever comes first; it is not set anew with each byte, but looks how long the silence is when it fires.
 *
 * A timer that fires says nothing of what was meanwhile:
 * - one that fires late was held, by a sleep, a freeze or a long task. What has arrived in that time may wait behind
 *   it, so it is given a moment to be read before anything is called stale.
 * - those of a hidden tab are no clock, and nobody looks at it: it is judged when it is shown (`look`).
 */

/** @import { Environment, Timer } from "./internal.js" */

/** Milliseconds: a timer so late was held, and so long has what was held with it to be read. */
const HELD = 250;

export class Silence {
  #env;
  #act;
  /** @type {Timer | null} */
  #timer = null;
  /** When something came, as `elapsed` counts. */
  #heardAt = 0;
  /** From when on it counts as over: a hidden tab puts it off. */
  #from = 0;
  /** Stale not before then: what was held is being read. */
  #notBefore = 0;
  /** It was due while nobody looked. */
  #isUnseen = false;
  /** @type {number | null} */
  #overAfter = null;
  #isEnded = false;

  /** Milliseconds of silence after which it is stale; null: it never is. @type {number | null} */
  staleAfter = null;
  isStale = false;

  /**
   * `stale(isStale)`: only changes; `over(late)`: so many milliseconds late, and again after as long a silence.
   *
   * @param {Environment} env
   * @param {{ stale(isStale: boolean): void, over(late: number): void }} act
   */
  constructor(env, act) {
    this.#env = env;
    this.#act = act;
  }

  /** Milliseconds since something came. */
  get duration() {
    return this.#env.elapsed() - this.#heardAt;
  }

  /** Whether it has been over for long, also where nobody looked. */
  get isOver() {
    return this.#overAfter !== null && this.duration > this.#overAfter;
  }

  get #staleDue() {
    if (this.staleAfter === null || this.isStale || this.#isUnseen) return Infinity;
    return Math.max(this.#heardAt + this.staleAfter, this.#notBefore);
  }

  get #overDue() {
    return this.#overAfter === null ? Infinity : this.#from + this.#overAfter;
  }

  /** Milliseconds until it is stale, and over; null: it never is. @param {{ stale?: number | null, over?: number | null }} limits */
  limit({ stale = this.staleAfter, over = this.#overAfter }) {
    if (this.staleAfter === stale && this.#overAfter === over) return;
    this.staleAfter = stale;
    this.#overAfter = over;
    if (stale === null) this.#setStale(false);
    this.#arm();
  }

  /** Something came, so many milliseconds ago. */
  heard(ago = 0) {
    const now = this.#env.elapsed();
    const isEarlier = ago > 0 || this.isStale || this.#isUnseen; // than the timer that runs, if one does
    this.#from = now;
    if (now - ago > this.#heardAt) {
      this.#notBefore = 0;
      this.#isUnseen = false;
    }
    this.#heardAt = now - ago;
    if (this.staleAfter !== null && ago < this.staleAfter) this.#setStale(false);
    if (isEarlier || this.#timer === null) this.#arm();
  }

  /** It is not over, though nothing came that says more. */
  alive() {
    this.#from = this.#env.elapsed();
  }

  /** The page is shown again, or has noticed that it stood still: is it stale by now? */
  look() {
    this.#isUnseen = false;
    const now = this.#env.elapsed();
    if (now >= this.#staleDue) this.#notBefore = now + HELD;
    this.#arm();
  }

  end() {
    this.#isEnded = true;
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    const due = Math.min(this.#staleDue, this.#overDue);
    if (due === Infinity || this.#isEnded) return;
    this.#timer = this.#env.setTimeout(() => this.#judge(), Math.max(due - this.#env.elapsed(), 0));
  }

  #judge() {
    this.#timer = null;
    const now = this.#env.elapsed();
    const [staleLate, overLate] = [now - this.#staleDue, now - this.#overDue];
    const isSeen = this.#env.visible();
    if (overLate >= 0) {
      this.#from = now;
      if (isSeen) this.#act.over(overLate);
    }
    if (staleLate >= 0 && !this.#isEnded) {
      if (!isSeen) this.#isUnseen = true;
      else if (staleLate > HELD) this.#notBefore = now + HELD;
      else this.#setStale(true);
    }
    this.#arm();
  }

  /** @param {boolean} isStale */
  #setStale(isStale) {
    if (this.isStale === isStale) return;
    this.isStale = isStale;
    this.#act.stale(isStale);
  }
}
