/** The topics of a connection and their changes, with a WebSocket and without. */

import assert from "node:assert/strict";
import test from "node:test";

import { UnansweredError } from "../../static/client/requests.js";
import { TopicSet } from "../../static/client/topic-set.js";

function topicSet(list, { speaks = true, answer = () => ({ id: "k-9" }) } = {}) {
  const asked = [];
  const carrier = {
    speaks: () => speaks,
    ask: async (message) => {
      asked.push(message);
      return answer(message);
    },
    renew: () => asked.push("renew"),
  };
  return { subject: new TopicSet(list, carrier), asked };
}

const unanswered = () => {
  throw new UnansweredError("cut");
};

test("over a WebSocket only what is new is asked for, and the reply says from where it holds", async () => {
  const { subject, asked } = topicSet(["a"]);
  assert.deepEqual(await subject.add(["a", "b"]), { id: "k-9" });
  assert.deepEqual(asked, [{ op: "subscribe", topics: ["b"] }]);
  assert.deepEqual(await subject.add(["a"]), { id: null });
  assert.deepEqual(await subject.remove(["a", "z"]), { id: "k-9" });
  assert.deepEqual([subject.list, asked.at(-1)], [["b"], { op: "unsubscribe", topics: ["a"] }]);
});

test("a refused topic is not asked for again; an unanswered one is, by the next connection", async () => {
  const refused = topicSet(["a"], {
    answer: () => {
      throw new Error("403");
    },
  });
  await assert.rejects(refused.subject.add(["b"]), /403/);
  assert.deepEqual(refused.subject.list, ["a"]);
  const cut = topicSet(["a"], { answer: unanswered });
  const added = cut.subject.add(["b"]);
  await Promise.resolve();
  assert.deepEqual(cut.subject.asked, ["a", "b"]);
  await new Promise(setImmediate);
  cut.subject.connected("k-3");
  assert.deepEqual(await added, { id: "k-3" });
});

test("without a WebSocket adding connects anew, and removing waits for the next connection", async () => {
  const { subject, asked } = topicSet(["a"], { speaks: false });
  const added = subject.add(["b"]);
  assert.deepEqual(asked, ["renew"]);
  subject.connected("k-5");
  assert.deepEqual(await added, { id: "k-5" });
  assert.deepEqual(await subject.remove(["a"]), { id: null });
  assert.deepEqual([subject.list, asked], [["b"], ["renew"]]);
});

test("who waits when the stream closes is told", async () => {
  const { subject } = topicSet(["a"], { speaks: false });
  const added = assert.rejects(subject.add(["b"]), /closed/);
  subject.closed();
  await added;
});

test("all topics stay all; none is asked for as a topic that nobody has", async () => {
  const all = topicSet(null);
  assert.deepEqual(await all.subject.add(["a"]), { id: null });
  assert.deepEqual([all.subject.asked, all.asked], [[], []]);
  const { subject } = topicSet(["a"]);
  await subject.remove(["a"]);
  assert.deepEqual(subject.asked, ["~"]);
});

test("what the server took away is not asked for again; a stream over all topics has nothing to lose", () => {
  const { subject, asked } = topicSet(["a", "b"]);
  subject.lose(["b", "c"]);
  assert.deepEqual([subject.asked, asked], [["a"], []]);
  const all = topicSet(null).subject;
  all.lose(["b"]);
  assert.deepEqual(all.asked, []);
});

test("what is asked of a stream that is closed meanwhile is refused, and not left waiting", async () => {
  const cut = topicSet(["a"], { answer: unanswered });
  const added = cut.subject.add(["b"]);
  cut.subject.closed();
  await assert.rejects(added, /closed/);
});
