/** The files that agents write, and a preview of one that follows every change. */

import { inWords } from "../../shared/api.js";
import { byId, h, setText, show } from "../../shared/dom.js";
import { bytes, clock } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { projects } from "../api.js";

/** @import { ProjectModel } from "./model.js" */
/** @import { FileInfo, ProjectEvents } from "../types.js" */

/** Changes that come within this many milliseconds are fetched as one. */
const SETTLE = 150;
/** How long a file is marked as just written, milliseconds. */
const FRESH_FOR = 2_500;
/** What people most likely want to see first of a finished project. */
const START_WITH = ["README.md"];

/** @typedef {{ button: HTMLElement, size: HTMLElement, item: HTMLElement, fresh: number }} Row */

export class FileView {
  #model;
  /** By path. @type {Map<string, Row>} */
  #rows = new Map();
  /** A path. @type {string | null} */
  #selected = null;
  /** The path that was last scrolled into view. @type {string | null} */
  #revealed = null;
  /** @type {number | undefined} */
  #timer;
  #reading = new AbortController(); // of the newest request: one that was overtaken is let go
  #ask = batched(() => this.#render());

  /** @param {ProjectModel} model */
  constructor(model) {
    this.#model = model;
    const first = START_WITH.find((path) => model.files.has(path)) ?? model.files.keys().next().value;
    if (first !== undefined) this.#select(first);
    byId("files").addEventListener("keydown", (event) => this.#rove(event));
    this.#ask();
  }

  /** One stop for all files: arrows, Home and End go from one to the next. @param {KeyboardEvent} event */
  #rove(event) {
    const buttons = [...byId("files").querySelectorAll("button")];
    const here = buttons.findIndex((button) => button === document.activeElement);
    const last = buttons.length - 1;
    /** @type {Record<string, number>} */
    const there = { ArrowDown: Math.min(here + 1, last), ArrowUp: Math.max(here - 1, 0), Home: 0, End: last };
    if (here < 0 || there[event.key] === undefined) return;
    event.preventDefault();
    this.#stop(buttons[there[event.key]]);
    buttons[there[event.key]].focus();
  }

  /** Where Tab stops in the list. @param {HTMLElement | null} button */
  #stop(button) {
    for (const one of byId("files").querySelectorAll("button")) one.tabIndex = one === button ? 0 : -1;
  }

  /** A file_update has been applied to the model. @param {ProjectEvents["file_update"]} data */
  changed(data) {
    const { path, preview } = data;
    const follow = byId("follow", HTMLInputElement).checked;
    if (follow && path !== this.#selected) this.#select(path, preview);
    else if (path === this.#selected) this.#fetchSoon();
    this.#markFresh(path);
    this.#ask();
  }

  /** The model was loaded again. */
  reset() {
    if (this.#selected !== null) this.#fetchSoon();
    this.#ask();
  }

  #render() {
    const files = [...this.#model.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    const paths = new Set(files.map((file) => file.path));
    for (const [path, row] of this.#rows) {
      if (paths.has(path)) continue;
      row.item.remove();
      this.#rows.delete(path);
    }
    files.forEach((file, index) => this.#place(file, index));
    this.#stop(this.#rows.get(this.#selected ?? "")?.button ?? byId("files").querySelector("button"));
    this.#reveal();
    show(byId("files-empty"), files.length === 0);
    show(byId("preview"), this.#selected !== null);
  }

  /**
   * @param {FileInfo} file
   * @param {number} index
   */
  #place(file, index) {
    const list = byId("files");
    const row = this.#row(file.path);
    setText(row.size, row.fresh ? "just written" : bytes(file.size));
    row.button.setAttribute("aria-pressed", String(file.path === this.#selected));
    if (list.children[index] !== row.item) list.insertBefore(row.item, list.children[index] ?? null);
  }

  /** Bring a newly chosen row into view by its list alone: scrollIntoView would move the whole page. */
  #reveal() {
    const row = this.#selected === null ? undefined : this.#rows.get(this.#selected);
    if (!row || this.#revealed === this.#selected) return;
    this.#revealed = this.#selected;
    const list = byId("files");
    const top = row.item.offsetTop - list.offsetTop;
    if (top < list.scrollTop) list.scrollTop = top;
    const under = top + row.item.offsetHeight - list.clientHeight;
    if (under > list.scrollTop) list.scrollTop = under;
  }

  /** @param {string} path */
  #row(path) {
    const known = this.#rows.get(path);
    if (known) return known;
    const cut = path.lastIndexOf("/") + 1;
    const label = h("span", { class: "file__path" });
    if (cut > 0) label.append(h("span", { class: "file__folder", text: path.slice(0, cut) }));
    label.append(path.slice(cut));
    const size = h("span", { class: "file__size num" });
    const button = h("button", { class: "file", type: "button" }, label, size);
    button.addEventListener("click", () => {
      byId("follow", HTMLInputElement).checked = false;
      this.#select(path);
      this.#ask();
    });
    const row = { button, size, item: h("li", {}, button), fresh: 0 };
    this.#rows.set(path, row);
    return row;
  }

  /** @param {string} path */
  #markFresh(path) {
    const row = this.#row(path);
    row.fresh += 1;
    row.button.dataset.fresh = "";
    setTimeout(() => {
      row.fresh -= 1;
      if (row.fresh === 0) delete row.button.dataset.fresh;
      this.#ask();
    }, FRESH_FOR);
  }

  /**
   * @param {string} path
   * @param {string} preview
   */
  #select(path, preview = "") {
    this.#selected = path;
    this.#reading.abort();
    setText(byId("preview-path"), path);
    setText(byId("preview-note"), "");
    setText(byId("preview-text"), preview);
    byId("preview-text").scrollTop = 0;
    this.#fetchSoon();
  }

  #fetchSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(), SETTLE);
  }

  /** On a thin line a text that nobody will see would only keep events waiting. */
  async #fetch() {
    const path = this.#selected;
    if (path === null) return;
    this.#reading.abort();
    const { signal } = (this.#reading = new AbortController());
    try {
      const text = await projects.file(this.#model.id, path, signal);
      if (signal.aborted) return;
      setText(byId("preview-text"), text);
      const file = this.#model.files.get(path);
      setText(byId("preview-note"), file ? `${bytes(file.size)}, written ${clock(file.updated)}` : "");
    } catch (error) {
      if (!signal.aborted) setText(byId("preview-note"), inWords(error, "Reading the file"));
    }
  }
}
