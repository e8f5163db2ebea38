/** A follower's eye on its leader: when it is doubted, and when its waiting is done for it. */

import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULTS } from "../../../static/client/environment.js";
import { Vigil } from "../../../static/client/tabs/vigil.js";
import { bench } from "../support/fakes.js";

function open(more) {
  const { clock, env } = bench(more);
  const told = [];
  const act = {
    doubt: () => told.push("doubt"),
    wake: () => told.push("wake"),
    stale: (is) => told.push(is ? "stale" : "heard"),
  };
  return { vigil: new Vigil({ env, settings: DEFAULTS }, act), clock, told };
}

test("a leader is doubted after 7 s of silence, again and again; heard in time, it is not", async () => {
  for (const heartbeat of [20, null]) {
    const { vigil, clock, told } = open();
    vigil.heard(heartbeat);
    await clock.advance(6_900);
    vigil.heard(heartbeat);
    await clock.advance(6_999);
    assert.deepEqual(told, []);
    await clock.advance(7_001);
    assert.deepEqual(told, ["doubt", "doubt"]);
    vigil.end();
  }
});

test("one whose heartbeat is quicker than that, after 2.5 of those", async () => {
  const { vigil, clock, told } = open();
  vigil.heard(2);
  await clock.advance(4_999);
  assert.deepEqual(told, []);
  await clock.advance(1);
  assert.deepEqual(told, ["doubt"]);
  vigil.end();
});

test("while it reconnects it is woken, less and less often, until it is back", async () => {
  const { vigil, clock, told } = open();
  vigil.shows("reconnecting");
  await clock.advance(60_000);
  assert.ok(told.length >= 4 && told.length <= 9, `${told.length} times in a minute`);
  vigil.shows("live");
  const before = told.length;
  await clock.advance(60_000);
  assert.equal(told.length, before);
  vigil.shows("reconnecting");
  await clock.advance(500);
  assert.equal(told.length, before + 1, "the next time it begins anew");
});

test("a tab that nobody looks at does neither, and one that is over has no timer left", async () => {
  const { vigil, clock, told } = open({ visible: () => false });
  vigil.heard(20);
  vigil.shows("reconnecting");
  await clock.advance(60_000);
  assert.deepEqual(told, []);
  vigil.end();
  vigil.heard(20);
  vigil.shows("reconnecting");
  assert.equal(clock.pending, 0);
});

test("what the leader has heard of the server grows old, however often it speaks; long dead, it is woken", async () => {
  const { vigil, clock, told } = open();
  vigil.heard(20);
  vigil.server(clock.now() - 20_000, 25_000);
  await clock.advance(4_999);
  assert.deepEqual(told, []);
  await clock.advance(1);
  assert.deepEqual([told, vigil.isStale], [["stale"], true]);
  vigil.heard(20);
  vigil.server(clock.now() - 25_000, 25_000);
  await clock.advance(25_000);
  assert.deepEqual(told, ["stale", "doubt", "doubt", "doubt"]);
  await clock.advance(3_000);
  assert.deepEqual(told.slice(4), ["doubt", "wake"]);
  vigil.server(clock.now(), 25_000);
  assert.deepEqual(told.slice(6), ["heard"]);
  vigil.server(null, null);
  vigil.end();
  assert.equal(clock.pending, 0);
});
