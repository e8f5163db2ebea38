/** Publishing and client messages: over the WebSocket or with POST, retried, never twice. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

const draft = { topic: "a", type: "note", data: { n: 1 } };

test("over the WebSocket where there is one", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  assert.deepEqual(await tab.stream.publish(draft), { id: "aaa-1" });
  assert.equal(world.network.posts.length, 0);
  assert.deepEqual(tab.events[0].data, { n: 1 });
});

test("with POST where there is none, one or many", async () => {
  const world = new World();
  const tab = world.open({ transports: ["sse"] });
  await tab.live();
  const one = tab.stream.publish(draft);
  await world.clock.advance(10);
  assert.deepEqual(await one, { id: "aaa-1" });
  const many = tab.stream.publish([draft, draft]);
  await world.clock.advance(10);
  assert.deepEqual(await many, { ids: ["aaa-2", "aaa-3"] });
});

for (const transport of ["websocket", "sse"]) {
  test(`${transport}: all of a draft goes out, and nothing that it has not`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    const full = { ...draft, key: "k", subject: "s", append: true, final: true };
    for (const drafts of [full, draft, [full, draft]]) {
      const pending = tab.stream.publish(drafts);
      await world.clock.advance(10);
      await pending;
    }
    const socket = world.network.connections("websocket")[0]?.sent ?? [];
    const sent = [...socket.filter(({ op }) => op === "publish"), ...world.network.posts].flat();
    assert.equal(sent.length, 4);
    for (const { op: _op, ref: _ref, key, ...rest } of sent) {
      assert.equal(typeof key, "string");
      if (key === "k") assert.deepEqual({ ...rest, key }, full);
      else assert.deepEqual(rest, draft);
    }
    assert.equal(sent.filter(({ key }) => key === "k").length, 2);
  });
}

test("the id of a publish reply does not move the cursor over events that are still to come", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  const held = [];
  world.network.filter = (frame) => (frame.topic ? (held.push(frame), null) : frame);
  world.log.publish("a");
  await tab.stream.publish(draft);
  assert.equal(tab.stream.cursor, "aaa-0");
  world.network.filter = (frame) => frame;
  for (const frame of held) world.network.connections("websocket")[0].frame(frame);
  assert.deepEqual(tab.offsets, [1, 2]);
});

test("a reply that is lost with the connection: tried again with the same key, published once", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.set({ websocket: "mute" });
  const [socket] = world.network.connections("websocket");
  const pending = tab.stream.publish(draft);
  const { topic, type, data, key } = socket.sent.at(-1);
  world.log.publish(topic, type, data, key); // the server has committed it
  world.network.cut();
  await world.clock.advance(100);
  assert.deepEqual(await pending, { id: "aaa-1" });
  assert.equal(world.log.head, 1);
});

test("a server that is down is tried until publishTimeout; then the page is told", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.down();
  const pending = tab.stream.publish(draft);
  await world.clock.advance(5_000);
  world.network.up();
  await world.clock.advance(20_000);
  assert.equal((await pending).id, "aaa-1");
  world.network.down();
  const hopeless = assert.rejects(tab.stream.publish(draft), { name: "TwinwireError", status: 0 });
  await world.clock.advance(31_000);
  await hopeless;
});

test("an error that a retry can't change is told at once; 503 waits for Retry-After", async () => {
  const world = new World();
  const tab = world.open({ transports: ["sse"] });
  await tab.live();
  world.network.set({ post: 422 });
  const refused = assert.rejects(tab.stream.publish(draft), { status: 422, message: "No: 422" });
  await world.clock.advance(10);
  await refused;
  world.network.set({ post: 503 });
  world.network.retryAfter = 4;
  const pending = tab.stream.publish(draft);
  await world.clock.advance(100);
  world.network.up();
  const before = world.network.tried("post").length;
  await world.clock.advance(3_800);
  assert.equal(world.network.tried("post").length, before);
  await world.clock.advance(300);
  assert.equal((await pending).id, "aaa-1");
});

test("a draft too large for a WebSocket message goes with POST, so that a 413 does not cost the connection", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  for (const data of ["x".repeat(70_000), "€".repeat(30_000)]) {
    const pending = tab.stream.publish({ ...draft, data });
    await world.clock.advance(10);
    await pending;
  }
  assert.equal(world.network.posts.length, 2);
});

test("401 while publishing asks for a fresh token once", async () => {
  const world = new World();
  world.network.set({ post: 401 });
  const getToken = () => {
    world.network.set({ post: "ok" });
    return "new";
  };
  const tab = world.open({ transports: ["sse"], token: "old", getToken });
  await tab.live();
  const pending = tab.stream.publish(draft);
  await world.clock.advance(20);
  await pending;
  assert.equal(world.network.tried("post").at(-1).headers.Authorization, "Bearer new");
});

test("send: ping, a draft, an unknown op, and no WebSocket", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  assert.equal((await tab.stream.send({ op: "ping" })).type, "pong");
  assert.equal((await tab.stream.send({ type: "ping" })).type, "pong");
  assert.deepEqual(await tab.stream.send(draft), { id: "aaa-1" });
  await assert.rejects(tab.stream.send({ op: "dance" }), { status: 422 });
  tab.stream.drop();
  await assert.rejects(tab.stream.send({ op: "ping" }), { name: "TwinwireError", status: 0 });
});

test("a message without a reply is given up after 10 s", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.network.set({ websocket: "mute" });
  const late = assert.rejects(tab.stream.send({ op: "ping" }), /no reply/);
  await world.clock.advance(10_100);
  await late;
});

test("history reads pages through the same base and token", async () => {
  const world = new World();
  world.log.many(5);
  const tab = world.open({ token: "t" });
  const pending = tab.stream.history({ after: "aaa-2", limit: 2, order: "asc" });
  await world.clock.advance(10);
  const page = await pending;
  assert.deepEqual(
    page.events.map(({ id }) => id),
    ["aaa-3", "aaa-4"],
  );
  assert.equal(page.more, true);
  const { url, headers } = world.network.tried("poll")[0];
  assert.equal(url.pathname, "/tw/api/events");
  assert.equal(url.searchParams.get("wait"), "0");
  assert.equal(headers.Authorization, "Bearer t");
});
