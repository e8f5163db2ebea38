/** Looking for a better transport: when, which, and who keeps the link. */

import assert from "node:assert/strict";
import test from "node:test";

import { Prober } from "../../static/client/probe.js";
import { bench, FakeLink } from "./support/fakes.js";

function prober(better = ["websocket", "sse"], interval = 15_000) {
  const { clock, env } = bench();
  const tried = [];
  const launch = (name) => {
    tried.push(name);
    return new FakeLink(name);
  };
  return { clock, tried, subject: new Prober(env, { interval, targets: () => better, launch }) };
}

test("first soon, then after the interval, then less and less often, each target in turn", async () => {
  const { clock, tried, subject } = prober();
  subject.begin(false);
  const waits = [3_000, 15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000];
  for (const [n, wait] of waits.entries()) {
    await clock.advance(wait - 1);
    assert.equal(tried.length, n);
    await clock.advance(1);
    assert.equal(tried.length, n + 1);
    assert.ok(subject.link.opened);
    subject.failed();
  }
  assert.deepEqual(tried.slice(0, 4), ["websocket", "sse", "websocket", "sse"]);
});

test("patient: not before one interval; now: at once, from the beginning, unless one is tried already", async () => {
  const { clock, tried, subject } = prober();
  subject.begin(true);
  await clock.advance(14_999);
  assert.deepEqual(tried, []);
  subject.now();
  subject.now();
  assert.deepEqual(tried, ["websocket"]);
});

test("without a better transport nothing is looked for", async () => {
  const { clock, tried, subject } = prober([]);
  subject.begin(false);
  subject.now();
  await clock.advance(600_000);
  assert.deepEqual([tried, clock.pending], [[], 0]);
});

test("a failed link is closed; a released one is the caller's; cancel ends all", async () => {
  const { clock, subject } = prober();
  subject.begin(false);
  await clock.advance(3_000);
  const failed = subject.link;
  subject.failed();
  assert.deepEqual([failed.closed, subject.link], [true, null]);
  await clock.advance(15_000);
  const released = subject.link;
  subject.release();
  assert.deepEqual([released.closed, subject.link, clock.pending], [false, null, 0]);
  subject.begin(false);
  await clock.advance(3_000);
  const cancelled = subject.link;
  subject.cancel();
  assert.deepEqual([cancelled.closed, subject.link, clock.pending], [true, null, 0]);
});

test("of the start's losers a better one that asked for a cursor goes on; the rest are let go", async () => {
  const { clock, subject } = prober();
  const keyword = new FakeLink("websocket", "latest");
  const cursor = new FakeLink("sse", "k-1");
  const worse = new FakeLink("poll", "k-1");
  subject.inherit([keyword, cursor, worse], ["websocket", "sse"], false);
  assert.equal(subject.link, cursor);
  assert.deepEqual([keyword.closed, cursor.closed, worse.closed], [true, false, true]);
  subject.inherit([keyword], ["websocket"], true);
  assert.equal(subject.link, null, "none is of use: it begins to look");
  await clock.advance(15_000);
  assert.equal(subject.link.name, "sse", "the second look, as if the first had been made");
});
