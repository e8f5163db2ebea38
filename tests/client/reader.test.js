/** The judgement of frames against the cursor: duplicates, broken chains, gaps, epochs. */

import assert from "node:assert/strict";
import test from "node:test";

import { Reader } from "../../static/client/reader.js";

const event = (offset, prev = null, epoch = "k") => ({
  id: `${epoch}-${offset}`,
  topic: "a",
  type: "log",
  prev: prev === null ? null : `${epoch}-${prev}`,
});

test("events at or before the cursor are duplicates", () => {
  const reader = new Reader("k-5");
  assert.equal(reader.event(event(5, 4)), "duplicate");
  assert.equal(reader.event(event(3)), "duplicate");
  assert.equal(reader.event(event(6, 5)), "deliver");
  assert.equal(reader.cursor, "k-6");
});

test("an event without a position is ignored, and the cursor stays a cursor", () => {
  const reader = new Reader("k-5");
  for (const id of [undefined, null, "", "latest", 7, "k-x"]) {
    assert.equal(reader.event({ topic: "a", type: "typing", id }), "ignored");
    assert.equal(reader.cursor, "k-5");
  }
  assert.equal(new Reader().event({ topic: "a", type: "typing" }), "ignored");
});

test("prev beyond the cursor proves a loss, once; then the event is let through and marked", () => {
  const reader = new Reader("k-5");
  assert.equal(reader.event(event(9, 7)), "lost");
  assert.equal(reader.cursor, "k-5");
  assert.equal(reader.event(event(9, 7)), "unrepaired");
  assert.equal(reader.cursor, "k-9");
});

test("a re-read that brings what was missing repairs the chain", () => {
  const reader = new Reader("k-5");
  assert.equal(reader.event(event(9, 7)), "lost");
  assert.equal(reader.event(event(7, 5)), "deliver");
  assert.equal(reader.event(event(9, 7)), "repaired");
});

test("prev between two topics: the cursor is global, prev is not", () => {
  const reader = new Reader("k-5");
  assert.equal(reader.event({ ...event(8), topic: "b" }), "deliver");
  assert.equal(reader.event(event(10, 6)), "deliver"); // 6 lies before the cursor: nothing is missing
});

test("a position without events counts as seen", () => {
  const reader = new Reader("k-5");
  assert.equal(reader.position("k-9"), true);
  assert.equal(reader.position("k-8"), false);
  assert.equal(reader.position("other-10"), false);
  assert.equal(reader.event(event(10, 9)), "deliver");
});

test("up to the floor of a gap anything may be missing, beyond it nothing", () => {
  const reader = new Reader("k-5");
  assert.equal(reader.gap({ reason: "trimmed", id: "k-6", floor: "k-20" }), true);
  assert.equal(reader.event(event(25, 20)), "deliver");
  assert.equal(reader.event(event(40, 30)), "lost");
});

test("the same gap told again is no news; a higher floor is, and another reason", () => {
  const reader = new Reader("k-5");
  const gap = { reason: "trimmed", id: "k-6", floor: "k-20" };
  assert.equal(reader.gap(gap), true);
  assert.equal(reader.gap({ ...gap, id: "k-7" }), false);
  assert.equal(reader.gap({ ...gap, floor: "k-30" }), true);
  reader.forget();
  assert.equal(reader.gap({ ...gap, floor: "k-30" }), true);
  assert.equal(reader.gap({ reason: "ahead", id: "k-3", floor: null }), true);
});

test("a gap of reason epoch or ahead moves the cursor anywhere, and with it what a duplicate is", () => {
  const reader = new Reader("old-500");
  reader.gap({ reason: "epoch", id: "new-0", floor: null });
  assert.equal(reader.event(event(1, null, "new")), "deliver");
  reader.gap({ reason: "ahead", id: "new-0", floor: null });
  assert.equal(reader.event(event(1, null, "new")), "deliver");
});

test("an event of another epoch without a gap asks for a re-read", () => {
  const reader = new Reader("old-5");
  assert.equal(reader.event(event(1, null, "new")), "foreign");
  assert.equal(reader.event(event(1, null, "new")), "unrepaired");
  assert.equal(reader.cursor, "new-1");
});

test("the connection frame gives the cursor only if none was asked for", () => {
  const asked = new Reader("k-5");
  asked.begin("k-5", { id: "k-9", head: "k-9" }); // a gap may follow; ending before it must not skip anything
  assert.equal(asked.cursor, "k-5");
  const fresh = new Reader(null);
  fresh.begin("latest", { id: "k-9", head: "k-9" });
  assert.equal(fresh.cursor, "k-9");
});

test("from the earliest kept event, what retention took away is no loss, up to the floor", () => {
  const reader = new Reader(null);
  reader.begin("earliest", { id: "k-0", head: "k-50", floor: "k-20" });
  assert.equal(reader.event(event(30, 20)), "deliver");
  assert.equal(reader.event(event(45, 40)), "lost");
  const whole = new Reader(null);
  whole.begin("earliest", { id: "k-0", head: "k-50", floor: null });
  assert.equal(whole.event(event(30, 20)), "lost");
});

test("where the service does not tell the floor, everything up to the head of then is excused", () => {
  const reader = new Reader(null);
  reader.begin("earliest", { id: "k-0", head: "k-50" });
  assert.equal(reader.event({ ...event(10), topic: "b" }), "deliver");
  assert.equal(reader.event(event(30, 20)), "deliver");
  assert.equal(reader.event(event(70, 60)), "lost");
});
