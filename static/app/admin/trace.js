/** What became of an event, and why somebody did not get it. */

import { api, inWords, request, statusOf } from "../shared/api.js";
import { byId, h } from "../shared/dom.js";
import { clock, count, day, plural } from "../shared/format.js";
import { turnItem } from "./timeline.js";
import { nameOf, wireOf } from "./connections.js";

/** @import { Connection } from "./connections.js" */
/** @import { Turn } from "./timeline.js" */

/** @typedef {Connection & { got: boolean | null, why: string, detail: string, turn: Turn | null }} Verdict */
/** @typedef {{ time: string, ms?: number | null }} Step */

/**
 * As `GET /api/events/{id}/trace` has it (docs/protocol.md, section 7).
 *
 * @typedef {object} Trace
 * @property {string} id
 * @property {string | null} topic
 * @property {string | null} type
 * @property {string | null} time
 * @property {boolean} remembered
 * @property {Step | null} accepted
 * @property {Step | null} committed
 * @property {(Step & { groups: number | null, written: number | null, left: number | null, others: number }) | null} fanned_out
 * @property {Verdict} [connection]
 */

/** Events of a topic to choose from, the newest. */
const CHOICE = 20;
/** Connections of one subject that are told of, open and gone each. */
const OF_ONE = 5;

/** What an event's id looks like, as far as the epoch of the log is not known yet. */
const CURSOR = /^[a-z0-9]{1,32}-[1-9][0-9]*$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const GOT = new Map(
  /** @type {[boolean | null, string][]} */ ([
    [true, "Got it"],
    [false, "Did not get it"],
    [null, "Not known"],
  ]),
);

/** Why it may get it yet. */
const ON_ITS_WAY = new Set(["socket", "replaying", "under_way"]);

/** @param {number | null | undefined} ms */
const after = (ms) => (ms === null || ms === undefined ? "" : `, ${ms.toFixed(1)} ms later`);

/**
 * @param {string} name
 * @param {string} words
 */
const fact = (name, words) => [h("dt", { text: name }), h("dd", { text: words })];

/**
 * Its steps, one below the other.
 *
 * @param {Trace} trace
 */
function steps(trace) {
  const { accepted, committed, fanned_out: told } = trace;
  const forgotten = trace.remembered ? "not remembered any more" : "not remembered: that is switched off";
  return h(
    "dl",
    { class: "facts facts--left" },
    ...fact("Event", trace.topic === null ? "removed from the log" : `${trace.type} on ${trace.topic}`),
    ...fact("Taken", trace.time === null ? "not known any more" : day(trace.time)),
    ...fact("Accepted", accepted ? clock(accepted.time) : forgotten),
    ...fact("Committed", committed ? `${clock(committed.time)}${after(committed.ms)}` : forgotten),
    ...fact("Fanned out", told ? `${clock(told.time)}${after(told.ms)}, ${reached(told)}` : forgotten),
  );
}

/** To how many it went. @param {NonNullable<Trace["fanned_out"]>} told */
function reached({ groups, written, left, others }) {
  if (groups === null || written === null || left === null)
    return "to how many is told by its topic, which is gone with it";
  const more = others > 0 ? `, and ${plural(others, "group")} that there was no room for` : "";
  const readers = left > 0 ? `; ${count(left)} that were live read it from their cursors` : "";
  return `written to ${plural(written, "subscriber")} in ${plural(groups, "group")}${readers}${more}`;
}

/** Why one did or did not get it. @param {Verdict} one */
function verdict(one) {
  return h(
    "li",
    { class: "verdict", dataset: { got: String(one.got) } },
    h("strong", {
      class: "verdict__word",
      text: ON_ITS_WAY.has(one.why) ? "Not yet" : (GOT.get(one.got) ?? ""),
    }),
    h("span", {
      class: "verdict__who",
      text: `${nameOf(one)}, ${wireOf(one.transport)}, since ${day(one.since)}`,
    }),
    h("span", { class: "verdict__why", text: one.detail }),
    h("code", { text: one.why }),
    one.turn === null ? null : h("ol", { class: "turns" }, turnItem(one.turn)),
  );
}

/**
 * The connections that somebody means: one by its id, or the last ones of a subject, open or gone.
 *
 * @param {string} whom
 * @returns {Promise<string[]>}
 */
async function connectionsOf(whom) {
  if (whom === "" || UUID.test(whom)) return whom === "" ? [] : [whom];
  const lists = await Promise.all(
    ["0", "1"].map((gone) =>
      request("GET", "api/connections", {
        params: [
          ["subject", whom],
          ["gone", gone],
        ],
      }),
    ),
  );
  return lists.flatMap(({ connections }) =>
    connections.slice(-OF_ONE).map((/** @type {Connection} */ one) => one.connection),
  );
}

/**
 * @param {string} id
 * @param {string} whom
 * @returns {Promise<HTMLElement[]>}
 */
async function look(id, whom) {
  const path = `api/events/${encodeURIComponent(id)}/trace`;
  const asked = await connectionsOf(whom);
  /** @type {Trace[]} */
  const traces = await Promise.all(
    (asked.length === 0 ? [null] : asked).map((connection) =>
      request("GET", path, { params: [["connection", connection]] }),
    ),
  );
  const verdicts = traces.flatMap(({ connection }) => (connection ? [verdict(connection)] : []));
  const found = [h("h3", { class: "mono", text: id }), steps(traces[0])];
  if (verdicts.length > 0) found.push(h("ul", { class: "verdicts" }, ...verdicts));
  else if (whom !== "") {
    const text = `No connection of “${whom}” is open, nor was one in the last ten minutes: there was nobody to send it to.`;
    found.push(h("p", { class: "empty", text }));
  }
  return found;
}

/**
 * The newest events of a topic or filter, to choose from.
 *
 * @param {string} topic
 * @param {(id: string) => void} choose
 */
async function choice(topic, choose) {
  const { events } = await api.history({ topics: [topic], order: "desc", limit: CHOICE });
  if (events.length === 0) return [h("p", { class: "empty", text: `The log has no event on “${topic}”.` })];
  const items = events.map(({ id, topic: on, type, time }) => {
    const button = h("button", { class: "file", type: "button" });
    button.append(
      h("span", { class: "mono", text: id }),
      h("span", { text: `${type} on ${on}` }),
      h("time", { datetime: time, text: day(time) }),
    );
    button.addEventListener("click", () => choose(id));
    return h("li", {}, button);
  });
  return [h("h3", { text: `The newest of ${topic}` }), h("ul", { class: "choice" }, ...items)];
}

/**
 * The form and what it finds; returns `ask(connection)`, which fills it in.
 *
 * @param {() => string | null} head a cursor of this log, if one is known: a topic may look like one
 */
export function prepareTrace(head) {
  /** @param {string} text */
  const isId = (text) => {
    const known = head();
    const epoch = known?.slice(0, known.lastIndexOf("-") + 1) ?? "";
    return CURSOR.test(text) && text.startsWith(epoch);
  };
  const [event, whom] = [byId("event", HTMLInputElement), byId("whom", HTMLInputElement)];
  const place = byId("events-found");
  let turn = 0;
  const submit = async () => {
    const mine = (turn += 1);
    const [text, who] = [event.value.trim(), whom.value.trim()];
    place.replaceChildren(h("p", { class: "empty", text: "Looking…" }));
    let found;
    try {
      found = isId(text) ? await look(text, who) : await choice(text, choose);
    } catch (error) {
      const words = statusOf(error) === 404 ? "There is no such event, or no such connection." : "";
      found = [h("p", { class: "empty field__error", text: words || inWords(error, "Looking for it") })];
    }
    if (mine === turn) place.replaceChildren(...found);
  };
  /** @param {string} id */
  const choose = (id) => {
    event.value = id;
    submit();
    event.focus();
  };
  byId("events-form").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    submit();
  });
  /** @param {string} connection */
  return (connection) => {
    whom.value = connection;
    event.focus();
    event.scrollIntoView({ block: "center" });
  };
}
