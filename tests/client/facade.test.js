/** The façade: one shared connection, the functions that page authors know. */

import assert from "node:assert/strict";
import test from "node:test";

import * as twinwire from "../../static/client/index.js";
import { World } from "./support/world.js";

function facade(world) {
  return twinwire.createFacade(world.platform());
}

test("connect(projectId, onMessage, onError, onConnectionChange) watches one project", async () => {
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

test("send publishes on the project's topic, or passes a client message on", async () => {
  const world = new World();
  const live = facade(world);
  await assert.rejects(live.send({ type: "note" }), /connect/);
  live.connect("42");
  await world.clock.advance(50);
  assert.deepEqual(await live.send({ type: "note", data: 1 }), { id: "aaa-1" });
  assert.equal(world.log.events[0].topic, "projects/42");
  assert.equal((await live.send({ type: "ping" })).type, "pong");
});

test("the module's own functions are the shared façade, and connect tells its two forms apart", async () => {
  const world = new World();
  const stream = twinwire.connect("7", undefined, undefined, undefined, world.platform());
  assert.deepEqual(stream.topics, ["projects/7"]);
  await world.clock.advance(50);
  assert.equal(twinwire.isConnected(), true);
  const own = twinwire.connect({ ...world.platform(), topics: "x" });
  await world.clock.advance(50);
  assert.equal(world.log.subscribers, 2);
  twinwire.disconnect();
  assert.equal(twinwire.isConnected(), false);
  assert.equal(own.state, "live");
  own.close();
  assert.equal(typeof twinwire.default.connect, "function");
});
