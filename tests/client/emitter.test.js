/** Listeners: once is once, off is off, and a listener that throws harms nobody. */

import assert from "node:assert/strict";
import test from "node:test";

import { Emitter } from "../../static/client/emitter.js";

test("on hears every time and once only the next one; each gives the way to undo it", () => {
  const emitter = new Emitter();
  const heard = [];
  const off = emitter.on("a", (detail) => heard.push(["on", detail]));
  emitter.once("a", (detail) => heard.push(["once", detail]));
  const undo = emitter.once("a", () => heard.push("never"));
  undo();
  emitter.emit("a", 1);
  emitter.emit("a", 2);
  off();
  emitter.emit("a", 3);
  emitter.emit("b", 4);
  assert.deepEqual(heard, [
    ["on", 1],
    ["once", 1],
    ["on", 2],
  ]);
});

test("the same function is added once; off takes it, or all of a name", () => {
  const emitter = new Emitter();
  let calls = 0;
  const fn = () => (calls += 1);
  emitter.on("a", fn);
  emitter.on("a", fn);
  emitter.emit("a");
  assert.equal(calls, 1);
  emitter.off("a", fn);
  emitter.emit("a");
  assert.equal(calls, 1);
  emitter.on("a", fn);
  emitter.on("a", () => (calls += 10));
  emitter.off("a");
  emitter.emit("a");
  emitter.off("unheard of", fn);
  assert.equal(calls, 1);
});

test("once can be taken back by the function that was added", () => {
  const emitter = new Emitter();
  const fn = () => assert.fail("it was taken back");
  emitter.once("a", fn);
  emitter.off("a", fn);
  emitter.emit("a");
});

test("a listener that is added or taken away while others are called changes the next call only", () => {
  const emitter = new Emitter();
  const heard = [];
  const second = () => heard.push("second");
  emitter.on("a", () => {
    heard.push("first");
    emitter.off("a", second);
    emitter.on("a", () => heard.push("late"));
  });
  emitter.on("a", second);
  emitter.emit("a");
  assert.deepEqual(heard, ["first", "second"]);
});

test("one that throws does not keep the others from hearing; the page's handler gets the error", () => {
  const emitter = new Emitter();
  const told = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => told.push(error.message);
  try {
    emitter.on("a", () => {
      throw new Error("mine");
    });
    emitter.on("a", () => told.push("heard"));
    emitter.emit("a");
  } finally {
    globalThis.reportError = before;
  }
  assert.deepEqual(told, ["mine", "heard"]);
});

test("what is no function is refused where it is added", () => {
  assert.throws(() => new Emitter().on("a", "b"), TypeError);
});
