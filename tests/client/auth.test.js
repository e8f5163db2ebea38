/** Tokens: where they travel, the one question to getToken, and the clear state after it. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

test("the token is a header, never a part of a URL", async () => {
  const world = new World();
  for (const transport of ["sse", "poll"]) {
    const tab = world.open({ transports: [transport], token: "t1" });
    const asked = [tab.stream.publish({ topic: "a", type: "log" }), tab.stream.history()];
    await world.clock.advance(10);
    await Promise.all(asked);
  }
  const used = new Set(world.network.attempts.map(({ transport }) => transport));
  assert.deepEqual(used, new Set(["sse", "post", "poll"]));
  for (const { headers, url } of world.network.attempts) {
    assert.equal(headers.Authorization, "Bearer t1");
    assert.doesNotMatch(String(url), /t1|token/);
  }
});

test("with a token, the transports that have no headers are left out", async () => {
  for (const credentials of [{ token: "t1" }, { getToken: () => "t1" }]) {
    const world = new World();
    const tab = world.open(credentials);
    await tab.live();
    assert.equal(tab.stream.transport, "sse");
    await world.clock.advance(10 * 60_000);
    assert.deepEqual([world.network.tried("websocket"), world.network.tried("eventsource")], [[], []]);
  }
});

test("a token with only such transports is an error; without a token they are fine", () => {
  const world = new World();
  for (const transport of ["websocket", "eventsource"]) {
    const refused = { name: "TwinwireError", status: 422, message: new RegExp(transport) };
    assert.throws(() => world.open({ transports: [transport], token: "t1" }), refused);
    world.open({ transports: [transport], token: null }).stream.close();
  }
});

test("without a token, getToken is asked before the first attempt", async () => {
  const world = new World();
  const tab = world.open({ getToken: async () => "fresh" });
  await tab.live();
  assert.equal(world.network.attempts[0].headers.Authorization, "Bearer fresh");
});

for (const status of [401, 403]) {
  test(`${status} asks getToken once, goes on with the fresh token`, async () => {
    const world = new World();
    let asked = 0;
    world.network.set({ sse: status });
    const getToken = () => {
      asked += 1;
      world.network.set({ sse: "ok" });
      return "new";
    };
    const tab = world.open({ token: "old", getToken });
    await tab.live();
    assert.equal(asked, 1);
    assert.equal(world.network.tried("sse").at(-1).headers.Authorization, "Bearer new");
  });

  test(`${status} again stops, says so, and tries no more`, async () => {
    const world = new World();
    let asked = 0;
    world.network.set({ sse: status, poll: status });
    const tab = world.open({ token: "old", getToken: () => `new${(asked += 1)}` });
    await world.clock.advance(100);
    assert.equal(tab.stream.state, "unauthorized");
    await assert.rejects(tab.stream.ready(), { status: 401 });
    assert.equal(asked, 1);
    const attempts = world.network.attempts.length;
    tab.page.fire("online");
    tab.page.show();
    await world.clock.advance(10 * 60_000);
    assert.equal(world.network.attempts.length, attempts);
    world.network.up();
    tab.stream.reconnect();
    await tab.live();
  });
}

test("without getToken a refusal stops at once", async () => {
  const world = new World();
  world.network.set({ sse: 401 });
  const tab = world.open({ token: "old" });
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
});

test("getToken that fails, or gives nothing, stops too", async () => {
  for (const getToken of [() => Promise.reject(new Error("offline")), () => null]) {
    const world = new World();
    world.network.set({ sse: 401 });
    const tab = world.open({ token: "old", getToken });
    await world.clock.advance(100);
    assert.equal(tab.stream.state, "unauthorized");
  }
});

test("goodbye `auth` is a refusal; a server that repeats it can't make a loop", async () => {
  const world = new World();
  let asked = 0;
  const tab = world.open({ transports: ["sse"], token: "old", getToken: () => `new${(asked += 1)}` });
  await tab.live();
  world.log.goodbye("auth", 0, 1008);
  await tab.live();
  assert.equal(asked, 1);
  world.log.goodbye("auth", 0, 1008);
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
  assert.equal(asked, 1);
});

test("a WebSocket that is closed with 1008 is a refusal, even of who has no token", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  await tab.live();
  world.network.connections("websocket")[0].cut(1008);
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
});

test("a fresh token is asked for again after a productive connection", async () => {
  const world = new World();
  let asked = 0;
  const tab = world.open({ transports: ["sse"], token: "old", getToken: () => `new${(asked += 1)}` });
  for (const expected of [1, 2, 3]) {
    await tab.live();
    await world.clock.advance(10_100);
    world.log.goodbye("auth", 0, 1008);
    await tab.live();
    assert.equal(asked, expected);
  }
});
