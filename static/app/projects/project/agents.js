/** The agents as stations on the pair, each with its state and its bar. */

import { byId, h, setBar, setData, setText, show } from "../../shared/dom.js";
import { duration } from "../../shared/format.js";
import { agentTitle } from "./model.js";

/** @import { ProjectModel } from "./model.js" */
/** @import { Stage } from "../types.js" */

export function createAgents() {
  const list = byId("agents");
  const filter = byId("log-agent");
  /** By the stage's number. @type {Map<number, ReturnType<typeof buildRow>>} */
  const rows = new Map();

  /** @param {Stage} stage */
  function row(stage) {
    let parts = rows.get(stage.number);
    if (!parts) {
      parts = buildRow();
      rows.set(stage.number, parts);
      list.append(parts.row);
      filter.append(h("option", { value: stage.agent, text: agentTitle(stage.agent) }));
    }
    return parts;
  }

  /** @param {ProjectModel} model */
  return (model) => {
    for (const stage of model.stages) renderRow(row(stage), stage, model);
    setText(byId("agents-count"), `${model.completedStages} of ${model.stages.length} done`);
  };
}

function buildRow() {
  const name = h("span", { class: "agent__name" });
  const state = h("span", { class: "agent__state num" });
  const bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
  const message = h("p", { class: "agent__message", hidden: true });
  const node = h("span", { class: "agent__node", "aria-hidden": "true" });
  return { row: h("li", { class: "agent" }, node, name, state, bar, message), name, state, bar, message };
}

/**
 * @param {ReturnType<typeof buildRow>} parts
 * @param {Stage} stage
 * @param {ProjectModel} model
 */
function renderRow(parts, stage, model) {
  const stopped = stage.status === "started" && !model.active;
  const status = stopped ? "stopped" : stage.status;
  const title = agentTitle(stage.agent);
  setData(parts.row, "status", status);
  setText(parts.name, title);
  setText(parts.state, stateWords(status, stage));
  parts.bar.setAttribute("aria-label", `Progress of ${title}`);
  setBar(parts.bar, model.stageFraction(stage), stopped ? "cancelled" : status);
  const failed = status === "failed";
  setText(parts.message, failed ? stage.message : "");
  show(parts.message, failed);
}

/**
 * @param {Stage["status"] | "stopped"} status
 * @param {Stage} stage
 */
function stateWords(status, stage) {
  if (status === "completed") return stage.duration === null ? "done" : duration(stage.duration);
  return { started: "working", pending: "waiting", failed: "failed", stopped: "stopped" }[status];
}
