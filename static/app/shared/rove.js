/**
 * A list of buttons or links that is one stop of Tab: arrows, Home and End go from one to the next (WAI-ARIA Authoring
 * Practices, "Keyboard Navigation Inside Components").
 */

/**
 * Where Tab stops among them; null: nowhere.
 *
 * @param {Iterable<HTMLElement>} all
 * @param {HTMLElement | null} stop
 */
export function stopAt(all, stop) {
  for (const one of all) one.tabIndex = one === stop ? 0 : -1;
}

/**
 * Have keys go from one to the next in `list`.
 *
 * @param {HTMLElement} list
 * @param {"a" | "button"} name of its elements that take the focus
 * @param {"Down" | "Right"} way in which they stand
 */
export function rove(list, name, way = "Down") {
  const [next, previous] = way === "Down" ? ["ArrowDown", "ArrowUp"] : ["ArrowRight", "ArrowLeft"];
  list.addEventListener("keydown", (event) => {
    /** @type {HTMLElement[]} */
    const all = [...list.querySelectorAll(name)];
    const here = all.findIndex((one) => one === document.activeElement);
    const last = all.length - 1;
    /** @type {Record<string, number>} */
    const there = { [next]: Math.min(here + 1, last), [previous]: Math.max(here - 1, 0), Home: 0, End: last };
    const to = there[event.key];
    if (here < 0 || to === undefined) return;
    event.preventDefault();
    stopAt(all, all[to]);
    all[to].focus();
  });
}

/**
 * Bring an item into view by its list alone: scrollIntoView would move the whole page.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement} item
 */
export function revealIn(list, item) {
  const top = item.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top;
  const under = top + item.offsetHeight - list.clientHeight;
  if (under > list.scrollTop) list.scrollTop = under;
}
