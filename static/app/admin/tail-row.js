/** One row of a live tail, as it stands on the page. What is opened is built then: most rows never are. */

import { h, setText } from "../shared/dom.js";
import { bytes, clock, day, spelt } from "../shared/format.js";
import { CUT, PREVIEW, setIn } from "./tail-store.js";

/** @import { EventRow, GapRow, HoleRow, Row } from "./tail-store.js" */

/**
 * What the buttons of a row do. `place` is where the cursor stands, for who has to copy it himself.
 *
 * @typedef {{ replay(id: string): void, copy(id: string, place: HTMLElement): void }} RowActions
 */

const DEEP = "Nested too deeply to be shown here.";
const LARGE = "It has a number that is larger than a browser can tell exactly: the log has its digits.";

/** When it was taken: the second and what is beside it today, the day of what is older. @param {string} time */
function when(time) {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return isToday ? `${clock(time)}${time.slice(19, 23)}` : day(time);
}

/**
 * @param {Row} row
 * @param {RowActions} actions
 */
export const rowNode = (row, actions) => (row.kind === "event" ? eventNode(row, actions) : gapNode(row));

/** @param {GapRow | HoleRow} row */
function gapNode(row) {
  const code = row.kind === "gap" && row.id !== null ? h("code", { text: row.id }) : null;
  return h(
    "li",
    { class: "tail__gap", dataset: { kind: row.kind } },
    h("span", { text: `${row.words} ` }),
    code,
  );
}

/**
 * @param {EventRow} row
 * @param {RowActions} actions
 */
function eventNode(row, actions) {
  const line = h(
    "summary",
    { class: "tail__line" },
    h("time", { class: "num", datetime: row.time, title: row.time, text: when(row.time) }),
    h("span", { class: "tail__topic mono", title: row.topic, text: row.topic }),
    h("strong", { class: "tail__type", title: row.type, text: row.type }),
    h("code", { class: "tail__data", dir: "auto", text: spelt((row.text ?? DEEP).slice(0, PREVIEW)) }),
    h("span", { class: "tail__id mono", text: row.id }),
  );
  const details = h("details", {}, line);
  details.addEventListener("toggle", () => details.append(inside(row, actions)), { once: true });
  return h("li", { dataset: { kind: row.kind, id: row.id } }, details);
}

/** What an open row has. @param {EventRow} row @param {RowActions} actions */
function inside(row, { replay, copy }) {
  const id = h("dd", { class: "mono", text: row.id });
  const again = h("button", { class: "button button--small", type: "button", text: "Replay from here" });
  const cursor = h("button", { class: "button button--small", type: "button", text: "Copy the cursor" });
  again.addEventListener("click", () => replay(row.id));
  cursor.addEventListener("click", () => copy(row.id, id));
  return h(
    "div",
    { class: "tail__more" },
    h(
      "dl",
      { class: "facts facts--left" },
      ...[h("dt", { text: "Id" }), id],
      ...[h("dt", { text: "Topic" }), h("dd", { class: "mono", text: row.topic })],
      ...[h("dt", { text: "Type" }), h("dd", { class: "mono", text: row.type })],
      ...[h("dt", { text: "Time" }), h("dd", { class: "num", text: row.time })],
    ),
    ...dataNodes(row),
    h("div", { class: "actions" }, again, cursor),
  );
}

/** The data: set in, and cut where it is long. @param {EventRow} row @returns {HTMLElement[]} */
function dataNodes({ id, text, isExact }) {
  if (text === null) return [h("p", { class: "small muted", text: DEEP })];
  const whole = spelt(setIn(text));
  const box = h("pre", { class: "tail__json", tabindex: 0, role: "group", "aria-label": `Data of ${id}` });
  setText(box, whole.slice(0, CUT));
  const large = isExact ? [] : [h("p", { class: "small muted", text: LARGE })];
  return whole.length > CUT ? [box, cutNote(box, whole, text), ...large] : [box, ...large];
}

/**
 * @param {HTMLElement} box
 * @param {string} whole
 * @param {string} text as it came, whose size is told
 */
function cutNote(box, whole, text) {
  const size = bytes(new TextEncoder().encode(text).length);
  const more = h("button", { class: "button button--small", type: "button", text: `Show all, ${size}` });
  const note = h("p", { class: "small muted tail__cut" }, h("span", { text: "Cut here." }), more);
  more.addEventListener("click", () => {
    setText(box, whole);
    note.remove();
    box.focus();
  });
  return note;
}
