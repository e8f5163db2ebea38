/** The hedged start: who joins when, who wins, and which fault tells what happened. */

import assert from "node:assert/strict";
import test from "node:test";

import { Race } from "../../static/client/race.js";
import { bench, FakeLink } from "./support/fakes.js";

function race(order = ["websocket", "sse", "poll"]) {
  const { clock, env } = bench();
  const links = [];
  const lost = [];
  const launch = (name) => {
    links.push(new FakeLink(name));
    return links.at(-1);
  };
  const subject = new Race(env, { order, hedgeDelay: 2_000, launch, lost: (...told) => lost.push(told) });
  subject.start();
  return { subject, clock, links, lost, names: () => links.map(({ name }) => name) };
}

test("the next joins after the delay, or at once when all that run have failed", async () => {
  const { subject, clock, links, names } = race();
  await clock.advance(1_999);
  assert.deepEqual(names(), ["websocket"]);
  await clock.advance(1);
  assert.deepEqual(names(), ["websocket", "sse"]);
  subject.ended(links[0], { kind: "network" });
  assert.equal(links.length, 2, "one still runs");
  subject.ended(links[1], { kind: "network" });
  assert.deepEqual(names(), ["websocket", "sse", "poll"]);
  assert.equal(clock.pending, 0);
});

test("the winner is the caller's, and so are those that still try", async () => {
  const { subject, clock, links } = race();
  await clock.advance(4_000);
  assert.deepEqual(subject.won(links[1]), [links[0], links[2]]);
  assert.deepEqual(
    links.map(({ closed }) => closed),
    [false, false, false],
  );
  assert.equal(
    links.some((link) => subject.has(link)),
    false,
  );
});

test("a refusal, a final answer or an ordered delay ends it: others would hear the same", () => {
  const answers = [
    { kind: "http", status: 401 },
    { kind: "http", status: 422, problem: {} },
    { kind: "http", status: 503, retryAfter: 5 },
  ];
  for (const fault of answers) {
    const { subject, links, lost } = race();
    subject.ended(links[0], fault);
    assert.deepEqual(lost, [[fault, false]]);
    assert.equal(links.length, 1);
  }
});

test("when every one has failed, the last fault tells it, and that all were tried", () => {
  const { subject, links, lost } = race(["sse", "poll"]);
  subject.ended(links[0], { kind: "network" });
  subject.ended(links[1], { kind: "media" });
  assert.deepEqual(lost, [[{ kind: "media" }, true]]);
});

test("cancel lets go of all and says nothing", async () => {
  const { subject, clock, links, lost } = race();
  await clock.advance(2_000);
  subject.cancel();
  assert.deepEqual(
    links.map(({ closed }) => closed),
    [true, true],
  );
  await clock.advance(60_000);
  assert.deepEqual([links.length, lost], [2, []]);
});
