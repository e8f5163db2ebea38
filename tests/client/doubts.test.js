/** Subjects whose beginning may be missing: what waits, what is dropped, what is applied, and nothing twice. */

import assert from "node:assert/strict";
import test from "node:test";

import { Doubts } from "../../static/client/doubts.js";

const event = (offset, data, append = true, subject = "s") => ({
  id: `aaa-${offset}`,
  topic: "t",
  subject,
  data,
  ...(append ? { append } : {}),
});

const data = (events) => events.map((one) => one.data);

/** In doubt since the event 5, of which the next ones wait. */
function doubted(...more) {
  const doubts = new Doubts();
  const first = event(5, "a");
  assert.equal(doubts.holds(first), false);
  doubts.begin(first);
  for (const one of more) assert.equal(doubts.holds(one), true);
  return { doubts, first };
}

test("what comes after the position that was told is applied after it", () => {
  const { doubts, first } = doubted(event(6, "b"), event(9, "c"));
  assert.equal(doubts.holds(event(8, 1, false, "other")), false);
  assert.equal(doubts.waiting, 3);
  assert.deepEqual(data(doubts.end(first, [event(6, "ab", false)], "aaa-7")), ["ab", "c"]);
  assert.equal(doubts.waiting, 0);
});

test("what was told is not applied again when the stream comes there", () => {
  const { doubts, first } = doubted();
  assert.deepEqual(data(doubts.end(first, [event(7, "abc", false)], "aaa-8")), ["abc"]);
  assert.deepEqual([doubts.holds(event(6, "b")), doubts.holds(event(7, "c"))], [true, true]);
  assert.equal(doubts.holds(event(8, 1, false, "other")), false);
  assert.equal(doubts.holds(event(9, "d")), false);
});

test("without a value it lacks its beginning, until it is replaced", () => {
  const { doubts, first } = doubted(event(6, "b"), event(9, "c"), event(10, "new", false), event(11, "er"));
  assert.deepEqual(data(doubts.end(first, [], "aaa-7")), ["new", "er"]);
  const { doubts: others, first: other } = doubted();
  assert.deepEqual(others.end(other, [], "aaa-7"), []);
  assert.equal(others.holds(event(12, "d")), true);
  assert.equal(others.holds(event(12, "d", true, "another")), false);
  assert.equal(others.holds(event(13, "e", false)), false);
  assert.equal(others.holds(event(14, "f")), false);
});

test("one that was deleted meanwhile begins anew", () => {
  const { doubts, first } = doubted(event(6, null, false), event(9, "c"));
  assert.deepEqual(data(doubts.end(first, [], "aaa-7")), ["c"]);
  assert.equal(doubts.holds(event(10, "d")), false);
});

test("of many without a beginning the first is asked for again, and of none once all is fetched anew", () => {
  const doubts = new Doubts();
  for (let n = 0; n <= 1_000; n += 1) {
    doubts.begin(event(n, "a", true, `s${n}`));
    doubts.end(event(n, "a", true, `s${n}`), [], "aaa-1000");
  }
  assert.equal(doubts.holds(event(2_000, "b", true, "s0")), false);
  assert.equal(doubts.holds(event(2_001, "b", true, "s1")), true);
  doubts.clear();
  assert.equal(doubts.holds(event(2_002, "b", true, "s1")), false);
});
