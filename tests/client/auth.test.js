/** Tokens: where they travel, the one question to getToken, and the clear state after a refusal. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth, bearerOf } from "../../static/client/auth.js";
import { asking, guarded, SECOND } from "./support/tokens.js";
import { range, World } from "./support/world.js";

const refusals = (tab) => tab.noticed(":auth").filter(({ state }) => state === "refused");

test("whose a credential is: a nameless one is told from another by its end", () => {
  const [noon, night] = ["2026-11-28T12:00:00.000Z", "2026-11-28T20:00:00.000Z"];
  assert.equal(bearerOf({}), null);
  assert.equal(bearerOf({ subject: null, expires: null }), null);
  assert.equal(bearerOf({ subject: "ada", expires: noon }), bearerOf({ subject: "ada", expires: night }));
  const all = [{ subject: "ada" }, { subject: noon }, { subject: null, expires: noon }, { expires: night }];
  assert.equal(new Set(all.map(bearerOf)).size, all.length);
});

test("a token that no request could carry is an error, and is not named; from getToken it is none", async () => {
  for (const token of ["", "a b", "a\nb", "ü", 7]) {
    const expected = { name: "TwinwireError", status: 422, message: /^a token is a text of visible ASCII/ };
    assert.throws(() => new Auth(token), expected);
    const auth = new Auth("old", () => token);
    assert.deepEqual([await auth.renew(), auth.token], [false, "old"]);
  }
});

for (const transport of ["websocket", "sse", "poll", "eventsource"]) {
  test(`${transport} goes with a token, which is in no URL`, async () => {
    const world = guarded();
    const token = world.give();
    const tab = world.open({ transports: [transport], token });
    await tab.live();
    world.log.many(3);
    const asked = [tab.stream.publish({ topic: "a", type: "log" }), tab.stream.history()];
    await world.clock.advance(100);
    await Promise.all(asked);
    assert.deepEqual([tab.offsets, tab.stream.transport], [range(1, 4), transport]);
    assert.deepEqual([tab.stream.subject, tab.stream.expires], ["ada", null]);
    for (const { url, transport: name } of world.network.attempts) {
      assert.equal(String(url).includes(token), false);
      assert.equal(url.searchParams.has("access_token"), false);
      const isRead = ["websocket", "sse", "poll", "eventsource"].includes(name);
      assert.equal(url.searchParams.get("auth"), isRead ? "required" : null, name);
    }
    assert.equal(JSON.stringify([tab.notices, tab.events]).includes(token), false);
  });
}

test("each EventSource has a ticket of its own", async () => {
  const world = guarded();
  const tab = world.open({ transports: ["eventsource"], token: world.give() });
  await tab.live();
  world.network.cut();
  await tab.live();
  const tickets = world.network.tried("eventsource").map(({ url }) => url.searchParams.get("ticket"));
  assert.equal(new Set(tickets).size, 2);
});

test("without a token, getToken is asked before the first attempt; until then it is connecting", async () => {
  const world = guarded();
  let answer = null;
  const tab = world.open({ getToken: () => new Promise((resolve) => (answer = resolve)) });
  await world.clock.advance(60 * SECOND);
  assert.deepEqual([tab.stream.state, world.network.attempts.length], ["connecting", 0]);
  answer(world.give());
  await tab.live();
  assert.equal(world.network.attempts[0].protocols[1], "twinwire.bearer.token-1");
});

test("a page with a cookie may say that somebody is expected; it needs no ticket for it", async () => {
  for (const transport of ["websocket", "sse", "poll", "eventsource"]) {
    const world = new World();
    const tab = world.open({ transports: [transport], auth: "required" });
    await tab.live();
    const [first, ...more] = world.network.attempts;
    assert.deepEqual([first.transport, first.url.searchParams.get("auth")], [transport, "required"]);
    assert.deepEqual([first.headers.Authorization, first.protocols], [undefined, []]);
    assert.equal(
      more.some(({ transport: name }) => name === "tickets"),
      false,
    );
  }
});

test("who was somebody by a cookie comes back as somebody, until the page begins anew", async () => {
  for (const transport of ["websocket", "sse", "eventsource"]) {
    const world = new World();
    const { open } = world.network.guard;
    world.network.guard.open = (...args) => ({ ...open.apply(world.network.guard, args), subject: "ada" });
    const tab = world.open({ transports: [transport] });
    await tab.live();
    world.network.cut();
    await tab.live();
    tab.stream.reconnect();
    await tab.live();
    const said = world.network.tried(transport).map(({ url }) => url.searchParams.get("auth"));
    assert.deepEqual(said, [null, "required", null], transport);
  }
});

test("where getToken gives nothing, no cookie stands in for the token", async () => {
  for (const transport of ["websocket", "sse", "poll", "eventsource"]) {
    const world = new World(); // which lets in who has no token, as a service does for a cookie
    world.log.many(3);
    const tab = asking(world, () => null, { transports: [transport], after: "earliest" });
    await world.clock.advance(SECOND);
    assert.deepEqual(
      [tab.stream.state, tab.events, tab.stream.subject],
      ["unauthorized", [], null],
      transport,
    );
    assert.equal(refusals(tab).length, 1);
  }
});

// -- refusals

test("revoked: one fresh token, then it goes on; without one it is unauthorized, and says why", async () => {
  const world = guarded();
  const [first, second] = [world.give(), world.give()];
  const lucky = asking(world, () => second, { token: first });
  const unlucky = world.open({ token: first });
  await lucky.live();
  await unlucky.live();
  world.network.guard.revoke(first);
  await lucky.live();
  assert.equal(lucky.asked.length, 1);
  assert.equal(unlucky.stream.state, "unauthorized");
  assert.equal(refusals(unlucky)[0].reason, "revoked");
  await assert.rejects(unlucky.stream.ready(), { status: 401 });
});

test("401 asks getToken once, goes on with the fresh token", async () => {
  const world = new World();
  let asked = 0;
  world.network.set({ websocket: "refuse", sse: 401 });
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

test("401 again stops, says so, and tries no more", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", sse: 401, poll: 401 });
  const tab = asking(world, (n) => `new${n}`, { token: "old" });
  await world.clock.advance(100);
  assert.deepEqual([tab.stream.state, tab.asked.length], ["unauthorized", 1]);
  await assert.rejects(tab.stream.ready(), { status: 401, message: "No: 401" });
  const attempts = world.network.attempts.length;
  tab.page.fire("online");
  tab.page.show();
  await world.clock.advance(10 * 60_000);
  assert.equal(world.network.attempts.length, attempts);
  tab.stream.reconnect();
  await world.clock.advance(100);
  assert.deepEqual(
    [tab.stream.state, tab.asked.length],
    ["unauthorized", 2],
    "one question for each beginning",
  );
  world.network.up();
  tab.stream.reconnect();
  await tab.live();
  assert.equal(tab.asked.length, 3);
});

test("403 and a goodbye `forbidden` stop at once: no other token of this bearer would help", async () => {
  for (const how of ["status", "goodbye"]) {
    const world = new World();
    if (how === "status") world.network.set({ websocket: "refuse", sse: 403 });
    const tab = asking(world, () => "new", { token: "old" });
    await world.clock.advance(100);
    if (how === "goodbye")
      world.log.tell({ type: "goodbye", reason: "auth", detail: "forbidden", code: 1008 });
    await world.clock.advance(100);
    assert.deepEqual([tab.stream.state, tab.asked.length], ["unauthorized", 0]);
    assert.equal(refusals(tab)[0].reason, "forbidden");
    await assert.rejects(tab.stream.ready(), { status: 403 });
  }
});

test("429 and 503 are no refusal: they wait as long as they are told", async () => {
  for (const status of [429, 503]) {
    const world = new World();
    world.network.set({ websocket: "refuse", sse: status });
    world.network.retryAfter = 7;
    const tab = asking(world, () => "new", { token: "old" });
    await world.clock.advance(100);
    const [{ delay, ordered }] = tab.noticed(":retry");
    assert.deepEqual([delay, ordered, tab.asked.length], [7_000, true, 0]);
  }
});

test("a WebSocket alone hears of a refusal too: its next handshake says it in words", async () => {
  const world = guarded();
  const fresh = world.give();
  const lucky = asking(world, () => fresh, { transports: ["websocket"], token: "unknown" });
  await lucky.live();
  assert.equal(lucky.asked.length, 1);
  const unlucky = world.open({ transports: ["websocket"], token: "unknown" });
  await world.clock.advance(20 * SECOND);
  assert.equal(unlucky.stream.state, "unauthorized");
  assert.equal(JSON.stringify(unlucky.notices).includes("unknown"), false);
});

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

test("goodbye `auth` is a refusal; a server that repeats it can't make a loop", async () => {
  const world = new World();
  const tab = asking(world, (n) => `new${n}`, { transports: ["sse"], token: "old" });
  await tab.live();
  world.log.goodbye("auth", 0, 1008);
  await tab.live();
  assert.equal(tab.asked.length, 1);
  world.log.goodbye("auth", 0, 1008);
  await world.clock.advance(100);
  assert.deepEqual([tab.stream.state, tab.asked.length], ["unauthorized", 1]);
});

test("a WebSocket that is closed with 1008 is a refusal, even of who has no token", async () => {
  const world = new World();
  const tab = world.open({ transports: ["websocket"] });
  await tab.live();
  world.network.connections("websocket")[0].cut(1008, "auth:revoked");
  await world.clock.advance(100);
  assert.equal(tab.stream.state, "unauthorized");
  assert.equal(refusals(tab)[0].reason, "revoked");
});

test("a fresh token is asked for again after a productive connection", async () => {
  const world = new World();
  const tab = asking(world, (n) => `new${n}`, { transports: ["sse"], token: "old" });
  for (const expected of [1, 2, 3]) {
    await tab.live();
    await world.clock.advance(10_100);
    world.log.goodbye("auth", 0, 1008);
    await tab.live();
    assert.equal(tab.asked.length, expected);
  }
});

test("a page that wants another beginning when it hears of the refusal has it", async () => {
  const world = new World();
  world.network.set({ websocket: "refuse", sse: 401 });
  const tab = world.open({ token: "old" });
  tab.stream.on(":auth", () => {
    world.network.up();
    tab.stream.reconnect();
  });
  await tab.live();
  assert.equal(
    tab.noticed(":state").some(({ state }) => state === "unauthorized"),
    false,
  );
});
