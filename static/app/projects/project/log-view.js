/**
 * The log on the page: a window of lines over the store, at its end while people follow, or anywhere when
 * they read.
 */

import { byId, h, setText, show } from "../../shared/dom.js";
import { clock, count, plural } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { agentTitle } from "./model.js";
import { KEPT_MAX, lineFilter, marked } from "./log-store.js";

/** @import { Line } from "../types.js" */
/** @import { LogStore } from "./log-store.js" */

/** Lines in the document at once: more would make every layout slow. */
export const RENDERED_MAX = 2_000;
/** Lines that "Show older lines" brings. */
const STEP = 500;
/** Pixels from the end that still count as "at the end". */
const NEAR = 40;

/** A view of `store`; `fetchOlder()` prepends a page of history to it. */
export class LogView {
  #store;
  #fetchOlder;
  #box = byId("logs");
  #list = byId("log-lines");
  /** Lines in the document, in order. @type {Line[]} */
  #shown = [];
  /** Live lines that wait for the next frame. @type {Line[]} */
  #fresh = [];
  /**
   * Last line of the window while people read the past; null: the window ends at the newest.
   *
   * @type {Line | null}
   */
  #anchor = null;
  #pinned = true; // the scroll position is at the end
  #redraw = true;
  #unseen = 0;
  #searching = false;
  #ask = batched(() => this.#render());

  /**
   * @param {LogStore} store
   * @param {() => Promise<boolean>} fetchOlder
   */
  constructor(store, fetchOlder) {
    this.#store = store;
    this.#fetchOlder = fetchOlder;
    for (const id of ["log-level", "log-agent", "log-search"])
      byId(id).addEventListener("input", () => this.reset());
    byId("logs-newest").addEventListener("click", () => this.reset());
    byId("logs-older").addEventListener("click", () => this.#showOlder());
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  /** Draw everything anew, at the newest lines. */
  reset() {
    this.#anchor = null;
    this.#pinned = true;
    this.#unseen = 0;
    this.#redraw = true;
    this.#ask();
  }

  /** A live line has come. @param {Line} line */
  add(line) {
    this.#fresh.push(line);
    if (this.#fresh.length > RENDERED_MAX) this.#skipFresh();
    this.#ask();
  }

  /**
   * More came than will be shown, as happens in a hidden tab: the store has it all, and the window is drawn
   * from there.
   */
  #skipFresh() {
    this.#fresh = [];
    this.#redraw = true;
  }

  get #search() {
    return byId("log-search", HTMLInputElement).value.trim();
  }

  #matches() {
    return lineFilter({
      level: byId("log-level", HTMLSelectElement).value,
      agent: byId("log-agent", HTMLSelectElement).value,
      search: this.#search,
    });
  }

  #render() {
    const fresh = this.#fresh.filter(this.#matches());
    this.#fresh = [];
    if (this.#redraw) this.#drawWindow();
    else if (this.#anchor === null) this.#append(fresh);
    this.#unseen = this.#pinned && this.#anchor === null ? 0 : this.#unseen + fresh.length;
    this.#redraw = false;
    this.#labels();
    if (this.#pinned && this.#anchor === null) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #drawWindow() {
    const matched = this.#store.lines.filter(this.#matches());
    const place = this.#anchor === null ? -1 : matched.indexOf(this.#anchor);
    if (place < 0) this.#anchor = null; // the end of the window was let go, or none was set
    const end = place < 0 ? matched.length : place + 1;
    this.#shown = matched.slice(Math.max(0, end - RENDERED_MAX), end);
    const search = this.#search;
    this.#list.replaceChildren(...this.#shown.map((line) => row(line, search)));
  }

  /** @param {Line[]} fresh */
  #append(fresh) {
    if (fresh.length === 0) return;
    const search = this.#search;
    const added = fresh.slice(-RENDERED_MAX);
    this.#list.append(...added.map((line) => row(line, search)));
    this.#shown.push(...added);
    const over = this.#shown.length - RENDERED_MAX;
    if (over <= 0) return;
    this.#shown.splice(0, over);
    for (let index = 0; index < over; index += 1) this.#list.firstElementChild?.remove();
  }

  #labels() {
    const first = this.#shown[0];
    const hidden = first !== undefined && this.#store.lines.find(this.#matches()) !== first;
    show(byId("logs-older"), hidden || this.#store.more);
    const filtered =
      byId("log-level", HTMLSelectElement).value ||
      byId("log-agent", HTMLSelectElement).value ||
      this.#search;
    const { lines, more } = this.#store;
    const over = more ? `the newest ${plural(lines.length, "line")}` : `all ${plural(lines.length, "line")}`;
    setText(byId("logs-empty"), filtered ? `No line of ${over} matches this filter.` : "No log lines yet.");
    show(byId("logs-empty"), this.#shown.length === 0);
    setText(byId("logs-count"), lines.length === 0 ? "" : `${count(this.#shown.length)} of ${over}`);
    const isSearch = Boolean(filtered) && !hidden;
    if (!this.#searching) setText(byId("logs-older"), isSearch ? "Search older lines" : "Show older lines");
    show(byId("logs-newest"), !this.#pinned || this.#anchor !== null);
    setText(byId("logs-newest"), this.#unseen > 0 ? `${count(this.#unseen)} newer` : "Newest lines");
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    const pinned = this.#anchor === null && scrollHeight - scrollTop - clientHeight < NEAR;
    if (pinned === this.#pinned) return;
    this.#pinned = pinned;
    this.#ask();
  }

  async #showOlder() {
    const button = byId("logs-older", HTMLButtonElement);
    if (button.disabled) return;
    button.disabled = true;
    await this.#stepBack();
    while (await this.#searchOn()) this.#labels();
    this.#searching = false;
    this.#labels();
    button.disabled = false;
  }

  /** Read on in the history until something matches: whether to go on. */
  async #searchOn() {
    if (this.#shown.length > 0 || !this.#store.more || this.#store.lines.length >= KEPT_MAX) return false;
    this.#searching = true;
    setText(byId("logs-older"), `Searching: ${plural(this.#store.lines.length, "line")} so far`);
    const search = this.#search;
    if (!(await this.#fetchOlder())) return false;
    this.#drawWindow();
    return search === this.#search; // else somebody looks for something else by now
  }

  /**
   * One step into the past: from memory if it has more, else from the history; what was on top stays where it
   * is.
   */
  async #stepBack() {
    const top = this.#shown[0];
    const matched = () => this.#store.lines.filter(this.#matches());
    if (matched()[0] === top && this.#store.more && !(await this.#fetchOlder())) return;
    const all = matched();
    const first = Math.max(0, all.indexOf(top) - STEP);
    this.#anchor = all.length - first > RENDERED_MAX ? all[first + RENDERED_MAX - 1] : null;
    this.#pinned = false;
    this.#drawWindow();
    this.#labels();
    const place = this.#shown.indexOf(top);
    if (place > 0)
      this.#box.scrollTop =
        /** @type {HTMLElement} */ (this.#list.children[place]).offsetTop - this.#list.offsetTop;
  }
}

/**
 * @param {Line} line
 * @param {string} search
 */
function row(line, search) {
  const text = h("span", { class: "line__text", dir: "auto" });
  if (line.agent) text.append(h("span", { class: "line__agent", text: agentTitle(line.agent) }));
  for (const [piece, match] of marked(line.message, search))
    text.append(match ? h("mark", { text: piece }) : piece);
  return h(
    "div",
    { class: "line", dataset: { level: line.level } },
    h("time", { datetime: line.time, text: clock(line.time) }),
    h("span", { class: "line__level", text: line.level }),
    text,
  );
}
