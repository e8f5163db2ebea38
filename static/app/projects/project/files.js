/** The files of a generation: what changed with it, and a preview of one that follows the agents while they write. */

import { inWords } from "../../shared/api.js";
import { byId, h, setData, setText, show } from "../../shared/dom.js";
import { bytes, count, plural } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { revealIn, rove, stopAt } from "../../shared/rove.js";
import { projects } from "../api.js";

/** @import { FileAction, FileInfo, ProjectEvents } from "../types.js" */

/** Changes that come within this many milliseconds are fetched as one. */
const SETTLE = 150;
/** How long a file is marked as just written, milliseconds. */
const FRESH_FOR = 2_500;
/** What people most likely want to see first of a finished project. */
const START_WITH = ["README.md"];
/** @type {Record<FileAction, string>} */
const WORDS = { created: "new", updated: "changed", same: "", removed: "removed" };

/** @typedef {{ button: HTMLElement, size: HTMLElement, action: HTMLElement, item: HTMLElement, fresh: number }} Row */
/** @typedef {{ number: number, files(): Map<string, FileInfo> }} Source a run, and its files by path */

export class FileView {
  #project;
  /** @type {Source | null} */
  #source = null;
  /** By path. @type {Map<string, Row>} */
  #rows = new Map();
  /** A path. @type {string | null} */
  #selected = null;
  /** The path that was last scrolled into view. @type {string | null} */
  #revealed = null;
  /** @type {number | undefined} */
  #timer;
  #areKept = true;
  #isLive = false;
  #isListed = false; // by the server: before that nobody knows that there are none
  /** Where somebody wants to be, until it is shown. @type {{ path: string, line: number } | null} */
  #wanted = null;
  #changed;
  #reading = new AbortController(); // of the newest request: one that was overtaken is let go
  #ask = batched(() => this.#render());

  /**
   * `changed()` is called when another file is shown, or none.
   *
   * @param {string} project its id
   * @param {() => void} changed
   */
  constructor(project, changed) {
    this.#project = project;
    this.#changed = changed;
    rove(byId("files"), "button");
    byId("files-changed").addEventListener("change", () => this.#ask());
  }

  /** Another run's, or none. @param {Source | null} source @param {boolean} isLive whether somebody writes */
  of(source, isLive) {
    this.#source = source;
    this.#areKept = true;
    this.#isLive = isLive;
    this.#isListed = false;
    for (const { item } of this.#rows.values()) item.remove();
    this.#rows.clear();
    this.#reading.abort();
    clearTimeout(this.#timer);
    this.#selected = null;
    this.#changed();
    this.#ask();
  }

  /** The path of the file that is shown. */
  get shown() {
    return this.#selected;
  }

  /**
   * Show a file of this run, at a line of it, as soon as it is there; false if it is known that there is no such file.
   *
   * @param {string} path
   * @param {number} line 0 for none
   */
  goTo(path, line) {
    this.#wanted = { path, line };
    return !this.#isListed || this.#toWanted();
  }

  /** Whether there was such a file. */
  #toWanted() {
    const { path = "" } = this.#wanted ?? {};
    if (!this.#all().has(path)) {
      this.#wanted = null;
      return false;
    }
    byId("follow", HTMLInputElement).checked = false;
    this.#select(path);
    byId("preview-text").focus();
    this.#ask();
    return true;
  }

  /** @returns {Map<string, FileInfo>} */
  #all() {
    return this.#source?.files() ?? new Map();
  }

  /** All of them are loaded. @param {boolean} areKept else they were removed with the run's log, to make room */
  listed(areKept) {
    this.#areKept = areKept;
    this.#isListed = true;
    const files = this.#all();
    if (this.#wanted !== null && this.#toWanted()) return;
    if (this.#selected !== null && files.has(this.#selected)) this.#fetchSoon();
    else this.settle();
    this.#ask();
  }

  /** What people read first of what is finished, unless they read something else. */
  settle() {
    const files = this.#all();
    const first = START_WITH.find((path) => files.has(path)) ?? files.keys().next().value;
    const isWanted = first !== undefined && first !== this.#selected;
    if (isWanted && byId("follow", HTMLInputElement).checked) this.#select(first);
    this.#ask();
  }

  /** A file was written. @param {ProjectEvents["file_update"]} data */
  written({ path, preview }) {
    const follow = byId("follow", HTMLInputElement).checked;
    if (follow && path !== this.#selected) this.#select(path, preview);
    else if (path === this.#selected) this.#fetchSoon();
    this.#markFresh(path);
    this.#ask();
  }

  /** Whether somebody writes. @param {boolean} isLive */
  live(isLive) {
    show(byId("follow-box"), isLive);
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    this.#ask();
  }

  #render() {
    show(byId("files-panel"), this.#source !== null);
    show(byId("jump-files"), this.#source !== null);
    const all = [...this.#all().values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    const only = byId("files-changed", HTMLInputElement).checked;
    const files = only ? all.filter(({ action }) => action !== "same") : all;
    const paths = new Set(files.map((file) => file.path));
    for (const [path, row] of this.#rows) {
      if (paths.has(path)) continue;
      row.item.remove();
      this.#rows.delete(path);
    }
    files.forEach((file, index) => this.#place(file, index));
    const buttons = byId("files").querySelectorAll("button");
    stopAt(buttons, this.#rows.get(this.#selected ?? "")?.button ?? buttons[0] ?? null);
    this.#reveal();
    this.#labels(all, files.length);
  }

  /**
   * @param {FileInfo[]} all
   * @param {number} shown
   */
  #labels(all, shown) {
    const of = (/** @type {FileAction} */ action) => all.filter((file) => file.action === action).length;
    const told = /** @type {FileAction[]} */ (["created", "updated", "removed"])
      .map((action) => (of(action) > 0 ? `${count(of(action))} ${WORDS[action]}` : ""))
      .filter(Boolean);
    const there = all.length - of("removed");
    setText(byId("files-count"), all.length === 0 ? "" : [plural(there, "file"), ...told].join(", "));
    show(byId("files-changed-box"), of("same") > 0);
    show(byId("files-empty"), shown === 0);
    setText(byId("files-empty"), this.#emptyWords(all.length));
    show(byId("preview"), this.#selected !== null);
  }

  /** @param {number} all */
  #emptyWords(all) {
    if (all > 0) return "This run changed no file.";
    if (!this.#areKept) return "The files of this run are not kept any more: newer ones took their room.";
    if (this.#isLive) return "No files yet. They appear while the agents write.";
    return this.#isListed ? "This run ended without a file." : "Loading the files…";
  }

  /**
   * @param {FileInfo} file
   * @param {number} index
   */
  #place(file, index) {
    const list = byId("files");
    const row = this.#row(file.path);
    setText(row.size, row.fresh ? "just written" : file.action === "removed" ? "" : bytes(file.size));
    setText(row.action, WORDS[file.action] ?? "");
    setData(row.button, "action", file.action);
    row.button.setAttribute("aria-pressed", String(file.path === this.#selected));
    if (list.children[index] !== row.item) list.insertBefore(row.item, list.children[index] ?? null);
  }

  /** Bring a newly chosen row into view. */
  #reveal() {
    const row = this.#selected === null ? undefined : this.#rows.get(this.#selected);
    if (!row || this.#revealed === this.#selected) return;
    this.#revealed = this.#selected;
    revealIn(byId("files"), row.item);
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
    const action = h("span", { class: "file__action" });
    const button = h("button", { class: "file", type: "button" }, label, action, size);
    button.addEventListener("click", () => {
      byId("follow", HTMLInputElement).checked = false;
      this.#select(path);
      this.#ask();
    });
    const row = { button, size, action, item: h("li", {}, button), fresh: 0 };
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
    this.#changed();
    this.#fetchSoon();
  }

  #fetchSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(), SETTLE);
  }

  /** On a thin line a text that nobody will see would only keep events waiting. */
  async #fetch() {
    const [path, source] = [this.#selected, this.#source];
    if (path === null || source === null) return;
    this.#reading.abort();
    if (source.files().get(path)?.action === "removed") {
      setText(byId("preview-note"), "This run removed it.");
      return;
    }
    const { signal } = (this.#reading = new AbortController());
    try {
      const text = await projects.file(this.#project, source.number, path, signal);
      if (signal.aborted) return;
      setText(byId("preview-text"), text);
      const file = source.files().get(path);
      const action = file ? WORDS[file.action] : "";
      const said = action === "" ? "as before this run" : `${action} in this run`;
      setText(byId("preview-note"), file ? `${bytes(file.size)}, ${said}` : "");
      if (this.#wanted?.path === path) this.#toLine(this.#wanted.line);
    } catch (error) {
      if (!signal.aborted) setText(byId("preview-note"), inWords(error, "Reading the file"));
    }
  }

  /** @param {number} line */
  #toLine(line) {
    this.#wanted = null;
    const box = byId("preview-text");
    const height = Number.parseFloat(getComputedStyle(box).lineHeight);
    if (line > 0) box.scrollTop = (line - 1) * height - box.clientHeight / 3;
  }
}
