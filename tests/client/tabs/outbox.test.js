/** What a leader tells at a time: one message for a turn of the loop, with its bounds. */

import assert from "node:assert/strict";
import test from "node:test";
import { Outbox } from "../../../static/client/tabs/outbox.js";

const event = (id) => ({ id });

test("what comes in one turn is one message, from where it began to where it ends", async () => {
  const sent = [];
  const box = new Outbox((batch) => sent.push(batch));
  box.queue("k-0", "k-1", event("k-1"));
  box.queue("k-1", "k-2", event("k-2"));
  box.queue("k-2", "k-9", null);
  assert.deepEqual(sent, []);
  await Promise.resolve();
  assert.deepEqual(sent, [{ from: "k-0", to: "k-9", events: [event("k-1"), event("k-2")] }]);
  box.queue("k-9", "k-10", null);
  box.flush();
  box.flush();
  await Promise.resolve();
  assert.deepEqual(sent.slice(1), [{ from: "k-9", to: "k-10", events: [] }]);
});

test("many events are several messages", async () => {
  const sent = [];
  const box = new Outbox((batch) => sent.push(batch));
  for (let n = 1; n <= 1_100; n += 1) box.queue(`k-${n - 1}`, `k-${n}`, event(`k-${n}`));
  await Promise.resolve();
  assert.deepEqual(
    sent.map(({ from, to, events }) => [from, to, events.length]),
    [
      ["k-0", "k-500", 500],
      ["k-500", "k-1000", 500],
      ["k-1000", "k-1100", 100],
    ],
  );
});
