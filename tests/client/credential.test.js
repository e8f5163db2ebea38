/** A token that ends while a stream runs: another one in time, in place, and no event missed. */

import assert from "node:assert/strict";
import test from "node:test";

import { asking, guarded, SECOND } from "./support/tokens.js";
import { range } from "./support/world.js";

for (const transport of ["websocket", "sse", "eventsource"]) {
  test(`${transport}: a token that ends is renewed in place, again and again, and no event is missed`, async () => {
    const world = guarded();
    const tab = asking(world, () => world.give(100), { transports: [transport], token: world.give(100) });
    await tab.live();
    for (let n = 0; n < 500; n += 1) {
      world.log.publish("a");
      await world.clock.advance(SECOND);
    }
    assert.deepEqual(tab.offsets, range(1, 500));
    assert.equal(world.network.tried(transport).length, 1, "one connection");
    assert.equal(tab.asked.length, world.network.guard.renewals.length);
    assert.ok(tab.asked.length >= 8 && tab.asked.length <= 12, `${tab.asked.length} questions`);
    assert.deepEqual(
      tab.noticed(":state").map(({ state }) => state),
      ["replaying", "live"],
    );
    const told = tab.noticed(":auth").map(({ state }) => state);
    assert.deepEqual(new Set(told), new Set(["expiring", "renewed"]));
    assert.equal(Date.parse(tab.stream.expires) > world.clock.now(), true);
  });
}

test("a poll has nobody who warns it: it goes on with a fresh token after the 401", async () => {
  const world = guarded();
  const tab = asking(world, () => world.give(60), { transports: ["poll"], token: world.give(60) });
  await tab.live();
  for (let n = 0; n < 300; n += 1) {
    world.log.publish("a");
    await world.clock.advance(SECOND);
  }
  assert.deepEqual([tab.offsets, tab.stream.subject], [range(1, 300), "ada"]);
  assert.ok(tab.asked.length >= 4 && tab.asked.length <= 5, `${tab.asked.length} questions`);
});

test("the question is spread over 20 s, and never comes in the last moments", async () => {
  for (const [life, random, at] of [
    [100, 0, 40],
    [100, 0.999, 59.98],
    [20, 0.999, 14.985],
    [20, 0.5, 7.5], // the second warning, 5 s later, changes nothing
    [4, 0.999, 1.998],
  ]) {
    const world = guarded();
    const start = world.clock.now();
    const tab = asking(world, () => world.give(), { token: world.give(life), random: () => random });
    await world.clock.advance(life * SECOND);
    assert.equal(tab.asked.length, 1);
    const after = (tab.asked[0] - start) / SECOND;
    assert.ok(Math.abs(after - at) < 0.1, `${after} s of ${life} s, not ${at} s`);
    assert.equal(world.network.attempts.length, 1);
  }
});

test("a getToken that fails is asked again until the end; the connection stays", async () => {
  const world = guarded();
  const answer = (n) => (n < 4 ? Promise.reject(new Error("login is down")) : world.give());
  const tab = asking(world, answer, { token: world.give(100) });
  await world.clock.advance(300 * SECOND);
  assert.deepEqual([tab.asked.length, world.network.attempts.length], [4, 1]);
  assert.equal(tab.stream.state, "live");
});

test("a token that could not be told is told again, and not asked for again", async () => {
  const world = guarded();
  world.network.auth = 503;
  const tab = asking(world, () => world.give(), { transports: ["sse"], token: world.give(100) });
  await world.clock.advance(55 * SECOND);
  assert.deepEqual([tab.asked.length, world.network.guard.renewals.length], [1, 0]);
  assert.ok(world.network.tried("auth").length > 1);
  world.network.auth = "ok";
  await world.clock.advance(30 * SECOND);
  assert.deepEqual([tab.asked.length, world.network.guard.renewals.length], [1, 1]);
  assert.equal(tab.stream.state, "live");
});

test("a fresh token that is no good is not told twice: another one is asked for", async () => {
  for (const transport of ["websocket", "sse"]) {
    const world = guarded();
    const answer = (n) => (n === 1 ? "unknown" : world.give());
    const tab = asking(world, answer, { transports: [transport], token: world.give(100) });
    await world.clock.advance(200 * SECOND);
    assert.deepEqual([tab.asked.length, tab.stream.state], [2, "live"]);
    assert.equal(world.network.tried(transport).length, 1);
  }
});

test("a connection that is lost is not renewed", async () => {
  const world = guarded();
  const tab = asking(world, () => world.give(), { token: world.give(100) });
  await world.clock.advance(41 * SECOND);
  assert.deepEqual(
    tab.noticed(":auth").map(({ state }) => state),
    ["expiring"],
  );
  tab.page.offline();
  world.network.down();
  await world.clock.advance(25 * SECOND);
  assert.deepEqual([tab.stream.state, tab.asked], ["offline", []]);
});

test("a transport on which the connection is somebody else's does not take over", async () => {
  const world = guarded();
  world.network.set({ websocket: "refuse" });
  const tab = world.open({ token: world.give() });
  await tab.live();
  world.network.filter = (frame, transport) =>
    frame.type === "connection" && transport === "websocket" ? { ...frame, subject: "bob" } : frame;
  world.network.up();
  world.log.many(3);
  await world.clock.advance(120 * SECOND);
  assert.ok(tab.noticed(":attempt").filter(({ probe }) => probe).length > 1);
  assert.deepEqual([tab.stream.transport, tab.stream.subject, tab.offsets], ["sse", "ada", [1, 2, 3]]);
});

test("a transport that does not say whose the connection is has not changed it", async () => {
  const world = guarded();
  const tab = world.open({ transports: ["websocket", "poll"], token: world.give() });
  await tab.live();
  world.network.set({ websocket: "refuse", session: 503 });
  world.network.cut();
  await world.clock.until(() => tab.stream.transport === "poll");
  assert.equal(tab.stream.subject, "ada");
});

test("a page's own store that hands out the token that ends is asked again, and at the end once more", async () => {
  const world = guarded();
  const old = world.give(100);
  const tab = asking(world, () => old, { transports: ["sse"], token: old });
  await world.clock.advance(99 * SECOND);
  assert.ok(tab.asked.length > 2 && tab.asked.length < 20, `${tab.asked.length} questions`);
  assert.equal(world.network.tried("auth").length, 0, "the server is not told what it knows");
  await world.clock.advance(20 * SECOND);
  assert.equal(tab.stream.state, "unauthorized");
  assert.equal(world.network.tried("sse").length, 2, "one reconnect with what it was given");
});

test("another user's token can't be told to this connection: a new one is made, from the cursor", async () => {
  for (const transport of ["websocket", "sse"]) {
    const world = guarded();
    const token = world.give(100);
    const tab = asking(world, () => world.give(Infinity, "bob"), { transports: [transport], token });
    await tab.live();
    for (let n = 0; n < 120; n += 1) {
      world.log.publish("a");
      await world.clock.advance(SECOND);
    }
    assert.deepEqual([tab.offsets, tab.stream.subject], [range(1, 120), "bob"]);
    assert.deepEqual([tab.asked.length, world.network.tried(transport).length], [1, 2]);
  }
});

test("without getToken nobody is asked: told of the end, and then it is the end", async () => {
  const world = guarded();
  const tab = world.open({ token: world.give(100) });
  await world.clock.advance(300 * SECOND);
  assert.deepEqual(
    tab.noticed(":auth").map(({ state, reason }) => [state, reason]),
    [
      ["expiring", null],
      ["expiring", null],
      ["refused", "expired"],
    ],
  );
  assert.deepEqual([tab.stream.state, world.network.attempts.length], ["unauthorized", 1]);
});

test("what the fresh token does not cover leaves the topics, so that a reconnect is not refused for it", async () => {
  const world = guarded();
  const tab = world.open({ topics: ["a", "b"], token: world.give() });
  await tab.live();
  world.network.guard.reduce(["b"]);
  await world.clock.advance(10);
  const [{ state, lost }] = tab.noticed(":auth");
  assert.deepEqual([state, lost, tab.stream.topics], ["reduced", ["b"], ["a"]]);
  world.network.cut();
  await tab.live();
  assert.deepEqual(world.network.attempts.at(-1).url.searchParams.getAll("topic"), ["a"]);
});
