/** Stale among tabs: what a follower shows is as old as what its leader has heard, whoever of the two is silent. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "../support/world.js";

const STALE = 25_000; // ms: 1.25 heartbeats

const stale = (tab) => tab.noticed(":stale").map((notice) => notice.stale);

test("a follower is stale with its leader, and from the same moment", async () => {
  for (const transport of ["websocket", "sse"]) {
    const world = new World();
    const [leader, follower] = await world.tabs(2, () => ({ transports: [transport] }));
    world.log.publish("a");
    await world.clock.advance(100);
    const { heardAt } = leader.stream.stats;
    world.network.filter = () => null;
    await world.clock.advance(STALE - 200);
    assert.deepEqual([stale(leader), stale(follower)], [[], []]);
    await world.clock.advance(200);
    for (const tab of [leader, follower])
      assert.deepEqual(
        [tab.stream.stale, tab.stream.state, tab.noticed(":stale")[0].since],
        [true, "live", heardAt],
      );
    world.network.filter = (frame) => frame;
    world.log.publish("a");
    await world.clock.advance(100);
    for (const tab of [leader, follower]) assert.deepEqual([tab.stream.stale, tab.offsets], [false, [1, 2]]);
  }
});

test("a tab that comes while its leader hears nothing is stale when its leader is", async () => {
  const world = new World();
  const [leader] = await world.tabs(1, () => ({ transports: ["sse"] }));
  world.network.filter = () => null;
  await world.clock.advance(STALE - 1_000);
  const late = world.tab({ transports: ["sse"] });
  await late.live();
  assert.equal(late.stream.stats.heardAt, leader.stream.stats.heardAt);
  await world.clock.advance(1_100);
  assert.deepEqual([leader.stream.stale, late.stream.stale], [true, true]);
});

test("tabs over a poll that waits are not stale, and are once its answer is late", async () => {
  const world = new World();
  let isDead = false;
  const fetch = async (url, init) => {
    const answer = await world.network.fetch(url, init);
    return isDead ? new Promise(() => {}) : answer;
  };
  const [leader, follower] = await world.tabs(2, () => ({ fetch, transports: ["poll"] }));
  await world.clock.advance(5 * 60_000);
  assert.deepEqual([stale(leader), stale(follower)], [[], []]);
  isDead = true;
  await world.clock.until(() => leader.stream.stale, 31_000);
  await world.clock.advance(1);
  assert.deepEqual([leader.stream.state, follower.stream.stale], ["live", true]);
});

test("a follower that hears nothing of its leader is stale, until another leads and is connected", async () => {
  const world = new World();
  world.log.heartbeat = 2; // a leader is replaced after 5 s of silence at the earliest
  const [, follower] = await world.tabs(2);
  const connected = follower.noticed(":attempt").length;
  world.channels.passes = () => false;
  world.network.set({ websocket: "blackhole", sse: "swallow", poll: "refuse" });
  await world.clock.until(() => follower.stream.stale, 2_600);
  await world.clock.until(() => follower.stream.role === "leader", 10_000);
  assert.deepEqual([stale(follower), follower.noticed(":attempt").length], [[true], connected + 1]);
  world.network.up();
  await world.clock.until(() => !follower.stream.stale, 10_000);
  assert.equal(follower.stream.transport, follower.noticed(":transport").at(-1).transport);
  await world.clock.advance(60_000);
  assert.deepEqual([follower.stream.state, follower.stream.stale], ["live", false]);
});

test("a hidden leader's dead connection is found by who is looked at, and replaced", async () => {
  for (const transport of ["websocket", "sse"]) {
    const world = new World();
    const [leader, follower] = await world.tabs(2, () => ({ transports: [transport] }));
    leader.page.hide();
    const attempts = world.network.attempts.length;
    world.network.filter = (frame) => (world.network.attempts.length > attempts ? frame : null); // the path forgot it
    await world.clock.advance(STALE + 100);
    assert.deepEqual([stale(leader), stale(follower)], [[], [true]], "nobody looks at the leader");
    world.log.many(3);
    await world.clock.advance(35_000);
    assert.deepEqual(
      [follower.offsets, follower.stream.stale, follower.stream.state],
      [[1, 2, 3], false, "live"],
    );
  }
});

test("a follower that stood still hears what its leader knows before it is called stale", async () => {
  const world = new World();
  const [leader, follower] = await world.tabs(2, () => ({ transports: ["sse"] }));
  await world.clock.advance(1_000);
  follower.page.hide();
  world.channels.passes = (_message, tab) => tab !== follower.page;
  await world.clock.advance(5 * 60_000);
  world.channels.passes = () => true;
  follower.page.show();
  await world.clock.advance(1_000);
  assert.deepEqual([stale(follower), follower.stream.state, leader.stream.role], [[], "live", "leader"]);
});

test("a page that was put aside is not live before it is connected again", async () => {
  const world = new World();
  const [tab] = await world.tabs(1);
  tab.page.fire("pagehide");
  assert.deepEqual([tab.stream.state, tab.stream.stale, tab.stream.transport], ["live", true, null]);
  await world.clock.advance(60_000);
  world.network.set({ websocket: "blackhole" });
  tab.page.fire("pageshow");
  await world.clock.advance(1_000);
  assert.equal(tab.stream.stale, true);
  world.network.up();
  await world.clock.until(() => !tab.stream.stale, 10_000);
  assert.deepEqual(stale(tab), [true, false]);
});

test("what an older version of a leader does not say is not held against it", async () => {
  const world = new World();
  world.channels.passes = (message) => {
    delete message.heard;
    delete message.staleAfter;
    return true;
  };
  const [, follower] = await world.tabs(2);
  await world.clock.advance(5 * 60_000);
  assert.deepEqual([follower.stream.state, stale(follower)], ["live", []]);
});
