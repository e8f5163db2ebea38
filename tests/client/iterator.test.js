/** The queue behind `for await`: order, bound, ends. */

import assert from "node:assert/strict";
import test from "node:test";

import { MessageIterator } from "../../static/client/iterator.js";

const message = (offset) => ({ id: `k-${offset}` });

function iterator(limit = 3) {
  const left = [];
  const subject = new MessageIterator(limit, (who) => left.push(who));
  return { subject, left };
}

test("messages come in order, whether they waited or were waited for", async () => {
  const { subject } = iterator();
  const early = subject.next();
  subject.push(message(1));
  subject.push(message(2));
  assert.deepEqual(await early, { value: message(1), done: false });
  assert.deepEqual(await subject.next(), { value: message(2), done: false });
});

test("at the limit all is kept; one more ends it with where to go on, after what is queued", async () => {
  const { subject, left } = iterator();
  for (let n = 1; n <= 3; n += 1) subject.push(message(n));
  assert.deepEqual(left, []);
  subject.push(message(4));
  assert.deepEqual(left, [subject]);
  subject.push(message(5));
  for (let n = 1; n <= 3; n += 1) assert.deepEqual((await subject.next()).value, message(n));
  await assert.rejects(subject.next(), { name: "OverrunError", cursor: "k-3" });
  assert.equal((await subject.next()).done, true, "the error is told once");
});

test("an end reaches those who wait, and later ones; the first word counts", async () => {
  const { subject, left } = iterator();
  const waiting = [subject.next(), subject.next()];
  subject.end(new Error("gone"));
  subject.end(null);
  await assert.rejects(waiting[0], /gone/);
  assert.equal((await waiting[1]).done, true);
  assert.deepEqual(left, [subject]);
});

test("breaking out of the loop leaves, and forgets what is queued", async () => {
  const { subject, left } = iterator();
  subject.push(message(1));
  subject.push(message(2));
  for await (const seen of subject) {
    assert.deepEqual(seen, message(1));
    break;
  }
  assert.deepEqual(left, [subject]);
  assert.equal((await subject.next()).done, true);
});
