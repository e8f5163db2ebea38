/**
 * The places of one stream: what it wants of its source there, and what comes of it. A seat for each place, which all
 * handles of it share.
 */

import { TwinwireError } from "./errors.js";
import { anotherMember, memberOf } from "./member.js";
import { PlaceHandle } from "./place.js";
import { Seat } from "./seat.js";
import { oneTopic, topicMatcher } from "./topics.js";

/** @import { Beside, Environment, PresenceFrame, Refused, Wanted } from "./internal.js" */
/** @import { EphemeralEvent, PlaceOptions } from "./index.js" */
/** @import { Turn } from "./roll.js" */
/** @import { Stream } from "./stream.js" */

/** Not of dots alone: in the path of a URL these lead elsewhere. */
const MEMBER = /^(?!\.+$)[A-Za-z0-9_.~-]{1,64}$/;
const HAS_DOTS = /(?:^|\/)\.+(?:\/|$)/;

export class Company {
  #env;
  #base;
  #stream;
  #source;
  /** By place. @type {Map<string, Seat>} */
  #seats = new Map();
  /** This tab's id, once somebody needs it. @type {string | null} */
  #member = null;
  #isAsked = false;
  /** This tab's id was another user's, and another one is being drawn. */
  #isDrawing = false;
  /** It was drawn instead of another one, and has not entered yet. */
  #isOther = false;
  #offs;

  /**
   * @param {{ env: Environment, base: URL }} context
   * @param {Stream} stream
   * @param {{ attend(): void, ask(place: string): void }} source `attend()`: what is wanted is other than before
   */
  constructor({ env, base }, stream, source) {
    this.#env = env;
    this.#base = base;
    this.#stream = stream;
    this.#source = source;
    const shown = () => this.#seats.forEach((seat) => seat.changed());
    env.visibility?.addEventListener?.("visibilitychange", shown);
    this.#offs = [
      () => env.visibility?.removeEventListener?.("visibilitychange", shown),
      stream.on(":transport", ({ transport, reason }) => transport === null && this.#cut(reason)),
      stream.on(":stale", () => this.#turn()),
      stream.on(":auth", () => this.#check()),
    ];
  }

  /** @returns {Pick<Wanted, "places" | "members">} */
  get wanted() {
    const seats = [...this.#seats.values()];
    return { places: [...this.#seats.keys()], members: seats.flatMap(({ wanted }) => wanted ?? []) };
  }

  changed() {
    this.#source.attend();
  }

  /**
   * @param {string} topic
   * @param {PlaceOptions} options
   */
  place(topic, options = {}) {
    const { member = null } = options;
    if (member !== null && !MEMBER.test(member))
      throw new TwinwireError(`not a member's id: ${member}`, 422, { field: "member" });
    if (HAS_DOTS.test(oneTopic(topic)))
      throw new TwinwireError(`nobody can be at ${topic}: a segment is dots alone`, 422, { field: "place" });
    const seat = this.#seats.get(topic) ?? this.#seat(topic, member);
    if (member !== null && seat.member !== member)
      throw new TwinwireError(`this stream has another member at ${topic}`, 422, { field: "member" });
    try {
      return new PlaceHandle(this.#stream, this, seat, options);
    } finally {
      if (seat.handles.size === 0) this.#seats.delete(topic); // its data are none
    }
  }

  /** @type {(topic: string, member: string | null) => Seat} */
  #seat(topic, member) {
    const seat = new Seat(this.#env, topic, {
      member: member ?? this.#member,
      isDrawn: member === null,
      push: () => this.changed(),
      ask: () => this.#source.ask(topic),
      turn: (turn) => this.#pass(seat, turn),
    });
    this.#seats.set(topic, seat);
    if (seat.member === null) this.#draw();
    return seat;
  }

  async #draw() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#use(await memberOf(this.#env, this.#base));
  }

  /** The tab was another user's before. @param {string} former */
  async #redraw(former) {
    this.#isDrawing = true;
    this.#isOther = true;
    const member = await anotherMember(this.#env, this.#base, former);
    this.#isDrawing = false;
    this.#use(member);
  }

  /** @param {string} member */
  #use(member) {
    this.#member = member;
    for (const seat of this.#seats.values()) {
      if (!seat.isDrawn) continue;
      seat.member = member;
      seat.handles.forEach((handle) => handle.turn());
    }
    this.changed();
  }

  /** @type {(seat: Seat, handle: PlaceHandle) => void} */
  release(seat, handle) {
    seat.handles.delete(handle);
    if (seat.handles.size > 0) return;
    seat.close();
    if (this.#seats.get(seat.name) === seat) this.#seats.delete(seat.name);
    this.changed();
  }

  closed = () => new TwinwireError("the place is closed");

  // -- from the source

  /** @param {Exclude<Beside, EphemeralEvent>} word */
  tell(word) {
    if (word.type === "presence") this.#frame(word);
    else if (word.type === "refused") this.#refused(word);
    else this.#entered(word.place, word.member);
  }

  /** @param {PresenceFrame} frame */
  #frame(frame) {
    const seat = this.#seats.get(frame.place);
    const turn = seat?.take(frame, this.#stream.subject) ?? null;
    if (!seat || turn === null) return;
    const { own } = seat;
    if (own !== null && [...turn.change.joined, ...turn.change.updated].includes(own)) seat.error = null;
    this.#pass(seat, turn);
  }

  /** @type {(seat: Seat, turn: Turn) => void} */
  #pass(seat, { change, came, went }) {
    const handles = [...seat.handles];
    for (const user of came) handles.forEach((handle) => handle.pass("came", user));
    for (const user of went) handles.forEach((handle) => handle.pass("went", user));
    for (const handle of handles) handle.turn(change);
  }

  /** A place may not be watched (no member), or not be entered; of another tab's member too. @param {Refused} word */
  #refused({ place, member, error }) {
    const seat = this.#seats.get(place);
    if (!seat || (member !== null && member !== seat.member)) return;
    const isAnothers = member !== null && error.status === 403 && error.problem?.field === "member";
    if (isAnothers && seat.isDrawn && this.#isDrawing) return;
    if (isAnothers && seat.isDrawn && !this.#isOther) return void this.#redraw(member);
    if (member !== null) seat.release();
    this.refuse(seat, new TwinwireError(error.message, error.status, error.problem), member === null);
  }

  /** @type {(seat: Seat, error: TwinwireError, isFinal: boolean) => void} */
  refuse(seat, error, isFinal) {
    seat.error = error;
    for (const handle of [...seat.handles]) {
      handle.fail(error, isFinal);
      handle.turn();
    }
  }

  /** @param {string} place @param {string} member */
  #entered(place, member) {
    const seat = this.#seats.get(place);
    if (!seat || seat.member !== member) return;
    if (seat.isDrawn) this.#isOther = false;
    if (seat.error === null) return;
    seat.error = null;
    this.#turn();
  }

  /** @param {string} reason */
  #cut(reason) {
    for (const seat of this.#seats.values()) seat.cut(reason === "rest");
    this.#turn();
  }

  #turn() {
    for (const seat of this.#seats.values()) for (const handle of [...seat.handles]) handle.turn();
  }

  /** What the stream may not read any more nobody tells it. */
  #check() {
    const covers = topicMatcher(this.#stream.topics);
    for (const seat of this.#seats.values()) {
      if (covers(seat.name)) continue;
      seat.cut(true);
      this.refuse(seat, new TwinwireError(`${seat.name} may not be read any more`, 403), true);
    }
  }

  /** The stream is closed by its page: this tab leaves. */
  close() {
    for (const seat of [...this.#seats.values()]) for (const handle of [...seat.handles]) handle.close();
  }

  /** The stream has ended. */
  end() {
    for (const off of this.#offs.splice(0)) off();
    for (const seat of this.#seats.values()) {
      seat.close();
      for (const handle of [...seat.handles]) handle.fail(this.closed(), true);
    }
    this.#turn();
  }
}
