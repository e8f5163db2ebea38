import assert from "node:assert/strict";
import { test } from "node:test";

import { FRESH, KEPT_MAX, Lines, Marks } from "../../static/app/projects/project/marks.js";
import { peopleOf } from "../../static/app/projects/project/people.js";

const SINCE = Date.UTC(2026, 0, 1);
const SHOWN = { run: 2, file: "app.py" };

const groups = (...all) =>
  all.map(([user, member], index) => ({
    user,
    self: user === "me",
    data: {},
    members: [{ user, member, data: {}, since: new Date(SINCE + index).toISOString() }],
  }));
const cursor = (member, line, more = {}) => ({ member, run: 2, file: "app.py", line, ...more });
const drawn = (marks) => marks.map(({ line, people }) => [line, people.map(({ name }) => name)]);

test("a cursor is shown at its line, in its file and run, and goes after a while", () => {
  const people = peopleOf(groups(["ada", "t-1"], ["bob", "t-2"], ["eve", "t-3"]));
  const marks = new Marks();
  marks.hear(cursor("t-1", 12), "ada", 0);
  marks.hear(cursor("t-2", 3), "bob", 1_000);
  marks.hear(cursor("t-3", 3, { file: "other.py" }), "eve", 1_000);
  assert.deepEqual(drawn(marks.in(SHOWN, people, 1_000)), [
    [3, ["bob"]],
    [12, ["ada"]],
  ]);
  assert.deepEqual(drawn(marks.in({ run: 3, file: "app.py" }, people, 1_000)), []);
  assert.equal(marks.left(1_000), FRESH - 1_000);
  marks.hear(cursor("t-1", 3), "ada", 2_000);
  assert.deepEqual(drawn(marks.in(SHOWN, people, 2_000)), [[3, ["ada", "bob"]]]);
  assert.deepEqual(drawn(marks.in(SHOWN, people, 1_000 + FRESH)), [[3, ["ada"]]]);
  marks.hear(cursor("t-1", 0), "ada", 3_000); // has left the text
  assert.deepEqual(drawn(marks.in(SHOWN, people, 3_000)), []);
});

test("a cursor is a member's only if its user has sent it", () => {
  const people = peopleOf(groups(["ada", "t-1"], [null, "t-2"]));
  const marks = new Marks();
  marks.hear(cursor("t-1", 1), "bob", 0);
  marks.hear(cursor("t-1", 1), null, 0);
  marks.hear(cursor("t-2", 1), "bob", 0);
  assert.deepEqual(drawn(marks.in(SHOWN, people, 0)), []);
  marks.hear(cursor("t-2", 4), null, 0);
  assert.deepEqual(drawn(marks.in(SHOWN, people, 0)), [[4, ["Somebody"]]]);
});

test("neither oneself nor an agent nor who is not here has a cursor", () => {
  const all = groups(["me", "t-1"], ["agent:x", ":stage-1-1"]);
  const people = peopleOf(all);
  const marks = new Marks();
  for (const [user, member] of [
    ["me", "t-1"],
    ["agent:x", ":stage-1-1"],
    ["gone", "t-9"],
  ]) {
    marks.hear(cursor(member, 1), user, 0);
  }
  assert.deepEqual(drawn(marks.in(SHOWN, people, 0)), []);
});

test("what is no cursor is none, and of many the newest are kept", () => {
  const marks = new Marks();
  for (const data of [
    null,
    3,
    "x",
    [],
    {},
    cursor(3, 1),
    cursor("t", "1"),
    cursor("t", 1.5),
    cursor("t", NaN),
  ]) {
    assert.equal(marks.hear(data, null, 0), false);
  }
  assert.equal(marks.left(0), null);
  const many = Array.from({ length: KEPT_MAX + 50 }, (_, n) => [`u-${n}`, `t-${n}`]);
  const people = peopleOf(groups(...many));
  for (const [user, member] of many) marks.hear(cursor(member, 1), user, 0);
  assert.deepEqual(drawn(marks.in(SHOWN, people.slice(0, 50), 0)), []);
  assert.equal(marks.in(SHOWN, people, 0)[0].people.length, 24);
});

test("lines begin after line breaks", () => {
  const lines = new Lines().of("one\ntwo\n\nfour\n");
  assert.equal(lines.count, 4);
  assert.deepEqual(
    [0, 3, 4, 7, 8, 9, 13, 14].map((at) => lines.at(at)),
    [1, 1, 2, 2, 3, 4, 4, 4],
  );
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((line) => lines.start(line)),
    [null, 0, 4, 8, 9, null],
  );
  assert.equal(lines.of("x").count, 1);
  assert.equal(lines.of("").count, 0);
  assert.equal(lines.at(0), 1);
});
