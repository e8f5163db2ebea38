/**
 * The brief as the form holds it: rows as people type them, half done and wrong ones too. A relation holds on to the
 * entity that it leads to, so that it follows a new name. No DOM here.
 */

import { ENTITIES_MAX, FIELDS_MAX, NAME, isReserved, write } from "./grammar.js";
import { WORD_MAX, asciiName, isProse } from "./hints.js";

/** @import { Brief, DraftEntity, DraftField, Draft, Problem } from "./types.js" */

export const RELATION = "relation";
const RULE = "Names are written with a-z, 0-9 and _, and begin with a letter.";

/** @returns {DraftField} */
export const newField = () => ({ name: "", kind: "text", to: null });
/** @returns {DraftEntity} */
export const newEntity = () => ({ name: "", fields: [newField()] });

/** Nothing, with rows to begin with. @returns {Draft} */
export const blank = () => [newEntity()];

/** @param {Brief} brief @returns {Draft} */
export function draftOf(brief) {
  /** @type {Draft} */
  const draft = brief.map(({ name }) => ({ name, fields: [] }));
  for (const [at, { fields }] of brief.entries()) {
    for (const { name, kind, to } of fields)
      draft[at]?.fields.push({ name, kind, to: draft.find((one) => one.name === to) ?? null });
  }
  return draft;
}

/** @param {DraftField} field */
const isEmptyField = (field) => field.name.trim() === "" && field.kind === "text";
/** @param {DraftEntity} entity */
export const isEmpty = (entity) => entity.name.trim() === "" && entity.fields.every(isEmptyField);

/** The brief's text; rows in which nothing was typed are left out. @param {Draft} draft */
export function textOf(draft) {
  const used = draft.filter((entity) => !isEmpty(entity));
  return write(
    used.map(({ name, fields }) => ({
      name: name.trim(),
      fields: fields
        .filter((field) => !isEmptyField(field))
        .map((field) => ({
          name: field.name.trim(),
          kind: field.kind,
          to: field.kind === RELATION ? (field.to?.name.trim() ?? "") : null,
        })),
    })),
  );
}

/** Whether a name reads like a description. @param {string} name without white space around it */
export const isDescription = (name) => isProse([name.split(/\s+/)], []);

/** How much there is of it. @param {Draft | Brief} brief */
export function sizeOf(brief) {
  const count = brief.reduce((sum, { fields }) => sum + fields.filter(({ name }) => name.trim()).length, 0);
  const entities = brief.filter(({ name }) => name.trim()).length;
  return `${entities} ${entities === 1 ? "entity" : "entities"}, ${count} ${count === 1 ? "field" : "fields"}`;
}

/** What stands between the draft and a brief; none if it is one. @param {Draft} draft @returns {Problem[]} */
export function problemsOf(draft) {
  const used = draft.filter((entity) => !isEmpty(entity));
  /** @type {Problem[]} */
  const found = used.slice(ENTITIES_MAX).map((entity) => ({
    row: entity,
    words: `A brief has at most ${ENTITIES_MAX} entities.`,
  }));
  for (const entity of used) {
    const others = used.slice(0, used.indexOf(entity));
    found.push(...nameProblems(entity, others, "entity"));
    found.push(...fieldProblems(entity, used));
  }
  return found;
}

/** @param {DraftEntity} entity @param {DraftEntity[]} entities @returns {Problem[]} */
function fieldProblems(entity, entities) {
  const fields = entity.fields.filter((field) => !isEmptyField(field));
  const [first] = entity.fields;
  if (fields.length === 0 && first)
    return [{ row: first, words: "An entity has a field at least.", isMissing: true }];
  /** @type {Problem[]} */
  const found = fields
    .slice(FIELDS_MAX)
    .map((row) => ({ row, words: `An entity has at most ${FIELDS_MAX} fields.` }));
  for (const field of fields) {
    found.push(...nameProblems(field, fields.slice(0, fields.indexOf(field)), "field"));
    if (field.kind === RELATION && (field.to === null || !entities.includes(field.to)))
      found.push({ row: field, words: "Choose what it leads to.", isOfKind: true });
  }
  return found;
}

/**
 * @param {DraftEntity | DraftField} row
 * @param {(DraftEntity | DraftField)[]} before of its kind
 * @param {"entity" | "field"} kind
 * @returns {Problem[]}
 */
function nameProblems(row, before, kind) {
  const name = row.name.trim();
  if (name === "") return [{ row, words: `This ${kind} needs a name.`, isMissing: true }];
  if (isDescription(name)) return [{ row, words: "This reads like a description, not like a name." }];
  if (!NAME.test(name)) return [{ row, words: RULE, suggestion: asciiName(name) }];
  if (name.length > WORD_MAX) return [{ row, words: `A name has at most ${WORD_MAX} characters.` }];
  const small = name.toLowerCase();
  if (before.some((one) => one.name.trim().toLowerCase() === small))
    return [{ row, words: `There is another ${kind} of this name.` }];
  if (kind === "field" && small === "id") return [{ row, words: "Every record has an id already." }];
  if (kind === "entity" && isReserved(small))
    return [{ row, words: "The application needs this name for itself." }];
  return [];
}

/**
 * Move a row by one place.
 *
 * @template T
 * @param {T[]} rows
 * @param {T} row
 * @param {-1 | 1} by
 * @returns {boolean} whether there was room
 */
export function move(rows, row, by) {
  const at = rows.indexOf(row);
  const other = rows[at + by];
  if (at < 0 || other === undefined) return false;
  rows[at + by] = row;
  rows[at] = other;
  return true;
}

/** Take an entity away; what led to it leads nowhere. @param {Draft} draft @param {DraftEntity} entity */
export function removeEntity(draft, entity) {
  draft.splice(draft.indexOf(entity), 1);
  for (const { fields } of draft) for (const field of fields) if (field.to === entity) field.to = null;
}
