/**
 * The log of the run that is shown: its sections, at the end while people follow, or anywhere when they read.
 *
 * What is open: what people have opened; of a run that failed or was cancelled the stage in which it did; of a short log
 * all of it; else the last stage. What is open stays open while one watches.
 */

import { byId, setText, show } from "../../shared/dom.js";
import { count, plural } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { LogStops } from "./log-stops.js";
import { LogSection } from "./log-section.js";
import { ofLine } from "./place.js";
import { pageOf } from "./run-log.js";
import { isActive } from "./runs-model.js";

/** @import { Run } from "../types.js" */
/** @import { RunLog, Section } from "./run-log.js" */

/** Of a log of so many lines everything is open at first. */
const SHORT = 400;
/** Pixels from the end that still count as "at the end". */
const NEAR = 40;

const NOTHING = { from: Infinity, to: 0 };
const ALL = { from: 1, to: Infinity };

export class LogPane {
  #box = byId("logs");
  #list = byId("log-lines");
  /** @type {RunLog | null} */
  #log = null;
  /** @type {Run | null} */
  #run = null;
  /** By the stage's number, 0 for none. @type {Map<number, LogSection>} */
  #sections = new Map();
  #changed = NOTHING; // lines that were not drawn as they are
  #pinned = true;
  #seen = 0;
  #hasFailed = false; // since it was drawn
  #isAway = false; // what a search has found is shown
  #before = 0; // where one was when that began
  #isFresh = false; // drawn for the first time since it was loaded
  /** The line of the address, until it is shown. @type {number | null} */
  #wanted = null;
  #stops = new LogStops(this.#box);
  /** Why one may not begin anew; null: one may. @type {string | null} */
  #reason = null;
  #failed;
  #retry;
  #ask = batched(() => this.#render());

  /** @param {{ failed(error: unknown): void, retry(stage: number): void }} around */
  constructor({ failed, retry }) {
    this.#failed = failed;
    this.#retry = retry;
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    byId("logs-newest").addEventListener("click", () => this.toEnd());
    byId("log-fold").addEventListener("click", () => this.#foldAll());
  }

  /** Another run, or none. @param {RunLog | null} log @param {Run | null} run */
  show(log, run) {
    for (const section of this.#sections.values()) section.remove();
    this.#sections.clear();
    this.#log = log;
    this.#run = run;
    this.#pinned = true;
    this.#isFresh = true;
    this.#seen = 0;
    this.#wanted = null;
    this.#hasFailed = false;
    this.#changed = ALL;
    this.#ask();
  }

  /** Lines `from` to `to` are new or others; from 0: all of it was loaded. @param {number} from @param {number} to */
  changed(from, to) {
    if (from === 0) {
      for (const section of this.#sections.values()) section.remove();
      this.#sections.clear();
    }
    this.#changed = {
      from: Math.min(this.#changed.from, Math.max(1, from)),
      to: Math.max(this.#changed.to, to),
    };
    this.#ask();
  }

  /** Why nothing may begin anew here; null: it may. @param {string | null} reason */
  permit(reason) {
    this.#reason = reason;
    this.#ask();
  }

  /** Rows have come, or gone, that are not the log's own. */
  settle() {
    this.#stops.settle();
  }

  /** What could not be had may be there now. */
  again() {
    this.changed(1, Infinity);
  }

  /** What a search has found is shown instead; one comes back to where one was. @param {boolean} isSearch */
  giveWay(isSearch) {
    if (isSearch && !this.#isAway) this.#before = this.#box.scrollTop;
    const isBack = this.#isAway && !isSearch;
    this.#isAway = isSearch;
    show(this.#list, !isSearch);
    show(byId("log-found"), isSearch);
    if (isSearch) this.#box.scrollTop = 0;
    if (isBack) this.#box.scrollTop = this.#pinned ? this.#box.scrollHeight : this.#before;
    this.#labels();
    this.#ask();
  }

  /** The run has come to something else. @param {Run} run */
  told(run) {
    const before = this.#run;
    this.#run = run;
    if (before !== null && isActive(before) && run.status === "failed") this.#hasFailed = true;
    this.#ask();
  }

  #render() {
    const log = this.#log;
    const isThere = log?.isThere ?? false;
    if (log && isThere) {
      this.#place(log.sections(), this.#changed);
      this.#changed = NOTHING;
      if (this.#isFresh) this.#first(log);
      else if (this.#hasFailed) this.#showFailed();
      this.#hasFailed = false;
    }
    show(byId("logs-empty"), !this.#isAway && (!isThere || log?.count === 0));
    setText(byId("logs-empty"), this.#emptyWords());
    if (this.#pinned && log && !this.#isAway) {
      [...this.#sections.values()].at(-1)?.drawEnd();
      this.#box.scrollTop = this.#box.scrollHeight;
      this.#seen = log.count;
    }
    this.#labels();
    if (isThere && this.#wanted !== null) this.#go(this.#wanted);
  }

  #emptyWords() {
    if (this.#run === null) return "No log lines yet.";
    if (!this.#log?.isThere) return "Loading the log…";
    if (isActive(this.#run)) return "No line has come yet.";
    return this.#run.cut > 0 ? "The log of this run is not kept any more." : "This run has put out nothing.";
  }

  /**
   * @param {Section[]} wanted
   * @param {typeof ALL} changed
   */
  #place(wanted, changed) {
    const run = /** @type {Run} */ (this.#run);
    const again = { isOffered: run.kind === "generation" && !isActive(run), reason: this.#reason };
    const keys = new Set(wanted.map(({ stage }) => stage?.number ?? 0));
    for (const [key, section] of this.#sections) {
      if (keys.has(key)) continue;
      section.remove();
      this.#sections.delete(key);
    }
    wanted.forEach((one, index) => {
      const section = this.#section(one);
      if (this.#list.children[index] !== section.node)
        this.#list.insertBefore(section.node, this.#list.children[index] ?? null);
      section.update(one, changed, again);
    });
  }

  /** @param {Section} one */
  #section(one) {
    const key = one.stage?.number ?? 0;
    const known = this.#sections.get(key);
    if (known) return known;
    const log = /** @type {RunLog} */ (this.#log);
    const section = new LogSection(one, /** @type {Run} */ (this.#run).kind, {
      log,
      scroller: this.#box,
      want: (page) => log.want(page).catch(this.#failed),
      retry: this.#retry,
      turned: () => this.#labels(),
    });
    this.#sections.set(key, section);
    const run = /** @type {Run} */ (this.#run);
    if (!this.#isFresh && run.status === "failed") section.open(isBad(one.stage)); // known only after its end
    return section;
  }

  /** What is open when a log is shown first. @param {RunLog} log */
  #first(log) {
    this.#isFresh = false;
    const sections = [...this.#sections.values()];
    const bad = sections.filter(({ stage }) => isBad(stage));
    const isShort = log.count <= SHORT && bad.length === 0;
    for (const section of sections)
      section.open(isShort || bad.includes(section) || (bad.length === 0 && section === sections.at(-1)));
    if (bad.length > 0) this.#showEnd(bad[0]);
  }

  /** What people have not opened themselves gives place to the stage that failed. */
  #showFailed() {
    const sections = [...this.#sections.values()];
    const bad = sections.filter(({ stage }) => isBad(stage));
    if (bad.length === 0) return;
    for (const section of sections)
      if (!section.isTheirs || bad.includes(section)) section.open(bad.includes(section));
    if (this.#pinned) this.#showEnd(bad[0]);
  }

  /** Where a stage ended: that is where it says why. @param {LogSection} section */
  #showEnd(section) {
    this.#pinned = false;
    this.#seen = this.#log?.count ?? 0;
    const row = section.last >= section.first ? section.row(section.last) : null;
    const top = section.node.offsetTop - this.#list.offsetTop;
    const end = row ? row.offsetTop + row.offsetHeight - this.#list.offsetTop : top;
    this.#box.scrollTop =
      Math.min(top, Math.max(0, end)) > end - this.#box.clientHeight ? top : end - this.#box.clientHeight + 8;
  }

  /** A stage is opened and shown. @param {number} stage its number */
  openStage(stage) {
    const section = this.#sections.get(stage);
    if (!section) return;
    section.isTheirs = true;
    section.open(true);
    this.#pinned = false;
    this.#box.scrollTop = section.node.offsetTop - this.#list.offsetTop;
    this.#labels();
    /** @type {HTMLElement | null} */ (section.node.querySelector(".step__head"))?.focus({
      preventScroll: true,
    });
  }

  /** Show this line, as soon as there is one. @param {number | null} line */
  goTo(line) {
    this.#wanted = line;
    this.#mark(line ?? 0);
    this.#ask();
  }

  /** @param {number} line */
  #go(line) {
    const log = /** @type {RunLog} */ (this.#log);
    const section = [...this.#sections.values()].find((one) => one.first <= line && line <= one.last);
    if (!section) {
      if (line > log.count) this.#wanted = null; // there is no such line
      return;
    }
    section.open(true);
    this.#pinned = false;
    if (!log.has(pageOf(line))) {
      log.want(pageOf(line)).catch(this.#failed);
      return; // once more when it has come
    }
    this.#wanted = null;
    const row = section.row(line);
    if (!row) return;
    this.#box.scrollTop = row.offsetTop - this.#list.offsetTop - this.#box.clientHeight / 3;
    this.#mark(line);
    this.#labels();
  }

  /** @param {number} line */
  #mark(line) {
    for (const row of this.#list.querySelectorAll(".line[data-here]")) row.removeAttribute("data-here");
    if (this.#log === null) return;
    this.#log.here = line;
    document.getElementById(ofLine(this.#log.number, line).slice(1))?.setAttribute("data-here", "");
  }

  toEnd() {
    [...this.#sections.values()].at(-1)?.open(true);
    this.#pinned = true;
    this.#ask();
  }

  #foldAll() {
    const sections = [...this.#sections.values()];
    const isOpen = sections.some((one) => one.stage !== null && one.isOpen);
    this.#pinned = false;
    for (const section of sections) {
      section.isTheirs = true;
      section.open(!isOpen);
    }
    this.#labels();
  }

  #labels() {
    const sections = [...this.#sections.values()].filter(({ stage }) => stage !== null);
    const total = this.#log?.count ?? 0;
    const cut = this.#run?.cut ?? 0;
    setText(byId("logs-count"), total === 0 ? "" : `${plural(total, "line")}${cut > 0 ? ", not whole" : ""}`);
    this.#box.style.setProperty("--digits", String(Math.max(2, String(total).length)));
    show(byId("log-fold"), sections.length > 1);
    setText(byId("log-fold"), sections.some(({ isOpen }) => isOpen) ? "Fold all" : "Unfold all");
    const unseen = total - this.#seen;
    show(byId("logs-newest"), !this.#pinned && total > 0 && !this.#isAway && !this.#isAtEnd());
    setText(byId("logs-newest"), unseen > 0 ? `${count(unseen)} newer` : "Newest lines");
    this.#stops.settle();
  }

  #isAtEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    const isFolded = [...this.#sections.values()].at(-1)?.isOpen === false;
    return scrollHeight - scrollTop - clientHeight < NEAR && !isFolded;
  }

  #scrolled() {
    if (this.#isAway) return;
    const pinned = this.#isAtEnd() && (this.#log?.isThere ?? false);
    if (pinned === this.#pinned) return;
    this.#pinned = pinned;
    this.#seen = Math.max(this.#seen, pinned ? (this.#log?.count ?? 0) : this.#seen);
    this.#ask();
  }
}

/** @param {Section["stage"]} stage */
const isBad = (stage) => stage !== null && (stage.status === "failed" || stage.status === "cancelled");
