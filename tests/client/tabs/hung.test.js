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

/**
 * A tab that hangs when it is told to: its timers, what the network brings, and the grant of a lock too, wait until each
 * of them wakes. It does not hear the others either, until a test lets it.
 */
function hanging(world, transport) {
  const { request, ...locks } = world.locks.tab();
  const held = { locks: null, timers: null, network: null };
  const free = (what) =>
    new Promise((resolve) => (held[what] === null ? resolve() : held[what].push(resolve)));
  const options = {
    transports: [transport],
    locks: {
      ...locks,
      request: async (name, asked, act) => {
        const told = async (lock) => {
          await free("locks");
          return asked.signal?.aborted ? undefined : act(lock);
        };
        return request(name, asked, told).finally(() => free("locks"));
      },
    },
    setTimeout: (fn, wait) => world.clock.setTimeout(() => void free("timers").then(() => fn()), wait),
    fetch: async (...asked) => {
      const answer = await world.network.fetch(...asked);
      await free("network");
      const late = new TransformStream({
        transform: async (chunk, to) => {
          await free("network");
          to.enqueue(chunk);
        },
      });
      const { status, headers } = answer;
      return answer.body ? new Response(answer.body.pipeThrough(late), { status, headers }) : answer;
    },
  };
  class WebSocket extends world.network.WebSocket {
    frame = (text) => void free("network").then(() => super.frame(text));
  }
  const tab = world.tab({ ...options, WebSocket });
  const hang = () => {
    Object.assign(held, { locks: [], timers: [], network: [] });
    world.channels.passes = (_data, page) => page !== tab.page;
  };
  const wake = (what) => {
    const waiting = held[what] ?? [];
    held[what] = null;
    for (const go of waiting) go();
  };
  return { tab, hang, wake };
}

/** A tab whose request for a lock that it steals takes 5 ms to come to the browser, after `act()`. */
function slowThief(world, act) {
  const { request, ...locks } = world.locks.tab();
  const asked = async (...args) => {
    if (args[1].steal) {
      act();
      await new Promise((resolve) => world.clock.setTimeout(resolve, 5));
    }
    return request(...args);
  };
  return world.tab({ locks: { ...locks, request: asked } });
}

/** A leader that hangs, and the others, of whom one leads by now. */
async function deposed() {
  const world = new World();
  const { tab: hung, hang } = hanging(world, "websocket");
  await hung.live();
  const others = await world.tabs(2, () => ({ transports: ["websocket"] }));
  const name = (tab) => `m${[hung, ...others].indexOf(tab)}`;
  for (const tab of [hung, ...others]) tab.stream.place("a", { member: name(tab) });
  await world.clock.advance(1_000);
  hang();
  await world.clock.advance(15_000);
  const follower = others.find(({ stream }) => stream.role === "follower");
  assert.deepEqual(roles(others).toSorted(), ["follower", "leader"]);
  return { world, follower, name: name(follower) };
}

test("a page that is taken out again goes on beside a leader that hangs, which was to be told of its end", async () => {
  const { world, follower, name } = await deposed();
  follower.page.fire("pagehide");
  await world.clock.advance(5_000);
  follower.page.fire("pageshow");
  await world.clock.advance(5_000);
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.deepEqual([follower.offsets, follower.stream.state], [[1, 2, 3], "live"]);
  assert.ok(world.network.crowd.at("a").includes(name));
});

test("so does one that is alone with it", async () => {
  const world = new World();
  const { tab: hung, hang } = hanging(world, "websocket");
  await hung.live();
  const [other] = await world.tabs(1);
  await world.clock.advance(1_000);
  hang();
  other.page.fire("pagehide");
  await world.clock.advance(1_000);
  other.page.fire("pageshow");
  await world.clock.advance(15_000);
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.deepEqual([other.offsets, other.stream.role], [[1, 2, 3], "leader"]);
});

test("who ends beside a leader that hangs is seen to go by the one that leads", async () => {
  const { world, follower, name } = await deposed();
  follower.crash();
  await world.clock.advance(5_000);
  assert.ok(!world.network.crowd.at("a").includes(name));
});

for (const end of ["rest", "close"]) {
  test(`a tab that is on its way to take a leader's lock does not lead after its ${end}`, async () => {
    const world = new World();
    const [leader] = await world.tabs(1);
    let isOver = false;
    const thief = slowThief(world, () => {
      if (isOver) return;
      isOver = true;
      if (end === "rest") thief.page.fire("pagehide");
      else thief.stream.close();
    });
    await thief.live();
    world.channels.passes = () => false;
    await world.clock.advance(9_800);
    assert.ok(isOver);
    world.channels.passes = () => true;
    await world.clock.advance(30_000);
    assert.equal(leader.stream.role, "leader");
    if (end === "rest") thief.page.fire("pageshow");
    await world.clock.advance(1_000);
    world.log.many(3);
    await world.clock.advance(1_000);
    assert.deepEqual(leader.offsets, [1, 2, 3]);
    assert.deepEqual(thief.offsets, end === "rest" ? [1, 2, 3] : []);
    assert.equal(world.log.subscribers, 1);
  });
}

test("a tab that was given what it was about to steal leads on", async () => {
  const world = new World();
  const [leader] = await world.tabs(1);
  const heir = slowThief(world, () => leader.crash());
  await heir.live();
  world.channels.passes = () => false;
  await world.clock.advance(11_000);
  world.channels.passes = () => true;
  world.log.many(3);
  await world.clock.advance(1_000);
  assert.deepEqual([heir.offsets, heir.stream.role], [[1, 2, 3], "leader"]);
});

for (const order of ["timers network locks", "timers locks network"]) {
  test(`a leader that wakes in the order of ${order} takes nobody's member along`, async () => {
    for (const gap of [0, 6, 20, 995, 3_000]) {
      const world = new World();
      const { tab, hang, wake } = hanging(world, "sse");
      await tab.live();
      const tabs = [tab, ...(await world.tabs(2, () => ({ transports: ["sse"] })))];
      for (const [n, { stream }] of tabs.entries()) stream.place("a", { member: `m${n}` });
      await world.clock.advance(2_000);
      hang();
      await world.clock.advance(16_000);
      assert.deepEqual(roles(tabs.slice(1)).toSorted(), ["follower", "leader"]);
      world.channels.passes = () => true;
      for (const what of order.split(" ")) {
        if (what === "locks") await world.clock.advance(gap);
        wake(what);
        if (what === "locks") await world.clock.advance(20);
      }
      await world.clock.advance(60_000);
      for (const n of [1, 2])
        assert.equal(world.network.crowd.seen(`m${n}`).leaves, 0, `m${n} after ${gap} ms`);
      assert.deepEqual(world.network.crowd.at("a").toSorted(), ["m0", "m1", "m2"]);
    }
  });
}

test("while two lead, nobody joins without end", async () => {
  const world = new World();
  const { tab, hang, wake } = hanging(world, "sse");
  await tab.live();
  const others = await world.tabs(4, () => ({ transports: ["sse"] }));
  await world.clock.advance(1_000);
  hang();
  let led = null; // what the leader says in its last moment is lost as well
  world.channels.passes = ({ kind, tab: from }, page) => {
    if (kind === "hello") led ??= from;
    return page !== tab.page && from !== led;
  };
  await world.clock.advance(20_000);
  let passed = 0;
  world.channels.passes = () => (passed += 1) < 10_000;
  wake("timers");
  wake("network");
  const follower = others.find(({ stream }) => stream.role === "follower");
  follower.page.hide();
  follower.page.show();
  await world.clock.advance(1_000);
  assert.ok(passed < 500, String(passed));
});
