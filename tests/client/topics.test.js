/** Filters match as the server's do (docs/protocol.md, section 1). */

import assert from "node:assert/strict";
import test from "node:test";

import { readTopics, topicMatcher } from "../../static/client/topics.js";

const matches = (pattern, topic) => topicMatcher([pattern])(topic);

test("* is one segment, a last ** one or more", () => {
  assert.ok(matches("projects/*", "projects/42"));
  assert.ok(!matches("projects/*", "projects"));
  assert.ok(!matches("projects/*", "projects/42/logs"));
  assert.ok(matches("projects/**", "projects/42/logs"));
  assert.ok(!matches("projects/**", "projects"));
  assert.ok(matches("*/logs", "a/logs"));
  assert.ok(matches("**", "anything/at/all"));
});

test("a dot is a dot", () => {
  assert.ok(!matches("a.b/*", "axb/c"));
  assert.ok(matches("a.b/*", "a.b/c"));
});

test("null matches all topics, no patterns none", () => {
  assert.ok(topicMatcher(null)("a"));
  assert.ok(!topicMatcher([])("a"));
});

test("what the server would refuse is refused at once, with its field", () => {
  for (const topic of ["", "a//b", "/a", "a/", "a b", "**/a", "a*", "é", "x".repeat(201), 7]) {
    assert.throws(() => readTopics([topic]), { name: "TwinwireError", status: 422 }, String(topic));
  }
  assert.deepEqual(readTopics(["a", "b/*", "a"]), ["a", "b/*"]);
  assert.equal(readTopics(undefined), null);
  assert.equal(readTopics("x".repeat(200)).length, 1);
});
