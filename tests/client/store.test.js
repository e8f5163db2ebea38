/** The cursor in a storage that may be busy, absent or forbidden. */

import assert from "node:assert/strict";
import test from "node:test";

import { CursorStore } from "../../static/client/store.js";
import { forbiddenStorage, MemoryStorage } from "./support/browser.js";
import { bench } from "./support/fakes.js";

/** A storage that counts its writes. */
class Counting extends MemoryStorage {
  writes = 0;

  setItem(key, value) {
    this.writes += 1;
    super.setItem(key, value);
  }
}

test("many moves are one write, of the newest", async () => {
  const { clock, env } = bench({ storage: new Counting() });
  const store = new CursorStore(env, "feed");
  for (let n = 1; n <= 100; n += 1) store.save(`k-${n}`);
  assert.equal(store.load(), null, "not yet");
  await clock.advance(200);
  assert.deepEqual([store.load(), env.storage.writes], ["k-100", 1]);
});

test("flush writes now, and the timer then has nothing left to do", async () => {
  const { clock, env } = bench({ storage: new Counting() });
  const store = new CursorStore(env, "feed");
  store.flush();
  store.save("k-7");
  store.flush();
  await clock.advance(1_000);
  assert.deepEqual([store.load(), env.storage.writes, clock.pending], ["k-7", 1, 0]);
});

test("what is stored and is no cursor is none", () => {
  const { env } = bench();
  env.storage.setItem("feed", "latest");
  assert.equal(new CursorStore(env, "feed").load(), null);
});

test("no key, no storage or a forbidden one: nothing is kept, nothing is thrown", async () => {
  for (const [storage, key] of [
    [new MemoryStorage(), null],
    [null, "feed"],
    [forbiddenStorage, "feed"],
  ]) {
    const { clock, env } = bench({ storage });
    const store = new CursorStore(env, key);
    store.save("k-7");
    await clock.advance(200);
    assert.equal(store.load(), null);
  }
});
