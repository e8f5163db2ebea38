/** Which faults refuse, which are final, and how long the server may send a client away. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  boundedDelay,
  isFinal,
  isRefusal,
  isTooLong,
  reasonOf,
  refusalOf,
  retryAfter,
  strangerWords,
  tooLongWords,
  TwinwireError,
} from "../../static/client/errors.js";

test("a refusal is 401, 403, close code 1008 or goodbye `auth`", () => {
  for (const fault of [{ status: 401 }, { status: 403 }, { code: 1008 }, { reason: "auth" }]) {
    assert.equal(isRefusal(fault), true);
  }
  for (const fault of [{}, { status: 404 }, { code: 1012 }, { reason: "restart" }]) {
    assert.equal(isRefusal(fault), false);
  }
});

test("why: by the status, by what the stream was told, or by the words of its Close frame", () => {
  for (const [fault, reason] of [
    [{ status: 401 }, "invalid"],
    [{ status: 403 }, "forbidden"],
    [{ reason: "auth", code: 1008, refusal: "expired" }, "expired"],
    [{ reason: "auth", refusal: "revoked" }, "revoked"],
    [{ code: 1008, detail: "auth:forbidden" }, "forbidden"],
    [{ code: 1008, detail: "auth:unheard-of" }, "invalid"],
    [{ code: 1008 }, "invalid"],
    [{ code: 1013, refusal: "expired" }, null],
  ]) {
    assert.equal(refusalOf(fault), reason);
  }
});

test("final is what the service itself refused, and would refuse again", () => {
  const problem = { title: "No" };
  assert.equal(isFinal({ status: 422, problem }), true);
  assert.equal(isFinal({ status: 422, problem: null }), false, "somebody in between");
  for (const status of [401, 403, 408, 425, 429, 500, 503]) assert.equal(isFinal({ status, problem }), false);
});

test("Retry-After in seconds or as a date, bounded; none, or nonsense, is none", () => {
  const now = Date.parse("2026-11-23T05:50:00Z");
  assert.equal(retryAfter("7", now), 7_000);
  assert.equal(retryAfter("Mon, 23 Nov 2026 05:50:30 GMT", now), 30_000);
  assert.equal(retryAfter("Mon, 23 Nov 2026 05:49:30 GMT", now), 0);
  assert.equal(retryAfter("86400", now), 600_000);
  const [then, date] = ["Mon, 23 Nov 2026 07:00:30 GMT", "Mon, 23 Nov 2026 07:00:00 GMT"];
  assert.equal(retryAfter(then, now, date), 30_000, "the page's calendar is another one");
  assert.equal(retryAfter("7", now, date), 7_000);
  for (const nothing of [null, "", "soon"]) assert.equal(retryAfter(nothing, now), undefined);
});

test("a delay is at least 0 and at most ten minutes; what is no number is none", () => {
  assert.deepEqual([-1, 0, 5, 600_001].map(boundedDelay), [0, 0, 5, 600_000]);
  assert.deepEqual(["5", NaN, Infinity, undefined].map(boundedDelay), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("a problem's words: detail, else title, else the status", () => {
  assert.equal(TwinwireError.fromProblem({ title: "a", detail: "b" }, 422).message, "b");
  assert.equal(TwinwireError.fromProblem({ title: "a" }, 422).message, "a");
  const bare = TwinwireError.fromProblem(null, 502);
  assert.deepEqual([bare.message, bare.status, bare.problem], ["the server answered 502", 502, null]);
});

test("whatever was thrown has words", () => {
  assert.deepEqual([new Error("a"), "b", undefined].map(reasonOf), ["a", "b", "undefined"]);
});

test("what is too long is as long the next time, and says what helps", () => {
  for (const status of [414, 431]) assert.equal(isTooLong(status), true);
  for (const said of [
    "<center>Request Header Or Cookie Too Large</center>",
    "<p>Size of a request header field exceeds server limit.",
    "<p>HTTP Error 400. The size of the request headers is too long.</p>",
  ])
    assert.equal(isTooLong(400, said), true, said);
  for (const [status, said] of [
    [400, "<h1>400 Bad Request</h1>"],
    [404, "Request Header Or Cookie Too Large"],
    [413, ""],
  ])
    assert.equal(isTooLong(status, said), false, said);
  assert.equal(isFinal({ status: 400, problem: null, tooLong: true }), true);
  assert.equal(isFinal({ status: 400, problem: null }), false);
  assert.match(tooLongWords(431), /431.*large_client_header_buffers/);
  assert.match(TwinwireError.fromFault({ status: 431, detail: tooLongWords(431) }).message, /cookies/);
});

test("a page of another origin is told that it may be why nothing answered, its own page is not", () => {
  const base = new URL("http://live.test/tw/");
  for (const origin of [null, undefined, "http://live.test"]) assert.equal(strangerWords(origin, base), "");
  assert.match(strangerWords("null", base), /sandboxed frame.*http:\/\/live.test/);
  assert.match(strangerWords("https://app.test", base), /TWINWIRE_ALLOWED_ORIGINS.*https:\/\/app.test/);
});
