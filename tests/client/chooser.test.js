/** Which transport is tried first, and what a fallback must show before it is remembered. */

import assert from "node:assert/strict";
import test from "node:test";

import { Chooser } from "../../static/client/chooser.js";
import { forbiddenStorage } from "./support/browser.js";
import { bench } from "./support/fakes.js";

const ALL = ["websocket", "sse", "poll"];
const network = { kind: "network" };
const link = (name, { connection = null, productive = false } = {}) => ({ name, connection, productive });

function chooser(more) {
  const { clock, env } = bench(more);
  return { clock, env, subject: new Chooser(env, ALL, "key"), again: () => new Chooser(env, ALL, "key") };
}

test("three useless connections in a row demote a transport; a productive one restores it", () => {
  const { subject } = chooser();
  for (let n = 1; n <= 2; n += 1) subject.ended(link("websocket"), network);
  assert.deepEqual(subject.order(), ALL);
  subject.ended(link("websocket"), network);
  assert.deepEqual(subject.order(), ["sse", "poll", "websocket"]);
  subject.productive("websocket");
  assert.deepEqual(subject.order(), ALL);
});

test("a stall or a transport that is not there demotes at once", () => {
  for (const kind of ["stalled", "unsupported"]) {
    const { subject } = chooser();
    subject.ended(link("websocket", { productive: true }), { kind });
    assert.equal(subject.order()[0], "sse");
  }
});

test("what was meant, or happens offline, blames nobody", () => {
  const blameless = [
    { kind: "goodbye" },
    { kind: "suspended" },
    { kind: "dropped" },
    { kind: "closed", code: 1012 },
    { kind: "http", status: 503, problem: {} },
  ];
  const { subject } = chooser();
  for (const fault of blameless) for (let n = 0; n < 3; n += 1) subject.ended(link("websocket"), fault);
  assert.deepEqual(subject.order(), ALL);
  const { subject: offline } = chooser({ online: () => false });
  for (let n = 0; n < 3; n += 1) offline.ended(link("websocket"), { kind: "stalled" });
  assert.deepEqual(offline.order(), ALL);
});

test("with all demoted there is nothing to choose from: the best one is first again", () => {
  const { subject } = chooser();
  for (const name of ALL) subject.ended(link(name), { kind: "stalled" });
  assert.deepEqual(subject.order(), ALL);
});

test("a fallback is remembered if every better one failed twice within its minute, and not before", () => {
  const { subject, again } = chooser();
  subject.connected("sse");
  subject.ended(link("websocket"), network);
  assert.equal(again().remembered, null, "one failure may be a coincidence");
  subject.ended(link("websocket"), network);
  assert.equal(again().remembered, "sse");
  assert.deepEqual(again().order(), ["sse", "poll", "websocket"]);
});

test("failures that are a minute old prove nothing, nor do those of a server that was down", () => {
  const { subject, again, clock } = chooser();
  for (let n = 0; n < 2; n += 1) subject.ended(link("websocket"), network);
  clock.time += 60_001;
  subject.connected("sse");
  assert.equal(again().remembered, null);
  const down = chooser();
  for (let n = 0; n < 2; n += 1) down.subject.ended(link("websocket"), network);
  down.subject.allFailed();
  down.subject.connected("sse");
  assert.equal(down.again().remembered, null);
});

test("the memory ends after half an hour, with a success of a better one, and when the clock was set back", () => {
  for (const end of ["time", "success", "clock"]) {
    const { subject, again, clock } = chooser();
    subject.connected("sse");
    for (let n = 0; n < 2; n += 1) subject.ended(link("websocket"), network);
    if (end === "time") clock.time += 30 * 60_000;
    if (end === "success") subject.productive("websocket");
    if (end === "clock") clock.time -= 1;
    assert.equal(again().remembered, null, end);
  }
});

test("a memory that is forbidden, or holds nonsense, is none", () => {
  assert.equal(chooser({ memory: forbiddenStorage }).subject.remembered, null);
  assert.equal(chooser({ memory: null }).subject.remembered, null);
  for (const text of ["{", "null", "7", '{"transport":"pigeon","until":9e15}']) {
    const { env } = bench();
    env.memory.setItem("key", text);
    assert.equal(new Chooser(env, ALL, "key").remembered, null);
  }
});

test("two cuts after about the same silence teach a ping of 0.6 of it; others teach nothing", () => {
  const { subject } = chooser();
  const cut = (silence, kind = "network") =>
    subject.ended(link("websocket", { connection: {} }), { kind, silence });
  cut(60_000);
  assert.equal(subject.pingEvery, null);
  cut(20_000);
  cut(1_999);
  cut(20_000, "stalled");
  assert.equal(subject.pingEvery, null);
  cut(21_000);
  assert.equal(subject.pingEvery, 12_600);
});

test("better: what stands before", () => {
  const { subject } = chooser();
  assert.deepEqual([subject.better("websocket"), subject.better("poll")], [[], ["websocket", "sse"]]);
});
