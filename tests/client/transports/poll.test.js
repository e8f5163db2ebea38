/** Long polling: it speaks the frames of a stream, and learns how long this path lets a request wait. */

import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULTS } from "../../../static/client/environment.js";
import { Auth, Http } from "../../../static/client/http.js";
import { openPoll } from "../../../static/client/transports/poll.js";
import { bench } from "../support/fakes.js";

const event = (offset) => ({ id: `k-${offset}`, topic: "a", type: "log", prev: null });
const page = (events, cursor, more = {}) => ({
  events,
  cursor,
  head: cursor,
  more: false,
  gap: null,
  ...more,
});

/** A request that nobody answers. */
const silence = () => new Promise(() => {});

/** A poll whose answers are `answers`, one after the other and then silence, or with `repeat` the first one always. */
function open(
  answers,
  { after = "k-1", repeat = false, who = { subject: null, expires: null }, request = {} } = {},
) {
  const patience = { seconds: Infinity };
  const asked = [];
  const told = [];
  const expected = [];
  const fetch = async (url, init) => {
    if (url.endsWith("/api/session")) return Response.json(who);
    const answer = repeat ? answers[0] : (answers[asked.length] ?? silence);
    asked.push(Object.fromEntries(new URL(url).searchParams));
    return typeof answer === "function" ? answer(init) : Response.json(answer);
  };
  const { clock, env } = bench({ fetch });
  const http = new Http(env, new URL("http://live.test/"), new Auth());
  const link = {
    opened: () => told.push("opened"),
    expects: (ms) => expected.push(ms),
    frame: (frame) => told.push(frame),
    end: (fault) => told.push(fault),
  };
  const wire = openPoll(
    { env, http, settings: DEFAULTS, patience },
    { topics: ["a"], after, ...request },
    link,
  );
  return {
    wire,
    clock,
    asked,
    told,
    expected,
    patience,
    types: () => told.map((one) => one.type ?? one.kind ?? one),
  };
}

/** An answer that comes after `ms`, or never if it is null, unless it is let go. */
const later =
  (clockOf, ms, act) =>
  ({ signal }) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      if (ms !== null) clockOf().setTimeout(() => act(resolve, reject), ms);
    });

test("pages become connection, events, caught_up and then heartbeats", async () => {
  const { wire, clock, types, asked, told } = open([
    page([event(2), event(3)], "k-3", { more: true }),
    page([event(4)], "k-4"),
    page([event(5)], "k-5"),
  ]);
  await clock.advance(0);
  assert.deepEqual(types(), [
    "opened",
    "connection",
    "log",
    "log",
    "heartbeat",
    "log",
    "caught_up",
    "log",
    "heartbeat",
  ]);
  assert.deepEqual(
    asked.map(({ after, wait }) => [after, wait]),
    [
      ["k-1", "0"],
      ["k-3", "0"],
      ["k-4", "25"],
      ["k-5", "25"],
    ],
  );
  const { id, resumed, heartbeat, transport } = told[1];
  assert.deepEqual([id, resumed, heartbeat, transport], ["k-1", true, null, "poll"]);
  wire.close();
});

test("an answer is expected within the wait, and half of what it may take beyond", async () => {
  const { wire, clock, expected, told } = open([page([], "k-1")]);
  await clock.advance(0);
  assert.deepEqual([expected, told[0]], [[30_000], "opened"]);
  wire.close();
});

test("whose events these are is asked also where a cookie says it: other tabs have to know", async () => {
  const who = { subject: "ada", expires: "2026-11-28T12:00:00.000Z" };
  const { clock, told } = open([page([], "k-1")], { who });
  await clock.advance(0);
  const { subject, expires } = told.find(({ type }) => type === "connection");
  assert.deepEqual({ subject, expires }, who);
});

test("a gap is told before the events, and is no clean resume", async () => {
  const gap = { reason: "trimmed", requested: "k-1", id: "k-5", floor: "k-5" };
  const { wire, clock, types, told } = open([page([event(6)], "k-6", { gap })]);
  await clock.advance(0);
  assert.deepEqual(types().slice(0, 4), ["opened", "connection", "gap", "log"]);
  assert.equal(told[1].resumed, false);
  wire.close();
});

test("where it begins: the cursor, the page's end, or for `earliest` what the events say", async () => {
  for (const [after, id] of [
    ["k-1", "k-1"],
    [null, "k-7"],
    ["latest", "k-7"],
    ["earliest", undefined],
  ]) {
    const { wire, clock, told } = open([page([], "k-7")], { after });
    await clock.advance(0);
    assert.equal(told[1].id, id);
    wire.close();
  }
});

test("empty answers that come at once, as of a draining server, are not asked for in a storm", async () => {
  const { wire, clock, asked } = open([page([], "k-1")], { repeat: true });
  await clock.advance(5_500);
  assert.ok(asked.length <= 8, `${asked.length} requests in five seconds`);
  wire.close();
  const before = asked.length;
  await clock.advance(60_000);
  assert.deepEqual([asked.length, clock.pending], [before, 0]);
});

test("versions of the newest 200 places go with a request, and of those that are looked at", async () => {
  const states = (count, version) =>
    Array.from({ length: count }, (_, n) => ({
      ...{ type: "presence", place: `projects/${n}/room`, version, state: [], users: 0, members: 0 },
    }));
  const bodies = [];
  const answer = ({ body }) => {
    if (bodies.length === 20) return silence();
    bodies.push(JSON.parse(body ?? "{}").presence_version ?? []);
    return Response.json(page([], "k-1", { presence: states(250, bodies.length) }));
  };
  const isWatched = (place) => place === "projects/3/room" || place === "projects/240/room";
  const request = { presence: true, isWatched };
  const { wire, clock, told } = open([answer], { repeat: true, request });
  await clock.advance(5_500);
  assert.ok(bodies.length <= 8, `${bodies.length} requests in five seconds`);
  assert.deepEqual([bodies[0].length, ...new Set(bodies.slice(1).map(({ length }) => length))], [0, 200]);
  for (const known of bodies.slice(1)) {
    const places = known.map((text) => Number(/\d+/.exec(text)[0]));
    assert.deepEqual(
      places.toSorted((a, b) => a - b),
      [3, ...Array.from({ length: 199 }, (_, n) => n + 51)],
    );
  }
  assert.equal(told.filter(({ type }) => type === "presence").length, 250 * bodies.length);
  wire.close();
  await clock.advance(10_000);
  assert.equal(clock.pending, 0);
});

test("a request that is cut while it waits makes the next ones wait half as long, down to a second", async () => {
  let poll = null;
  const cut = later(
    () => poll.clock,
    8_000,
    (_resolve, reject) => reject(new TypeError("network error")),
  );
  poll = open([page([], "k-1"), cut]);
  await poll.clock.advance(9_000);
  assert.equal(poll.types().at(-1), "network");
  assert.equal(poll.patience.seconds, 4);
});

test("silence beyond the wait is a stall; other faults keep the patience", async () => {
  const stalled = open([page([], "k-1"), later(() => stalled.clock, null)]);
  await stalled.clock.advance(34_999 + 1_000);
  assert.equal(stalled.types().at(-1), "stalled");
  assert.equal(stalled.patience.seconds, Infinity);
});

test("an answer that is no page, and one that is not ours", async () => {
  for (const [answer, kind] of [
    [{ events: {} }, "protocol"],
    [{ events: [], cursor: "latest" }, "protocol"],
    [() => new Response("{", { headers: { "content-type": "application/json" } }), "protocol"],
    [() => new Response("<html>", { headers: { "content-type": "text/html" } }), "media"],
    [() => Response.json({}, { status: 401 }), "http"],
  ]) {
    const { clock, types } = open([answer]);
    await clock.advance(0);
    assert.deepEqual(types(), [kind]);
  }
});

test("close lets go of the request that waits, and nothing is told after it", async () => {
  const poll = open([page([], "k-1"), later(() => poll.clock, null)]);
  await poll.clock.advance(0);
  const before = poll.told.length;
  poll.wire.close();
  await poll.clock.advance(60_000);
  assert.deepEqual([poll.told.length, poll.asked.length], [before, 2]);
});
