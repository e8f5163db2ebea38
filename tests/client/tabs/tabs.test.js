/**
 * Many tabs, one connection: the election, the leader's death, lost messages, topics, and what happens
 * without means.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { range, roles, World } from "../support/world.js";

test("ten tabs share one connection, and each gets everything once", async () => {
  const world = new World();
  const tabs = await world.tabs(10);
  assert.deepEqual(roles(tabs), ["leader", ...Array(9).fill("follower")]);
  world.log.many(50);
  await world.clock.advance(100);
  for (const tab of tabs) {
    assert.deepEqual(tab.offsets, range(1, 50));
    assert.equal(tab.stream.transport, "websocket");
    assert.equal(tab.stream.cursor, "aaa-50");
  }
  assert.equal(world.log.subscribers, 1);
});

test("ten tabs opened at the same instant elect one leader", async () => {
  const world = new World();
  const tabs = Array.from({ length: 10 }, () => world.tab());
  for (const tab of tabs) await tab.live();
  assert.equal(roles(tabs).filter((role) => role === "leader").length, 1);
  world.log.many(5);
  await world.clock.advance(100);
  for (const tab of tabs) assert.deepEqual(tab.offsets, range(1, 5));
});

test("the leader dies in mid-stream: within a second another leads, nothing is missed or repeated", async () => {
  const world = new World();
  let tabs = await world.tabs(5);
  let total = 0;
  while (tabs.length > 1) {
    total += 20;
    world.log.many(10);
    tabs.find(({ stream }) => stream.role === "leader").crash();
    tabs = tabs.filter(({ stream }) => stream.state !== "closed");
    world.log.many(10);
    const start = world.clock.now();
    for (const tab of tabs) {
      await world.clock.until(() => tab.events.length === total && tab.stream.state === "live");
      assert.deepEqual(tab.offsets, range(1, total));
    }
    assert.ok(world.clock.now() - start < 1_000);
    assert.equal(roles(tabs).filter((role) => role === "leader").length, 1);
    assert.equal(world.log.subscribers, 1);
  }
});

test("a leader that closes its stream hands over as well", async () => {
  const world = new World();
  const [first, second] = await world.tabs(2);
  first.stream.close();
  world.log.many(3);
  await world.clock.advance(500);
  assert.equal(second.stream.role, "leader");
  assert.deepEqual(second.offsets, [1, 2, 3]);
});

test("a page that is put aside (pagehide) lets another lead, and catches up when it is back", async () => {
  const world = new World();
  const [first, second] = await world.tabs(2);
  first.page.fire("pagehide");
  await world.clock.advance(100);
  assert.equal(second.stream.role, "leader");
  world.log.many(7);
  await world.clock.advance(100);
  assert.deepEqual(first.events, []);
  first.page.fire("pageshow");
  await world.clock.until(() => first.events.length === 7);
  assert.equal(first.stream.role, "follower");
  world.log.many(3);
  await world.clock.advance(100);
  assert.deepEqual(first.offsets, range(1, 10));
});

test("each tab has its own cursor: one that starts from a snapshot reads what it missed from the history", async () => {
  const world = new World();
  world.log.many(2_500);
  const [leader] = await world.tabs(1);
  const late = world.tab({ after: "aaa-100" });
  const all = world.tab({ after: "earliest" });
  await late.live();
  await all.live();
  world.log.many(10);
  await world.clock.advance(100);
  assert.deepEqual(leader.offsets, range(2_501, 2_510));
  assert.deepEqual(late.offsets, range(101, 2_510));
  assert.deepEqual(all.offsets, range(1, 2_510));
});

test("catching up while events pour in ends live, without a hole or a repeat", async () => {
  const world = new World();
  world.log.many(5_000);
  await world.tabs(1);
  const late = world.tab({ after: "earliest" });
  let total = 5_000;
  await world.clock.until(() => {
    if (total < 12_000) total += world.log.many(40).length;
    return late.stream.state === "live" && total >= 12_000 && late.events.length === total;
  });
  assert.deepEqual(late.offsets, range(1, total));
});

test("messages of the channel that are lost are read from the history", async () => {
  const world = new World();
  const [leader, follower] = await world.tabs(2);
  let count = 0;
  world.channels.passes = ({ kind }) => kind !== "frames" || (count += 1) % 3 === 0;
  for (let n = 0; n < 60; n += 1) {
    world.log.publish("a");
    await world.clock.advance(30);
  }
  world.channels.passes = () => true;
  world.log.publish("a");
  await world.clock.advance(2_000);
  assert.deepEqual(leader.offsets, range(1, 61));
  assert.deepEqual(follower.offsets, range(1, 61));
  assert.deepEqual(follower.noticed(":anomaly"), []);
});

test("a tab that lost the last message learns of it with the leader's next heartbeat", async () => {
  const world = new World();
  const [, follower] = await world.tabs(2);
  world.channels.passes = ({ kind }) => kind !== "frames";
  world.log.many(3);
  await world.clock.advance(21_000);
  assert.deepEqual(follower.offsets, [1, 2, 3]);
});

test("tabs with different topics: the connection covers all, each page sees its own", async () => {
  const world = new World();
  const tabs = await world.tabs(4, (n) => ({ topics: [`p/${n}`] }));
  for (const n of [0, 1, 2, 3, 3, 2, 1, 0]) world.log.publish(`p/${n}`);
  await world.clock.advance(100);
  tabs.forEach((tab, n) => assert.deepEqual(tab.offsets, [n + 1, 8 - n]));
  assert.equal(world.log.subscribers, 1);
  assert.equal(world.network.tried("websocket").length, 1, "topics were added on the open connection");
  tabs[0].crash();
  for (const n of [1, 2, 3]) world.log.publish(`p/${n}`);
  await world.clock.advance(1_000);
  tabs.slice(1).forEach((tab, n) => assert.equal(tab.offsets.at(-1), 9 + n));
});

test("topics that no tab wants any more are let go", async () => {
  const world = new World();
  const [, other, third] = await world.tabs(3, (n) => ({ topics: [`p/${n}`] }));
  await world.clock.advance(11_000);
  const [socket] = world.network.connections("websocket");
  other.crash();
  third.stream.close();
  await world.clock.advance(100);
  assert.deepEqual(socket.subscription.topics, ["p/0"]);
});

test("subscribe in a follower: covered from a position, over the leader's connection", async () => {
  const world = new World();
  const [, follower] = await world.tabs(2);
  world.log.publish("b");
  const pending = follower.stream.subscribe("b");
  await world.clock.advance(50);
  assert.equal((await pending).id, "aaa-1");
  world.log.publish("b");
  await world.clock.advance(50);
  assert.deepEqual(follower.offsets, [2]);
  await follower.stream.unsubscribe("b");
  world.log.publish("b");
  await world.clock.advance(50);
  assert.deepEqual(follower.offsets, [2]);
});

test("a subscription that waits for a leader that dies is covered by the next", async () => {
  const world = new World();
  const [leader, follower] = await world.tabs(2);
  world.network.set({ websocket: "mute" });
  const pending = follower.stream.subscribe("b");
  await world.clock.advance(50);
  world.network.set({ websocket: "ok" });
  leader.crash();
  await world.clock.advance(500);
  assert.ok((await pending).id);
  world.log.publish("b");
  await world.clock.advance(50);
  assert.deepEqual(follower.offsets, [1]);
});

/** A leader and a follower with five events, who miss twenty more, of which so many are kept. */
async function afterTrim(world, keep) {
  const tabs = await world.tabs(2);
  world.log.many(5);
  await world.clock.advance(50);
  world.network.down();
  world.log.many(20);
  world.log.trim(keep);
  world.network.up();
  await world.clock.advance(5_000);
  return tabs;
}

test("a gap reaches each tab that it concerns, once", async () => {
  const world = new World();
  const [leader, follower] = await afterTrim(world, 3);
  for (const tab of [leader, follower]) {
    assert.deepEqual(
      tab.gaps.map(({ reason }) => reason),
      ["trimmed"],
    );
    assert.deepEqual(tab.offsets, [...range(1, 5), ...range(23, 25)]);
  }
  world.log.replace("bbb");
  world.log.many(2);
  world.network.cut();
  await world.clock.advance(3_000);
  for (const tab of [leader, follower]) {
    assert.deepEqual(
      tab.gaps.map(({ reason }) => reason),
      ["trimmed", "epoch"],
    );
    assert.equal(tab.stream.cursor, "bbb-2");
  }
});

test("a gap reaches each tab also where nothing is kept that would prove it", async () => {
  const world = new World();
  for (const tab of await afterTrim(world, 0)) {
    assert.deepEqual(
      tab.gaps.map(({ reason }) => reason),
      ["trimmed"],
    );
    assert.equal(tab.stream.cursor, "aaa-25");
  }
});

test("followers show what the leader's connection does, and catch up with it", async () => {
  const world = new World();
  const [, follower] = await world.tabs(2);
  world.network.down();
  await world.clock.advance(100);
  assert.equal(follower.stream.state, "reconnecting");
  assert.equal(follower.stream.transport, null);
  world.log.many(4);
  world.network.up();
  await follower.live(60_000);
  assert.deepEqual(follower.offsets, [1, 2, 3, 4]);
});

test("publishing works in every tab", async () => {
  const world = new World();
  const tabs = await world.tabs(2);
  const pending = tabs.map(({ stream }) => stream.publish({ topic: "a", type: "note" }));
  await world.clock.advance(100);
  await Promise.all(pending);
  for (const tab of tabs) assert.deepEqual(tab.offsets, [1, 2]);
  await assert.rejects(tabs[1].stream.send({ op: "ping" }), { name: "TwinwireError" });
});

test("a topic that the shared connection is refused costs the others nothing: that tab gets its own", async () => {
  const world = new World();
  const [leader] = await world.tabs(1);
  const other = world.tab({ topics: "forbidden", after: "aaa-0" });
  await other.live();
  assert.equal(other.stream.role, null);
  world.log.publish("a");
  world.log.publish("forbidden");
  await world.clock.advance(100);
  assert.deepEqual(leader.offsets, [1]);
  assert.deepEqual(other.offsets, [2]);
  other.page.fire("pagehide");
  other.stream.close();
  assert.equal(world.log.subscribers, 1);
});

test("more topics than one stream may have: up to the bound they share, beyond it a tab has its own", async () => {
  const world = new World();
  const topics = (n, count) => Array.from({ length: count }, (_, k) => `t/${n}/${k}`);
  const tabs = await world.tabs(3, (n) => ({ topics: topics(n, 50) }));
  assert.deepEqual(roles(tabs), ["leader", "follower", null]);
  for (const n of [0, 1, 2]) world.log.publish(`t/${n}/49`);
  await world.clock.advance(100);
  assert.deepEqual(
    tabs.map(({ offsets }) => offsets),
    [[1], [2], [3]],
  );
});

test("tabs of different users, tokens or settings do not share", async () => {
  const world = new World();
  const tabs = await world.tabs(
    6,
    (n) =>
      [
        { token: "ann" },
        { token: "bob" },
        { tabs: { group: "1" }, getToken: () => "t" },
        { tabs: { group: "2" }, getToken: () => "t" },
        { transports: ["sse"] },
        {},
      ][n],
  );
  assert.deepEqual(roles(tabs), Array(6).fill("leader"));
});

test("without the means, without a group for rotating tokens, or when told so: a connection per tab", async () => {
  const world = new World();
  const cases = [{ locks: null }, { BroadcastChannel: null }, { getToken: () => "t" }, { tabs: false }];
  for (const options of cases) {
    const tab = world.tab(options);
    await tab.live();
    assert.equal(tab.stream.role, null);
    tab.stream.close();
  }
});

test("the storm: tabs die and come, messages are lost, the network is bad; every tab has every event once", async () => {
  for (const seed of [1, 2, 3]) await storm(seed);
});

async function storm(seed) {
  let state = seed * 104729;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const world = new World();
  world.channels.passes = () => random() > 0.05;
  const tabs = Array.from({ length: 4 }, () => world.tab({ after: "earliest", random }));
  for (let step = 0; step < 150; step += 1) {
    world.log.publish("a");
    if (random() < 0.05) world.network.cut();
    if (random() < 0.06) {
      const victim = tabs.splice(Math.floor(random() * tabs.length), 1)[0];
      if (random() < 0.5) victim.crash();
      else victim.stream.close();
      tabs.push(world.tab({ after: "earliest", random }));
    }
    await world.clock.advance(random() * 300);
  }
  world.channels.passes = () => true;
  await world.clock.until(() => tabs.every(({ events }) => events.length >= 150), 120_000);
  for (const tab of tabs) {
    assert.deepEqual(tab.offsets, range(1, 150), `seed ${seed}`);
    tab.stream.close();
  }
  assert.equal(world.log.subscribers, 0);
}

test("what a follower waits for is refused when its stream closes", async () => {
  const world = new World();
  const leader = world.tab();
  await leader.live();
  const follower = world.tab();
  await follower.live();
  assert.equal(follower.stream.role, "follower");
  world.channels.passes = () => false; // the leader never hears of the topic
  const added = assert.rejects(follower.stream.subscribe("b"), /closed/);
  await world.clock.advance(10);
  follower.stream.close();
  await added;
});

test("a tab that stands apart says once that its stream has ended", async () => {
  const world = new World();
  const leader = world.tab({ topics: Array.from({ length: 100 }, (_, n) => `t${n}`) });
  await leader.live();
  const apart = world.tab({ topics: "one-too-many", maxRetries: 0 });
  await apart.live();
  assert.equal(apart.stream.role, null);
  world.network.down();
  await world.clock.advance(10);
  assert.equal(apart.stream.state, "closed");
  apart.stream.close();
  assert.deepEqual(
    apart.noticed(":close").map(({ error }) => error.kind),
    ["network"],
  );
});
