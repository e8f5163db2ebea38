/** Silence: when it is stale and when over, and what a clock that was held says of it. */

import assert from "node:assert/strict";
import test from "node:test";

import { Silence } from "../../static/client/silence.js";
import { bench } from "./support/fakes.js";

const STALE = 25_000;
const OVER = 50_000;

function watched(more) {
  const { clock, env } = bench(more);
  const told = [];
  const silence = new Silence(env, {
    stale: (isStale) => told.push(isStale ? "stale" : "heard"),
    over: () => told.push("over"),
  });
  silence.heard();
  silence.limit({ stale: STALE, over: OVER });
  return { silence, clock, told };
}

test("stale at the first limit, over at the second, and again after as long; what comes ends it", async () => {
  const { silence, clock, told } = watched();
  await clock.advance(STALE - 1);
  assert.deepEqual(told, []);
  await clock.advance(1);
  assert.deepEqual([told, silence.isStale, silence.isOver], [["stale"], true, false]);
  await clock.advance(STALE);
  assert.deepEqual(told, ["stale", "over"]);
  await clock.advance(OVER);
  assert.deepEqual([told, silence.isOver], [["stale", "over", "over"], true]);
  silence.heard();
  await clock.advance(STALE - 1);
  assert.deepEqual(told.slice(3), ["heard"]);
  await clock.advance(1);
  assert.deepEqual(told.slice(3), ["heard", "stale"]);
});

test("bytes in time cost no timer, and put both off", async () => {
  const { silence, clock, told } = watched();
  for (let n = 0; n < 20; n += 1) {
    await clock.advance(20_000);
    silence.heard();
    assert.equal(clock.pending, 1);
  }
  assert.deepEqual(told, []);
});

test("without a second limit it is stale, and watched again once something came", async () => {
  const { silence, clock, told } = watched();
  silence.limit({ over: null });
  await clock.advance(STALE);
  assert.deepEqual([told, clock.pending], [["stale"], 0]);
  silence.heard();
  await clock.advance(STALE);
  assert.deepEqual(told, ["stale", "heard", "stale"]);
});

test("a timer that was held says nothing before what was held with it has been read", async () => {
  const { silence, clock, told } = watched();
  await clock.sleep(STALE + 5_000);
  await clock.advance(200);
  assert.deepEqual(told, []);
  silence.heard(); // it waited behind the timer
  await clock.advance(STALE - 1);
  assert.deepEqual(told, []);
  const dead = watched();
  await dead.clock.sleep(STALE + 5_000);
  await dead.clock.advance(250);
  assert.deepEqual(dead.told, ["stale"]);
});

test("a machine whose timers stood still knows as soon as it looks", async () => {
  const { silence, clock, told } = watched();
  clock.suspend(STALE);
  silence.look();
  assert.deepEqual(told, []);
  await clock.advance(250);
  assert.deepEqual(told, ["stale"]);
});

test("a hidden tab is judged when it is shown, by what was heard meanwhile", async () => {
  for (const heard of [true, false]) {
    let isSeen = false;
    const { silence, clock, told } = watched({ visible: () => isSeen });
    await clock.advance(10 * OVER);
    assert.deepEqual([told, silence.isOver], [[], true]);
    if (heard) silence.heard();
    isSeen = true;
    silence.look();
    await clock.advance(250);
    assert.deepEqual(told, heard ? [] : ["stale"]);
  }
});

test("what was heard by another counts from then; no limit, nothing stale; ended, no timer", async () => {
  const { silence, clock, told } = watched();
  silence.heard(STALE - 1_000);
  await clock.advance(1_000);
  assert.deepEqual(told, ["stale"]);
  silence.heard(STALE + 1); // still no news
  assert.deepEqual(told, ["stale"]);
  silence.limit({ stale: null });
  assert.deepEqual([told, silence.isStale], [["stale", "heard"], false]);
  silence.end();
  silence.heard();
  silence.look();
  assert.equal(clock.pending, 0);
});
