/** Who holds a lock, asked of the browser. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { holderOf } from "../../../static/client/tabs/holder.js";
import { LockTable } from "../support/browser.js";

test("the holder is told from another, and nobody from both", async () => {
  const table = new LockTable();
  const [one, other] = [table.tab(), table.tab()];
  assert.equal(await holderOf(one, "a"), null);
  one.request("a", {}, () => new Promise(() => {})).catch(() => {});
  const first = await holderOf(other, "a");
  assert.notEqual(first, null);
  assert.equal(await holderOf(one, "b"), null);
  other.request("a", { steal: true }, () => new Promise(() => {})).catch(() => {});
  assert.notEqual(await holderOf(one, "a"), first);
});

test("a browser that does not say, or refuses, tells of nobody", async () => {
  assert.equal(await holderOf(null, "a"), null);
  assert.equal(await holderOf({}, "a"), null);
  assert.equal(await holderOf({ query: () => Promise.reject(new Error("no")) }, "a"), null);
  assert.equal(await holderOf({ query: async () => ({}) }, "a"), null);
});
