/**
 * Who is at one place, as numbered frames tell it (docs/protocol.md, section 11): a state is taken whole, a diff only if
 * its number is the next one. Anything else is a hole, and the state has to be asked for. Pure.
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

/** @param {Member} member */
const isAway = ({ data }) => data?.away === true;

/**
 * Members by user: the page's own first, then in the order in which they came. One without a user is nobody else's.
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
  const own = group.find((one) => one.member === member);
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
  /** By id, in the order in which they entered. @type {Map<string, Member>} */
  #members = new Map();
  /** Of the last frame that was taken; null before the first. @type {number | null} */
  #version = null;
  /** Of a state that came beside the connection, which may tell again what is in it. */
  #fetched = -1;
  /** It is not to be trusted until the next state. */
  #isOld = true;

  truncated = false;
  /** @type {{ readonly users: number, readonly members: number }} */
  counts = Object.freeze({ users: 0, members: 0 });

  /** Whether this is who is there now, as far as anybody has said. */
  get isKnown() {
    return this.#version !== null && !this.#isOld;
  }

  /** @returns {readonly Member[]} */
  get members() {
    return [...this.#members.values()];
  }

  /** @param {string | null} member */
  find(member) {
    return this.#members.get(member ?? "") ?? null;
  }

  /** The connection is gone: what is told next need not follow. */
  cut() {
    this.#isOld = true;
    this.#fetched = -1;
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
    if (this.truncated) this.#members = new Map();
    this.counts = Object.freeze({ users: frame.users, members: frame.members });
    if (isFirst || this.truncated) return { change: isFirst ? change : NOTHING, came: [], went: [] };
    return { change, ...this.#passed(before, member, subject) };
  }

  /**
   * @param {PresenceFrame} frame
   * @returns {PlaceChange}
   */
  #replace({ state }) {
    const before = this.#members;
    const members = listed(state).toSorted(bySince);
    const after = new Map(members.map((one) => [one.member, Object.freeze(one)]));
    this.#members = after;
    const [joined, updated, left] = [[], [], []].map(() => /** @type {any[]} */ ([]));
    for (const one of after.values()) {
      const known = before.get(one.member);
      if (known === undefined || known.user !== one.user) joined.push(one);
      else if (JSON.stringify(known) !== JSON.stringify(one)) updated.push(one);
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
    const left = [];
    for (const { member, reason } of listed(leaves)) {
      const known = members.get(member);
      if (known) left.push({ ...known, reason });
      members.delete(member);
    }
    for (const one of [...listed(joins), ...listed(updates)]) members.set(one.member, Object.freeze(one));
    this.#members = members;
    return { joined: listed(joins), updated: listed(updates), left };
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
