/** A run in words: what it was, who began it, how it ended. No DOM here. */

import { duration, plural } from "../../shared/format.js";
import { agentTitle } from "./model.js";
import { isActive, stateOf } from "./runs-model.js";

/** @import { Run, RunStage } from "../types.js" */

/** Messages that say no more than the status. */
const SAYS_STATUS = /^(queued|running|completed|failed|cancelled|ended with exit code 0|at .*)\.?$/i;

/** What was run. @param {Run} run */
export const titleOf = ({ kind, command }) => (kind === "generation" ? "Generation" : (command ?? "Command"));

/**
 * "ada on build-7"; empty if neither is known.
 *
 * @param {Run} run
 */
export const byWhom = ({ author, host }) =>
  [author && `by ${author}`, host && `on ${host}`].filter(Boolean).join(" ");

/** What came of it, in a few words. @param {Run} run */
export function outcomeOf(run) {
  const { kind, status, silent, exit, signal, changed, stage } = run;
  if (stateOf(status, silent) === "silent") return "not heard of for a minute";
  if (status === "queued") return "waits for its turn";
  if (status === "running") return stage === null ? "" : stageTitle(kind, stage);
  if (kind === "command") return signal ?? (exit === null || exit === 0 ? "" : `exit code ${exit}`);
  return changed > 0 ? `${plural(changed, "file")} changed` : status === "completed" ? "no file changed" : "";
}

/**
 * The name of a stage for people: an agent's is written as a title, a command's as it was given.
 *
 * @param {Run["kind"]} kind
 * @param {string} name
 */
export const stageTitle = (kind, name) => (kind === "generation" ? agentTitle(name) : name);

/**
 * What is at the head of a run: a sentence, and what is worth to be looked up behind it.
 *
 * @param {Run} run
 * @param {readonly RunStage[]} stages
 * @returns {{ sentence: string, details: string }}
 */
export function sayingOf(run, stages) {
  const { kind, status, message, stage, exit, signal } = run;
  const at = stage === null ? null : stageTitle(kind, stage);
  const number = stages.find(({ name }) => name === stage)?.number ?? 0;
  const place =
    at === null ? "" : stages.length > 1 && number > 0 ? `${at}, stage ${number} of ${stages.length}` : at;
  if (status === "failed") {
    if (kind === "generation")
      return { sentence: place ? `Stopped in ${place}` : "Stopped", details: message };
    const how = signal ? `Ended by ${signal}` : exit === null ? message : `Ended with exit code ${exit}`;
    return { sentence: at === null ? how : `${how}, in ${at}`, details: how === message ? "" : message };
  }
  if (status === "cancelled") {
    const said = SAYS_STATUS.test(message) ? "" : message;
    return { sentence: said || (place ? `Cancelled at ${place}` : "Cancelled before it began"), details: "" };
  }
  if (isActive(run)) {
    const said = SAYS_STATUS.test(message) ? "" : message;
    return { sentence: said || (status === "queued" ? "Waits for its turn" : (at ?? "")), details: "" };
  }
  return {
    sentence: kind === "command" ? `${SAYS_STATUS.test(message) ? "" : message}` : message,
    details: "",
  };
}

/** How long it took, or takes so far. @param {Run} run @param {number} now Unix ms */
export function lasted(run, now) {
  if (run.duration !== null && !isActive(run)) return duration(run.duration);
  if (run.started === null || !isActive(run)) return "";
  return duration(Math.max(0, (now - Date.parse(run.started)) / 1000));
}
