/**
 * Who is here on a project: faces and a count that open onto a list, in which each stands with what he looks at. Oneself is
 * among them as far as one may be, and one's cursor in the file view is told to the others while there are any.
 *
 * What is shown is of now, or says of when it is. Came and left are spoken, politely and seldom; what people do is not.
 */

import { byId, h, setData, setText, show } from "../../shared/dom.js";
import { clock, count } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { closeFromOutside } from "../../shared/indicator.js";
import { Cursors } from "./cursors.js";
import { createLooking } from "./looking.js";
import { countOf, newsOf, peopleOf, shortOf, told } from "./people.js";

/** @import { PlaceHandle, Stream } from "../../../client/index.js" */
/** @import { Source } from "./cursors.js" */
/** @import { Person, View } from "./people.js" */

/** Faces beside the count, and rows of the list; for more there is a number. */
const FACES = 5;
const LISTED = 50;
/** A cursor's line is told in the list this often, milliseconds: the marks in the file are faster. */
const LINE_EVERY = 1_000;
/** Who comes or goes is spoken when it has been so for this long, and not more often than this, milliseconds. */
const SETTLE = 2_000;
const SPEAK_EVERY = 10_000;
const CURSOR = "cursor";
/** The status for who may not enter. */
const REFUSED = 403;

/** What the page shows. @typedef {{ run: number, file: string | null }} Showing */
/** @typedef {{ node: HTMLElement, update(person: Person): void }} Row */

export class Here {
  #stream;
  #topic;
  #around;
  /** @type {PlaceHandle} */
  #room;
  #cursors;
  #looking = createLooking(() => this.looked());
  #line = 0; // one's own, in the file
  /** @type {readonly Person[]} */
  #people = [];
  /** Of the list. @type {Map<string, Row>} */
  #rows = new Map();
  /** Who was here when it was spoken last; null: nobody knows. @type {readonly Person[] | null} */
  #spoken = null;
  #spokenAt = -Infinity;
  #isClosed = false;
  /** @type {number | undefined} */
  #voice;
  /** @type {number | undefined} */
  #timer;
  #root = byId("here", HTMLDetailsElement);
  #render = batched(() => this.#draw());

  /**
   * `showing()` is what the page shows, `goTo(view)` shows what another one looks at.
   *
   * @param {Stream<any>} stream
   * @param {string} topic of the project
   * @param {{ showing(): Showing, goTo(view: View): void }} around
   */
  constructor(stream, topic, around) {
    this.#stream = stream;
    this.#topic = topic;
    this.#around = around;
    this.#cursors = new Cursors({
      shown: () => this.#file(),
      people: () => (this.#isOfNow ? this.#people : []),
      moved: (line) => this.#moved(line),
      tell: (cursor) => this.#tell(cursor),
    });
    this.#room = stream.place(topic, { away: true });
    this.#room.on("change", this.#render);
    stream.on(":state", this.#render);
    stream.on(":stale", this.#render);
    stream.topic(topic).hear(CURSOR, ({ data, from }) => this.#cursors.hear(data, from?.user ?? null));
    byId("log-search").addEventListener("input", () => this.looked());
    closeFromOutside(this.#root);
    this.#root.addEventListener("toggle", this.#render);
  }

  /** What one looks at may be another thing. */
  looked() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const search = byId("log-search", HTMLInputElement).value.trim();
    const wanted = this.#looking.view({ ...this.#around.showing(), line: this.#line, search });
    const view = wanted === null ? null : told(wanted);
    if (this.#room.error?.status === REFUSED) return; // he may not be here, and would ask with each move
    this.#room.set(view === null ? {} : { view });
  }

  /** Another file is shown, or none. */
  fileChanged() {
    this.#line = 0;
    this.#cursors.reset();
    this.looked();
  }

  /** The project is gone. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#voice);
    show(this.#root, false);
  }

  /** Nothing heard for a while: whoever was here may have gone. */
  get #isOfNow() {
    return this.#room.current && !this.#stream.stale;
  }

  /** @returns {Source | null} */
  #file() {
    const { run, file } = this.#around.showing();
    return file === null ? null : { run, file };
  }

  /** @param {number} line */
  #moved(line) {
    this.#line = line;
    if (line > 0) this.#looking.use("files");
    this.#timer ??= setTimeout(() => this.looked(), LINE_EVERY);
  }

  /** Only where somebody sees it. @param {Source & { line: number }} cursor */
  #tell(cursor) {
    const { member, self } = this.#room;
    const others = this.#people.some(({ kind, isSelf }) => kind === "person" && !isSelf);
    if (member === null || self === null || !this.#isOfNow || !others) return;
    if (told(cursor) === null) return;
    const sent = this.#stream.ephemeral(this.#topic, CURSOR, { member, ...cursor }, { key: member });
    sent.catch(() => {}); // the next one says where it is
  }

  #draw() {
    if (this.#isClosed) return;
    const { users, counts, truncated } = this.#room;
    const isOfNow = this.#isOfNow;
    this.#people = peopleOf(users);
    const people = this.#people;
    if (isOfNow) this.#speakSoon();
    else this.#cursors.clear();
    this.#cursors.changed();
    const isThere = truncated ? counts.users > 0 : people.length > 0;
    show(this.#root, isThere);
    if (!isThere) return;
    const short = shortOf(truncated ? counts.users : people.length);
    const words = truncated ? short : countOf(people);
    const at = isOfNow ? "" : clock(this.#stream.stats.heardAt ?? Date.now());
    this.#root.toggleAttribute("data-old", !isOfNow);
    setText(byId("here-count"), isOfNow ? words : `${words} at ${at}`);
    setText(byId("here-short"), isOfNow ? short : `${short} at ${at}`);
    show(byId("here-old"), !isOfNow);
    setText(byId("here-old"), isOfNow ? "" : `Not connected: this is who was here at ${at}.`);
    this.#drawFaces(people);
    if (this.#root.open) this.#drawList(people, truncated);
  }

  /** @param {readonly Person[]} people */
  #drawFaces(people) {
    const shown = people.slice(0, people.length > FACES ? FACES - 1 : FACES);
    const rest = people.length - shown.length;
    const faces = shown.map(faceOf);
    if (rest > 0)
      faces.push(h("span", { class: "face face--more num", text: rest > 99 ? "99+" : `+${rest}` }));
    const box = byId("here-faces");
    const isSame =
      faces.length === box.childElementCount && faces.every((one, at) => one.isEqualNode(box.children[at]));
    if (!isSame) box.replaceChildren(...faces);
  }

  /**
   * @param {readonly Person[]} people
   * @param {boolean} truncated
   */
  #drawList(people, truncated) {
    const list = byId("here-list");
    const shown = people.slice(0, LISTED);
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, { node }] of this.#rows) {
      if (keys.has(key)) continue;
      if (node.contains(document.activeElement)) this.#root.querySelector("summary")?.focus();
      node.remove();
      this.#rows.delete(key);
    }
    shown.forEach((person, index) => {
      let row = this.#rows.get(person.key);
      if (row === undefined) this.#rows.set(person.key, (row = rowOf((view) => this.#goTo(view))));
      row.update(person);
      if (list.children[index] !== row.node) list.insertBefore(row.node, list.children[index] ?? null);
    });
    show(list, shown.length > 0);
    const rest = people.length - shown.length;
    show(byId("here-rest"), truncated || rest > 0);
    setText(byId("here-rest"), truncated ? "Too many to be listed." : `and ${count(rest)} more`);
  }

  /** @param {View} view */
  #goTo(view) {
    this.#root.open = false;
    this.#around.goTo(view);
  }

  #speakSoon() {
    if (this.#room.truncated) {
      this.#spoken = null;
      return;
    }
    this.#spoken ??= this.#people;
    this.#voice ??= setTimeout(
      () => this.#speak(),
      Math.max(SETTLE, this.#spokenAt + SPEAK_EVERY - performance.now()),
    );
  }

  #speak() {
    this.#voice = undefined;
    if (!this.#isOfNow || this.#spoken === null) return;
    const news = newsOf(this.#spoken, this.#people);
    this.#spoken = this.#people;
    if (news === "") return;
    this.#spokenAt = performance.now();
    setText(byId("here-voice"), news);
  }
}

/** @param {Person} person */
function faceOf({ kind, colour, initials, isSelf, isAway, isKnown }) {
  const node = h("span", { class: "face", dataset: { kind, colour: String(colour) }, text: initials });
  node.toggleAttribute("data-self", isSelf);
  node.toggleAttribute("data-absent", isAway);
  node.toggleAttribute("data-unknown", !isKnown);
  return node;
}

/** @param {(view: View) => void} goTo @returns {Row} */
function rowOf(goTo) {
  let face = h("span");
  const words = h("span", { class: "here__who", dir: "auto" });
  const button = h("button", {
    class: "button button--small",
    type: "button",
    text: "Go there",
    hidden: true,
  });
  /** @type {View | null} */
  let current = null;
  button.addEventListener("click", () => current !== null && goTo(current));
  const node = h("li", { class: "here__row" }, face, words, button);
  return {
    node,
    update(person) {
      const next = faceOf(person);
      next.setAttribute("aria-hidden", "true");
      if (!next.isEqualNode(face)) {
        face.replaceWith(next);
        face = next;
      }
      setText(words, person.sentence);
      setData(node, "kind", person.kind);
      current = person.isSelf ? null : person.view;
      const isThere = current !== null && current.run > 0;
      if (!isThere && document.activeElement === button)
        button.closest("details")?.querySelector("summary")?.focus();
      show(button, isThere);
      const label = `Go there: ${person.sentence}`;
      if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
    },
  };
}
