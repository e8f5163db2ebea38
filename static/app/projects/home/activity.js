/** The feed over everything that happens: a line for an event, a group for a run, newest first. */

import { isAfter } from "../../shared/cursor.js";
import { byId, h, setText, show } from "../../shared/dom.js";
import { clock } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { Activity, Run } from "./runs.js";

/** @import { ProjectEvent } from "../types.js" */
/** @import { Line } from "./runs.js" */

const NOTHING = "Nothing has happened yet.";
const NOTHING_TOLD = "Nothing to tell so far: there may be log lines, which the tick above shows.";
const NOT_WHOLE = "What came before in this run is not shown here.";

/** @typedef {(id: string) => string | null} NameOf the name of a project, or null when it is not in the list */

/** @param {NameOf} nameOf */
export function createFeed(nameOf) {
  const feed = byId("feed");
  const activity = new Activity();
  /** @type {WeakMap<Line | Run, HTMLElement>} */
  const nodes = new WeakMap();
  /** Runs that somebody has opened, by id: they are so when the feed is filled anew. @type {Set<string>} */
  const opened = new Set();
  /** The last event that was added. @type {string | null} */
  let newest = null;

  /** @param {Line | Run} one */
  const nodeOf = (one) => {
    const node = nodes.get(one) ?? (one instanceof Run ? group(one, nameOf, opened) : line(one, nameOf));
    nodes.set(one, node);
    return node;
  };

  const render = batched(() => {
    const active = document.activeElement;
    const shown = new Set(activity.entries.map(nodeOf));
    for (const node of [...feed.children]) if (!shown.has(/** @type {HTMLElement} */ (node))) node.remove();
    let place = feed.firstElementChild;
    for (const node of shown) {
      if (node === place) place = place.nextElementSibling;
      else feed.insertBefore(node, place);
    }
    for (const one of activity.entries) if (one instanceof Run) refresh.get(nodeOf(one))?.();
    for (const node of shown) joinToAbove(node);
    if (active instanceof HTMLElement && feed.contains(active)) active.focus({ preventScroll: true }); // it was moved
    byId("feed-empty").removeAttribute("data-loading");
    byId("feed-empty").textContent = newest === null ? NOTHING : NOTHING_TOLD;
    show(byId("feed-empty"), activity.entries.length === 0);
  });

  return {
    /** Add an event; they come oldest first, and one that was there is left out. @param {ProjectEvent} event */
    add(event) {
      if (!isAfter(event.id, newest)) return;
      newest = event.id;
      activity.add(event, byId("feed-logs", HTMLInputElement).checked);
      render();
    },
    clear() {
      newest = null;
      activity.clear();
      render();
    },
  };
}

/** What brings a group up to date, by its node. @type {WeakMap<HTMLElement, () => void>} */
const refresh = new WeakMap();

/** Under a line of the same project its name is told once. @param {HTMLElement} node */
function joinToAbove(node) {
  const above = node.previousElementSibling;
  const same = above instanceof HTMLElement && above.dataset.project === node.dataset.project;
  node.toggleAttribute("data-same", same);
}

/**
 * The project that an event is about: its id and, if the event tells it, its name.
 *
 * @param {ProjectEvent} event
 */
function subjectOf({ type, topic, data }) {
  if (topic === "projects" && (type === "project_created" || type === "project_deleted")) return data;
  return { id: topic.split("/")[1] ?? topic, name: null };
}

/**
 * What names the project of an event, with a way to it if it is there.
 *
 * @param {ProjectEvent} event
 * @param {NameOf} nameOf
 */
function subject(event, nameOf) {
  const { id, name: told } = subjectOf(event);
  const text = nameOf(id) ?? told ?? event.topic;
  const props = { class: "feed__project", dir: "auto", text };
  if (event.type === "project_deleted") return h("span", props);
  return h("a", { ...props, href: `project.html?id=${encodeURIComponent(id)}` });
}

/** @param {ProjectEvent} event */
const when = (event) => h("time", { datetime: event.time, text: clock(event.time) });

/**
 * @param {Line} line
 * @param {NameOf} nameOf
 */
const line = ({ event, tone, text }, nameOf) =>
  h(
    "li",
    { dataset: { tone, project: subjectOf(event).id } },
    subject(event, nameOf),
    when(event),
    h("span", { class: "feed__text", dir: "auto", text }),
  );

/**
 * A run in a line, which opens: its steps are made when somebody looks at them.
 *
 * @param {Run} run
 * @param {NameOf} nameOf
 * @param {Set<string>} opened
 */
function group(run, nameOf, opened) {
  const words = h("span", { dir: "auto" });
  const steps = h("ol", { class: "feed__steps", "aria-label": "Steps of this run, newest first" });
  const note = h("p", { class: "feed__note", text: NOT_WHOLE });
  const more = h(
    "details",
    { class: "feed__run", open: run.id !== null && opened.has(run.id) },
    h("summary", {}, words),
    steps,
    note,
  );
  const time = when(run.last);
  const node = h(
    "li",
    { dataset: { project: subjectOf(run.last).id } },
    subject(run.last, nameOf),
    time,
    more,
  );
  let drawn = 0;

  const update = () => {
    const { tone, text } = run.told;
    node.dataset.tone = tone;
    setText(words, text);
    setText(time, clock(run.last.time));
    time.dateTime = run.last.time;
    show(note, !run.isWhole);
    if (!more.open) return;
    const fresh = run.steps.slice(Math.max(0, run.steps.length - (run.added - drawn)));
    steps.prepend(...fresh.map(step).reverse());
    drawn = run.added;
    while (steps.childElementCount > run.steps.length) steps.lastElementChild?.remove();
  };
  more.addEventListener("toggle", () => {
    if (run.id !== null) opened[more.open ? "add" : "delete"](run.id);
    update();
  });
  refresh.set(node, update);
  return node;
}

/** @param {Line} line */
const step = ({ event, tone, text }) =>
  h("li", { dataset: { tone } }, h("span", { dir: "auto", text }), when(event));
