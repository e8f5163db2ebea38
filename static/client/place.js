/**
 * A page's hold on one place: who is there, and this tab among them. What it holds in common with other handles of the
 * same place is its seat's.
 */

import { Emitter } from "./emitter.js";
import { NOTHING, usersOf } from "./roll.js";
import { TopicHandle } from "./topic.js";

/** @import { Member, PlaceChange, PlaceOptions, PlaceUser } from "./index.js" */
/** @import { Company } from "./company.js" */
/** @import { TwinwireError } from "./errors.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Seat } from "./seat.js" */
/** @import { Stream } from "./stream.js" */

export class PlaceHandle {
  #stream;
  #company;
  #seat;
  #topic;
  #emitter = new Emitter();
  #isClosed = false;
  #isAway;
  /** @type {readonly Member<any>[] | null} */
  #members = null;
  /** @type {readonly PlaceUser<any>[] | null} */
  #users = null;
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  #reject = () => {};

  /** Resolves with the first list; rejects with a TwinwireError if there can't be one. @type {Promise<void>} */
  ready;

  /**
   * @param {Stream} stream
   * @param {Company} company
   * @param {Seat} seat
   * @param {PlaceOptions} options
   */
  constructor(stream, company, seat, { data, away = false, enter = true }) {
    this.#stream = stream;
    this.#company = company;
    this.#seat = seat;
    this.name = seat.name;
    this.#isAway = away;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready.catch(() => {}); // who does not ask is told by `error`
    if (enter) seat.enter(this, data, away);
    else if (data !== undefined) seat.set(data);
    seat.handles.add(this);
    company.changed();
    // After that: a connection that has to be made anew for the topic asks for both.
    this.#topic = new TopicHandle(stream, this.name);
    this.#topic.ready.catch(
      (/** @type {TwinwireError} */ error) => this.#isClosed || company.refuse(seat, error, true),
    );
    if (this.current) this.#resolve();
  }

  // -- what can be read

  get member() {
    return this.#seat.member;
  }

  get self() {
    return this.#seat.own;
  }

  get members() {
    this.#members ??= Object.freeze(this.#seat.roll.members);
    return this.#members;
  }

  get users() {
    this.#users ??= usersOf(this.members, this.member, this.#seat.subject);
    return this.#users;
  }

  get counts() {
    return this.#seat.roll.counts;
  }

  get truncated() {
    return this.#seat.roll.truncated;
  }

  get current() {
    const { state, transport, stale } = this.#stream;
    return this.#seat.roll.isKnown && transport !== null && state !== "closed" && !stale && !this.#isClosed;
  }

  get entered() {
    return this.#seat.has(this);
  }

  get error() {
    return this.#seat.error;
  }

  // -- what the page says

  /** @param {any} data */
  set(data) {
    if (!this.#isClosed) this.#seat.set(data);
  }

  /** @param {object} patch */
  merge(patch) {
    if (!this.#isClosed) this.#seat.merge(patch);
  }

  /** @param {any} [data] */
  enter(data) {
    if (!this.#isClosed) this.#seat.enter(this, data, this.#isAway);
  }

  leave() {
    this.#seat.leave(this);
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#seat.leave(this);
    this.#company.release(this.#seat, this);
    this.#topic.close();
    this.#reject(this.#company.closed());
  }

  // -- what happens

  /** @type {(type: string, fn: Listener) => () => void} */
  on = (type, fn) => this.#emitter.on(type, fn);

  /** @type {(type: string, fn: Listener) => () => void} */
  once = (type, fn) => this.#emitter.once(type, fn);

  /** @type {(type: string, fn?: Listener) => void} */
  off = (type, fn) => this.#emitter.off(type, fn);

  /** Something that can be read here is other than before. @param {PlaceChange} change */
  turn(change = NOTHING) {
    this.#members = null;
    this.#users = null;
    if (this.#seat.roll.isKnown) this.#resolve();
    if (!this.#isClosed) this.#emitter.emit("change", change);
  }

  /** @type {(type: "came" | "went", user: PlaceUser) => void} */
  pass(type, user) {
    if (!this.#isClosed) this.#emitter.emit(type, user);
  }

  /** @type {(error: TwinwireError, isFinal: boolean) => void} */
  fail(error, isFinal) {
    if (isFinal) this.#reject(error);
    if (!this.#isClosed) this.#emitter.emit("error", error);
  }
}
