/** A line of a log as an element: its number, which is its address, when it came, and its text. */

import { h } from "../../shared/dom.js";
import { clock, count, moment } from "../../shared/format.js";
import { parseLine } from "./ansi.js";
import { legible, on } from "./colours.js";
import { linked, marked } from "./pieces.js";
import { ofLine } from "./place.js";

/** @import { Style } from "./ansi.js" */
/** @import { Line } from "./run-log.js" */
/** @import { Marked } from "./pieces.js" */

/** What a line says beside its text only when it is not the usual one. */
const USUAL = new Set(["info", ""]);

/** Characters of a line that the server gives at most, of which the last then stands for what is missing. */
const GIVEN_MAX = 10_000;

/**
 * What is said of the rest of a line; empty if there is none. How much it is is known only of a line that came whole.
 *
 * @param {string} text as it came
 * @param {number} cut characters of it that are not shown
 */
export function missingWords(text, cut) {
  if (text.length >= GIVEN_MAX) return cut > 0 || text.endsWith("…") ? "… and more, in the download" : "";
  return cut > 0 ? `… and ${count(cut)} characters more, in the download` : "";
}

/** Times in words: of many lines that have come together they are the same. */
export function createTimes() {
  let last = { time: "", short: "", whole: "" };
  /** @param {string} time */
  return (time) => {
    if (time !== last.time) last = { time, short: clock(time), whole: moment(time) };
    return last;
  };
}

/**
 * @typedef {object} Look
 * @property {number} run its number
 * @property {Style} style what the line before has left
 * @property {string} search whose words are marked
 * @property {string | null} stage its name, where lines of several stand together
 * @property {boolean} isHere whether it is the line that the address names
 * @property {ReturnType<typeof createTimes>} times
 */

/**
 * The element, and the style that the line leaves for the next one.
 *
 * @param {Line} line
 * @param {Look} look
 */
export function lineRow({ line, time, level, text }, { run, style, search, stage, isHere, times }) {
  const parsed = parseLine(text, style);
  const shown = h("span", { class: "line__text", dir: "auto" });
  if (!USUAL.has(level)) shown.append(h("span", { class: "line__level", text: level }));
  for (const piece of marked(linked(parsed.pieces), search)) shown.append(pieceNode(piece));
  const missing = missingWords(text, parsed.cut);
  if (missing !== "") shown.append(h("span", { class: "line__cut", text: missing }));
  const href = ofLine(run, line);
  const { short, whole } = times(time);
  const row = h(
    "div",
    { class: "line", id: href.slice(1), dataset: { level } },
    h("a", {
      class: "line__number num",
      href,
      tabindex: "-1",
      "aria-label": `Line ${line}`,
      text: String(line),
    }),
    h("time", { class: "num", datetime: time, title: whole, text: short }),
    stage === null ? null : h("span", { class: "line__stage", text: stage }),
    shown,
  );
  if (isHere) row.dataset.here = "";
  return { row, style: parsed.style };
}

/** @param {Marked} piece */
function pieceNode({ text, style, href, isMatch }) {
  const look = looks(style);
  if (look === null && href === null) return isMatch ? h("mark", { text }) : text;
  const inner = isMatch ? h("mark", { text }) : text;
  const node =
    href === null
      ? h("span", {}, inner)
      : h("a", { href, rel: "noopener noreferrer", target: "_blank" }, inner);
  if (look === null) return node;
  node.className = look.classes;
  for (const [name, value] of look.values) node.style.setProperty(name, value);
  return node;
}

/**
 * Classes and custom properties of a style (log.css); null for a plain one. A ground of its own takes the colour of text
 * that can be read on it.
 *
 * @param {Style} style
 * @returns {{ classes: string, values: [string, string][] } | null}
 */
function looks({ fg, bg, bold, dim, italic, underline, inverse }) {
  const ground = inverse ? (fg ?? "page") : bg;
  const classes = [
    bold && "sgr-bold",
    dim && fg === null && ground === null && "sgr-dim",
    italic && "sgr-italic",
    underline && "sgr-underline",
  ].filter(Boolean);
  /** @type {[string, string][]} */
  const values = [];
  if (ground === "page") classes.push("sgr-inverse");
  else if (typeof ground === "number") classes.push(`sgr-bg-${ground}`);
  else if (ground !== null) {
    classes.push("sgr-bg");
    values.push(["--ground", ground], ["--on", on(ground)]);
  } else if (typeof fg === "number") classes.push(`sgr-fg-${fg}`);
  else if (fg !== null) {
    const { light, dark } = legible(fg);
    classes.push("sgr-fg");
    values.push(["--light", light], ["--dark", dark]);
  }
  return classes.length === 0 ? null : { classes: classes.join(" "), values };
}
