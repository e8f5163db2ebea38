import assert from "node:assert/strict";
import { test } from "node:test";

import { pathOf, roundUp } from "../../static/app/admin/charts.js";

test("a scale ends with a round number that nothing is above", () => {
  const cases = [0, 0.03, 1, 1.01, 2, 4.9, 5, 7, 99, 100, 1_234_567];
  assert.deepEqual(cases.map(roundUp), [1, 0.05, 1, 2, 2, 5, 5, 10, 100, 100, 2_000_000]);
});

test("the newest value is at the right edge, the largest at the top", () => {
  assert.equal(pathOf([0, 5, 10], 10), "M296.0 80.0L298.0 40.0L300.0 0.0");
});

test("what is not known leaves a hole", () => {
  assert.equal(pathOf([10, null, 0], 10), "M296.0 0.0M300.0 80.0");
  assert.equal(pathOf([null, null], 10), "");
});
