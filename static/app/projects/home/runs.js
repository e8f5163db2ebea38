/**
 * What the feed tells, newest first: an event is a line, and all lines of a run are one group. No DOM here.
 *
 * A group stands where its run began, and once that is over, where it ended: so a feed that was open all the time and
 * one that is loaded say the same. A run is known by its id, which its statuses and its end have; what happens between
 * on the topic of its project is its own, since a project has one run at a time.
 */

import { bytes, duration, plural } from "../../shared/format.js";
import { asker, ending, isQuestion } from "../project/question-store.js";

/** @import { ProjectEvent, ProjectEvents, Run as ProjectRun, Status } from "../types.js" */

/** Lines and groups; older ones are in the history. */
export const ENTRIES_MAX = 200;
/** Lines of a group. A run of twelve agents has some fifty, and a hundred more with its log. */
export const STEPS_MAX = 300;
/** Lines of all groups. */
export const ALL_STEPS_MAX = 4_000;

/** @type {Partial<Record<Status | "unknown", string>>} */
const TONES = { completed: "green", failed: "red", cancelled: "ink", queued: "orange", unknown: "ink" };
/** What happens on a project's own topic in a run alone. */
const OF_A_RUN = new Set(["agent_update", "file_update"]);
/** What its state is made of, and no news. @type {ReadonlySet<string>} */
const UNTOLD = new Set(["output", "removed", "run_output", "run_update"]);
/** A project's own topic. */
const PROJECT = /^projects\/[^/]+$/;

/** @typedef {{ tone: string, text: string }} Told */
/** @typedef {Told & { event: ProjectEvent }} Line */

export class Run {
  /** Null until an event names it. @type {string | null} */
  id = null;
  /** "unknown": another one has begun, and the end of this one was not told. @type {Status | "unknown"} */
  state = "running";
  /** Oldest first. @type {Line[]} */
  steps = [];
  /** How many steps were added, those that were let go of too. */
  added = 0;
  /** Whether all is there from its beginning on. */
  isWhole;
  /** @type {ProjectEvent} */
  last;
  /** Of the last agent. @type {{ stage: number, stages: number } | null} */
  #at = null;
  /** @type {ProjectEvents["completion"] | null} */
  #end = null;

  /** @param {ProjectEvent} first */
  constructor(first) {
    this.last = first;
    this.isWhole = first.type === "status_update" && first.data.status === "queued";
  }

  get isOver() {
    return this.#end !== null || this.state === "unknown";
  }

  /**
   * @param {ProjectEvent} event
   * @param {boolean} withLogs
   */
  take(event, withLogs) {
    const { type, data } = event;
    const isChange = type !== "status_update" || data.status !== this.state || this.added === 0;
    if (type !== "log" || withLogs) this.last = event; // as a feed has it that was loaded without them
    if (type === "status_update" || type === "completion") this.id ??= data.run;
    if (type === "status_update" && isStart(data.status)) this.state = data.status;
    if (type === "agent_update") this.#at = data;
    if (type === "completion") {
      this.#end = data;
      this.state = data.status;
    }
    const told = isChange ? tell(event, withLogs) : null;
    if (told === null) return;
    this.steps.push({ event, ...told });
    this.added += 1;
    if (this.steps.length <= STEPS_MAX) return;
    this.steps.shift();
    this.isWhole = false;
  }

  /** All of it in a line. @returns {Told} */
  get told() {
    const tone = TONES[this.state] ?? "blue";
    return { tone, text: this.#words() };
  }

  #words() {
    const { stage = 0, stages = 0 } = this.#at ?? {};
    const where = this.#at ? `agent ${stage} of ${stages}` : null;
    if (this.state === "unknown") return "A run whose end is not shown here";
    if (this.#end === null) return `${STATES[this.state]}${where ? `: ${where}` : ""}`;
    const { files, duration: seconds, message } = this.#end;
    const took = typeof seconds === "number" ? duration(seconds) : null;
    if (this.state === "completed") {
      const figures = [
        typeof files === "number" ? plural(files, "file") : null,
        this.#at ? plural(stages, "agent") : null,
        took,
      ];
      return list(`${STATES.completed}: `, figures) ?? STATES.completed;
    }
    const said = this.state === "failed" && message ? `: ${message}` : "";
    return `${STATES[this.state]}${list(" ", [took && `after ${took}`, where && `at ${where}`]) ?? ""}${said}`;
  }
}

/** @type {Record<Status, string>} */
const STATES = {
  idle: "Idle",
  queued: "Queued",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/**
 * Those that are known, behind `before`; null if none is.
 *
 * @param {string} before
 * @param {(string | null)[]} parts
 */
function list(before, parts) {
  const known = parts.filter(Boolean);
  return known.length === 0 ? null : `${before}${known.join(", ")}`;
}

/** @param {ProjectRun} run @returns {Told} */
function tellCommand({ number, command, status, duration: took, exit, signal, author }) {
  const what = `Run ${number}, ${command ?? "a command"}`;
  const whom = author ? ` by ${author}` : "";
  if (isStart(status)) return { tone: "blue", text: `${what}: began${whom}` };
  const how = status === "failed" ? (signal ?? (exit === null ? "failed" : `exit code ${exit}`)) : status;
  const after = typeof took === "number" ? ` after ${duration(took)}` : "";
  return { tone: TONES[status] ?? "blue", text: `${what}: ${how}${after}` };
}

/** @param {Status} status */
const isStart = (status) => status === "queued" || status === "running";

/** Commands of which the feed knows how they are. */
const COMMANDS_MAX = 500;

export class Activity {
  /** Newest first. @type {(Line | Run)[]} */
  entries = [];
  /** By a command's id: its status, as it was told. @type {Map<string, Status>} */
  #commands = new Map();
  /** Those that are not over, by topic. @type {Map<string, Run>} */
  #open = new Map();

  clear() {
    this.entries = [];
    this.#open.clear();
    this.#commands.clear();
  }

  /**
   * Add an event; they come oldest first.
   *
   * @param {ProjectEvent} event
   * @param {boolean} withLogs
   */
  add(event, withLogs) {
    if (this.#isOfCommand(event)) return;
    const run = this.#runOf(event);
    if (run === null) {
      const told = tell(event, withLogs);
      if (told !== null) this.entries.unshift({ event, ...told });
    } else {
      run.take(event, withLogs);
      if (run.isOver) this.#end(run);
    }
    this.#forget();
  }

  /**
   * Whether an event is of a command that somebody reports: its beginning and its end are a line each, and its project's
   * status says the same once more.
   *
   * @param {ProjectEvent} event
   */
  #isOfCommand(event) {
    const { topic, type, data } = event;
    if (type === "status_update") return PROJECT.test(topic) && this.#commands.has(data.run);
    if (type !== "run_update" || !PROJECT.test(topic) || data.kind !== "command") return false;
    const before = this.#commands.get(data.id);
    this.#commands.set(data.id, data.status);
    if (this.#commands.size > COMMANDS_MAX) this.#commands.delete(this.#commands.keys().next().value ?? "");
    if (before !== data.status) this.entries.unshift({ event, ...tellCommand(data) });
    this.#forget();
    return true;
  }

  /** The run that an event belongs to, perhaps a new one; null if it is of none. @param {ProjectEvent} event */
  #runOf(event) {
    const { topic, type, data } = event;
    if (!PROJECT.test(topic)) return null;
    const open = this.#open.get(topic) ?? null;
    if (type === "log") return open;
    if (OF_A_RUN.has(type)) return open ?? this.#begin(event);
    if (type !== "status_update" && type !== "completion") return null;
    if (!data.run) return null; // of no run, or from before its events said of which
    if (open === null) return type === "completion" || isStart(data.status) ? this.#begin(event) : null;
    if (open.id === null || open.id === data.run) return open;
    open.state = "unknown";
    return this.#begin(event);
  }

  /** @param {ProjectEvent} event */
  #begin(event) {
    const run = new Run(event);
    this.#open.set(event.topic, run);
    this.entries.unshift(run);
    return run;
  }

  /** @param {Run} run */
  #end(run) {
    this.#open.delete(run.last.topic);
    this.entries.splice(this.entries.indexOf(run), 1);
    this.entries.unshift(run);
  }

  #forget() {
    let steps = 0;
    const fits = this.entries.findIndex((one, index) => {
      steps += one instanceof Run ? one.steps.length : 0;
      return index > 0 && (index >= ENTRIES_MAX || steps > ALL_STEPS_MAX);
    });
    if (fits < 0) return;
    for (const one of this.entries.splice(fits))
      if (one instanceof Run && this.#open.get(one.last.topic) === one) this.#open.delete(one.last.topic);
  }
}

/**
 * What an event says, or null if it is not worth a line.
 *
 * @param {ProjectEvent} event
 * @param {boolean} withLogs
 * @returns {Told | null}
 */
function tell({ topic, type, data }, withLogs) {
  if (UNTOLD.has(type) && PROJECT.test(topic)) return null;
  // The service checks data on `projects/{id}` only; anybody may publish anything below that.
  if (data === null || typeof data !== "object") return { tone: "ink", text: type };
  switch (type) {
    case "project_created":
      return { tone: "blue", text: "was created" };
    case "project_deleted":
      return { tone: "ink", text: "was deleted" };
    case "status_update":
      if (!isStart(data.status)) return null; // how a run ended is told by its completion
      return { tone: TONES[data.status] ?? "blue", text: data.message || data.status };
    case "agent_update":
      return { tone: data.status === "failed" ? "red" : "blue", text: data.message };
    case "file_update":
      return { tone: "orange", text: `${data.action} ${data.path}, ${bytes(data.size)}` };
    case "completion":
      return { tone: TONES[data.status] ?? "green", text: data.message || data.status };
    case "question":
    case "answer":
      return tellQuestion(data);
    case "log":
      return withLogs ? { tone: data.level === "error" ? "red" : "ink", text: data.message ?? "" } : null;
    default:
      return { tone: "ink", text: String(type) };
  }
}

/** @param {unknown} data */
function tellQuestion(data) {
  if (!isQuestion(data)) return null;
  if (data.how === null) return { tone: "orange", text: `${asker(data)} asks: ${data.question}` };
  const { answer, words } = ending(data);
  return { tone: "ink", text: `${data.question}: ${answer === null ? "" : `“${answer}”, `}${words}` };
}
