/** Demotion, the way back (make before break), and the memory of a fallback. */

import assert from "node:assert/strict";
import test from "node:test";

import { range, World } from "./support/world.js";
import { forbiddenStorage } from "./support/browser.js";

const MINUTE = 60_000;
const remembered = (world) => JSON.parse(world.memory.getItem("twinwire:transport:http://live.test/tw/"));

test("three WebSockets that die young demote it; nothing is lost or repeated meanwhile", async () => {
  const world = new World();
  world.network.set({ websocket: "kill" });
  const tab = world.open({ after: "aaa-0" });
  for (let n = 0; n < 200; n += 1) {
    world.log.publish("a");
    await world.clock.advance(50);
  }
  await world.clock.until(() => tab.events.length === 200);
  assert.deepEqual(tab.offsets, range(1, 200));
  assert.equal(tab.stream.transport, "sse");
  const opens = world.network.tried("websocket").filter(({ at }) => at < tab.noticed(":transport").at(-1).at);
  assert.equal(opens.length, 3);
});

test("a WebSocket that lived for 10 s is productive: its end demotes nothing", async () => {
  const world = new World();
  const tab = world.open();
  for (let n = 0; n < 6; n += 1) {
    await tab.live();
    await world.clock.advance(10_100);
    world.network.cut();
    await world.clock.advance(1);
  }
  await tab.live();
  assert.equal(tab.stream.transport, "websocket");
});

test("silence for 2.5 heartbeats is a stall: it demotes at once", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.filter = (frame, transport) => (transport === "websocket" ? null : frame);
  await world.clock.advance(49_900);
  assert.deepEqual(tab.faults(), []);
  await world.clock.advance(200);
  assert.deepEqual(tab.faults(), ["stalled"]);
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.equal(tab.stream.transport, "sse");
  assert.deepEqual(tab.offsets, [1, 2, 3]);
});

test("a stall is judged only while the tab is visible; as it is shown, what was silent for so long is replaced", async () => {
  const world = new World();
  const tab = world.open({ transports: ["sse", "poll"] });
  await tab.live();
  tab.page.hide();
  world.network.filter = () => null;
  await world.clock.advance(10 * MINUTE);
  assert.deepEqual(tab.faults(), []);
  world.network.filter = (frame) => frame;
  tab.page.show();
  assert.deepEqual(tab.faults(), ["suspended"]);
  await world.clock.advance(100);
  assert.deepEqual([tab.stream.state, tab.stream.transport], ["live", "sse"]);
});

test("a machine whose timers stood still while it slept finds out within 5 s", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.filter = (frame) => (world.network.attempts.length > 1 ? frame : null); // the path forgot it
  world.clock.suspend(MINUTE * 60);
  world.log.publish("a");
  await world.clock.advance(5_100);
  assert.deepEqual(tab.faults(), ["suspended"]);
  assert.equal(tab.stream.transport, "websocket");
  assert.deepEqual(tab.offsets, [1]);
});

test("a calendar that is set back does not hide a dead connection", async () => {
  const world = new World();
  let set = 0;
  const tab = world.open({ now: () => world.clock.time + set, monotonic: world.clock.now });
  await tab.live();
  world.network.filter = (frame, transport) => (transport === "websocket" ? null : frame);
  set = -60 * MINUTE;
  await world.clock.advance(49_900);
  assert.deepEqual(tab.faults(), []);
  await world.clock.advance(200);
  assert.deepEqual(tab.faults(), ["stalled"]);
});

test("a calendar that is set ahead looks like a sleep: no transport is blamed", async () => {
  const world = new World();
  let set = 0;
  const tab = world.open({ now: () => world.clock.time + set, monotonic: world.clock.now });
  await tab.live();
  set = 60 * MINUTE;
  await world.clock.advance(10_000);
  assert.deepEqual(tab.faults(), ["suspended"]);
  assert.deepEqual([tab.stream.state, tab.stream.transport], ["live", "websocket"]);
});

test("a machine that slept reconnects at once, and blames no transport", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.filter = () => null; // what the server sent meanwhile is lost
  await world.clock.sleep(MINUTE * 60);
  world.network.filter = (frame) => frame;
  await world.clock.advance(100);
  assert.deepEqual(tab.faults(), ["suspended"]);
  assert.equal(tab.stream.state, "live");
  assert.equal(tab.stream.transport, "websocket");
});

test("the way back: WebSocket is tried beside SSE and takes over only when it has proved itself", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  world.network.set({ websocket: "ok" });
  await world.clock.advance(3_100);
  assert.equal(world.network.count("websocket"), 1);
  assert.equal(tab.stream.transport, "sse", "not yet proved");
  world.log.many(5);
  await world.clock.advance(2_100);
  assert.equal(tab.stream.transport, "websocket");
  assert.equal(world.network.count("sse"), 0);
  assert.deepEqual(tab.offsets, range(1, 5));
  assert.equal(tab.stream.stats.overlap, 5, "both brought them, each was delivered once");
  assert.deepEqual(
    tab.noticed(":state").map(({ state }) => state),
    ["replaying", "live"],
    "no break",
  );
});

test("the way back without any event takes 10 s of life", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  world.network.set({ websocket: "ok" });
  await world.clock.advance(12_000);
  assert.equal(tab.stream.transport, "sse");
  await world.clock.advance(2_000);
  assert.equal(tab.stream.transport, "websocket");
});

test("a probe that dies in the attempt costs nothing, and is made less and less often", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  const start = world.clock.now();
  for (let n = 0; n < 30; n += 1) {
    world.log.publish("a");
    await world.clock.advance(20_000);
  }
  assert.deepEqual(tab.offsets, range(1, 30));
  const probes = tab
    .noticed(":attempt")
    .filter(({ probe }) => probe)
    .map(({ at }) => Math.round((at - start) / 1_000));
  assert.deepEqual(probes, [3, 18, 48, 108, 228, 468]);
});

test("a probe that opens and is killed after 300 ms never takes over", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  world.network.set({ websocket: "kill" });
  for (let n = 0; n < 400; n += 1) {
    world.log.publish("a");
    await world.clock.advance(100);
  }
  assert.equal(tab.stream.transport, "sse");
  assert.deepEqual(tab.offsets, range(1, 400));
  assert.ok(world.network.tried("websocket").length >= 3);
});

test("if the working connection ends, a connected probe takes its place without a break", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  world.network.set({ websocket: "ok" });
  await world.clock.advance(3_100);
  tab.stream.drop();
  assert.equal(tab.stream.transport, "websocket");
  world.log.many(3);
  await world.clock.advance(100);
  assert.deepEqual(tab.offsets, [1, 2, 3]);
  assert.equal(tab.noticed(":state").at(-1).state, "live");
});

test("a slow WebSocket that loses the start goes on as the probe, if it asked for a cursor", async () => {
  const world = new World();
  world.network.set({ websocket: "swallow" });
  const tab = world.open({ after: "aaa-0" });
  await tab.live();
  assert.equal(tab.stream.transport, "sse");
  assert.equal(world.network.count("websocket"), 1, "still waiting for its connection frame");
});

test("one that asked for `latest` is let go: it would start after events that SSE has yet to bring", async () => {
  const world = new World();
  world.network.set({ websocket: "swallow" });
  const tab = world.open();
  await tab.live();
  assert.equal(world.network.count("websocket"), 0);
});

test("a fallback is remembered when WebSocket failed twice while SSE worked, for 30 minutes", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await tab.live();
  assert.equal(remembered(world), null, "once may be a coincidence");
  await world.clock.advance(3_100);
  assert.deepEqual(remembered(world), { transport: "sse", until: world.clock.now() + 30 * MINUTE - 95 });
  tab.stream.close();

  const next = world.open();
  await next.live();
  assert.equal(world.network.attempts.at(-1).transport, "sse");
  assert.equal(next.noticed(":attempt")[0].transport, "sse", "the next page starts with it");
  next.stream.close();

  await world.clock.advance(31 * MINUTE);
  const later = world.open();
  await later.live();
  assert.equal(later.noticed(":attempt")[0].transport, "websocket");
});

test("a WebSocket that works again clears the memory", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  await world.clock.advance(4_000);
  assert.equal(remembered(world).transport, "sse");
  world.network.set({ websocket: "ok" });
  await world.clock.advance(40_000);
  assert.equal(tab.stream.transport, "websocket");
  assert.equal(remembered(world), null);
});

test("the server is stopped for 5 s: nothing is remembered, and WebSocket is back", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.down();
  await world.clock.advance(5_000);
  world.network.up();
  await tab.live(30_000);
  assert.equal(tab.stream.transport, "websocket");
  assert.equal(remembered(world), null);
});

test("five offline and online cycles end on WebSocket", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  for (let n = 0; n < 5; n += 1) {
    tab.page.offline();
    world.network.down();
    await world.clock.advance(3_000);
    assert.equal(tab.stream.state, "offline");
    world.network.up();
    tab.page.online();
    await tab.live(100);
    world.log.publish("a");
    await world.clock.advance(500);
  }
  assert.equal(tab.stream.transport, "websocket");
  assert.equal(remembered(world), null);
  assert.deepEqual(tab.offsets, range(1, 5));
});

test("a storage that throws, or holds nonsense, is as good as none", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open({ memory: forbiddenStorage, storage: forbiddenStorage, cursorKey: "here" });
  await tab.live();
  await world.clock.advance(60_000);
  assert.equal(tab.stream.state, "live");
  for (const text of [
    "{",
    "null",
    "7",
    '{"transport":"sse","until":1e300}',
    '{"transport":"x","until":9e12}',
  ]) {
    world.memory.setItem("twinwire:transport:http://live.test/tw/", text);
    const next = world.open();
    assert.equal((await world.clock.advance(1), next.noticed(":attempt")[0].transport), "websocket", text);
    next.stream.close();
  }
});

test("a path that cuts idle WebSockets after 5 s teaches the client to ping", async () => {
  // Two cuts after the same silence are a pattern; one is an accident.
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  for (let n = 0; n < 2; n += 1) {
    await tab.live();
    await world.clock.advance(5_000);
    world.network.cut();
    await world.clock.advance(1);
  }
  await tab.live();
  const [socket] = world.network.connections("websocket");
  await world.clock.advance(30_500);
  const pings = socket.sent.filter(({ op }) => op === "ping").length;
  assert.equal(pings, 10, "every 3 s: no idle timer of 5 s ever fires");
});

test("a path that cuts idle polls teaches the client to wait less", async () => {
  const world = new World();
  const tab = world.open({ transports: ["poll"] });
  const waits = () => world.network.tried("poll").map(({ url }) => Number(url.searchParams.get("wait")));
  await tab.live();
  await world.clock.advance(5_000);
  world.network.cut();
  await world.clock.advance(5_000);
  assert.equal(waits().at(-1), 2);
  world.log.many(2);
  await world.clock.advance(3_000);
  assert.deepEqual(tab.offsets, [1, 2]);
});
