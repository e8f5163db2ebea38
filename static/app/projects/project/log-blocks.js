/**
 * The lines of one section of a log in blocks, of which only those that are near to be seen have elements in them.
 *
 * A block stands for a part of a page (`run-log.js`), as far as it belongs to the section. While it is far away it is a box as
 * high as its lines are likely to be, or were when they were last drawn; when it comes near it is filled, from memory or,
 * once they have come, from the server. Where what is above turns out to be higher or lower than it was taken for, the
 * browser keeps in place what one looks at (CSS Scroll Anchoring).
 */

import { PLAIN } from "./ansi.js";
import { createTimes, lineRow } from "./line-row.js";
import { PAGE, pageOf } from "./run-log.js";

/** @import { Style } from "./ansi.js" */
/** @import { RunLog } from "./run-log.js" */

/** Height of a line that was never drawn, in rem: that of log.css. */
const LINE = 1.24;
/** How near a block comes before it is filled. */
const NEAR = "400px 0px";
/**
 * Lines of a block, which divide a page: few, since one is drawn in a step; more where there would be too many blocks.
 *
 * @param {number} lines
 */
const sizeFor = (lines) => (lines <= 100_000 ? PAGE / 4 : lines <= 200_000 ? PAGE / 2 : PAGE);

/**
 * `drawn`: up to which line. `styles`: what stands before each line that was drawn, and behind the last of them.
 *
 * @typedef {{ box: HTMLElement, first: number, last: number, isNear: boolean, drawn: number, styles: Style[] }} Block
 */

export class LogBlocks {
  /** By their order in the log. @type {Map<number, Block>} */
  #blocks = new Map();
  /** @type {Map<Element, number>} */
  #indexes = new Map();
  /** Those that have come near and are not filled yet. @type {Set<number>} */
  #due = new Set();
  #isStepping = false; // another step is on its way
  #size;
  #last = -1;
  #log;
  #body;
  #want;
  #watch;
  #first = 1;

  /**
   * `want(page)` asks for lines that are not there.
   *
   * @param {RunLog} log
   * @param {HTMLElement} body
   * @param {HTMLElement} scroller
   * @param {(page: number) => void} want
   */
  constructor(log, body, scroller, want) {
    this.#log = log;
    this.#body = body;
    this.#want = want;
    this.#size = sizeFor(log.count);
    body.style.setProperty("--block", `${this.#size * LINE}rem`);
    this.#watch = new IntersectionObserver((entries) => this.#seen(entries), {
      root: scroller,
      rootMargin: NEAR,
    });
  }

  /**
   * Lines `first` to `last`; those of `changed` are new or others.
   *
   * @param {number} first
   * @param {number} last
   * @param {{ from: number, to: number }} changed
   */
  span(first, last, changed) {
    if (first !== this.#first) this.clear(); // the section begins elsewhere: only at its beginning
    this.#first = first;
    for (const [index, block] of this.#blocks) if (block.first > last) this.#drop(index, block);
    if (last < first) return;
    const from = this.#blocks.size === 0 ? this.#indexOf(first) : this.#last;
    this.#last = this.#indexOf(last);
    const fresh = [];
    for (let index = from; index <= this.#last; index += 1) {
      const box = this.#grow(index, first, last);
      if (box) fresh.push(box);
    }
    this.#body.append(...fresh);
    const begin = this.#indexOf(Math.max(first, Math.min(changed.from, last)));
    for (let index = begin; index <= this.#indexOf(Math.min(last, changed.to)); index += 1) {
      const block = this.#blocks.get(index);
      if (block) this.#redraw(index, block, changed.from);
    }
  }

  /**
   * @param {number} index
   * @param {Block} block
   * @param {number} from the first line that is new or another
   */
  #redraw(index, block, from) {
    if (block.last < from) return;
    block.drawn = Math.max(block.first - 1, Math.min(block.drawn, from - 1));
    if (block.isNear) this.#draw(index, block);
    else this.#estimate(block);
  }

  /** @param {number} line */
  #indexOf(line) {
    return Math.floor((line - 1) / this.#size);
  }

  /**
   * A block that is longer now, or its box if it is new.
   *
   * @param {number} index
   * @param {number} first
   * @param {number} last
   */
  #grow(index, first, last) {
    const from = Math.max(first, index * this.#size + 1);
    const to = Math.min(last, (index + 1) * this.#size);
    const known = this.#blocks.get(index);
    if (known) {
      known.last = to;
      return null;
    }
    const box = document.createElement("div");
    box.className = "block";
    this.#blocks.set(index, { box, first: from, last: to, isNear: false, drawn: from - 1, styles: [PLAIN] });
    this.#indexes.set(box, index);
    this.#watch.observe(box);
    return box;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      const index = this.#indexes.get(target);
      const block = index === undefined ? undefined : this.#blocks.get(index);
      if (index === undefined || block === undefined) continue;
      if (isIntersecting && !block.isNear) this.#due.add(index);
      if (isIntersecting) continue;
      this.#due.delete(index);
      if (block.isNear) this.#empty(block, boundingClientRect.height);
    }
    if (!this.#isStepping) this.#step();
  }

  /** One block a frame: several would make a step of the page a long one. */
  #step() {
    this.#isStepping = false;
    for (const index of this.#due) {
      this.#due.delete(index);
      const block = this.#blocks.get(index);
      if (block === undefined) continue;
      this.#fill(index, block);
      break;
    }
    if (this.#due.size === 0) return;
    this.#isStepping = true;
    requestAnimationFrame(() => this.#step());
  }

  /** @param {number} index @param {Block} block */
  #fill(index, block) {
    block.isNear = true;
    this.#draw(index, block);
  }

  /**
   * A block of which one may be looking at a line or have the focus in stays.
   *
   * @param {Block} block
   * @param {number} height
   */
  #empty(block, height) {
    if (block.box.contains(document.activeElement)) return;
    block.isNear = false;
    block.drawn = block.first - 1;
    block.box.replaceChildren();
    if (height > 0) block.box.style.height = `${height}px`;
    else this.#estimate(block);
  }

  /** A whole block is as high as the style says. @param {Block} block */
  #estimate({ box, first, last }) {
    const lines = last - first + 1;
    box.style.height = lines === this.#size ? "" : `${lines * LINE}rem`;
  }

  /** The lines that are not drawn yet. @param {number} index @param {Block} block */
  #draw(index, block) {
    const page = pageOf(block.first);
    if (!this.#log.has(page)) {
      this.#want(page);
      if (!block.box.hasChildNodes()) this.#estimate(block);
      return;
    }
    const { box } = block;
    while (box.childElementCount > block.drawn - block.first + 1) box.lastElementChild?.remove();
    const { styles } = block;
    if (block.drawn < block.first) styles[0] = this.#blocks.get(index - 1)?.styles.at(-1) ?? PLAIN;
    const rows = [];
    const times = createTimes();
    for (let line = block.drawn + 1; line <= block.last; line += 1) {
      const found = this.#log.line(line);
      if (!found) break;
      const at = line - block.first;
      const { number: run, here } = this.#log;
      const drawn = lineRow(found, {
        run,
        style: styles[at],
        search: "",
        stage: null,
        isHere: line === here,
        times,
      });
      styles[at + 1] = drawn.style;
      rows.push(drawn.row);
      block.drawn = line;
    }
    box.append(...rows);
    box.style.height = "";
  }

  /** Draw what is near the end at once, without waiting to be told that it is. */
  drawEnd() {
    const block = this.#blocks.get(this.#last);
    if (block && !block.isNear) this.#fill(this.#last, block);
  }

  /** The row of a line, drawn if its lines are there. @param {number} line @returns {HTMLElement | null} */
  row(line) {
    const index = this.#indexOf(line);
    const block = this.#blocks.get(index);
    if (!block || line < block.first || line > block.last) return null;
    this.#fill(index, block);
    return /** @type {HTMLElement | null} */ (block.box.children[line - block.first] ?? null);
  }

  /** @param {number} index @param {Block} block */
  #drop(index, block) {
    this.#watch.unobserve(block.box);
    this.#indexes.delete(block.box);
    this.#blocks.delete(index);
    this.#last = Math.min(this.#last, index - 1);
    block.box.remove();
  }

  clear() {
    for (const [index, block] of this.#blocks) this.#drop(index, block);
  }

  close() {
    this.#watch.disconnect();
  }
}
