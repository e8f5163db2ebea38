/**
 * The members that a connection keeps at places: each enters with the same id and data over every link, which nobody
 * sees, and leaves when it is not wanted any more. One thing at a time for each member, and its newest data.
 */

import { Errand } from "./errand.js";
import { TwinwireError, isPassing } from "./errors.js";
import { UnansweredError } from "./requests.js";
import { Transport } from "./states.js";

/** @import { Context, PresenceFrame, WantedMember } from "./internal.js" */
/** @import { Host } from "./attendance.js" */
/** @import { Link } from "./link.js" */

/**
 * Seconds for which a member is there that does not speak over a WebSocket: longer than a poll waits. That of a stream
 * too: its line may be cut for many minutes before the server notices.
 */
const LEASE = 40;
/** Seconds for which it is there when its page ends: a reload takes less. */
const LAST_LEASE = 10;
/** Milliseconds between two renewals, at least. */
export const RENEW = 12_000;

/**
 * @typedef {object} Seated one of those that are wanted, and how far it has come
 * @property {WantedMember} member
 * @property {string} text the data that are wanted
 * @property {string | null} sent those that this link has told; null: none
 * @property {string | null} refused those that were refused
 * @property {number | null} delayed the status with which it was put off, and that was told
 * @property {number} at when they were told
 * @property {boolean} isLeased it has entered without a connection, with whose end it would go
 * @property {boolean} isLeaving
 * @property {Promise<unknown> | null} entering what was told is on its way; settles with the answer
 * @property {Errand} errand
 */

/** Of one that was told: what it was does not count any more. No data are that. */
const AGAIN = "";

/** @type {(place: string, member: string) => string} */
const keyOf = (place, member) => `${place} ${member}`;

/**
 * What says that these go with their page; null where there is no connection that they are bound to.
 *
 * @param {readonly WantedMember[]} members
 * @param {Link} link
 */
function farewell(members, link) {
  const connection = link.connection?.connection;
  if (!connection) return null;
  return JSON.stringify({ connection, members: members.map(({ place, member }) => ({ place, member })) });
}

export class Members {
  #context;
  #host;
  /** @type {Map<string, Seated>} */
  #members = new Map();

  /**
   * @param {Context} context
   * @param {Host} host
   */
  constructor(context, host) {
    this.#context = context;
    this.#host = host;
  }

  get size() {
    return this.#members.size;
  }

  get #link() {
    return this.#host.link();
  }

  /** The link, if it takes messages. */
  get #speaks() {
    return this.#link?.name === Transport.WEBSOCKET;
  }

  /**
   * All that are wanted. `lapsed`: who is not among them any more has not left, but his tab is gone, and may be back
   * soon.
   *
   * @param {readonly WantedMember[]} wanted
   * @param {boolean} lapsed
   */
  attend(wanted, lapsed) {
    const members = new Map(wanted.map((one) => [keyOf(one.place, one.member), one]));
    const gone = [...this.#members].filter(([key]) => !members.has(key)).map(([, seated]) => seated);
    for (const [key, member] of members) this.#seat(key, member);
    const leaving = gone.filter(({ isLeaving }) => !isLeaving);
    if (lapsed) this.#lapse(leaving);
    else for (const seated of leaving) this.#dismiss(seated);
  }

  /** @type {(key: string, member: WantedMember) => void} */
  #seat(key, member) {
    const text = JSON.stringify(member.data);
    const known = this.#members.get(key);
    if (known !== undefined) return void Object.assign(known, { member, text, isLeaving: false });
    /** @type {Seated} */
    const seated = {
      ...{ member, text, sent: null, refused: null, delayed: null, at: -Infinity },
      ...{ isLeased: false, isLeaving: false, entering: null },
      errand: this.#errand(() => seated, null),
    };
    this.#members.set(key, seated);
  }

  /**
   * @param {() => Seated} seated
   * @param {Promise<unknown> | null} before what is waited for
   */
  #errand(seated, before) {
    return new Errand(
      this.#context,
      () => (before === null ? this.#settle(seated()) : before.then(() => this.#settle(seated()))),
      (error) => this.#refused(seated(), error),
      (error) => this.#putOff(seated(), error),
    );
  }

  /** Whatever is not yet so. */
  bring() {
    for (const { errand } of this.#members.values()) errand.go();
  }

  /** A link is acted on from now on, which knows none of them. */
  adopt() {
    for (const seated of this.#members.values())
      Object.assign(seated, { sent: null, refused: null, delayed: null });
  }

  /** @param {PresenceFrame} frame */
  frame({ place, leaves }) {
    for (const { member, reason } of leaves ?? []) {
      const seated = this.#members.get(keyOf(place, member));
      if (!seated || seated.sent === null || seated.isLeaving || reason === "revoked") continue;
      seated.sent = null; // it was taken for lost, and is here
      seated.errand.go();
    }
  }

  /** Those that are there for so long only. */
  renew() {
    if (this.#link === null || this.#speaks) return;
    for (const seated of this.#members.values()) {
      const isDue = this.#context.env.elapsed() >= seated.at + RENEW;
      if (isDue && seated.sent) this.#retell(seated);
    }
  }

  /** All that are there. */
  again() {
    for (const seated of this.#members.values()) if (seated.sent) this.#retell(seated);
  }

  /** Once more, and known as told meanwhile: who goes before it is answered has to say so. @param {Seated} seated */
  #retell(seated) {
    seated.sent = AGAIN;
    seated.errand.go();
  }

  // -- one of them

  /** @param {Seated} seated */
  #settle(seated) {
    const link = this.#link;
    const { member, text } = seated;
    if (seated.isLeaving) return this.#leave(seated);
    if (link === null || seated.sent === text || seated.refused === text) return null;
    const entering = this.#speaks ? this.#host.ask({ op: "enter", ...member }) : this.#put(member, link);
    const { errand } = seated;
    const settled = entering
      .catch(() => {})
      .then(() => {
        if (seated.entering === settled) seated.entering = null;
      });
    seated.entering = settled;
    return entering.then(() => {
      if (seated.errand !== errand) return; // its tab has gone meanwhile
      seated.isLeased = !link.connection?.connection;
      seated.at = this.#context.env.elapsed();
      if (link !== this.#link) return this.#late(seated);
      Object.assign(seated, { sent: text, refused: null, delayed: null });
      this.#host.tell({ type: "entered", place: member.place, member: member.member });
    });
  }

  /** @param {WantedMember} member */
  #url({ place, member }) {
    return this.#context.http.url(`api/presence/${place}/${member}`);
  }

  /**
   * @param {WantedMember} member
   * @param {Link} link
   */
  async #put(member, link) {
    const connection = link.connection?.connection;
    const stay = connection ? { connection, lease: LEASE } : { lease: LEASE };
    const body = JSON.stringify({ data: member.data, ...stay });
    try {
      await this.#context.http.json(this.#url(member), { method: "PUT", body });
    } catch (error) {
      // The connection has ended, and nobody has noticed yet.
      const isOver = error instanceof TwinwireError && error.problem?.field === "connection";
      throw isOver ? new UnansweredError("the connection ended") : error;
    }
  }

  /** @param {Seated} seated */
  #dismiss(seated) {
    seated.isLeaving = true;
    if (this.#link === null && !seated.isLeased)
      this.#forget(seated); // it ends with the connection that it was of
    else seated.errand.go();
  }

  /** @param {Seated} seated */
  async #leave(seated) {
    const { member, sent, isLeased, at } = seated;
    const link = this.#link;
    seated.sent = null;
    if (sent !== null && link !== null) {
      const { place, member: id } = member;
      const left = this.#speaks ? this.#host.ask({ op: "leave", place, member: id }) : this.#remove(member);
      await left.catch(() => {}); // then its lease ends
    } else if (isLeased && this.#context.env.elapsed() < at + LEASE * 1_000)
      await this.#remove(member).catch((error) => {
        if (link === null && isPassing(error)) throw error; // as the connection is away, so are requests
      });
    this.#forget(seated);
  }

  /** It has entered over a link that was let go meanwhile, maybe for good. @param {Seated} seated */
  #late({ member, isLeased, isLeaving }) {
    if (isLeaving && isLeased) this.#remove(member).catch(() => {});
  }

  /** @param {WantedMember} member */
  #remove(member) {
    return this.#context.http.json(this.#url(member), { method: "DELETE" });
  }

  /** @param {Seated} seated */
  #forget(seated) {
    if (!seated.isLeaving) return seated.errand.go(); // it has come back meanwhile
    const key = keyOf(seated.member.place, seated.member.member);
    if (this.#members.get(key) === seated) this.#members.delete(key);
    return seated.errand.end();
  }

  /** @type {(seated: Seated, error: TwinwireError) => void} */
  #refused(seated, error) {
    seated.refused = seated.text;
    this.#complain(seated, error);
  }

  /** By a bound of the service; once, however often it is tried. @type {(seated: Seated, error: TwinwireError) => void} */
  #putOff(seated, error) {
    const { status, problem } = error;
    if (problem === null || status === seated.delayed || seated.isLeaving) return;
    seated.delayed = status;
    this.#complain(seated, error);
  }

  /** @type {(seated: Seated, error: TwinwireError) => void} */
  #complain(seated, { message, status, problem }) {
    const { place, member } = seated.member;
    this.#host.tell({ type: "refused", place, member, error: { message, status, problem } });
  }

  // -- the end of a page

  /** The server waits for them as for a connection that was closed. @param {Seated[]} gone */
  #lapse(gone) {
    const here = gone.filter(({ sent, entering }) => sent !== null || entering !== null);
    for (const seated of gone) Object.assign(seated, { isLeaving: true, sent: null, isLeased: false });
    const link = this.#link;
    const members = here.map(({ member }) => member);
    // After what is on its way, which would undo it.
    const told =
      link === null || here.length === 0
        ? null
        : Promise.all(here.map(({ entering }) => entering)).then(() => this.#part(members, link));
    for (const seated of gone) {
      if (told === null || !here.includes(seated)) this.#dismiss(seated);
      else {
        // Until it is told none of them enters again: what overtakes it would be undone by it.
        seated.errand.end();
        seated.errand = this.#errand(() => seated, told);
        seated.errand.go();
      }
    }
  }

  /** @type {(members: WantedMember[], link: Link) => Promise<unknown>} */
  #part(members, link) {
    const { http } = this.#context;
    const body = farewell(members, link);
    if (body === null) return Promise.all(members.map((member) => this.#bow(member)));
    return http.json(http.url("api/presence/leave"), { method: "POST", body }).catch(() => {});
  }

  /** The page of these ends, or is put aside: the last it can say. @param {readonly WantedMember[]} members */
  rest(members) {
    const { env, http } = this.#context;
    const own = members.flatMap(({ place, member }) => this.#members.get(keyOf(place, member)) ?? []);
    const here = own.filter(({ sent }) => sent !== null).map(({ member }) => member);
    const link = this.#link;
    for (const seated of own) Object.assign(seated, { sent: null, isLeased: false });
    if (link === null || here.length === 0) return;
    const text = farewell(here, link);
    if (text === null) for (const member of here) this.#bow(member);
    else env.sendBeacon?.(String(http.url("api/presence/leave")), text);
  }

  /** @param {WantedMember} member @returns {Promise<unknown>} */
  #bow(member) {
    const body = JSON.stringify({ data: member.data, lease: LAST_LEASE });
    const asked = { method: "PUT", body, keepalive: true };
    return this.#context.http.json(this.#url(member), asked).catch(() => {});
  }

  end() {
    for (const { errand } of this.#members.values()) errand.end();
  }
}
