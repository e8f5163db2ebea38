/** The keyboard in a log: one stop among the heads of its sections and its lines, from which arrows go on. */

/** Where it may be. */
const ITEMS = ".step__head, .step__retry:not(:disabled), .line__number";

/** Not in what is folded, or gives way to what a search has found. @param {Element} one */
const isSeen = (one) => one.checkVisibility?.() ?? true;

export class LogStops {
  #box;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    box.addEventListener("keydown", (event) => this.#rove(event));
  }

  /** What was drawn may be without a stop: then it is the line that the address names, or the first of all. */
  settle() {
    const stop = this.#box.querySelector('[data-stop][tabindex="0"]:not(:disabled)');
    if (stop !== null && isSeen(stop)) return;
    const all = this.#items();
    this.#stopAt(all.find((one) => one.matches(".line[data-here] .line__number")) ?? all[0] ?? null);
  }

  /** Heads and the numbers of lines, as they stand one below the other. @returns {HTMLElement[]} */
  #items() {
    /** @type {HTMLElement[]} */
    const all = [...this.#box.querySelectorAll(ITEMS)].filter((one) => one instanceof HTMLElement);
    return all.filter(isSeen);
  }

  /** @param {HTMLElement | null} stop */
  #stopAt(stop) {
    for (const one of this.#box.querySelectorAll("[data-stop]")) {
      one.removeAttribute("data-stop");
      one.setAttribute("tabindex", "-1");
    }
    stop?.setAttribute("data-stop", "");
    stop?.setAttribute("tabindex", "0");
  }

  /** @param {KeyboardEvent} event */
  #rove(event) {
    const all = this.#items();
    const here = all.findIndex((one) => one === document.activeElement);
    if (here < 0) return;
    const there = { ArrowDown: here + 1, ArrowUp: here - 1 }[event.key];
    if (there === undefined || !all[there]) return;
    event.preventDefault();
    this.#stopAt(all[there]);
    all[there].focus();
  }
}
