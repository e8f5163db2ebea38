/** The runs of a project, newest first, and the one that is shown. No DOM here. */

import { isAfter } from "../../shared/cursor.js";
import { Since } from "./since.js";

/** @import { Run, RunPage, ProjectEvent, Snapshot } from "../types.js" */

/** @typedef {RunPage & { newest?: Run | null }} Listed `newest`: of the kind that the project is for */

/** @type {ReadonlySet<string>} */
const ACTIVE = new Set(["queued", "running"]);
/** Runs in the list: more than a project keeps. */
const LISTED_MAX = 500;

/** A run, or a project of which the newest run is. @param {{ readonly status: string }} run */
export const isActive = ({ status }) => ACTIVE.has(status);

/**
 * The status that is shown; "silent": a command of which nothing is heard may run, or not: nobody knows.
 *
 * @param {string} status
 * @param {boolean | undefined} isSilent
 */
export const stateOf = (status, isSilent) => (isSilent && isActive({ status }) ? "silent" : status);

/** @param {Pick<Run, "kind">} run */
const isGeneration = ({ kind }) => kind === "generation";

/**
 * A project and its runs, which were asked for at once, as of one position: the earlier of the two. A stream that goes on
 * from there tells some of what one of them has once more, and leaves nothing out.
 *
 * @param {Snapshot} snapshot
 * @param {RunPage} page
 */
export function together(snapshot, page) {
  const cursor = isAfter(snapshot.cursor, page.cursor) ? page.cursor : snapshot.cursor;
  return {
    snapshot,
    runs: /** @type {Listed} */ ({ ...page, cursor, newest: snapshot.run ?? null }),
    cursor,
  };
}

export class RunsModel {
  /** Newest first. @type {Run[]} */
  runs = [];
  more = false;
  /** Which one people have chosen; null: the one that is worth looking at. @type {number | null} */
  chosen = null;
  /** The newest, which may be older than all that are listed. @type {Run | null} */
  generation = null;
  #shown = 0;
  #preferred = 0;
  #changed;
  #since = new Since((event) => this.#apply(event));

  /** `changed(before, run)` after each change of a run; `run` is null when it is gone. @param {(before: Run | null, run: Run | null) => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {() => Promise<Listed>} read */
  load(read) {
    return this.#since.load(read, ({ runs, more, newest = null }) => {
      this.runs = [...runs];
      this.more = more;
      this.generation = this.runs.find(isGeneration) ?? (newest && isGeneration(newest) ? newest : null);
    });
  }

  /** Older ones, behind those that are there. @param {RunPage} page */
  append({ runs, more }) {
    const last = this.runs.at(-1)?.number ?? Infinity;
    const known = this.generation; // what events have told of it meanwhile is newer
    const older = runs.filter(({ number }) => number < last);
    this.runs.push(...older.map((run) => (run.number === known?.number ? known : run)));
    this.generation ??= this.runs.find(isGeneration) ?? null;
    this.more = more && this.runs.length < LISTED_MAX;
  }

  /** @param {ProjectEvent} event */
  receive(event) {
    if (event.type === "run_update" || (event.type === "removed" && event.subject?.startsWith("runs/")))
      this.#since.receive(event);
  }

  /** @param {ProjectEvent} event */
  #apply({ type, data, subject }) {
    if (type === "run_update") this.put(data);
    else if (subject !== undefined) this.#remove(Number(subject.slice("runs/".length)));
  }

  /** A run as it is now. @param {Run} run */
  put(run) {
    const at = this.runs.findIndex(({ number }) => number <= run.number);
    const before = this.get(run.number);
    if (isGeneration(run) && run.number >= (this.generation?.number ?? 0)) this.generation = run;
    if (this.runs[at]?.number === run.number) this.runs[at] = run;
    else if (at >= 0) this.runs.splice(at, 0, run);
    else if (!this.more) this.runs.push(run);
    else if (run !== this.generation) return; // it is older than what is listed
    this.#changed(before, run);
  }

  /** @param {number} number */
  #remove(number) {
    const before = this.get(number);
    if (before === null) return;
    this.runs = this.runs.filter((run) => run.number !== number);
    if (this.generation?.number === number) this.generation = this.runs.find(isGeneration) ?? null;
    this.#changed(before, null);
  }

  /** Show this one until it has ended. @param {Run} run as it was when it began */
  prefer(run) {
    this.#preferred = run.number;
    if (this.get(run.number) === null) this.put(run);
  }

  /** @param {number} number */
  get(number) {
    const listed = this.runs.find((run) => run.number === number);
    return listed ?? (this.generation?.number === number ? this.generation : null);
  }

  get active() {
    const others = this.generation === null || this.runs.includes(this.generation) ? [] : [this.generation];
    return [...this.runs, ...others].filter(isActive).length;
  }

  /**
   * The run to show: the one that was chosen; else the one that is shown as long as it runs; else the newest that runs,
   * or of the kind that the project is for.
   *
   * @param {boolean} generates whether that is generations
   */
  shown(generates) {
    const chosen = this.chosen === null ? null : this.get(this.chosen);
    const still = this.get(this.#preferred) ?? this.get(this.#shown);
    this.#preferred = 0;
    const run =
      chosen ??
      (still && isActive(still) ? still : null) ??
      this.runs.find(isActive) ??
      (generates ? this.generation : null) ??
      still ??
      this.runs[0] ??
      null;
    this.#shown = run?.number ?? 0;
    return run;
  }
}
