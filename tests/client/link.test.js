/** One connection's timers: handshake, connection frame, silence, doubt, and what proves it productive. */

import assert from "node:assert/strict";
import test from "node:test";

import { Link } from "../../static/client/link.js";
import { DEFAULTS } from "../../static/client/environment.js";
import { Http, Auth } from "../../static/client/http.js";
import { bench } from "./support/fakes.js";

const CONNECTION = { type: "connection", id: "k-1", heartbeat: 20 };
const EVENT = { id: "k-2", topic: "a", type: "log", prev: null };

class Socket {
  readyState = 0;
  sent = [];

  constructor() {
    Socket.last = this;
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  frame(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }
}

function link(more = {}) {
  const { clock, env } = bench({ WebSocket: Socket, ...more });
  const told = [];
  const stale = [];
  const owner = {
    linkConnected: () => told.push("connected"),
    linkFrame: (_link, frame) => told.push(frame.type),
    linkBeside: () => told.push("beside"),
    linkStale: (_link, isStale) => stale.push(isStale),
    linkProductive: () => told.push("productive"),
    linkEnded: (_link, fault) => told.push(fault),
  };
  const http = new Http(env, new URL("http://live.test/"), new Auth());
  const context = { env, settings: DEFAULTS, http, handshake: { failed: null } };
  const subject = new Link(context, "websocket", { topics: ["a"], after: "k-1" }, owner).open();
  return { subject, clock, told, stale, socket: Socket.last };
}

function connected(more) {
  const all = link(more);
  all.socket.open();
  all.socket.frame(CONNECTION);
  return all;
}

const kinds = (told) => told.map((one) => one.kind ?? one);

test("no handshake, or no connection frame, in time", async () => {
  const silent = link();
  await silent.clock.advance(3_999);
  assert.deepEqual(silent.told, []);
  await silent.clock.advance(1);
  assert.deepEqual(kinds(silent.told), ["timeout"]);
  const mute = link();
  await mute.clock.advance(3_000);
  mute.socket.open();
  await mute.clock.advance(3_999);
  assert.deepEqual(mute.told, []);
  await mute.clock.advance(1);
  assert.match(mute.told[0].detail, /no connection frame/);
});

test("anything before the connection frame is no stream of ours", () => {
  for (const frame of [
    EVENT,
    { type: "heartbeat", id: "k-1" },
    { type: "connection", topic: "a", id: "k-1" },
  ]) {
    const { socket, told } = link();
    socket.open();
    socket.frame(frame);
    assert.deepEqual(kinds(told), ["protocol"]);
  }
});

test("a goodbye or a problem before the connection frame says why there is none", () => {
  const sent = link();
  sent.socket.open();
  sent.socket.frame({ type: "goodbye", reason: "auth", detail: "expired", code: 1008, retry: null });
  const { kind, reason, refusal, code, retryAfter } = sent.told[0];
  assert.deepEqual(
    [kind, reason, refusal, code, retryAfter],
    ["goodbye", "auth", "expired", 1008, undefined],
  );
  const full = link();
  full.socket.open();
  full.socket.frame({ type: "goodbye", reason: "limit", code: 1013, retry: 5_000 });
  assert.equal(full.told[0].retryAfter, 5_000);
  const refused = link();
  refused.socket.open();
  refused.socket.frame({ type: "problem", status: 403, title: "Forbidden", detail: "no right" });
  assert.deepEqual([refused.told[0].status, refused.told[0].detail], [403, "no right"]);
});

test("a problem that answers the first message ends it, another one is told", () => {
  const { socket, told } = connected();
  socket.frame({ type: "problem", ref: "c1", status: 422, title: "No" });
  socket.frame({ type: "problem", ref: "auth", status: 403, title: "Forbidden" });
  assert.deepEqual(told.slice(0, 2), ["connected", "problem"]);
  assert.deepEqual([told[2].kind, told[2].status], ["http", 403]);
});

test("a warning says when the credential ends, until another one is there", () => {
  const { socket, subject, clock } = connected();
  assert.equal(subject.endsAt, null);
  socket.frame({ type: "auth", state: "expiring", in: 60 });
  assert.equal(subject.endsAt, clock.now() + 60_000);
  socket.frame({ type: "auth", state: "reduced", in: 900, lost: ["b"] });
  assert.equal(subject.endsAt, clock.now() + 60_000);
  socket.frame({ type: "auth", state: "renewed", in: 900 });
  assert.equal(subject.endsAt, null);
});

test("silence of 2.5 heartbeats is a stall; any byte begins it anew", async () => {
  const { clock, subject, told } = connected();
  await clock.advance(49_000);
  subject.bytes();
  await clock.advance(49_999);
  assert.deepEqual(kinds(told), ["connected", "productive"]);
  await clock.advance(1);
  assert.deepEqual(kinds(told), ["connected", "productive", "stalled"]);
  assert.equal(told.at(-1).silence, 50_000);
});

test("it is stale before: after 1.25 heartbeats; or when an answer is late that the transport expects", async () => {
  const { clock, socket, stale, subject } = connected();
  await clock.advance(24_999);
  assert.deepEqual([stale, subject.isStale, subject.staleAfter], [[], false, 25_000]);
  await clock.advance(1);
  assert.deepEqual([stale, subject.isStale], [[true], true]);
  socket.frame({ type: "heartbeat", id: "k-1" });
  assert.deepEqual(stale, [true, false]);
  subject.expects(30_000);
  await clock.advance(29_999);
  assert.deepEqual(stale, [true, false]);
  await clock.advance(1);
  assert.deepEqual(stale, [true, false, true]);
});

test("a machine that slept is no stall, and a hidden tab has no clock", async () => {
  const asleep = connected();
  await asleep.clock.advance(11_000);
  await asleep.clock.sleep(3_600_000);
  assert.deepEqual(kinds(asleep.told).at(-1), "suspended");
  const hidden = connected({ visible: () => false });
  await hidden.clock.advance(600_000);
  assert.deepEqual(kinds(hidden.told), ["connected", "productive"]);
});

test("productive: after ten seconds, or with an event that comes after two", async () => {
  const early = connected();
  early.socket.frame(EVENT);
  assert.deepEqual(kinds(early.told), ["connected", "log"], "paths that kill do it later");
  await early.clock.advance(2_000);
  assert.deepEqual(kinds(early.told), ["connected", "log", "productive"]);
  const idle = connected();
  await idle.clock.advance(9_999);
  assert.equal(idle.subject.productive, false);
  await idle.clock.advance(1);
  assert.equal(idle.subject.productive, true);
});

test("an event that is in no log proves nothing", async () => {
  const { socket, clock, told, subject } = connected();
  socket.frame({ topic: "a", type: "typing", data: {} });
  await clock.advance(2_000);
  assert.deepEqual([kinds(told), subject.events, subject.productive], [["connected", "beside"], 0, false]);
});

test("goodbye is passed on, then ends it, with a delay within bounds", () => {
  const { socket, told } = connected();
  socket.frame({ type: "goodbye", reason: "restart", code: 1012, retry: 9e9 });
  assert.deepEqual(kinds(told), ["connected", "goodbye", "goodbye"]);
  const { reason, code, retryAfter, transport } = told.at(-1);
  assert.deepEqual([reason, code, retryAfter, transport], ["restart", 1012, 600_000, "websocket"]);
});

test("verify pings, and ends what does not answer", async () => {
  const { subject, socket, clock, told } = connected();
  subject.verify();
  assert.deepEqual(socket.sent, [{ op: "ping" }]);
  await clock.advance(3_000);
  subject.verify(); // another look does not put the end off
  socket.frame({ type: "pong" });
  await clock.advance(5_000);
  assert.equal(kinds(told).includes("suspended"), false, "any frame ends the doubt");
  subject.verify();
  await clock.advance(3_000);
  subject.verify();
  await clock.advance(1_000);
  assert.equal(kinds(told).at(-1), "suspended");
});

test("after close nothing is told and no timer is left; what cannot be made is unsupported", () => {
  const { subject, socket, clock, told } = connected();
  subject.close();
  subject.frame(EVENT);
  subject.end({ kind: "network" });
  assert.deepEqual([told, subject.send("x"), socket.readyState, clock.pending], [["connected"], false, 3, 0]);
  assert.deepEqual(kinds(link({ WebSocket: null }).told), ["unsupported"]);
});

test("only what never answered may have been hidden from the page", () => {
  const never = link({ origin: "null" });
  never.socket.onclose({ code: 1006, reason: "" });
  assert.match(never.told.at(-1).detail, /^cut, or never opened; .*sandboxed frame/);
  const cut = connected({ origin: "null" });
  cut.socket.onclose({ code: 1006, reason: "" });
  assert.equal(cut.told.at(-1).detail, "cut, or never opened");
});
