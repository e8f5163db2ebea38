/** The façade: one connection and a handful of functions, for a page that watches one topic at a time. */

import assert from "node:assert/strict";
import test from "node:test";

import * as twinwire from "../../static/client/index.js";
import { World } from "./support/world.js";

function facade(world) {
  return twinwire.createFacade({ prefix: "projects/", ...world.platform() });
}

test("connect(name, onMessage, onError, onConnectionChange) watches one topic", async () => {
  const world = new World();
  const live = facade(world);
  const messages = [];
  const errors = [];
  const changes = [];
  live.connect(
    "42",
    (event) => messages.push(event.type),
    (fault) => errors.push(fault.kind),
    (on, state) => changes.push([on, state]),
  );
  assert.equal(live.isConnected(), false);
  await world.clock.advance(50);
  assert.equal(live.isConnected(), true);
  world.log.publish("projects/42", "status_update");
  world.log.publish("projects/43", "status_update");
  assert.deepEqual(messages, ["status_update"]);
  world.network.cut();
  await world.clock.advance(1_000);
  assert.deepEqual(errors, ["network"]);
  live.disconnect();
  assert.deepEqual(changes, [
    [true, "live"],
    [false, "reconnecting"],
    [true, "live"],
    [false, "closed"],
  ]);
  assert.equal(live.isConnected(), false);
});

test("on may come before connect and outlives it; off ends it", async () => {
  const world = new World();
  const live = facade(world);
  const heard = [];
  const listen = ({ topic }) => heard.push(topic);
  live.on("log", listen);
  live.connect(1);
  await world.clock.advance(50);
  world.log.publish("projects/1");
  live.connect(2);
  await world.clock.advance(50);
  assert.equal(world.log.subscribers, 1, "one connection");
  world.log.publish("projects/1");
  world.log.publish("projects/2");
  live.off("log", listen);
  world.log.publish("projects/2");
  assert.deepEqual(heard, ["projects/1", "projects/2"]);
});

test("send publishes on that topic, or passes a client message on", async () => {
  const world = new World();
  const live = facade(world);
  await assert.rejects(live.send({ type: "note" }), /connect/);
  live.connect("42");
  await world.clock.advance(50);
  assert.deepEqual(await live.send({ type: "note", data: 1 }), { id: "aaa-1" });
  assert.equal(world.log.events[0].topic, "projects/42");
  assert.equal((await live.send({ type: "ping" })).type, "pong");
});

test("the prefix is the page's; what it makes must be one topic, or the stream before goes on", async () => {
  const world = new World();
  const live = twinwire.createFacade(world.platform());
  const stream = live.connect("rooms/7");
  assert.deepEqual(stream.topics, ["rooms/7"]);
  for (const name of ["", "a//b", "rooms/*", "**", "a b"]) {
    assert.throws(() => live.connect(name), { name: "TwinwireError", status: 422 });
  }
  await world.clock.advance(50);
  assert.equal(live.isConnected(), true);
  live.disconnect();
});

test("two façades are two connections", async () => {
  const world = new World();
  const [one, other] = [facade(world), facade(world)];
  one.connect("7");
  other.connect("7");
  await world.clock.advance(50);
  assert.equal(world.log.subscribers, 2);
  one.disconnect();
  assert.deepEqual([one.isConnected(), other.isConnected()], [false, true]);
  other.disconnect();
});

test("connect with anything but options is an error that says how", () => {
  for (const mistake of ["a/b", 7, null]) {
    assert.throws(() => twinwire.connect(mistake), { name: "TypeError", message: /topics/ });
  }
});
