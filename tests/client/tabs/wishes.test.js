/** Topics that a follower waits for: granted as they are covered, and refused at the end. */

import assert from "node:assert/strict";
import test from "node:test";

import { Wishes } from "../../../static/client/tabs/wishes.js";

test("each is granted once it is covered, after the follower has taken it on", async () => {
  const wishes = new Wishes();
  const order = [];
  const first = wishes.add(["a", "b"]).then(({ id }) => order.push(`granted at ${id}`));
  const second = wishes.add(["c"]);
  assert.deepEqual(wishes.topics, ["a", "b", "c"]);
  wishes.settle(
    (topics) => topics.includes("a"),
    { id: "k-1" },
    (topics) => order.push(topics),
  );
  await first;
  assert.deepEqual([order, wishes.topics], [[["a", "b"], "granted at k-1"], ["c"]]);
  wishes.abandon();
  await assert.rejects(second, /the stream is closed/);
  assert.deepEqual(wishes.topics, []);
});
