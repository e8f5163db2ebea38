/** The places of a page over what happens to it: another user in its tab, a service that was started anew, refusals. */

import assert from "node:assert/strict";
import test from "node:test";

import { Crowd } from "./support/crowd.js";
import { World } from "./support/world.js";

const SETTLED = 600; // ms: a batch, and what it takes on its way
const HOLD = 10_000; // ms

const names = (handle) => handle.users.map(({ user, members }) => user ?? members[0].member);

/** A place, and what it tells. */
function room(tab, options = {}, place = "a") {
  const handle = tab.stream.place(place, options);
  const heard = [];
  handle.on("came", ({ user }) => heard.push(`came ${user}`));
  handle.on("went", ({ user }) => heard.push(`went ${user}`));
  handle.on("error", ({ status }) => heard.push(`error ${status}`));
  return { handle, heard };
}

/** Others are there, and everybody has heard. */
async function others(world, ...users) {
  const { crowd } = world.network;
  const { refusals } = crowd;
  crowd.refusals = [];
  for (const user of users) crowd.enter("self", "a", `m-${user}`, { user, connection: "else" });
  crowd.refusals = refusals;
  await world.clock.advance(SETTLED);
}

// -- whose tab it is

for (const transport of ["websocket", "sse", "poll"]) {
  test(`${transport}: another user in the same tab is somebody else from the first moment`, async () => {
    const world = new World();
    const { storage } = world.platform();
    const [ada, bob] = ["ada", "bob"].map((name) => world.network.guard.add(`t-${name}`, name));
    const options = { storage, transports: [transport], random: Math.random };
    const first = world.open({ ...options, token: ada });
    const former = room(first).handle;
    await first.live();
    await world.clock.advance(SETTLED);
    assert.equal(former.self.user, "ada");
    first.page.fire("pagehide");
    first.stream.drop();
    first.stream.close();

    const second = world.open({ ...options, token: bob });
    const { handle, heard } = room(second);
    const shown = [];
    handle.on("change", () => shown.push(handle.self, ...handle.users.filter(({ self }) => self)));
    await world.clock.advance(1_000);
    assert.equal(handle.self?.user, "bob");
    assert.deepEqual([...new Set(shown.filter(Boolean).map(({ user }) => user))], ["bob"]);
    assert.notEqual(handle.member, former.member);
    assert.deepEqual([handle.error, heard.includes("error 403")], [null, false]);
    await world.clock.advance(60_000);
    assert.deepEqual(names(handle), ["bob"], "the former is gone");
    const third = world.open({ ...options, token: bob }).stream.place("a");
    await world.clock.advance(1_000);
    assert.equal(third.member, handle.member, "it is the tab's from now on");
  });
}

test("an id that the page gave is the page's business, and what was drawn is drawn anew once", async () => {
  const world = new World();
  world.network.crowd.enter("self", "a", "mine", { user: "eve", connection: "else" });
  world.network.crowd.forbidden.add("c");
  const tab = world.open({ random: Math.random, topics: ["a", "b", "c"] });
  const given = room(tab, { member: "mine" });
  const lacking = room(tab, {}, "c");
  await tab.live();
  await world.clock.advance(SETTLED);
  assert.deepEqual([given.handle.member, given.handle.error.status, given.handle.self], ["mine", 403, null]);
  assert.equal(lacking.handle.error.problem.field, "place");
  const { member } = lacking.handle;
  world.network.crowd.refusals.push(403, 403, 403);
  const drawn = room(tab, {}, "b");
  await world.clock.advance(SETTLED);
  assert.deepEqual([drawn.handle.error.status, drawn.heard], [403, ["error 403"]]);
  assert.notEqual(drawn.handle.member, member);
  assert.equal(lacking.handle.member, drawn.handle.member, "a tab has one");
});

// -- a service that is started anew

/** It is stopped, and runs again without anybody, with numbers above those that it had. */
async function restarted(world, tab, forbidden = []) {
  world.network.crowd = Object.assign(new Crowd(world.clock), { forbidden: new Set(forbidden) });
  world.network.cut();
  await world.clock.advance(1);
  await tab.live();
}

for (const transport of ["websocket", "sse", "eventsource", "poll"]) {
  test(`${transport}: a service that is started anew is no reason to go and come`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    const { handle, heard } = room(tab, { member: "me" });
    await others(world, "bob", "eve", "joe");
    await tab.live();
    await world.clock.advance(SETTLED);
    heard.length = 0;
    const left = [];
    const shown = [];
    handle.on("change", (change) => left.push(...change.left.map(({ member }) => member)));
    handle.on("change", () => handle.current && shown.push(names(handle).length, handle.counts.users));
    await restarted(world, tab);
    await world.clock.advance(1_500);
    await others(world, "bob");
    await others(world, "eve");
    world.network.crowd.leave("a", "m-eve");
    await world.clock.advance(SETTLED);
    assert.deepEqual([heard, left], [["went eve"], ["m-eve"]], "of whom it is said he has gone");
    assert.deepEqual([names(handle).toSorted(), handle.current], [["bob", "joe", "me"], true]);
    await world.clock.advance(HOLD);
    assert.deepEqual(
      [heard, left],
      [
        ["went eve", "went joe"],
        ["m-eve", "m-joe"],
      ],
    );
    assert.deepEqual([names(handle), handle.counts], [["me", "bob"], { users: 2, members: 2 }]);
    assert.deepEqual([...new Set(shown)].toSorted(), [2, 3, 4]);
    assert.equal(handle.self.member, "me");
  });
}

test("whoever is held is waited for again after another cut, and by nobody after the end", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  const { handle, heard } = room(tab, { enter: false });
  await others(world, "bob");
  await tab.live();
  await world.clock.advance(SETTLED);
  heard.length = 0;
  await restarted(world, tab);
  await world.clock.advance(HOLD - 1_000);
  world.network.down();
  await world.clock.advance(5_000);
  assert.deepEqual([heard, names(handle), handle.current], [[], ["bob"], false], "nobody knows");
  world.network.up();
  await tab.live();
  await world.clock.advance(HOLD - 1_000);
  assert.deepEqual([heard, names(handle)], [[], ["bob"]]);
  await world.clock.advance(1_100);
  assert.deepEqual([heard, names(handle)], [["went bob"], []]);
  await others(world, "eve");
  await restarted(world, tab);
  await world.clock.advance(SETTLED);
  tab.stream.close();
  await world.clock.advance(20_000);
  assert.deepEqual([heard.at(-1), world.clock.pending], ["came eve", 0]);
});

test("oneself is not taken to be coming back after one has left, or was refused", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  const [{ handle }, refused] = [room(tab, { member: "me" }), room(tab, { member: "me" }, "b")];
  await tab.live();
  await world.clock.advance(SETTLED);
  await restarted(world, tab, ["b"]);
  handle.leave();
  assert.deepEqual([handle.self, handle.users], [null, []]);
  world.network.crowd.leave("a", "me");
  await world.clock.advance(SETTLED);
  assert.deepEqual([handle.self, refused.handle.self, refused.handle.error.status], [null, null, 403]);
});

// -- what is refused

test("what no path of a URL leads to is neither a place nor a member", () => {
  const world = new World();
  const { stream } = world.open();
  for (const member of [".", "..", "..."])
    assert.throws(() => stream.place("a", { member }), { status: 422, problem: { field: "member" } });
  for (const place of ["..", "a/..", "../a", "a/./b"])
    assert.throws(() => stream.place(place), { status: 422, problem: { field: "place" } });
  assert.equal(stream.place("a/..b", { member: "..me" }).member, "..me");
  stream.close();
});

test("data that are no JSON are refused as what is no object is", () => {
  const world = new World();
  const { stream } = world.open();
  const cycle = {};
  cycle.cycle = cycle;
  const handle = stream.place("a", { data: { n: 1 }, member: "me" });
  for (const data of [{ n: 1n }, cycle, new Date(), () => {}, Symbol("s"), "text", null]) {
    const refused = { name: "TwinwireError", status: 422, problem: { field: "data" } };
    assert.throws(() => stream.place("b", { data }), refused);
    assert.throws(() => handle.set(data), refused);
    assert.throws(() => handle.merge(data), refused);
    assert.throws(() => handle.enter(data ?? []), refused);
  }
  stream.close();
});

for (const transport of ["websocket", "sse"]) {
  test(`${transport}: a bound of the service is told once, tried on, and forgotten once there is room`, async () => {
    const world = new World();
    const tab = world.open({ transports: [transport] });
    world.network.crowd.refusals = Array(6).fill(429);
    const { handle, heard } = room(tab, { member: "me" });
    await tab.live();
    await world.clock.advance(SETTLED);
    assert.deepEqual([handle.error.status, handle.self, heard], [429, null, ["error 429"]]);
    await others(world, "bob");
    assert.equal(handle.error.status, 429);
    await world.clock.advance(120_000);
    assert.deepEqual([handle.error, handle.self.member], [null, "me"]);
    assert.deepEqual(heard, ["error 429", "came bob"]);
    world.network.crowd.refusals.push(503, 503, 503);
    handle.set({ n: 2 });
    await world.clock.advance(100);
    await others(world, "eve");
    assert.equal(handle.error?.status, 503, "that one is there says nothing of what he says now");
    await world.clock.advance(60_000);
    assert.deepEqual([handle.error, handle.self.data], [null, { n: 2 }]);
  });
}

test("a connection that is lost is no refusal", async () => {
  const world = new World();
  const tab = world.open({ transports: ["sse"] });
  world.network.set({ presence: "refuse" });
  const { handle, heard } = room(tab);
  await tab.live();
  await world.clock.advance(20_000);
  world.network.set({ presence: 503 });
  world.network.problem = false; // of a proxy
  await world.clock.advance(20_000);
  assert.deepEqual([handle.error, heard], [null, []]);
});
