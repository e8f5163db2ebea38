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

const is =
  (subject, expires = null) =>
  () =>
    Response.json({ subject, expires });
/** A leader's access. */
const by = (subject, expires = null) => ({ subject, expires });

test("what nobody reads is for all, and nobody is asked", () => {
  const { identity, asked } = open(is("ada"));
  assert.deepEqual([identity.admits(by(null)), asked], [true, []]);
});

test("one's own: not before the service has said so, and asked once", async () => {
  const { identity, asked, told } = open(is("ada"));
  for (let n = 0; n < 3; n += 1) assert.equal(identity.admits(by("ada")), false);
  await settle();
  assert.deepEqual([identity.admits(by("ada")), told], [true, ["known"]]);
  assert.deepEqual(asked, [["http://live.test/api/session", undefined]]);
});

test("somebody else's: never", async () => {
  for (const own of ["bob", null]) {
    const { identity, told } = open(is(own));
    identity.admits(by("ada"));
    await settle();
    assert.deepEqual([told, identity.admits(by("ada"))], [["foreign"], false]);
  }
});

test("a leader who is somebody else from now on is asked about anew", async () => {
  const { identity, told } = open((n) => is(n === 1 ? "ada" : "bob")());
  identity.admits(by("ada"));
  await settle();
  assert.equal(identity.admits(by("bob")), false);
  await settle();
  assert.deepEqual(
    [told, identity.admits(by("bob")), identity.admits(by("ada"))],
    [["known", "known"], true, false],
  );
});

test("it is asked as the bearer that the page makes it", async () => {
  const { identity, asked } = open(is("ada"), new Auth(null, () => "t1"));
  identity.admits(by("ada"));
  await settle();
  assert.deepEqual(asked, [["http://live.test/api/session", "Bearer t1"]]);
});

test("no answer: asked again, but not for each message; a refusal is an answer", async () => {
  const silent = open(() => Promise.reject(new TypeError("failed to fetch")));
  for (let n = 0; n < 50; n += 1) {
    silent.identity.admits(by("ada"));
    await silent.clock.advance(100);
  }
  assert.deepEqual([silent.asked.length, silent.told], [1, []]);
  await silent.clock.advance(1_000);
  silent.identity.admits(by("ada"));
  await settle();
  assert.equal(silent.asked.length, 2);
  const refused = open(() => new Response("", { status: 401 }));
  refused.identity.admits(by("ada"));
  await settle();
  assert.deepEqual(refused.told, ["foreign"]);
});

test("a nameless bearer is not nobody: he is told from others by his end", async () => {
  const [noon, night] = ["2026-11-28T12:00:00.000Z", "2026-11-28T20:00:00.000Z"];
  const same = open(is(null, noon));
  assert.equal(same.identity.admits(by(null, noon)), false);
  await settle();
  assert.deepEqual([same.told, same.identity.admits(by(null, noon))], [["known"], true]);
  for (const own of [is(null), is(null, night), is("ada", noon)]) {
    const { identity, told } = open(own);
    identity.admits(by(null, noon));
    await settle();
    assert.deepEqual([told, identity.admits(by(null, noon))], [["foreign"], false]);
  }
});

test("who is somebody is not served as nobody from then on; a page that begins anew is asked about anew", async () => {
  const auth = new Auth();
  const { identity, told } = open((n) => is(n === 1 ? "ada" : null)(), auth);
  identity.admits(by("ada"));
  await settle();
  assert.deepEqual([auth.expected, identity.admits(by("ada"))], [true, true]);
  identity.forget();
  assert.equal(identity.admits(by("ada")), false);
  await settle();
  assert.deepEqual([told, identity.admits(by("ada"))], [["known", "foreign"], false]);
});
