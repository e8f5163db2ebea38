/** The delay before the next attempt. */

import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULTS } from "../../static/client/environment.js";
import { Retry } from "../../static/client/retry.js";
import { bench } from "./support/fakes.js";

function retry(more, settings = {}) {
  const { clock, env } = bench(more);
  return { clock, subject: new Retry(env, { ...DEFAULTS, ...settings }) };
}

test("jitter grows with each attempt, and begins anew after a productive connection", async () => {
  const { clock, subject } = retry();
  let made = 0;
  for (const delay of [500, 1_000, 2_000]) {
    assert.equal(subject.plan({ kind: "network" }, () => (made += 1)).delay, delay);
    await clock.advance(delay);
  }
  assert.equal(made, 3);
  subject.reset();
  assert.deepEqual(
    subject.plan({ kind: "network" }, () => {}),
    { attempt: 1, delay: 500, ordered: false },
  );
});

test("a delay that the server ordered is kept, and is not shortened", () => {
  const { subject } = retry();
  assert.equal(subject.plan({ kind: "goodbye", retryAfter: 7_000 }, () => {}).delay, 7_000);
  assert.deepEqual([subject.waiting, subject.wakeable], [true, false]);
  subject.plan({ kind: "network" }, () => {});
  assert.equal(subject.wakeable, true);
});

test("an order to come at once is none: it would be followed as fast as it is given", () => {
  const { subject } = retry();
  for (const delay of [500, 1_000, 2_000])
    assert.deepEqual(
      subject.plan({ kind: "http", retryAfter: 0 }, () => {}),
      { attempt: Math.log2(delay / 250), delay, ordered: false },
    );
  assert.equal(subject.wakeable, true);
});

test("a machine that slept comes back at once; an offline one waits for the event", () => {
  assert.equal(retry().subject.plan({ kind: "suspended" }, () => {}).delay, 0);
  assert.equal(retry({ online: () => false }).subject.plan({ kind: "network" }, () => {}).delay, 30_000);
});

test("a new plan replaces the old one, cancel ends it, and attempts are counted", async () => {
  const { clock, subject } = retry({}, { maxRetries: 2 });
  subject.plan({ kind: "network" }, () => assert.fail("replaced"));
  assert.equal(subject.exhausted, false);
  subject.plan({ kind: "network" }, () => assert.fail("cancelled"));
  assert.equal(subject.exhausted, true);
  subject.cancel();
  await clock.advance(60_000);
  assert.deepEqual([subject.waiting, clock.pending], [false, 0]);
});
