/**
 * The log of one run: its lines by number, of which a part is in memory, and the sections that its stages make of them.
 *
 * Lines never change, but for the last one, which may not have ended yet. They are kept in pages of PAGE lines; the page
 * at the end is always there, because what comes live is added to it; of the others those that were looked at last.
 * No DOM here.
 */

import { Since } from "./since.js";

/** @import { LogLine, LogPage, ProjectEvent, ProjectEvents, RunStage } from "../types.js" */

export const PAGE = 200;
/** Pages in memory: 20,000 lines. */
export const PAGES_MAX = 100;
/** Lines that the server is asked for at once when the log is loaded. */
const FETCHED = 1_000;
/** Characters of a line that are kept: a progress bar without an end is one line. */
export const LINE_MAX = 65_536;

/** @typedef {{ line: number, stage: string | null, time: string, level: string, agent: string | null, text: string }} Line */
/** @typedef {{ after: number, limit: number, search?: string }} Wanted */
/** @typedef {{ stage: RunStage | null, first: number, last: number }} Section empty if `last` comes before `first` */

/** @param {number} line */
export const pageOf = (line) => Math.floor((line - 1) / PAGE);

export class RunLog {
  /** The run's. */
  number;
  count = 0;
  /** @type {RunStage[]} */
  stages = [];
  /** Whether it was loaded. */
  isThere = false;
  /** The line that the address names; 0 for none. */
  here = 0;
  #fetch;
  #changed;
  /** @type {Map<number, Line[]>} */
  #pages = new Map();
  /** Pages that were asked for. @type {Set<number>} */
  #asked = new Set();
  /** Pages of which the server has nothing: its log was let go of since it was loaded. @type {Set<number>} */
  #empty = new Set();
  #isOpen = false; // the last line has not ended
  #since = new Since((event) => this.#apply(event));

  /**
   * `fetch` asks the server for lines; `changed(from, to)` is called when lines are new or others, and from 0 when all
   * may be.
   *
   * @param {number} number
   * @param {(wanted: Wanted) => Promise<LogPage>} fetch
   * @param {(from: number, to: number) => void} changed
   */
  constructor(number, fetch, changed) {
    this.number = number;
    this.#fetch = fetch;
    this.#changed = changed;
  }

  /** The end of it, of which the server says that it is about line `count`. @param {number} count */
  async load(count) {
    const from = Math.max(0, (pageOf(Math.max(1, count)) - 1) * PAGE);
    const isTaken = await this.#since.load(
      () => this.#readOn(from),
      ({ lines, unfinished = false }) => {
        this.#pages.clear();
        this.#asked.clear();
        this.#empty.clear();
        this.count = lines.at(-1)?.line ?? 0;
        for (const line of lines) this.#put(line);
        this.#isOpen = unfinished;
        this.isThere = true;
      },
    );
    if (isTaken) this.#changed(0, Infinity);
  }

  /** All lines after `from`. @param {number} from @returns {Promise<LogPage>} */
  async #readOn(from) {
    /** @type {LogLine[]} */
    const lines = [];
    for (let after = from; ;) {
      const answer = await this.#fetch({ after, limit: FETCHED });
      lines.push(...answer.lines);
      const next = answer.next ?? answer.lines.at(-1)?.line ?? after;
      if (!answer.more || next <= after) return { ...answer, lines };
      after = next;
      if (lines.length > PAGES_MAX * PAGE) lines.splice(0, lines.length - PAGE); // it grows faster than it is read
    }
  }

  /** The last line that has ended; 0 for none. */
  get ended() {
    return this.#isOpen ? this.count - 1 : this.count;
  }

  /** @param {number} line @returns {Line | undefined} */
  line(line) {
    return this.#pages.get(pageOf(line))?.[(line - 1) % PAGE];
  }

  /** Whether a page is in memory; if not it is asked for. @param {number} page */
  has(page) {
    const lines = this.#pages.get(page);
    if (lines) {
      this.#pages.delete(page); // the last to be looked at is the last to go
      this.#pages.set(page, lines);
      return true;
    }
    return false;
  }

  /** Ask for a page that is not there. Throws what the fetch throws. @param {number} page */
  async want(page) {
    if (this.#pages.has(page) || this.#asked.has(page) || this.#empty.has(page)) return;
    this.#asked.add(page);
    const asked = this.#asked;
    try {
      const lines = [];
      for (let after = page * PAGE; ;) {
        const answer = await this.#fetch({ after, limit: (page + 1) * PAGE - after });
        lines.push(...answer.lines); // an answer may have fewer than it was asked for: it has a bound in characters
        const next = lines.at(-1)?.line ?? after;
        if (!answer.more || next <= after || next >= (page + 1) * PAGE) break;
        after = next;
      }
      if (asked !== this.#asked || !asked.has(page)) return; // it was loaded anew meanwhile
      for (const line of lines) if (pageOf(line.line) === page) this.#put(line);
      if (!this.#pages.has(page)) {
        this.#empty.add(page); // who drew it again would only ask for it again
        return;
      }
      this.#changed(page * PAGE + 1, (page + 1) * PAGE);
    } finally {
      asked.delete(page);
    }
  }

  /** @param {ProjectEvent} event */
  receive(event) {
    if (isOf(event, this.number)) this.#since.receive(event);
  }

  /**
   * The lines after `line` up to `last`, as far as they came live.
   *
   * @param {number} line
   * @param {number} last
   */
  *after(line, last) {
    for (let at = line + 1; at <= last; at += 1) {
      const found = this.line(at);
      if (found) yield found;
    }
  }

  /** @param {LogLine} line */
  #put({ line, stage = null, time, level, agent = null, text }) {
    const page = pageOf(line);
    const lines = this.#pages.get(page) ?? [];
    this.#empty.delete(page);
    lines[(line - 1) % PAGE] = { line, stage, time, level: level ?? "info", agent, text: shortened(text) };
    this.#pages.set(page, lines);
    if (this.#pages.size <= PAGES_MAX) return;
    const end = pageOf(this.count);
    for (const old of this.#pages.keys())
      if (old !== page && old < end) {
        this.#pages.delete(old);
        return;
      }
  }

  /** @param {ProjectEvent} event */
  #apply({ type, data, time, subject }) {
    if (type === "log") this.#log(data, time);
    else if (type === "run_output") this.#output(data.text, data.line, data.stage, time);
    else if (type === "output") {
      const stage = this.stages.find((one) => `output/${one.number}` === subject)?.name ?? null;
      this.#output(data, this.#isOpen ? this.count : this.count + 1, stage, time);
    }
  }

  /**
   * What an agent has logged is a line of its own, whatever it holds.
   *
   * @param {ProjectEvents["log"]} data
   * @param {string} time
   */
  #log({ level = "info", message = "", agent = null, stage }, time) {
    const line = this.count + 1;
    const name = this.stages.find((one) => one.number === stage)?.name ?? agent;
    this.count = line;
    this.#put({ line, stage: name, time, level, agent, text: message });
    this.#isOpen = false;
    this.#begin(line, (one) => one.number === stage);
    this.#changed(line, line);
  }

  /**
   * Text that goes on with line `line`, or begins there.
   *
   * @param {string} text
   * @param {number} first
   * @param {string | null} stage
   * @param {string} time
   */
  #output(text, first, stage, time) {
    if (first > this.count + 1 || first < this.count || text === "") return;
    const parts = text.split("\n");
    const isWhole = parts.at(-1) === "";
    if (isWhole) parts.pop();
    for (const [index, part] of parts.entries()) {
      const line = first + index;
      const before = line === this.count ? (this.line(line)?.text ?? "") : "";
      this.count = line;
      this.#put({ line, stage, time, level: "info", agent: null, text: before + part });
    }
    this.#isOpen = !isWhole;
    this.#begin(first, (one) => one.name === stage && one.status !== "completed");
    this.#changed(first, this.count);
  }

  /**
   * A stage of which the first line is seen before the server was asked where it begins.
   *
   * @param {number} line
   * @param {(stage: RunStage) => boolean} isThat
   */
  #begin(line, isThat) {
    const stage = this.stages.findLast(isThat);
    if (stage && stage.first_line === null) stage.first_line = line;
  }

  /** @returns {Section[]} */
  sections() {
    return sectionsOf(this.stages, this.count);
  }
}

/**
 * Whether an event is of this run's log.
 *
 * @param {ProjectEvent} event
 * @param {number} number
 */
function isOf({ type, data }, number) {
  if (type === "output") return true; // a project has one generation at a time: the page gives it to that one alone
  return (type === "log" || type === "run_output") && data.run === number;
}

/** Without what is overwritten anyway, and at most as long as is kept. @param {string} text */
function shortened(text) {
  if (text.length <= LINE_MAX) return text;
  const last = text.lastIndexOf("\r", text.length - 2);
  const state = last > 0 ? text.lastIndexOf("\r", last - 1) : -1;
  return (state > 0 ? text.slice(state) : text).slice(0, LINE_MAX);
}

/**
 * The parts of a log, in order: what comes before the first stage, and each stage that has begun.
 *
 * @param {readonly RunStage[]} stages
 * @param {number} count
 * @returns {Section[]}
 */
export function sectionsOf(stages, count) {
  const begun = stages
    .filter(({ first_line, status }) => first_line !== null || status === "started" || status === "failed")
    .map((stage) => ({ stage, first: stage.first_line ?? count + 1 }))
    .sort((one, other) => one.first - other.first || one.stage.number - other.stage.number);
  /** @type {Section[]} */
  const sections = begun.map((one, index) => ({
    ...one,
    last: Math.min(count, (begun[index + 1]?.first ?? count + 1) - 1),
  }));
  const first = sections[0]?.first ?? count + 1;
  return first > 1 && count > 0
    ? [{ stage: null, first: 1, last: Math.min(first - 1, count) }, ...sections]
    : sections;
}
