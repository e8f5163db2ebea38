/** A tab's id as a member: the same after a reload, and another one in a tab that was duplicated. */

import assert from "node:assert/strict";
import test from "node:test";

import { anotherMember, memberOf } from "../../static/client/member.js";
import { ChannelHub, LockTable, MemoryStorage, Page, forbiddenStorage } from "./support/browser.js";
import { bench } from "./support/fakes.js";

const BASE = new URL("http://live.test/tw/");

/** One browser: its tabs, and what they are made of. */
function browser(means) {
  const { clock, env } = bench({ random: Math.random });
  const [locks, channels] = [new LockTable(), new ChannelHub()];
  const tab = (storage = new MemoryStorage()) => {
    const page = new Page();
    const mine = means === "locks" ? locks.tab() : null;
    const BroadcastChannel = means === "channel" ? channels.tab(page) : null;
    const end = () => {
      page.fire("pagehide");
      mine?.crash();
    };
    return { env: { ...env, ...page, locks: mine, BroadcastChannel, storage }, page, storage, end };
  };
  const id = async ({ env: own }) => {
    let found = null;
    memberOf(own, BASE).then((member) => (found = member));
    await clock.until(() => found !== null, 5_000);
    return found;
  };
  return { tab, id, clock };
}

/** A copy, as a duplicated tab has it. */
function copy(storage) {
  const made = new MemoryStorage();
  const key = `twinwire:member:${BASE}`;
  made.setItem(key, storage.getItem(key));
  return made;
}

for (const means of ["locks", "channel"]) {
  test(`${means}: a reload keeps it, a duplicate draws its own and keeps that`, async () => {
    const { tab, id } = browser(means);
    const first = tab();
    const own = await id(first);
    assert.match(own, /^t-[a-z0-9]{8,40}$/);
    assert.equal(await id(first), own, "every stream of the page has the same");
    const duplicate = tab(copy(first.storage));
    const others = await id(duplicate);
    assert.notEqual(others, own);
    first.end();
    assert.equal(await id(tab(copy(first.storage))), own);
    duplicate.end();
    assert.equal(await id(tab(copy(duplicate.storage))), others);
    assert.notEqual(await id(tab()), own);
  });
}

test("another one is drawn for all streams of the page, kept, and held", async () => {
  const { tab, id } = browser("locks");
  const first = tab();
  const former = await id(first);
  const drawn = await Promise.all([1, 2].map(() => anotherMember(first.env, BASE, former)));
  assert.notEqual(drawn[0], former);
  assert.deepEqual([drawn[1], await id(first)], [drawn[0], drawn[0]], "once");
  assert.equal(first.storage.getItem(`twinwire:member:${BASE}`), drawn[0]);
  assert.notEqual(await id(tab(copy(first.storage))), drawn[0], "a duplicate finds out");
  first.end();
  assert.equal(await id(tab(copy(first.storage))), drawn[0]);
  const { env } = tab(null);
  assert.match(await anotherMember(env, BASE, "t-former"), /^t-/);
});

test("a page that is loaded again before its forerunner is gone waits for it", async () => {
  const { tab, id, clock } = browser("locks");
  const first = tab();
  const own = await id(first);
  clock.setTimeout(() => first.end(), 300);
  assert.equal(await id(tab(copy(first.storage))), own);
});

test("without any means it is what is kept, and without storage what is drawn", async () => {
  const { tab, id } = browser("nothing");
  const first = tab();
  assert.equal(await id(first), await id(tab(copy(first.storage))));
  const forbidden = tab(forbiddenStorage);
  assert.equal(await id(forbidden), await id(forbidden));
  assert.match(await id(tab(null)), /^t-/);
});

test("locks that do not work are nobody's", async () => {
  const { tab, id } = browser("nothing");
  const fail = () => Promise.reject(new DOMException("no", "SecurityError"));
  const storage = new MemoryStorage();
  storage.setItem(`twinwire:member:${BASE}`, "t-kept");
  const { env } = tab(storage);
  assert.equal(await id({ env: { ...env, locks: { request: fail } } }), "t-kept");
});
