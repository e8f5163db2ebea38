/** What the page knows of one project: a snapshot, and the events after it. No DOM here. */

/** @import { FileInfo, ProjectEvent, ProjectEvents, Snapshot, Stage, Status } from "../types.js" */

/** @type {ReadonlySet<string>} */
export const ACTIVE = new Set(["queued", "running"]);

/** "api-design" as "API design". @param {string} name */
export function agentTitle(name) {
  const words = name
    .replace(/[-_]+/g, " ")
    .replace(/\b(api|http|css|html|sql)\b/gi, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export class ProjectModel {
  id = "";
  name = "";
  brief = "";
  /** @type {Status} */
  status = "idle";
  progress = 0;
  message = "";
  /** Of the newest run; null: there was none. @type {string | null} */
  run = null;
  /** @type {string | null} */
  started = null;
  /** @type {number | null} */
  duration = null;
  /** @type {Stage[]} */
  stages = [];
  /** By path. @type {Map<string, FileInfo>} */
  files = new Map();

  /**
   * @param {Snapshot} snapshot the answer of GET /api/projects/{id}
   * @param {FileInfo[]} files that of its /files
   */
  constructor(snapshot, files) {
    this.load(snapshot, files);
  }

  /**
   * Start again from a snapshot: after a gap, events alone no longer tell the whole story.
   *
   * @param {Snapshot} snapshot
   * @param {FileInfo[]} files
   */
  load(snapshot, files) {
    this.id = snapshot.id;
    this.name = snapshot.name;
    this.brief = snapshot.brief;
    this.status = snapshot.status;
    this.progress = snapshot.progress;
    this.message = snapshot.run?.message ?? "";
    this.run = snapshot.run?.id ?? null;
    this.started = snapshot.run?.started ?? null;
    this.duration = snapshot.run?.duration ?? null;
    this.stages = snapshot.stages.map((stage) => ({ ...stage }));
    this.files = new Map(files.map((file) => [file.path, { ...file }]));
  }

  get active() {
    return ACTIVE.has(this.status);
  }

  get completedStages() {
    return this.stages.filter((stage) => stage.status === "completed").length;
  }

  /**
   * How far a stage is, 0-1. Agents report their part of the whole, so the part of the one at work is what
   * the overall progress says beyond the stages before it.
   *
   * @param {Stage} stage
   */
  stageFraction(stage) {
    if (stage.status === "completed") return 1;
    if (stage.status === "pending") return 0;
    const within = (this.progress * this.stages.length) / 100 - (stage.number - 1);
    return Math.min(0.98, Math.max(0.02, within));
  }

  /** Carry one event into the model. @param {ProjectEvent} event */
  apply({ type, data, time }) {
    if (type === "status_update") this.#status(data, time);
    else if (type === "agent_update") this.#agent(data);
    else if (type === "file_update") this.#file(data, time);
    else if (type === "completion") this.duration = data.duration ?? this.duration;
  }

  /**
   * @param {ProjectEvents["status_update"]} data
   * @param {string} time
   */
  #status(data, time) {
    if (data.run && data.run !== this.run) this.#newRun(data.run);
    if (data.status === "running" && this.started === null) this.started = time;
    this.status = data.status;
    this.progress = data.progress;
    this.message = data.message || this.message;
  }

  /** @param {string} run */
  #newRun(run) {
    this.run = run;
    this.started = null;
    this.duration = null;
    this.message = "";
    for (const stage of this.stages) Object.assign(stage, { status: "pending", message: "", duration: null });
  }

  /** @param {ProjectEvents["agent_update"]} data */
  #agent(data) {
    let stage = this.stages.find((one) => one.number === data.stage);
    if (!stage) {
      // The pipeline has grown since the snapshot was made: a team has added an agent.
      stage = { number: data.stage, agent: data.agent, status: "pending", message: "", duration: null };
      this.stages.push(stage);
      this.stages.sort((a, b) => a.number - b.number);
    }
    const { agent, status, message, duration = null } = data;
    Object.assign(stage, { agent, status, message, duration });
  }

  /**
   * @param {ProjectEvents["file_update"]} data
   * @param {string} time
   */
  #file(data, time) {
    this.files.set(data.path, { path: data.path, size: data.size, updated: time });
  }
}
