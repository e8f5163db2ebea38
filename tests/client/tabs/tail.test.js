/** What a follower keeps while it catches up. */

import assert from "node:assert/strict";
import test from "node:test";

import { Tail } from "../../../static/client/tabs/tail.js";

const message = (name, events) => ({ kind: "frames", tab: name, events: Array.from({ length: events }) });
const names = (tail) => {
  const seen = [];
  for (let one = tail.shift(); one; one = tail.shift()) seen.push(one.tab);
  return seen;
};

test("messages come out in order; an empty tail has none", () => {
  const tail = new Tail();
  assert.deepEqual([tail.first, tail.shift()], [undefined, undefined]);
  tail.push(message("a", 1));
  tail.push(message("b", 0));
  assert.equal(tail.first.tab, "a");
  assert.deepEqual(names(tail), ["a", "b"]);
});

test("2,000 events and messages fit; one more drops the oldest", () => {
  const tail = new Tail();
  tail.push(message("a", 999));
  tail.push(message("b", 999));
  assert.equal(tail.first.tab, "a");
  tail.push(message("c", 0));
  assert.deepEqual(names(tail), ["b", "c"]);
  for (let n = 0; n < 5_000; n += 1) tail.push(message(String(n), 0));
  assert.equal(tail.first.tab, "3000", "messages without events are bounded too");
});

test("clear begins anew, the bound too", () => {
  const tail = new Tail();
  tail.push(message("a", 1_900));
  tail.clear();
  tail.push(message("b", 1_900));
  assert.deepEqual(names(tail), ["b"]);
});
