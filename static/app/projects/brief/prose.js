/**
 * A brief to begin with, drawn from a description: things are its nouns in the plural, and those after "a" or "each".
 * It knows a few hundred English words by their endings and nothing else; it is a suggestion, and the page says so.
 */

import { write } from "./grammar.js";
import { WORD_MAX, asciiName } from "./hints.js";

/** @import { Brief, Field } from "./types.js" */

const ENTITIES = 4;
/** No things: words that end like a plural, and what an application is called. */
const OTHERS = new Set(
  `a about always also an and app application apps applications as at be business by can company data database
  does each every everything for from gets gives had has have i if in into is it its keep keeps let lets like likes
  list lists lots make makes manage manages me means must my need needs of on one or our page pages perhaps please program
  records shop should show shows simple site sites small so some sometimes software store stores stuff system
  that the their them there these they things this those times to tool track tracks us use uses want wants was
  ways we web website what when where which who with words would you your works helps allows contains includes
  dates names numbers prices emails details ends starts plus less sells buys belongs takes brings sees knows looks thanks build create new own various several many`.split(
    /\s+/,
  ),
);
/** @type {Readonly<Record<string, string>>} */
const PLURALS = Object.freeze({
  person: "people",
  child: "children",
  todo: "tasks",
  todos: "tasks",
  "to-do": "tasks",
  "to-dos": "tasks",
});
const IRREGULAR = new Set(["people", "children", "men", "women", "staff"]);

/** What is mostly known of a thing, by how it is called. @type {[RegExp, string, boolean][]} */
const KNOWN = [
  [/^(tasks|jobs|issues|tickets|chores)$/, "title text, done bool, due date", false],
  [/^(notes|comments|messages|posts|articles|reviews|remarks)$/, "text text, written date", true],
  [
    /^(loans|orders|bookings|reservations|rentals|purchases|sales|payments|appointments|visits)$/,
    "note text, day date",
    true,
  ],
  [/^(events|meetings|courses|lessons|concerts|matches|games|trips)$/, "title text, day date", false],
  [/^(books|films|movies|songs|albums|papers|recipes)$/, "title text, finished bool", false],
  [
    /^(products|items|articles|goods|tools|parts|ingredients|meals|rooms|tickets)$/,
    "name text, price float",
    false,
  ],
  [/^(invoices|bills|expenses)$/, "number text, amount float, due date", true],
  [
    /(people|children|men|women|staff|ees|ours|ers|ors|ents|ists|friends|users|guests|clients|contacts|members|patients)$/,
    "name text, email text",
    false,
  ],
];

/** A brief for a description; null if no thing was found in it. @param {string} text */
export function suggested(text) {
  const names = thingsIn(text);
  if (names.length === 0) return null;
  const known = names.map((name) => ({ name, ...lookUp(name) }));
  const [steady, passing] = [known.filter((one) => !one.isPassing), known.filter((one) => one.isPassing)];
  /** @type {Brief} */
  const brief = [...steady, ...passing].map(({ name, fields, isPassing }) => ({
    name,
    fields: isPassing ? [...relationsTo(steady, fields), ...fields] : fields,
  }));
  return write(brief);
}

/** The names of the first things of a description. @param {string} text */
export function thingsIn(text) {
  /** @type {string[]} */
  const found = [];
  let before = "";
  for (const word of text.toLowerCase().match(/[\p{L}][\p{L}\p{M}'-]*/gu) ?? []) {
    const name = asciiName(thing(word, before));
    if (name !== null && !found.includes(name) && found.length < ENTITIES) found.push(name);
    before = word;
  }
  return found;
}

/** The plural that a word stands for; empty if it is no thing. @param {string} word @param {string} before */
function thing(word, before) {
  const plain = word.replace(/'s?$/, "");
  if (PLURALS[plain] !== undefined) return PLURALS[plain];
  if (OTHERS.has(plain) || plain.length < 3 || plain.length >= WORD_MAX) return "";
  if (IRREGULAR.has(plain) || (plain.endsWith("s") && !/(ss|us|is|ous)$/.test(plain))) return plain;
  return ["each", "every", "per"].includes(before) ? plural(plain) : "";
}

/** @param {string} word */
function plural(word) {
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return /(s|x|ch|sh)$/.test(word) ? `${word}es` : `${word}s`;
}

/** @param {string} name */
function lookUp(name) {
  const [, told, isPassing] = KNOWN.find(([pattern]) => pattern.test(name)) ?? [null, "name text", false];
  /** @type {Field[]} */
  const fields = told.split(", ").map((field) => {
    const [own = "", kind = ""] = field.split(" ");
    return { name: own, kind, to: null };
  });
  return { fields, isPassing };
}

/** What passes between things leads to them. @param {{ name: string }[]} steady @param {Field[]} fields @returns {Field[]} */
function relationsTo(steady, fields) {
  const taken = fields.map(({ name }) => name);
  return steady
    .map(({ name }) => ({ name: singular(name), kind: "relation", to: name }))
    .filter(
      ({ name }, at, all) =>
        name !== "id" && !taken.includes(name) && all.findIndex((one) => one.name === name) === at,
    );
}

/** @param {string} name */
function singular(name) {
  if (name === "people") return "person";
  if (name === "children") return "child";
  if (name.endsWith("ies")) return `${name.slice(0, -3)}y`;
  return name.replace(/(?<=ss|x|ch|sh)es$|(?<!s)s$/, "");
}
