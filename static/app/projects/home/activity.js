/** The feed over everything that happens: one line an event, newest first, a bounded number of them. */

import { isAfter } from "../../shared/cursor.js";
import { byId, h, show } from "../../shared/dom.js";
import { bytes, clock } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";

/** @import { ProjectEvent, Status } from "../types.js" */

/** Lines that stay in the page; older ones are in the history. */
const LINES_MAX = 200;

const NOTHING = "Nothing has happened yet.";
const NOTHING_TOLD = "Nothing to tell so far: there may be log lines, which the tick above shows.";

/** Statuses that the feed tells; how a run ended is told by its completion. */
const STARTS = new Set(["queued", "running"]);
/** @type {Partial<Record<Status, string>>} */
const STATUS_TONE = { completed: "green", failed: "red", cancelled: "ink", queued: "orange" };

/** @typedef {{ event: ProjectEvent, told: [tone: string, text: string] }} Told */

/**
 * `nameOf(id)` gives a project's name, or null when it is not in the list.
 *
 * @param {(id: string) => string | null} nameOf
 */
export function createFeed(nameOf) {
  const feed = byId("feed");
  /** By topic: a feed tells changes, not every per cent. @type {Map<string, Status>} */
  const lastStatus = new Map();
  /** @type {Told[]} */
  let waiting = [];
  /** The last event that was added. @type {string | null} */
  let newest = null;

  const render = batched(() => {
    const told = waiting.reverse();
    waiting = [];
    const lines = told.map((one) => line(one, nameOf));
    const below = feed.firstElementChild;
    feed.prepend(...lines);
    for (const one of [...lines, below]) if (one instanceof HTMLElement) joinToAbove(one);
    while (feed.childElementCount > LINES_MAX) feed.lastElementChild?.remove();
    byId("feed-empty").textContent = newest === null ? NOTHING : NOTHING_TOLD;
    show(byId("feed-empty"), feed.childElementCount === 0);
  });

  return {
    /** Add an event; they come oldest first, and one that was there is left out. @param {ProjectEvent} event */
    add(event) {
      if (!isAfter(event.id, newest)) return;
      newest = event.id;
      const told = tell(event, lastStatus, byId("feed-logs", HTMLInputElement).checked);
      if (told === null) return void render();
      waiting.push({ event, told });
      if (waiting.length > LINES_MAX) waiting.shift();
      render();
    },
    clear() {
      waiting = [];
      newest = null;
      lastStatus.clear();
      feed.replaceChildren();
      render();
    },
  };
}

/** Under a line of the same project its name is told once. @param {HTMLElement} node */
function joinToAbove(node) {
  const above = node.previousElementSibling;
  const same = above instanceof HTMLElement && above.dataset.project === node.dataset.project;
  node.toggleAttribute("data-same", same);
}

/**
 * What an event says, or null if it is not worth a line.
 *
 * @param {ProjectEvent} event
 * @param {Map<string, Status>} lastStatus
 * @param {boolean} withLogs
 * @returns {Told["told"] | null}
 */
function tell({ type, topic, data }, lastStatus, withLogs) {
  // The service checks data on `projects/{id}` only; anybody may publish anything below that.
  if (data === null || typeof data !== "object") return ["ink", type];
  switch (type) {
    case "project_created":
      return ["blue", "was created"];
    case "project_deleted":
      return ["ink", "was deleted"];
    case "status_update":
      if (lastStatus.get(topic) === data.status) return null;
      lastStatus.set(topic, data.status);
      return STARTS.has(data.status)
        ? [STATUS_TONE[data.status] ?? "blue", data.message || data.status]
        : null;
    case "agent_update":
      return [data.status === "failed" ? "red" : "blue", data.message];
    case "file_update":
      return ["orange", `${data.action} ${data.path}, ${bytes(data.size)}`];
    case "completion":
      return [STATUS_TONE[data.status] ?? "green", data.message || data.status];
    case "log":
      return withLogs ? [data.level === "error" ? "red" : "ink", data.message ?? ""] : null;
    default:
      return ["ink", String(type)];
  }
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
 * @param {Told} told
 * @param {(id: string) => string | null} nameOf
 */
function line({ event, told: [tone, text] }, nameOf) {
  const { id, name: told } = subjectOf(event);
  const name = nameOf(id) ?? told ?? event.topic;
  const gone = event.type === "project_deleted";
  const subject = gone
    ? h("span", { class: "feed__project", dir: "auto", text: name })
    : h("a", {
        class: "feed__project",
        dir: "auto",
        href: `project.html?id=${encodeURIComponent(id)}`,
        text: name,
      });
  return h(
    "li",
    { dataset: { tone, project: id } },
    subject,
    h("time", { datetime: event.time, text: clock(event.time) }),
    h("span", { class: "feed__text", dir: "auto", text }),
  );
}
