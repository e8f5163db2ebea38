import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CHARS_MAX,
  KEPT_MAX,
  Rate,
  TailStore,
  depthOf,
  rowOf,
  setIn,
} from "../../static/app/admin/tail-store.js";

const event = (n, data = n) =>
  rowOf({ id: `e-${n}`, topic: "a", type: "note", time: "2026-01-01T00:00:00.000Z", prev: null, data });
const ids = (store) => store.rows.map((row) => row.id ?? row.words);
const filled = (count) => {
  const store = new TailStore();
  for (let n = 1; n <= count; n += 1) store.add(event(n));
  return store;
};

test("so many rows are kept, and it is said", () => {
  assert.equal(filled(KEPT_MAX).words(0), "500 events, 0/s");
  const store = filled(KEPT_MAX + 1);
  assert.equal(ids(store).length, KEPT_MAX);
  assert.equal(ids(store)[0], "e-2");
  assert.equal(store.words(2.54), "501 events, 2.5/s · the newest 500 are kept here");
});

test("so much data is kept, but one row whatever its size", () => {
  const store = new TailStore();
  store.add(event(1, "x".repeat(CHARS_MAX - 3)));
  store.add(event(2));
  assert.deepEqual(ids(store), ["e-1", "e-2"]);
  store.add(event(3));
  assert.deepEqual(ids(store), ["e-2", "e-3"]);
  store.add(event(4, "x".repeat(CHARS_MAX)));
  assert.deepEqual(ids(store), ["e-4"]);
});

test("a pause holds back as much, and what it lets go is told where it is missing", () => {
  const store = filled(1);
  store.pause();
  for (let n = 2; n <= KEPT_MAX; n += 1) store.add(event(n));
  assert.deepEqual(ids(store), ["e-1"]);
  assert.equal(store.words(0), "500 events, 0/s · 499 held back");
  store.add({ kind: "gap", words: "Gap", id: "e-9" });
  store.pause(); // once more is nothing
  store.goOn();
  assert.equal(ids(store).length, KEPT_MAX, "no row for a hole, since there is none");

  store.pause();
  const large = "x".repeat(CHARS_MAX / 2 - 2);
  for (const n of [1, 2, 3]) store.add(event(n, large));
  assert.match(store.words(0), /2 held back, 1 event let go$/);
});

test("a hole stands between what was there and what was held", () => {
  const store = filled(2);
  store.pause();
  const large = "x".repeat(CHARS_MAX / 2 - 10);
  for (const n of [3, 4, 5]) store.add(event(n, large));
  store.goOn();
  assert.deepEqual(ids(store), [
    "e-1",
    "e-2",
    "1 event came while this was paused, and had to be let go.",
    "e-4",
    "e-5",
  ]);
  const numbers = store.rows.map(({ number }) => number);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
    "each row has its own, in order",
  );
});

test("a gap that was let go is told, too", () => {
  const store = new TailStore();
  store.pause();
  store.add({ kind: "gap", words: "Gap", id: "e-9" });
  for (let n = 1; n <= KEPT_MAX + 1; n += 1) store.add(event(n));
  assert.match(store.words(0), /500 held back, 1 event and 1 gap let go$/);
});

test("a clear leaves nothing, and a pause goes on", () => {
  const store = filled(3);
  store.others = 4;
  assert.equal(store.words(0), "3 events, 0/s · 4 others left out");
  store.pause();
  store.add(event(4));
  store.clear();
  assert.equal(store.words(0), "0 events, 0/s · 0 held back");
  store.add(event(5));
  store.goOn();
  assert.deepEqual(ids(store), ["e-5"]);
});

test("a rate is over the last ten seconds, or over those that there were", () => {
  const rate = new Rate(1_000);
  for (let n = 0; n < 20; n += 1) rate.add(1_500);
  assert.equal(rate.of(1_500), 20, "a second at least");
  assert.equal(rate.of(3_000), 10);
  assert.equal(rate.of(10_900), 20 / 9.9);
  assert.equal(rate.of(11_000), 0);
  for (let second = 20; second < 40; second += 1) rate.add(second * 1_000);
  assert.equal(rate.of(39_500), 1);
});

test("numbers that a browser can't tell exactly are told of", () => {
  assert.equal(event(1, { a: [Number.MAX_SAFE_INTEGER, 0.1, -3, "12345678901234567890"] }).isExact, true);
  assert.equal(event(1, JSON.parse('{"a":[{"b":12345678901234567890}]}')).isExact, false);
  assert.equal(event(1, JSON.parse("1e999")).isExact, false);
  assert.equal(event(1, null).isExact, true);
});

test("what is too deep to be written is no error", () => {
  assert.equal(event(1, JSON.parse("[".repeat(30_000) + "]".repeat(30_000))).text, null);
});

test("JSON is set in as long as that is no flood of blanks", () => {
  assert.equal(setIn('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(depthOf('{"[[[\\"[":[{}]}'), 3);
  const deep = "[".repeat(33) + "]".repeat(33);
  assert.equal(setIn(deep), deep);
});
