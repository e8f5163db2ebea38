/** The rows of a live tail, in memory: so many are kept, and what is let go is counted. No DOM here. */

import { count, plural, rate } from "../shared/format.js";

/** @import { WireEvent } from "../../client/index.js" */

/** Rows that are kept, and as many again while it is paused. */
export const KEPT_MAX = 500;
/** Characters of their data, likewise: rows may be of 64 KiB each, or of more where that is allowed. */
export const CHARS_MAX = 4_000_000;
/** Seconds over which a rate is taken. */
const WINDOW = 10;

/**
 * One row. An event has its data as text, null if it is nested too deeply to be written; `isExact`: no number of it is
 * larger than this page can tell. A gap has words, and the cursor that follows them. A hole: events that came while it
 * was paused, and were let go.
 *
 * @typedef {{ kind: "event", id: string, topic: string, type: string, time: string, text: string | null, isExact: boolean }} EventRow
 * @typedef {{ kind: "gap", words: string, id: string | null }} GapRow
 * @typedef {{ kind: "hole", words: string }} HoleRow
 * @typedef {EventRow | GapRow | HoleRow} Content
 * @typedef {Content & { number: number }} Row
 */

/** Whether each number of it is what was published: JSON has more digits than numbers here. @param {unknown} data */
function isExact(data) {
  const rest = [data];
  for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
    if (
      typeof one === "number" &&
      (!Number.isFinite(one) || (Number.isInteger(one) && !Number.isSafeInteger(one)))
    )
      return false;
    if (typeof one === "object" && one !== null) for (const part of Object.values(one)) rest.push(part);
  }
  return true;
}

/** As a row has it. @param {WireEvent} event @returns {EventRow} */
export function rowOf({ id, topic, type, time, data }) {
  let text = null;
  try {
    text = JSON.stringify(data);
  } catch {
    // deeper than this engine goes
  }
  return { kind: "event", id, topic, type, time, text, isExact: isExact(data) };
}

/** Rows in a line, of which the oldest are let go. */
class Line {
  /** Oldest first. @type {Row[]} */
  rows = [];
  /** What was let go. */
  gone = { events: 0, gaps: 0 };
  #chars = 0;

  /** @param {Row} row */
  push(row) {
    this.rows.push(row);
    this.#chars += sizeOf(row);
    while (this.rows.length > KEPT_MAX || (this.#chars > CHARS_MAX && this.rows.length > 1)) this.#drop();
  }

  #drop() {
    const row = this.rows.shift();
    if (row === undefined) return;
    this.#chars -= sizeOf(row);
    if (row.kind === "event") this.gone.events += 1;
    if (row.kind === "gap") this.gone.gaps += 1;
  }
}

/** @param {Row} row */
const sizeOf = (row) => (row.kind === "event" ? (row.text?.length ?? 0) : 0);

/** How many a second, over the last ten of them. Times are milliseconds that nobody sets. */
export class Rate {
  #began;
  /** By second, the newest last. @type {{ second: number, count: number }[]} */
  #slots = [];

  /** @param {number} now */
  constructor(now) {
    this.#began = now;
  }

  /** @param {number} now */
  add(now) {
    const second = Math.floor(now / 1_000);
    const newest = this.#slots.at(-1);
    if (newest?.second === second) newest.count += 1;
    else this.#slots.push({ second, count: 1 });
    if (this.#slots.length > WINDOW) this.#slots.shift();
  }

  /** @param {number} now */
  of(now) {
    const oldest = Math.floor(now / 1_000) - WINDOW;
    const came = this.#slots.reduce((sum, slot) => (slot.second > oldest ? sum + slot.count : sum), 0);
    return came / Math.min(WINDOW, Math.max(1, (now - this.#began) / 1_000));
  }
}

export class TailStore {
  #shown = new Line();
  /** What came since it is paused. @type {Line | null} */
  #held = null;
  #number = 0;
  /** Events that came, and those that the type or the moment left out. */
  came = 0;
  others = 0;

  /** To be seen, oldest first. */
  get rows() {
    return this.#shown.rows;
  }

  get isPaused() {
    return this.#held !== null;
  }

  /** @param {Content} row */
  add(row) {
    if (row.kind === "event") this.came += 1;
    (this.#held ?? this.#shown).push(this.#numbered(row));
  }

  /** @param {Content} row @returns {Row} */
  #numbered(row) {
    this.#number += 1;
    return { ...row, number: this.#number };
  }

  pause() {
    this.#held ??= new Line();
  }

  /** Show what was held, and say what of it was let go. */
  goOn() {
    const held = this.#held;
    this.#held = null;
    if (held === null) return;
    const words = lost(held.gone);
    if (words)
      this.#shown.push(
        this.#numbered({ kind: "hole", words: `${words} came while this was paused, and had to be let go.` }),
      );
    for (const { number: _, ...row } of held.rows) this.#shown.push(this.#numbered(row));
  }

  /** Nothing is kept of what came so far. A pause goes on. */
  clear() {
    this.#shown = new Line();
    if (this.#held !== null) this.#held = new Line();
    this.came = 0;
    this.others = 0;
  }

  /**
   * What there is, in words.
   *
   * @param {number} perSecond
   */
  words(perSecond) {
    const { rows, gone } = this.#shown;
    const parts = [`${plural(this.came, "event")}, ${rate(perSecond)}`];
    if (this.others > 0) parts.push(`${plural(this.others, "other")} left out`);
    if (gone.events + gone.gaps > 0) parts.push(`the newest ${count(rows.length)} are kept here`);
    if (this.#held !== null) {
      const away = lost(this.#held.gone);
      parts.push(`${count(this.#held.rows.length)} held back${away ? `, ${away} let go` : ""}`);
    }
    return parts.join(" · ");
  }
}

/** @param {{ events: number, gaps: number }} gone */
function lost({ events, gaps }) {
  const parts = [events > 0 ? plural(events, "event") : "", gaps > 0 ? plural(gaps, "gap") : ""];
  return parts.filter(Boolean).join(" and ");
}

/** Characters of an event's data that a row shows in its line, and at first when it is opened. */
export const PREVIEW = 160;
export const CUT = 4_000;
/** How deep JSON is set in: what is deeper would be mostly blanks. */
const DEEP = 32;

/** How deep the JSON is. @param {string} text */
export function depthOf(text) {
  let [depth, deepest, isString] = [0, 0, false];
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at];
    if (isString) {
      if (one === "\\") at += 1;
      else if (one === '"') isString = false;
    } else if (one === '"') isString = true;
    else if (one === "[" || one === "{") deepest = Math.max(deepest, (depth += 1));
    else if (one === "]" || one === "}") depth -= 1;
  }
  return deepest;
}

/** Set in, to be read by people; as it is if it is too deep for that. @param {string} text */
export const setIn = (text) => (depthOf(text) > DEEP ? text : JSON.stringify(JSON.parse(text), null, 2));
