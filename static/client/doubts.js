/**
 * Subjects of which a state has no value, and to which something is appended: their beginning may be among what
 * was removed. Each is asked for by itself, and what comes of it meanwhile waits; so one text that begins is one
 * small question, and not the whole state again. Pure.
 */

import { compareCursors } from "./cursor.js";
import { keyOf } from "./subjects.js";

/** @import { Cursor, WireEvent } from "./index.js" */

/** Subjects that are known to have no beginning; one beyond is asked for again. */
const CUT_MAX = 1_000;

/** @param {WireEvent} event */
const key = ({ topic, subject = "" }) => keyOf(topic, subject);

export class Doubts {
  /** What came of those that are asked for. @type {Map<string, WireEvent[]>} */
  #waiting = new Map();
  /** Those without a beginning: what is appended to them is nothing until they are replaced. @type {Set<string>} */
  #cut = new Set();

  /** Up to where what was told of a subject goes, while the stream is not there yet. @type {Map<string, Cursor>} */
  #told = new Map();

  /** How many events wait. */
  get waiting() {
    return [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether an event, of which each is asked in order, is not to be applied now. @param {WireEvent} event */
  holds(event) {
    if (this.#told.size > 0 && this.#wasTold(event)) return true;
    const waiting = this.#waiting.get(key(event));
    if (waiting === undefined) return this.#isCut(event);
    waiting.push(event);
    return true;
  }

  /** @param {WireEvent} event */
  #isCut(event) {
    if (event.append !== true) this.#cut.delete(key(event));
    return this.#cut.has(key(event));
  }

  /** @param {WireEvent} event */
  #wasTold(event) {
    for (const [subject, cursor] of this.#told)
      if ((compareCursors(event.id, cursor) ?? 1) > 0) this.#told.delete(subject);
    return this.#told.has(key(event));
  }

  /** Its subject is asked for. @param {WireEvent} event */
  begin(event) {
    this.#waiting.set(key(event), [event]);
  }

  /**
   * What is to be applied, now that it is known what the subject's value is made of at a cursor.
   *
   * @param {WireEvent} asked the event with which it was begun
   * @param {WireEvent[]} events
   * @param {Cursor} cursor
   * @returns {WireEvent[]}
   */
  end(asked, events, cursor) {
    const waiting = this.#waiting.get(key(asked)) ?? [];
    this.#waiting.delete(key(asked));
    this.#told.set(key(asked), cursor);
    /** @param {WireEvent} event */
    const isLater = ({ id }) => (compareCursors(id, cursor) ?? 1) > 0;
    const later = waiting.filter(isLater);
    // Without a value it was deleted since, or is one that lacks its beginning.
    const wasReplaced = waiting.some((event) => event.append !== true && !isLater(event));
    if (events.length > 0 || wasReplaced) return [...events, ...later];
    this.#cut.add(key(asked));
    if (this.#cut.size > CUT_MAX) this.#cut.delete([...this.#cut][0]);
    return later.filter((event) => !this.#isCut(event));
  }

  /** The state is fetched anew. */
  clear() {
    this.#waiting.clear();
    this.#cut.clear();
    this.#told.clear();
  }
}
