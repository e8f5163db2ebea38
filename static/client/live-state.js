/**
 * The latest of each subject of a filter, live: the state is fetched once, as of one position, and every event
 * after that position is applied to it as the stream brings it. The stream misses nothing and tells nothing
 * twice, whatever becomes of its connection, so the two fit together; where it says that something is missing
 * (`gap`), the state is fetched anew and what has changed is told.
 *
 * The state is asked for once the stream has these topics: its position lies at or after the stream's then, and
 * what the stream brings up to there is in it already.
 */

import { Backoff } from "./backoff.js";
import { compareCursors } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { TwinwireError } from "./errors.js";
import { State } from "./states.js";
import { TopicHandle } from "./topic.js";

/** @import { Cursor, GapFrame, StateChange, StateEntry, WireEvent } from "./index.js" */
/** @import { Environment, Settings } from "./internal.js" */
/** @import { Http } from "./http.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Stream } from "./stream.js" */

/** Events that may wait for a state: with more of them it is fetched again once it is there. */
const WAITING_MAX = 10_000;

/** What a topic can't have in it. @type {(topic: string, subject: string) => string} */
const keyOf = (topic, subject) => `${topic} ${subject}`;

/** No retry helps. @param {unknown} error */
const isFinal = (error) =>
  error instanceof TwinwireError && [400, 401, 403, 404, 422, 501].includes(error.status);

export class LiveState {
  #env;
  #http;
  #stream;
  #handle;
  #off;
  #backoff;
  #emitter = new Emitter();
  /** @type {Map<string, StateEntry<any>>} */
  #entries = new Map();
  /** What came while the state is fetched; null if it is there. @type {WireEvent[] | null} */
  #waiting = [];
  #isTooMuch = false;
  /** Grows with each fetch: an older one is void. */
  #run = 0;
  #isClosed = false;
  /** @type {Cursor | null} */
  #cursor = null;
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  #reject = () => {};

  /** Resolves when the state is there; rejects with a TwinwireError if it can't be had. @type {Promise<void>} */
  ready;

  /**
   * @param {Stream} stream
   * @param {string} filter
   * @param {{ env: Environment, http: Http, settings: Settings }} context
   */
  constructor(stream, filter, { env, http, settings }) {
    this.#env = env;
    this.#http = http;
    this.#stream = stream;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
    this.#handle = new TopicHandle(stream, filter);
    this.#handle.on("*", (message) => this.#message(message));
    this.#off = stream.on(":auth", ({ lost }) => {
      if (lost.includes(this.name))
        this.#failed(new TwinwireError(`${this.name} may not be read any more`, 403));
    });
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready.catch(() => {}); // who does not ask is told by `error`
    this.#load();
  }

  get name() {
    return this.#handle.name;
  }

  /** The position that this is the state of; null before it is there. */
  get cursor() {
    return this.#cursor;
  }

  /** Whether it is being fetched: what is there may be out of date until then. */
  get loading() {
    return this.#waiting !== null;
  }

  // -- a map

  get size() {
    return this.#entries.size;
  }

  /** @type {(topic: string, subject: string) => StateEntry<any> | undefined} */
  entry = (topic, subject) => this.#entries.get(keyOf(topic, subject));

  /** @type {(topic: string, subject: string) => any} */
  get = (topic, subject) => this.entry(topic, subject)?.value;

  /** @type {(topic: string, subject: string) => boolean} */
  has = (topic, subject) => this.#entries.has(keyOf(topic, subject));

  /** @returns {IterableIterator<StateEntry<any>>} */
  [Symbol.iterator]() {
    return this.#entries.values();
  }

  // -- what comes

  /** @param {WireEvent | GapFrame} message */
  #message(message) {
    if (message.topic === undefined) return void this.#load();
    if (this.#waiting === null) return this.#apply(message);
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(message);
    else this.#isTooMuch = true;
  }

  /** @param {WireEvent} event */
  #apply(event) {
    const order = this.#cursor === null ? 1 : compareCursors(event.id, this.#cursor);
    if (order === null) return void this.#load(); // another log
    if (order <= 0) return;
    this.#cursor = event.id;
    if (event.subject === undefined) return;
    const change = fold(this.#entries, event);
    if (change) this.#emitter.emit("change", change);
  }

  // -- the state

  async #load() {
    const run = (this.#run += 1);
    this.#waiting = [];
    this.#isTooMuch = false;
    while (!this.#isClosed && run === this.#run) {
      try {
        await this.#handle.ready;
        await this.#connected();
        const found = await this.#fetch(run);
        if (run !== this.#run || this.#isClosed) return;
        if (found) return this.#begin(found.entries, found.cursor);
      } catch (error) {
        if (run !== this.#run || this.#isClosed) return;
        if (isFinal(error) || this.#stream.state === State.CLOSED) return this.#failed(error);
      }
      await new Promise((resolve) => this.#env.setTimeout(() => resolve(null), this.#backoff.next()));
      if (run === this.#run) [this.#waiting, this.#isTooMuch] = [[], false];
    }
  }

  /** Once the stream stands somewhere: from there on it misses nothing. @returns {Promise<void>} */
  #connected() {
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (stream.state === State.CLOSED) reject(new TwinwireError("the stream is closed"));
        else if (stream.cursor !== null) resolve();
        else return;
        for (const off of offs) off();
      };
      const offs = [":state", ":cursor", "*"].map((name) => stream.on(name, settle));
      settle();
    });
  }

  /**
   * All pages, which are of one position; null if that can't be told any more.
   *
   * @param {number} run
   */
  async #fetch(run) {
    /** @type {Map<string, StateEntry<any>>} */
    const entries = new Map();
    let next = null;
    let join = "text";
    for (;;) {
      try {
        const { events, cursor, ...rest } = await this.#http.state(this.name, { join, next });
        if (run !== this.#run || this.#isClosed) return null;
        for (const event of events) fold(entries, event);
        if (!rest.more) return { entries, cursor };
        next = rest.next;
      } catch (error) {
        if (!(error instanceof TwinwireError)) throw error;
        if (error.status === 410) return null;
        if (error.status !== 413 || join === "") throw error;
        [next, join] = [null, ""]; // a text too long to be one event: as it was appended
        entries.clear();
      }
    }
  }

  /**
   * @param {Map<string, StateEntry<any>>} entries
   * @param {Cursor} cursor
   */
  #begin(entries, cursor) {
    const [before, waiting, isTooMuch] = [this.#entries, this.#waiting ?? [], this.#isTooMuch];
    this.#entries = entries;
    this.#cursor = cursor;
    if (isTooMuch) return void this.#load(); // more came than was kept: this is of a position before them
    this.#waiting = null;
    this.#backoff.reset();
    for (const change of differences(before, entries)) this.#emitter.emit("change", change);
    for (const event of waiting) this.#message(event);
    if (this.#waiting === null) this.#resolve();
    this.#emitter.emit("loaded", { cursor: this.#cursor });
  }

  /** @param {unknown} error */
  #failed(error) {
    this.#reject(error);
    this.#emitter.emit("error", error);
  }

  // -- for the page

  /** @type {(type: string, fn: Listener) => () => void} */
  on = (type, fn) => this.#emitter.on(type, fn);

  /** @type {(type: string, fn?: Listener) => void} */
  off = (type, fn) => this.#emitter.off(type, fn);

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reject(new TwinwireError("the state is closed"));
    this.#off();
    this.#handle.close();
  }
}

/**
 * What an event makes of the entries; null if nothing has changed.
 *
 * @param {Map<string, StateEntry<any>>} entries
 * @param {WireEvent} event
 * @returns {StateChange | null}
 */
function fold(entries, event) {
  const { topic, subject = "", type, id, time, data, append = false, final = false } = event;
  const key = keyOf(topic, subject);
  const before = entries.get(key) ?? null;
  if (!append && data === null) {
    if (before === null) return null;
    entries.delete(key);
    return { topic, subject, entry: null, previous: before };
  }
  const value = append && before !== null ? joined(before, data) : data;
  const parts = append && before !== null ? before.parts + 1 : 1;
  /** @type {StateEntry} */
  const entry = Object.freeze({ topic, subject, type, id, time, value, parts, final });
  entries.set(key, entry);
  return { topic, subject, entry, previous: before };
}

/**
 * Texts grow; of anything else there is a list.
 *
 * @param {StateEntry} before
 * @param {unknown} data
 */
function joined({ value, parts }, data) {
  if (typeof value === "string" && typeof data === "string") return value + data;
  return [...(parts > 1 && Array.isArray(value) ? value : [value]), data];
}

/**
 * What is another than before, the deleted first.
 *
 * @param {Map<string, StateEntry<any>>} before
 * @param {Map<string, StateEntry<any>>} after
 * @returns {StateChange[]}
 */
function differences(before, after) {
  const gone = [...before].filter(([key]) => !after.has(key));
  const come = [...after].filter(([key, { id }]) => before.get(key)?.id !== id);
  return [
    ...gone.map(([, previous]) => ({
      topic: previous.topic,
      subject: previous.subject,
      entry: null,
      previous,
    })),
    ...come.map(([key, entry]) => ({
      topic: entry.topic,
      subject: entry.subject,
      entry,
      previous: before.get(key) ?? null,
    })),
  ];
}
