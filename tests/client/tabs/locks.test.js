/** The locks of a tab: held until they are let go of, all at once, whenever they were granted. */

import assert from "node:assert/strict";
import test from "node:test";

import { Locks } from "../../../static/client/tabs/locks.js";
import { LockTable } from "../support/browser.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));

function world() {
  const table = new LockTable();
  const told = [];
  const tab = (name, locks = table.tab()) => {
    const own = new Locks({ locks }, () => told.push(`${name} failed`));
    const hold = (steal = false) =>
      own.hold("a", () => told.push(`${name} has it`), { steal, lost: () => told.push(`${name} lost it`) });
    return { hold, release: () => own.release() };
  };
  return { table, told, tab };
}

test("one has it until it lets go, then the next that waits", async () => {
  const { told, tab } = world();
  const [one, two, three] = [tab("one"), tab("two"), tab("three")];
  for (const each of [one, two, three]) each.hold();
  await settled();
  two.release();
  one.release();
  await settled();
  assert.deepEqual(told, ["one has it", "three has it"]);
});

test("who steals it has it, and whose it was is told", async () => {
  const { told, tab } = world();
  const [one, two] = [tab("one"), tab("two")];
  one.hold();
  await settled();
  two.hold(true);
  await settled();
  assert.deepEqual(told.toSorted(), ["one has it", "one lost it", "two has it"]);
});

test("what is stolen after all was let go of is let go of at once", async () => {
  const { table, told, tab } = world();
  const inner = table.tab();
  const asked = [];
  const slow = {
    request: (...args) => new Promise((resolve) => asked.push(() => resolve(inner.request(...args)))),
  };
  const thief = tab("thief", slow);
  thief.hold(true);
  thief.release();
  for (const ask of asked) ask();
  await settled();
  tab("other").hold();
  await settled();
  assert.deepEqual(told, ["other has it"]);
});

test("locks that do not work are told, but to nobody who has let go", async () => {
  const { told, tab } = world();
  const denied = { request: () => Promise.reject(new DOMException("denied", "SecurityError")) };
  const throwing = {
    request: () => {
      throw new DOMException("denied", "SecurityError");
    },
  };
  tab("denied", denied).hold();
  tab("throwing", throwing).hold();
  const gone = tab("gone", denied);
  gone.hold();
  gone.release();
  await settled();
  assert.deepEqual(told.toSorted(), ["denied failed", "throwing failed"]);
});
