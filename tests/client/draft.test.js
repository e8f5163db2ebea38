/** The form's rows: what they are as a text, what is wrong with them, and that nothing is lost on the way. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BriefError, parse, write } from "../../static/app/projects/brief/grammar.js";
import {
  blank,
  draftOf,
  isEmpty,
  move,
  newField,
  problemsOf,
  removeEntity,
  sizeOf,
  textOf,
} from "../../static/app/projects/brief/draft.js";

const LIBRARY = "tools: name text;\nloans: tool -> tools, due date, extends -> loans";
const CASES = JSON.parse(readFileSync(new URL("../support/briefs.json", import.meta.url), "utf-8"));

const draft = (text = LIBRARY) => draftOf(parse(text));
const words = (rows) => problemsOf(rows).map((one) => one.words);

test("a brief is the same as rows and as text", () => {
  const read = CASES.filter((one) => one.brief !== undefined);
  assert.ok(read.length > 5);
  for (const { text } of read) {
    assert.equal(textOf(draft(text)), write(parse(text)));
    assert.deepEqual(problemsOf(draft(text)), []);
  }
});

test("rows in which nothing was typed are none", () => {
  assert.equal(textOf(blank()), "");
  assert.equal(sizeOf(blank()), "0 entities, 0 fields");
  assert.deepEqual(problemsOf(blank()), []);
  const rows = draft("a: b int");
  rows[0].fields.push(newField());
  rows.push(...blank());
  assert.equal(textOf(rows), "a: b int");
  assert.equal(sizeOf(rows), "1 entity, 1 field");
  assert.ok(isEmpty(rows[1]));
});

test("a relation follows the name of what it leads to, and leads nowhere without it", () => {
  const rows = draft();
  rows[0].name = "machines";
  assert.equal(textOf(rows), LIBRARY.replaceAll("tools", "machines"));
  removeEntity(rows, rows[0]);
  assert.equal(textOf(rows), "loans: tool ->, due date, extends -> loans");
  assert.deepEqual(problemsOf(rows), [
    { row: rows[0].fields[0], words: "Choose what it leads to.", isOfKind: true },
  ]);
});

test("rows are moved by one place, and not over the edge", () => {
  const rows = draft();
  const [tools, loans] = rows;
  assert.equal(move(rows, tools, -1), false);
  assert.equal(move(rows, tools, 1), true);
  assert.deepEqual(rows, [loans, tools]);
  assert.equal(move(rows, tools, 1), false);
});

const WRONG = {
  "": ["This entity needs a name."],
  büro: ["Names are written with a-z, 0-9 and _, and begin with a letter."],
  "due date": ["Names are written with a-z, 0-9 and _, and begin with a letter."],
  "Build me a shop": ["This reads like a description, not like a name."],
  Loans: ["There is another entity of this name."],
  api: ["The application needs this name for itself."],
  sqlite_x: ["The application needs this name for itself."],
  ["x".repeat(41)]: ["A name has at most 40 characters."],
};

for (const [name, told] of Object.entries(WRONG)) {
  test(`as an entity's name '${name}' is told what is wrong, and the text can't be read either`, () => {
    const rows = draft();
    rows.reverse()[1].name = name;
    assert.deepEqual(words(rows), told);
    assert.throws(() => parse(textOf(rows)), BriefError);
  });
}

test("a name beyond a-z is offered another one", () => {
  const rows = draft();
  rows[0].fields[0].name = "Größe";
  assert.equal(problemsOf(rows)[0].suggestion, "groesse");
});

test("what is missing is told apart from what is wrong", () => {
  const rows = draft("a: b int");
  rows[0].fields[0].name = "";
  assert.deepEqual(problemsOf(rows), [
    { row: rows[0].fields[0], words: "This field needs a name.", isMissing: true },
  ]);
  rows[0].fields[0].kind = "text";
  assert.deepEqual(problemsOf(rows), [
    { row: rows[0].fields[0], words: "An entity has a field at least.", isMissing: true },
  ]);
});

test("the bounds of a brief are those of the form", () => {
  const fields = Array.from({ length: 31 }, (_, at) => `f${at} int`).join(", ");
  const few = draft(`a: ${fields.slice(0, fields.lastIndexOf(","))}`);
  assert.deepEqual(words(few), []);
  few[0].fields.push({ name: "more", kind: "int", to: null });
  assert.deepEqual(words(few), ["An entity has at most 30 fields."]);
  const many = Array.from({ length: 21 }, (_, at) => draft(`e${at}: x int`)[0]);
  assert.deepEqual(words(many), ["A brief has at most 20 entities."]);
});
