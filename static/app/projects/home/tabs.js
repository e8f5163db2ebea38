/**
 * Where the home page has one column, what happens is a second tab beside the projects (WAI-ARIA, "Tabs"). Which one
 * is shown stands in the address, so that a reload and the way back keep it; where there is room for both there are no
 * tabs, and all is as it reads from top to bottom.
 */

import { byId } from "../../shared/dom.js";

/** As home.css has it. */
const NARROW = "(max-width: 55.99rem)";
const ACTIVITY = "activity";
const NAMES = ["work", ACTIVITY];

/** @param {string} name */
const tabOf = (name) => byId(`tab-${name}`, HTMLButtonElement);

export function createTabs() {
  const narrow = matchMedia(NARROW);

  /** @param {string} shown */
  const show = (shown) => {
    byId("home").dataset.tab = shown;
    for (const name of NAMES) {
      tabOf(name).setAttribute("aria-selected", String(name === shown));
      tabOf(name).tabIndex = name === shown ? 0 : -1;
    }
  };

  /** What the address says: a place on the page is in one of the tabs, or in none and changes nothing. */
  const read = () => {
    const target = document.getElementById(location.hash.slice(1));
    const name = target === null ? NAMES[0] : NAMES.find((one) => byId(one).contains(target));
    if (name === undefined || name === byId("home").dataset.tab) return;
    show(name);
    if (target !== null && narrow.matches) target.scrollIntoView(); // it could not be scrolled to while it was hidden
  };

  /** @param {string} name */
  const choose = (name) => {
    if (byId("home").dataset.tab === name) return;
    const hash = name === ACTIVITY ? `#${name}` : "";
    history.pushState(null, "", `${location.pathname}${location.search}${hash}`);
    show(name);
  };

  /** They are panels of tabs only where there are tabs. */
  const label = () => {
    for (const name of NAMES)
      for (const [attribute, value] of [
        ["role", "tabpanel"],
        ["aria-labelledby", `tab-${name}`],
      ]) {
        if (narrow.matches) byId(name).setAttribute(attribute, value);
        else byId(name).removeAttribute(attribute);
      }
  };

  for (const name of NAMES) {
    tabOf(name).addEventListener("click", () => choose(name));
    tabOf(name).addEventListener("keydown", (event) => {
      const next = neighbour(event.key, NAMES.indexOf(name));
      if (next === undefined) return;
      event.preventDefault();
      choose(next);
      tabOf(next).focus();
    });
  }
  addEventListener("hashchange", read);
  narrow.addEventListener("change", label);
  label();
  read();
}

/**
 * The tab that a key leads to from another, round and round.
 *
 * @param {string} key
 * @param {number} index
 */
function neighbour(key, index) {
  if (key === "ArrowRight") return NAMES[(index + 1) % NAMES.length];
  if (key === "ArrowLeft") return NAMES.at(index - 1);
  if (key === "Home") return NAMES[0];
  return key === "End" ? NAMES.at(-1) : undefined;
}
