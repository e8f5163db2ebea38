/**
 * The connection indicator in the head: green when live, with the transport in use and, opened, the figures.
 */

import { h, setData, setText } from "./dom.js";
import { ago, count, latency } from "./format.js";
import { batched } from "./frame.js";

export const TRANSPORTS = {
  websocket: "WebSocket",
  sse: "SSE",
  poll: "Long poll",
  eventsource: "EventSource",
};

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

const FACTS = [
  ["Transport", (s) => (s.transport ? TRANSPORTS[s.transport] : "none")],
  ["Latency of the last event", (s) => (s.stats.latency === null ? "–" : latency(s.stats.latency))],
  ["Last event", (s) => (s.stats.lastEventAt === null ? "none yet" : ago(s.stats.lastEventAt))],
  ["Events received", (s) => count(s.stats.received)],
  ["Replayed since last reconnect", (s) => count(s.stats.replayed)],
  ["Reconnects", (s) => count(s.stats.reconnects)],
  ["Changes of transport", (s) => count(s.stats.switches)],
  ["Gaps", (s) => count(s.stats.gaps)],
  ["Connection", (s) => ROLES[s.role] ?? "of this tab alone"],
  ["Cursor", (s) => s.cursor ?? "–", "mono"],
];

/** Fill `root` (the details element of the head); returns watch(stream), which may be called again. */
export function createIndicator(root, strip) {
  const label = root.querySelector("#indicator-state");
  const detail = root.querySelector("#indicator-detail");
  const values = buildFacts(root.querySelector("#indicator-facts"));
  let stream = null;
  let undo = [];

  const render = batched(() => {
    if (!stream) return;
    const [tone, words] = STATES[stream.state];
    setData(root, "tone", tone);
    setData(root, "transport", stream.transport ?? "none");
    setText(label, stream.state === "live" ? `Live · ${TRANSPORTS[stream.transport] ?? "connected"}` : words);
    setText(
      detail,
      stream.state === "live" && stream.stats.latency !== null ? latency(stream.stats.latency) : "",
    );
    strip.link(stream.state === "live" || stream.state === "replaying" ? stream.transport : null);
    if (root.open) FACTS.forEach(([, read], index) => setText(values[index], read(stream)));
  });

  root.addEventListener("toggle", render);
  closeFromOutside(root);
  setInterval(() => root.open && render(), 1_000);

  return (next) => {
    for (const off of undo) off();
    stream = next;
    undo = [
      ...[":state", ":transport", ":role", ":cursor", "gap"].map((name) => next.on(name, render)),
      next.on("*", (message) => {
        if (message.topic) strip.bead(message.type);
        render();
      }),
    ];
    render();
  };
}

function buildFacts(list) {
  return FACTS.map(([name, , style]) => {
    const value = h("dd", { class: style ?? null });
    list.append(h("dt", { text: name }), value);
    return value;
  });
}

/** Escape and a click elsewhere close the sheet, as people expect of a menu. */
function closeFromOutside(root) {
  document.addEventListener("click", (event) => {
    if (root.open && !root.contains(event.target)) root.open = false;
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !root.open) return;
    root.open = false;
    root.querySelector("summary").focus();
  });
}
