/**
 * Cursors in the file that is shown: one's own is told to the others, and theirs are marks at their lines.
 *
 * One's own is where the pointer is, where something is selected, or, by keyboard, the first line that is in view. Marks lie
 * over the text and are nothing to pointers, nor to screen readers: the list of who is here says the same in words.
 */

import { byId, h, setData, setText } from "../../shared/dom.js";
import { batched } from "../../shared/frame.js";
import { Lines, Marks } from "./marks.js";

/** @import { Mark } from "./marks.js" */
/** @import { Person } from "./people.js" */

/** Between two that are told, milliseconds. */
const EVERY = 100;
/** One that moves within its line is told again after this long, milliseconds: it is not at rest. */
const AGAIN = 2_000;
/** Pixels below the edge at which the first line in view is looked for. */
const BELOW = 14;

/** The file that is shown, of a run. @typedef {{ run: number, file: string }} Source */

/** @typedef {{ node: HTMLElement, names: string }} Drawn */

/**
 * @param {number} x
 * @param {number} y
 * @returns {{ node: Node, offset: number } | null}
 */
function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const caret = document.caretPositionFromPoint(x, y);
    return caret && { node: caret.offsetNode, offset: caret.offset };
  }
  const range = document.caretRangeFromPoint?.(x, y); // what Safari has
  return range ? { node: range.startContainer, offset: range.startOffset } : null;
}

export class Cursors {
  #text = byId("preview-text");
  #over = byId("cursors");
  #lines = new Lines();
  #marks = new Marks();
  #around;
  /** By line. @type {Map<number, Drawn>} */
  #drawn = new Map();
  #line = 0; // one's own
  #saidAt = -Infinity;
  /** @type {number | undefined} */
  #timer;
  /** @type {number | undefined} */
  #end;
  #isPointed = false;
  #ask = batched(() => this.#render());

  /**
   * `shown()` is the file that is shown, null for none; `people()` those who are here, nobody while that is not known;
   * `moved(line)` is called when one's own cursor is at another line, 0 for none; `tell(cursor)` at most ten times a second.
   *
   * @param {{ shown(): Source | null, people(): readonly Person[], moved(line: number): void, tell(cursor: Source & { line: number }): void }} around
   */
  constructor(around) {
    this.#around = around;
    const box = this.#text;
    box.addEventListener("pointermove", ({ clientX, clientY }) => this.#point(clientX, clientY));
    box.addEventListener("pointerdown", ({ clientX, clientY }) => this.#point(clientX, clientY));
    box.addEventListener("pointerleave", ({ pointerType }) => {
      this.#isPointed = false;
      if (pointerType === "mouse" && !box.matches(":focus")) this.#move(0);
    });
    box.addEventListener("blur", () => !this.#isPointed && this.#move(0));
    box.addEventListener("focus", () => !this.#isPointed && this.#fromTop());
    box.addEventListener(
      "scroll",
      () => {
        this.#ask();
        if (!this.#isPointed && box.matches(":focus")) this.#fromTop();
      },
      { passive: true },
    );
    document.addEventListener("selectionchange", () => this.#select());
    new ResizeObserver(() => this.#ask()).observe(box);
    new MutationObserver(() => this.#ask()).observe(box, { childList: true, characterData: true });
  }

  /** Somebody's cursor. @param {unknown} data @param {string | null} user who has sent it, as the service knows */
  hear(data, user) {
    if (this.#marks.hear(data, user, performance.now())) this.#ask();
  }

  /** Others are here, or another file is shown. */
  changed() {
    this.#ask();
  }

  /** The line of the text that was shown is none of the one that is shown now. */
  reset() {
    this.#move(0);
    this.#ask();
  }

  /** Nobody knows any more where anybody is. */
  clear() {
    this.#marks.clear();
    this.#ask();
  }

  get #node() {
    const { firstChild } = this.#text;
    return firstChild instanceof Text ? firstChild : null;
  }

  /**
   * The line at a point of the window; 0: none.
   *
   * @param {number} x
   * @param {number} y
   */
  #lineAt(x, y) {
    const caret = caretAt(x, y);
    const node = this.#node;
    return caret === null || node === null || caret.node !== node
      ? 0
      : this.#lines.of(node.data).at(caret.offset);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #point(x, y) {
    this.#isPointed = true;
    const line = this.#lineAt(x, y);
    if (line > 0) this.#move(line);
  }

  #select() {
    const selection = document.getSelection();
    const node = this.#node;
    if (!selection || selection.isCollapsed || node === null || selection.focusNode !== node) return;
    this.#move(this.#lines.of(node.data).at(selection.focusOffset));
  }

  #fromTop() {
    const { left, top } = this.#text.getBoundingClientRect();
    const line = this.#lineAt(left + BELOW, top + BELOW);
    if (line > 0) this.#move(line);
  }

  /** @param {number} line */
  #move(line) {
    if (line !== this.#line) {
      this.#line = line;
      this.#around.moved(line);
    } else if (line === 0 || performance.now() < this.#saidAt + AGAIN) return;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, this.#saidAt + EVERY - performance.now()));
  }

  /** The last one that it came to: those between are nothing to anybody. */
  #tell() {
    this.#timer = undefined;
    const shown = this.#around.shown();
    if (shown === null) return;
    this.#saidAt = performance.now();
    this.#around.tell({ ...shown, line: this.#line });
  }

  #render() {
    const now = performance.now();
    const shown = this.#around.shown();
    const marks = shown === null ? [] : this.#marks.in(shown, this.#around.people(), now);
    const lines = new Set(marks.map(({ line }) => line));
    for (const [line, { node }] of this.#drawn) {
      if (lines.has(line)) continue;
      node.remove();
      this.#drawn.delete(line);
    }
    const text = this.#node;
    if (text !== null) this.#lines.of(text.data);
    for (const mark of marks) this.#draw(mark, text);
    clearTimeout(this.#end);
    const left = this.#marks.left(now);
    if (left !== null) this.#end = setTimeout(this.#ask, left + 1);
  }

  /**
   * @param {Mark} mark
   * @param {Text | null} text
   */
  #draw({ line, people }, text) {
    let drawn = this.#drawn.get(line);
    if (drawn === undefined) {
      const node = h("div", { class: "cursor" });
      drawn = { node, names: "" };
      this.#drawn.set(line, drawn);
      this.#over.append(node);
    }
    const { node } = drawn;
    const names = JSON.stringify(people.map(({ key, name }) => [key, name]));
    if (names !== drawn.names) {
      drawn.names = names;
      setData(node, "colour", String(people[0].colour));
      node.replaceChildren(...people.map(nameOf));
    }
    const place = text === null ? null : this.#placeOf(line, text);
    node.hidden = place === null;
    if (place === null) return;
    node.style.setProperty("--top", `${place.top}px`);
    node.style.setProperty("--height", `${place.height}px`);
  }

  /**
   * Where a line is, in what is in view of the text; null: nowhere.
   *
   * @param {number} line
   * @param {Text} text
   */
  #placeOf(line, text) {
    const start = this.#lines.start(line);
    if (start === null) return null; // of another state of the file
    const range = document.createRange();
    range.setStart(text, start);
    range.setEnd(text, start + 1);
    const [box] = range.getClientRects();
    if (box === undefined) return null;
    const over = this.#over.getBoundingClientRect();
    const isInView = box.bottom > over.top && box.top < over.bottom;
    return isInView ? { top: box.top - over.top, height: box.height } : null;
  }
}

/** @param {Person} person */
function nameOf({ colour, name, isKnown }) {
  const node = h("span", { class: "cursor__name", dir: "auto", dataset: { colour: String(colour) } });
  setText(node, name);
  node.toggleAttribute("data-unknown", !isKnown);
  return node;
}
