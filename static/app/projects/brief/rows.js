/**
 * A draft as rows: an entity is a group with a name and its fields, a field a name and a type. Each row moves and goes by
 * its buttons; Alt with the arrows moves the row in whose name one types, Enter goes on to the next field.
 */

import { h } from "../../shared/dom.js";
import { blank, isEmpty, move, newEntity, newField, problemsOf, removeEntity } from "./draft.js";
import { Row } from "./row.js";

/** @import { Draft, DraftEntity, DraftField } from "./types.js" */
/** @typedef {{ changed(): void, removed(name: string, before: Draft): void, say(text: string): void }} Hear */

export class Rows {
  /** @type {Draft} */
  draft = blank();
  #place;
  #hear;
  /** @type {Map<DraftEntity | DraftField, Row>} */
  #rows = new Map();
  /** Whether what is missing is told, too. */
  #isStrict = false;

  /** @param {HTMLElement} place @param {Hear} hear */
  constructor(place, hear) {
    this.#place = place;
    this.#hear = hear;
    this.#draw();
  }

  /** Another draft in the place of this one. @param {Draft} draft */
  set(draft) {
    this.draft = draft.length === 0 ? blank() : draft;
    this.#isStrict = false;
    this.#draw();
  }

  addEntity() {
    const entity = newEntity();
    this.draft.push(entity);
    this.#draw();
    this.#rows.get(entity)?.name.focus();
    this.#hear.changed();
  }

  /** From now on tell what is missing, too, with the focus on the first problem. Whether there is one. */
  insist() {
    this.#isStrict = true;
    this.#refresh();
    const [first] = problemsOf(this.draft);
    if (first === undefined) return false;
    this.#rows.get(first.row)?.focus();
    return true;
  }

  focus() {
    const [first] = this.draft;
    if (first) this.#rows.get(first)?.name.focus();
  }

  #draw() {
    this.#rows.clear();
    this.#place.replaceChildren(...this.draft.map((entity) => this.#entity(entity)));
    this.#refresh();
  }

  /** What the rows say and offer, after something was typed. */
  #refresh() {
    const problems = problemsOf(this.draft).filter((one) => this.#isStrict || !one.isMissing);
    for (const [row, shown] of this.#rows) shown.mark(problems.find((one) => one.row === row));
    for (const [at, entity] of this.draft.entries()) {
      const name = entity.name.trim();
      this.#rows.get(entity)?.label(name || `entity ${at + 1}`, at, this.draft.length);
      for (const [place, field] of entity.fields.entries()) {
        const shown = this.#rows.get(field);
        shown?.fillKinds(field, this.draft);
        shown?.label(field.name.trim() || `field ${place + 1}`, place, entity.fields.length);
        shown?.name.setAttribute("aria-label", `Field ${place + 1} of ${name || `entity ${at + 1}`}`);
      }
    }
  }

  #changed() {
    this.#refresh();
    this.#hear.changed();
  }

  /** @param {DraftEntity} entity */
  #entity(entity) {
    const shown = this.#row(entity, this.draft, () => this.#takeEntity(entity));
    shown.name.placeholder = "tasks";
    shown.name.addEventListener("keydown", (event) => this.#key(event, this.draft, entity, entity, -1));
    const add = h("button", {
      class: "button button--quiet button--small",
      type: "button",
      text: "Add a field",
    });
    add.addEventListener("click", () => this.#addField(entity, entity.fields.length));
    const label = `${shown.name.id}-label`;
    const group = h(
      "div",
      { class: "entity", role: "group", "aria-labelledby": `${label} ${shown.name.id}` },
      h(
        "div",
        { class: "entity__head" },
        h("label", { id: label, for: shown.name.id, text: "Entity" }),
        shown.name,
        shown.tools,
      ),
      shown.error,
      h(
        "ul",
        { class: "entity__fields", role: "list" },
        ...entity.fields.map((one) => this.#field(entity, one)),
      ),
      add,
    );
    return h("li", {}, group);
  }

  /** @param {DraftEntity} entity @param {DraftField} field */
  #field(entity, field) {
    const shown = this.#row(field, entity.fields, () => this.#takeField(entity, field));
    shown.name.placeholder = "title";
    shown.name.addEventListener("keydown", (event) => {
      this.#key(event, entity.fields, field, entity, entity.fields.indexOf(field));
    });
    return h("li", { class: "entity__field" }, shown.name, shown.kind, shown.tools, shown.error);
  }

  /**
   * @template {DraftEntity | DraftField} R
   * @param {R} row
   * @param {R[]} rows
   * @param {() => void} removed
   */
  #row(row, rows, removed) {
    const shown = new Row(row, {
      typed: () => {
        row.name = shown.name.value;
        this.#changed();
      },
      chosen: () => {
        Object.assign(row, shown.chosen(this.draft));
        this.#changed();
      },
      used: (name) => {
        row.name = name;
        shown.name.value = name;
        this.#changed();
        shown.name.focus();
      },
      moved: (by) => {
        if (this.#shift(rows, row, by)) this.#rows.get(row)?.focusMover(by);
      },
      removed,
    });
    this.#rows.set(row, shown);
    return shown;
  }

  /**
   * @template {DraftEntity | DraftField} R
   * @param {R[]} rows
   * @param {R} row
   * @param {-1 | 1} by
   */
  #shift(rows, row, by) {
    if (!move(rows, row, by)) return false;
    this.#draw();
    this.#hear.changed();
    this.#hear.say(`${row.name || "The row"} is now number ${rows.indexOf(row) + 1} of ${rows.length}.`);
    return true;
  }

  /**
   * Alt with an arrow moves the row; Enter goes to the field after the one at `at`, which is made if it is not there.
   *
   * @template {DraftEntity | DraftField} R
   * @param {KeyboardEvent} event
   * @param {R[]} rows
   * @param {R} row
   * @param {DraftEntity} entity
   * @param {number} at
   */
  #key(event, rows, row, entity, at) {
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      if (this.#shift(rows, row, event.key === "ArrowUp" ? -1 : 1)) this.#rows.get(row)?.name.focus();
      return;
    }
    if (event.key !== "Enter" || event.isComposing || row.name.trim() === "") return;
    event.preventDefault();
    const next = entity.fields[at + 1];
    if (next) this.#rows.get(next)?.name.focus();
    else this.#addField(entity, at + 1);
  }

  /** @param {DraftEntity} entity @param {number} at */
  #addField(entity, at) {
    const field = newField();
    entity.fields.splice(at, 0, field);
    this.#draw();
    this.#rows.get(field)?.name.focus();
    this.#hear.changed();
  }

  /** @param {DraftEntity} entity @param {DraftField} field */
  #takeField(entity, field) {
    const before = structuredClone(this.draft);
    const at = entity.fields.indexOf(field);
    entity.fields.splice(at, 1);
    if (entity.fields.length === 0) entity.fields.push(newField());
    this.#taken(field.name.trim(), before, entity.fields[Math.min(at, entity.fields.length - 1)]);
  }

  /** @param {DraftEntity} entity */
  #takeEntity(entity) {
    const before = structuredClone(this.draft);
    const at = this.draft.indexOf(entity);
    removeEntity(this.draft, entity);
    if (this.draft.length === 0) this.draft.push(newEntity());
    const name = isEmpty(entity) ? "" : entity.name.trim() || "An entity";
    this.#taken(name, before, this.draft[Math.min(at, this.draft.length - 1)]);
  }

  /**
   * The focus goes to the row that is where the one was that is gone.
   *
   * @param {string} name empty if nothing was lost
   * @param {Draft} before
   * @param {DraftEntity | DraftField | undefined} next
   */
  #taken(name, before, next) {
    this.#draw();
    if (next) this.#rows.get(next)?.name.focus();
    this.#hear.changed();
    if (name !== "") this.#hear.removed(name, before);
  }
}
