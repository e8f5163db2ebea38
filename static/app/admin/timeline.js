/** What one connection went through, in words. */

import { inWords, request } from "../shared/api.js";
import { byId, h, setText, show } from "../shared/dom.js";
import { clock, count, day } from "../shared/format.js";

/**
 * One of `GET /api/connections/{id}/timeline` (docs/protocol.md, section 7).
 *
 * @typedef {object} Turn
 * @property {string} turn
 * @property {string} time
 * @property {string} cursor
 * @property {string | null} [reason]
 * @property {string} [after]
 * @property {string[] | null} [before]
 */

/** @type {Record<string, string>} */
const GAPS = {
  trimmed: "events had been removed",
  compacted: "events had been replaced by newer ones",
  epoch: "its cursor was of another log",
  ahead: "its cursor was ahead of the log",
  malformed: "its cursor was none",
};

/**
 * A filter in a line.
 *
 * @param {string[]} topics
 */
function some(topics) {
  const shown = topics.slice(0, 5).join(", ");
  return topics.length > 5 ? `${shown} and ${count(topics.length - 5)} more` : shown;
}

/**
 * One turn as a sentence.
 *
 * @param {Turn} turn
 */
function tell({ turn, cursor, reason, after, before }) {
  const was = before ? `Before, it was ${some(before)}.` : "The one before was too long to be remembered.";
  switch (turn) {
    case "opened":
      return `It began after ${cursor}.`;
    case "caught_up":
      return `It caught up at ${cursor}, and was live.`;
    case "behind":
      return reason === "socket"
        ? `It fell behind at ${cursor}: its socket was full.`
        : `It fell behind at ${cursor}: there was more at once than is written.`;
    case "gap":
      return `It was told of a gap from ${after} to ${cursor}: ${GAPS[reason ?? ""] ?? reason}.`;
    case "filter":
      return `It had another filter from ${cursor} on. ${was}`;
    case "reduced":
      return `It lost rights at ${cursor}, and with them a part of its filter. ${was}`;
    case "renewed":
      return `It brought another token at ${cursor}.`;
    case "ended":
      return `It ended at ${cursor} (${reason}).`;
    default:
      return `${turn} at ${cursor}`;
  }
}

/** @param {Turn} turn */
export const turnItem = (turn) =>
  h(
    "li",
    { dataset: { turn: turn.turn } },
    h("time", { datetime: turn.time, title: day(turn.time), text: clock(turn.time) }),
    h("span", { text: tell(turn) }),
  );

/** The connection whose timeline is open. */
let open = "";

/**
 * Show it below the table.
 *
 * @param {{ connection: string, subject: string | null, transport: string }} one
 */
export async function showTimeline(one) {
  const panel = byId("timeline");
  const note = byId("timeline-note");
  open = one.connection;
  setText(byId("timeline-title"), `Timeline of ${one.subject ?? "an anonymous client"}`);
  byId("timeline-turns").replaceChildren();
  setText(note, "Loading…");
  show(panel, true);
  panel.focus();
  panel.scrollIntoView({ block: "nearest" });
  try {
    const found = await request("GET", `api/connections/${encodeURIComponent(one.connection)}/timeline`);
    if (open !== one.connection) return; // another one was asked for meanwhile
    byId("timeline-turns").replaceChildren(...found.turns.map(turnItem));
    const topics = found.topics.length === 0 ? "nothing" : some(found.topics);
    const since = found.state === "live" && found.turns.length === 1 ? " It has been live ever since." : "";
    setText(
      note,
      `Connection ${found.connection}, on ${topics}.${since}${found.whole ? "" : " Older turns are forgotten."}`,
    );
  } catch (error) {
    if (open === one.connection) setText(note, inWords(error, "Loading the timeline"));
  }
}

/** Its buttons; `ask(connection)` is for "Ask about an event". @param {(connection: string) => void} ask */
export function prepareTimeline(ask) {
  byId("timeline-ask").addEventListener("click", () => ask(open));
  byId("timeline-close").addEventListener("click", () => {
    open = "";
    show(byId("timeline"), false);
    byId("connections-title").scrollIntoView({ block: "nearest" });
  });
}
