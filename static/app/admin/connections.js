/** Who is connected: a table in pages, each with its timeline, and a way to end one. */

import { request, statusOf } from "../shared/api.js";
import { byId, h, setData, setText, show } from "../shared/dom.js";
import { bytes, clock, count, plural } from "../shared/format.js";
import { TRANSPORTS } from "../shared/indicator.js";
import { ROWS, cell, confirmed, createPager, createRows, onSearch, watch } from "./panel.js";
import { showTimeline } from "./timeline.js";

/** @import { Toast } from "../shared/announce.js" */

/** @import { TransportName } from "../../client/index.js" */

/**
 * As `GET /api/connections` has it (docs/protocol.md, section 7).
 *
 * @typedef {object} Connection
 * @property {string} connection
 * @property {string | null} subject
 * @property {string | null} address
 * @property {string} transport
 * @property {"live" | "replaying" | "ending" | "gone"} state
 * @property {string[]} topics the first ones
 * @property {number} filters how many there are
 * @property {string} cursor
 * @property {number | null} lag events
 * @property {number | null} buffer bytes
 * @property {string} since
 * @property {number} age seconds
 * @property {string | null} ended
 * @property {string | null} reason
 */

/** Milliseconds between two looks. */
const EVERY = 5_000;

const STATES = { live: "live", replaying: "catching up", ending: "ending", gone: "gone" };
/** @type {Record<string, string>} */
const REASONS = {
  client: "its client left",
  lost: "the connection broke",
  restart: "it was sent away",
  auth: "its credential ended",
  stalled: "it took nothing",
  limit: "over a limit",
};

/** @param {string} name */
export const wireOf = (name) => TRANSPORTS[/** @type {TransportName} */ (name)] ?? name;

/** Who it is, for people. @param {Connection} one */
export const nameOf = (one) => one.subject ?? "anonymous";

/** 12 s, 4 min, 3 h, 2 d. @param {number} seconds */
function age(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** Some of a filter. @param {Connection} one */
function topicsOf({ topics, filters }) {
  const shown = topics.slice(0, 3);
  const rest = filters - shown.length;
  return topics.length === 0 ? "nothing" : `${shown.join(", ")}${rest > 0 ? ` and ${count(rest)} more` : ""}`;
}

/** @param {Connection} one */
const stateOf = ({ state, ended, reason }) =>
  ended === null ? STATES[state] : `${REASONS[reason ?? ""] ?? reason}, ${clock(ended)}`;

/**
 * @param {(one: Connection) => void} end
 * @param {(one: Connection) => void} look
 */
const rowOf = (end, look) => () => {
  const cells = {
    subject: cell("", "th"),
    address: cell("mono"),
    transport: cell(),
    state: h("span", { class: "badge" }),
    topics: cell("mono clip"),
    lag: cell("num"),
    buffer: cell("num"),
    age: cell("num"),
  };
  cells.subject.setAttribute("scope", "row");
  const timeline = h("button", { class: "button button--small", type: "button", text: "Timeline" });
  const stop = h("button", { class: "button button--small", type: "button", text: "Disconnect" });
  /** @type {Connection} */
  let current;
  timeline.addEventListener("click", () => look(current));
  stop.addEventListener("click", () => end(current));
  const { subject, address, transport, state, topics, lag, buffer, age: old } = cells;
  const actions = h("td", { class: "row-actions" }, timeline, stop);
  const place = h("td", {}, state);
  return {
    node: h("tr", {}, subject, address, transport, place, topics, lag, buffer, old, actions),
    /** @param {Connection} one */
    update(one) {
      current = one;
      setText(subject, nameOf(one));
      subject.title = nameOf(one);
      setText(address, one.address ?? "–");
      setText(transport, wireOf(one.transport));
      setText(state, stateOf(one));
      setData(state, "status", one.state);
      setText(topics, topicsOf(one));
      topics.title = one.topics.join("\n");
      setText(lag, one.lag === null ? "–" : count(one.lag));
      setText(buffer, one.buffer === null ? "–" : bytes(one.buffer));
      setText(old, age(one.age));
      stop.hidden = one.state === "gone";
      for (const button of [timeline, stop])
        button.setAttribute("aria-label", `${button.textContent}: ${nameOf(one)}, ${wireOf(one.transport)}`);
    },
  };
};

/**
 * Show connections while somebody looks.
 *
 * @param {Toast} toast
 * @param {() => number | null} total how many are open, as far as it is known
 */
export function watchConnections(toast, total) {
  const form = byId("connections-filter", HTMLFormElement);
  const note = byId("connections-note");
  const fields = {
    subject: byId("by-subject", HTMLInputElement),
    transport: byId("by-transport", HTMLSelectElement),
    topic: byId("by-topic", HTMLInputElement),
    gone: byId("by-state", HTMLSelectElement),
  };
  let wanted = read();

  /** The form, as it stands, as parameters. */
  function read() {
    return Object.entries(fields).map(
      ([name, field]) => /** @type {[string, string | null]} */ ([name, field.value.trim() || null]),
    );
  }

  /** @param {Connection} one */
  async function end(one) {
    const who = `${nameOf(one)} (${wireOf(one.transport)})`;
    const text = `${who} is told to come back, and will miss nothing. Who must not come back has to be revoked.`;
    if (!(await confirmed("Disconnect this client?", text, "Disconnect"))) return;
    try {
      await request("DELETE", `api/connections/${encodeURIComponent(one.connection)}`);
      toast(`${who} was sent away.`, "done");
    } catch (error) {
      if (statusOf(error) === 404) toast(`${who} had left already.`);
      else toast.failed(error, "Disconnecting");
    }
    await now();
  }

  const draw = createRows(
    byId("connections-rows"),
    key,
    rowOf(end, (one) => showTimeline(one)),
  );
  const load = async () => {
    const answer = await request("GET", "api/connections", {
      params: [...wanted, ["limit", ROWS], ["after", pager.after]],
    });
    draw(answer.connections);
    show(byId("connections-table"), answer.connections.length > 0);
    pager.draw(answer.more, answer.cursor);
    setText(note, words(answer.connections.length, answer.more, total(), wanted.some(isNarrow)));
  };
  const now = watch(load, EVERY, note, "Loading the connections");
  const pager = createPager(byId("connections-pager"), "connections", now);
  const search = () => {
    wanted = read();
    pager.reset();
    now();
  };
  onSearch(form, search);
  return now;
}

/** @param {Connection} one */
const key = (one) => one.connection;

/** Whether this leaves out any of those that are open. @param {[string, string | null]} parameter */
const isNarrow = ([name, value]) => value !== null && !(name === "gone" && value === "0");

/**
 * @param {number} shown
 * @param {boolean} more
 * @param {number | null} total
 * @param {boolean} narrow
 */
function words(shown, more, total, narrow) {
  if (shown === 0) return narrow ? "None of these." : "Nobody is connected.";
  if (narrow) return more ? `${count(shown)}, and there are more` : plural(shown, "connection");
  return total === null || total <= shown
    ? plural(shown, "connection")
    : `${count(shown)} of ${count(total)}`;
}
