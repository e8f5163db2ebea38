/** Whose events a tab takes: nobody's, its own, and until it knows, none. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth } from "../../../static/client/auth.js";
import { Http } from "../../../static/client/http.js";
import { Identity } from "../../../static/client/tabs/identity.js";
import { settle } from "../support/clock.js";
import { bench } from "../support/fakes.js";

/** An identity whose service answers what `answer(n)` gives. */
function open(answer, auth = new Auth()) {
  const asked = [];
  const told = [];
  const { clock, env } = bench({
    fetch: async (url, { headers }) => {
      asked.push([String(url), headers.Authorization]);
      return answer(asked.length);
    },
  });
  const http = new Http(env, new URL("http://live.test/"), auth);
  const heard = { known: () => told.push("known"), foreign: () => told.push("foreign") };
  return { identity: new Identity({ env, http }, heard), clock, asked, told };
}

const is = (subject) => () => Response.json({ subject, expires: null });

test("what nobody reads is for all, and nobody is asked", () => {
  const { identity, asked } = open(is("ada"));
  assert.deepEqual([identity.admits(null), asked], [true, []]);
});

test("one's own: not before the service has said so, and asked once", async () => {
  const { identity, asked, told } = open(is("ada"));
  for (let n = 0; n < 3; n += 1) assert.equal(identity.admits("ada"), false);
  await settle();
  assert.deepEqual([identity.admits("ada"), told], [true, ["known"]]);
  assert.deepEqual(asked, [["http://live.test/api/session", undefined]]);
});

test("somebody else's: never", async () => {
  for (const own of ["bob", null]) {
    const { identity, told } = open(is(own));
    identity.admits("ada");
    await settle();
    assert.deepEqual([told, identity.admits("ada")], [["foreign"], false]);
  }
});

test("a leader who is somebody else from now on is asked about anew", async () => {
  const { identity, told } = open((n) => is(n === 1 ? "ada" : "bob")());
  identity.admits("ada");
  await settle();
  assert.equal(identity.admits("bob"), false);
  await settle();
  assert.deepEqual([told, identity.admits("bob"), identity.admits("ada")], [["known", "known"], true, false]);
});

test("it is asked as the bearer that the page makes it", async () => {
  const { identity, asked } = open(is("ada"), new Auth(null, () => "t1"));
  identity.admits("ada");
  await settle();
  assert.deepEqual(asked, [["http://live.test/api/session", "Bearer t1"]]);
});

test("no answer: asked again, but not for each message; a refusal is an answer", async () => {
  const silent = open(() => Promise.reject(new TypeError("failed to fetch")));
  for (let n = 0; n < 50; n += 1) {
    silent.identity.admits("ada");
    await silent.clock.advance(100);
  }
  assert.deepEqual([silent.asked.length, silent.told], [1, []]);
  await silent.clock.advance(1_000);
  silent.identity.admits("ada");
  await settle();
  assert.equal(silent.asked.length, 2);
  const refused = open(() => new Response("", { status: 401 }));
  refused.identity.admits("ada");
  await settle();
  assert.deepEqual(refused.told, ["foreign"]);
});
