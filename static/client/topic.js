/**
 * One topic, or filter, of a stream, with listeners of its own: for a part of a page that knows nothing of the
 * others. It is added to the stream's topics when it is made, and taken away again, if it was, when the last
 * handle of it closes.
 */

import { Emitter } from "./emitter.js";
import { State } from "./states.js";
import { oneTopic, readTopic, topicMatcher } from "./topics.js";

/** @import { Cursor, Draft, EphemeralOptions, GapFrame, WireEvent } from "./index.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Stream } from "./stream.js" */

/** Of a topic that a stream has because of handles alone: how many hold it, and when the stream has it. */
/** @typedef {{ count: number, ready: Promise<{ id: Cursor | null }> }} Held */

/** @type {WeakMap<Stream, Map<string, Held>>} */
const HELD = new WeakMap();

/** @param {Stream} stream */
function heldBy(stream) {
  const held = HELD.get(stream) ?? new Map();
  HELD.set(stream, held);
  return held;
}

/**
 * Whether the stream has it by itself. What another handle has brought may go with that; and what one filter has of
 * another is not worth finding out: to ask for a topic twice costs nothing.
 *
 * @param {Stream} stream
 * @param {string} name
 */
function isOwn(stream, name) {
  const own = stream.topics.filter((topic) => !heldBy(stream).has(topic));
  if (own.includes(name) || own.includes("**")) return true;
  return !name.includes("*") && topicMatcher(own)(name);
}

export class TopicHandle {
  #stream;
  #emitter = new Emitter();
  #off;
  #isHeld;
  #isClosed = false;
  /** What ends listeners of events that are not kept. @type {Set<() => void>} */
  #heard = new Set();
  /** Resolves with the position from which the stream has this topic; rejects if it can't. */
  ready;

  /**
   * @param {Stream} stream
   * @param {string} filter
   */
  constructor(stream, filter) {
    this.#stream = stream;
    this.name = readTopic(filter);
    const matches = topicMatcher([this.name]);
    this.#off = stream.on("*", (message) => {
      if (message.topic === undefined || matches(message.topic)) this.#tell(message);
    });
    this.#isHeld = !isOwn(stream, this.name);
    this.ready = this.#isHeld ? this.#hold() : Promise.resolve({ id: stream.cursor });
    this.ready.catch(() => {}); // who does not ask is told by the stream
  }

  /** The first that holds it asks for it. */
  #hold() {
    const held = heldBy(this.#stream);
    const before = held.get(this.name);
    const isThere = before !== undefined && this.#stream.topics.includes(this.name);
    const ready = isThere ? before.ready : this.#stream.subscribe(this.name);
    held.set(this.name, { count: (before?.count ?? 0) + 1, ready });
    // What was refused is not handed on to the next that asks.
    ready.catch(() => held.get(this.name)?.ready === ready && held.delete(this.name));
    return ready;
  }

  /** @param {WireEvent | GapFrame} message */
  #tell(message) {
    this.#emitter.emit(message.type, message);
    this.#emitter.emit("*", message);
  }

  /** @param {string} type */
  static #checked(type) {
    if (type.startsWith(":")) throw new TypeError(`${type} is the stream's: stream.on("${type}", ...)`);
    return type;
  }

  /** @type {(type: string, fn: Listener) => () => void} */
  on(type, fn) {
    return this.#emitter.on(TopicHandle.#checked(type), fn);
  }

  /** @type {(type: string, fn: Listener) => () => void} */
  once(type, fn) {
    return this.#emitter.once(TopicHandle.#checked(type), fn);
  }

  /** @type {(type: string, fn?: Listener) => void} */
  off(type, fn) {
    this.#emitter.off(type, fn);
  }

  /** @type {(type: string, fn: Listener) => () => void} */
  hear(type, fn) {
    const off = this.#stream.hear(type, fn, topicMatcher([this.name]));
    this.#heard.add(off);
    return () => {
      this.#heard.delete(off);
      off();
    };
  }

  /** @type {(type: string, data: unknown, options?: EphemeralOptions) => Promise<void>} */
  ephemeral(type, data, options) {
    return this.#stream.ephemeral(this.name, type, data, options);
  }

  /** @param {Omit<Draft, "topic">} draft */
  async publish(draft) {
    return this.#stream.publish({ ...draft, topic: oneTopic(this.name) });
  }

  /** @param {{ [parameter: string]: unknown }} query */
  history(query = {}) {
    return this.#stream.history({ ...query, topics: this.name });
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#off();
    for (const off of this.#heard) off();
    this.#heard.clear();
    if (!this.#isHeld) return;
    const held = heldBy(this.#stream);
    const found = held.get(this.name);
    if (found === undefined) return;
    const { count, ready } = found;
    if (count > 1) return void held.set(this.name, { count: count - 1, ready });
    held.delete(this.name);
    if (this.#stream.state !== State.CLOSED) this.#stream.unsubscribe(this.name).catch(() => {});
  }
}
