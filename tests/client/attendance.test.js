/**
 * Members over whatever connection there is: silent over reconnects and changes of transport, kept for as long as the
 * page is there, and put right where something was lost.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

const SETTLED = 600; // ms

/** A tab at `a`, which somebody else sees; `me` has come, and nothing else was seen of him. */
async function here(world, options = {}, place = {}) {
  const tab = world.open({ topics: "a", ...options });
  const handle = tab.stream.place("a", { data: { n: 1 }, member: "me", ...place });
  await tab.live();
  await world.clock.advance(SETTLED);
  return { tab, handle, seen: () => world.network.crowd.seen("me") };
}

const ONCE = { joins: 1, updates: 0, leaves: 0 };
const TRANSPORTS = ["websocket", "sse", "eventsource", "poll"];

for (const transport of TRANSPORTS) {
  test(`${transport}: it is there, sees the others, and stays for as long as the page is there`, async () => {
    const world = new World();
    const { handle, seen } = await here(world, { transports: [transport] });
    await handle.ready;
    assert.deepEqual([handle.self.data, seen()], [{ n: 1 }, ONCE]);
    await world.clock.advance(200_000);
    assert.deepEqual([handle.current, seen()], [true, ONCE]);
    world.network.crowd.enter("self", "a", "x", { user: "bob", connection: "else" });
    await world.clock.advance(SETTLED);
    assert.deepEqual(
      handle.members.map(({ member }) => member),
      ["me", "x"],
    );
    handle.set({ n: 2 });
    await world.clock.advance(SETTLED);
    assert.deepEqual(world.network.crowd.member("a", "me").data, { n: 2 });
    handle.close();
    await world.clock.advance(SETTLED);
    assert.deepEqual(world.network.crowd.told.at(-1).leaves, [{ user: null, member: "me", reason: "left" }]);
  });

  test(`${transport}: a connection that is cut and made again nobody sees`, async () => {
    const world = new World();
    const { tab, handle, seen } = await here(world, { transports: [transport] });
    for (let n = 0; n < 3; n += 1) {
      world.network.cut();
      await world.clock.advance(1);
      await tab.live();
      await world.clock.advance(SETTLED);
    }
    await world.clock.advance(20_000);
    assert.deepEqual([handle.current, seen()], [true, ONCE]);
  });

  test(`${transport}: a place that is opened later is no other connection's business`, async () => {
    const world = new World();
    const tab = world.open({ topics: "a/**", transports: [transport] });
    await tab.live();
    const handle = tab.stream.place("a/1", { member: "me" });
    await world.clock.advance(3_000);
    await handle.ready;
    assert.deepEqual([handle.current, handle.self.member, tab.stream.topics], [true, "me", ["a/**"]]);
    assert.deepEqual(world.network.crowd.seen("me"), ONCE);
    world.network.crowd.leave("a/1", "me", "lost");
    await world.clock.advance(4_000);
    assert.equal(handle.self?.member, "me", "whoever is told that he is lost, and is not, enters again");
  });
}

test("a stream that moves to another transport and back is one member all the time", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", sse: "refuse" });
  const { tab, seen } = await here(world);
  assert.equal(tab.stream.transport, "poll");
  world.network.set({ sse: "ok" });
  await world.clock.until(() => tab.stream.transport === "sse", 400_000);
  world.network.set({ websocket: "ok" });
  await world.clock.until(() => tab.stream.transport === "websocket", 400_000);
  await world.clock.advance(60_000);
  world.network.set({ websocket: "refuse" });
  world.network.cut();
  await world.clock.until(() => tab.stream.transport === "sse", 60_000);
  await world.clock.advance(60_000);
  assert.deepEqual(seen(), ONCE);
  assert.equal(tab.stream.stats.switches, 3);
});

test("it enters before the page hears that it is connected", async () => {
  const world = new World();
  const { tab } = await here(world, { transports: ["websocket"] });
  const sent = [];
  tab.stream.on(":transport", () =>
    sent.push(world.network.connections("websocket")[0]?.sent.map(({ op }) => op)),
  );
  world.network.cut();
  await world.clock.advance(1);
  await tab.live();
  assert.deepEqual(sent, [undefined, ["watch", "enter"]]);
});

test("a member says something every twelve seconds, and with each heartbeat, since timers of hidden pages are slow", async () => {
  const world = new World();
  await here(world, { transports: ["websocket"] });
  const [socket] = world.network.connections("websocket");
  const pings = () => socket.sent.filter(({ op }) => op === "ping").length;
  await world.clock.advance(60_000);
  assert.ok(pings() >= 5);
  const before = pings();
  world.log.tell({ type: "heartbeat", id: world.log.cursor() });
  assert.equal(pings(), before + 1);
  const silent = new World();
  await here(silent, { transports: ["websocket"] }, { enter: false });
  await silent.clock.advance(60_000);
  assert.deepEqual(
    silent.network.connections("websocket")[0].sent.map(({ op }) => op),
    ["watch"],
  );
});

test("a frame that is lost leaves a hole: the state is asked for, and all is right", async () => {
  for (const transport of TRANSPORTS.slice(0, 2)) {
    const world = new World();
    const { handle } = await here(world, { transports: [transport] });
    const { crowd } = world.network;
    let lost = 0;
    world.network.filter = (frame) => (frame.joins?.[0]?.member === "x" ? ((lost += 1), null) : frame);
    crowd.enter("self", "a", "x", { connection: "else" });
    await world.clock.advance(SETTLED);
    assert.deepEqual([lost, handle.members.length], [1, 1], "nothing tells it yet");
    crowd.enter("self", "a", "y", { connection: "else" });
    await world.clock.advance(SETTLED);
    assert.deepEqual(
      handle.members.map(({ member }) => member),
      ["me", "x", "y"],
      transport,
    );
  }
});

test("the page that ends says so with a beacon; loaded again it is the same, and nobody saw it go", async () => {
  for (const transport of ["websocket", "sse"]) {
    const world = new World();
    const storage = world.platform().storage;
    const first = world.open({ storage, transports: [transport] });
    const { member } = await (async () => {
      const handle = first.stream.place("a");
      await world.clock.advance(SETTLED);
      return handle;
    })();
    const [{ opened }] = world.network.connections(transport);
    first.page.fire("pagehide");
    assert.deepEqual(world.network.beacons, [
      {
        path: "/tw/api/presence/leave",
        body: { connection: opened.connection, members: [{ place: "a", member }] },
      },
    ]);
    world.network.cut();
    first.stream.drop();
    first.stream.close();
    const again = world.open({ storage, transports: [transport] }).stream.place("a");
    await world.clock.advance(20_000);
    assert.equal(again.member, member);
    assert.deepEqual(world.network.crowd.seen(member), ONCE, transport);
  }
});

test("a page that is put aside enters again when it is taken out", async () => {
  const world = new World();
  const { tab, handle } = await here(world, { transports: ["websocket"] });
  tab.page.fire("pagehide");
  await world.clock.advance(5_000);
  assert.deepEqual(world.network.crowd.at("a"), []);
  tab.page.fire("pageshow");
  await world.clock.advance(SETTLED);
  assert.deepEqual([world.network.crowd.at("a"), handle.self.member], [["me"], "me"]);
});

test("over a long poll the last thing is a short lease", async () => {
  const world = new World();
  const { tab } = await here(world, { transports: ["poll"] });
  tab.page.fire("pagehide");
  tab.stream.drop();
  await world.clock.advance(9_000);
  assert.deepEqual([world.network.crowd.at("a"), world.network.beacons], [["me"], []]);
  await world.clock.advance(2_000);
  assert.deepEqual(world.network.crowd.at("a"), []);
});

test("whoever leaves while a poll's connection is away is gone as soon as a request gets through", async () => {
  for (const how of ["leave", "close", "end", "again"]) {
    const world = new World();
    const { tab, handle } = await here(world, { transports: ["poll"] });
    world.network.set({ poll: "refuse", presence: how === "end" ? "ok" : "refuse" });
    world.network.cut();
    await world.clock.advance(200);
    assert.deepEqual([tab.stream.transport, world.network.crowd.at("a")], [null, ["me"]]);
    if (how === "end") tab.stream.close();
    else handle[how === "close" ? "close" : "leave"]();
    if (how === "again") handle.enter();
    await world.clock.advance(2_000);
    world.network.set({ presence: "ok" });
    await world.clock.advance(3_000);
    assert.deepEqual(world.network.crowd.at("a"), how === "again" ? ["me"] : [], how);
    if (how !== "again") assert.equal(world.network.crowd.told.at(-1).leaves[0].reason, "left");
    world.network.up();
    await world.clock.advance(30_000);
    assert.deepEqual(world.network.crowd.at("a"), how === "again" ? ["me"] : [], how);
    tab.stream.close();
    await world.clock.advance(1_000);
    assert.equal(world.clock.pending, 0);
  }
});

test("of whoever can't say that he leaves nothing is tried when his lease has ended", async () => {
  const world = new World();
  const { handle } = await here(world, { transports: ["poll"] });
  world.network.set({ poll: "refuse", presence: "refuse" });
  world.network.cut();
  await world.clock.advance(200);
  handle.leave();
  await world.clock.advance(80_000);
  const tried = world.network.tried("presence").length;
  world.network.set({ presence: "ok" });
  await world.clock.advance(60_000);
  assert.equal(world.network.tried("presence").length, tried);
});

test("nothing is left running when the stream is closed", async () => {
  for (const transport of TRANSPORTS) {
    const world = new World();
    const { tab, handle } = await here(world, { transports: [transport] }, { away: true });
    handle.set({ n: 3 });
    tab.stream.close();
    await world.clock.advance(20_000);
    assert.equal(world.clock.pending, 0, transport);
  }
});
