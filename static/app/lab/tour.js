/** Half a minute through everything that the lab can break, for whoever sees it for the first time. */

import { byId, setText, show } from "../shared/dom.js";

/** @import { Faults } from "./faults.js" */

const READY = "Show me, in 30 seconds";
const GOING = "Stop";

const BEGIN =
  "Ten events a second, each on disk before anyone sees it. Watch the ledger: none may stay missing.";
const AWAY = "Offline. Events go on being published, and the log keeps them.";
const TRIM =
  "The log is trimmed while this page is away. What it has not seen can't be replayed, and it will be told so.";
const END = "That was all of it. The verdict above is the sum: each event exactly once, or said to be gone.";

/**
 * `steady(on)` publishes one event after another, or no more, and returns whether it did before.
 *
 * @typedef {{ faults: Faults, tell(words: string): void, steady(on: boolean): boolean, trim(): Promise<void> }} Lab
 */

/**
 * What is done at which second, each fault saying itself what it is; and what puts all of it right again. It begins
 * with nothing broken, and what was published before goes on after it.
 *
 * @param {Lab} lab
 */
function script({ faults, tell, steady, trim }) {
  faults.end();
  const before = steady(true);
  tell(BEGIN);
  /** @type {[second: number, act: () => void][]} */
  const steps = [
    [3, faults.drop],
    [7, faults.swallow],
    [11, faults.block.begin],
    [17, () => faults.offline.begin(AWAY)],
    [20, () => (tell(TRIM), void trim().catch(() => tell("The log could not be trimmed.")))],
    [22, faults.offline.end],
    [25, () => faults.block.end()],
    [29, () => steady(false)],
    [30, () => tell(END)],
  ];
  const undo = () => {
    faults.end();
    steady(before);
  };
  return { steps, undo };
}

/**
 * While it runs, what it presses is its own: two who break and mend one stream would each undo what the other does.
 *
 * @param {HTMLButtonElement} button
 * @param {Lab} lab
 */
export function createTour(button, lab) {
  /** @type {(() => void) | null} */
  let stop = null;
  /** @type {NodeListOf<HTMLFieldSetElement>} */
  const own = document.querySelectorAll("fieldset.of-tour");

  /** @param {boolean} runs */
  const draw = (runs) => {
    for (const one of own) one.disabled = runs;
    for (const one of own) show(byId(one.getAttribute("aria-describedby") ?? ""), runs);
    setText(button, runs ? GOING : READY);
  };

  const begin = () => {
    const { steps, undo } = script(lab);
    const timers = steps.map(([second, act]) => setTimeout(act, second * 1_000));
    const end = () => {
      for (const timer of timers) clearTimeout(timer);
      stop = null;
      undo();
      draw(false);
    };
    timers.push(setTimeout(end, (steps[steps.length - 1][0] + 0.5) * 1_000));
    stop = end;
    draw(true);
  };

  draw(false);
  button.addEventListener("click", () => (stop ? stop() : begin()));
}
