/**
 * What the tabs of a leader want beside the log: brought about all together over its connection, and what comes of it
 * passed on to them.
 */

import { NOTHING_WANTED } from "../attendance.js";

/** @import { Beside, Wanted } from "../internal.js" */
/** @import { Access, InnerSource, Reply } from "../source.js" */

export class Wants {
  #connection;
  #tell;
  /** By tab. @type {Map<string, Wanted>} */
  #tabs = new Map();
  /** Of the leader's own page. @type {Wanted} */
  #own = NOTHING_WANTED;

  /**
   * `tell(word)` tells the other tabs.
   *
   * @param {() => InnerSource} connection
   * @param {(word: Beside) => void} tell
   */
  constructor(connection, tell) {
    this.#connection = connection;
    this.#tell = tell;
  }

  get own() {
    return this.#own;
  }

  /** @returns {Wanted} */
  get all() {
    const all = [this.#own, ...this.#tabs.values()];
    return {
      ephemeral: all.some(({ ephemeral }) => ephemeral),
      places: [...new Set(all.flatMap(({ places }) => places))],
      members: all.flatMap(({ members }) => members),
    };
  }

  /** @param {Wanted} wanted */
  keep(wanted) {
    this.#own = wanted;
    this.#connection().attend(this.all);
  }

  /** @type {(tab: string, wanted: Wanted) => void} */
  set(tab, wanted) {
    const before = this.#tabs.get(tab) ?? NOTHING_WANTED;
    this.#tabs.set(tab, wanted);
    this.#connection().attend(this.all);
    // Who is there is known already, but not to this tab.
    for (const place of wanted.places) if (!before.places.includes(place)) this.#connection().ask(place);
  }

  /** A tab has ended. @param {string} tab */
  delete(tab) {
    if (this.#tabs.delete(tab)) this.#connection().attend(this.all, true);
  }

  /** The others are on their own. */
  clear() {
    this.#tabs.clear();
    this.#connection().attend(this.all, true);
  }

  /** @param {Beside} word */
  pass(word) {
    const wants = [...this.#tabs.values()].some(({ ephemeral, places }) => ephemeral || places.length > 0);
    if (wants) this.#tell(word);
  }

  /**
   * Sends a message of the leader's page. An event that is not kept the server spares the connection that it came from,
   * and with it the other tabs: they are told here.
   *
   * @type {(message: any, now: number, access: () => Access) => Promise<Reply>}
   */
  async request(message, now, access) {
    const reply = await this.#connection().request(message);
    const { subject } = access();
    const from = subject === null ? {} : { from: { user: subject } };
    const { ephemeral = false, echo = false, topic, type, data } = message;
    if (ephemeral && !echo) this.pass({ topic, type, time: new Date(now).toISOString(), ...from, data });
    return reply;
  }
}
