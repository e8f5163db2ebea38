/** Who is at a place, as a page has it, over a whole connection. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

const SETTLED = 600; // ms: a batch, and what it takes on its way

/** They come, and everybody has heard. */
async function others(world, names, place = "a") {
  for (const name of names)
    world.network.crowd.enter("self", place, `m-${name}`, { user: name, data: { name }, connection: "else" });
  await world.clock.advance(SETTLED);
}

/** A room, and what it tells. */
function room(tab, place = "a", options = {}) {
  const handle = tab.stream.place(place, options);
  const heard = [];
  handle.on("came", ({ user }) => heard.push(`came ${user}`));
  handle.on("went", ({ user }) => heard.push(`went ${user}`));
  handle.on("error", ({ status }) => heard.push(`error ${status}`));
  return { handle, heard };
}

const names = (handle) => handle.users.map(({ user, members }) => user ?? members[0].member);

test("it enters, and says who is there, oneself first", async () => {
  const world = new World();
  await others(world, ["bob", "eve"]);
  const token = world.network.guard.add("t", "ada");
  const tab = world.open({ token });
  const { handle, heard } = room(tab, "a", { data: { name: "Ada" }, member: "me" });
  assert.deepEqual([handle.current, handle.users, handle.entered], [false, [], true]);
  await world.clock.advance(SETTLED);
  await handle.ready;
  assert.deepEqual(names(handle), ["ada", "bob", "eve"]);
  assert.deepEqual(handle.counts, { users: 3, members: 3 });
  assert.deepEqual([handle.current, handle.self.data, handle.users[0].self], [true, { name: "Ada" }, true]);
  assert.deepEqual(heard, [], "who was there has not come, and nobody is told of himself");
  await others(world, ["joe"]);
  world.network.crowd.leave("a", "m-bob");
  await world.clock.advance(SETTLED);
  assert.deepEqual(heard, ["came joe", "went bob"]);
  assert.deepEqual(names(handle), ["ada", "eve", "joe"]);
});

test("a second tab of a user neither comes nor goes, and those without a user are each by themselves", async () => {
  const world = new World();
  await others(world, ["bob"]);
  const { handle, heard } = room(world.open(), "a", { enter: false });
  const { crowd } = world.network;
  await world.clock.advance(SETTLED);
  await handle.ready;
  crowd.enter("self", "a", "m-bob-2", { user: "bob", data: { away: true }, connection: "else" });
  crowd.enter("self", "a", "x", { connection: "else" });
  crowd.enter("self", "a", "y", { connection: "else" });
  await world.clock.advance(SETTLED);
  assert.deepEqual(
    handle.users.map(({ user, members, away }) => [user, members.length, away]),
    [
      ["bob", 2, false],
      [null, 1, false],
      [null, 1, false],
    ],
  );
  assert.deepEqual(handle.users[0].data, { name: "bob" }, "of the tab that is looked at");
  crowd.leave("a", "m-bob");
  await world.clock.advance(SETTLED);
  assert.equal(handle.users[0].away, true);
  assert.deepEqual(heard, []);
  assert.equal(crowd.asked.length, 4, "whoever only looks does not enter");
  assert.equal(handle.self, null);
});

test("what changes is told once for each frame, with the lists made anew", async () => {
  const world = new World();
  const { handle } = room(world.open(), "a", { enter: false });
  await world.clock.advance(SETTLED);
  await handle.ready;
  const changes = [];
  handle.on("change", ({ joined, updated, left }) =>
    changes.push([joined.length, updated.length, left.length]),
  );
  const before = handle.users;
  await others(world, ["bob", "eve"]);
  await world.clock.advance(SETTLED);
  assert.notEqual(handle.users, before);
  assert.equal(handle.users, handle.users);
  assert.ok(Object.isFrozen(handle.users) && Object.isFrozen(handle.users[0]));
  await others(world, ["bob"]);
  world.network.crowd.enter("self", "a", "m-eve", { user: "eve", data: { busy: 1 }, connection: "else" });
  await world.clock.advance(SETTLED);
  world.network.crowd.leave("a", "m-eve");
  await world.clock.advance(SETTLED);
  assert.deepEqual(changes, [
    [2, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
});

test("set and merge go out at once, and then four times a second, the last of them", async () => {
  const world = new World();
  const tab = world.open();
  const { handle } = room(tab, "a", { data: { name: "Ada", view: { file: "a", line: 1 } }, member: "me" });
  await tab.live();
  await world.clock.advance(SETTLED);
  const { crowd } = world.network;
  const before = crowd.asked.length;
  for (let line = 2; line <= 101; line += 1) {
    handle.merge({ view: { line } });
    await world.clock.advance(10);
  }
  await world.clock.advance(SETTLED);
  assert.deepEqual(crowd.member("a", "me").data, { name: "Ada", view: { file: "a", line: 101 } });
  assert.ok(crowd.asked.length - before <= 5, `${crowd.asked.length - before} in a second`);
  handle.merge({ view: null });
  handle.set({ name: "Ada" });
  await world.clock.advance(SETTLED);
  assert.deepEqual(handle.self.data, { name: "Ada" });
  const asked = crowd.asked.length;
  handle.set({ name: "Ada" });
  await world.clock.advance(SETTLED);
  assert.equal(crowd.asked.length, asked, "the same is not said twice");
  for (const wrong of [null, 1, "text", []]) assert.throws(() => handle.set(wrong), { status: 422 });
  assert.deepEqual(handle.self.data, { name: "Ada" });
});

test("away is told while the page is hidden", async () => {
  const world = new World();
  const tab = world.open();
  const { handle } = room(tab, "a", { data: { name: "Ada" }, away: true });
  await world.clock.advance(SETTLED);
  await handle.ready;
  tab.page.hide();
  await world.clock.advance(SETTLED);
  assert.deepEqual([handle.self.data, handle.users[0].away], [{ name: "Ada", away: true }, true]);
  tab.page.show();
  await world.clock.advance(SETTLED);
  assert.deepEqual(handle.self.data, { name: "Ada" });
});

test("away is told as well of who left and came back, and of who came later", async () => {
  for (const enter of [true, false]) {
    const world = new World();
    const tab = world.open();
    const { handle } = room(tab, "a", { data: { n: 1 }, away: true, enter });
    await tab.live();
    await world.clock.advance(SETTLED);
    handle.leave();
    await world.clock.advance(SETTLED);
    handle.enter();
    await world.clock.advance(SETTLED);
    tab.page.hide();
    await world.clock.advance(SETTLED);
    assert.deepEqual(handle.self.data, { n: 1, away: true });
  }
});

test("leave is at once, and still sees who is there; enter comes back; close ends it", async () => {
  const world = new World();
  const tab = world.open({ topics: "other" });
  const { handle } = room(tab, "a", { data: { n: 1 }, member: "me" });
  await tab.live();
  await world.clock.advance(SETTLED);
  await handle.ready;
  handle.leave();
  await world.clock.advance(SETTLED);
  assert.deepEqual([world.network.crowd.at("a"), handle.entered, handle.self], [[], false, null]);
  assert.equal(world.network.crowd.told.at(-1).leaves[0].reason, "left");
  await others(world, ["bob"]);
  await world.clock.advance(SETTLED);
  assert.deepEqual(names(handle), ["bob"]);
  handle.enter();
  await world.clock.advance(SETTLED);
  assert.deepEqual(handle.self.data, { n: 1 });
  assert.deepEqual(tab.stream.topics, ["other", "a"]);
  handle.close();
  handle.close();
  await world.clock.advance(SETTLED);
  assert.deepEqual(world.network.crowd.at("a"), ["m-bob"]);
  assert.deepEqual(tab.stream.topics, ["other"]);
  handle.enter();
  handle.set({ n: 2 });
  await world.clock.advance(SETTLED);
  assert.deepEqual(world.network.crowd.at("a"), ["m-bob"]);
});

test("two handles of one place are one member, which leaves with the last", async () => {
  const world = new World();
  const tab = world.open();
  const [first, second] = [room(tab, "a", { data: { n: 1 } }).handle, room(tab, "a").handle];
  await world.clock.advance(SETTLED);
  await second.ready;
  assert.equal(first.member, second.member);
  assert.throws(() => tab.stream.place("a", { member: "another" }), { status: 422 });
  assert.equal(world.network.crowd.at("a").length, 1);
  second.set({ n: 2 });
  first.close();
  await world.clock.advance(SETTLED);
  assert.deepEqual(second.self.data, { n: 2 });
  second.leave();
  await world.clock.advance(SETTLED);
  assert.deepEqual(world.network.crowd.at("a"), []);
});

test("who may not enter sees who is there, and who may not watch is told", async () => {
  const world = new World();
  await others(world, ["bob"]);
  world.network.crowd.forbidden.add("a").add("watch b");
  const tab = world.open({ topics: ["a", "b"] });
  const [a, b] = [room(tab, "a"), room(tab, "b", { enter: false })];
  await world.clock.advance(SETTLED);
  await a.handle.ready;
  await assert.rejects(b.handle.ready, { status: 403 });
  await world.clock.advance(SETTLED);
  assert.deepEqual([names(a.handle), a.handle.error.status, a.heard], [["bob"], 403, ["error 403"]]);
  assert.deepEqual([b.handle.users, b.handle.current, b.heard], [[], false, ["error 403"]]);
  world.network.crowd.forbidden.delete("a");
  a.handle.set({ name: "Ada" });
  await world.clock.advance(SETTLED);
  assert.equal(a.handle.error, null);
  assert.equal(a.handle.users[0].self, true);
});

test("what passes is tried again: too many, a server that has no room", async () => {
  const world = new World();
  world.network.crowd.refusals.push(429, 503);
  const { handle, heard } = room(world.open(), "a", { data: { n: 1 } });
  await world.clock.advance(SETTLED);
  await handle.ready;
  await world.clock.advance(10_000);
  assert.deepEqual([handle.self.data, heard], [{ n: 1 }, ["error 429", "error 503"]]);
  assert.equal(handle.error, null);
});

test("with too many there are counts, and lists again when there are fewer", async () => {
  const world = new World();
  world.network.crowd.listed = 2;
  await others(world, ["bob", "eve", "joe"]);
  const { handle, heard } = room(world.open(), "a", { enter: false });
  await world.clock.advance(SETTLED);
  await handle.ready;
  assert.deepEqual([handle.truncated, handle.users, handle.counts.members], [true, [], 3]);
  world.network.crowd.leave("a", "m-joe");
  await world.clock.advance(SETTLED);
  assert.deepEqual([handle.truncated, handle.counts.members, heard], [false, 2, []]);
});

test("while the connection is away it is who was there, and afterwards what has changed is told", async () => {
  const world = new World();
  await others(world, ["bob", "eve"]);
  const tab = world.open({ transports: ["websocket"] });
  const { handle, heard } = room(tab, "a", { enter: false });
  await world.clock.advance(SETTLED);
  await handle.ready;
  let told = 0;
  handle.on("change", () => (told += 1));
  world.network.down();
  await world.clock.advance(10);
  assert.deepEqual([handle.current, names(handle), told], [false, ["bob", "eve"], 1]);
  world.network.crowd.leave("a", "m-eve");
  await others(world, ["joe"]);
  world.network.up();
  await tab.live();
  await world.clock.advance(SETTLED);
  assert.deepEqual([handle.current, names(handle), heard], [true, ["bob", "eve", "joe"], ["came joe"]]);
  await world.clock.advance(10_000);
  assert.deepEqual([handle.current, names(handle), heard], [true, ["bob", "joe"], ["came joe", "went eve"]]);
});

test("a stream that is closed leaves, and its places end", async () => {
  const world = new World();
  const tab = world.open();
  const { handle } = room(tab, "a");
  await world.clock.advance(SETTLED);
  await handle.ready;
  tab.stream.close();
  await world.clock.advance(SETTLED);
  assert.equal(world.network.crowd.told.at(-1).leaves[0].reason, "left");
  assert.equal(handle.current, false);
  const never = world.open();
  const { ready } = never.stream.place("a");
  never.stream.close();
  await assert.rejects(ready, { name: "TwinwireError" });
});

test("what is no topic, no member's id or no object is refused", () => {
  const world = new World();
  const { stream } = world.open();
  for (const topic of ["", "a/*", "a b", 7]) assert.throws(() => stream.place(topic), { status: 422 });
  for (const member of ["", "a b", "x".repeat(65)])
    assert.throws(() => stream.place("a", { member }), { status: 422 });
  assert.throws(() => stream.place("a", { data: [] }), { status: 422 });
  const handle = stream.place("a", { data: { n: 1 } });
  assert.equal(handle.entered, true);
  stream.close();
});
