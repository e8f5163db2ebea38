/** A brief to begin with, from what people write when they are asked for an application. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../../static/app/projects/brief/grammar.js";
import { suggested, thingsIn } from "../../static/app/projects/brief/prose.js";

const ENTITIES = {
  "Build me a to-do app with users": ["tasks", "users"],
  "A shop: customers order products and pay for them.": ["customers", "products"],
  "I want to keep track of the books that I read, with notes.": ["books", "notes"],
  "We lend tools to neighbours; each loan has a due date": ["tools", "neighbours", "loans"],
  "Please manage cafés, every story and each class": ["cafes", "stories", "classes"],
};

for (const [text, names] of Object.entries(ENTITIES)) {
  test(`'${text}' is about ${names}`, () => {
    assert.deepEqual(thingsIn(text), names);
    assert.deepEqual(
      parse(suggested(text)).map(({ name }) => name),
      names,
    );
  });
}

test("what passes between things leads to them", () => {
  const [, , loans] = parse(suggested("We lend tools to people. Every loan ends."));
  assert.deepEqual(
    loans.fields.filter(({ kind }) => kind === "relation").map(({ name, to }) => [name, to]),
    [
      ["tool", "tools"],
      ["person", "people"],
    ],
  );
});

test("where no thing is found nothing is made up", () => {
  for (const text of ["", "an app", "日本語のアプリを作ってください", "Bitte eine Verwaltung"])
    assert.equal(suggested(text), null);
});

test("whatever is written, what is suggested can be read", () => {
  const words =
    "ids apis statics sqlite_stats has's Äpfel buses people children orders names textes dates x's".split(
      " ",
    );
  for (let at = 0; at < words.length; at += 1) {
    const text = suggested([...words.slice(at), ...words.slice(0, at)].join(" "));
    assert.ok(parse(text).length > 0);
  }
});
