/**
 * One topic, or filter, of a stream, with listeners of its own: for a part of a page that knows nothing of the
 * others. It is added to the stream's topics when it is made, and taken away again, if it was, when the last
 * handle of it closes.
 */

import { TwinwireError } from "./errors.js";
import { Emitter } from "./emitter.js";
import { readTopics, topicMatcher } from "./topics.js";

/** @import { Draft, GapFrame, WireEvent } from "./index.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Stream } from "./stream.js" */

/** How many handles of each stream hold a topic that the stream had not. @type {WeakMap<Stream, Map<string, number>>} */
const HELD = new WeakMap();

/** @param {Stream} stream */
function heldBy(stream) {
  const held = HELD.get(stream) ?? new Map();
  HELD.set(stream, held);
  return held;
}

export class TopicHandle {
  #stream;
  #emitter = new Emitter();
  #off;
  #isHeld;
  #isClosed = false;
  /** Resolves with the position from which the stream has this topic; rejects if it can't. */
  ready;

  /**
   * @param {Stream} stream
   * @param {string} filter
   */
  constructor(stream, filter) {
    const [name] = readTopics(filter) ?? ["**"];
    this.#stream = stream;
    this.name = name ?? "**";
    const matches = topicMatcher([this.name]);
    this.#off = stream.on("*", (message) => {
      if (message.topic === undefined || matches(message.topic)) this.#tell(message);
    });
    const held = heldBy(stream);
    const isThere = topicMatcher(stream.topics)(this.name);
    this.#isHeld = held.has(this.name) || !isThere;
    if (this.#isHeld) held.set(this.name, (held.get(this.name) ?? 0) + 1);
    this.ready = isThere ? Promise.resolve({ id: stream.cursor }) : stream.subscribe(this.name);
    this.ready.catch(() => {}); // who does not ask is told by the stream
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

  /** @param {Omit<Draft, "topic">} draft */
  async publish(draft) {
    if (this.name.includes("*"))
      throw new TwinwireError(`not one topic: ${this.name}`, 422, { field: "topic" });
    return this.#stream.publish({ ...draft, topic: this.name });
  }

  /** @param {{ [parameter: string]: unknown }} query */
  history(query = {}) {
    return this.#stream.history({ ...query, topics: this.name });
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#off();
    if (!this.#isHeld) return;
    const held = heldBy(this.#stream);
    const left = (held.get(this.name) ?? 1) - 1;
    if (left > 0) return void held.set(this.name, left);
    held.delete(this.name);
    if (this.#stream.state !== "closed") this.#stream.unsubscribe(this.name).catch(() => {});
  }
}
