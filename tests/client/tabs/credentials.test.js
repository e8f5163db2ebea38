/** Tabs that share a connection, and who they are: one asker, no token told, nobody's events but one's own. */

import assert from "node:assert/strict";
import test from "node:test";

import { range, World } from "../support/world.js";

const SECOND = 1_000;

/** A world that knows tokens, and keeps what tabs tell each other. */
function guarded() {
  const world = new World();
  let count = 0;
  world.give = (subject = "ada", seconds = Infinity) =>
    world.network.guard.add(`token-${(count += 1)}`, subject, world.clock.now() + seconds * SECOND);
  world.told = [];
  world.channels.passes = (message) => world.told.push(JSON.stringify(message)) > 0;
  return world;
}

/** A tab of a group, whose getToken is counted. */
function member(world, getToken, options = {}) {
  const tab = world.tab({
    tabs: { group: "1" },
    getToken: () => {
      tab.asked += 1;
      return getToken();
    },
    ...options,
  });
  tab.asked = 0;
  return tab;
}

async function several(world, count, getToken, options) {
  const tabs = [];
  for (let n = 0; n < count; n += 1) {
    tabs.push(member(world, getToken, options));
    await tabs[n].live();
  }
  return tabs;
}

test("one tab asks for a token that ends; all go on, and no token is in what they tell each other", async () => {
  const world = guarded();
  const tabs = await several(world, 5, () => world.give("ada", 100));
  const before = tabs.map(({ asked }) => asked);
  for (let n = 0; n < 300; n += 1) {
    world.log.publish("a");
    await world.clock.advance(SECOND);
  }
  // A renewal may be on its way at that moment.
  await world.clock.until(() => tabs[0].asked - before[0] === world.network.guard.renewals.length);
  await world.clock.advance(100);
  const renewed = world.network.guard.renewals.length;
  assert.ok(renewed >= 4, `${renewed} renewals`);
  assert.deepEqual(
    tabs.map(({ asked }, n) => asked - before[n]),
    [renewed, 0, 0, 0, 0],
  );
  for (const tab of tabs) {
    assert.deepEqual(tab.offsets, range(1, 300));
    assert.equal(tab.stream.subject, "ada");
    assert.equal(tab.stream.expires, tabs[0].stream.expires);
    assert.equal(tab.noticed(":auth").filter(({ state }) => state === "renewed").length, renewed);
  }
  assert.equal(world.log.subscribers, 1);
  assert.deepEqual(
    world.told.filter((text) => text.includes("token-")),
    [],
  );
});

test("a tab of another subject, in a group that its page named wrongly, has none of its events", async () => {
  const world = guarded();
  const [leader] = await several(world, 1, () => world.give("ada"));
  const other = member(world, () => world.give("bob"));
  await other.live();
  assert.deepEqual([leader.stream.role, other.stream.role], ["leader", null]);
  assert.deepEqual([leader.stream.subject, other.stream.subject], ["ada", "bob"]);
  assert.equal(world.log.subscribers, 2);
  const third = member(world, () => world.give("ada"));
  await third.live();
  assert.equal(third.stream.role, "follower");
  world.log.many(3);
  await world.clock.advance(100);
  for (const tab of [leader, other, third]) assert.deepEqual(tab.offsets, range(1, 3));
});

test("before it has found out who it is, a tab takes nothing", async () => {
  const world = guarded();
  const [leader] = await several(world, 1, () => world.give("ada"));
  const late = member(world, () => new Promise(() => {}));
  world.log.many(3);
  await world.clock.advance(100);
  assert.deepEqual([leader.offsets, late.offsets, late.stream.cursor], [[1, 2, 3], [], null]);
});

test("a leader that becomes somebody else leaves; those who stay have another leader and miss nothing", async () => {
  const world = guarded();
  let user = "ada";
  const leader = member(world, () => world.give(user));
  await leader.live();
  const followers = await several(world, 2, () => world.give("ada"));
  world.log.many(3);
  await world.clock.advance(100);
  user = "bob";
  world.network.guard.revoke("token-1");
  await world.clock.until(() => leader.stream.subject === "bob" && leader.stream.state === "live");
  await world.clock.until(() => followers.some(({ stream }) => stream.role === "leader"));
  for (const tab of followers) await tab.live();
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.equal(leader.stream.role, null);
  assert.deepEqual(followers.map(({ stream }) => stream.role).sort(), ["follower", "leader"]);
  for (const tab of [leader, ...followers]) assert.deepEqual(tab.offsets, range(1, 6));
  for (const { stream } of followers) assert.equal(stream.subject, "ada");
  assert.equal(world.log.subscribers, 2);
  leader.stream.close();
  await world.clock.advance(100);
  assert.deepEqual([leader.stream.state, world.log.subscribers], ["closed", 1]);
  assert.equal(leader.noticed(":close").length, 1);
});

test("topics that are lost are lost for all tabs that had them, and only they are told", async () => {
  const world = guarded();
  const token = world.give();
  const tabs = [];
  for (const topics of [["a"], ["a", "b"], ["c"]]) {
    tabs.push(world.tab({ token, topics }));
    await tabs.at(-1).live();
  }
  await world.clock.advance(100);
  world.network.guard.reduce(["b"]);
  await world.clock.advance(20 * SECOND);
  assert.deepEqual(
    tabs.map(({ stream }) => stream.topics),
    [["a"], ["a"], ["c"]],
  );
  assert.deepEqual(
    tabs.map((tab) => tab.noticed(":auth").map(({ state, lost }) => [state, lost])),
    [[], [["reduced", ["b"]]], []],
  );
  assert.deepEqual(
    tabs.map(({ stream }) => stream.role),
    ["leader", "follower", "follower"],
  );
  world.network.cut();
  for (const tab of tabs) await tab.live();
  assert.deepEqual(world.network.attempts.at(-1).url.searchParams.getAll("topic").sort(), ["a", "c"]);
});

test("a refusal is every tab's; each knows why", async () => {
  const world = guarded();
  const token = world.give();
  const tabs = [];
  for (let n = 0; n < 3; n += 1) {
    tabs.push(world.tab({ token }));
    await tabs[n].live();
  }
  world.network.guard.revoke(token);
  await world.clock.advance(1_000);
  for (const { stream } of tabs) {
    assert.equal(stream.state, "unauthorized");
    await assert.rejects(stream.ready(), { status: 401 });
  }
  const reasons = tabs.map((tab) => tab.noticed(":auth").at(-1).reason);
  assert.deepEqual(reasons, ["revoked", "revoked", "revoked"]);
});

test("a follower whose history is refused goes by itself, and says what is wrong; there is no loop", async () => {
  const world = guarded();
  world.log.many(10);
  const token = world.give();
  const leader = world.tab({ token });
  await leader.live();
  await world.clock.advance(100);
  const follower = world.tab({ token, after: "aaa-2" });
  world.network.set({ poll: 403 });
  await world.clock.advance(60 * SECOND);
  assert.equal(follower.stream.role, null);
  assert.deepEqual(follower.offsets, range(3, 10));
  assert.ok(world.network.tried("poll").length < 5);
});

test("a leader that is somebody from now on, and was nobody: its followers take nothing until they know", async () => {
  const world = new World();
  const [leader, follower] = [world.tab(), world.tab()];
  await leader.live();
  await follower.live();
  world.network.filter = (frame) => (frame.type === "connection" ? { ...frame, subject: "ada" } : frame);
  world.network.set({ session: "refuse" });
  world.network.cut();
  await leader.live();
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.deepEqual([leader.stream.subject, leader.offsets, follower.offsets], ["ada", [1, 2, 3], []]);
  world.network.set({ session: "ok" });
  world.network.filter = (frame) => frame;
  await world.clock.until(() => follower.events.length === 3);
  assert.deepEqual([follower.stream.role, follower.offsets], [null, [1, 2, 3]]);
});

test("a topic that was lost is covered no more: who wants it is told by the server", async () => {
  const world = guarded();
  const token = world.give();
  const leader = world.tab({ token, topics: ["a", "forbidden"] });
  await leader.live();
  world.network.guard.reduce(["forbidden"]);
  await world.clock.advance(100);
  const late = world.tab({ token, topics: ["forbidden"] });
  await late.live();
  assert.deepEqual([leader.stream.role, late.stream.role], ["leader", null]);
  late.stream.close();
  leader.page.fire("pagehide");
  leader.page.fire("pageshow");
  await leader.live();
  assert.deepEqual(world.network.attempts.at(-1).url.searchParams.getAll("topic"), ["a"]);
});
