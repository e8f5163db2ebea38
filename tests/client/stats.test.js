/** The figures of a stream. */

import assert from "node:assert/strict";
import test from "node:test";

import { Stats } from "../../static/client/stats.js";

const event = { time: "2026-11-23T05:50:09.000Z" };
const now = Date.parse(event.time);

test("a live event gives a latency, never below 0; a replayed one is counted apart", () => {
  const stats = new Stats();
  stats.event(event, now + 40, false);
  assert.deepEqual(
    [stats.received, stats.replayed, stats.latency, stats.lastEventAt],
    [1, 1, null, now + 40],
  );
  stats.event(event, now + 25, true);
  assert.equal(stats.latency, 25);
  stats.event(event, now - 10, true);
  assert.deepEqual([stats.received, stats.replayed, stats.latency], [3, 1, 0]);
});

test("of the duplicates those of a move are counted apart", () => {
  const stats = new Stats();
  stats.duplicate(false);
  stats.duplicate(true);
  assert.deepEqual([stats.duplicates, stats.overlap], [2, 1]);
});
