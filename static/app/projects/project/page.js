/** A project on the page: the model, its views, and the stream that keeps them true. */

import { connect } from "../../../client/index.js";

import { isAfter } from "../../shared/cursor.js";
import { byId } from "../../shared/dom.js";
import { batched } from "../../shared/frame.js";
import { tellOtherLog } from "../../shared/page.js";
import { projects } from "../api.js";
import { createActions } from "./actions.js";
import { createAgents } from "./agents.js";
import { FileView } from "./files.js";
import { LogStore } from "./log-store.js";
import { LogView } from "./log-view.js";
import { agentTitle, ProjectModel } from "./model.js";
import { createNotifier } from "./notify.js";
import { renderOverall } from "./overall.js";
import { hasShape } from "../shape.js";

/** @import { GapFrame, Stream, StreamState } from "../../../client/index.js" */
/** @import { Page } from "../../shared/page.js" */
/** @import { FileInfo, Past, ProjectEvent, ProjectEvents, Snapshot, Status } from "../types.js" */

/** @typedef {{ snapshot: Snapshot, files: FileInfo[], past: Past }} Loaded */

/** Log lines of one page of history. */
const HISTORY_PAGE = 500;
/** @type {Partial<Record<Status, "done" | "error" | "info">>} */
const TOAST_KIND = { completed: "done", failed: "error", cancelled: "info" };

/** @type {ReadonlySet<StreamState>} */
const HERE = new Set(["connecting", "replaying", "live"]);

/** @type {(id: string) => { topics: string[], type: string, order: string, limit: number }} */
const logQuery = (id) => ({ topics: [`projects/${id}`], type: "log", order: "desc", limit: HISTORY_PAGE });

/** Whether what is shown is of now, or about to be: else its clock stands still. @param {Stream<any>} stream */
const isHere = ({ state, stale }) => !stale && HERE.has(state);

/**
 * Snapshot, files and the newest log lines; whatever came after the snapshot is left to the stream.
 *
 * @param {string} id
 * @returns {Promise<Loaded>}
 */
export async function loadProject(id) {
  const snapshot = await projects.get(id);
  const [files, past] = await Promise.all([projects.files(id), projects.past(logQuery(id))]);
  const events = past.events.filter((event) => !isAfter(event.id, snapshot.cursor));
  return { snapshot, files, past: { ...past, events } };
}

export class ProjectPage {
  #page;
  #load;
  #deleted;
  #notHere;
  #model;
  #base; // the position that the snapshot includes: events up to it are told already
  /** Events that arrive while the snapshot is loaded again. @type {ProjectEvent[] | null} */
  #held = null;
  #logs = new LogStore();
  #logView;
  #fileView;
  #notify = createNotifier();
  #stream;
  #render;

  /**
   * `load()` loads the project again (null: it is gone), `deleted()` shows that it was deleted, `notHere()` that it is
   * not in the database that the server has now; `topics` are those that may be followed.
   *
   * @param {Loaded} loaded
   * @param {{ page: Page, topics: string[], load(): Promise<Loaded | null>, deleted(): void, notHere(): void }} around
   */
  constructor({ snapshot, files, past }, { page, topics, load, deleted, notHere }) {
    this.#page = page;
    this.#load = load;
    this.#deleted = deleted;
    this.#notHere = notHere;
    this.#base = snapshot.cursor;
    this.#model = new ProjectModel(snapshot, files);
    this.#logs.load(past);
    this.#logView = new LogView(this.#logs, () => this.#fetchOlder());
    this.#fileView = new FileView(this.#model);
    const renderAgents = createAgents();
    this.#render = batched(() => {
      renderOverall(this.#model);
      renderAgents(this.#model);
    });
    createActions(this.#model, {
      toast: page.toast,
      who: page.who,
      refresh: () => this.#refresh(),
      gone: () => this.#gone(),
    });
    byId("project").hidden = false;
    this.#logView.reset();
    this.#render();
    this.#stream = this.#open(topics);
    setInterval(() => {
      if (this.#model.active && isHere(this.#stream)) this.#render();
    }, 1_000);
  }

  /** @param {string[]} topics */
  #open(topics) {
    /** @type {Stream<ProjectEvents>} */
    const stream = connect({ topics, after: this.#base });
    this.#page.watch(stream);
    const look = () => byId("project").toggleAttribute("data-away", !isHere(stream));
    stream.on(":state", look);
    stream.on(":stale", look);
    stream.on("*", (message) =>
      message.topic !== undefined ? this.#receive(message) : this.#reset(message),
    );
    return stream;
  }

  /** @param {ProjectEvent} event */
  #receive(event) {
    if (this.#held !== null) this.#held.push(event);
    else if (isAfter(event.id, this.#base)) this.#take(event);
  }

  /** @param {ProjectEvent} event */
  #take(event) {
    if (!hasShape(event)) return;
    const { topic, type, data } = event;
    if (topic === "projects") {
      if (type === "project_deleted" && data.id === this.#model.id) this.#checkGone();
      return;
    }
    this.#model.apply(event);
    if (type === "log") this.#logView.add(this.#logs.append(event));
    if (type === "file_update") this.#fileView.changed(data);
    if (type === "completion") this.#finish(data);
    if (type === "agent_update" && data.status !== "started") this.#sayAgent(data);
    this.#render();
  }

  /** An event says that the project was deleted: the server has the last word. */
  async #checkGone() {
    if ((await this.#load()) === null) this.#gone();
  }

  /** @param {GapFrame} gap */
  async #reset(gap) {
    if (gap.reason === "epoch") this.#deleted = this.#notHere; // from now on nobody can say that it was
    await this.#refresh();
    if (this.#held === null && this.#stream.state !== "closed") tellOtherLog(this.#page, gap);
  }

  /** Load again from the server: after a gap, or when it knows better than the page. */
  async #refresh() {
    if (this.#held !== null) return;
    this.#held = [];
    const loaded = await this.#load();
    const late = this.#held ?? [];
    this.#held = null;
    if (loaded === null) {
      this.#gone();
      return;
    }
    this.#base = loaded.snapshot.cursor;
    this.#model.load(loaded.snapshot, loaded.files);
    this.#logs.load(loaded.past);
    this.#logView.reset();
    this.#fileView.reset();
    this.#render();
    for (const event of late) this.#receive(event);
  }

  async #fetchOlder() {
    const before = this.#logs.older;
    try {
      const past = await projects.past({ ...logQuery(this.#model.id), before });
      if (this.#logs.older !== before) return false; // it was loaded anew, or cut: the page would leave a hole
      this.#logs.prepend(past);
      return true;
    } catch (error) {
      this.#page.toast.failed(error, "Loading older lines");
      return false;
    }
  }

  /** @param {ProjectEvents["completion"]} data */
  #finish(data) {
    const said = data.message || data.status;
    this.#page.toast(`${this.#model.name}: ${said}`, TOAST_KIND[data.status]);
    this.#page.say(`${this.#model.name}: ${said}`);
    this.#notify(this.#model.name, said);
  }

  /** @param {ProjectEvents["agent_update"]} data */
  #sayAgent({ agent, status }) {
    const { completedStages, stages } = this.#model;
    this.#page.say(`${agentTitle(agent)} ${status}. ${completedStages} of ${stages.length} agents done.`);
  }

  #gone() {
    this.#stream.close();
    this.#deleted();
  }
}
