import assert from "node:assert/strict";
import { test } from "node:test";

import { LINE_MAX, PAGE, PAGES_MAX, RunLog, sectionsOf } from "../../static/app/projects/project/run-log.js";

const RUN = 3;
let made = 0;
/** An event of the run's topic, each later than the one before. */
const event = (type, data, subject) => ({
  id: `log-${(made += 1)}`,
  topic: "projects/p",
  type,
  time: "2026-01-01T00:00:00Z",
  data,
  subject,
});
const output = (line, text, stage = null) => event("run_output", { run: RUN, line, text, stage });
const now = () => `log-${made}`;
const line = (number, text = `line ${number}`) => ({ line: number, time: "2026-01-01T00:00:00Z", text });

/** A service with these lines, and a log that asks it. */
function world(texts, { unfinished = false } = {}) {
  const asked = [];
  const changes = [];
  const fetch = async ({ after, limit }) => {
    asked.push(after);
    const lines = texts.slice(after, after + limit).map((text, index) => line(after + index + 1, text));
    const more = after + limit < texts.length;
    return { lines, next: after + lines.length, more, unfinished: unfinished && !more, cursor: now() };
  };
  const log = new RunLog(RUN, fetch, (first) => changes.push(first));
  const all = () => Array.from({ length: log.count }, (_, at) => log.line(at + 1)?.text);
  return { log, asked, changes, all, texts };
}

test("output goes on where the answer ended, line for line", async () => {
  const { log, all, changes } = world(["one", "tw"]);
  await log.load(2);
  log.receive(output(2, "o\nthr"));
  log.receive(output(3, "ee\n"));
  log.receive(output(4, "\nfive"));
  log.receive(output(5, ""));
  assert.deepEqual(all(), ["one", "two", "three", "", "five"]);
  assert.deepEqual(changes, [0, 2, 3, 4]);
});

test("what the answer has already is not told twice, and what comes meanwhile is not lost", async () => {
  const texts = ["one"];
  const { log, all } = world(texts);
  log.receive(output(1, "one\n")); // before anybody asked: the answer has it
  const loading = log.load(1);
  const before = output(2, "two\n");
  texts.push("two");
  const answered = loading.then(() => all());
  log.receive(before);
  log.receive(output(3, "three\n"));
  assert.deepEqual((await answered).slice(0, 1), ["one"]);
  assert.deepEqual(all(), ["one", "two", "three"]);
});

test("other runs and other types are nothing to it", async () => {
  const { log, all } = world([]);
  await log.load(0);
  log.receive(event("run_output", { run: 4, line: 1, text: "not mine" }));
  log.receive(event("log", { message: "not mine", run: 4 }));
  log.receive(event("log", { message: "of before there were runs" }));
  log.receive(event("status_update", { status: "running" }));
  assert.deepEqual(all(), []);
});

test("a hole is not papered over: what does not follow is left to the next load", async () => {
  const { log, all } = world(["one"]);
  await log.load(1);
  log.receive(output(3, "three\n"));
  assert.deepEqual(all(), ["one"]);
});

test("agents' words are lines of their own, also behind a text that has not ended", async () => {
  const { log, all } = world(["begun"], { unfinished: true });
  await log.load(1);
  log.stages = [{ number: 2, name: "tests", status: "started", message: "", duration: null, first_line: 1 }];
  log.receive(event("output", " and en", "output/2"));
  log.receive(event("output", "ded", "output/2"));
  log.receive(event("log", { message: "two\nlines", level: "warning", agent: "tests", run: RUN, stage: 2 }));
  log.receive(event("output", "more\n", "output/2"));
  assert.deepEqual(all(), ["begun and ended", "two\nlines", "more"]);
  assert.equal(log.line(2).level, "warning");
  assert.equal(log.line(2).stage, "tests");
});

test("of a long log the end is loaded, the rest when it is wanted, and some of it is kept", async () => {
  const total = PAGE * (PAGES_MAX + 10);
  const { log, asked } = world(Array.from({ length: total }, (_, at) => `line ${at + 1}`));
  await log.load(total);
  assert.equal(log.count, total);
  assert.equal(asked[0], total - 2 * PAGE);
  assert.equal(log.line(1), undefined);
  for (let page = 0; page < PAGES_MAX + 5; page += 1) await log.want(page);
  assert.equal(log.has(PAGES_MAX + 4), true);
  assert.equal(log.line((PAGES_MAX + 4) * PAGE + 7).text, `line ${(PAGES_MAX + 4) * PAGE + 7}`);
  assert.equal(log.line(1), undefined);
  assert.equal(log.line(total).text, `line ${total}`);
  const before = asked.length;
  await Promise.all([log.want(0), log.want(0)]);
  assert.equal(asked.length, before + 1);
  assert.equal(log.line(1).text, "line 1");
});

test("a page of which nothing is kept any more is asked for once, and drawn by nobody again", async () => {
  const { log, asked, changes, texts } = world(Array.from({ length: PAGE * 5 }, (_, at) => `line ${at + 1}`));
  await log.load(PAGE * 5);
  texts.length = 0;
  const before = asked.length;
  await log.want(0);
  await log.want(0);
  assert.equal(asked.length, before + 1);
  assert.deepEqual(changes, [0]);
  texts.push("another");
  await log.load(0);
  assert.equal(log.line(1).text, "another");
});

test("which lines have ended is known: what is looked for in one may come yet", async () => {
  const { log } = world(["one", "tw"], { unfinished: true });
  await log.load(2);
  const ended = () => [...log.after(0, log.ended)].map(({ text }) => text);
  assert.deepEqual(ended(), ["one"]);
  log.receive(output(2, "o\n"));
  assert.deepEqual(ended(), ["one", "two"]);
});

test("a line without an end is kept up to a bound, and a progress bar by its last states", async () => {
  const { log } = world([]);
  await log.load(0);
  for (let step = 0; step < 3_000; step += 1) log.receive(output(1, `\r${"#".repeat(50)} ${step}`));
  assert.ok(log.line(1).text.length <= LINE_MAX);
  assert.ok(log.line(1).text.endsWith(" 2999"));
  log.receive(output(1, `\n${"x".repeat(LINE_MAX + 5)}`));
  assert.equal(log.line(2).text.length, LINE_MAX);
});

test("stages make sections; those that have begun without a line are there, too", () => {
  const stage = (number, first_line, status = "completed") => ({
    number,
    name: `s${number}`,
    status,
    first_line,
  });
  const told = (stages, count) =>
    sectionsOf(stages, count).map(({ stage: of, first, last }) => [of?.number ?? 0, first, last]);
  assert.deepEqual(told([], 0), []);
  assert.deepEqual(told([], 5), [[0, 1, 5]]);
  assert.deepEqual(told([stage(1, 3), stage(2, 6), stage(3, null, "pending")], 9), [
    [0, 1, 2],
    [1, 3, 5],
    [2, 6, 9],
  ]);
  assert.deepEqual(told([stage(1, 1), stage(2, 1), stage(3, null, "failed")], 4), [
    [1, 1, 0],
    [2, 1, 4],
    [3, 5, 4],
  ]);
});

test("a stage whose first line is seen begins there", async () => {
  const { log } = world(["before"]);
  log.stages = [
    { number: 1, name: "build", status: "pending", message: "", duration: null, first_line: null },
    { number: 2, name: "build", status: "pending", message: "", duration: null, first_line: null },
  ];
  await log.load(1);
  log.receive(output(2, "made\n", "build"));
  assert.equal(log.stages.filter(({ first_line }) => first_line === 2).length, 1);
});
