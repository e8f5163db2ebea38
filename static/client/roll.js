/**
 * Who is at one place, as numbered frames tell it (docs/protocol.md, section 11): a state is taken whole, a diff only if
 * its number is the next one. Anything else is a hole, and the state has to be asked for.
 *
 * The first state after a cut may be that of a service that was started anew, to which everybody is about to come back:
 * whoever was there before and is not in it is held, until he is told of or let go. Pure.
 */

/** @import { Member, PlaceChange, PlaceUser } from "./index.js" */
/** @import { PresenceFrame } from "./internal.js" */

/** What a frame has changed; `came` and `went` are users, as they are and as they were. */
/** @typedef {{ change: PlaceChange, came: PlaceUser[], went: PlaceUser[] }} Turn */

/** @type {PlaceChange} */
export const NOTHING = Object.freeze({ joined: [], updated: [], left: [] });

/** @type {<T>(value: readonly T[] | undefined) => readonly T[]} */
const listed = (value) => (Array.isArray(value) ? value : []);

/** @type {(a: { since: string }, b: { since: string }) => number} */
const bySince = (a, b) => (a.since < b.since ? -1 : Number(a.since > b.since));

/** Whether somebody wants to know; `since` moves where a service that was started anew is entered again. */
/** @type {(a: Member, b: Member) => boolean} */
const isOther = (a, b) =>
  JSON.stringify([a.data, a.verified, a.info]) !== JSON.stringify([b.data, b.verified, b.info]);

/** @param {Member} member */
const isAway = ({ data }) => data?.away === true;

/**
 * Members by user: the page's own first, then in the order in which they came. One without a user is nobody else's.
 * Who has the page's id and is another user was there in this tab before.
 *
 * @param {Iterable<Member>} members in the order in which they entered
 * @param {string | null} member the page's own
 * @param {string | null} subject the page's own user
 * @returns {readonly PlaceUser[]}
 */
export function usersOf(members, member, subject) {
  /** @type {Map<unknown, Member[]>} */
  const groups = new Map();
  for (const one of members) {
    const key = one.user ?? one;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const users = [...groups.values()].map((group) => userOf(group, member, subject));
  return Object.freeze([...users.filter(({ self }) => self), ...users.filter(({ self }) => !self)]);
}

/**
 * @param {Member[]} group
 * @param {string | null} member
 * @param {string | null} subject
 * @returns {PlaceUser}
 */
function userOf(group, member, subject) {
  const [{ user, since, info }] = group;
  const own = group.find((one) => one.member === member && one.user === subject);
  const shown = own ?? group.findLast((one) => !isAway(one)) ?? group[group.length - 1];
  return Object.freeze({
    user,
    self: own !== undefined || (user !== null && user === subject),
    members: Object.freeze(group),
    data: shown.data,
    since,
    away: group.every(isAway),
    ...(info === undefined ? {} : { info }),
  });
}

export class Roll {
  /** By id, in the order in which they entered; also those that are held. @type {Map<string, Member>} */
  #members = new Map();
  /** Ids of those that are. @type {Set<string>} */
  #held = new Set();
  /** Of the last frame that was taken; null before the first. @type {number | null} */
  #version = null;
  /** Of a state that came beside the connection, which may tell again what is in it. */
  #fetched = -1;
  /** It is not to be trusted until the next state. */
  #isOld = true;
  /** Whether somebody who is not in that is held. @type {(member: Member) => boolean} */
  #isHeld = () => false;

  truncated = false;
  /** @type {{ readonly users: number, readonly members: number }} */
  counts = Object.freeze({ users: 0, members: 0 });

  /** Whether this is who is there now, as far as anybody has said. */
  get isKnown() {
    return this.#version !== null && !this.#isOld;
  }

  get isHolding() {
    return this.#held.size > 0;
  }

  /** @returns {readonly Member[]} */
  get members() {
    return [...this.#members.values()];
  }

  /** @param {string | null} member */
  find(member) {
    return this.#members.get(member ?? "") ?? null;
  }

  /**
   * The connection is gone: what is told next need not follow. Of those who are not in it some may be on their way back.
   *
   * @param {(member: Member) => boolean} isHeld
   */
  cut(isHeld = () => true) {
    this.#isOld = true;
    this.#fetched = -1;
    this.#isHeld = isHeld;
  }

  /**
   * What a frame changes; null if it changes nothing; undefined if it does not follow, and the state is to be asked for.
   *
   * @param {PresenceFrame} frame
   * @param {string | null} member the page's own
   * @param {string | null} subject the page's own user
   * @returns {Turn | null | undefined}
   */
  take(frame, member, subject) {
    const { version } = frame;
    const isState = Array.isArray(frame.state);
    if (!isState && this.isKnown && version <= this.#fetched) return null;
    if (frame.fetched && this.isKnown && version < (this.#version ?? 0)) return null; // overtaken
    if (!isState && (!this.isKnown || version !== (this.#version ?? 0) + 1)) return undefined;
    // Who was there is compared with who is only where both are lists.
    const isFirst = this.#version === null || this.truncated;
    const before = this.#members;
    const change = isState ? this.#replace(frame) : this.#apply(frame);
    if (frame.fetched) this.#fetched = version;
    else if (isState) this.#fetched = -1;
    this.#version = version;
    this.#isOld = false;
    this.truncated = frame.truncated === true;
    if (this.truncated) {
      this.#members = new Map();
      this.#held.clear();
    }
    this.counts = this.isHolding
      ? this.#counted()
      : Object.freeze({ users: frame.users, members: frame.members });
    if (isFirst || this.truncated) return { change: isFirst ? change : NOTHING, came: [], went: [] };
    return { change, ...this.#passed(before, member, subject) };
  }

  /**
   * Those that are held, or one of them, are not coming back. What that changes; null if there is none.
   *
   * @param {string | null} member the page's own
   * @param {string | null} subject the page's own user
   * @param {readonly string[]} ids
   * @returns {Turn | null}
   */
  release(member, subject, ids = [...this.#held]) {
    const before = this.#members;
    const gone = ids.filter((id) => this.#held.delete(id));
    if (gone.length === 0) return null;
    this.#members = new Map([...before].filter(([id]) => !gone.includes(id)));
    this.counts = this.#counted();
    const left = gone.flatMap((id) => before.get(id) ?? []).map((one) => ({ ...one, reason: null }));
    return { change: { joined: [], updated: [], left }, ...this.#passed(before, member, subject) };
  }

  #counted() {
    const { size } = this.#members;
    return Object.freeze({ users: usersOf(this.#members.values(), null, null).length, members: size });
  }

  /**
   * @param {PresenceFrame} frame
   * @returns {PlaceChange}
   */
  #replace({ state }) {
    const before = this.#members;
    const told = new Map(listed(state).map((one) => [one.member, Object.freeze(one)]));
    const isHeld = this.#isOld ? this.#isHeld : (/** @type {Member} */ { member }) => this.#held.has(member);
    const held = [...before.values()].filter((one) => !told.has(one.member) && isHeld(one));
    this.#held = new Set(held.map(({ member }) => member));
    const after = new Map([...told.values(), ...held].toSorted(bySince).map((one) => [one.member, one]));
    this.#members = after;
    const [joined, updated, left] = [[], [], []].map(() => /** @type {any[]} */ ([]));
    for (const one of after.values()) {
      const known = before.get(one.member);
      if (known === undefined || known.user !== one.user) joined.push(one);
      else if (isOther(known, one)) updated.push(one);
    }
    for (const one of before.values())
      if (after.get(one.member)?.user !== one.user) left.push({ ...one, reason: null });
    return { joined, updated, left };
  }

  /**
   * Leaves first: an id may be another user's at once.
   *
   * @param {PresenceFrame} frame
   * @returns {PlaceChange}
   */
  #apply({ joins, updates, leaves }) {
    const members = new Map(this.#members);
    const [joined, updated, left] = [[], [], []].map(() => /** @type {any[]} */ ([]));
    for (const { member, reason } of listed(leaves)) {
      const known = members.get(member);
      if (known) left.push({ ...known, reason });
      members.delete(member);
    }
    for (const one of listed(joins)) {
      const held = members.get(one.member);
      members.delete(one.member); // he comes after those who are there
      if (held === undefined || held.user !== one.user) joined.push(one);
      else if (isOther(held, one)) updated.push(one);
      if (held !== undefined && held.user !== one.user) left.push({ ...held, reason: null });
      members.set(one.member, Object.freeze(one));
    }
    for (const one of listed(updates)) members.set(one.member, Object.freeze(one));
    for (const { member } of [...listed(leaves), ...listed(joins), ...listed(updates)])
      this.#held.delete(member);
    this.#members = members;
    return { joined, updated: [...listed(updates), ...updated], left };
  }

  /**
   * @param {Map<string, Member>} before
   * @param {string | null} member
   * @param {string | null} subject
   */
  #passed(before, member, subject) {
    /** @param {Map<string, Member>} members */
    const known = (members) =>
      usersOf(members.values(), member, subject).filter(({ user, self }) => user !== null && !self);
    const [then, now] = [known(before), known(this.#members)];
    /** @type {(users: PlaceUser[], others: PlaceUser[]) => PlaceUser[]} */
    const without = (users, others) => {
      const names = new Set(others.map(({ user }) => user));
      return users.filter(({ user }) => !names.has(user));
    };
    return { came: without(now, then), went: without(then, now) };
  }
}
