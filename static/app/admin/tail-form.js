/** The form of the live tail, and the addresses that fill it in. */

import { TwinwireError } from "../../client/errors.js";
import { byId, show } from "../shared/dom.js";
import { fieldOf, markField } from "../shared/fields.js";
import { filtersOf, wishOf } from "./start.js";

/** @import { From, Wish } from "./start.js" */

/** Which field a refusal is about, by what it names. @type {Record<string, string>} */
const BLAMED = {
  topic: "tail-topics",
  topics: "tail-topics",
  type: "tail-type",
  before: "tail-at",
  from: "tail-moment",
};
const FIELDS = ["tail-topics", "tail-type", "tail-at", "tail-moment"];

export class TailForm {
  #form = byId("tail-form", HTMLFormElement);
  #topics = byId("tail-topics", HTMLInputElement);
  #type = byId("tail-type", HTMLInputElement);
  #from = byId("tail-from", HTMLSelectElement);
  #at = byId("tail-at", HTMLInputElement);
  #count = byId("tail-count", HTMLInputElement);
  #moment = byId("tail-moment", HTMLInputElement);

  constructor() {
    this.#from.addEventListener("change", () => this.#draw());
    for (const id of FIELDS) byId(id).addEventListener("input", () => markField(id, null));
    this.#draw();
  }

  /** The field that says more of where it begins, if that takes one. */
  get #more() {
    const fields = { after: this.#at, event: this.#at, last: this.#count, since: this.#moment };
    return fields[/** @type {keyof typeof fields} */ (this.#from.value)] ?? null;
  }

  #draw() {
    for (const field of [this.#at, this.#count, this.#moment]) {
      field.required = field === this.#more;
      field.disabled = !field.required; // what is not seen is not checked
      const place = field.closest(".field");
      if (place instanceof HTMLElement) show(place, field.required);
    }
  }

  /** What it asks for; null if that can't be, and then it has said so. @returns {Wish | null} */
  read() {
    for (const id of FIELDS) markField(id, null);
    if (!this.#form.reportValidity()) return null;
    const from = /** @type {From} */ (this.#from.value);
    const value =
      from === "since" ? new Date(this.#moment.value).toISOString() : (this.#more?.value.trim() ?? "");
    return { topics: filtersOf(this.#topics.value), type: this.#type.value.trim(), from, value };
  }

  /** @param {Wish} wish */
  fill({ topics, type, from, value }) {
    this.#topics.value = topics.join(", ");
    this.#type.value = type;
    this.#from.value = from;
    this.#draw();
    if (from === "since") this.#moment.value = localTime(value);
    else if (this.#more !== null) this.#more.value = value;
  }

  /** The same again from this event on. @param {string} id */
  beginAt(id) {
    this.#from.value = "event";
    this.#draw();
    this.#at.value = id;
  }

  focus() {
    this.#topics.focus();
  }

  /** Whether a field is to blame for the error, and says so now. @param {unknown} error */
  blame(error) {
    const field = BLAMED[fieldOf(error)];
    if (!(error instanceof TwinwireError) || field === undefined) return false;
    if (byId(field, HTMLInputElement).disabled) return false;
    markField(field, error.message);
    byId(field).focus();
    return true;
  }
}

/** As a field of date and time has it, in the time of this device; empty for what is no time. @param {string} time */
function localTime(time) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, -1);
}

/**
 * Open what the address of the page asks for: now, when it changes, and when a link is followed to where one is
 * already.
 *
 * @param {(wish: Wish, event: string | null) => void} open with the event that is to be seen, if there is one
 */
export function openAddresses(open) {
  /** @param {string} hash */
  const go = (hash) => {
    const wish = wishOf(hash);
    if (wish !== null) open(wish, wish.from === "event" ? wish.value : null);
  };
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain =
      event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link?.hash.startsWith("#tail=") || !isPlain) return;
    event.preventDefault();
    history.pushState(null, "", link.hash);
    go(link.hash);
  });
  addEventListener("hashchange", () => go(location.hash));
  go(location.hash);
}
