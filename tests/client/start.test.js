/**
 * The start: what counts as connected, the hedge, timers of our own, and every transport with the same
 * cursor.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { range, World } from "./support/world.js";

for (const transport of ["websocket", "sse", "poll", "eventsource"]) {
  test(`${transport}: replays from the cursor, then live, in order`, async () => {
    const world = new World();
    world.log.many(30);
    const tab = world.open({ transports: [transport], after: "aaa-10" });
    await tab.live();
    world.log.many(5);
    await world.clock.advance(100);
    assert.deepEqual(tab.offsets, range(11, 35));
    assert.equal(tab.stream.transport, transport);
    assert.equal(tab.stream.cursor, "aaa-35");
    assert.equal(tab.stream.stats.replayed, 20);
    tab.stream.close();
    await world.clock.advance(10);
    assert.equal(world.clock.pending, 0, "nothing is left running");
  });

  test(`${transport}: without a cursor it starts from now; with earliest, from the first`, async () => {
    const world = new World();
    world.log.many(3);
    const now = world.open({ transports: [transport] });
    const all = world.open({ transports: [transport], after: "earliest" });
    await now.live();
    await all.live();
    assert.equal(now.stream.cursor, "aaa-3");
    world.log.many(2);
    await world.clock.advance(100);
    assert.deepEqual(now.offsets, [4, 5]);
    assert.deepEqual(all.offsets, range(1, 5));
  });

  test(`${transport}: a log without events gives a cursor too, and a reconnect from it misses nothing`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    assert.equal(tab.stream.cursor, "aaa-0");
    world.network.cut();
    world.log.many(4);
    await world.clock.advance(2_000);
    await tab.live();
    assert.deepEqual(tab.offsets, range(1, 4));
  });
}

test("poll reads a long backlog page by page", async () => {
  const world = new World();
  world.log.many(1_234);
  const tab = world.open({ transports: ["poll"], after: "earliest" });
  await tab.live();
  assert.deepEqual(tab.offsets, range(1, 1_234));
});

test("the URL keeps the path prefix, and ws: follows http:, wss: https:", async () => {
  const world = new World();
  const seen = (baseUrl) => {
    world.open({ baseUrl, topics: ["a", "b/*"], after: "aaa-0" });
    return world.clock.advance(1).then(() => String(world.network.attempts.at(-1).url));
  };
  assert.equal(await seen("http://h/p/q"), "ws://h/p/q/api/ws?topic=a&topic=b%2F*&after=aaa-0");
  assert.equal(await seen("https://h/"), "wss://h/api/ws?topic=a&topic=b%2F*&after=aaa-0");
  assert.equal(await seen("wss://h:1/p/?x=1#y"), "wss://h:1/p/api/ws?topic=a&topic=b%2F*&after=aaa-0");
});

test("opened is not connected: frames are swallowed, and SSE joins after 2 s", async () => {
  const world = new World();
  world.network.set({ websocket: "swallow" });
  const tab = world.open();
  await world.clock.advance(1_990);
  assert.equal(tab.stream.state, "connecting");
  assert.equal(world.network.tried("sse").length, 0);
  const more = await tab.live();
  assert.ok(more < 100, `${more} ms`);
  assert.equal(tab.stream.transport, "sse");
});

test("a handshake in a black hole ends by our timer after 4 s, not the browser's after 240", async () => {
  const world = new World();
  world.network.set({ websocket: "blackhole" });
  const tab = world.open({ transports: ["websocket"] });
  await world.clock.advance(3_990);
  assert.deepEqual(tab.faults(), []);
  await world.clock.advance(20);
  assert.deepEqual(tab.faults(), ["timeout"]);
});

test("a handshake that is refused does not wait for the hedge", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  const tab = world.open();
  assert.ok((await tab.live()) < 100);
  assert.equal(tab.stream.transport, "sse");
});

test("WebSocket and SSE both useless: long polling carries the stream", async () => {
  const world = new World();
  world.network.set({ websocket: "blackhole", sse: "swallow" });
  const tab = world.open();
  assert.ok((await tab.live()) < 4_200);
  assert.equal(tab.stream.transport, "poll");
});

test("a captive portal (200 text/html) is a network fault, not a connection", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", sse: "html", poll: "html" });
  const tab = world.open();
  await world.clock.advance(100);
  assert.deepEqual(tab.faults(), ["network", "media", "media"]);
  assert.equal(tab.stream.state, "reconnecting");
  world.network.up();
  await tab.live();
});

test("fetch that can't stream: EventSource takes the place of SSE", async () => {
  const world = new World();
  const { ReadableStream } = globalThis;
  globalThis.ReadableStream = undefined;
  try {
    world.network.set({ websocket: "refuse" });
    const tab = world.open();
    await tab.live();
    assert.equal(tab.stream.transport, "eventsource");
    assert.equal(world.network.tried("eventsource")[0].url.searchParams.get("named"), "0");
    tab.stream.close();
  } finally {
    globalThis.ReadableStream = ReadableStream;
  }
});

test("a platform without any of the wanted transports is told so", () => {
  const world = new World();
  assert.throws(() => world.open({ WebSocket: null, transports: ["websocket"] }), { name: "TwinwireError" });
  assert.throws(() => world.open({ transports: ["carrier-pigeon"] }), { status: 422 });
});

test("a WebSocket that throws in its constructor (CSP) falls back", async () => {
  const world = new World();
  const Throwing = class {
    constructor() {
      throw new DOMException("blocked", "SecurityError");
    }
  };
  const tab = world.open({ WebSocket: Throwing });
  await tab.live();
  assert.equal(tab.stream.transport, "sse");
});

test("a first frame that is not ours, and text that is not JSON, are protocol faults", async () => {
  const world = new World();
  world.network.filter = (frame) => (frame.type === "connection" ? { type: "hello" } : frame);
  const tab = world.open({ transports: ["websocket"] });
  await world.clock.advance(100);
  assert.deepEqual(tab.faults(), ["protocol"]);
});

test("a refusal that the service explains (422) ends the stream; the same status from a proxy does not", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", sse: 422 });
  const tab = world.open();
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "closed");
  assert.equal(tab.noticed(":close")[0].error.status, 422);
  await assert.rejects(tab.stream.ready(), { status: 422 });

  world.network.problem = false;
  const other = world.open();
  await world.clock.advance(100);
  assert.equal(other.stream.transport, "poll");
});
