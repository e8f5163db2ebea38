/** A leader that hangs: who takes its place, and when. */

import assert from "node:assert/strict";
import test from "node:test";

import { roles, World } from "../support/world.js";

test("a leader that hangs is replaced: its lock is taken, and it becomes a follower when it wakes", async () => {
  const world = new World();
  const [leader, follower] = await world.tabs(2);
  world.channels.passes = () => false;
  await world.clock.advance(10_000);
  assert.equal(follower.stream.role, "leader");
  world.channels.passes = () => true;
  await world.clock.advance(21_000);
  assert.equal(leader.stream.role, "follower");
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.deepEqual(leader.offsets, [1, 2, 3]);
  assert.deepEqual(follower.offsets, [1, 2, 3]);
  assert.equal(world.log.subscribers, 1);
});

test("of many who doubt a leader in the same moment one takes its place", async () => {
  const world = new World();
  const [, ...followers] = await world.tabs(10);
  let hung;
  world.channels.passes = ({ kind, tab }) => {
    if (kind === "hello") hung ??= tab;
    return tab !== hung;
  };
  await world.clock.advance(10_000);
  const led = followers.flatMap((tab) => tab.noticed(":role").filter(({ role }) => role === "leader"));
  assert.equal(led.length, 1);
  assert.deepEqual(roles(followers).sort(), [...Array(8).fill("follower"), "leader"]);
});

test("nor does it take that they hear of him who was quicker: the browser says who leads", async () => {
  const world = new World();
  const [, ...followers] = await world.tabs(10);
  world.channels.passes = () => false;
  const led = () => followers.flatMap((tab) => tab.noticed(":role").filter(({ role }) => role === "leader"));
  while (led().length === 0) await world.clock.advance(100);
  await world.clock.advance(900); // in which each of the others has asked
  assert.equal(led().length, 1);
});

test("a leader that lives keeps its place, however long the server takes to give it a topic", async () => {
  const world = new World();
  const [leader] = await world.tabs(1);
  world.network.down();
  await world.clock.advance(100);
  world.tab({ topics: "b" });
  await world.clock.advance(30_000);
  assert.equal(leader.stream.role, "leader");
});
