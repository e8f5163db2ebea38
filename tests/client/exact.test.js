/**
 * Never lost, never twice: duplicates, broken chains, gaps, stored cursors, changes of topics and of
 * transport.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { MemoryStorage } from "./support/browser.js";
import { range, World } from "./support/world.js";

test("what a server sends twice is delivered once, and counted", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  const [event] = world.log.many(1);
  const [socket] = world.network.connections("websocket");
  socket.frame(event);
  socket.frame(event);
  assert.deepEqual(tab.offsets, [1]);
  assert.equal(tab.stream.stats.duplicates, 2);
});

/** Frames of a later version, as docs/protocol.md, section 2, keeps room for them. */
const LATER = [
  { topic: "a", type: "typing", time: "2026-11-23T05:50:09.123Z", after: "aaa-1", data: {} },
  { topic: "a", type: "typing", id: null },
  { type: "ephemeral", event: { topic: "a", type: "typing" } },
  { type: "presence", topic: undefined, members: [] },
  { type: "auth", ref: "c1", expires: 60 },
  { type: "state_end", id: "aaa-9" },
];

for (const transport of ["websocket", "sse", "eventsource"]) {
  test(`${transport}: frames of a later version are ignored, and the cursor stays where it is`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    world.log.publish("a");
    await world.clock.advance(10);
    for (const frame of LATER) world.log.tell(frame);
    await world.clock.advance(10);
    assert.equal(tab.stream.cursor, "aaa-1");
    world.log.publish("a");
    await world.clock.advance(10);
    assert.deepEqual(tab.offsets, [1, 2]);
    assert.equal(tab.stream.cursor, "aaa-2");
    assert.deepEqual([tab.faults(), tab.noticed(":anomaly")], [[], []]);
  });
}

test("a frame of a later version answers no message, whatever its ref", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  const pong = tab.stream.send({ op: "ping" });
  const [socket] = world.network.connections("websocket");
  socket.frame({ type: "auth", ref: socket.sent[0].ref });
  assert.equal((await pong).type, "pong");
});

test("an event whose id is no cursor ends the connection, and is never delivered", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  await tab.live();
  world.log.tell({ topic: "a", type: "log", id: "what?", prev: null, data: 1 });
  assert.deepEqual(tab.faults(), ["protocol"]);
  assert.equal(tab.stream.cursor, "aaa-0");
  await tab.live();
  assert.deepEqual(tab.events, []);
});

for (const transport of ["websocket", "sse", "poll"]) {
  test(`${transport}: an event lost on the way is proved by prev, read again and reported`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    world.log.publish("a");
    await world.clock.advance(10);
    let losing = true;
    world.network.filter = (frame) => (losing && frame.id === "aaa-2" && frame.topic ? null : frame);
    world.log.publish("a");
    world.log.publish("a");
    losing = transport === "poll"; // a stream has lost it by now; a poll is answered a moment later
    await world.clock.advance(3);
    losing = false;
    await world.clock.advance(1_000);
    assert.deepEqual(tab.offsets, [1, 2, 3]);
    assert.deepEqual(
      tab.noticed(":anomaly").map(({ kind, repaired }) => [kind, repaired]),
      [
        ["prev", null],
        ["prev", true],
      ],
    );
    assert.equal(tab.stream.stats.anomalies, 1);
    assert.equal(tab.stream.state, "live");
  });
}

test("a loss that the re-read can't repair is reported, and does not stop the stream", async () => {
  const world = new World();
  world.network.filter = (frame) => (frame.topic && frame.id === "aaa-2" ? null : frame);
  const tab = world.open({ after: "aaa-0" });
  world.log.many(5);
  await world.clock.advance(2_000);
  assert.deepEqual(tab.offsets, [1, 3, 4, 5]);
  assert.deepEqual(
    tab.noticed(":anomaly").map(({ repaired }) => repaired),
    [null, false],
  );
});

test("with wildcards prev is per topic: an interleaved stream raises no alarm, through trims and reconnects", async () => {
  const world = new World();
  const tab = world.open({ topics: ["p/*"], after: "earliest" });
  const plan = [0, 1, 2, 0, 0, 2, 1, 1, 0, 2, 2, 1, 0];
  for (let round = 0; round < 10; round += 1) {
    for (const n of plan) world.log.publish(n === 2 ? "other" : `p/${n}`);
    await world.clock.advance(50);
    tab.stream.drop();
    for (const n of plan) world.log.publish(n === 2 ? "other" : `p/${n}`);
    await tab.live();
    world.log.trim(7);
  }
  assert.equal(tab.events.length, 180);
  assert.equal(new Set(tab.offsets).size, 180);
  assert.deepEqual(tab.noticed(":anomaly"), []);
  assert.deepEqual(tab.gaps, []);
});

for (const transport of ["websocket", "sse", "poll", "eventsource"]) {
  test(`${transport}: a trimmed cursor gives a gap, then what is kept, then live`, async () => {
    const world = new World();
    world.log.many(50);
    world.log.trim(10);
    const tab = world.open({ transports: [transport], after: "aaa-5" });
    await tab.live();
    world.log.many(2);
    await world.clock.advance(100);
    assert.deepEqual(
      tab.gaps.map(({ reason, floor }) => [reason, floor]),
      [["trimmed", "aaa-40"]],
    );
    assert.deepEqual(tab.offsets, range(41, 52));
    assert.deepEqual(tab.noticed(":anomaly"), []);
  });

  test(`${transport}: a replaced database gives a gap, and the new epoch is adopted`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    world.log.many(9);
    await world.clock.advance(50);
    world.log.replace("bbb");
    world.log.many(4);
    world.network.cut();
    await world.clock.advance(2_000);
    assert.deepEqual(
      tab.gaps.map(({ reason }) => reason),
      ["epoch"],
    );
    assert.deepEqual(tab.events.map(({ id }) => id).slice(9), ["bbb-1", "bbb-2", "bbb-3", "bbb-4"]);
    assert.equal(tab.stream.cursor, "bbb-4");
  });
}

test("a cursor from the future, and one that is none: a gap, then live", async () => {
  for (const [after, reason] of [
    ["aaa-99", "ahead"],
    ["nonsense!", "malformed"],
  ]) {
    const world = new World();
    world.log.many(3);
    const tab = world.open({ after });
    await tab.live();
    world.log.many(1);
    await world.clock.advance(50);
    assert.deepEqual(
      tab.gaps.map((gap) => gap.reason),
      [reason],
    );
    assert.deepEqual(tab.offsets, [4]);
  }
});

test("a connection that ends between its connection frame and the gap does not swallow the gap", async () => {
  const world = new World();
  world.log.many(20);
  world.log.trim(5);
  let cut = true;
  world.network.filter = (frame) => {
    if (!cut || frame.type !== "gap") return frame;
    cut = false;
    world.network.cut();
    return null;
  };
  const tab = world.open({ after: "aaa-3" });
  await tab.live(30_000);
  assert.equal(tab.gaps.length, 1);
  assert.deepEqual(tab.offsets, range(16, 20));
});

test("the same gap is told to the page once, though each reconnect repeats it", async () => {
  const world = new World();
  world.log.publish("quiet");
  world.log.many(30, "busy");
  world.log.trim(5);
  const gap = { type: "gap", reason: "trimmed", requested: "aaa-0", id: "aaa-2", floor: "aaa-26" };
  const tab = world.open({ topics: ["quiet", "busy"], after: "aaa-2" });
  await tab.live();
  world.network.connections("websocket")[0].frame({ ...gap, id: tab.stream.cursor });
  assert.equal(tab.gaps.length, 1);
});

test("heartbeats and caught_up move the cursor, so that a quiet stream resumes from where it really is", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.log.many(40, "other");
  await world.clock.advance(20_100);
  assert.equal(tab.stream.cursor, "aaa-40");
  world.log.trim(0);
  world.network.cut();
  await tab.live();
  assert.deepEqual(tab.gaps, []);
});

test("a reload resumes from sessionStorage; a crash in between loses at most what the store had not yet written", async () => {
  const world = new World();
  const storage = new MemoryStorage();
  const first = world.open({ storage, cursorKey: "feed" });
  await first.live();
  world.log.many(5);
  first.page.fire("pagehide");
  assert.equal(storage.getItem("feed"), "aaa-5");
  first.stream.close();
  world.log.many(5);
  const second = world.open({ storage, cursorKey: "feed", after: "earliest" });
  await second.live();
  assert.deepEqual(second.offsets, range(6, 10), "the stored cursor beats a keyword");
  second.stream.close();
  const third = world.open({ storage, cursorKey: "feed", after: "aaa-8" });
  await third.live();
  assert.deepEqual(third.offsets, [9, 10], "a snapshot's cursor beats the stored one");
});

test("the cursor is written soon, but not for every event", async () => {
  const world = new World();
  const storage = new MemoryStorage();
  let writes = 0;
  const counting = { ...wrap(storage), setItem: (...args) => ((writes += 1), storage.setItem(...args)) };
  const tab = world.open({ storage: counting, cursorKey: "feed" });
  await tab.live();
  await world.clock.advance(300);
  writes = 0;
  world.log.many(1_000);
  await world.clock.advance(300);
  assert.equal(writes, 1);
  assert.equal(storage.getItem("feed"), "aaa-1000");
});

function wrap(storage) {
  return { getItem: (key) => storage.getItem(key), removeItem: (key) => storage.removeItem(key) };
}

for (const transport of ["websocket", "sse", "poll"]) {
  test(`${transport}: subscribe adds topics from a position, unsubscribe takes them away, reconnects keep both`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    world.log.publish("b");
    const pending = tab.stream.subscribe("b");
    await world.clock.advance(50);
    const { id } = await pending;
    assert.ok(["aaa-0", "aaa-1"].includes(id), id);
    world.log.publish("b");
    world.log.publish("a");
    await world.clock.advance(50);
    assert.deepEqual(tab.offsets.slice(-2), [2, 3]);
    tab.stream.drop();
    world.log.publish("b");
    await tab.live();
    assert.equal(tab.offsets.at(-1), 4);
    await Promise.all([tab.stream.unsubscribe("a"), world.clock.advance(50)]);
    world.log.publish("a");
    world.log.publish("b");
    await world.clock.advance(50);
    assert.deepEqual(tab.offsets.slice(-2), [4, 6]);
    assert.deepEqual(tab.stream.topics, ["b"]);
    assert.deepEqual(tab.noticed(":anomaly"), []);
  });
}

test("a refused subscription is taken back, and the stream lives on", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  await tab.live();
  await assert.rejects(tab.stream.subscribe("forbidden"), { status: 403 });
  await assert.rejects(tab.stream.subscribe("not a topic"), { status: 422 });
  tab.stream.drop();
  await tab.live();
  assert.deepEqual(world.network.attempts.at(-1).url.searchParams.getAll("topic"), ["a"]);
});

test("a subscription whose reply is lost is made with the next connection", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  await tab.live();
  world.network.set({ websocket: "mute" });
  const pending = tab.stream.subscribe("b");
  await world.clock.advance(1);
  world.network.set({ websocket: "ok" });
  tab.stream.drop();
  world.log.publish("b");
  await world.clock.advance(2_000);
  assert.ok((await pending).id);
  assert.deepEqual(tab.offsets, [1]);
});

test("a stream without any topic asks for none, not for all", async () => {
  const world = new World();
  const tab = world.open({ transports: ["sse"] });
  await tab.live();
  await tab.stream.unsubscribe("a");
  tab.stream.drop();
  await tab.live();
  world.log.many(3, "a");
  world.log.many(3, "b");
  await world.clock.advance(50);
  assert.deepEqual(tab.events, []);
});

test("the storm: drops, dead transports and restarts at random; every event once, in order", async () => {
  for (const seed of [1, 2, 3, 4, 5]) await storm(seed);
});

async function storm(seed) {
  let state = seed * 7919;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const world = new World();
  const tab = world.open({ topics: ["p/**"], after: "earliest", random });
  const rules = {
    websocket: ["ok", "refuse", "blackhole", "swallow", "kill"],
    sse: ["ok", "refuse", "swallow", "html"],
    poll: ["ok", "ok", "refuse"],
  };
  const expected = [];
  for (let step = 0; step < 300; step += 1) {
    const topic = `p/${Math.floor(random() * 3)}`;
    expected.push(world.log.publish(topic).id);
    if (random() < 0.3) world.log.publish("elsewhere");
    if (random() < 0.1)
      for (const name of Object.keys(rules)) world.network.set({ [name]: pick(rules[name], random) });
    if (random() < 0.1) world.network.cut();
    if (random() < 0.05) tab.stream.drop();
    await world.clock.advance(random() * 400);
  }
  world.network.up();
  await world.clock.until(() => tab.events.length >= expected.length, 120_000);
  assert.deepEqual(
    tab.events.map(({ id }) => id),
    expected,
    `seed ${seed}`,
  );
  assert.deepEqual(tab.noticed(":anomaly"), [], `seed ${seed}`);
  tab.stream.close();
}

function pick(list, random) {
  return list[Math.floor(random() * list.length)];
}
