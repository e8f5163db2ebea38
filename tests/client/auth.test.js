/** Tokens: where they travel, the one question to getToken, and the clear state after it. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

test("the token is a header on fetch, a query parameter where no header can be set", async () => {
  const world = new World();
  for (const transport of ["sse", "poll"]) {
    world.open({ transports: [transport], token: "t1" });
    await world.clock.advance(10);
    const { headers, url } = world.network.attempts.at(-1);
    assert.equal(headers.Authorization, "Bearer t1");
    assert.equal(url.searchParams.get("access_token"), null);
  }
  for (const transport of ["websocket", "eventsource"]) {
    world.open({ transports: [transport], token: "t1" });
    await world.clock.advance(10);
    assert.equal(world.network.attempts.at(-1).url.searchParams.get("access_token"), "t1");
  }
});

test("without a token, getToken is asked before the first attempt", async () => {
  const world = new World();
  const tab = world.open({ getToken: async () => "fresh" });
  await tab.live();
  assert.equal(world.network.attempts[0].url.searchParams.get("access_token"), "fresh");
});

for (const status of [401, 403]) {
  test(`${status} asks getToken once, goes on with the fresh token`, async () => {
    const world = new World();
    let asked = 0;
    world.network.set({ websocket: "refuse", sse: status });
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
    world.network.set({ websocket: "refuse", sse: status, poll: status });
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
  world.network.set({ websocket: "refuse", sse: 401 });
  const tab = world.open({ token: "old" });
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
});

test("getToken that fails, or gives nothing, stops too", async () => {
  for (const getToken of [() => Promise.reject(new Error("offline")), () => null]) {
    const world = new World();
    world.network.set({ websocket: "refuse", sse: 401 });
    const tab = world.open({ token: "old", getToken });
    await world.clock.advance(100);
    assert.equal(tab.stream.state, "unauthorized");
  }
});

test("1008 and goodbye `auth` are refusals; a server that repeats them can't make a loop", async () => {
  const world = new World();
  let asked = 0;
  const tab = world.open({ transports: ["websocket"], token: "old", getToken: () => `new${(asked += 1)}` });
  await tab.live();
  world.log.goodbye("auth", 0, 1008);
  await tab.live();
  assert.equal(asked, 1);
  world.network.connections("websocket")[0].cut(1008);
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
  assert.equal(asked, 1);
});

test("WebSocket alone: a refused handshake, which the browser hides, is found out over HTTP", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", poll: 401 });
  const tab = world.open({ transports: ["websocket"], token: "old" });
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
});

test("a fresh token is asked for again after a productive connection", async () => {
  const world = new World();
  let asked = 0;
  const tab = world.open({ transports: ["websocket"], token: "old", getToken: () => `new${(asked += 1)}` });
  for (const expected of [1, 2, 3]) {
    await tab.live();
    await world.clock.advance(10_100);
    world.log.goodbye("auth", 0, 1008);
    await tab.live();
    assert.equal(asked, expected);
  }
});
