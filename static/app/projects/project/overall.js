/** The head of the project page: name, brief, status, the one big number and the time. */

import { byId, setBar, setText, show } from "../../shared/dom.js";
import { duration, plain } from "../../shared/format.js";

/** @import { ProjectModel } from "./model.js" */

/**
 * Draws the overall state of `model`; call it after each change and once a second while a run is active.
 *
 * @param {ProjectModel} model
 */
export function renderOverall(model) {
  setText(byId("name"), model.name);
  setText(byId("brief"), model.brief);
  const percent = Math.round(model.progress);
  setText(byId("percent"), String(percent));
  setBar(byId("progress"), model.progress / 100, model.status);
  const badge = byId("status");
  setText(badge, model.status);
  badge.dataset.status = model.status;
  setText(
    byId("message"),
    model.message || (model.status === "idle" ? "Ready: Generate starts the agents." : ""),
  );
  setText(byId("elapsed"), elapsed(model));
  show(byId("generate"), !model.active);
  setText(byId("generate"), model.run === null ? "Generate" : "Generate again");
  show(byId("cancel"), model.active);
  show(byId("download"), model.files.size > 0 && !model.active);
  document.title = `${titleMark(model, percent)}${plain(model.name)} · Twinwire`;
}

/** @param {ProjectModel} model */
function elapsed(model) {
  if (!model.active) return model.duration === null ? "" : `took ${duration(model.duration)}`;
  if (model.started === null) return "";
  return duration(Math.max(0, (Date.now() - new Date(model.started).getTime()) / 1000));
}

/**
 * In a row of tabs the title is all that is seen.
 *
 * @param {ProjectModel} model
 * @param {number} percent
 */
function titleMark(model, percent) {
  if (model.active) return `${percent}% `;
  if (model.status === "completed") return "✓ ";
  return model.status === "failed" ? "✗ " : "";
}
