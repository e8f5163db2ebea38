/**
 * Log lines in memory, oldest first, bounded; the rest of the past is in the server's history. No DOM here.
 */

import { hasWords, wordsOf } from "../../shared/words.js";

/** @import { Line, Past, ProjectEvent } from "../types.js" */

/** Lines kept in memory: about 5 MB. */
export const KEPT_MAX = 20_000;
/** Lines let go at once when there are too many, so that this happens rarely. */
const LET_GO = 2_000;

export class LogStore {
  /** @type {Line[]} */
  lines = [];
  /** The next `before` for the history; `more`: whether anything is there. @type {string | null} */
  older = null;
  more = false;

  /** The newest page of history (`events` newest first), the start of everything. @param {Past} page */
  load(page) {
    this.lines = page.events.map(toLine).reverse();
    this.older = page.cursor;
    this.more = page.more;
  }

  /** A page of history before the oldest line, `events` newest first. @param {Past} page */
  prepend(page) {
    this.lines = [...page.events.map(toLine).reverse(), ...this.lines];
    this.older = page.cursor;
    this.more = page.more;
  }

  /** A live event. Returns its line. @param {ProjectEvent} event */
  append(event) {
    const line = toLine(event);
    this.lines.push(line);
    if (this.lines.length > KEPT_MAX) {
      this.lines.splice(0, LET_GO);
      this.older = this.lines[0].id;
      this.more = true;
    }
    return line;
  }
}

/**
 * @param {ProjectEvent} event
 * @returns {Line}
 */
function toLine(event) {
  const { level = "info", message = "", agent = null } = event.type === "log" ? event.data : {};
  return { id: event.id, time: event.time, level, message: String(message), agent };
}

/**
 * A test for lines: `level` exactly, `agent` exactly, every word of `search` somewhere in the text. Empty
 * means all.
 *
 * @param {{ level: string, agent: string, search: string }} wanted
 * @returns {(line: Line) => boolean}
 */
export function lineFilter({ level, agent, search }) {
  const words = wordsOf(search);
  return (line) => {
    if (level && line.level !== level) return false;
    if (agent && line.agent !== agent) return false;
    return words.length === 0 || hasWords(`${line.agent ?? ""} ${line.message}`, words);
  };
}

/**
 * Cut `text` at the matches of the search words: [piece, isMatch] in order.
 *
 * @param {string} text
 * @param {string} search
 * @returns {[piece: string, isMatch: boolean][]}
 */
export function marked(text, search) {
  const words = wordsOf(search);
  if (words.length === 0) return [[text, false]];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text
    .split(new RegExp(`(${escaped.join("|")})`, "gi"))
    .map((piece, index) => /** @type {[string, boolean]} */ ([piece, index % 2 === 1]))
    .filter(([piece]) => piece !== "");
}
