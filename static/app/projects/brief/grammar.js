/**
 * The brief as the page reads it while somebody types. service/apps/projects/brief.py has the grammar and is the judge;
 * this says the same, word for word, and tests/support/briefs.json holds both to it. No DOM here.
 */

import { SYNONYMS, WORD_MAX, asciiName, cut, isProse, near } from "./hints.js";

/** @import { Brief, Entity, Field } from "./types.js" */
/** @typedef {{ text: string, start: number }} Token */

const TYPES = Object.freeze(["text", "int", "float", "bool", "date"]);
export const EXAMPLE = "tasks: title text, done bool, due date";
const PROSE = `This reads like a description. Twinwire needs entities and fields, for example: ${EXAMPLE}`;
const BRIEF_MAX = 10_000;
export const ENTITIES_MAX = 20;
export const FIELDS_MAX = 30;

const RESERVED = ["api", "static"];
const ARROW = "->";
const KNOWN = `${TYPES.join(", ")}, or -> and an entity`;
/** White space as Python has it, which is not quite JavaScript's. */
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const TOKEN = new RegExp(`->|[:;,]|(?:(?!->)[^${SPACE}:;,])+`, "gu");
const BLANK = new RegExp(`^[${SPACE}]*$`, "u");
const END = new RegExp(`[${SPACE}]+$`, "u");
const ENTITY = /([A-Za-z][A-Za-z0-9_]*)[\t-\r ]*:/g;
export const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const SHOWN_MAX = 40;

/** Whether the application needs this name of an entity for itself. @param {string} name in small letters */
export const isReserved = (name) => RESERVED.includes(name) || name.startsWith("sqlite_");

/** Why a brief can't be read: its words, and where, in characters from 0; null where it is of the whole. */
export class BriefError extends Error {
  /**
   * @param {string} message
   * @param {number | null} start
   * @param {boolean} readsAsProse
   */
  constructor(message, start = null, readsAsProse = false) {
    super(message);
    this.start = start;
    this.isProse = readsAsProse;
  }
}

/** The brief in `text`. Throws BriefError. @param {string} text @returns {Brief} */
export function parse(text) {
  const length = [...text].length;
  const count = length.toLocaleString("en-US");
  if (length > BRIEF_MAX) throw new BriefError(`the brief has ${count} characters, at most 10,000`);
  if (BLANK.test(text)) throw new BriefError(`the brief is empty; write for example: ${EXAMPLE}`);
  const parser = new Parser(text);
  try {
    return parser.brief();
  } catch (error) {
    if (parser.entities.length === 0 && isProse(runs(text), TYPES)) throw new BriefError(PROSE, null, true);
    throw error;
  }
}

/** The text that `parse` reads back; an entity a line. @param {Brief} brief */
export const write = (brief) =>
  brief.map(({ name, fields }) => `${name}: ${fields.map(written).join(", ")}`).join(";\n");

/** @param {Field} field */
const written = ({ name, kind, to }) => `${name} ${to === null ? kind : `${ARROW} ${to}`}`.trim();

/** @param {string} text @returns {Token[]} */
const tokens = (text) => [
  ...[...text.matchAll(TOKEN)].map((match) => ({ text: match[0], start: match.index })),
  { text: "", start: text.replace(END, "").length },
];

/** @param {Token} token */
const isWord = ({ text }) => text !== "" && ![":", ";", ",", ARROW].includes(text);

/** The words between separators. @param {string} text */
function runs(text) {
  /** @type {string[][]} */
  const found = [[]];
  for (const token of tokens(text)) {
    if (isWord(token)) found.at(-1)?.push(token.text);
    else found.push([]);
  }
  return found;
}

/** Recursive descent with one token of look-ahead; every method throws BriefError. */
class Parser {
  #text;
  #tokens;
  #at = 0;
  /** @type {Token[]} */
  #targets = [];
  /** @type {Entity[]} */
  entities = [];

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
    this.#tokens = tokens(text);
  }

  get #token() {
    return /** @type {Token} */ (this.#tokens[this.#at]);
  }

  /** @returns {Brief} */
  brief() {
    while (this.#token.text !== "") {
      if (this.entities.length === ENTITIES_MAX)
        this.#fail(this.#token, `more than ${ENTITIES_MAX} entities`);
      this.entities.push(this.#entity());
      if (this.#token.text !== "") this.#expect(";", "',' and another field, or ';' and another entity");
    }
    const names = this.entities.map(({ name }) => name);
    for (const target of this.#targets) {
      const name = target.text.toLowerCase();
      if (names.includes(name)) continue;
      const meant = near(name, names);
      const hint = meant === null ? `there are ${names.join(", ")}` : `did you mean '${meant}'?`;
      this.#fail(target, `there is no entity '${name}'; ${hint}`);
    }
    return this.entities;
  }

  /** @returns {Entity} */
  #entity() {
    const token = this.#token;
    const name = this.#name("an entity name");
    if (isReserved(name)) this.#fail(token, `the entity name '${name}' is reserved, choose another one`);
    if (this.entities.some((one) => one.name === name))
      this.#fail(token, `there are two entities with the name '${name}'`);
    this.#expect(":", `':' and the fields of '${name}'`);
    /** @type {Field[]} */
    const fields = [];
    for (;;) {
      fields.push(this.#field(name, fields));
      if (this.#token.text !== ",") return { name, fields };
      this.#at += 1;
    }
  }

  /**
   * @param {string} entity
   * @param {Field[]} before
   * @returns {Field}
   */
  #field(entity, before) {
    const token = this.#token;
    const name = this.#name(`a field name of '${entity}'`);
    if (name === "id") this.#fail(token, "the field name 'id' is reserved: every record has one already");
    if (before.some((one) => one.name === name))
      this.#fail(token, `'${entity}' has two fields with the name '${name}'`);
    if (before.length === FIELDS_MAX) this.#fail(token, `more than ${FIELDS_MAX} fields in '${entity}'`);
    if (this.#token.text !== ARROW) return { name, kind: this.#kind(name), to: null };
    this.#at += 1;
    this.#targets.push(this.#token);
    return { name, kind: "relation", to: this.#name(`the entity that '${name}' leads to`) };
  }

  /** @param {string} field */
  #kind(field) {
    const token = this.#token;
    if (!isWord(token))
      this.#fail(token, `expected the type of '${field}' (${KNOWN}), found ${shown(token)}`);
    const kind = token.text.toLowerCase();
    if (!TYPES.includes(kind))
      this.#fail(token, `${shown(token)} is not a type; use one of ${KNOWN}${this.#hint(token.text)}`);
    this.#at += 1;
    return kind;
  }

  /** What a word in the place of a type may stand for: a type, or an entity that lacks its arrow. @param {string} word */
  #hint(word) {
    const named = new Set([...this.#text.matchAll(ENTITY)].map((found) => (found[1] ?? "").toLowerCase()));
    const known = SYNONYMS[word.toLowerCase()];
    const meant = known ?? near(word, [...TYPES, ...[...named].slice(0, ENTITIES_MAX)]);
    if (meant === null) return "";
    return `; did you mean '${TYPES.includes(meant) ? meant : `${ARROW} ${meant}`}'?`;
  }

  /** @param {string} wanted */
  #name(wanted) {
    const token = this.#token;
    if (!isWord(token)) this.#fail(token, `expected ${wanted}, found ${shown(token)}`);
    if (!NAME.test(token.text))
      this.#fail(token, `${shown(token)} can't be ${wanted}: ${nameRule(token.text)}`);
    if (token.text.length > WORD_MAX)
      this.#fail(token, `${shown(token)} is too long for ${wanted}: at most ${WORD_MAX} characters`);
    this.#at += 1;
    return token.text.toLowerCase();
  }

  /**
   * @param {string} separator
   * @param {string} wanted
   */
  #expect(separator, wanted) {
    if (this.#token.text !== separator)
      this.#fail(this.#token, `expected ${wanted}, found ${shown(this.#token)}`);
    this.#at += 1;
  }

  /**
   * @param {Token} token
   * @param {string} problem
   * @returns {never}
   */
  #fail(token, problem) {
    const before = [...this.#text.slice(0, token.start)];
    const line = before.filter((one) => one === "\n").length + 1;
    const column = before.length - before.lastIndexOf("\n");
    const where = `line ${line}, column ${column} (character ${before.length + 1})`;
    throw new BriefError(`${where}: ${problem}`, token.start);
  }
}

/** What a name has to be, and what `word` would be as one. @param {string} word */
function nameRule(word) {
  const plain = asciiName(word);
  const hint = plain === null ? "" : `; did you mean '${plain}'?`;
  return `it has to be a letter a-z, then letters, digits and _${hint}`;
}

/** @param {Token} token */
function shown({ text }) {
  if (text === "") return "the end of the brief";
  return quoted([...text].length <= SHOWN_MAX ? text : `${cut(text, SHOWN_MAX - 1)}…`);
}

/** As Python's repr: what can't be seen is told by its number. @param {string} text */
function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const visible = [...text].map((one) => {
    if (one === quote || one === "\\") return `\\${one}`;
    if (!/[\p{C}\p{Z}]/u.test(one)) return one;
    const code = one.codePointAt(0) ?? 0;
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code <= 0xffff
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\U${code.toString(16).padStart(8, "0")}`;
  });
  return quote + visible.join("") + quote;
}
