/** The page's side: listeners, iterators, figures. */

import assert from "node:assert/strict";
import test from "node:test";

import { Emitter } from "../../static/client/emitter.js";
import { range, World } from "./support/world.js";

test("on, once, off, *, and the way to undo that on returns", async () => {
  const world = new World();
  const { stream } = world.open();
  const heard = [];
  const off = stream.on("log", ({ id }) => heard.push(`log ${id}`));
  stream.once("log", ({ id }) => heard.push(`once ${id}`));
  const star = ({ id }) => heard.push(`* ${id}`);
  stream.on("*", star);
  await world.clock.advance(50);
  world.log.publish("a", "log");
  off();
  stream.off("*", star);
  world.log.publish("a", "log");
  assert.deepEqual(heard, ["log aaa-1", "once aaa-1", "* aaa-1"]);
});

test("a listener that throws stops neither the others nor the stream", () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const emitter = new Emitter();
    const heard = [];
    emitter.on("x", () => {
      throw new Error("mine");
    });
    emitter.on("x", (detail) => heard.push(detail));
    emitter.emit("x", 1);
    assert.deepEqual(heard, [1]);
    assert.deepEqual(reported, ["mine"]);
  } finally {
    delete globalThis.reportError;
  }
});

test("a listener may close the stream: nothing follows", async () => {
  const world = new World();
  for (const transport of ["websocket", "sse", "poll"]) {
    world.log.many(5);
    const tab = world.open({ transports: [transport], after: "earliest" });
    tab.stream.once("log", () => tab.stream.close());
    await world.clock.advance(100);
    assert.equal(tab.events.length, 1, transport);
    assert.equal(tab.stream.state, "closed");
  }
});

test("an async iterator takes events and gaps in order and ends with the stream", async () => {
  const world = new World();
  world.log.many(20);
  world.log.trim(3);
  const { stream } = world.open({ after: "aaa-1" });
  const taken = [];
  const reading = (async () => {
    for await (const message of stream) taken.push(message.type);
    return "end";
  })();
  await world.clock.advance(50);
  stream.close();
  assert.equal(await reading, "end");
  assert.deepEqual(taken, ["gap", "log", "log", "log"]);
});

test("leaving the loop lets go of the queue", async () => {
  const world = new World();
  const { stream } = world.open({ after: "earliest", iteratorLimit: 5 });
  world.log.many(3);
  const reading = (async () => {
    for await (const { id } of stream) if (id === "aaa-2") return id;
    return null;
  })();
  await world.clock.advance(50);
  assert.equal(await reading, "aaa-2");
  world.log.many(50);
  await world.clock.advance(50);
  assert.equal(stream.state, "live");
});

test("an iterator that falls behind hands out what it has, then says where to go on", async () => {
  const world = new World();
  const tab = world.open({ iteratorLimit: 10 });
  const iterator = tab.stream[Symbol.asyncIterator]();
  await tab.live();
  world.log.many(11);
  for (const offset of range(1, 10)) assert.equal((await iterator.next()).value.id, `aaa-${offset}`);
  await assert.rejects(iterator.next(), { name: "OverrunError", cursor: "aaa-10" });
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  assert.equal(tab.events.length, 11, "listeners are not concerned");
});

test("exactly at its bound an iterator is fine", async () => {
  const world = new World();
  const tab = world.open({ iteratorLimit: 10 });
  const iterator = tab.stream[Symbol.asyncIterator]();
  await tab.live();
  world.log.many(10);
  for (const offset of range(1, 10)) assert.equal((await iterator.next()).value.id, `aaa-${offset}`);
  tab.stream.close();
  assert.equal((await iterator.next()).done, true);
});

test("the figures: received, replayed, latency, switches, reconnects", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  assert.equal(tab.stream.stats.latency, null);
  const late = world.log.publish("a");
  assert.equal(late.id, "aaa-1");
  await world.clock.advance(10);
  tab.stream.drop();
  world.log.many(4);
  world.network.up();
  await tab.live();
  const { received, replayed, reconnects, switches, latency } = tab.stream.stats;
  assert.deepEqual(
    { received, replayed, reconnects, switches },
    { received: 5, replayed: 4, reconnects: 1, switches: 1 },
  );
  assert.equal(latency, 0);
  assert.throws(() => {
    tab.stream.stats = null;
  });
});

test("every frame is shown under :frame with its transport, control frames too", async () => {
  const world = new World();
  const frames = [];
  const tab = world.open();
  tab.stream.on(":frame", ({ frame, transport }) => frames.push(`${transport} ${frame.type}`));
  await tab.live();
  world.log.publish("a");
  await world.clock.advance(20_100);
  assert.deepEqual(
    frames,
    ["connection", "caught_up", "log", "heartbeat"].map((type) => `websocket ${type}`),
  );
});

test("states are told once each, with the one before", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  tab.stream.drop();
  await tab.live();
  tab.stream.close();
  assert.deepEqual(
    tab.noticed(":state").map(({ previous, state }) => `${previous}>${state}`),
    [
      "connecting>replaying",
      "replaying>live",
      "live>reconnecting",
      "reconnecting>replaying",
      "replaying>live",
      "live>closed",
    ],
  );
  assert.deepEqual(
    tab.noticed(":transport").map(({ transport }) => transport),
    ["websocket", null, "websocket", null],
  );
});

test("everything may be called right after connect, and after close it says that it is closed", async () => {
  for (const make of ["open", "tab"]) {
    const world = new World();
    const { stream } = world[make]({ topics: "a" });
    const published = stream.publish({ topic: "a", type: "log" });
    const subscribed = stream.subscribe("b");
    const taken = stream.unsubscribe("c");
    const read = stream.history();
    for (const act of ["reconnect", "drop"]) stream[act]();
    await world.clock.until(() => stream.state === "live");
    await world.clock.advance(2_000);
    assert.deepEqual(await published, { id: "aaa-1" }, make);
    await Promise.all([subscribed, taken, read]);
    assert.deepEqual(stream.topics, ["a", "b"]);
    stream.close();
    const closed = { name: "TwinwireError", message: "the stream is closed" };
    await assert.rejects(stream.publish({ topic: "a", type: "log" }), closed);
    await assert.rejects(stream.send({ op: "ping" }), closed);
    await assert.rejects(stream.subscribe("c"), closed);
    await assert.rejects(stream.unsubscribe("a"), closed);
    await assert.rejects(stream.ready(), closed);
    for (const act of ["reconnect", "drop", "close"]) stream[act]();
    assert.equal(world.log.events.length, 1);
  }
});

test("nothing at the address, three times: the page's developer is told once", async () => {
  const world = new World();
  const told = [];
  const warn = (text) => told.push(text);
  const fetch = async () => new Response("not here", { status: 404 });
  world.open({ transports: ["sse"], fetch, warn });
  await world.clock.advance(60_000);
  assert.equal(told.length, 1);
  assert.match(told[0], /http:\/\/live\.test\/tw\/.*baseUrl/);
  told.length = 0;
  const there = world.open({ transports: ["sse"], warn });
  await there.live();
  world.network.set({ sse: 404 });
  world.network.cut();
  await world.clock.advance(60_000);
  assert.deepEqual(told, [], "it was there");
});
