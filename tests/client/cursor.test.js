/** Cursors compare within one epoch, exactly, up to 2^63 - 1. */

import assert from "node:assert/strict";
import test from "node:test";

import { compareCursors, isAfter, isCovered, isCursor } from "../../static/client/cursor.js";

test("offsets compare as numbers, not as text", () => {
  assert.ok(compareCursors("k7f-9", "k7f-10") < 0);
  assert.ok(compareCursors("k7f-10", "k7f-9") > 0);
  assert.equal(compareCursors("k7f-10", "k7f-10"), 0);
});

test("offsets beyond 2^53 keep their last digit", () => {
  assert.ok(compareCursors("k-9223372036854775806", "k-9223372036854775807") < 0);
});

test("cursors of two epochs have no order", () => {
  assert.equal(compareCursors("aaa-1", "bbb-2"), null);
  assert.equal(isAfter("bbb-2", "aaa-1"), false);
  assert.equal(isCovered("aaa-1", "bbb-2"), false);
});

test("what is not a cursor is not one", () => {
  for (const text of ["", "latest", "earliest", "k-", "k-01", "K-1", "k:1", "k-1 ", "k--1", null, 7]) {
    assert.equal(isCursor(text), false, String(text));
    assert.equal(compareCursors(text, text), null, String(text));
  }
});
