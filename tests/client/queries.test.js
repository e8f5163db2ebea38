/** What is asked, as pairs and as a body. */

import assert from "node:assert/strict";
import test from "node:test";

import { besidePairs, fieldsOf } from "../../static/client/queries.js";

test("what is said more than once is a list in a body, and what is nothing is left out", () => {
  const pairs = [
    ["after", "k-1"],
    ["wait", 0],
    ["next", null],
    ["presence_version", "a:1"],
    ["presence_version", "b:2"],
    ["presence_version", "c:3"],
  ];
  assert.deepEqual(fieldsOf(pairs), {
    after: "k-1",
    wait: 0,
    presence_version: ["a:1", "b:2", "c:3"],
  });
});

test("a request asks for no more than is wanted", () => {
  const asked = (ephemeral, presence) =>
    fieldsOf(besidePairs({ topics: [], after: null, ephemeral, presence }));
  assert.deepEqual([asked(false, false), asked(true, true)], [{}, { ephemeral: 1, presence: 1 }]);
});
