/** What is heard of each frame: events, duplicates, gaps, moves, anomalies. */

import assert from "node:assert/strict";
import test from "node:test";

import { Intake } from "../../static/client/intake.js";
import { recorder } from "./support/fakes.js";

const ALONE = { spare: false, overlap: false };
const event = (offset, prev = null) => ({
  id: `k-${offset}`,
  topic: "a",
  type: "log",
  prev: prev === null ? null : `k-${prev}`,
});

function intake(after = "k-5") {
  const { heard, listener, names } = recorder();
  return { intake: new Intake(after, listener), heard, names };
}

test("an event is heard with the cursor before it; its copy is a duplicate", () => {
  const { intake: subject, heard } = intake();
  assert.equal(subject.event(event(6), ALONE), true);
  assert.equal(subject.event(event(6), { spare: true, overlap: true }), true);
  assert.deepEqual(heard, [
    ["event", event(6), "k-5"],
    ["duplicate", event(6), true],
  ]);
});

test("a broken chain is refused, told, and after the re-read delivered as repaired or not", () => {
  for (const [middle, repaired] of [
    [true, true],
    [false, false],
  ]) {
    const { intake: subject, heard, names } = intake();
    assert.equal(subject.event(event(9, 7), ALONE), false);
    if (middle) subject.event(event(7, 5), ALONE);
    assert.equal(subject.event(event(9, 7), ALONE), true);
    assert.equal(names().at(-1), "event");
    assert.deepEqual(
      heard.filter(([name]) => name === "anomaly").map(([, told]) => told.repaired),
      [null, repaired],
    );
    assert.equal(heard[0][1].kind, "prev");
  }
});

test("a spare connection with a broken chain is given up without a word", () => {
  const { intake: subject, heard } = intake();
  assert.equal(subject.event(event(9, 7), { spare: true, overlap: true }), false);
  assert.deepEqual(heard, []);
});

test("an event of another epoch is told as that", () => {
  const { intake: subject, heard } = intake();
  assert.equal(subject.event({ ...event(1), id: "z-1" }, ALONE), false);
  assert.equal(heard[0][1].kind, "epoch");
});

test("an event without a position says nothing and breaks nothing", () => {
  const { intake: subject, heard } = intake();
  assert.equal(subject.event({ topic: "a", type: "typing" }, ALONE), true);
  assert.deepEqual([heard, subject.cursor], [[], "k-5"]);
});

test("a gap moves the cursor and is told once, until the topics change", () => {
  const { intake: subject, names } = intake();
  const gap = { type: "gap", reason: "trimmed", requested: "k-5", id: "k-8", floor: "k-9" };
  subject.gap(gap);
  subject.gap(gap);
  assert.deepEqual(names(), ["moved", "gap", "moved"]);
  subject.topicsChanged();
  subject.gap(gap);
  assert.equal(names().at(-1), "gap");
});

test("positions move forward only; the first connection says where it begins", () => {
  const { intake: subject, heard } = intake(null);
  subject.begin(null, { id: "k-3" });
  subject.position("k-2");
  subject.position(undefined);
  subject.position("k-4");
  assert.deepEqual(heard, [
    ["moved", null, "k-3"],
    ["moved", "k-3", "k-4"],
  ]);
});
