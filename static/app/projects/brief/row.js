/** One row of the form: a name, of a field its type, the buttons that move it and take it away, and what is wrong with it. */

import { h, setText } from "../../shared/dom.js";
import { RELATION } from "./draft.js";

/** @import { Draft, DraftEntity, DraftField, Problem } from "./types.js" */

/** What a field holds, in words for people. */
const KINDS = Object.freeze({
  text: "Text",
  int: "Whole number",
  float: "Number",
  bool: "Yes or no",
  date: "Date",
});
/** Before the place of an entity that a relation leads to. */
const ENTITY = "entity:";

export class Row {
  /** Of the input; ids are never used again. */
  static #count = 0;
  kind = h("select", { class: "input input--small", autocomplete: "off" });

  /**
   * @param {DraftEntity | DraftField} row
   * @param {{ typed(): void, chosen(): void, moved(by: -1 | 1): void, removed(): void, used(name: string): void }} hear
   */
  constructor(row, hear) {
    Row.#count += 1;
    this.row = row;
    this.hear = hear;
    const id = `brief-row-${Row.#count}`;
    this.name = h("input", {
      class: "input input--small",
      id,
      value: row.name,
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      on: { input: () => hear.typed() },
    });
    this.kind.addEventListener("change", () => hear.chosen());
    this.error = h("p", { class: "field__error", id: `${id}-error`, hidden: true });
    this.up = tool("↑", () => hear.moved(-1));
    this.down = tool("↓", () => hear.moved(1));
    this.away = tool("×", () => hear.removed());
    this.tools = h("span", { class: "tools" }, this.up, this.down, this.away);
  }

  /**
   * Names for those who don't see where the row is, and which ways it can go.
   *
   * @param {string} what its own name, if it has one
   * @param {number} at
   * @param {number} count
   */
  label(what, at, count) {
    const moves = /** @type {[HTMLButtonElement, string][]} */ ([
      [this.up, `Move ${what} up`],
      [this.down, `Move ${what} down`],
      [this.away, `Remove ${what}`],
    ]);
    for (const [button, words] of moves) {
      button.setAttribute("aria-label", words);
      button.title = words;
    }
    this.kind.setAttribute("aria-label", `Type of ${what}`);
    this.up.disabled = at === 0;
    this.down.disabled = at === count - 1;
  }

  /** The focus on the button that moved the row, or on the other one at an end. @param {-1 | 1} by */
  focusMover(by) {
    const [wanted, other] = by < 0 ? [this.up, this.down] : [this.down, this.up];
    (wanted.disabled ? other : wanted).focus();
  }

  /**
   * The types, and the entities that a relation may lead to, as they are called now.
   *
   * @param {DraftField} field
   * @param {Draft} draft
   */
  fillKinds(field, draft) {
    const led = field.to === null ? "" : `${ENTITY}${draft.indexOf(field.to)}`;
    const value = field.kind === RELATION ? led : field.kind;
    const named = [...draft.entries()].filter(([, one]) => one.name.trim() !== "" || one === field.to);
    const wanted = JSON.stringify([value, named.map(([at, { name }]) => [at, name])]);
    if (this.kind.dataset.made === wanted) return;
    this.kind.dataset.made = wanted;
    this.kind.replaceChildren(
      ...(value === "" ? [h("option", { value: "", text: "Choose" })] : []),
      ...Object.entries(KINDS).map(([kind, text]) => h("option", { value: kind, text })),
      h(
        "optgroup",
        { label: "One of the" },
        ...named.map(([at, { name }]) => h("option", { value: `${ENTITY}${at}`, text: `→ ${name || "?"}` })),
      ),
    );
    this.kind.value = value;
  }

  /** What is chosen as the type. @param {Draft} draft @returns {Pick<DraftField, "kind" | "to">} */
  chosen(draft) {
    const { value } = this.kind;
    if (!value.startsWith(ENTITY)) return { kind: value, to: null };
    return { kind: RELATION, to: draft[Number(value.slice(ENTITY.length))] ?? null };
  }

  /** Say what is wrong, and offer a name that would do. @param {Problem | undefined} problem */
  mark(problem) {
    const isOfKind = problem?.isOfKind === true;
    markInput(this.name, problem !== undefined && !isOfKind, this.error.id);
    markInput(this.kind, isOfKind, this.error.id);
    this.error.hidden = problem === undefined;
    const { words = "", suggestion = null } = problem ?? {};
    const said = `${words}${suggestion}`;
    if (this.error.dataset.said === said) return;
    this.error.dataset.said = said;
    setText(this.error, words);
    if (suggestion === null) return;
    const use = h("button", { class: "button button--small", type: "button", text: `Use ${suggestion}` });
    use.addEventListener("click", () => this.hear.used(suggestion));
    this.error.append(" ", use);
  }

  /** The focus on what is wrong. */
  focus() {
    (this.kind.hasAttribute("aria-invalid") ? this.kind : this.name).focus();
  }
}

/** @param {string} sign @param {() => void} run */
const tool = (sign, run) => h("button", { class: "tool", type: "button", text: sign, on: { click: run } });

/** @param {HTMLElement} input @param {boolean} isWrong @param {string} error */
function markInput(input, isWrong, error) {
  if (isWrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  if (isWrong) input.setAttribute("aria-describedby", error);
  else input.removeAttribute("aria-describedby");
}
