/**
 * The way back to a better transport, make before break: a second connection in the background, from the same
 * cursor, replaces the working one only when it has caught up and has proved productive. Until then both feed
 * the reader, which drops what came already; if it dies, nothing was lost.
 */

import { isCursor } from "./cursor.js";

/** @import { Environment, Timer } from "./internal.js" */
/** @import { ControlFrame, TransportName } from "./index.js" */
/** @import { Link } from "./link.js" */

const SOON = 3_000; // ms; the first failure may have been a coincidence
const SLOWEST = 20; // times the interval

export class Prober {
  #env;
  #interval;
  #targets;
  #launch;
  /** @type {Timer | null} */
  #timer = null;
  #count = 0;

  /** The connection that is being tried; null while none is. @type {Link | null} */
  link = null;

  /**
   * `targets()`: the better transports; `launch(name)` gives a link to open. `interval` in milliseconds.
   *
   * @param {Environment} env
   * @param {{ interval: number, targets(): TransportName[], launch(name: TransportName): Link }} how
   */
  constructor(env, { interval, targets, launch }) {
    this.#env = env;
    this.#interval = interval;
    this.#targets = targets;
    this.#launch = launch;
  }

  /**
   * Begins to look, first soon (`patient`: after one interval), then less and less often.
   *
   * @param {boolean} patient
   */
  begin(patient) {
    this.cancel();
    this.#count = patient ? 1 : 0;
    this.#schedule();
  }

  /** Something changed for the better: look now. */
  now() {
    if (this.link !== null || this.#timer === null) return;
    this.#count = 0;
    this.#try();
  }

  /**
   * Of the links that lost the start's race, a better one goes on as the probe, if it asked for a cursor:
   * then it can miss nothing. The rest are let go.
   *
   * @param {Link[]} others
   * @param {TransportName[]} better
   * @param {boolean} patient
   */
  inherit(others, better, patient) {
    const next = others.find((link) => better.includes(link.name) && isCursor(link.request.after));
    for (const link of others) if (link !== next) link.close();
    if (next === undefined) return this.begin(patient);
    this.cancel();
    this.link = next;
  }

  /**
   * The tried link is connected, beside a working one of `subject`: only a clean resume is of use, and of the same
   * bearer.
   *
   * @type {(frame: ControlFrame, subject: string | null) => void}
   */
  connected({ subject, resumed }, own) {
    if (!resumed || (subject !== undefined && subject !== own)) this.failed();
  }

  /** Takes the tried link out, if it has caught up and proved itself; else null. */
  proven() {
    const link = this.link;
    if (!link?.caughtUp || !link.productive) return null;
    this.release();
    return link;
  }

  /** The tried link is no use; another try follows. */
  failed() {
    this.link?.close();
    this.link = null;
    this.#schedule();
  }

  /** Lets go of the tried link, which is the caller's now. */
  release() {
    this.link = null;
    this.cancel();
  }

  cancel() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    this.link?.close();
    this.link = null;
  }

  #schedule() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#targets().length === 0) return;
    const steps = Math.min(2 ** Math.max(this.#count - 1, 0), SLOWEST);
    const delay = this.#count === 0 ? Math.min(SOON, this.#interval) : this.#interval * steps;
    this.#timer = this.#env.setTimeout(() => this.#try(), delay);
  }

  #try() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    const targets = this.#targets();
    if (targets.length === 0) return;
    const name = targets[this.#count % targets.length];
    this.#count += 1;
    this.link = this.#launch(name);
    this.link.open();
  }
}
