/**
 * A stream's part in one place: who is there, and what this tab says of itself there, for all handles of the page. What
 * is said goes out at once, and then at most every PACE, the last of it.
 */

import { TwinwireError, reasonOf } from "./errors.js";
import { isObject, merged } from "./patch.js";
import { Roll } from "./roll.js";

/** @import { Member } from "./index.js" */
/** @import { Environment, Timer } from "./internal.js" */
/** @import { PlaceHandle } from "./place.js" */
/** @import { PresenceFrame, WantedMember } from "./internal.js" */
/** @import { Turn } from "./roll.js" */

/** Milliseconds between two updates: the server takes five a second. */
export const PACE = 250;

/** Milliseconds until a state is asked for again that did not come. */
const ASK_AGAIN = 2_000;

/**
 * Milliseconds for which those who were there before a cut are taken to be coming back: the server waits as long for a
 * member whose connection was lost.
 */
const HOLD = 10_000;

/** @param {unknown} data */
function asJson(data) {
  try {
    return JSON.parse(JSON.stringify(data) ?? "null");
  } catch (error) {
    const text = `what a member says of itself is no JSON: ${reasonOf(error)}`;
    throw new TwinwireError(text, 422, { field: "data" });
  }
}

/** @param {unknown} data */
function checked(data) {
  const value = asJson(data); // a date is text by then
  if (isObject(value)) return value;
  throw new TwinwireError("what a member says of itself is an object", 422, { field: "data" });
}

export class Seat {
  #env;
  #push;
  #ask;
  #turn;
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
  /** Until those who are held have gone. @type {Timer | null} */
  #hold = null;
  /** This tab's user, as of the last frame. @type {string | null} */
  subject = null;
  /** This tab's id; null before it is drawn. @type {string | null} */
  member;
  /** @type {TwinwireError | null} */
  error = null;

  /**
   * `push()`: what is wanted is other than before; `ask()`: the state is needed; `turn()`: some are there no more.
   *
   * @param {Environment} env
   * @param {string} name
   * @param {{ member: string | null, isDrawn: boolean, push(): void, ask(): void, turn(turn: Turn): void }} stream
   */
  constructor(env, name, { member, isDrawn, push, ask, turn }) {
    this.#env = env;
    this.name = name;
    this.member = member;
    this.#push = push;
    this.#ask = ask;
    this.#turn = turn;
    /** Whether the id is the tab's, and not one that the page gave. */
    this.isDrawn = isDrawn;
  }

  /** What is wanted of the connection; null for no member. @returns {WantedMember | null} */
  get wanted() {
    if (this.member === null || this.#within.size === 0) return null;
    return { place: this.name, member: this.member, data: this.#told };
  }

  /** This tab's member as it was told; not whoever was there with its id before. */
  get own() {
    const found = this.roll.find(this.member);
    return found !== null && this.#isOwn(found) ? found : null;
  }

  /** @type {(one: Member) => boolean} */
  #isOwn = ({ member, user }) => member === this.member && user === this.subject;

  /** @type {(handle: PlaceHandle) => boolean} */
  has = (handle) => this.#within.has(handle);

  // -- what the page says

  /** @param {PlaceHandle} handle @param {unknown} data @param {boolean} away */
  enter(handle, data, away) {
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
    if (this.#within.size > 0) return this.changed();
    this.#tell();
    this.release();
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
    this.#letGo();
  }

  #letGo() {
    this.#env.clearTimeout(this.#hold);
    this.#hold = null;
  }

  // -- what the server says

  /** The connection is gone; `isAside`: because the page was put aside, so nobody knows for how long. */
  cut(isAside = false) {
    this.#letGo();
    // Whoever has this tab's id, and is not it, is not coming back.
    const isThere = (/** @type {Member} */ one) =>
      one.member !== this.member || (this.#isOwn(one) && this.#within.size > 0);
    this.roll.cut(isAside ? () => false : isThere);
  }

  /** This tab is not coming back, if it was taken to be. */
  release() {
    const turn = this.member && this.roll.release(this.member, this.subject, [this.member]);
    if (turn) this.#turn(turn);
  }

  #settle() {
    this.#hold = null;
    const turn = this.roll.release(this.member, this.subject);
    if (turn !== null) this.#turn(turn);
  }

  /**
   * What the frame changes; null for nothing.
   *
   * @param {PresenceFrame} frame
   * @param {string | null} subject
   */
  take(frame, subject) {
    this.subject = subject;
    const turn = this.roll.take(frame, this.member, subject);
    if (turn === undefined) this.#missing();
    else this.#askedAt = -Infinity;
    if (this.roll.isKnown && this.roll.isHolding)
      this.#hold ??= this.#env.setTimeout(() => this.#settle(), HOLD);
    return turn ?? null;
  }

  #missing() {
    if (this.#env.elapsed() < this.#askedAt + ASK_AGAIN) return;
    this.#askedAt = this.#env.elapsed();
    this.#ask();
  }
}
