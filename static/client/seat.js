/**
 * A stream's part in one place: who is there, and what this tab says of itself there, for all handles of the page. What
 * is said goes out at once, and then at most every PACE, the last of it.
 */

import { TwinwireError } from "./errors.js";
import { isObject, merged } from "./patch.js";
import { Roll } from "./roll.js";

/** @import { Environment, Timer } from "./internal.js" */
/** @import { PlaceHandle } from "./place.js" */
/** @import { PresenceFrame, WantedMember } from "./internal.js" */

/** Milliseconds between two updates: the server takes five a second. */
export const PACE = 250;

/** Milliseconds until a state is asked for again that did not come. */
const ASK_AGAIN = 2_000;

/** @param {unknown} data */
function checked(data) {
  if (isObject(data)) return /** @type {Record<string, unknown>} */ (JSON.parse(JSON.stringify(data)));
  throw new TwinwireError("what a member says of itself is an object", 422, { field: "data" });
}

export class Seat {
  #env;
  #push;
  #ask;
  roll = new Roll();
  /** @type {Set<PlaceHandle>} */
  handles = new Set();
  /** Those through which this tab is there. @type {Set<PlaceHandle>} */
  #within = new Set();
  /** Those that want it told when the page is hidden. @type {Set<PlaceHandle>} */
  #away = new Set();
  /** @type {Record<string, unknown>} */
  #data = {};
  /** What has gone out, or is about to. @type {Record<string, unknown>} */
  #told = {};
  #toldAt = -Infinity;
  /** @type {Timer | null} */
  #timer = null;
  #askedAt = -Infinity;
  /** This tab's id; null before it is drawn. @type {string | null} */
  member;
  /** @type {TwinwireError | null} */
  error = null;

  /**
   * `push()`: what is wanted is other than before; `ask()`: the state is needed.
   *
   * @param {Environment} env
   * @param {string} name
   * @param {{ member: string | null, push(): void, ask(): void }} stream
   */
  constructor(env, name, { member, push, ask }) {
    this.#env = env;
    this.name = name;
    this.member = member;
    this.#push = push;
    this.#ask = ask;
  }

  /** What is wanted of the connection; null for no member. @returns {WantedMember | null} */
  get wanted() {
    if (this.member === null || this.#within.size === 0) return null;
    return { place: this.name, member: this.member, data: this.#told };
  }

  /** @type {(handle: PlaceHandle) => boolean} */
  has = (handle) => this.#within.has(handle);

  // -- what the page says

  /** @param {PlaceHandle} handle @param {unknown} [data] @param {boolean} [away] */
  enter(handle, data, away = this.#away.has(handle)) {
    if (data !== undefined) this.#data = checked(data);
    if (away) this.#away.add(handle);
    const isNew = this.#within.size === 0;
    this.#within.add(handle);
    if (isNew) this.#tell();
    else this.changed();
  }

  /** @param {PlaceHandle} handle */
  leave(handle) {
    this.#away.delete(handle);
    if (!this.#within.delete(handle)) return;
    if (this.#within.size === 0) this.#tell();
    else this.changed();
  }

  /** @param {unknown} data */
  set(data) {
    this.#data = checked(data);
    this.changed();
  }

  /** @param {unknown} patch */
  merge(patch) {
    this.set(merged(this.#data, checked(patch)));
  }

  /** What is said may be other than before. */
  changed() {
    if (this.#within.size === 0 || this.#timer !== null) return;
    if (JSON.stringify(this.#effective()) === JSON.stringify(this.#told)) return;
    const wait = this.#toldAt + PACE - this.#env.elapsed();
    if (wait <= 0) return this.#tell();
    this.#timer = this.#env.setTimeout(() => this.#tell(), wait);
  }

  #effective() {
    return this.#away.size > 0 && !this.#env.visible() ? { ...this.#data, away: true } : this.#data;
  }

  #tell() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#toldAt = this.#env.elapsed();
    this.#told = this.#effective();
    this.#push();
  }

  close() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }

  // -- what the server says

  /**
   * What the frame changes; null for nothing.
   *
   * @param {PresenceFrame} frame
   * @param {string | null} subject
   */
  take(frame, subject) {
    const turn = this.roll.take(frame, this.member, subject);
    if (turn === undefined) this.#missing();
    else this.#askedAt = -Infinity;
    return turn ?? null;
  }

  #missing() {
    if (this.#env.elapsed() < this.#askedAt + ASK_AGAIN) return;
    this.#askedAt = this.#env.elapsed();
    this.#ask();
  }
}
