/** The feed over everything that happens: one line an event, newest first, a bounded number of them. */

import { byId, h, show } from "../../shared/dom.js";
import { bytes, clock } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";

/** Lines that stay in the page; older ones are in the history. */
const LINES_MAX = 200;

/** Statuses that the feed tells; how a run ended is told by its completion. */
const STARTS = new Set(["queued", "running"]);
const STATUS_TONE = { completed: "green", failed: "red", cancelled: "ink", queued: "orange" };

/** `nameOf(id)` gives a project's name, or null when it is not in the list. */
export function createFeed(nameOf) {
  const feed = byId("feed");
  const lastStatus = new Map(); // project -> status: a feed tells changes, not every per cent
  let waiting = [];

  const render = batched(() => {
    const told = waiting.reverse();
    waiting = [];
    feed.prepend(...told.map((one) => line(one, nameOf)));
    while (feed.childElementCount > LINES_MAX) feed.lastElementChild.remove();
    show(byId("feed-empty"), feed.childElementCount === 0);
  });

  return {
    /** Add an event; those of one call order come oldest first. */
    add(event) {
      const told = tell(event, lastStatus, byId("feed-logs").checked);
      if (told === null) return;
      waiting.push({ event, told });
      if (waiting.length > LINES_MAX) waiting.shift();
      render();
    },
    clear() {
      waiting = [];
      lastStatus.clear();
      feed.replaceChildren();
      render();
    },
  };
}

/** [tone, text] of an event, or null if it is not worth a line. */
function tell(event, lastStatus, withLogs) {
  const data = event.data ?? {};
  switch (event.type) {
    case "project_created":
      return ["blue", "was created"];
    case "project_deleted":
      return ["ink", "was deleted"];
    case "status_update":
      if (lastStatus.get(event.topic) === data.status) return null;
      lastStatus.set(event.topic, data.status);
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
      return withLogs ? [data.level === "error" ? "red" : "ink", data.message] : null;
    default:
      return ["ink", event.type];
  }
}

function line({ event, told: [tone, text] }, nameOf) {
  const id = event.topic === "projects" ? event.data?.id : event.topic.split("/")[1];
  const name = nameOf(id) ?? event.data?.name ?? event.topic;
  const gone = event.type === "project_deleted";
  const subject = gone
    ? h("span", { class: "feed__project", text: name })
    : h("a", { class: "feed__project", href: `project.html?id=${encodeURIComponent(id)}`, text: name });
  return h(
    "li",
    { dataset: { tone } },
    subject,
    h("time", { datetime: event.time, text: clock(event.time) }),
    h("span", { class: "feed__text", text }),
  );
}
