/** Something that is to be so at the server. */

import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULTS } from "../../static/client/environment.js";
import { Errand } from "../../static/client/errand.js";
import { TwinwireError } from "../../static/client/errors.js";
import { bench } from "./support/fakes.js";

/** An errand whose steps the test ends: `answers` by number. */
function errand() {
  const { clock, env } = bench();
  const [answers, failures, delays] = [[], [], []];
  const act = () => new Promise((resolve, reject) => answers.push({ resolve, reject, at: clock.now() }));
  const subject = new Errand(
    { env, settings: DEFAULTS },
    act,
    ({ status }) => failures.push(status),
    ({ status }) => delays.push(status),
  );
  return { subject, clock, answers, failures, delays };
}

test("one at a time, and once more for all that was asked for meanwhile", async () => {
  const { subject, clock, answers } = errand();
  for (let n = 0; n < 5; n += 1) subject.go();
  assert.equal(answers.length, 1);
  answers[0].resolve();
  await clock.advance(0);
  assert.equal(answers.length, 2);
  answers[1].resolve();
  await clock.advance(60_000);
  assert.equal(answers.length, 2);
});

test("what passes is tried again, when the server says or later and later; what does not is told", async () => {
  const { subject, clock, answers, failures, delays } = errand();
  subject.go();
  const start = clock.now();
  answers[0].reject(Object.assign(new TwinwireError("later", 503), { retryAfter: 7_000 }));
  await clock.advance(6_990);
  assert.equal(answers.length, 1);
  await clock.advance(20);
  answers[1].reject(TwinwireError.fromProblem({ retry: 3_000 }, 429));
  await clock.advance(3_010);
  assert.deepEqual([answers.length, answers[2].at - start], [3, 10_010 - 10 + 10]);
  answers[2].reject(new TwinwireError("no answer"));
  await clock.advance(2_000);
  answers[3].reject(new TwinwireError("no", 403));
  await clock.advance(100_000);
  assert.deepEqual([failures, delays, answers.length], [[403], [503, 429, 0], 4]);
  subject.go();
  assert.equal(answers.length, 5, "asked again it is done again");
});

test("after its end nothing is begun, and no timer is left", async () => {
  const { subject, clock, answers, failures } = errand();
  subject.go();
  subject.go();
  subject.end();
  answers[0].reject(new TwinwireError("no", 403));
  await clock.advance(1_000);
  subject.go();
  assert.deepEqual([answers.length, failures, clock.pending], [1, [], 0]);
});

test("whoever hears of a delay may end it", async () => {
  const { clock, env } = bench();
  let count = 0;
  const act = () => Promise.reject(new TwinwireError(`${(count += 1)}`, 503));
  const subject = new Errand({ env, settings: DEFAULTS }, act, assert.fail, () => subject.end());
  subject.go();
  await clock.advance(60_000);
  assert.deepEqual([count, clock.pending], [1, 0]);
});
