/**
 * What can be done: the result first, then what makes another one. Each tells in words what the server said, and never
 * leaves a button stuck.
 */

import { statusOf } from "../../shared/api.js";
import { byId, setText, show } from "../../shared/dom.js";
import { free } from "../../shared/who.js";
import { projects } from "../api.js";
import { createAsk } from "./ask-first.js";
import { isActive } from "./runs-model.js";
import { stageTitle } from "./run-words.js";

/** @import { Page } from "../../shared/page.js" */
/** @import { Run, RunStage } from "../types.js" */
/** @import { ProjectModel } from "./model.js" */

const CONFLICT = {
  generate: "A run is already going. What you see here is that run.",
  retry: "A run is already going, or that one can't begin again there.",
  cancel: "Nothing runs any more: there is nothing to cancel.",
};

/** @typedef {{ run: Run | null, stages: readonly RunStage[], generation: Run | null, open: HTMLElement | null }} View the run that is shown, the newest generation, and the button that opens its application, if it can be opened */

/** Why somebody may not. @param {string} id the project's */
export const mayNot = (id) =>
  `You may look, but not change this project: that takes the right to publish to “projects/${id}”.`;

export class Actions {
  #model;
  #around;
  #ask = createAsk();
  #generate = byId("generate", HTMLButtonElement);
  #cancel = byId("cancel", HTMLButtonElement);
  #retry = byId("retry", HTMLButtonElement);
  /** @type {View} */
  #view = { run: null, stages: [], generation: null, open: null };

  /**
   * `begun(run)` shows a run that was begun here, `refresh()` loads the project again; `gone()` is called when it turns
   * out to be deleted.
   *
   * @param {ProjectModel} model
   * @param {{ page: Page, begun(run: Run): void, refresh(): Promise<void>, gone(): void }} around
   */
  constructor(model, around) {
    this.#model = model;
    this.#around = around;
    const { who, toast } = around.page;
    this.#generate.addEventListener("click", () => this.#startAll());
    this.#cancel.addEventListener("click", () => this.#stop());
    this.#retry.addEventListener("click", () => this.retryFrom(Number(this.#retry.dataset.stage)));
    const topic = `projects/${model.id}`;
    const reason = mayNot(model.id);
    for (const button of [this.#generate, this.#retry, this.#cancel, byId("delete", HTMLButtonElement)])
      who.limit({ button, op: "publish", topic, reason });
    byId("download", HTMLAnchorElement).href = projects.archive(model.id);
    createDelete(model, this.#ask, toast);
  }

  /**
   * Whether it was done.
   *
   * @param {HTMLButtonElement} button
   * @param {keyof typeof CONFLICT} name
   * @param {() => Promise<Run>} call
   * @param {string} what
   */
  async #act(button, name, call, what) {
    const { page, begun, gone, refresh } = this.#around;
    button.disabled = true;
    try {
      const run = await call();
      if (name !== "cancel") begun(run);
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) gone();
      else if (status === 409) {
        page.toast(CONFLICT[name]);
        await refresh();
      } else page.toast.failed(error, what);
      return false;
    } finally {
      free(button);
    }
  }

  async #startAll() {
    const last = this.#view.generation;
    if (last !== null && !(await this.#ask(againWords(last)))) return;
    await this.#act(
      this.#generate,
      "generate",
      () => projects.generate(this.#model.id),
      "Starting the agents",
    );
  }

  async #stop() {
    const { run } = this.#view;
    if (run === null) return;
    const { id } = this.#model;
    const isCommand = run.kind === "command";
    const call = () => (isCommand ? projects.cancelCommand(id, run.number) : projects.cancel(id));
    const isDone = await this.#act(this.#cancel, "cancel", call, "Cancelling the run");
    if (isDone && isCommand)
      this.#around.page.toast("The command is told to end as soon as it reports again.");
  }

  /** A new run that begins there, with the files of the stages before. @param {number} stage */
  async retryFrom(stage) {
    const { run } = this.#view;
    if (run === null || this.#generate.disabled || this.#retry.disabled) return;
    const call = () => projects.retry(this.#model.id, run.number, stage);
    await this.#act(this.#retry, "retry", call, "Beginning again there");
  }

  /** @param {View} view */
  render(view) {
    this.#view = view;
    const { run, stages, generation } = view;
    const isBusy = generation !== null && isActive(generation);
    const again = isBusy ? null : stageToRetry(run, stages);
    const isDone = generation?.status === "completed";
    show(this.#generate, this.#model.generates && !isBusy);
    setText(this.#generate, generation === null ? "Generate" : "Generate again");
    show(this.#cancel, run !== null && isActive(run));
    show(this.#retry, again !== null);
    if (again !== null) {
      this.#retry.dataset.stage = String(again.number);
      setText(this.#retry, `Retry from ${stageTitle("generation", again.name)}`);
    }
    const download = byId("download");
    show(download, generation !== null && !isBusy && (isDone || generation.changed > 0));
    setText(download, isDone ? "Download archive" : "Download partial archive");
    const wanted = [
      again && this.#retry,
      isDone ? view.open : null,
      isDone ? download : null,
      generation === null ? this.#generate : null,
    ];
    primary(wanted, [this.#retry, ...(view.open ? [view.open] : []), download, this.#generate]);
  }
}

/**
 * The stage at which a generation stopped; null if it did not.
 *
 * @param {Run | null} run
 * @param {readonly RunStage[]} stages
 */
function stageToRetry(run, stages) {
  if (run === null || run.kind !== "generation" || (run.status !== "failed" && run.status !== "cancelled"))
    return null;
  return stages.find(({ status }) => status !== "completed") ?? null;
}

/**
 * One of all is what one most likely wants.
 *
 * @param {(HTMLElement | null)[]} wanted
 * @param {HTMLElement[]} all
 */
function primary(wanted, all) {
  const first = wanted.find((one) => one !== null);
  for (const one of all) one.classList.toggle("button--primary", one === first);
}

/** @param {Run} run */
const againWords = ({ number }) => ({
  title: "Generate again?",
  text: `The project's files become those of the new run. Run ${number} stays in the list of runs, with the files as it wrote them.`,
  yes: "Generate again",
  no: "Not now",
  isDanger: false,
});

/**
 * @param {ProjectModel} model
 * @param {ReturnType<typeof createAsk>} ask
 * @param {Page["toast"]} toast
 */
function createDelete(model, ask, toast) {
  byId("delete").addEventListener("click", async () => {
    const text = `“${model.name}”, its files and its whole history go. This can't be undone.`;
    if (
      !(await ask({
        title: "Delete this project?",
        text,
        yes: "Delete for good",
        no: "Keep it",
        isDanger: true,
      }))
    )
      return;
    try {
      await projects.remove(model.id);
    } catch (error) {
      if (statusOf(error) !== 404) {
        toast.failed(error, "Deleting the project");
        return;
      }
    }
    location.href = "./";
  });
}
