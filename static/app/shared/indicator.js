/**
 * The indicator of a stream: green when live, with the transport in use and, opened, the figures. While the stream is
 * stale nobody knows, and it says for how long nothing was heard.
 */

import { byId, h, setData, setText } from "./dom.js";
import { ago, count, latency, seconds } from "./format.js";
import { batched } from "./frame.js";

/** @import { Off, Stream, StreamState, TransportName } from "../../client/index.js" */
/** @import { Strip } from "./strip.js" */

/** @type {Record<TransportName, string>} */
export const TRANSPORTS = {
  websocket: "WebSocket",
  sse: "SSE",
  poll: "Long poll",
  eventsource: "EventSource",
};

/** @type {Record<StreamState, [tone: string, words: string]>} */
const STATES = {
  connecting: ["wait", "Connecting"],
  replaying: ["wait", "Catching up"],
  live: ["live", "Live"],
  reconnecting: ["wait", "Reconnecting"],
  offline: ["down", "Offline"],
  unauthorized: ["down", "Not allowed"],
  closed: ["down", "Closed"],
};

const ROLES = { leader: "this tab holds it for all tabs", follower: "shared, another tab holds it" };

/** @type {[string, (stream: Stream) => string, string?][]} */
const FACTS = [
  ["Transport", (s) => (s.transport ? TRANSPORTS[s.transport] : "none")],
  ["Latency of the last event", (s) => (s.stats.latency === null ? "–" : latency(s.stats.latency))],
  ["Last event", (s) => (s.stats.lastEventAt === null ? "none yet" : ago(s.stats.lastEventAt))],
  ["Events received", (s) => count(s.stats.received)],
  ["Replayed since last reconnect", (s) => count(s.stats.replayed)],
  ["Reconnects", (s) => count(s.stats.reconnects)],
  ["Changes of transport", (s) => count(s.stats.switches)],
  ["Gaps", (s) => count(s.stats.gaps)],
  ["Connection", (s) => (s.role ? ROLES[s.role] : "of this tab alone")],
  ["Cursor", (s) => s.cursor ?? "–", "mono"],
];

/**
 * Fill `root` (a details element; what it holds is named after it); returns watch(stream), which may be called again.
 *
 * @param {HTMLDetailsElement} root
 * @param {Pick<Strip, "link" | "bead"> | null} strip null where there is no pair of strands
 */
export function createIndicator(root, strip) {
  const label = byId(`${root.id}-state`);
  const detail = byId(`${root.id}-detail`);
  const values = buildFacts(byId(`${root.id}-facts`));
  /** @type {Stream | null} */
  let stream = null;
  /** When the next attempt is made, in milliseconds of the wall clock: shown, and not counted with. */
  let due = 0;
  /** @type {Off[]} */
  let undo = [];

  const render = batched(() => {
    if (stream === null) return;
    const { state, stale, transport } = stream;
    const live = state === "live" && !stale;
    const [tone, words] = stale ? ["wait", `Nothing heard for ${silence(stream)}`] : STATES[state];
    setData(root, "tone", tone);
    setData(root, "transport", transport ?? "none");
    setText(label, live ? `Live · ${transport ? TRANSPORTS[transport] : "connected"}` : words);
    const wait = Math.ceil((due - Date.now()) / 1_000);
    setText(detail, state === "reconnecting" && wait > 0 ? `again in ${wait} s` : "");
    strip?.link(live || (state === "replaying" && !stale) ? transport : null);
    if (root.open) for (const [index, [, read]] of FACTS.entries()) setText(values[index], read(stream));
  });

  root.addEventListener("toggle", render);
  closeFromOutside(root);
  setInterval(() => {
    if (root.open || stream?.state === "reconnecting" || stream?.stale) render();
  }, 1_000);

  /** @param {Stream} next */
  return (next) => {
    for (const off of undo) off();
    stream = next;
    undo = [
      next.on(":retry", ({ delay }) => {
        due = Date.now() + delay;
        render();
      }),
      ...[":state", ":stale", ":transport", ":role", ":cursor", "gap"].map((name) => next.on(name, render)),
      next.on("*", (message) => {
        if (message.topic) strip?.bead(message.type);
        render();
      }),
    ];
    render();
  };
}

/** For how long, in words; a clock that was set back meanwhile makes no silence of less than none. @param {Stream} stream */
const silence = ({ stats }) => seconds(Math.max(0, (Date.now() - (stats.heardAt ?? Date.now())) / 1_000));

/** @param {HTMLElement} list */
function buildFacts(list) {
  return FACTS.map(([name, , style]) => {
    const value = h("dd", { class: style ?? null });
    list.append(h("dt", { text: name }), value);
    return value;
  });
}

/**
 * Escape and a click elsewhere close the sheet, as people expect of a menu.
 *
 * @param {HTMLDetailsElement} root
 */
export function closeFromOutside(root) {
  document.addEventListener("click", (event) => {
    if (root.open && !root.contains(/** @type {Node} */ (event.target))) root.open = false;
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !root.open) return;
    root.open = false;
    root.querySelector("summary")?.focus();
  });
}
