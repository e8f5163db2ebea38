/** The stages of the run that is shown as stations on the pair; each leads to its part of the log. */

import { byId, h, setData, setText, show } from "../../shared/dom.js";
import { duration } from "../../shared/format.js";
import { rove, stopAt } from "../../shared/rove.js";
import { stageTitle } from "./run-words.js";

/** @import { Run, RunStage } from "../types.js" */

/** @typedef {ReturnType<typeof buildStation>} Station */

/** @type {Record<string, string>} */
const WORDS = {
  started: "working",
  pending: "waiting",
  failed: "failed",
  cancelled: "cancelled",
  completed: "done",
};

/** `open(stage)` shows that stage's part of the log. @param {(stage: number) => void} open */
export function createStations(open) {
  const list = byId("agents");
  /** In order. @type {Station[]} */
  const stations = [];

  rove(list, "button", "Right");

  /** @param {Station | undefined} station */
  const stop = (station) =>
    stopAt(
      stations.map(({ button }) => button),
      station?.button ?? null,
    );

  /**
   * @param {Run | null} run
   * @param {readonly RunStage[]} stages
   */
  return (run, stages) => {
    show(list, run !== null && stages.length > 0);
    if (run === null) return;
    while (stations.length > stages.length) stations.pop()?.row.remove();
    while (stations.length < stages.length) {
      const station = buildStation();
      stations.push(station);
      station.button.addEventListener("click", () => {
        stop(station);
        open(Number(station.row.dataset.stage));
      });
      list.append(station.row);
    }
    stages.forEach((stage, index) => renderStation(stations[index], stage, run.kind));
    if (!stations.some(({ button }) => button.tabIndex === 0)) stop(stations[0]);
  };
}

function buildStation() {
  const name = h("span", { class: "agent__name", dir: "auto" });
  const state = h("span", { class: "agent__state num" });
  const node = h("span", { class: "agent__node", "aria-hidden": "true" });
  const button = h("button", { class: "agent__button", type: "button", tabindex: "-1" }, node, name, state);
  return { row: h("li", { class: "agent" }, button), button, name, state };
}

/**
 * @param {Station} parts
 * @param {RunStage} stage
 * @param {Run["kind"]} kind
 */
function renderStation({ row, button, name, state }, stage, kind) {
  const title = stageTitle(kind, stage.name);
  const words =
    stage.status === "completed" && stage.duration !== null ? duration(stage.duration) : WORDS[stage.status];
  setData(row, "status", stage.status);
  setData(row, "stage", String(stage.number));
  setText(name, title);
  setText(state, words ?? stage.status);
  const said = stage.message ? `${title}: ${stage.message}` : title;
  if (button.title !== said) button.title = said;
}
