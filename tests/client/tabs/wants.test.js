/** Each tab is a member of its own over the leader's connection, and hears what is not kept. */

import assert from "node:assert/strict";
import test from "node:test";

import { roles, World } from "../support/world.js";

const SETTLED = 800; // ms
const ONCE = { joins: 1, updates: 0, leaves: 0 };

/** So many tabs of one user, each a member of `a`: `m0`, `m1` and so on. */
async function crowd(count, options = {}) {
  const world = new World();
  const tabs = await world.tabs(count, () => options);
  const handles = tabs.map(({ stream }, n) => stream.place("a", { member: `m${n}`, data: { n } }));
  await world.clock.advance(SETTLED);
  await Promise.all(handles.map(({ ready }) => ready));
  return { world, tabs, handles, seen: (id) => world.network.crowd.seen(id) };
}

const ids = ({ members }) => members.map(({ member }) => member);

for (const transport of ["websocket", "sse", "poll"]) {
  test(`${transport}: five tabs are five members over one connection, and each sees all`, async () => {
    const { world, tabs, handles, seen } = await crowd(5, { transports: [transport] });
    await world.clock.advance(90_000);
    assert.equal(world.network.count(transport), 1);
    assert.deepEqual(roles(tabs), ["leader", ...Array(4).fill("follower")]);
    for (const [n, handle] of handles.entries()) {
      assert.deepEqual(ids(handle).toSorted(), ["m0", "m1", "m2", "m3", "m4"], transport);
      assert.deepEqual([handle.current, handle.self.data, seen(`m${n}`)], [true, { n }, ONCE]);
    }
    handles[3].set({ n: 33 });
    await world.clock.advance(SETTLED);
    assert.deepEqual(handles[1].members.find(({ member }) => member === "m3").data, { n: 33 });
    handles[2].leave();
    tabs[4].stream.close();
    await world.clock.advance(SETTLED);
    assert.deepEqual(ids(handles[2]).toSorted(), ["m0", "m1", "m3"]);
  });
}

test("the leader goes, another leads, and of the others nobody is seen to go", async () => {
  for (const end of ["crash", "pagehide"]) {
    const { world, tabs, handles, seen } = await crowd(4);
    if (end === "crash") tabs[0].crash();
    else tabs[0].page.fire("pagehide");
    await world.clock.advance(20_000);
    assert.deepEqual(
      [1, 2, 3].map((n) => seen(`m${n}`)),
      [ONCE, ONCE, ONCE],
      end,
    );
    assert.deepEqual([seen("m0").leaves, ids(handles[1]).toSorted()], [1, ["m1", "m2", "m3"]], end);
    assert.equal(handles[1].current, true);
  }
});

test("who hears of the leader before it holds its own lock is not taken for gone", async () => {
  const { world, tabs, handles, seen } = await crowd(1);
  const { request } = world.locks.tab();
  const late = async (...asked) => {
    await new Promise((resolve) => world.clock.setTimeout(resolve, asked[0].includes(":tab:") ? 30 : 0));
    return request(...asked);
  };
  const slow = world.tab({ locks: { request: late } });
  handles.push(slow.stream.place("a", { member: "slow" }));
  tabs.push(slow, ...(await world.tabs(1))); // which has the leader say where it stands
  await world.clock.advance(20_000);
  assert.deepEqual(seen("slow"), ONCE);
  assert.deepEqual(roles(tabs), ["leader", "follower", "follower"]);
  assert.deepEqual(ids(handles[1]).toSorted(), ["m0", "slow"]);
});

test("a page that is put aside and taken out at once was never away, and is missed when it ends", async () => {
  const { world, tabs, seen } = await crowd(3);
  for (const event of ["pagehide", "pageshow"]) tabs[1].page.fire(event);
  await world.clock.advance(20_000);
  assert.deepEqual(seen("m1"), ONCE);
  tabs[1].crash();
  await world.clock.advance(20_000);
  assert.equal(seen("m1").leaves, 1);
});

for (const transport of ["websocket", "sse", "poll"]) {
  for (const delay of [0, 2, 10]) {
    test(`${transport}: a reload ${delay} ms after it has said something else was never away`, async () => {
      const { world, tabs, handles, seen } = await crowd(2, { transports: [transport] });
      handles[1].set({ n: 7 });
      await world.clock.advance(delay);
      tabs[1].page.fire("pagehide");
      tabs[1].crash();
      await world.clock.advance(600);
      const again = world.tab({ transports: [transport] });
      again.stream.place("a", { member: "m1", data: { n: 7 } });
      await world.clock.advance(20_000);
      assert.deepEqual([seen("m1").joins, seen("m1").leaves], [1, 0]);
      again.crash();
      await world.clock.advance(20_000);
      assert.deepEqual(world.network.crowd.at("a"), ["m0"]);
    });
  }
}

for (const transport of ["websocket", "sse", "poll"]) {
  test(`${transport}: a reload while it enters is no leave`, async () => {
    for (const delay of [0, 2, 4, 6, 8, 10]) {
      const { world, tabs, seen } = await crowd(2, { transports: [transport] });
      tabs[1].stream.place("b", { member: "m1" });
      await world.clock.advance(delay);
      tabs[1].page.fire("pagehide");
      tabs[1].crash();
      await world.clock.advance(600);
      const again = world.tab({ transports: [transport] });
      for (const place of ["a", "b"]) again.stream.place(place, { member: "m1", data: { n: 1 } });
      await world.clock.advance(20_000);
      assert.equal(seen("m1").leaves, 0, `after ${delay} ms`);
    }
  });
}

/** A channel to the tabs, on which one says that it led, hung, and leads no more: all members are told once more. */
function deposing(world) {
  const { tab } = world.channels;
  let group = null;
  world.channels.tab = (page) =>
    class extends tab.call(world.channels, page) {
      constructor(name) {
        super(name);
        group ??= name;
      }
    };
  return () => new (tab.call(world.channels))(group).postMessage({ v: 3, kind: "deposed", tab: "other" });
}

for (const transport of ["websocket", "sse", "poll"]) {
  test(`${transport}: a reload while it is told once more was never away`, async () => {
    for (const why of ["renewed", "deposed"]) {
      const world = new World();
      const depose = deposing(world);
      const tabs = await world.tabs(2, () => ({ transports: [transport] }));
      for (const [n, { stream }] of tabs.entries()) stream.place("a", { member: `m${n}` });
      await world.clock.advance(1_000);
      const told = () =>
        world.network.tried("presence").filter(({ url }) => url.pathname.endsWith("/m1")).length;
      const before = told();
      if (why === "deposed") depose();
      if (transport === "websocket") await world.clock.advance(1_002);
      else while (told() === before) await world.clock.advance(1);
      tabs[1].page.fire("pagehide");
      tabs[1].crash();
      await world.clock.advance(600);
      world.tab({ transports: [transport] }).stream.place("a", { member: "m1" });
      await world.clock.advance(20_000);
      assert.deepEqual(world.network.crowd.seen("m1"), ONCE, why);
    }
  });
}

test("who leaves while it could not be told once more is gone", async () => {
  const world = new World();
  const depose = deposing(world);
  const tabs = await world.tabs(2);
  const [, handle] = tabs.map(({ stream }, n) => stream.place("a", { member: `m${n}` }));
  await world.clock.advance(1_000);
  world.network.retryAfter = 5_000;
  depose();
  await world.clock.advance(900);
  world.network.crowd.refusals.push(429, 429);
  await world.clock.advance(300);
  assert.equal(world.network.crowd.refusals.length, 0);
  handle.leave();
  await world.clock.advance(20_000);
  assert.deepEqual(world.network.crowd.at("a"), ["m0"]);
});

test("who joined unheard joins again once its leader says whom it knows", async () => {
  const { world, tabs } = await crowd(2);
  let [unheard, isDeaf] = [null, true];
  world.channels.passes = ({ kind, tab }) => {
    if (kind === "join") unheard ??= tab;
    return kind !== "join" || tab !== unheard || !isDeaf;
  };
  const late = world.tab();
  late.stream.place("a", { member: "late" });
  await world.clock.advance(10);
  tabs[1].stream.subscribe("b"); // which has the leader say where it stands
  await world.clock.advance(100);
  isDeaf = false;
  for (let n = 0; n < 20; n += 1) {
    world.log.publish("a"); // so that nobody has doubts
    await world.clock.advance(3_000);
  }
  assert.deepEqual(world.network.crowd.at("a").toSorted(), ["late", "m0", "m1"]);
});

test("a follower's tab ends: it is gone after three seconds; loaded again before, it was never away", async () => {
  const { world, tabs, seen } = await crowd(3);
  tabs[1].crash();
  await world.clock.advance(2_000);
  assert.deepEqual(seen("m1"), ONCE);
  await world.clock.advance(2_000);
  assert.deepEqual(world.network.crowd.told.at(-1).leaves, [{ user: null, member: "m1", reason: "closed" }]);
  tabs[2].page.fire("pagehide");
  tabs[2].crash();
  const again = world.tab();
  again.stream.place("a", { member: "m2", data: { n: 2 } });
  await world.clock.advance(20_000);
  assert.deepEqual(seen("m2"), ONCE);
});

test("a tab that ends while it enters is not left behind", async () => {
  const { world, tabs } = await crowd(2, { transports: ["sse"] });
  tabs[1].stream.place("a/1", { member: "m1" });
  await world.clock.advance(4); // the request is on its way
  tabs[1].crash();
  await world.clock.advance(10_000);
  assert.deepEqual([world.network.crowd.at("a/1"), world.network.crowd.at("a")], [[], ["m0"]]);
});

test("over a long poll a tab that has ended is gone after ten seconds, and back at once", async () => {
  const { world, tabs, seen } = await crowd(3, { transports: ["poll"] });
  tabs[1].crash();
  tabs[2].crash();
  await world.clock.advance(1_000);
  world.tab({ transports: ["poll"] }).stream.place("a", { member: "m2", data: { n: 2 } });
  await world.clock.advance(7_000);
  assert.deepEqual([seen("m1"), seen("m2")], [ONCE, ONCE]);
  await world.clock.advance(5_000);
  assert.equal(seen("m1").leaves, 1);
  await world.clock.advance(90_000);
  assert.deepEqual(seen("m2"), ONCE);
});

test("a tab that is taken out again shows who is there now, and before that nobody as of now", async () => {
  for (const aside of [0, 1]) {
    const { world, tabs, handles } = await crowd(2);
    world.network.crowd.enter("self", "a", "x", { user: "bob", connection: "else" });
    await world.clock.advance(SETTLED);
    const shown = [];
    const [tab, handle] = [tabs[aside], handles[aside]];
    handle.on("change", () => handle.current && shown.push(ids(handle).includes("x")));
    tab.page.fire("pagehide");
    assert.deepEqual([handle.current, ids(handle).includes("x"), shown], [false, true, []]);
    await world.clock.advance(60_000);
    world.network.crowd.leave("a", "x");
    await world.clock.advance(5_000);
    tab.page.fire("pageshow");
    assert.equal(handle.current, false);
    await world.clock.advance(3_000);
    assert.deepEqual(
      [handle.current, [...new Set(shown)], handle.self?.member],
      [true, [false], `m${aside}`],
    );
    assert.deepEqual(ids(handle).toSorted(), ["m0", "m1"]);
  }
});

test("a tab with a connection of its own says goodbye as one that is alone does", async () => {
  class Sandboxed {
    constructor() {
      throw new DOMException("denied", "SecurityError");
    }
  }
  for (const transport of ["websocket", "poll"]) {
    const world = new World();
    const tab = world.tab({ transports: [transport], BroadcastChannel: Sandboxed });
    tab.stream.place("a", { member: "me" });
    await tab.live();
    await world.clock.advance(13_000);
    assert.deepEqual([tab.stream.role, world.network.crowd.at("a")], [null, ["me"]]);
    tab.page.fire("pagehide");
    await world.clock.advance(20);
    world.network.down(transport === "poll"); // the line is dead, and nobody has noticed
    await world.clock.advance(transport === "poll" ? 9_000 : 2_000);
    assert.deepEqual(world.network.crowd.at("a"), ["me"], transport);
    await world.clock.advance(2_000);
    assert.deepEqual(world.network.crowd.at("a"), [], transport);
  }
});

test("a tab that joins later gets the state, and one whose messages are lost is right in the end", async () => {
  const { world, handles } = await crowd(2);
  const third = world.tab({ topics: "b" });
  await third.live();
  const handle = third.stream.place("a", { enter: false });
  await world.clock.advance(SETTLED);
  assert.deepEqual(ids(handle).toSorted(), ["m0", "m1"]);
  world.channels.passes = ({ kind }) => kind !== "beside";
  handles[0].set({ n: 100 });
  await world.clock.advance(SETTLED);
  world.channels.passes = () => true;
  handles[1].set({ n: 101 });
  await world.clock.advance(SETTLED);
  assert.deepEqual(
    handle.members.map(({ data }) => data.n).toSorted(),
    [100, 101],
    "a hole in the numbers asks for the state",
  );
});

test("a refusal reaches the tab that it is about, and no other", async () => {
  const world = new World();
  const tabs = await world.tabs(3);
  const handles = tabs.map(({ stream }, n) => stream.place("a", { member: `m${n}` }));
  const heard = [];
  handles.forEach((handle, n) => handle.on("error", ({ status }) => heard.push([n, status])));
  world.network.crowd.refusals.push(...[0, 0, 422].filter(Boolean));
  await world.clock.advance(SETTLED);
  assert.equal(heard.length, 1);
  const [[refused]] = heard;
  assert.deepEqual(
    handles.map(({ error }) => error?.status ?? null),
    [0, 1, 2].map((n) => (n === refused ? 422 : null)),
  );
});

test("tabs of two users in one group are each at the place as who they are", async () => {
  const world = new World();
  for (const name of ["ada", "bob"]) world.network.guard.add(name, name);
  const tabs = ["ada", "bob", "ada"].map((name) =>
    world.tab({ tabs: { group: "g" }, getToken: () => name, topics: "a" }),
  );
  const handles = tabs.map(({ stream }, n) => stream.place("a", { member: `m${n}` }));
  for (const tab of tabs) await tab.live();
  await world.clock.advance(10_000);
  for (const handle of handles)
    assert.deepEqual(handle.members.map(({ user, member }) => `${user} ${member}`).toSorted(), [
      "ada m0",
      "ada m2",
      "bob m1",
    ]);
  for (const n of [0, 1, 2]) assert.deepEqual(world.network.crowd.seen(`m${n}`), ONCE);
});

test("what is not kept is heard in every tab that hears, but in the leader that sent it", async () => {
  const world = new World();
  const tabs = await world.tabs(3, (n) => ({ topics: n === 2 ? "b" : "a" }));
  const heard = tabs.map(() => []);
  tabs.forEach(({ stream }, n) => stream.hear("cursor", ({ data }) => heard[n].push(data)));
  await world.clock.advance(SETTLED);
  world.network.ephemeral({ topic: "a", type: "cursor", data: 1 });
  await tabs[0].stream.ephemeral("a", "cursor", 2);
  const sent = tabs[1].stream.ephemeral("a", "cursor", 3); // over HTTP, as it publishes
  await world.clock.advance(SETTLED);
  await sent;
  assert.deepEqual(heard, [[1, 3], [1, 2, 3], []]);
  assert.deepEqual(
    tabs.map(({ events }) => events.length),
    [0, 0, 0],
  );
});
