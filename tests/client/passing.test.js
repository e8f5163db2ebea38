/** Durations, whatever becomes of the calendar. */

import assert from "node:assert/strict";
import test from "node:test";

import { passing } from "../../static/client/passing.js";

function clocks() {
  const at = { calendar: 1_800_000_000_000, count: 5_000.5 };
  const elapsed = passing(
    () => at.calendar,
    () => at.count,
  );
  const pass = (ms) => {
    at.calendar += ms;
    at.count += ms;
  };
  return { at, pass, since: (before) => elapsed() - before, elapsed };
}

test("a calendar that is set back, or bit by bit, changes nothing", () => {
  const { at, pass, since, elapsed } = clocks();
  const before = elapsed();
  pass(10_000);
  at.calendar -= 3_600_000;
  assert.equal(since(before), 10_000);
  pass(10_000);
  assert.equal(since(before), 20_000);
  at.calendar += 900;
  assert.equal(since(before), 20_000);
});

test("a sleep counts, in which only the calendar went on; also after it was set back", () => {
  const { at, pass, since, elapsed } = clocks();
  const before = elapsed();
  at.calendar -= 3_600_000;
  elapsed();
  at.calendar += 60_000;
  assert.equal(since(before), 60_000);
  pass(5_000);
  assert.equal(since(before), 65_000);
});
