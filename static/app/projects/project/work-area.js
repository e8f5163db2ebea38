/** What the page shows of one run: its log, a search in it, its files; another one takes their place. */

import { passes } from "../../shared/api.js";
import { LOAD_DELAYS } from "../../shared/page.js";
import { projects } from "../api.js";
import { FileView } from "./files.js";
import { LogPane } from "./log-pane.js";
import { LogSearch } from "./log-search.js";
import { createTools } from "./log-tools.js";
import { isActive } from "./runs-model.js";
import { Shown } from "./shown.js";

/** @import { Page } from "../../shared/page.js" */
/** @import { ProjectEvent, Run } from "../types.js" */

/**
 * @typedef {object} Around
 * @property {Page} page
 * @property {() => void} changed the run that is shown is another one, or has changed
 * @property {(run: Run) => boolean} isNewest whether it is the project's newest generation
 * @property {(stage: number) => void} retry from a stage of it
 * @property {() => void} looked another file is shown, or another run
 */

export class WorkArea {
  /** @type {Shown | null} */
  shown = null;
  #project;
  #around;
  #pane;
  #search;
  #tools;
  #files;
  #tries = 0; // to load the run
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {string} project its id
   * @param {Around} around
   */
  constructor(project, around) {
    this.#project = project;
    this.#around = around;
    const number = () => this.shown?.run.number ?? 0;
    const failed = (/** @type {unknown} */ error) => around.page.toast.failed(error, "Reading the log");
    this.#pane = new LogPane({ failed, retry: around.retry });
    this.#search = new LogSearch({
      fetch: (wanted) => projects.lines(project, number(), wanted),
      failed,
      shown: (isSearch) => this.#pane.giveWay(isSearch),
      drawn: () => this.#pane.settle(),
      isOver: () => this.shown !== null && !isActive(this.shown.run),
    });
    this.#tools = createTools(project, number, around.page.toast);
    this.#files = new FileView(project, () => around.looked());
  }

  /** Another run, or none. @param {Run | null} run */
  async show(run) {
    this.shown?.close();
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.shown = run === null ? null : this.#open(run);
    const log = this.shown?.log ?? null;
    const isGeneration = run?.kind === "generation";
    this.#pane.show(log, run);
    this.#search.of(log, run?.kind ?? "command");
    const files = isGeneration ? { number: run.number, files: () => this.shown?.files ?? new Map() } : null;
    this.#files.of(files, run !== null && isActive(run));
    this.#tools.update();
    this.#around.changed();
    await this.load();
  }

  /** @param {Run} run */
  #open(run) {
    const shown = new Shown(this.#project, run, {
      isNewest: () => this.#around.isNewest(run),
      changed: () => {
        this.#pane.told(shown.run);
        this.#search.changed();
        this.#files.live(run.kind === "generation" && isActive(shown.run));
        this.#around.changed();
      },
      lines: (from, to) => {
        this.#pane.changed(from, to);
        this.#search.changed();
      },
      written: (data) => this.#files.written(data),
      listed: (areKept) => {
        this.#files.listed(areKept);
        if (shown.run.status === "completed") this.#files.settle(); // what was written last may be listed only now
      },
      failed: (error) => this.#loadLater(error),
    });
    return shown;
  }

  /** All of it from the server: at first, and after a gap. */
  async load() {
    const { shown } = this;
    try {
      await shown?.load();
      this.#tries = 0;
    } catch (error) {
      if (shown === this.shown) this.#loadLater(error);
    }
  }

  /** A server that is away comes back: the run is loaded as soon as it does. @param {unknown} error */
  #loadLater(error) {
    if (!passes(error)) {
      this.#around.page.toast.failed(error, "Loading the run");
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.load(), LOAD_DELAYS[Math.min(this.#tries, LOAD_DELAYS.length - 1)]);
    this.#tries += 1;
  }

  /** The stream is there again: so may be what could not be had. */
  again() {
    this.#pane.again();
  }

  /** @param {ProjectEvent} event */
  receive(event) {
    this.shown?.receive(event);
  }

  /** @param {number} line */
  goTo(line) {
    this.#search.clear();
    this.#pane.goTo(line);
  }

  /** What is shown of it: the run, 0 for none, and the path of a file. */
  get showing() {
    return { run: this.shown?.run.number ?? 0, file: this.#files.shown };
  }

  /**
   * A file of the run that is shown.
   *
   * @param {string} path
   * @param {number} line 0 for none
   */
  goToFile(path, line) {
    if (!this.#files.goTo(path, line))
      this.#around.page.toast("This file is not among those of the run any more.");
  }

  /** Why one may not begin a run here; null: one may. @param {string | null} reason */
  permit(reason) {
    this.#pane.permit(reason);
  }

  /** @param {number} stage */
  openStage(stage) {
    this.#search.clear();
    this.#pane.openStage(stage);
  }

  /** It has ended: what people read first is shown. */
  settle() {
    this.#files.settle();
  }

  close() {
    this.shown?.close();
    clearTimeout(this.#timer);
  }
}
