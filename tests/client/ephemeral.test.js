/** Events that are not kept. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

const typing = { topic: "a", type: "typing", data: { by: "bob" } };

for (const transport of ["websocket", "sse", "eventsource", "poll"]) {
  test(`${transport}: they come while somebody hears them, and pass by whatever keeps a cursor`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    const heard = [];
    const others = [];
    const off = tab.stream.hear("typing", ({ data, id }) => heard.push([data.by, id]));
    tab.stream.hear("*", ({ type }) => others.push(type));
    tab.stream.on("typing", () => heard.push("an event"));
    await tab.live();
    await world.clock.advance(100);
    const { cursor } = tab.stream;
    world.network.ephemeral(typing, "bob");
    await world.clock.advance(50);
    world.network.ephemeral({ ...typing, topic: "elsewhere" });
    world.network.ephemeral({ ...typing, type: "cursor" });
    await world.clock.advance(50);
    off();
    off();
    world.network.ephemeral(typing);
    await world.clock.advance(50);
    assert.deepEqual([heard, tab.stream.cursor], [[["bob", undefined]], cursor]);
    assert.deepEqual([others.slice(0, 2), tab.events], [["typing", "cursor"], []]);
  });
}

test("one that is heard later is asked for then, and not any more when nobody does", async () => {
  for (const [transport, topics] of [
    ["websocket", "a"],
    ["websocket", undefined],
    ["sse", "a"],
  ]) {
    const world = new World();
    const tab = world.open({ transports: [transport], topics });
    await tab.live();
    world.network.ephemeral(typing);
    const heard = [];
    const off = tab.stream.hear("*", ({ data }) => heard.push(data.by));
    await world.clock.advance(3_000);
    world.network.ephemeral(typing);
    await world.clock.advance(50);
    assert.deepEqual(heard, ["bob"], `${transport} ${topics}`);
    off();
    await world.clock.advance(3_000);
    if (topics && transport === "websocket")
      assert.equal(world.network.connections(transport)[0].hears, false);
    await tab.live();
  }
});

test("a handle hears its own topic, until it is closed", async () => {
  const world = new World();
  const tab = world.open({ topics: ["a", "b"] });
  const handle = tab.stream.topic("a");
  const heard = [];
  handle.hear("*", ({ topic }) => heard.push(topic));
  const off = handle.hear("typing", ({ type }) => heard.push(type));
  await tab.live();
  await world.clock.advance(100);
  world.network.ephemeral({ ...typing, topic: "b" });
  world.network.ephemeral(typing);
  off();
  world.network.ephemeral(typing);
  handle.close();
  world.network.ephemeral(typing);
  assert.deepEqual(heard, ["typing", "a", "a"]);
  assert.throws(() => handle.hear("typing"), TypeError);
});

test("it is sent once: over the WebSocket, with POST where there is none, and not at all without a connection", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket", "sse"] });
  await assert.rejects(tab.stream.ephemeral("a", "typing", 1), { status: 0 });
  await tab.live();
  const [socket] = world.network.connections("websocket");
  await tab.stream.ephemeral("a", "typing", { x: 1 }, { key: "k", ttl: 2, echo: true });
  const { ref: _, ...sent } = socket.sent.at(-1);
  assert.deepEqual(sent, {
    ...{ op: "publish", topic: "a", type: "typing", data: { x: 1 }, key: "k", ttl: 2 },
    ...{ ephemeral: true, echo: true },
  });
  const said = { op: "publish", ...{ topic: "a", type: "typing", data: 2, ephemeral: true } };
  assert.deepEqual(await tab.stream.send(said), {}, "and no event is published");
  assert.equal(socket.sent.at(-1).ephemeral, true);
  world.network.set({ websocket: "refuse" });
  world.network.cut();
  await world.clock.until(() => tab.stream.transport === "sse");
  const posted = tab.stream.topic("a").ephemeral("typing", null, { key: "k", echo: true });
  await world.clock.advance(50);
  await posted;
  assert.deepEqual(world.network.posts, [{ topic: "a", type: "typing", data: null, key: "k" }]);
  await assert.rejects(tab.stream.ephemeral("a/*", "typing", 1), { status: 422 });
  world.network.set({ ephemeral: 413 });
  const refused = tab.stream.ephemeral("a", "typing", "x");
  const isRefused = assert.rejects(refused, { status: 413 });
  await world.clock.advance(50);
  await isRefused;
});
