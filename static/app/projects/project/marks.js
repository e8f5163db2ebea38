/**
 * The lines of a text at which others are: what was heard of their cursors, for as long as it is fresh. No DOM here.
 *
 * Anybody who may be here may say that a cursor is somebody's. So it is taken for that of a member only if the service
 * says that its sender is that member's user; those whom it does not know could only be each other.
 */

/** @import { Person } from "./people.js" */

/** A cursor that has not moved for so long is not shown any more, milliseconds. */
export const FRESH = 5_000;
/** Cursors that are remembered at once, the newest ones. */
export const KEPT_MAX = 200;
/** Names that are shown in a file at once. */
const SHOWN_MAX = 24;

/** As it comes, a cursor event's data. @typedef {{ member: string, run: number, file: string, line: number }} Cursor */
/** At a line, who is there. @typedef {{ line: number, people: Person[] }} Mark */

/** @param {unknown} data @returns {Cursor | null} */
export function cursorOf(data) {
  const { member, run, file, line } = /** @type {Record<string, unknown>} */ (data ?? {});
  if (typeof member !== "string" || typeof file !== "string") return null;
  if (!Number.isSafeInteger(run) || !Number.isSafeInteger(line)) return null;
  return { member, run: Number(run), file, line: Number(line) };
}

export class Marks {
  /** By user and member, in the order in which they were heard of. @type {Map<string, Cursor & { user: string | null, at: number }>} */
  #heard = new Map();

  /**
   * A cursor has moved; `user` is who the service says has sent it, null if it does not know. Line 0: it has left the
   * text. Returns whether that could be read.
   *
   * @param {unknown} data
   * @param {string | null} user
   * @param {number} now milliseconds
   */
  hear(data, user, now) {
    const cursor = cursorOf(data);
    if (cursor === null) return false;
    const key = JSON.stringify([user, cursor.member]);
    this.#heard.delete(key);
    if (cursor.line > 0) this.#heard.set(key, { ...cursor, user, at: now });
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > KEPT_MAX) this.#heard.delete(oldest);
    return true;
  }

  /** Nothing is known any more of where anybody is. */
  clear() {
    this.#heard.clear();
  }

  /**
   * Where people are in a file of a run, by line. Who is not here is nowhere, nor is oneself: in another tab one knows
   * where one is.
   *
   * @param {{ run: number, file: string }} shown
   * @param {readonly Person[]} people
   * @param {number} now milliseconds
   * @returns {Mark[]}
   */
  in({ run, file }, people, now) {
    /** @type {Map<string, Person>} */
    const byMember = new Map();
    for (const one of people)
      if (one.kind === "person" && !one.isSelf)
        for (const member of one.members) byMember.set(JSON.stringify([one.user, member]), one);
    /** @type {Map<number, Person[]>} */
    const lines = new Map();
    /** @type {Set<Person>} */
    const found = new Set();
    for (const [key, cursor] of [...this.#heard].reverse()) {
      if (now - cursor.at >= FRESH) {
        this.#heard.delete(key);
        continue;
      }
      const person = byMember.get(key);
      if (person === undefined || found.has(person) || cursor.run !== run || cursor.file !== file) continue;
      if (found.size >= SHOWN_MAX) break;
      found.add(person);
      lines.set(cursor.line, [...(lines.get(cursor.line) ?? []), person]);
    }
    return [...lines].map(([line, at]) => ({ line, people: at })).sort((a, b) => a.line - b.line);
  }

  /** Milliseconds until the oldest is to go; null: there is none. @param {number} now */
  left(now) {
    const [oldest] = this.#heard.values();
    return oldest === undefined ? null : Math.max(0, oldest.at + FRESH - now);
  }
}

/** Where the lines of a text begin. */
export class Lines {
  /** @type {number[]} */
  #starts = [0];
  #text = "";

  /** Look at this text from now on. @param {string} text */
  of(text) {
    if (text === this.#text) return this;
    this.#text = text;
    this.#starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
    return this;
  }

  /** Those that are read as lines: what follows a last line break is none. */
  get count() {
    const last = this.#starts.length;
    return this.#starts[last - 1] === this.#text.length ? last - 1 : last;
  }

  /** The line, from 1, in which a character is. @param {number} offset */
  at(offset) {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return Math.min(low + 1, Math.max(1, this.count));
  }

  /** Where a line begins; null if there is no such line. @param {number} line */
  start(line) {
    return line >= 1 && line <= this.count ? this.#starts[line - 1] : null;
  }
}
