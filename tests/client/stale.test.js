/** A connection that is said to be there while nothing comes: it is stale after 1.25 heartbeats, on every transport. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

const STALE = 25_000; // ms: 1.25 heartbeats
const POLL = 30_000; // ms: the wait, and half of what an answer may take beyond it

/** One whose line can die without a word: what would arrive waits until it lives. */
function onLine(options) {
  const world = new World();
  const line = { isDead: false, held: [] };
  const fetch = async (url, init) => {
    const answer = await world.network.fetch(url, init);
    if (line.isDead && !url.includes("/api/sse")) await new Promise((resolve) => line.held.push(resolve));
    return answer;
  };
  const { EventSource } = world.network;
  class Held extends EventSource {
    set onmessage(fn) {
      this.act = fn;
    }
    get onmessage() {
      return this.act && ((event) => line.isDead || this.act(event));
    }
  }
  world.network.filter = (frame, transport) => (line.isDead && transport !== "poll" ? null : frame);
  const tab = world.open({ fetch, EventSource: Held, ...options });
  const live = () => {
    line.isDead = false;
    for (const go of line.held.splice(0)) go();
  };
  return { world, tab, line, live };
}

const stale = (tab) => tab.noticed(":stale").map((notice) => notice.stale);

for (const [transport, limit] of [
  ["websocket", STALE],
  ["sse", STALE],
  ["eventsource", STALE],
  ["poll", POLL],
]) {
  test(`${transport}: stale once nothing has come for too long, and no more with the next frame`, async () => {
    const { world, tab, line, live } = onLine({ transports: [transport] });
    await tab.live();
    world.log.publish("a");
    await world.clock.advance(100);
    const { heardAt } = tab.stream.stats;
    line.isDead = true;
    await world.clock.advance(heardAt + limit - 10 - world.clock.now());
    assert.deepEqual([tab.stream.stale, stale(tab)], [false, []]);
    await world.clock.advance(20);
    assert.deepEqual([tab.stream.stale, tab.stream.state, tab.stream.transport], [true, "live", transport]);
    assert.equal(tab.noticed(":stale")[0].since, heardAt);
    live();
    world.log.publish("a");
    await world.clock.advance(100);
    assert.deepEqual([tab.stream.stale, tab.stream.state, stale(tab)], [false, "live", [true, false]]);
    assert.deepEqual([tab.offsets, tab.faults()], [[1, 2], []]);
    assert.equal(tab.noticed(":stale")[1].since, heardAt);
  });
}

test("a quiet server is not stale: its heartbeats are heard", async () => {
  for (const transport of ["websocket", "sse", "poll"]) {
    const { world, tab } = onLine({ transports: [transport] });
    await tab.live();
    await world.clock.advance(10 * 60_000);
    assert.deepEqual([stale(tab), tab.stream.state], [[], "live"], transport);
  }
});

test("it ends with the connection, and the next one begins anew", async () => {
  const { world, tab, line, live } = onLine({ transports: ["websocket"] });
  await tab.live();
  line.isDead = true;
  await world.clock.advance(STALE + 100);
  assert.equal(tab.stream.stale, true);
  live();
  tab.stream.drop();
  assert.deepEqual([tab.stream.stale, stale(tab)], [false, [true, false]]);
  await tab.live();
  await world.clock.advance(STALE - 1_000);
  assert.deepEqual(stale(tab), [true, false]);
});

test("reconnect() and close() end it, and after close nothing is told", async () => {
  for (const act of ["reconnect", "close"]) {
    const { world, tab, line } = onLine();
    await tab.live();
    line.isDead = true;
    await world.clock.advance(STALE + 100);
    tab.stream[act]();
    assert.deepEqual([tab.stream.stale, stale(tab)], [false, [true, false]], act);
    if (act === "close") await world.clock.advance(60_000);
    if (act === "close") assert.deepEqual([stale(tab).length, world.clock.pending], [2, 0]);
  }
});

test("offline says more than stale", async () => {
  const { world, tab, line } = onLine({ transports: ["sse"] });
  await tab.live();
  line.isDead = true;
  await world.clock.advance(STALE + 100);
  tab.page.offline();
  assert.deepEqual([tab.stream.state, tab.stream.stale], ["offline", false]);
  const other = onLine({ transports: ["sse"] });
  await other.tab.live();
  other.tab.page.offline();
  other.line.isDead = true;
  await other.world.clock.advance(STALE + 100);
  assert.deepEqual(stale(other.tab), []);
});

test("a tab that nobody looks at is judged when it is shown", async () => {
  for (const isDead of [false, true]) {
    const { world, tab, line } = onLine({ transports: ["sse"] });
    await tab.live();
    tab.page.hide();
    line.isDead = isDead;
    await world.clock.advance(STALE + 15_000);
    assert.deepEqual(stale(tab), []);
    tab.page.show();
    await world.clock.advance(250);
    assert.deepEqual(stale(tab), isDead ? [true] : []);
  }
});

test("a page that stood still reads what waited for it before it is called stale", async () => {
  const { world, tab } = onLine({ transports: ["sse"] });
  await tab.live();
  await world.clock.advance(1_000);
  world.clock.time += STALE + 5_000; // its timers are late
  tab.page.show();
  world.log.publish("a"); // waited in its socket
  await world.clock.advance(1_000);
  assert.deepEqual([stale(tab), tab.offsets, tab.faults()], [[], [1], []]);
});

test("a machine that slept for less than a stall is stale until something comes", async () => {
  const { world, tab, line } = onLine({ transports: ["sse"] });
  await tab.live();
  line.isDead = true;
  world.clock.suspend(STALE + 5_000); // timers have as long to go as before
  await world.clock.advance(5_300);
  assert.deepEqual([tab.stream.state, stale(tab)], ["live", [true]]);
});

test("a probe that is heard beside a silent connection is heard", async () => {
  const { world, tab, line } = onLine();
  world.network.set({ websocket: "refuse" });
  await tab.live();
  assert.equal(tab.stream.transport, "sse");
  world.network.filter = (frame, transport) => (transport === "sse" && line.isDead ? null : frame);
  line.isDead = true;
  await world.clock.until(() => tab.stream.stale);
  world.network.set({ websocket: "ok" });
  tab.page.fire("online");
  await world.clock.advance(100);
  assert.deepEqual([tab.stream.transport, stale(tab)], ["sse", [true, false]]);
});

test("stats say when the server was heard, also by a heartbeat", async () => {
  const { world, tab } = onLine();
  assert.equal(tab.stream.stats.heardAt, null);
  await tab.live();
  await world.clock.advance(30_000);
  const age = world.clock.now() - tab.stream.stats.heardAt;
  assert.ok(age > 5_000 && age < 11_000, String(age));
});
