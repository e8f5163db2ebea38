/** The wire lab: publish, break, watch. Nothing here is simulated but the faults. */

import { connect } from "../../client/index.js";
import { STALL_HEARTBEATS } from "../../client/link.js";

import { byId, setData, setText } from "../shared/dom.js";
import { count } from "../shared/format.js";
import { batched } from "../shared/frame.js";
import { createPage } from "../shared/page.js";
import { TRANSPORTS } from "../shared/indicator.js";
import { createFaults } from "./faults.js";
import { createJournal, keepJournal, verdict } from "./journal.js";
import { Ledger } from "./ledger.js";
import { BreakableNetwork } from "./network.js";
import { createPublisher } from "./publisher.js";
import { Timeline } from "./timeline.js";
import { watchTopics } from "./topics.js";
import { createTour } from "./tour.js";

/** @import { Stream, TransportName } from "../../client/index.js" */

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
  // Live for so long with an event still missing: the client would have found that out.
  const patience = (lab.stream?.heartbeat ?? Infinity) * STALL_HEARTBEATS * 1_000;
  const settled = now - (lab.liveSince ?? now) > patience && ledger.oldestWait(now) > patience;
  const [tone, words] = verdict(ledger, { live, settled, held: faults.frozenFor(now) });
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
const toggleSteady = () => byId("steady").setAttribute("aria-pressed", String(publisher.toggle()));
byId("steady").addEventListener("click", toggleSteady);
byId("trim").addEventListener("click", async () => {
  try {
    const { removed } = await publisher.trim();
    tellFault(
      `${count(removed)} events were trimmed from the log. Who has not seen them will be told by a gap.`,
    );
  } catch (error) {
    page.toast.failed(error, "Trimming");
  }
});
byId("transport").addEventListener("change", () => {
  faults.freeze.end(); // what was frozen is closed
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
const faults = createFaults({ network, timeline, tell: tellFault, stream: () => lab.stream });
createTour(byId("tour", HTMLButtonElement), {
  faults,
  tell: tellFault,
  steady(on) {
    const before = publisher.steady;
    if (before !== on && !byId("steady", HTMLButtonElement).disabled) toggleSteady();
    return before;
  },
  async trim() {
    if (!byId("trim", HTMLButtonElement).disabled) await publisher.trim();
  },
});

// The events of a session are of no use to anyone after it.
window.addEventListener("pagehide", () => publisher.leave());
setInterval(render, 500);
open("");
render();
watchTopics();
