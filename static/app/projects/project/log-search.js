/**
 * What a search finds in all of a log, and not in what happens to be on the page: the server looks through it, in steps,
 * and what comes live is looked at here. A line's number leads to where it stands.
 */

import { byId, h, setText, show } from "../../shared/dom.js";
import { count, plural } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { PLAIN, plainText } from "./ansi.js";
import { createTimes, lineRow } from "./line-row.js";

/** @import { LogPage, Run } from "../types.js" */
/** @import { Line, RunLog } from "./run-log.js" */

/** Found lines on the page at once; more are fetched when somebody asks. */
const STEP = 100;
/** While one types, milliseconds. */
const SETTLE = 200;

/** @typedef {{ after: number, limit: number, search: string }} Wanted */

export class LogSearch {
  #fetch;
  #failed;
  #drawn;
  #isOver;
  #list = byId("log-found");
  /** @type {RunLog | null} */
  #log = null;
  /** @type {Run["kind"]} */
  #kind = "command";
  #search = "";
  #level = "";
  #turn = 0;
  /** Where the server goes on. */
  #after = 0;
  #looked = 0; // lines that were looked at live, up to which one
  #isWhole = false; // up to what comes live
  #found = 0;
  #most = STEP; // are shown before somebody asks for more
  /** @type {number | undefined} */
  #timer;
  #more = h("button", {
    class: "button button--quiet button--small logs__more",
    type: "button",
    hidden: true,
  });
  #live = batched(() => this.#lookAtLive());

  /**
   * `fetch` asks for lines of the run that is shown; `shown(isSearch)` is called when the log gives place or is back,
   * `drawn()` after found lines were added; `isOver()`: whether nothing more comes to the log.
   *
   * @param {{ fetch(wanted: Wanted): Promise<LogPage>, failed(error: unknown): void, shown(isSearch: boolean): void, drawn(): void, isOver(): boolean }} around
   */
  constructor({ fetch, failed, shown, drawn, isOver }) {
    this.#fetch = fetch;
    this.#failed = failed;
    this.#drawn = drawn;
    this.#isOver = isOver;
    this.shown = shown;
    this.#list.after(this.#more);
    this.#more.addEventListener("click", () => this.#step(this.#turn));
    byId("log-search").addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.start(), SETTLE);
    });
    byId("log-level").addEventListener("change", () => this.start());
  }

  /** @param {RunLog | null} log @param {Run["kind"]} kind */
  of(log, kind) {
    this.#log = log;
    this.#kind = kind;
    show(byId("log-level"), kind === "generation");
    this.start();
  }

  get isOn() {
    return this.#search !== "" || this.#level !== "";
  }

  /** The log itself again. */
  clear() {
    byId("log-search", HTMLInputElement).value = "";
    byId("log-level", HTMLSelectElement).value = "";
    this.start();
  }

  start() {
    this.#turn += 1;
    this.#search = byId("log-search", HTMLInputElement).value.trim();
    this.#level = this.#kind === "generation" ? byId("log-level", HTMLSelectElement).value : "";
    this.#list.replaceChildren();
    this.#after = 0;
    this.#found = 0;
    this.#isWhole = false;
    this.#looked = this.#log?.ended ?? 0;
    this.#more.hidden = true;
    this.shown(this.isOn);
    setText(byId("found-number"), "");
    setText(byId("found-of"), "");
    if (this.isOn && this.#log !== null) this.#step(this.#turn);
  }

  /** As many as are shown at once, however long the log is. @param {number} turn */
  async #step(turn) {
    this.#more.disabled = true;
    this.#most = this.#found + STEP;
    try {
      while (!this.#isWhole && this.#found < this.#most) {
        this.#say("Searching…");
        const page = await this.#fetch({ after: this.#after, limit: STEP, search: this.#search });
        if (turn !== this.#turn) return;
        this.#take(page);
      }
      this.#lookAtLive();
    } catch (error) {
      if (turn === this.#turn) this.#failed(error);
    }
    if (turn !== this.#turn) return;
    this.#more.disabled = false;
    this.#rest();
  }

  /** What is there is shown, and a way to the rest. */
  #rest() {
    show(this.#more, !this.#isWhole);
    setText(this.#more, "Search on");
    this.#say("");
  }

  /** @param {LogPage} page */
  #take({ lines, next, more }) {
    const after = next ?? lines.at(-1)?.line ?? this.#after;
    this.#isWhole = !more || after <= this.#after;
    this.#after = after;
    this.#add(lines.map((line) => ({ stage: null, agent: null, ...line, level: line.level ?? "info" })));
  }

  /** @param {Line[]} lines */
  #add(lines) {
    const fitting = lines.filter(({ level }) => this.#level === "" || level === this.#level);
    this.#found += fitting.length;
    const run = this.#log?.number ?? 0;
    const look = { run, style: PLAIN, search: this.#search, isHere: false, times: createTimes() };
    this.#list.append(...fitting.map((line) => lineRow(line, { ...look, stage: line.stage ?? "" }).row));
    if (fitting.length > 0) this.#drawn();
  }

  /** The log has grown. */
  changed() {
    if (this.isOn) this.#live();
  }

  /**
   * What has come since the search began, and was perhaps found by the server, too. A line is looked at when it has ended;
   * where there are as many as are shown at once, the server goes on when somebody asks.
   */
  #lookAtLive() {
    if (!this.#isWhole || !this.isOn || this.#log === null) return;
    const log = this.#log;
    const last = Number(this.#list.lastElementChild?.querySelector(".line__number")?.textContent ?? 0);
    const end = this.#isOver() ? log.count : log.ended;
    const from = Math.max(this.#looked, last);
    const fitting = [...log.after(from, end)].filter((line) => this.#fits(line));
    const taken = fitting.slice(0, Math.max(0, this.#most - this.#found));
    this.#isWhole = taken.length === fitting.length;
    this.#looked = this.#isWhole ? Math.max(from, end) : fitting[taken.length].line - 1;
    if (!this.#isWhole) this.#after = this.#looked;
    this.#add(taken);
    this.#rest();
  }

  /** @param {Line} line */
  #fits({ text, level }) {
    if (this.#level !== "" && level !== this.#level) return false;
    return plainText(text).toLowerCase().includes(this.#search.toLowerCase());
  }

  /** The total may grow with every frame: it is beside what screen readers are told. @param {string} doing */
  #say(doing) {
    const total = plural(this.#log?.count ?? 0, "line");
    const over = this.#isWhole ? `all ${total}` : `${total} so far`;
    setText(byId("found-number"), doing || `${count(this.#found)} found`);
    setText(byId("found-of"), doing ? "" : ` in ${over}`);
    show(byId("found-empty"), doing === "" && this.#found === 0);
    setText(byId("found-empty"), `None of ${total} matches.`);
  }
}
