/** What the stream says about itself, in words, newest first. */

import { byId, h } from "../shared/dom.js";
import { clock, count, plural } from "../shared/format.js";
import { batched } from "../shared/frame.js";
import { anomalyWords, gapWords } from "../shared/gaps.js";
import { TRANSPORTS } from "../shared/indicator.js";
import { whyEnded } from "../shared/page.js";

/** @import { Fault, Stream, TransportName } from "../../client/index.js" */
/** @import { Ledger } from "./ledger.js" */

const LINES_MAX = 300;

/** @type {Record<string, string>} */
const FAULTS = {
  network: "the network refused or cut it",
  timeout: "no answer in time",
  stalled: "silent for too long",
  suspended: "this device slept",
  media: "something else answered in the server's place",
  unsupported: "not possible in this browser",
  protocol: "what came was not a frame of ours",
  dropped: "it was dropped",
};

/** @typedef {(tone: string, text: string, cursor?: string | null) => void} Note */

export function createJournal() {
  const list = byId("journal");
  /** @type {HTMLElement[]} */
  let waiting = [];
  const render = batched(() => {
    list.prepend(...waiting.slice(-LINES_MAX).reverse());
    waiting = [];
    while (list.childElementCount > LINES_MAX) list.lastElementChild?.remove();
  });
  /** @type {Note} */
  return (tone, text, cursor = null) => {
    const now = new Date();
    waiting.push(
      h(
        "li",
        { dataset: { tone } },
        h("time", { datetime: now.toISOString(), text: clock(now) }),
        h("span", { text }),
        cursor ? h("code", { text: cursor }) : null,
      ),
    );
    render();
  };
}

/**
 * Write what `stream` does into `note(tone, text, cursor)`.
 *
 * @param {Stream} stream
 * @param {Note} note
 */
export function keepJournal(stream, note) {
  /** @type {(transport: TransportName) => string} */
  const name = (transport) => TRANSPORTS[transport];
  stream.on(":attempt", ({ transport, after, probe }) =>
    note(
      "ink",
      `${probe ? "Looking whether" : "Trying"} ${name(transport)}${probe ? " works again" : ""}${after ? ", from" : ""}`,
      after,
    ),
  );
  stream.on(":fault", (fault) =>
    note(fault.probe ? "ink" : "red", `${name(fault.transport)}: ${faultWords(fault)}`),
  );
  stream.on(":retry", ({ delay, ordered }) => {
    const seconds = (delay / 1000).toFixed(1);
    note(
      "orange",
      ordered ? `The server asked to come back in ${seconds} s` : `Next attempt in ${seconds} s`,
    );
  });
  stream.on(":transport", ({ transport, previous }) => {
    if (transport)
      note(
        "green",
        previous ? `Moved from ${name(previous)} to ${name(transport)}` : `Connected over ${name(transport)}`,
        stream.cursor,
      );
  });
  stream.on(":stale", ({ stale, since }) => {
    if (stale)
      note("orange", `Nothing heard since ${clock(since)}: nobody knows whether the connection lives`);
  });
  stream.on(":frame", ({ frame }) => {
    if (frame.topic === undefined && frame.type === "caught_up")
      note("green", `Caught up, ${plural(Number(frame.replayed ?? 0), "event")} replayed`, frame.id);
  });
  stream.on("gap", (gap) => note("red", gapWords(gap), gap.id));
  stream.on(":anomaly", (anomaly) =>
    note(anomaly.repaired === false ? "red" : "orange", anomalyWords(anomaly), anomaly.cursor),
  );
  stream.on(":close", ({ error }) => {
    if (error !== null) note("red", `Ended for good: ${whyEnded(error)}`);
  });
}

/** @param {Fault} fault */
function faultWords(fault) {
  if (fault.kind === "http") return `answered with status ${fault.status}`;
  if (fault.kind === "closed") return `closed, code ${fault.code}`;
  if (fault.kind === "goodbye") return `the server said goodbye (${fault.reason})`;
  return FAULTS[fault.kind] ?? fault.kind;
}

/**
 * The verdict under the ledger: [tone, words]. `settled`: live, and long enough for the client to find out what is
 * missing; `held`: seconds until it gives up a connection that is frozen, or null.
 *
 * @param {Ledger} ledger
 * @param {{ live: boolean, settled: boolean, held: number | null }} stream
 * @returns {[tone: string, words: string]}
 */
export function verdict(ledger, { live, settled, held }) {
  const { published, missing, twice, declared } = ledger;
  if (twice > 0)
    return ["red", `${plural(twice, "event")} came twice. This must never happen: please report it.`];
  if (missing > 0 && held !== null)
    return [
      "orange",
      `${plural(missing, "event")} held back by the freeze; the client gives the connection up in ${held} s.`,
    ];
  if (missing > 0 && settled)
    return ["red", `${plural(missing, "event")} did not arrive. This must never happen: please report it.`];
  if (missing > 0 && !live)
    return ["orange", `${plural(missing, "event")} wait in the log until the stream is back.`];
  if (missing > 0) return ["orange", `${plural(missing, "event")} on the way.`];
  if (published === 0) return ["ink", "Publish something, then break the stream."];
  if (declared > 0)
    return ["green", `All accounted for: ${count(declared)} were trimmed unseen, and the gap said so.`];
  return [
    "green",
    published === 1
      ? "The one event arrived, exactly once."
      : `All ${count(published)} events arrived, each exactly once.`,
  ];
}
