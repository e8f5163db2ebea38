/**
 * What a terminal would show of one line of output, as pieces of text with a style. No DOM here.
 *
 * A line is what stands between two newlines. In it a program may move about (ECMA-48): `\r` goes back to the first
 * column and what follows overwrites what is there, as progress bars do; `\b` goes back by one; `CSI K` erases. So a
 * line is the last state of its row. `CSI m` (SGR) changes the style of what follows, also of the lines that follow:
 * `parseLine` takes the style that the line before has left, and returns the one that it leaves. `OSC 8` makes a link,
 * which is taken only for http and https. Everything else that begins with ESC or is a control character is for a
 * terminal and not for a page: it is dropped, with all that belongs to it.
 *
 * Text only ever leaves as text: it is for `textContent`.
 */

import { hex } from "./colours.js";

/** @typedef {number | string | null} Colour 0-15: one of the terminal's own; "#rrggbb"; null: that of the page */
/**
 * @typedef {object} Style
 * @property {Colour} fg
 * @property {Colour} bg
 * @property {boolean} bold
 * @property {boolean} dim
 * @property {boolean} italic
 * @property {boolean} underline
 * @property {boolean} inverse
 */
/** @typedef {{ text: string, style: Style, href: string | null }} Piece */
/** @typedef {{ pieces: Piece[], style: Style, cut: number }} Parsed `cut`: characters that are not shown */

/** @type {Style} */
export const PLAIN = Object.freeze({
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
});

/** Characters of a line that are shown: more would make a single line the whole page. Nor does a row go on further. */
export const SHOWN_MAX = 4_000;
/** Of a row that is overwritten again and again, the last states are looked at. */
const STATES_MAX = 3;

const ESC = "\u001b";
const BELL = "\u0007";
const END_OF_STRING = `(?:${BELL}|${ESC}\\\\|\u009c|$)`;
/**
 * What is not text, one alternative each: CSI with its parameters and its final byte; OSC with its words; other
 * strings (DCS, SOS, PM, APC); what is cut off at the end; other escapes; other control characters, but for tabs
 * and the newlines of what an agent logged as one.
 */
const CONTROL = new RegExp(
  [
    `(?:${ESC}\\[|\u009b)([0-?]*)[ -/]*([@-~])`,
    `(?:${ESC}\\]|\u009d)((?:[^${BELL}${ESC}\u009c]|${ESC}(?!\\\\))*)${END_OF_STRING}`,
    `(?:${ESC}[PX^_]|[\u0090\u0098\u009e\u009f])(?:[^${BELL}${ESC}\u009c]|${ESC}(?!\\\\))*${END_OF_STRING}`,
    `(?:${ESC}\\[|\u009b)[0-?]*[ -/]*$`,
    `${ESC}[ -/]*[0-~]?`,
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f]",
  ].join("|"),
  "g",
);
/** What moves about in the row. */
const MOVES = new RegExp(`[\r\b]|${ESC}\\[[0-9]*[CDGK]`);

/**
 * One line, without its newline.
 *
 * @param {string} raw
 * @param {Style} style what the line before has left
 * @param {number} most characters that are taken
 * @returns {Parsed}
 */
export function parseLine(raw, style = PLAIN, most = SHOWN_MAX) {
  const line = raw.endsWith("\r") ? raw.slice(0, raw.lastIndexOf("\r")) : raw;
  const row = MOVES.test(line) ? new Cells(style, most) : new Straight(style, most);
  const rest = lastStates(line);
  let from = 0;
  CONTROL.lastIndex = 0;
  for (const found of rest.matchAll(CONTROL)) {
    row.write(rest.slice(from, found.index));
    from = found.index + found[0].length;
    control(row, found);
  }
  row.write(rest.slice(from));
  return { pieces: row.pieces(), style: row.style, cut: row.cut };
}

/** The text alone and all of it, as it is copied. @param {string} raw */
export const plainText = (raw) =>
  parseLine(raw, PLAIN, Infinity)
    .pieces.map(({ text }) => text)
    .join("");

/** A whole log without what is for a terminal. @param {string} log */
export const plainLog = (log) => log.split("\n").map(plainText).join("\n");

/** Without what is overwritten long before the end. @param {string} line */
function lastStates(line) {
  let at = line.length;
  for (let states = 0; states < STATES_MAX && at > 0; states += 1) at = line.lastIndexOf("\r", at - 1);
  return at > 0 ? line.slice(at) : line;
}

/**
 * @param {Straight | Cells} row
 * @param {RegExpMatchArray} found
 */
function control(row, [all, parameters, final, words]) {
  if (final === "m") row.style = styled(row.style, parameters);
  else if (final !== undefined) row.move(final, parameters === "" ? 0 : Number.parseInt(parameters, 10) || 0);
  else if (words !== undefined) {
    if (words.startsWith("8;")) row.href = safeLink(words.slice(words.indexOf(";", 2) + 1));
  } else if (all === "\r") row.move("G", 1);
  else if (all === "\b") row.move("D", 1);
}

/** A link that a page may have, or null. @param {string} text */
export function safeLink(text) {
  if (!/^https?:\/\//i.test(text) || text.length > 2_000) return null;
  try {
    return new URL(text).href;
  } catch {
    return null;
  }
}

/** A row in which nothing goes back: pieces one behind the other. */
class Straight {
  cut = 0;
  /** @type {string | null} */
  href = null;
  #length = 0;
  #most;
  /** @type {Piece[]} */
  #pieces = [];

  /** @param {Style} style @param {number} most */
  constructor(style, most) {
    this.style = style;
    this.#most = most;
  }

  /** @param {string} text */
  write(text) {
    const room = this.#most - this.#length;
    const shown = text.length <= room ? text : whole(text.slice(0, Math.max(0, room)));
    this.cut += text.length - shown.length;
    if (shown === "") return;
    this.#length += shown.length;
    const last = this.#pieces.at(-1);
    if (last && last.style === this.style && last.href === this.href) last.text += shown;
    else this.#pieces.push({ text: shown, style: this.style, href: this.href });
  }

  /** Nothing moves here; a movement past the end would be spaces. */
  move() {}

  pieces() {
    return this.#pieces;
  }
}

/** Half of a pair of surrogates is no character. @param {string} text */
const whole = (text) => (/[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text);

/** A row of characters, each with its style, and a place where the next one goes. */
class Cells {
  cut = 0;
  /** @type {string | null} */
  href = null;
  #at = 0;
  #most;
  /** @type {{ text: string, style: Style, href: string | null }[]} */
  #cells = [];

  /** @param {Style} style @param {number} most */
  constructor(style, most) {
    this.style = style;
    this.#most = most;
  }

  /** @param {string} text */
  write(text) {
    for (const one of text) {
      if (this.#at >= this.#most) this.cut += 1;
      else {
        this.#fill();
        this.#cells[this.#at] = { text: one, style: this.style, href: this.href };
        this.#at += 1;
      }
    }
  }

  /** A gap that was moved over is of spaces. */
  #fill() {
    while (this.#cells.length < this.#at) this.#cells.push({ text: " ", style: PLAIN, href: null });
  }

  /**
   * @param {string} final
   * @param {number} by
   */
  move(final, by) {
    if (final === "G") this.#at = Math.max(0, (by || 1) - 1);
    else if (final === "D") this.#at = Math.max(0, this.#at - (by || 1));
    else if (final === "C") this.#at += by || 1;
    else if (final === "K") this.#erase(by);
    this.#at = Math.min(this.#at, Math.max(SHOWN_MAX, this.#cells.length)); // not to where nothing was written
  }

  /** To the end, from the beginning, or all of it. @param {number} which */
  #erase(which) {
    if (which === 0) this.#cells.length = Math.min(this.#cells.length, this.#at);
    else if (which === 2) this.#cells.length = 0;
    else if (which === 1)
      for (let at = 0; at <= this.#at && at < this.#cells.length; at += 1)
        this.#cells[at] = { text: " ", style: PLAIN, href: null };
  }

  pieces() {
    /** @type {Piece[]} */
    const pieces = [];
    for (const { text, style, href } of this.#cells) {
      const last = pieces.at(-1);
      if (last && last.style === style && last.href === href) last.text += text;
      else pieces.push({ text, style, href });
    }
    return pieces;
  }
}

/** @type {Readonly<Record<number, Partial<Style>>>} */
const CHANGES = Object.freeze({
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  39: { fg: null },
  49: { bg: null },
});

/**
 * A style after an SGR sequence. Parameters stand behind semicolons; behind colons stand the parts of one (ITU T.416).
 *
 * @param {Style} style
 * @param {string} parameters
 * @returns {Style}
 */
function styled(style, parameters) {
  if (!/^[0-9;:]*$/.test(parameters)) return style; // of a terminal's own
  let next = { ...style };
  const all = parameters.split(";");
  for (let at = 0; at < all.length; at += 1) {
    const parts = all[at].split(":");
    const code = Number(parts[0] || 0);
    if (code === 0) next = { ...PLAIN };
    else if (code === 38 || code === 48) {
      const isApart = parts.length > 1;
      const rest = isApart ? parts.slice(1) : all.slice(at + 1);
      const { colour, taken } = extended(rest, isApart);
      if (!isApart) at += taken;
      if (colour !== null) next[code === 38 ? "fg" : "bg"] = colour;
    } else if (code === 4 && parts[1] === "0") next.underline = false;
    else if (CHANGES[code]) Object.assign(next, CHANGES[code]);
    else next = coloured(next, code);
  }
  return same(next, style) ? style : same(next, PLAIN) ? PLAIN : Object.freeze(next);
}

/**
 * @param {Style} style
 * @param {number} code
 * @returns {Style}
 */
function coloured(style, code) {
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 };
  return style;
}

/**
 * A colour of 256, or any: what stands behind a 38 or a 48, and how many parameters that takes. With colons a colour
 * space may stand before its parts.
 *
 * @param {string[]} rest
 * @param {boolean} isApart
 * @returns {{ colour: Colour, taken: number }}
 */
function extended(rest, isApart) {
  if (rest[0] === "5") return { colour: ofPalette(Number(rest[1] || 0)), taken: 2 };
  if (rest[0] !== "2") return { colour: null, taken: rest.length };
  const from = isApart && rest.length > 4 ? 2 : 1;
  const parts = [0, 1, 2].map((one) => Number(rest[from + one] || 0));
  const isColour = parts.every((one) => Number.isInteger(one) && one <= 255);
  return { colour: isColour ? hex(parts) : null, taken: 4 };
}

/** Of the 256: the sixteen, a cube of six, and greys (xterm). @param {number} n @returns {Colour} */
function ofPalette(n) {
  if (!Number.isInteger(n) || n < 0 || n > 255) return null;
  if (n < 16) return n;
  if (n >= 232) return hex(Array(3).fill(8 + (n - 232) * 10));
  const level = (/** @type {number} */ one) => (one === 0 ? 0 : 55 + one * 40);
  const cube = n - 16;
  return hex([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(level));
}

/**
 * @param {Style} one
 * @param {Style} other
 */
function same(one, other) {
  return /** @type {(keyof Style)[]} */ (Object.keys(PLAIN)).every((name) => one[name] === other[name]);
}
