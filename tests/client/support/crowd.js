/** Presence in memory, by the rules of docs/protocol.md, sections 10 and 11, as far as a client can tell. */

import { topicMatcher } from "../../../static/client/topics.js";

const BATCH = 250; // ms
export const GRACE = { closed: 3_000, lost: 10_000 }; // ms

export class Crowd {
  /** Members that are listed at most. */
  listed = 500;
  /** Places where nobody may enter, or watch. */
  forbidden = new Set();
  /** Every diff that was told: `{place, joins, updates, leaves, version}`. */
  told = [];
  /** Every request that changes something: `[how, place, member]`. */
  asked = [];
  /** Refusals in a row of the next enters: statuses. */
  refusals = [];
  #places = new Map();
  #watchers = new Set();

  constructor(clock) {
    this.clock = clock;
  }

  #place(name) {
    const place = this.#places.get(name) ?? { name, version: 0, members: new Map(), before: null };
    this.#places.set(name, place);
    return place;
  }

  /** The ids of those who are at a place. */
  at(name) {
    return [...this.#place(name).members.keys()];
  }

  member(name, id) {
    return this.#place(name).members.get(id)?.told;
  }

  /** Of what a problem is that refuses an enter. */
  fieldOf(name) {
    return this.forbidden.has(name) ? "place" : "member";
  }

  /** A status, or the fields of an answer. */
  enter(how, name, id, { user = null, data, connection = null, lease = null }) {
    this.asked.push([how, name, id]);
    const refusal = this.refusals.shift();
    if (refusal) return refusal;
    const place = this.#place(name);
    const known = place.members.get(id);
    if (this.forbidden.has(name) || (known && known.told.user !== user)) return 403;
    this.#change(place);
    this.clock.clearTimeout(known?.timer);
    const since = known?.told.since ?? new Date(this.clock.now()).toISOString();
    const told = { user, member: id, data: data ?? known?.told.data ?? {}, since, verified: user !== null };
    const entry = { told, connection };
    if (connection === null)
      entry.timer = this.clock.setTimeout(() => this.leave(name, id, "expired"), (lease ?? 30) * 1_000);
    place.members.set(id, entry);
    return { place: name, member: id, lease: 30, version: place.version };
  }

  leave(name, id, reason = "left") {
    const place = this.#place(name);
    const entry = place.members.get(id);
    if (!entry) return;
    this.#change(place);
    this.clock.clearTimeout(entry.timer);
    place.reasons.set(id, reason);
    place.members.delete(id);
  }

  /** A connection has ended, or said that these leave: they have some time to come back. */
  closed(connection, reason = "closed", only = null) {
    for (const place of this.#places.values())
      for (const [id, entry] of place.members) {
        const isMeant = only === null || only.some((one) => one.place === place.name && one.member === id);
        if (!isMeant || connection === null || entry.connection !== connection) continue;
        this.clock.clearTimeout(entry.timer);
        entry.timer = this.clock.setTimeout(() => this.leave(place.name, id, reason), GRACE[reason]);
      }
  }

  // -- what watchers are told

  watcher(send, patterns = []) {
    const watcher = { send, patterns: new Set() };
    this.#watchers.add(watcher);
    this.watch(watcher, patterns);
    return watcher;
  }

  watch(watcher, patterns) {
    for (const pattern of patterns) {
      watcher.patterns.add(pattern);
      for (const name of this.matching(pattern)) watcher.send(this.state(name));
    }
  }

  gone(watcher) {
    this.#watchers.delete(watcher);
  }

  matching(pattern) {
    if (!pattern.includes("*")) return [pattern];
    return [...this.#places.keys()].filter((name) => topicMatcher([pattern])(name) && this.at(name).length);
  }

  #lists(members) {
    const users = new Set([...members.values()].map(({ told }) => told.user ?? told.member));
    const truncated = members.size > this.listed;
    return {
      fields: { users: users.size, members: members.size, truncated },
      list: truncated ? [] : [...members.values()].map(({ told }) => told),
    };
  }

  state(name) {
    const place = this.#place(name);
    // As at its version: what is being collected is in the next diff.
    const { fields, list } = this.#lists(place.before ?? place.members);
    return { type: "presence", place: name, version: place.version, state: list, ...fields };
  }

  #change(place) {
    if (place.before !== null) return;
    place.before = new Map(place.members);
    place.reasons = new Map();
    this.clock.setTimeout(() => this.#tell(place), BATCH);
  }

  #tell(place) {
    const { before, members, reasons } = place;
    place.before = null;
    const [joins, updates, leaves] = [[], [], []];
    for (const [id, { told }] of members) {
      const known = before.get(id)?.told;
      if (known === undefined) joins.push(told);
      else if (JSON.stringify(known) !== JSON.stringify(told)) updates.push(told);
    }
    for (const [id, { told }] of before)
      if (!members.has(id)) leaves.push({ user: told.user, member: id, reason: reasons.get(id) });
    if (joins.length + updates.length + leaves.length === 0) return;
    place.version += 1;
    const { fields } = this.#lists(members);
    const lists = fields.truncated ? { joins: [], updates: [], leaves: [] } : { joins, updates, leaves };
    const frame = { type: "presence", place: place.name, version: place.version, ...lists, ...fields };
    this.told.push({ place: place.name, version: place.version, joins, updates, leaves });
    for (const { send, patterns } of this.#watchers)
      if (topicMatcher([...patterns])(place.name)) send({ ...frame, came: [], went: [] });
  }

  /** How often a member was seen to come, to change and to go. */
  seen(id) {
    const count = (list) =>
      this.told.flatMap((diff) => diff[list]).filter(({ member }) => member === id).length;
    return { joins: count("joins"), updates: count("updates"), leaves: count("leaves") };
  }
}
