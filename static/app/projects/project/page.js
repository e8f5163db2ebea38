/**
 * A project on the page: its runs, the one that is shown, and the stream that keeps them true.
 *
 * Each part is loaded at a position of its own and takes from the stream what comes after that (`since.js`): the list of
 * runs, the stages of the run that is shown, its log. After a gap all of them are loaded again.
 */

import { connect } from "../../../client/index.js";

import { statusOf } from "../../shared/api.js";
import { isAfter } from "../../shared/cursor.js";
import { byId } from "../../shared/dom.js";
import { batched } from "../../shared/frame.js";
import { tellOtherLog } from "../../shared/page.js";
import { projects } from "../api.js";
import { hasShape } from "../shape.js";
import { Actions, mayNot } from "./actions.js";
import { Here } from "./here.js";
import { agentTitle, ProjectModel } from "./model.js";
import { createNotifier } from "./notify.js";
import { renderOverall } from "./overall.js";
import { ofRun, placeOf } from "./place.js";
import { createPreview } from "./preview.js";
import { createReport } from "./report.js";
import { sayingOf, titleOf } from "./run-words.js";
import { isActive, RunsModel, together } from "./runs-model.js";
import { RunsView } from "./runs-view.js";
import { createStations } from "./stations.js";
import { WorkArea } from "./work-area.js";

/** @import { GapFrame, Stream, StreamState } from "../../../client/index.js" */
/** @import { Page } from "../../shared/page.js" */
/** @import { ProjectEvent, ProjectEvents, Run } from "../types.js" */
/** @import { View } from "./people.js" */

/** @typedef {ReturnType<typeof together>} Loaded */

/** Runs of one page of the list. */
const LISTED = 30;
/** @type {Partial<Record<Run["status"], "done" | "error" | "info">>} */
const TOAST_KIND = { completed: "done", failed: "error", cancelled: "info" };

/** What is said of times is looked at again this often, milliseconds: of how long a run takes, and of how long ago. */
const TICK = 1_000;
const AGE_EVERY = 30_000;

/** @type {ReadonlySet<StreamState>} */
const HERE = new Set(["connecting", "replaying", "live"]);

/** Whether what is shown is of now, or about to be: else its clock stands still. @param {Stream<any>} stream */
const isHere = ({ state, stale }) => !stale && HERE.has(state);

/**
 * What the page needs first; whatever came after it is left to the stream.
 *
 * @param {string} id
 * @returns {Promise<Loaded>}
 */
export async function loadProject(id) {
  const [snapshot, runs] = await Promise.all([projects.get(id), projects.runs(id, LISTED)]);
  return together(snapshot, runs);
}

export class ProjectPage {
  #page;
  #load;
  #deleted;
  #notHere;
  #model;
  #base; // the position of what was loaded: deletions up to it are told already
  /** While it is loaded again. @type {Promise<void> | null} */
  #loading = null;
  #isStale = false; // it is to be loaded again
  #runs = new RunsModel((before, run) => this.#changed(before, run));
  #area;
  #actions;
  #list;
  #notify = createNotifier();
  #stream;
  /** Null where one may not see who is here. @type {Here | null} */
  #here = null;
  #render;

  /**
   * `load()` loads the project again (null: it is gone), `deleted()` shows that it was deleted, `notHere()` that it is
   * not in the database that the server has now; `topics` are those that may be followed.
   *
   * @param {Loaded} loaded
   * @param {{ page: Page, topics: string[], load(): Promise<Loaded | null>, deleted(): void, notHere(): void }} around
   */
  constructor({ snapshot, runs, cursor }, { page, topics, load, deleted, notHere }) {
    this.#page = page;
    this.#load = load;
    this.#deleted = deleted;
    this.#notHere = notHere;
    this.#base = cursor;
    const model = new ProjectModel(snapshot);
    this.#model = model;
    this.#area = new WorkArea(model.id, {
      page,
      changed: () => this.#render(),
      isNewest: ({ number, kind }) =>
        kind === "generation" && number >= (this.#runs.generation?.number ?? number),
      retry: (stage) => this.#actions.retryFrom(stage),
      looked: () => this.#here?.fileChanged(),
    });
    this.#list = new RunsView(this.#runs, () => this.#older());
    const renderStations = createStations((stage) => this.#area.openStage(stage));
    this.#actions = new Actions(model, {
      page,
      begun: (run) => this.#follow(run),
      refresh: () => this.#refresh(),
      gone: () => this.#gone(),
    });
    const mayBegin = {
      op: /** @type {const} */ ("publish"),
      topic: `projects/${model.id}`,
      reason: mayNot(model.id),
    };
    page.who.judged(mayBegin, (reason) => this.#area.permit(reason));
    createReport(model, page);
    const preview = createPreview(model, page, () => this.#render());
    this.#render = batched(() => {
      const { shown } = this.#area;
      const [run, stages] = [shown?.run ?? null, shown?.stages ?? []];
      renderOverall(model, run, stages, shown?.failedAt ?? 0);
      renderStations(run, stages);
      this.#list.render(run?.number ?? 0);
      const { generation } = this.#runs;
      preview.render(generation);
      this.#actions.render({ run, stages, generation, open: preview.button });
    });
    byId("project").hidden = false;
    this.#render();
    this.#runs.load(async () => runs).then(() => this.#goToPlace());
    addEventListener("hashchange", () => this.#goToPlace());
    this.#stream = this.#open(topics);
    setInterval(() => this.#runs.active > 0 && isHere(this.#stream) && this.#render(), TICK);
    setInterval(() => isHere(this.#stream) && this.#render(), AGE_EVERY);
  }

  /** @param {string[]} topics */
  #open(topics) {
    /** @type {Stream<ProjectEvents>} */
    const stream = connect({ topics, after: this.#base });
    this.#page.watch(stream);
    const look = () => byId("project").toggleAttribute("data-away", !isHere(stream));
    stream.on(":state", (/** @type {{ state: StreamState }} */ { state }) => {
      look();
      if (state === "live") this.#area.again();
    });
    stream.on(":stale", look);
    const own = `projects/${this.#model.id}`;
    const around = {
      showing: () => this.#area.showing,
      goTo: (/** @type {View} */ view) => this.#goToView(view),
    };
    if (topics.includes(own)) this.#here = new Here(stream, own, around);
    stream.on("*", (message) =>
      message.topic !== undefined ? this.#receive(message) : this.#reset(message),
    );
    return stream;
  }

  /** @param {ProjectEvent} event */
  #receive(event) {
    if (!hasShape(event)) return;
    const { id, topic, type, data } = event;
    if (topic === "projects") {
      if (type === "project_deleted" && data.id === this.#model.id && isAfter(id, this.#base))
        this.#checkGone();
      return;
    }
    if (topic !== `projects/${this.#model.id}`) return;
    this.#runs.receive(event);
    this.#area.receive(event);
    if (type === "agent_update" && data.status !== "started") this.#sayAgent(data);
  }

  /**
   * A run has changed, or is new, or gone.
   *
   * @param {Run | null} before
   * @param {Run | null} run
   */
  #changed(before, run) {
    if (before !== null && run !== null && isActive(before) && !isActive(run)) this.#finish(run);
    if (before === null || run === null) this.#choose();
    this.#render();
  }

  /**
   * The address is another one: a run, and perhaps a line of its log, or no place. A part of the page, to which a link
   * leads, is nothing to the run that is shown.
   */
  async #goToPlace() {
    const place = placeOf(location.hash);
    if (place !== null || location.hash === "") this.#runs.chosen = place?.run ?? null;
    else if (this.#number > 0) return;
    await this.#choose();
    if (place?.line && place.run === this.#number) this.#area.goTo(place.line);
  }

  /** What another one looks at. @param {View} view */
  async #goToView(view) {
    if (view.run !== this.#number) {
      history.pushState(null, "", ofRun(view.run));
      await this.#goToPlace();
    }
    if (view.run !== this.#number) return; // it is not kept any more, and that is said
    if ("file" in view) this.#area.goToFile(view.file, view.line);
    else byId("logs").focus();
  }

  get #number() {
    return this.#area.shown?.run.number ?? 0;
  }

  /** Show the run that people have chosen, or else the one that is worth looking at. */
  async #choose() {
    const { chosen } = this.#runs;
    const run = this.#runs.shown(this.#model.generates);
    const number = chosen ?? run?.number ?? 0;
    if (number === this.#number) return;
    try {
      const found = run?.number === number ? run : await projects.run(this.#model.id, number);
      if (chosen === this.#runs.chosen) this.#area.show(number === 0 ? null : found);
    } catch (error) {
      if (chosen === this.#runs.chosen) this.#noRun(number, error);
    }
  }

  /**
   * @param {number} number
   * @param {unknown} error
   */
  #noRun(number, error) {
    if (statusOf(error) === 404) this.#page.toast(`There is no run ${number}, or it is not kept any more.`);
    else this.#page.toast.failed(error, "Loading the run");
    this.#clearPlace();
    this.#choose();
  }

  #clearPlace() {
    this.#runs.chosen = null;
    history.replaceState(null, "", location.pathname + location.search);
  }

  /** A run that was begun here is the one to look at. @param {Run} run */
  #follow(run) {
    this.#clearPlace();
    this.#runs.prefer(run);
    this.#choose();
  }

  async #older() {
    try {
      const last = this.#runs.runs.at(-1)?.number ?? null;
      this.#runs.append(await projects.runs(this.#model.id, LISTED, last));
    } catch (error) {
      this.#page.toast.failed(error, "Loading older runs");
    }
  }

  /** An event says that the project was deleted: the server has the last word. */
  async #checkGone() {
    if ((await this.#load()) === null) this.#gone();
  }

  /** @param {GapFrame} gap */
  async #reset(gap) {
    if (gap.reason === "epoch") this.#deleted = this.#notHere; // from now on nobody can say that it was
    await this.#refresh();
    if (this.#stream.state !== "closed") tellOtherLog(this.#page, gap);
  }

  /** Load again from the server: after a gap, or when it knows better than the page; once more if that comes meanwhile. */
  #refresh() {
    this.#isStale = true;
    return (this.#loading ??= this.#loadAgain().finally(() => (this.#loading = null)));
  }

  async #loadAgain() {
    while (this.#isStale) {
      this.#isStale = false;
      /** @type {Loaded | null} */
      let loaded = null;
      await this.#runs.load(async () => {
        loaded = await this.#load();
        return loaded?.runs ?? { runs: [], more: false, cursor: this.#base };
      });
      if (loaded === null) {
        this.#gone();
        return;
      }
      this.#base = /** @type {Loaded} */ (loaded).cursor;
      this.#model.load(/** @type {Loaded} */ (loaded).snapshot);
      this.#choose();
      await this.#area.load();
    }
  }

  /** @param {Run} run */
  #finish(run) {
    const { name, id } = this.#model;
    const { sentence } = sayingOf(run, []);
    const said = `${name}: ${sentence || `${titleOf(run)} ${run.status}`}`;
    const isShown = this.#number === run.number;
    /** @type {import("../../shared/announce.js").ToastAction | null} */
    let action = isShown ? null : { label: `Show run ${run.number}`, href: ofRun(run.number) };
    if (run.kind === "generation" && run.status === "completed")
      action = { label: "Download", href: projects.archive(id), isDownload: true };
    this.#page.toast(said, TOAST_KIND[run.status], action);
    this.#page.say(said);
    this.#notify(name, sentence || run.status);
    if (isShown && run.status === "completed" && run.kind === "generation") this.#area.settle();
  }

  /** How many are done is known of the run that is shown alone. @param {ProjectEvents["agent_update"]} data */
  #sayAgent({ agent, status, stages }) {
    const { shown } = this.#area;
    const isOfShown = shown !== null && shown.run.number === this.#runs.generation?.number;
    const done = shown?.stages.filter((stage) => stage.status === "completed").length ?? 0;
    const figures = isOfShown ? ` ${done} of ${stages} agents done.` : "";
    this.#page.say(`${agentTitle(agent)} ${status}.${figures}`);
  }

  #gone() {
    this.#area.close();
    this.#here?.close();
    this.#stream.close();
    this.#deleted();
  }
}
