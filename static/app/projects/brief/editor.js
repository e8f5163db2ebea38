/**
 * The brief of a new project, as a form or as text. Both say the same: who changes over and back without a change finds
 * what was there, line breaks and half-done rows included; a text that can't be read stays a text.
 */

import { byId, h, setText, show } from "../../shared/dom.js";
import { markField } from "../../shared/fields.js";
import { Description } from "./description.js";
import { blank, draftOf, isDescription, isEmpty, sizeOf, textOf } from "./draft.js";
import { BriefError, parse } from "./grammar.js";
import { Rows } from "./rows.js";

/** @import { Brief, Draft } from "./types.js" */
/** @typedef {{ name: string, mode: "form" | "text", draft: Draft, text: string }} Written */

/** From the last key to the words about a text, milliseconds. */
const SETTLED = 300;

/** What a text is: a brief, or why it is none. @param {string} text @returns {Brief | BriefError} */
function read(text) {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof BriefError) return error;
    throw error;
  }
}

export class Editor {
  #name = byId("name", HTMLInputElement);
  #area = byId("brief", HTMLTextAreaElement);
  /** @type {"form" | "text"} */
  #mode = "form";
  /** The form and the text that said the same when one changed over. */
  #pair = { draft: blank(), written: "", text: "" };
  /** @type {number | undefined} */
  #settling;
  #description = new Description((text) => this.#takeOver(text));
  #rows = new Rows(byId("brief-entities"), {
    changed: () => this.#changed(),
    removed: (name, draft) => this.offerUndo(`“${name}” was removed.`, { ...this.written, draft }),
    say: (text) => setText(byId("brief-live"), text),
  });

  constructor() {
    byId("brief-as-form").addEventListener("click", () => this.#mode === "text" && this.#toForm());
    byId("brief-as-text").addEventListener("click", () => this.#mode === "form" && this.#toText());
    byId("brief-describe").addEventListener("click", () => {
      this.#toText();
      this.#area.focus();
    });
    byId("brief-add").addEventListener("click", () => this.#rows.addEntity());
    this.#area.addEventListener("input", () => {
      markField("brief", null);
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => this.#look(), SETTLED);
    });
    this.#show("form");
  }

  /** The brief, as the server is asked to take it. */
  get text() {
    return this.#mode === "form" ? textOf(this.#rows.draft) : this.#area.value;
  }

  get isBlank() {
    return this.#mode === "form" ? this.#rows.draft.every(isEmpty) : this.#area.value.trim() === "";
  }

  /** What is there, to be had back: the project's name, too. @returns {Written} */
  get written() {
    const draft = structuredClone(this.#rows.draft);
    return { name: this.#name.value, mode: this.#mode, draft, text: this.#area.value };
  }

  /** @param {Written} before */
  restore(before) {
    this.#name.value = before.name;
    this.#rows.set(before.draft);
    this.#area.value = before.text;
    this.#show(before.mode);
  }

  /** Show a brief, in the way that is chosen. @param {string} text */
  set(text) {
    this.#area.value = text;
    if (this.#mode === "text") this.#show("text");
    else this.#toForm();
  }

  /** Say what the server has against it: at the row that it concerns, if the form knows it. @param {string} words */
  refuse(words) {
    if (this.#mode === "form" && this.#rows.insist()) return;
    this.#look();
    if (!this.#description.isThere) this.#blame(words);
    if (this.#mode === "form") this.#rows.focus();
    else this.#area.focus();
  }

  /**
   * Say what has happened, with a way back, and from there a way forth: nothing that was typed is lost.
   *
   * @param {string} words
   * @param {Written} before
   * @param {"Undo" | "Redo"} label
   */
  offerUndo(words, before, label = "Undo") {
    const place = byId("brief-undo");
    const button = h("button", { class: "button button--small", type: "button", text: label });
    button.addEventListener("click", () => {
      const now = this.written;
      this.restore(before);
      if (label === "Undo") this.offerUndo("All is as it was.", now, "Redo");
      else this.offerUndo("Done again.", now);
      place.querySelector("button")?.focus();
    });
    place.replaceChildren(h("span", { text: words }), button);
  }

  /** Say what is wrong with all of it, once. @param {string} words */
  #blame(words) {
    markField("brief", words);
    setText(byId("brief-live"), "");
  }

  #changed() {
    markField("brief", null);
    this.#look();
  }

  /** Say what there is. */
  #look() {
    const live = byId("brief-live");
    if (this.#mode === "form") {
      const names = this.#rows.draft.map(({ name }) => name.trim());
      this.#description.about(names.find(isDescription) ?? null);
      setText(live, sizeOf(this.#rows.draft));
      return;
    }
    const found = this.#area.value.trim() === "" ? null : read(this.#area.value);
    const isProse = found instanceof BriefError && found.isProse;
    this.#description.about(isProse ? this.#area.value : null);
    if (found === null || isProse) setText(live, "");
    else
      setText(
        live,
        found instanceof BriefError ? `Not a brief yet: ${found.message}` : `Read as ${sizeOf(found)}.`,
      );
  }

  /** @param {"form" | "text"} mode */
  #show(mode) {
    this.#mode = mode;
    show(byId("brief-form"), mode === "form");
    show(byId("brief-text"), mode === "text");
    byId("brief-as-form").setAttribute("aria-pressed", String(mode === "form"));
    byId("brief-as-text").setAttribute("aria-pressed", String(mode === "text"));
    this.#changed();
  }

  #toText() {
    const written = textOf(this.#rows.draft);
    const text = written === this.#pair.written ? this.#pair.text : written;
    this.#pair = { draft: this.#rows.draft, written, text };
    this.#area.value = text;
    this.#show("text");
  }

  /** A text that can't be read stays one, with what is wrong with it. */
  #toForm() {
    const text = this.#area.value;
    const found = text.trim() === "" ? [] : read(text);
    if (text === this.#pair.text) this.#rows.set(this.#pair.draft);
    else if (!(found instanceof BriefError)) this.#rows.set(draftOf(found));
    else {
      this.#show("text");
      if (!found.isProse) this.#blame(`The form can't show this text: ${found.message}`);
      this.#area.focus();
      if (found.start !== null) this.#area.setSelectionRange(found.start, found.start);
      return;
    }
    this.#pair = { draft: this.#rows.draft, written: textOf(this.#rows.draft), text };
    this.#show("form");
  }

  /** A brief in the place of a description. @param {string} text */
  #takeOver(text) {
    const before = this.written;
    this.#area.value = text;
    this.#toForm();
    this.#rows.focus();
    this.offerUndo("This brief is in the place of your words.", before);
  }
}
