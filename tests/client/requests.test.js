/** Messages and their replies: matched by ref, in time, or unanswered. */

import assert from "node:assert/strict";
import test from "node:test";

import { Requests, UnansweredError } from "../../static/client/requests.js";
import { bench } from "./support/fakes.js";

function requests() {
  const { clock, env } = bench();
  const sent = [];
  const link = {
    send(text) {
      sent.push(JSON.parse(text));
      return true;
    },
  };
  return { subject: new Requests(env), clock, sent, link };
}

test("each reply goes to the message with its ref, taken at once", async () => {
  const { subject, sent, link, clock } = requests();
  const taken = [];
  const first = subject.send(link, { op: "publish" }, (reply) => taken.push(reply.id));
  const second = subject.send(link, { op: "ping" });
  assert.deepEqual(sent, [
    { op: "publish", ref: "c1" },
    { op: "ping", ref: "c2" },
  ]);
  subject.frame({ type: "pong", ref: "c2" });
  subject.frame({ type: "reply", ref: "c1", id: "k-7" });
  assert.deepEqual(taken, ["k-7"], "before any promise has run");
  assert.equal((await first).id, "k-7");
  assert.equal((await second).type, "pong");
  assert.equal(clock.pending, 0);
});

test("a problem rejects with its status; other types and unknown refs answer nobody", async () => {
  const { subject, link } = requests();
  const refused = assert.rejects(subject.send(link, {}), { status: 403, message: "No" });
  subject.frame({ type: "auth", ref: "c1" });
  subject.frame({ type: "reply", ref: "c9" });
  subject.frame({ type: "reply" });
  subject.frame({ type: "problem", ref: "c1", status: 403, title: "No" });
  await refused;
});

test("no reply in ten seconds, no WebSocket, and the end of the connection are unanswered", async () => {
  const { subject, link, clock } = requests();
  const late = assert.rejects(subject.send(link, {}), UnansweredError);
  await clock.advance(10_000);
  await late;
  await assert.rejects(subject.send(null, {}), UnansweredError);
  await assert.rejects(subject.send({ send: () => false }, {}), UnansweredError);
  const cut = assert.rejects(subject.send(link, {}), UnansweredError);
  subject.abandon();
  await cut;
  assert.equal(clock.pending, 0);
});

test("a thousand may wait; one more is not sent", async () => {
  const { subject, sent, link } = requests();
  const waiting = Array.from({ length: 1_000 }, () => subject.send(link, {}));
  await assert.rejects(subject.send(link, {}), /too many/);
  assert.equal(sent.length, 1_000);
  subject.abandon();
  for (const { status } of await Promise.allSettled(waiting)) assert.equal(status, "rejected");
});
