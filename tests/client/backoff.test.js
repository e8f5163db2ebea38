/** Full jitter: random(0, min(cap, base * 2^n)). */

import assert from "node:assert/strict";
import test from "node:test";

import { Backoff } from "../../static/client/backoff.js";

test("the ceiling doubles up to the cap", () => {
  const backoff = new Backoff(1_000, 30_000, () => 0.999999);
  const delays = Array.from({ length: 7 }, () => Math.round(backoff.next() / 1_000));
  assert.deepEqual(delays, [1, 2, 4, 8, 16, 30, 30]);
});

test("the delay is anywhere from 0 to the ceiling", () => {
  assert.equal(new Backoff(1_000, 30_000, () => 0).next(), 0);
  assert.equal(new Backoff(1_000, 30_000, () => 0.25).next(), 250);
});

test("after a thousand failures it is still a number under the cap", () => {
  const backoff = new Backoff(1_000, 30_000, () => 0.5);
  for (let i = 0; i < 1_000; i += 1) backoff.next();
  assert.equal(backoff.next(), 15_000);
});

test("reset starts over", () => {
  const backoff = new Backoff(1_000, 30_000, () => 0.5);
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 500);
});
