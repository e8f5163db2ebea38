/** The wire lab: publish, break, watch. Nothing here is simulated but the faults. */

import { connect } from "../../client/index.js";
import { inWords } from "../shared/api.js";
import { byId, setData, setText } from "../shared/dom.js";
import { count } from "../shared/format.js";
import { batched } from "../shared/frame.js";
import { createPage } from "../shared/page.js";
import { TRANSPORTS } from "../shared/indicator.js";
import { createJournal, keepJournal, verdict } from "./journal.js";
import { Ledger } from "./ledger.js";
import { BreakableNetwork } from "./network.js";
import { createPublisher } from "./publisher.js";
import { Timeline } from "./timeline.js";
import { watchTopics } from "./topics.js";

/** @import { Stream, TransportName } from "../../client/index.js" */

const OFFLINE_FOR = 10_000; // milliseconds
const SWALLOWED = 5; // events
/** Live for this long with an event still missing: it is not on the way any more, milliseconds. */
const SETTLED_AFTER = 3_000;
/**
 * The client looks this often whether WebSocket works again, milliseconds; elsewhere it has more patience.
 */
const PROBE_EVERY = 3_000;

const topic = `lab/${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
const page = createPage();
const network = new BreakableNetwork();
const ledger = new Ledger();
const note = createJournal();
const timeline = new Timeline(byId("timeline", HTMLCanvasElement));
/** @type {{ stream: Stream | null, liveSince: number | null, endLink: () => void }} */
const lab = { stream: null, liveSince: null, endLink: () => undefined };

/** Figures of the ledger that the page shows, each in the element of its name. */
const COUNTS = /** @type {const} */ (["published", "received", "missing", "twice"]);

const render = batched(() => {
  for (const name of COUNTS) setText(byId(name), count(ledger[name]));
  const now = Date.now();
  const live = lab.liveSince !== null;
  const settled = now - (lab.liveSince ?? now) > SETTLED_AFTER && ledger.oldestWait(now) > SETTLED_AFTER;
  const [tone, words] = verdict(ledger, { live, settled });
  setText(byId("verdict"), words);
  setData(byId("verdict"), "tone", tone);
  setData(byId("missing-cell"), "tone", ledger.missing > 0 ? tone : "ink");
  setData(byId("twice-cell"), "tone", ledger.twice > 0 ? "red" : "ink");
  setText(byId("cursor"), lab.stream?.cursor ?? "");
});

/**
 * Open the stream with one transport or all, from where the last one stood.
 *
 * @param {TransportName | ""} transport
 */
function open(transport) {
  const after = lab.stream?.cursor ?? "latest";
  lab.stream?.close();
  lab.endLink();
  const stream = connect({
    topics: topic,
    after,
    ...(transport ? { transports: [transport] } : {}),
    tabs: false,
    storage: null,
    memory: null,
    probeInterval: PROBE_EVERY,
    fetch: network.fetch,
    WebSocket: network.WebSocket,
    EventSource: null,
    network,
    page: network.page,
  });
  lab.stream = stream;
  follow(stream);
}

/** @param {Stream} stream */
function follow(stream) {
  page.watch(stream);
  keepJournal(stream, note);
  lab.liveSince = null;
  stream.on(":state", ({ state }) => {
    lab.liveSince = state === "live" ? Date.now() : null;
    render();
  });
  stream.on(":transport", ({ transport }) => {
    lab.endLink();
    lab.endLink = transport ? timeline.begin("link", transport) : () => undefined;
  });
  stream.on("gap", (gap) => {
    timeline.mark("gap");
    if (gap.floor) ledger.declare(gap.floor);
    render();
  });
  stream.on(":anomaly", () => timeline.mark("repair"));
  stream.on("lab", (event) => {
    ledger.receive(event.id);
    timeline.events(stream.transport ?? "websocket", stream.state === "live" ? "live" : "replayed");
    render();
  });
}

const publisher = createPublisher(topic, {
  /** @param {string[]} ids */
  acknowledged(ids) {
    const now = Date.now();
    for (const id of ids) ledger.acknowledge(id, now);
    timeline.events("published", "published", ids.length);
    render();
  },
  /** @param {string} words */
  failed: (words) => page.toast(words, "error"),
});

/**
 * A button that is pressed or not: `begin` returns the function that ends what it began.
 *
 * @param {HTMLElement} button
 * @param {() => () => void} begin
 */
function toggle(button, begin) {
  /** @type {(() => void) | null} */
  let end = null;
  button.addEventListener("click", () => {
    if (end) {
      end();
      end = null;
    } else end = begin();
    button.setAttribute("aria-pressed", String(end !== null));
  });
}

/** @param {string} words */
function tellFault(words) {
  setText(byId("fault-note"), words);
  note("ink", words);
}

/** @type {NodeListOf<HTMLElement>} */
const bursts = document.querySelectorAll("[data-burst]");
for (const button of bursts) {
  button.addEventListener("click", () => publisher.burst(Number(button.dataset.burst)));
}
byId("steady").addEventListener("click", () => {
  byId("steady").setAttribute("aria-pressed", String(publisher.toggle()));
});
byId("trim").addEventListener("click", async () => {
  try {
    const { removed } = await publisher.trim();
    tellFault(
      `${count(removed)} events were trimmed from the log. Who has not seen them will be told by a gap.`,
    );
  } catch (error) {
    page.toast(inWords(error, "Trimming"), "error");
  }
});
byId("transport").addEventListener("change", () => {
  const transport = /** @type {TransportName | ""} */ (byId("transport", HTMLSelectElement).value);
  tellFault(
    transport
      ? `${TRANSPORTS[transport]} only, from the same cursor.`
      : "The client chooses again, from the same cursor.",
  );
  open(transport);
});
for (const button of document.querySelectorAll(".lab__publish .button")) {
  if (!(button instanceof HTMLButtonElement)) continue;
  if (button.id === "trim") {
    page.who.limit({ button, op: "admin", topic, reason: "To trim the log takes an operator's token." });
  } else {
    const reason = `You may watch, but not publish: that takes the right to publish to “${topic}”.`;
    page.who.limit({ button, op: "publish", topic, reason });
  }
}
byId("drop").addEventListener("click", () => {
  timeline.mark("drop");
  tellFault("The connection was cut, without a word to either side.");
  network.drop();
});
byId("swallow").addEventListener("click", () => {
  network.swallow(SWALLOWED);
  tellFault(
    `The next ${SWALLOWED} events are lost on their way over a stream. The one after them gives it away.`,
  );
});
byId("offline").addEventListener("click", () => {
  const button = byId("offline", HTMLButtonElement);
  const endFault = timeline.begin("fault");
  button.disabled = true;
  network.setOnline(false);
  tellFault("Offline for 10 seconds. Publish something meanwhile.");
  setTimeout(() => {
    endFault();
    button.disabled = false;
    network.setOnline(true);
    tellFault("Online again.");
  }, OFFLINE_FOR);
});

toggle(byId("block"), () => {
  const endFault = timeline.begin("fault");
  network.blockWebSocket = true;
  if (lab.stream?.transport === "websocket") network.drop();
  tellFault("WebSocket is blocked, as behind many corporate proxies. HTTP still works.");
  return () => {
    endFault();
    network.blockWebSocket = false;
    tellFault(
      "WebSocket works again. The client finds out by itself and moves back without losing its place.",
    );
  };
});
toggle(byId("freeze"), () => {
  const endFault = timeline.begin("fault");
  network.freeze();
  const heartbeat = lab.stream?.heartbeat;
  const patience = heartbeat ? ` (${Math.round(heartbeat * 2.5)} s)` : "";
  tellFault(
    `Frozen: open, but silent. The client replaces the connection after 2.5 heartbeats without a sign${patience}.`,
  );
  return () => {
    endFault();
    network.thaw();
    tellFault("Thawed: what was held back goes through, if the connection still exists.");
  };
});

// The events of a session are of no use to anyone after it.
window.addEventListener("pagehide", () => publisher.leave());
setInterval(render, 500);
open("");
render();
watchTopics();
