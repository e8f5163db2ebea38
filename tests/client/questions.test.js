import assert from "node:assert/strict";
import { test } from "node:test";

import { Activity } from "../../static/app/projects/home/runs.js";
import {
  asker,
  ending,
  isQuestion,
  left,
  QuestionStore,
} from "../../static/app/projects/project/question-store.js";

const asked = (id, more = {}) => ({
  id,
  run: null,
  question: `What of ${id}?`,
  choices: ["yes", "no"],
  default: null,
  agent: null,
  author: "ada",
  asked: `2026-01-01T00:00:0${id}.000Z`,
  deadline: "2026-01-01T00:10:00.000Z",
  how: null,
  answer: null,
  by: null,
  answered: null,
  ...more,
});
const closed = (id, more = {}) =>
  asked(id, { how: "person", answer: "yes", by: "bob", answered: "2026-01-01T00:01:00.000Z", ...more });
const ids = (list) => list.map(({ id }) => id).join("");

/** All orders of a list. */
const orders = (list) =>
  list.length < 2
    ? [list]
    : list.flatMap((one, at) => orders(list.toSpliced(at, 1)).map((rest) => [one, ...rest]));

test("in whatever order a list and events come, the same is known in the end", () => {
  const steps = [
    (store) => store.take(asked("1")),
    (store) => store.take(closed("1")),
    (store) => store.load([asked("1"), asked("2")], []),
    (store) => store.remove("2"),
    (store) => store.take(asked("3")),
  ];
  for (const order of orders(steps)) {
    const store = new QuestionStore();
    for (const step of order) step(store);
    assert.equal(ids(store.open), "3");
    assert.equal(ids(store.closed), "1");
  }
});

test("what was known before a list was asked for and is not in it has gone, and nothing else has", () => {
  const store = new QuestionStore();
  store.take(closed("1"));
  const before = store.ids;
  store.take(asked("2")); // while the list is on its way
  store.load([asked("3")], before);
  assert.equal(ids(store.open), "23");
  assert.equal(store.take(closed("1")), false);
  assert.equal(ids(store.closed), "");
});

test("open ones are shown by how long they have waited, ended ones by how lately they ended", () => {
  const store = new QuestionStore();
  const late = { answered: "2026-01-01T00:02:00.000Z" };
  store.load([closed("4"), asked("3"), asked("1"), closed("2", late)], []);
  assert.equal(ids(store.open), "13");
  assert.equal(ids(store.closed), "24");
});

test("what is no question of ours is none", () => {
  for (const good of [asked("1"), closed("1"), asked("1", { choices: null, agent: "deploy" })])
    assert.equal(isQuestion(good), true);
  const bad = [null, 7, [], {}, asked("1", { choices: [1] }), asked("1", { deadline: "soon" })];
  for (const one of [...bad, asked("1", { question: undefined }), closed("1", { answered: 3 })])
    assert.equal(isQuestion(one), false);
});

test("who asks and what became of it is said in words", () => {
  assert.equal(asker(asked("1")), "ada");
  assert.equal(asker(asked("1", { author: null })), "A command");
  assert.equal(asker(asked("1", { agent: "deploy" })), "The deploy agent");
  assert.deepEqual(ending(closed("1")), { answer: "yes", words: "answered by bob" });
  assert.deepEqual(ending(closed("1", { by: null })), { answer: "yes", words: "answered by somebody" });
  const words = (more) => ending(closed("1", { answer: null, by: null, ...more })).words;
  assert.equal(words({ how: "default", answer: "no" }), "the default: nobody answered in time");
  assert.equal(words({ how: "unanswered" }), "nobody answered in time");
  assert.equal(words({ how: "withdrawn" }), "withdrawn");
  assert.equal(words({ how: "withdrawn", by: "ada" }), "withdrawn by ada");
});

test("how long it is open yet", () => {
  const at = (text) => left(asked("0"), Date.parse(text));
  assert.deepEqual(at("2026-01-01T00:00:00Z"), { words: "10:00 min left", fraction: 1 });
  assert.deepEqual(at("2026-01-01T00:05:00Z"), { words: "5:00 min left", fraction: 0.5 });
  assert.equal(at("2026-01-01T00:09:30.2Z").words, "30 s left");
  assert.deepEqual(at("2026-01-01T00:10:00Z"), { words: "time is over", fraction: 0 });
  assert.equal(at("2026-01-01T00:12:00Z").words, "time is over");
  assert.equal(left(asked("0"), Date.parse("2025-12-31T22:05:00Z")).words, "2 h 05 min left");
});

test("the feed of all projects tells of them, and of none that is not ours", () => {
  const activity = new Activity();
  const events = [
    { type: "question", data: asked("1") },
    { type: "answer", data: closed("1") },
    { type: "answer", data: closed("2", { how: "unanswered", answer: null }) },
    { type: "question", data: { question: "from before" } },
  ];
  for (const [at, event] of events.entries())
    activity.add({ id: `log-${at + 1}`, topic: "projects/p", time: "2026-01-01T00:00:00Z", ...event }, false);
  assert.deepEqual(
    activity.entries.map(({ text }) => text),
    ["What of 2?: nobody answered in time", "What of 1?: “yes”, answered by bob", "ada asks: What of 1?"],
  );
});
