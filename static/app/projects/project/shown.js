/**
 * The run that is shown: how it is, its stages, its log and its files; loaded when somebody looks at it, true while they
 * do, and let go of with the next one.
 */

import { statusOf } from "../../shared/api.js";
import { projects } from "../api.js";
import { RunLog } from "./run-log.js";
import { isActive } from "./runs-model.js";
import { Since } from "./since.js";

/** @import { FileInfo, ProjectEvent, ProjectEvents, Run, RunStage } from "../types.js" */

/** Stages of a command are asked for again this many milliseconds after it has come to another one. */
const SETTLE = 150;
/** What the server answers for what was there and is not kept any more. */
const GONE = 410;

export class Shown {
  /** @type {Run} */
  run;
  /** @type {RunStage[]} */
  stages = [];
  /** By path. @type {Map<string, FileInfo>} */
  files = new Map();
  log;
  #project;
  #around;
  #areFilesFinal = false;
  #isClosed = false;
  /** @type {number | undefined} */
  #timer;
  #since = new Since((event) => this.#apply(event));

  /**
   * `isNewest()`: whether it is the project's newest generation, of which events of agents and files are. `changed()` after each change of the run and its stages, `lines(from, to)` of its log, `written(event)` of a file, `listed(areKept)`
   * when all files are loaded, `failed(error)` if something can't be.
   *
   * @param {string} project
   * @param {Run} run
   * @param {{ isNewest(): boolean, changed(): void, lines(from: number, to: number): void, written(data: ProjectEvents["file_update"]): void, listed(areKept: boolean): void, failed(error: unknown): void }} around
   */
  constructor(project, run, around) {
    this.#project = project;
    this.#around = around;
    this.run = run;
    this.log = new RunLog(
      run.number,
      (wanted) => projects.lines(project, run.number, wanted),
      (from, to) => this.#isClosed || around.lines(from, to),
    );
  }

  /** Throws what a request throws. */
  async load() {
    const log = async () => {
      await this.#loadStages();
      if (!this.#isClosed) await this.log.load(this.run.lines ?? 0);
    };
    await Promise.all([log(), this.#loadFiles()]);
    await this.#settleFiles();
    if (!this.#isClosed) this.#around.changed();
  }

  async #loadStages() {
    await this.#since.load(
      () => projects.run(this.#project, this.run.number),
      ({ stages, ...run }) => {
        this.run = run;
        this.stages = stages.map((stage) => ({ ...stage }));
        this.log.stages = this.stages;
      },
    );
    if (!this.#isClosed) this.#around.changed();
  }

  /** What a run has changed is known when it has ended. */
  async #settleFiles() {
    if (!isActive(this.run) && !this.#areFilesFinal) await this.#loadFiles();
  }

  async #loadFiles() {
    if (this.run.kind !== "generation" || this.#isClosed) return;
    const isFinal = !isActive(this.run);
    let areKept = true;
    /** @type {FileInfo[]} */
    let files = [];
    try {
      files = await projects.files(this.#project, this.run.number);
    } catch (error) {
      if (statusOf(error) !== GONE) throw error;
      areKept = false;
    }
    if (this.#isClosed) return;
    this.files = new Map(files.map((file) => [file.path, { ...file }]));
    this.#areFilesFinal = isFinal;
    this.#around.listed(areKept);
  }

  /** @param {ProjectEvent} event */
  receive(event) {
    const { type } = event;
    if (type === "output" ? this.#around.isNewest() && isActive(this.run) : true) this.log.receive(event);
    if (type === "run_update" || type === "agent_update") this.#since.receive(event);
    if (type === "file_update" && this.#around.isNewest() && !this.#areFilesFinal) this.#write(event.data);
  }

  /** @param {ProjectEvents["file_update"]} data */
  #write({ path, size, action, preview }) {
    this.files.set(path, { path, size, action });
    this.#around.written({ path, size, action, preview });
  }

  /** @param {ProjectEvent} event */
  #apply({ type, data }) {
    if (type === "run_update" && data.number === this.run.number) this.#told(data);
    if (type === "agent_update" && this.#around.isNewest()) this.#stage(data);
    this.#around.changed();
  }

  /** @param {Run} run */
  #told(run) {
    const before = this.run;
    this.run = { ...run, lines: before.lines };
    if (before.bytes > 0 && run.bytes === 0) this.#letGo();
    if (run.stage !== before.stage || isActive(before) !== isActive(run)) this.#askSoon();
  }

  /** Its log and its files were removed, to make room: what is here of them is not there any more. */
  async #letGo() {
    try {
      await this.load();
    } catch (error) {
      if (!this.#isClosed) this.#around.failed(error);
    }
  }

  /** Where a stage begins, and how it has ended, is known to the server alone. */
  #askSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      try {
        await this.#loadStages();
        await this.#settleFiles();
        this.#around.lines(Infinity, 0);
      } catch (error) {
        if (!this.#isClosed) this.#around.failed(error);
      }
    }, SETTLE);
  }

  /** @param {ProjectEvents["agent_update"]} data */
  #stage({ agent, stage: number, status, message, duration = null }) {
    let stage = this.stages.find((one) => one.number === number);
    if (!stage) {
      // The pipeline has grown since it was loaded: a team has added an agent.
      stage = { number, name: agent, status, message: "", duration: null, first_line: null };
      this.stages.push(stage);
      this.stages.sort((a, b) => a.number - b.number);
    }
    Object.assign(stage, { name: agent, status, message, duration });
  }

  /** The line at which it says why it failed: the last of the stage that did; 0 for none. */
  get failedAt() {
    if (this.run.status !== "failed") return 0;
    const section = this.log.sections().find(({ stage }) => stage?.status === "failed");
    return section && section.last >= section.first ? section.last : 0;
  }

  /** Nothing more is told of it. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
