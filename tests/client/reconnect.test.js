/** Reconnecting: delays, orders of the server, wake-ups, limits, and the client's own diagnosis. */

import assert from "node:assert/strict";
import test from "node:test";

import { range, World } from "./support/world.js";

const delays = (tab) => tab.noticed(":retry").map(({ delay }) => delay);

test("full jitter from 1 s to 30 s, endless", async () => {
  const world = new World();
  world.network.down();
  const tab = world.open({ random: () => 0.999 });
  await world.clock.advance(10 * 60_000);
  assert.deepEqual(delays(tab).slice(0, 7), [999, 1998, 3996, 7992, 15984, 29970, 29970]);
  assert.ok(tab.noticed(":retry").length > 15);
  world.network.up();
  await tab.live(31_000);
});

test("maxRetries ends it with the last fault", async () => {
  const world = new World();
  world.network.down();
  const tab = world.open({ maxRetries: 3 });
  await world.clock.advance(60_000);
  assert.equal(tab.stream.state, "closed");
  assert.equal(delays(tab).length, 3);
  assert.equal(tab.noticed(":close")[0].error.kind, "network");
});

test("a connection that only opens does not reset the back-off; an event, or 10 s, does", async () => {
  const world = new World();
  world.network.set({ websocket: "kill" });
  world.network.killAfter = 100;
  const tab = world.open({ transports: ["websocket"] });
  await world.clock.advance(20_000);
  const futile = delays(tab);
  assert.deepEqual(futile.slice(0, 4), [500, 1_000, 2_000, 4_000]);

  world.network.set({ websocket: "ok" });
  await tab.live(40_000);
  world.log.publish("a");
  await world.clock.advance(10);
  world.network.cut();
  await world.clock.advance(1);
  assert.equal(delays(tab).at(-1), 500);

  await tab.live();
  await world.clock.advance(10_100);
  world.network.cut();
  await world.clock.advance(1);
  assert.equal(delays(tab).at(-1), 500);
});

test("goodbye.retry wins over our own delay, and the transport is not blamed", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.log.goodbye("restart", 7_000, 1012);
  assert.deepEqual(delays(tab), [7_000]);
  tab.page.fire("online");
  await world.clock.advance(6_900);
  assert.equal(tab.stream.state, "reconnecting", "a wake-up does not shorten what the server ordered");
  await world.clock.advance(200);
  assert.equal(tab.stream.state, "live");
  assert.equal(tab.stream.transport, "websocket");
});

test("the page's own reconnect() does shorten it", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.log.goodbye("restart", 30_000, 1012);
  tab.stream.reconnect();
  assert.ok((await tab.live()) < 100);
});

test("Retry-After wins, in seconds, and stops the race", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", sse: 503 });
  world.network.retryAfter = 12;
  const tab = world.open();
  await world.clock.advance(100);
  assert.deepEqual(delays(tab), [12_000]);
  assert.equal(world.network.tried("poll").length, 0, "the service has answered for all transports");
});

test("an absurd order of the server is cut to ten minutes", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  world.log.goodbye("restart", 1e12, 1012);
  assert.deepEqual(delays(tab), [600_000]);
});

for (const [name, wake] of [
  ["online", (page) => page.fire("online")],
  ["visibilitychange", (page) => page.show()],
  ["pageshow", (page) => page.fire("pageshow")],
]) {
  test(`${name} wakes it at once`, async () => {
    const world = new World();
    world.network.down();
    const tab = world.open({ random: () => 0.999 });
    await world.clock.advance(20_000);
    world.network.up();
    wake(tab.page);
    assert.ok((await tab.live()) < 50);
  });
}

test("offline is shown, and attempts wait for online", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  tab.page.offline();
  world.network.down();
  await world.clock.advance(1);
  assert.equal(tab.stream.state, "offline");
  const attempts = world.network.attempts.length;
  await world.clock.advance(29_000);
  assert.equal(world.network.attempts.length, attempts);
  world.network.up();
  tab.page.online();
  assert.ok((await tab.live()) < 50);
});

test("offline is shown at once, whatever becomes of the connection; one that works says so by its next frame", async () => {
  for (const transport of ["websocket", "sse", "poll"]) {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    const { connected } = world.log;
    world.network.filter = () => null; // nothing arrives, and nothing is cut: as emulated, and behind a dead NAT
    tab.page.offline();
    assert.equal(tab.stream.state, "offline", transport);
    await world.clock.advance(3_000);
    assert.equal(tab.stream.state, "offline");
    world.network.filter = (frame) => frame;
    world.log.publish("a");
    await world.clock.advance(100);
    assert.deepEqual(
      [tab.stream.state, tab.offsets, world.log.connected],
      ["live", [1], connected],
      transport,
    );
    assert.equal(tab.stream.stats.reconnects, 0);
  }
});

test("the network is back: what can be asked is asked, and what can't is replaced at once", async () => {
  for (const [transport, attempts] of [
    ["websocket", 1],
    ["sse", 2],
  ]) {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    await tab.live();
    tab.page.offline();
    tab.page.online();
    assert.equal(tab.stream.state, transport === "sse" ? "replaying" : "offline");
    assert.ok((await tab.live()) < 50, transport);
    assert.equal(world.network.attempts.length, attempts);
  }
});

test("a browser that is wrong about offline still gets attempts, every 30 s", async () => {
  const world = new World();
  const tab = world.open();
  tab.page.network.onLine = false;
  await tab.live();
  world.network.cut();
  await world.clock.advance(30_100);
  assert.equal(tab.stream.state, "live");
});

test("a tab shown again finds out within 4 s that its WebSocket is dead", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  tab.page.hide();
  await world.clock.advance(21_000);
  world.network.set({ websocket: "mute" });
  world.network.filter = (frame, transport) =>
    world.network.tried("websocket").length > 1 ? frame : transport && null;
  tab.page.show();
  await world.clock.advance(4_100);
  world.network.set({ websocket: "ok" });
  await world.clock.advance(100);
  assert.deepEqual(tab.faults(), ["suspended"]);
  assert.equal(tab.stream.state, "live");
});

test("server codes 1001, 1012, 1013 blame no transport, however often", async () => {
  const world = new World();
  const tab = world.open();
  for (const code of [1001, 1012, 1013, 1012]) {
    await tab.live(40_000);
    const before = tab.noticed(":retry").length;
    world.log.goodbye("restart", 1_000, code);
    assert.equal(tab.noticed(":retry").length, before + 1);
  }
  await tab.live();
  assert.equal(tab.stream.transport, "websocket");
});

test("drop() cuts as the network does: nothing is lost", async () => {
  const world = new World();
  const tab = world.open();
  await tab.live();
  for (let n = 0; n < 5; n += 1) {
    world.log.many(10);
    tab.stream.drop();
    world.log.many(10);
    await tab.live();
  }
  assert.deepEqual(tab.offsets, range(1, 100));
  assert.equal(tab.stream.transport, "websocket", "and no transport is blamed for it");
  assert.equal(tab.stream.stats.reconnects, 5);
});

test("a draining server that answers polls at once with nothing is not asked in a loop", async () => {
  const world = new World();
  const tab = world.open({ transports: ["poll"] });
  await tab.live();
  const before = world.network.tried("poll").length;
  world.log.onNext = (_topics, fn) => {
    world.clock.setTimeout(fn, 0);
    return () => {};
  };
  world.log.publish("a"); // the poll that waits is answered; the next ones meet the draining server
  await world.clock.advance(10_000);
  const asked = world.network.tried("poll").length - before;
  assert.ok(asked <= 12, `${asked} requests in 10 s`);
});

test("close() is final, quiet and idempotent, in every state", async () => {
  const world = new World();
  for (const prepare of [() => {}, () => world.clock.advance(1), () => world.clock.advance(100)]) {
    const tab = world.open();
    await prepare();
    tab.stream.close();
    tab.stream.close();
    tab.page.fire("online");
    tab.page.show();
    tab.stream.reconnect();
    world.log.publish("a");
    await world.clock.advance(1_000);
    assert.equal(tab.stream.state, "closed");
    assert.deepEqual(tab.events, []);
    assert.equal(tab.noticed(":close").length, 1);
    assert.equal(world.clock.pending, 0);
    assert.equal(world.log.subscribers, 0);
  }
});
