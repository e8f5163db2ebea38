/**
 * Browsers that have what tabs share by, and refuse it: blocked cookies, sandboxed frames. And what is refused to
 * one tab for good, which must cost the others nothing.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "../support/world.js";

test("where the means are there and do not work, a connection per tab: events come, and publishing works", async () => {
  const denied = () => new DOMException("denied", "SecurityError");
  const throwing = () => {
    throw denied();
  };
  class Refusing {
    constructor() {
      throw denied();
    }
  }
  class Mute {
    postMessage() {
      throw denied();
    }
    close() {}
  }
  const world = new World();
  const cases = [
    { locks: { request: () => Promise.reject(denied()) } }, // blocked cookies
    { locks: { request: throwing } },
    { BroadcastChannel: Refusing }, // a sandboxed frame
    { locks: { request: throwing }, BroadcastChannel: Refusing },
    { BroadcastChannel: Mute }, // it can be made, and takes nothing
  ];
  for (const [n, options] of cases.entries()) {
    const tab = world.tab(options);
    await tab.live();
    assert.equal(tab.stream.role, null);
    world.log.publish("a");
    await world.clock.advance(100);
    assert.deepEqual(tab.offsets, [n + 1]);
    tab.page.fire("pagehide");
    tab.page.fire("pageshow");
    await tab.live();
    tab.stream.close();
  }
  assert.equal(world.log.subscribers, 0);
});

test("a leader whose channel fails keeps its connection, and another tab leads", async () => {
  const world = new World();
  const [first, second] = [world.tab(), world.tab()];
  for (const tab of [first, second]) await tab.live();
  assert.deepEqual([first.stream.role, second.stream.role], ["leader", "follower"]);
  world.channels.fails = (tab) => tab === first.page;
  world.log.publish("a");
  await world.clock.advance(100);
  world.channels.fails = () => false;
  for (const tab of [first, second]) await tab.live();
  world.log.publish("a");
  await world.clock.advance(100);
  assert.deepEqual([first.stream.role, second.stream.role], [null, "leader"]);
  for (const tab of [first, second]) assert.deepEqual(tab.offsets, [1, 2]);
  assert.equal(world.log.subscribers, 2);
});

const LONG = Array.from({ length: 20 }, (_, n) => `long/${"x".repeat(30)}/${n}`);

test("a list of topics that is too long for the way ends its own tab, and no other", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  world.network.urlMax = 500;
  const tabs = [world.tab(), world.tab()];
  for (const tab of tabs) await tab.live();
  const long = world.tab({ topics: LONG });
  await world.clock.until(() => long.stream.state === "closed");
  assert.match(String(long.noticed(":close")[0].error), /414.*fewer or shorter topics/);
  for (const tab of tabs) await tab.live();
  world.log.publish("a");
  await world.clock.advance(100);
  assert.deepEqual(
    tabs.map(({ offsets }) => offsets),
    [[1], [1]],
  );
  assert.deepEqual(
    tabs.map(({ stream }) => stream.role),
    ["leader", "follower"],
  );
  assert.equal(world.log.subscribers, 1);
  assert.equal(
    tabs[0].noticed(":state").some(({ state }) => state === "closed"),
    false,
  );
});

test("a leader whose own list is too long says so, and the others go on", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse" });
  world.network.urlMax = 500;
  const [long, tab] = [world.tab({ topics: LONG }), world.tab()];
  await tab.live();
  await world.clock.until(() => long.stream.state === "closed");
  world.log.publish("a");
  await world.clock.advance(100);
  assert.deepEqual(tab.offsets, [1]);
});

test("a follower whose history is refused for good says so, and asks no more", async () => {
  const world = new World();
  world.log.publish("a");
  const leader = world.tab({ topics: "**" });
  await leader.live();
  world.network.urlMax = 500;
  world.network.set({ websocket: "refuse" });
  const tab = world.tab({ topics: LONG, after: "aaa-0" });
  await world.clock.until(() => tab.stream.state === "closed");
  assert.match(String(tab.noticed(":close")[0].error), /414/);
  const asked = world.network.attempts.length;
  await world.clock.advance(600_000);
  assert.equal(world.network.attempts.length, asked);
  assert.equal(leader.stream.state, "live");
});
