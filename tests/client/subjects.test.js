/** What events make of subjects, one after the other. */

import assert from "node:assert/strict";
import test from "node:test";

import { differences, fold, keyOf } from "../../static/client/subjects.js";

let offset = 0;
const about = (subject, data, more = {}) => ({
  id: `k-${(offset += 1)}`,
  topic: "t",
  type: "x",
  time: "",
  subject,
  data,
  ...more,
});

/** All of these, and the entries. */
function folded(...events) {
  const entries = new Map();
  return [entries, events.map((event) => fold(entries, event))];
}

test("the last one counts, what is appended comes behind, null deletes", () => {
  const [entries, changes] = folded(
    about("a", 1),
    about("a", 2),
    about("s", "x", { append: true }),
    about("s", "y", { append: true, final: true }),
    about("a", null),
    about("a", null),
  );
  assert.deepEqual(
    [...entries.values()].map(({ subject, value, parts, final }) => [subject, value, parts, final]),
    [["s", "xy", 2, true]],
  );
  assert.deepEqual(
    changes.map((change) => change && [change.entry?.value ?? null, change.previous?.value ?? null]),
    [[1, null], [2, 1], ["x", null], ["xy", "x"], [null, 2], null],
  );
  assert.ok(Object.isFrozen(entries.get(keyOf("t", "s"))));
});

test("what is no text becomes a list", () => {
  const [entries] = folded(
    about("a", [1]),
    about("a", [2], { append: true }),
    about("a", "x", { append: true }),
  );
  assert.deepEqual(entries.get(keyOf("t", "a")).value, [[1], [2], "x"]);
  const [nothing] = folded(about("n", "x"), about("n", null, { append: true }));
  assert.deepEqual(nothing.get(keyOf("t", "n")).value, ["x", null], "an appended null deletes nothing");
});

test("between two states the deleted are told first, and what is the same is not", () => {
  const same = about("same", 1);
  const [before] = folded(same, about("gone", 1), about("old", 1));
  const [after] = folded(same, about("old", 2), about("new", 1));
  assert.deepEqual(
    differences(before, after).map(({ subject, entry, previous }) => [
      subject,
      entry?.value,
      previous?.value,
    ]),
    [
      ["gone", undefined, 1],
      ["old", 2, 1],
      ["new", 1, undefined],
    ],
  );
});
