/** The line that says how the run is that is shown, and stays in view. */

import { byId, setBar, setData, setText, show } from "../../shared/dom.js";
import { plain } from "../../shared/format.js";
import { ofLine, ofRun } from "./place.js";
import { isActive, stateOf } from "./runs-model.js";
import { lasted, sayingOf } from "./run-words.js";

/** @import { Run, RunStage } from "../types.js" */
/** @import { ProjectModel } from "./model.js" */

/**
 * @param {ProjectModel} project
 * @param {Run | null} run that is shown
 * @param {readonly RunStage[]} stages
 * @param {number} failedAt the line at which it says why it failed; 0 for none
 */
export function renderOverall(project, run, stages, failedAt) {
  setText(byId("name"), project.name);
  setText(byId("brief"), project.brief ?? "");
  show(byId("brief-box"), project.brief !== null);
  const { sentence, details } =
    run === null ? { sentence: idleWords(project), details: "" } : sayingOf(run, stages);
  renderFigure(run);
  const status = run === null ? "idle" : stateOf(run.status, run.silent);
  setText(byId("status"), status);
  setData(byId("status"), "status", status);
  setText(byId("message"), sentence);
  setText(byId("elapsed"), run === null ? "" : lasted(run, Date.now()));
  const name = byId("run-name", HTMLAnchorElement);
  show(name, run !== null);
  if (run !== null) {
    setText(name, `Run ${run.number}`);
    name.href = ofRun(run.number);
  }
  show(byId("cause"), details !== "");
  setText(byId("cause-text"), details);
  const link = byId("cause-line", HTMLAnchorElement);
  show(link, details !== "" && failedAt > 0);
  if (run !== null && failedAt > 0) link.href = ofLine(run.number, failedAt);
  document.title = `${titleMark(run)}${plain(project.name)} · Twinwire`;
}

/** A command that says nothing of its progress has none. @param {Run | null} run */
function renderFigure(run) {
  const isKnown = run === null || run.kind === "generation" || run.progress > 0;
  const bar = byId("progress");
  show(byId("figure"), isKnown);
  setText(byId("percent"), String(Math.round(run?.progress ?? 0)));
  setBar(bar, isKnown ? (run?.progress ?? 0) / 100 : 1, run?.status ?? "idle");
  if (isKnown) delete bar.dataset.unknown;
  else bar.dataset.unknown = "";
  if (!isKnown) bar.removeAttribute("aria-valuenow");
}

/** @param {ProjectModel} project */
const idleWords = ({ brief }) =>
  brief === null
    ? "Nothing has run yet: the line below reports a run."
    : "Ready: Generate starts the agents.";

/** In a row of tabs the title is all that is seen. @param {Run | null} run */
function titleMark(run) {
  if (run === null) return "";
  if (isActive(run))
    return run.kind === "command" && run.progress === 0 ? "▸ " : `${Math.round(run.progress)}% `;
  if (run.status === "completed") return "✓ ";
  return run.status === "failed" ? "✗ " : "";
}
