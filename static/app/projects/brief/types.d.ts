/** A brief as the page holds it (service/apps/projects/brief.py). */

export interface Field {
  name: string;
  /** One of TYPES, or "relation". */
  kind: string;
  /** The entity that a relation leads to; null for every other kind. */
  to: string | null;
}

export interface Entity {
  name: string;
  fields: Field[];
}

export type Brief = Entity[];

/** A field as the form holds it: its names may be anything, its relation may lead nowhere yet. */
export interface DraftField {
  name: string;
  kind: string;
  to: DraftEntity | null;
}

export interface DraftEntity {
  name: string;
  fields: DraftField[];
}

export type Draft = DraftEntity[];

/** What is wrong with a row. */
export interface Problem {
  row: DraftEntity | DraftField;
  words: string;
  /** A name that would do. */
  suggestion?: string | null;
  /** Something is not there yet: told only to who wants to be done. */
  isMissing?: boolean;
  /** It is about the type, not the name. */
  isOfKind?: boolean;
}
