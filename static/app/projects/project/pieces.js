/** Pieces of a line: links in its text, and what a search has found. No DOM here. */

import { safeLink } from "./ansi.js";

/** @import { Piece } from "./ansi.js" */
/** @typedef {Piece & { isMatch: boolean }} Marked */

const ADDRESS = /https?:\/\/[^\s<>"'`{}|\\^]+/gi;
/** What ends a sentence, and not an address. */
const BEHIND = /[.,;:!?…]+$/;
/** @type {[string, string][]} */
const PAIRS = [
  ["(", ")"],
  ["[", "]"],
];

/** Text with addresses made links; what is a link already stays one. @param {Piece[]} pieces @returns {Piece[]} */
export function linked(pieces) {
  return pieces.flatMap((piece) =>
    piece.href === null && piece.text.includes("://") ? cutLinks(piece) : [piece],
  );
}

/** @param {Piece} piece @returns {Piece[]} */
function cutLinks({ text, style }) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = safeLink(address);
    if (href === null) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index), style, href: null });
    found.push({ text: address, style, href });
    from = match.index + address.length;
  }
  if (from < text.length) found.push({ text: text.slice(from), style, href: null });
  return found;
}

/** Without what stands behind it; a bracket belongs to it if it was opened in it. @param {string} address */
function trimmed(address) {
  for (let text = address; ;) {
    let next = text.replace(BEHIND, "");
    for (const [open, close] of PAIRS)
      if (next.endsWith(close) && next.split(open).length < next.split(close).length)
        next = next.slice(0, -1);
    if (next === text) return text;
    text = next;
  }
}

/**
 * Pieces cut where a search has found something in the text of all of them together.
 *
 * @param {Piece[]} pieces
 * @param {string} search
 * @returns {Marked[]}
 */
export function marked(pieces, search) {
  const pattern = patternOf(search);
  if (pattern === null) return pieces.map((piece) => ({ ...piece, isMatch: false }));
  const text = pieces.map((piece) => piece.text).join("");
  const edges = [...text.matchAll(pattern)].map((match) => [match.index, match.index + match[0].length]);
  /** @type {Marked[]} */
  const found = [];
  let at = 0;
  for (const piece of pieces) {
    const end = at + piece.text.length;
    for (let from = at; from < end;) {
      const edge = edges.find(([, to]) => to > from);
      const isMatch = edge !== undefined && edge[0] <= from;
      const to = Math.min(end, edge === undefined ? end : isMatch ? edge[1] : edge[0]);
      found.push({ ...piece, text: text.slice(from, to), isMatch });
      from = to;
    }
    at = end;
  }
  return found;
}

/** What is searched for, as the server looks for it: whatever its case. @param {string} search */
function patternOf(search) {
  if (search === "") return null;
  return new RegExp(search.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
}
