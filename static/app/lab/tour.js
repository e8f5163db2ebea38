/** Half a minute through everything that the lab can break, for whoever sees it for the first time. */

import { setText } from "../shared/dom.js";

/** @import { Faults } from "./faults.js" */

const READY = "Show me, in 30 seconds";
const GOING = "Stop";

const BEGIN =
  "Ten events a second, each on disk before anyone sees it. Watch the ledger: none may stay missing.";
const AWAY = "Offline. Events go on being published, and the log keeps them.";
const TRIM =
  "The log is trimmed while this page is away. What it has not seen can't be replayed, and it will be told so.";
const END = "That was all of it. The verdict above is the sum: each event exactly once, or said to be gone.";

/** @typedef {{ faults: Faults, tell(words: string): void, steady(on: boolean): void, trim(): Promise<void> }} Lab */

/**
 * What is done at which second, each fault saying itself what it is; and what puts all of it right again.
 *
 * @param {Lab} lab
 */
function script({ faults, tell, steady, trim }) {
  let online = () => {};
  const back = () => {
    online();
    online = () => {};
  };
  /** @type {[second: number, act: () => void][]} */
  const steps = [
    [0, () => (steady(true), tell(BEGIN))],
    [3, faults.drop],
    [7, faults.swallow],
    [11, faults.block.begin],
    [17, () => (online = faults.offline(AWAY))],
    [20, () => (tell(TRIM), void trim().catch(() => tell("The log could not be trimmed.")))],
    [22, back],
    [25, () => faults.block.end()],
    [29, () => steady(false)],
    [30, () => tell(END)],
  ];
  const undo = () => {
    steady(false);
    back();
    faults.block.end();
  };
  return { steps, undo };
}

/**
 * @param {HTMLButtonElement} button
 * @param {Lab} lab
 */
export function createTour(button, lab) {
  /** @type {(() => void) | null} */
  let stop = null;

  const begin = () => {
    const { steps, undo } = script(lab);
    lab.faults.freeze.end();
    const timers = steps.map(([second, act]) => setTimeout(act, second * 1_000));
    const end = () => {
      for (const timer of timers) clearTimeout(timer);
      undo();
      stop = null;
      setText(button, READY);
    };
    timers.push(setTimeout(end, (steps[steps.length - 1][0] + 0.5) * 1_000));
    setText(button, GOING);
    stop = end;
  };

  setText(button, READY);
  button.addEventListener("click", () => (stop ? stop() : begin()));
}
