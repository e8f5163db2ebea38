/** JSON Merge Patch, by the examples of RFC 7396, appendix A. */

import assert from "node:assert/strict";
import test from "node:test";

import { isObject, merged } from "../../static/client/patch.js";

const EXAMPLES = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test("it does what the standard shows, and changes neither", () => {
  for (const [target, patch, result] of EXAMPLES) {
    const before = JSON.stringify([target, patch]);
    assert.deepEqual(merged(target, patch), result);
    assert.equal(JSON.stringify([target, patch]), before);
  }
  assert.deepEqual(merged({ a: 1 }, JSON.parse('{"__proto__":{"b":2}}')).b, undefined);
});

test("an object is no list and no null", () => {
  assert.deepEqual([{}, [], null, "a", undefined].map(isObject), [true, false, false, false, false]);
});
