/** A section of a log: a stage with its state, which opens and folds, and its lines. */

import { h, setData, setText, show } from "../../shared/dom.js";
import { duration, plural } from "../../shared/format.js";
import { LogBlocks } from "./log-blocks.js";
import { stageTitle } from "./run-words.js";

/** @import { Run } from "../types.js" */
/** @import { RunLog, Section } from "./run-log.js" */

/** @type {Record<string, string>} */
const WORDS = {
  pending: "waiting",
  started: "at work",
  failed: "failed",
  cancelled: "cancelled",
  completed: "done",
};

export class LogSection {
  first = 1;
  last = 0;
  /** @type {Section["stage"]} */
  stage;
  /** Whether people have opened or folded it: then it stays so. */
  isTheirs = false;
  #kind;
  #blocks;
  #isOpen = true;
  #parts;

  /**
   * `around.retry` is called with the stage's number, `around.turned()` when people have opened or folded it.
   *
   * @param {Section} section
   * @param {Run["kind"]} kind
   * @param {{ log: RunLog, scroller: HTMLElement, want(page: number): void, retry(stage: number): void, turned(): void }} around
   */
  constructor(section, kind, { log, scroller, want, retry, turned }) {
    this.stage = section.stage;
    this.#kind = kind;
    this.#parts = section.stage === null ? plainParts() : stageParts(log.number, section.stage.number);
    this.#blocks = new LogBlocks(log, this.#parts.body, scroller, want);
    this.#parts.head?.addEventListener("click", () => {
      this.isTheirs = true;
      this.open(!this.#isOpen);
      turned();
    });
    this.#parts.retry?.addEventListener("click", () => retry(/** @type {number} */ (section.stage?.number)));
  }

  get node() {
    return this.#parts.node;
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.#isOpen = isOpen || this.stage === null;
    show(this.#parts.body, this.#isOpen);
    this.#parts.head?.setAttribute("aria-expanded", String(this.#isOpen));
  }

  /**
   * @param {Section} section
   * @param {{ from: number, to: number }} changed lines that are new or others
   * @param {{ isOffered: boolean, reason: string | null }} again whether a run can begin again here, and why one may not
   */
  update({ stage, first, last }, changed, { isOffered, reason }) {
    Object.assign(this, { stage, first, last });
    this.#blocks.span(first, last, changed);
    const { head, name, state, lines, retry, node, message } = this.#parts;
    if (stage === null || !head) return;
    const { status } = stage;
    setData(node, "status", status);
    setText(name, stageTitle(this.#kind, stage.name));
    setText(lines, last < first ? "" : plural(last - first + 1, "line"));
    const took = stage.duration === null ? "" : duration(stage.duration);
    setText(
      state,
      status === "completed" ? took : [WORDS[status] ?? status, took].filter(Boolean).join(", "),
    );
    const isBad = status === "failed" && stage.message !== "";
    setText(message, isBad ? stage.message : "");
    show(message, isBad);
    show(retry, isOffered);
    retry.disabled = reason !== null;
    retry.title = reason ?? "";
    retry.setAttribute("aria-label", `Retry from ${stageTitle(this.#kind, stage.name)}`);
  }

  drawEnd() {
    if (this.#isOpen && this.last >= this.first) this.#blocks.drawEnd();
  }

  /** @param {number} line */
  row(line) {
    return this.#blocks.row(line);
  }

  remove() {
    this.#blocks.close();
    this.node.remove();
  }
}

/** What is before the first stage, or all of a log without any, has no head. */
function plainParts() {
  const body = h("div", { class: "step__lines" });
  const [name, state, lines, message] = [h("span"), h("span"), h("span"), h("p")];
  const retry = h("button");
  return { node: h("div", { class: "step" }, body), body, head: null, name, state, lines, message, retry };
}

/**
 * @param {number} run
 * @param {number} stage
 */
function stageParts(run, stage) {
  const id = `run-${run}-stage-${stage}`;
  const name = h("span", { class: "step__name", dir: "auto" });
  const state = h("span", { class: "step__state num" });
  const lines = h("span", { class: "step__count num" });
  const message = h("p", { class: "step__message", dir: "auto", hidden: true });
  const body = h("div", { class: "step__lines", id });
  const head = h(
    "button",
    { class: "step__head", type: "button", "aria-expanded": "true", "aria-controls": id, tabindex: "-1" },
    h("span", { class: "step__node", "aria-hidden": "true" }),
    name,
    lines,
    state,
  );
  const retry = h("button", {
    class: "button button--small step__retry",
    type: "button",
    tabindex: "-1",
    text: "Retry from here",
  });
  const bar = h("div", { class: "step__bar" }, h("h3", {}, head), retry);
  return {
    node: h("div", { class: "step" }, bar, message, body),
    body,
    head,
    name,
    state,
    lines,
    message,
    retry,
  };
}
