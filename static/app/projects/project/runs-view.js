/** The list of runs: number, state, what was run, by whom, when, how long, and what came of it. */

import { byId, h, setData, setText, show } from "../../shared/dom.js";
import { ago, moment, plural } from "../../shared/format.js";
import { revealIn, rove } from "../../shared/rove.js";
import { ofRun } from "./place.js";
import { byWhom, lasted, outcomeOf, titleOf } from "./run-words.js";
import { stateOf } from "./runs-model.js";

/** @import { Run } from "../types.js" */
/** @import { RunsModel } from "./runs-model.js" */

/** @typedef {ReturnType<typeof buildRow>} Row */

export class RunsView {
  #model;
  #list = byId("runs");
  /** By number. @type {Map<number, Row>} */
  #rows = new Map();
  #shown = 0;

  /**
   * `older()` brings older ones.
   *
   * @param {RunsModel} model
   * @param {() => Promise<void>} older
   */
  constructor(model, older) {
    this.#model = model;
    rove(this.#list, "a");
    const button = byId("runs-older", HTMLButtonElement);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await older();
      button.disabled = false;
      this.render(this.#shown);
    });
  }

  /** @param {number} shown the number of the run that the page shows */
  render(shown) {
    const { runs, more, active } = this.#model;
    const numbers = new Set(runs.map(({ number }) => number));
    for (const [number, row] of this.#rows) {
      if (numbers.has(number)) continue;
      row.item.remove();
      this.#rows.delete(number);
    }
    runs.forEach((run, index) => this.#place(run, index, run.number === shown));
    const item = this.#rows.get(shown)?.item;
    if (shown !== this.#shown && item !== undefined) revealIn(this.#list, item);
    this.#shown = shown;
    const total = `${more ? "the newest " : ""}${plural(runs.length, "run")}`;
    setText(byId("runs-count"), runs.length === 0 ? "" : active > 1 ? `${total}, ${active} at work` : total);
    show(byId("runs-empty"), runs.length === 0);
    show(byId("runs-older"), more);
  }

  /**
   * @param {Run} run
   * @param {number} index
   * @param {boolean} isShown
   */
  #place(run, index, isShown) {
    let row = this.#rows.get(run.number);
    if (!row) {
      row = buildRow(run.number);
      this.#rows.set(run.number, row);
    }
    if (this.#list.children[index] !== row.item)
      this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
    if (isShown) row.link.setAttribute("aria-current", "true");
    else row.link.removeAttribute("aria-current");
    row.link.tabIndex = isShown ? 0 : -1;
    renderRow(row, run);
  }
}

/** @param {number} number */
function buildRow(number) {
  const parts = {
    status: h("span", { class: "badge" }),
    title: h("span", { class: "run__title", dir: "auto" }),
    whom: h("span", { class: "run__whom", dir: "auto" }),
    time: h("time", {}),
    took: h("span", { class: "run__took num" }),
    outcome: h("span", {}),
  };
  const label = h("span", { class: "run__number num", text: `#${number}` });
  const link = h(
    "a",
    { class: "run", href: ofRun(number), tabindex: "-1" },
    h("span", { class: "run__row" }, label, parts.status, parts.took),
    h("span", { class: "run__row" }, parts.title),
    h("span", { class: "run__row run__row--small" }, parts.outcome, parts.whom, parts.time),
  );
  return { item: h("li", {}, link), link, ...parts };
}

/**
 * @param {Row} row
 * @param {Run} run
 */
function renderRow({ link, status, title, whom, time, took, outcome }, run) {
  const state = stateOf(run.status, run.silent);
  setData(link, "kind", run.kind);
  setText(status, state);
  setData(status, "status", state);
  setText(title, titleOf(run));
  setText(whom, byWhom(run));
  setText(outcome, outcomeOf(run));
  setText(took, lasted(run, Date.now()));
  const at = run.finished ?? run.started ?? run.created;
  setText(time, ago(at));
  if (time.dateTime !== at) {
    time.dateTime = at;
    time.title = moment(at);
  }
}
