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
import { Doubts } from "./doubts.js";
import { Emitter } from "./emitter.js";
import { TwinwireError } from "./errors.js";
import { State } from "./states.js";
import { differences, fold, keyOf } from "./subjects.js";
import { TopicHandle } from "./topic.js";
import { readTopic, topicMatcher } from "./topics.js";

/** @import { Cursor, GapFrame, StateEntry, WireEvent } from "./index.js" */
/** @import { Environment, Settings } from "./internal.js" */
/** @import { Http } from "./http.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Stream } from "./stream.js" */

/** Events that may wait for a state: with more of them it is fetched again. */
const WAITING_MAX = 10_000;

/** No retry helps; of 401 the stream decides. @param {unknown} error */
const isFinal = (error) => error instanceof TwinwireError && [400, 403, 404, 422, 501].includes(error.status);

/** @typedef {{ entries: Map<string, StateEntry<any>>, cursor: Cursor, hasFloor: boolean }} Found */

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
  /** What came while the state is fetched; null if none is. @type {WireEvent[] | null} */
  #waiting = [];
  #isTooMuch = false;
  /** The position of the state that is being fetched, once it is known. @type {Cursor | null} */
  #coming = null;
  /** Grows with each fetch: an older one is void. */
  #run = 0;
  #isClosed = false;
  /** @type {TwinwireError | null} */
  #error = null;
  /** @type {Cursor | null} */
  #cursor = null;
  /** Something of the filter was removed before the state was fetched. */
  #hasFloor = false;
  #doubts = new Doubts();
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
    this.name = readTopic(filter);
    this.#handle = this.#hold();
    const offs = [
      stream.on(":auth", () => this.#check()),
      // With another token, or once what was wrong has passed.
      stream.on(":state", ({ state }) => state === State.LIVE && this.#error !== null && this.#load()),
      stream.on(":anomaly", ({ repaired }) => repaired === false && this.#load()),
    ];
    this.#off = () => offs.forEach((off) => off());
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready.catch(() => {}); // who does not ask is told by `error`
    this.#load();
  }

  #hold() {
    const handle = new TopicHandle(this.#stream, this.name);
    handle.on("*", (message) => this.#message(message));
    return handle;
  }

  /** The position that this is the state of; null before it is there. */
  get cursor() {
    return this.#cursor;
  }

  /** Whether it is being fetched: what is there may be out of date until then. */
  get loading() {
    return this.#waiting !== null;
  }

  /** Why it can't be had now: what is there is out of date. */
  get error() {
    return this.#error;
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
    if (this.#error !== null) return;
    if (message.topic === undefined) this.#load();
    else if (this.#waiting === null) this.#apply(message);
    else if (this.#isAhead(message)) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(message);
      else this.#isTooMuch = true;
    }
  }

  /** Whether it is not in the state that comes. @param {WireEvent} event */
  #isAhead({ id }) {
    const order = this.#coming === null ? null : compareCursors(id, this.#coming);
    return order === null || order > 0;
  }

  /** @param {WireEvent} event */
  #apply(event) {
    const order = this.#cursor === null ? 1 : compareCursors(event.id, this.#cursor);
    if (order === null) return void this.#load(); // another log
    if (order <= 0) return undefined;
    this.#cursor = event.id;
    if (event.subject === undefined) return undefined;
    if (this.#doubts.holds(event)) return void (this.#doubts.waiting > WAITING_MAX && this.#load());
    // Its beginning may be among what was removed: then the service has no value of it.
    const isUnknown = event.append === true && !this.has(event.topic, event.subject);
    if (isUnknown && this.#hasFloor) return void this.#ask(event, event.subject);
    return this.#fold(event);
  }

  /** @param {WireEvent} event */
  #fold(event) {
    const change = fold(this.#entries, event);
    if (change && !this.#isClosed) this.#emitter.emit("change", change);
  }

  /** What the value of one subject is. If that can't be told, the whole state will. @param {WireEvent} event @param {string} subject */
  async #ask(event, subject) {
    const run = this.#run;
    this.#doubts.begin(event);
    const found = await this.#http
      .state(event.topic, { join: "text", next: null, subject })
      .catch(() => null);
    if (run !== this.#run || this.#isClosed) return;
    if (found === null || found.more) return void this.#load();
    for (const one of this.#doubts.end(event, found.events, found.cursor)) this.#fold(one);
  }

  /** What the stream may not read any more it does not keep right. */
  #check() {
    const { topics } = this.#stream;
    if (topics.includes("**") || topics.includes(this.name)) return;
    if (!this.name.includes("*") && topicMatcher(topics)(this.name)) return;
    if (this.#error === null) this.#failed(new TwinwireError(`${this.name} may not be read any more`, 403));
  }

  // -- the state

  async #load() {
    const run = (this.#run += 1);
    this.#doubts.clear();
    const isOver = () => this.#isClosed || run !== this.#run;
    this.#error = null;
    while (!isOver()) {
      [this.#waiting, this.#isTooMuch, this.#coming] = [[], false, null];
      try {
        await this.#held();
        await this.#connected();
        const found = isOver() ? null : await this.#fetch(isOver);
        if (isOver()) return;
        if (found && !this.#isTooMuch) return this.#begin(found);
      } catch (error) {
        if (isOver()) return;
        const { state } = this.#stream;
        if (isFinal(error) || state === State.CLOSED || state === State.UNAUTHORIZED)
          return this.#failed(error);
      }
      await new Promise((resolve) => this.#env.setTimeout(() => resolve(null), this.#backoff.next()));
    }
  }

  /** Once the stream has the topic; if that is refused, it is asked for anew with the next try. */
  async #held() {
    try {
      await this.#handle.ready;
    } catch (error) {
      if (!this.#isClosed && this.#stream.state !== State.CLOSED) {
        this.#handle.close();
        this.#handle = this.#hold();
      }
      throw error;
    }
  }

  /** Once the stream stands somewhere: from there on it misses nothing. @returns {Promise<void>} */
  #connected() {
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const settle = () => {
        const isLost = stream.state === State.CLOSED || stream.state === State.UNAUTHORIZED;
        if (isLost || this.#isClosed) reject(new TwinwireError(`the stream is ${stream.state}`));
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
   * @param {() => boolean} isOver
   * @returns {Promise<Found | null>}
   */
  async #fetch(isOver) {
    /** @type {Map<string, StateEntry<any>>} */
    const entries = new Map();
    let next = null;
    let join = "text";
    for (;;) {
      try {
        const { events, cursor, ...rest } = await this.#http.state(this.name, { join, next });
        if (isOver()) return null;
        this.#coming = cursor;
        for (const event of events) fold(entries, event);
        if (!rest.more) return { entries, cursor, hasFloor: await this.#askFloor() };
        next = rest.next;
      } catch (error) {
        if (!(error instanceof TwinwireError)) throw error;
        if (error.status === 410) return null;
        if (error.status !== 413 || join === "") throw error;
        [next, join, this.#coming] = [null, "", null]; // a text too long to be one event: as it was appended
        this.#waiting = [];
        entries.clear();
      }
    }
  }

  /** Whether anything of it was ever removed. */
  async #askFloor() {
    const { floor } = await this.#http.history({ topics: [this.name], order: "desc", limit: 1 });
    return (floor ?? null) !== null;
  }

  /** @param {Found} found */
  #begin({ entries, cursor, hasFloor }) {
    const [run, before, waiting] = [this.#run, this.#entries, this.#waiting ?? []];
    [this.#entries, this.#cursor, this.#hasFloor, this.#waiting] = [entries, cursor, hasFloor, null];
    this.#backoff.reset();
    for (const change of differences(before, entries))
      if (!this.#isClosed) this.#emitter.emit("change", change);
    for (const event of waiting) this.#message(event);
    if (run !== this.#run || this.#isClosed) return; // what waited has begun another fetch
    this.#resolve();
    this.#emitter.emit("loaded", { cursor: this.#cursor });
  }

  /** @param {any} error */
  #failed(error) {
    this.#run += 1;
    this.#error = error;
    this.#waiting = null;
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
