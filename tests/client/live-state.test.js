/** The latest of each subject, live: a state and every event after it, whatever happens in between. */

import assert from "node:assert/strict";
import test from "node:test";

import { range, World } from "./support/world.js";

const about = (world, subject, data, { topic = "a", ...more } = {}) =>
  world.log.publish(topic, "note", data, undefined, { subject, ...more });

const valuesOf = (state) => Object.fromEntries([...state].map(({ subject, value }) => [subject, value]));

/** A stream and a state of its topic, which is there. */
async function begun(world, options = {}, filter = "a") {
  const tab = world.open({ topics: "a", ...options });
  const state = tab.stream.liveState(filter);
  const changes = [];
  state.on("change", ({ subject, entry }) => changes.push([subject, entry?.value ?? null]));
  await world.clock.until(() => !state.loading);
  return { ...tab, tab, stream: tab.stream, state, changes };
}

test("it is what was there, and what comes since", async () => {
  for (const transports of [["websocket"], ["sse"], ["poll"]]) {
    const world = new World();
    for (const n of range(1, 5)) about(world, `s${n}`, n);
    about(world, "s1", null);
    about(world, "text", "a");
    about(world, "text", "b", { append: true });
    const { state, changes } = await begun(world, { transports });
    await state.ready;
    assert.deepEqual(valuesOf(state), { s2: 2, s3: 3, s4: 4, s5: 5, text: "ab" });
    assert.deepEqual(
      [state.size, state.get("a", "s2"), state.has("a", "s1"), state.cursor],
      [5, 2, false, "aaa-8"],
    );
    changes.length = 0;
    about(world, "s2", 22);
    about(world, "text", "c", { append: true, final: true });
    about(world, "s3", null);
    about(world, "s3", null);
    world.log.publish("a", "log", "no subject");
    await world.clock.advance(50);
    assert.deepEqual(changes, [
      ["s2", 22],
      ["text", "abc"],
      ["s3", null],
    ]);
    assert.deepEqual(valuesOf(state), { s2: 22, s4: 4, s5: 5, text: "abc" });
    assert.deepEqual([state.entry("a", "text").final, state.cursor], [true, "aaa-13"]);
    state.close();
  }
});

test("what is no text is a list of what was appended", async () => {
  const world = new World();
  about(world, "n", 1);
  about(world, "list", [0]);
  const { state } = await begun(world);
  about(world, "n", 2, { append: true });
  about(world, "n", "x", { append: true });
  about(world, "list", [1], { append: true });
  about(world, "new", "t", { append: true });
  await world.clock.advance(50);
  assert.deepEqual(valuesOf(state), { n: [1, 2, "x"], list: [[0], [1]], new: "t" });
});

test("what comes while it is fetched is applied once", async () => {
  const world = new World();
  about(world, "text", "a");
  for (const n of range(1, 9)) about(world, `s${n}`, n);
  const tab = world.open({ topics: "a" });
  await tab.live();
  const state = tab.stream.liveState("a");
  let n = 0;
  await world.clock.until(() => {
    if (n < 20) about(world, "text", `${(n += 1) % 10}`, { append: true });
    return !state.loading;
  });
  await world.clock.advance(50);
  const expected = `a${range(1, n)
    .map((one) => one % 10)
    .join("")}`;
  assert.equal(state.get("a", "text"), expected);
});

test("a topic that the stream has not is added for it, and taken away with it", async () => {
  const world = new World();
  about(world, "s", 1, { topic: "b/1" });
  const { stream, state } = await begun(world, {}, "b/*");
  assert.deepEqual(stream.topics, ["a", "b/*"]);
  assert.equal(state.get("b/1", "s"), 1);
  about(world, "s", 2, { topic: "b/1" });
  about(world, "s", 2, { topic: "a" });
  await world.clock.advance(50);
  assert.deepEqual(
    [...state].map(({ topic, value }) => [topic, value]),
    [["b/1", 2]],
  );
  state.close();
  assert.deepEqual(stream.topics, ["a"]);
});

test("it survives a connection that is lost, and another transport", async () => {
  const world = new World();
  about(world, "s", 1);
  const { state, changes, tab } = await begun(world);
  world.network.down();
  about(world, "s", 2);
  about(world, "t", 1);
  await world.clock.advance(500);
  world.network.up();
  world.network.set({ websocket: "refuse" });
  await tab.live(60_000);
  assert.deepEqual(valuesOf(state), { s: 2, t: 1 });
  assert.equal(changes.filter(([subject]) => subject === "s").length, 2, "the first, and each change once");
  assert.equal(world.network.tried("state").length, 1);
});

test("after a gap it is fetched anew, and what has changed is told", async () => {
  const world = new World();
  for (const n of range(1, 3)) about(world, `s${n}`, n);
  const { state, changes, tab } = await begun(world);
  changes.length = 0;
  world.network.down();
  about(world, "s1", null);
  about(world, "s2", 22);
  about(world, "s3", 3);
  world.log.trim(2);
  world.network.up();
  await tab.live(60_000);
  await world.clock.until(() => !state.loading);
  assert.equal(tab.gaps.length, 1);
  assert.deepEqual(valuesOf(state), { s2: 22, s3: 3 });
  assert.deepEqual(changes, [
    ["s1", null],
    ["s2", 22],
    ["s3", 3],
  ]);
});

test("another log in its place is another state", async () => {
  const world = new World();
  about(world, "old", 1);
  const { state, tab } = await begun(world);
  world.network.down();
  world.log.replace("bbb");
  about(world, "new", 2);
  world.network.up();
  await tab.live(60_000);
  await world.clock.until(() => !state.loading);
  assert.deepEqual([valuesOf(state), state.cursor], [{ new: 2 }, "bbb-1"]);
});

test("pages that are gone, too long a text and a server that is down: it is tried again", async () => {
  const world = new World();
  for (const n of range(1, 4)) about(world, `s${n}`, n);
  about(world, "long", "x".repeat(600));
  about(world, "long", "y".repeat(600), { append: true });
  world.network.set({ state: 503 });
  const tab = world.open();
  const state = tab.stream.liveState("a");
  await world.clock.advance(5_000);
  assert.ok(state.loading);
  world.network.set({ state: "ok" });
  let trimmed = false;
  const { state: page } = world.log;
  world.log.state = (...asked) => {
    if (asked[2] && !trimmed) {
      trimmed = true;
      world.log.trim(5);
    }
    return page.apply(world.log, asked);
  };
  await world.clock.until(() => !state.loading);
  assert.ok(trimmed);
  assert.deepEqual(Object.keys(valuesOf(state)).sort(), ["long", "s2", "s3", "s4"]);
  assert.equal(state.get("a", "long").length, 1_200);
});

test("more than may wait is fetched again", async () => {
  const world = new World();
  about(world, "s", 0);
  const tab = world.open();
  await tab.live();
  const state = tab.stream.liveState("a");
  world.network.set({ state: 503 });
  await world.clock.advance(1);
  for (const n of range(1, 10_050)) about(world, "s", n);
  world.network.set({ state: "ok" });
  await world.clock.until(() => !state.loading, 60_000);
  assert.equal(state.get("a", "s"), 10_050);
});

test("what overflows while it is fetched is told in the end, and what the state has is not kept", async () => {
  const world = new World();
  about(world, "s", 0);
  about(world, "other", 1);
  const { state, changes, tab } = await begun(world);
  changes.length = 0;
  world.network.down();
  about(world, "other", null);
  about(world, "s", 0);
  world.log.trim(0);
  world.network.up();
  world.network.set({ state: 503 });
  await tab.live(60_000);
  for (const n of range(1, 10_050)) about(world, "s", n);
  await world.clock.advance(10);
  world.network.set({ state: "ok" });
  await world.clock.until(() => !state.loading, 60_000);
  assert.deepEqual(valuesOf(state), { s: 10_050 });
  assert.deepEqual(changes, [
    ["other", null],
    ["s", 10_050],
  ]);
});

test("a token that is refused for a while, and a right of a wider filter that is lost", async () => {
  const world = new World();
  about(world, "s", 1);
  const { state, tab } = await begun(world, { topics: "a/*" }, "a/1");
  assert.equal(state.error, null);
  world.log.tell({ type: "auth", state: "reduced", subject: null, expires: null, in: null, lost: ["a/*"] });
  await world.clock.advance(50);
  assert.equal(state.error.status, 403);
  assert.equal(state.loading, false);
  tab.stream.close();
  const other = new World();
  about(other, "s", 1);
  other.network.set({ state: 401 });
  const late = other.open();
  const waiting = late.stream.liveState("a");
  await other.clock.advance(10_000);
  assert.deepEqual(
    [waiting.error, waiting.loading],
    [null, true],
    "the stream is live, so it is tried again",
  );
  other.network.set({ state: "ok" });
  await other.clock.until(() => !waiting.loading, 60_000);
  assert.equal(waiting.get("a", "s"), 1);
});

test("an append to what is not known is no beginning where something was removed", async () => {
  const world = new World();
  about(world, "cut", "a");
  about(world, "whole", "b");
  world.log.trim(1);
  const { state } = await begun(world);
  const { state: page } = world.log;
  world.log.state = (...asked) => {
    const found = page.apply(world.log, asked);
    return { ...found, events: found.events.filter(({ subject }) => subject !== "cut") };
  };
  let asked = 0;
  const { state: filtered } = world.log;
  world.log.state = (...query) => {
    asked += 1;
    return filtered(...query);
  };
  about(world, "cut", "tail", { append: true });
  about(world, "whole", "c", { append: true });
  about(world, "cut", "tail", { append: true });
  await world.clock.advance(50);
  about(world, "cut", "tail", { append: true });
  await world.clock.advance(50);
  assert.deepEqual([valuesOf(state), state.loading, asked], [{ whole: "bc" }, false, 1]);
  about(world, "cut", "new");
  about(world, "cut", "er", { append: true });
  await world.clock.advance(50);
  assert.deepEqual([valuesOf(state), asked], [{ whole: "bc", cut: "newer" }, 1]);
});

test("a text that begins is asked for by itself where something was removed", async () => {
  const world = new World();
  about(world, "old", "a");
  about(world, "whole", "b");
  world.log.trim(1);
  const { state, changes } = await begun(world);
  changes.length = 0;
  let loads = 0;
  state.on("loaded", () => (loads += 1));
  for (const piece of ["on", "ce ", "upon"]) about(world, "text", piece, { append: true });
  about(world, "other", 1);
  await world.clock.advance(50);
  about(world, "text", " a", { append: true });
  await world.clock.advance(50);
  assert.deepEqual(valuesOf(state), { whole: "b", other: 1, text: "once upon a" });
  assert.deepEqual(
    [changes.filter(([subject]) => subject === "text").at(-1), loads],
    [["text", "once upon a"], 0],
  );
});

test("a subject that can't be asked for has the whole state fetched", async () => {
  const world = new World();
  about(world, "old", "a");
  world.log.trim(1);
  const { state } = await begun(world);
  const { state: page } = world.log;
  world.log.state = (...query) => (query[3] === null ? page.apply(world.log, query) : 503);
  about(world, "text", "a", { append: true });
  await world.clock.until(() => valuesOf(state).text === "a");
});

test("a topic that is refused for a while is asked for again", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.set({ poll: 503 });
  let refused = true;
  world.network.filter = (frame) =>
    refused && frame.type === "reply" ? { ...frame, type: "problem", status: 429, title: "Too many" } : frame;
  const state = tab.stream.liveState("b");
  await world.clock.advance(3_000);
  assert.ok(state.loading);
  refused = false;
  world.network.set({ poll: "ok" });
  await world.clock.until(() => !state.loading, 60_000);
  about(world, "s", 1, { topic: "b" });
  await world.clock.advance(50);
  assert.equal(state.get("b", "s"), 1);
});

test("what may not be had is told, and so is a right that is lost", async () => {
  const world = new World();
  const { stream, state } = await begun(world);
  const errors = [];
  state.on("error", ({ status }) => errors.push(status));
  world.network.set({ state: 403 });
  const other = stream.liveState("b");
  other.on("error", ({ status }) => errors.push(status));
  await assert.rejects(
    async () => {
      const waiting = other.ready;
      await world.clock.advance(2_000);
      await waiting;
    },
    { status: 403 },
  );
  world.log.tell({ type: "auth", state: "reduced", subject: null, expires: null, in: null, lost: ["a"] });
  await world.clock.advance(50);
  assert.deepEqual(errors, [403, 403]);
});

test("a state that is closed tells nothing more, and one of a closed stream is an error", async () => {
  const world = new World();
  const { stream, state, changes } = await begun(world);
  state.close();
  state.close();
  about(world, "s", 1);
  await world.clock.advance(50);
  assert.deepEqual(changes, []);
  const late = stream.liveState("b");
  stream.close();
  await assert.rejects(late.ready);
});

test("tabs that share a connection have a state each", async () => {
  const world = new World();
  about(world, "s", 1);
  const tabs = await world.tabs(2);
  const states = tabs.map(({ stream }) => stream.liveState("a"));
  await world.clock.until(() => states.every(({ loading }) => !loading));
  about(world, "s", 2);
  await world.clock.advance(100);
  assert.deepEqual(
    states.map((state) => state.get("a", "s")),
    [2, 2],
  );
});
