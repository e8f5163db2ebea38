/** Requests: what an answer is, what a refusal says, and when one is asked again. */

import assert from "node:assert/strict";
import test from "node:test";

import { TwinwireError } from "../../static/client/errors.js";
import { Auth, faultOf, Http, responseFault } from "../../static/client/http.js";
import { Clock } from "./support/clock.js";

const JSON_TYPE = { "content-type": "application/json" };
const PROBLEM_TYPE = { "content-type": "application/problem+json" };

/** An Http over `answer(url, init, n)`; what it asked is in `asked`. */
function client(answer, auth = new Auth(), more = {}) {
  const clock = new Clock();
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, ...init });
    return answer(url, init, asked.length);
  };
  const env = {
    fetch,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    now: clock.now,
    ...more,
  };
  return { http: new Http(env, new URL("http://live.test/tw/"), auth), asked, clock };
}

test("url leaves out what has no value, and stays under the base", () => {
  const { http } = client(() => new Response());
  const pairs = [
    ["topic", "a"],
    ["topic", "b/*"],
    ["after", null],
    ["wait", 0],
    ["type", undefined],
  ];
  assert.equal(
    String(http.url("api/events", pairs)),
    "http://live.test/tw/api/events?topic=a&topic=b%2F*&wait=0",
  );
});

test("json: the body; null for 204; the timer is gone afterwards", async () => {
  const { http, asked, clock } = client((_url, _init, n) =>
    n === 1 ? new Response('{"a":1}', { headers: JSON_TYPE }) : new Response(null, { status: 204 }),
  );
  assert.deepEqual(await http.json("x:/1", { method: "POST", body: "{}", keepalive: true }), { a: 1 });
  assert.equal(await http.json("x:/2", { method: "DELETE" }), null);
  assert.deepEqual([asked[0].method, asked[0].body, asked[0].keepalive], ["POST", "{}", true]);
  assert.deepEqual(asked[0].headers, { Accept: "application/json", "Content-Type": "application/json" });
  assert.equal(asked[0].cache, "no-store");
  assert.equal(clock.pending, 0);
});

test("whole: status and Location beside the body", async () => {
  const headers = { ...JSON_TYPE, Location: "/api/topics/trim/1" };
  const { http, asked } = client(() => new Response('{"a":1}', { status: 202, headers }));
  const expected = { status: 202, location: "/api/topics/trim/1", body: { a: 1 } };
  assert.deepEqual(
    await http.whole("x:/1", { method: "POST", body: '{"n":12345678901234567890}' }),
    expected,
  );
  assert.equal(asked[0].body, '{"n":12345678901234567890}');
});

test("a problem becomes a TwinwireError with its words, status and fields", async () => {
  const body = { title: "Not valid", detail: "no such filter", field: "topic" };
  const { http } = client(() => Response.json(body, { status: 422, headers: PROBLEM_TYPE }));
  const expected = {
    name: "TwinwireError",
    status: 422,
    message: "no such filter",
    problem: body,
    passing: false,
  };
  await assert.rejects(http.json("x:/"), expected);
});

test("a status without a problem may pass, and has no problem to show", async () => {
  const { http } = client(() => new Response("<html>", { status: 413, headers: { "retry-after": "7" } }));
  const expected = { status: 413, message: "HTTP 413", problem: null, passing: true, retryAfter: 7_000 };
  await assert.rejects(http.json("x:/"), expected);
});

test("no answer, and somebody else's answer, are status 0", async () => {
  const portal = client(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
  await assert.rejects(portal.http.json("x:/"), {
    status: 0,
    message: /text\/html instead of/,
    passing: true,
  });
  const dead = client(() => {
    throw new TypeError("failed to fetch");
  });
  await assert.rejects(dead.http.json("x:/"), { status: 0, message: "failed to fetch", passing: true });
});

test("silence is cut off after the timeout", async () => {
  const { http, clock } = client(
    (_url, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  );
  const refused = assert.rejects(http.json("x:/", { timeout: 500 }), { status: 0 });
  await clock.advance(501);
  await refused;
});

test("text: another media type, and a signal that lets go of it before or while it runs", async () => {
  const { http, asked } = client((_url, { signal }, n) =>
    n === 1
      ? new Response("hello", { headers: { "content-type": "text/plain; charset=utf-8" } })
      : new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
  );
  assert.equal(await http.text("x:/"), "hello");
  assert.equal(asked[0].headers.Accept, "text/plain");
  const abort = new AbortController();
  const reading = assert.rejects(http.text("x:/", { signal: abort.signal }), { status: 0 });
  abort.abort();
  await reading;
  await assert.rejects(http.text("x:/", { signal: abort.signal }), { status: 0 });
  assert.equal(asked.length, 2, "a signal that is done already asks nothing");
});

test("after 401 a fresh token is asked for once, by all who wait for it", async () => {
  let drawn = 0;
  const auth = new Auth("old", async () => `new${(drawn += 1)}`);
  const { http, asked } = client(
    (_url, { headers }) =>
      headers.Authorization === "Bearer new1"
        ? new Response("[]", { headers: JSON_TYPE })
        : Response.json({ title: "No" }, { status: 401, headers: PROBLEM_TYPE }),
    auth,
  );
  assert.deepEqual(await Promise.all([http.json("x:/1"), http.json("x:/2")]), [[], []]);
  assert.deepEqual([drawn, asked.length], [1, 4]);
});

test("a 403 is not asked again, nor a 401 of a request that does not want it", async () => {
  const auth = new Auth("old", () => "new");
  for (const [status, options] of [
    [403, {}],
    [401, { renew: false }],
  ]) {
    const { http, asked } = client(
      () => Response.json({ title: "No" }, { status, headers: PROBLEM_TYPE }),
      auth,
    );
    await assert.rejects(http.json("x:/", options), { status });
    assert.deepEqual([asked.length, auth.token], [1, "old"]);
  }
});

test("with a token, reads say that somebody is expected, in a URL also where topics are in a body", async () => {
  const { http, asked } = client(() => new Response("{}", { headers: JSON_TYPE }), new Auth("t1"));
  await http.history({ topics: ["a"] });
  await http.history({ topics: Array.from({ length: 60 }, (_, n) => `${"x".repeat(150)}/${n}`) });
  assert.deepEqual(
    asked.map(({ url, method }) => [new URL(url).searchParams.get("auth"), method]),
    [
      ["required", "GET"],
      ["required", "POST"],
    ],
  );
  await http.json(http.url("api/events"), { method: "POST", body: "{}" });
  assert.equal(new URL(asked[2].url).search, "");
});

test("where the token is missing no cookie goes in its place; without any way to one it says who it is", () => {
  const credentials = (auth) => client(() => null, auth).http.init().credentials;
  assert.deepEqual(
    [credentials(new Auth()), credentials(new Auth(null, undefined, true))],
    Array(2).fill("same-origin"),
  );
  assert.equal(credentials(new Auth("t1")), "same-origin");
  assert.equal(credentials(new Auth(null, () => null)), "omit");
});

test("a ticket is for the topics of a stream, or for all that the bearer may read", async () => {
  const { http, asked } = client(() => Response.json({ ticket: "tk_1" }), new Auth("t1"));
  assert.equal(await http.ticket(["a"]), "tk_1");
  await http.ticket([]);
  assert.deepEqual(
    asked.map(({ url, body }) => [String(url), body]),
    [
      ["http://live.test/tw/api/tickets", '{"topics":["a"]}'],
      ["http://live.test/tw/api/tickets", "{}"],
    ],
  );
});

test("an error of a request is a fault with its status and its wait; without an answer the network's", () => {
  const error = Object.assign(new TwinwireError("No", 429, { title: "No" }), { retryAfter: 5_000 });
  const { kind, status, problem, retryAfter } = faultOf(error);
  assert.deepEqual([kind, status, problem, retryAfter], ["http", 429, { title: "No" }, 5_000]);
  assert.deepEqual(faultOf(new TwinwireError("gone")).kind, "network");
  assert.deepEqual(faultOf(new TypeError("gone")), { kind: "network", detail: "gone" });
});

test("without a way to a fresh token, a refusal is told at once", async () => {
  const { http, asked } = client(() =>
    Response.json({ title: "No" }, { status: 403, headers: PROBLEM_TYPE }),
  );
  await assert.rejects(http.json("x:/"), { status: 403, message: "No" });
  assert.equal(asked.length, 1);
});

test("history begins with the oldest event unless it says where, and not with what is still to come", async () => {
  const { http, asked } = client(() => new Response("{}", { headers: JSON_TYPE }));
  const places = [
    {},
    { after: undefined },
    { after: "e-1" },
    { before: "e-9" },
    { order: "desc" },
    { from: "2026-01-01T00:00:00Z" },
  ];
  for (const place of places) await http.history({ topics: ["a"], ...place });
  assert.deepEqual(
    asked.map(({ url }) => new URL(url).searchParams.get("after")),
    ["earliest", "earliest", "e-1", null, null, "earliest"],
  );
});

test("history does not wait, and takes topics as a list", async () => {
  const { http, asked } = client(() => new Response("{}", { headers: JSON_TYPE }));
  await http.history({ topics: ["a", "b"], order: "desc" });
  assert.equal(new URL(asked[0].url).search, "?topic=a&topic=b&wait=0&order=desc");
});

test("responseFault: null for what was asked for, whatever follows the media type", async () => {
  const sound = new Response("", { headers: { "content-type": "text/event-stream; charset=utf-8" } });
  assert.equal(await responseFault(sound, "text/event-stream", "sse", 0), null);
  const nameless = await responseFault(new Response(null), "text/event-stream", "sse", 0);
  assert.deepEqual([nameless.kind, nameless.status], ["media", 200]);
});

test("topics that outgrow a URL are asked for in a body", () => {
  const http = new Http({}, new URL("https://live.test/tw/"), new Auth(null));
  const params = [
    ["after", "k-1"],
    ["wait", 5],
    ["before", null],
  ];
  const short = http.asking("api/events", "api/events/read", ["a"], params);
  assert.deepEqual(short, {
    url: "https://live.test/tw/api/events?topic=a&after=k-1&wait=5",
    headers: {},
    init: {},
  });
  const topics = Array.from({ length: 60 }, (_, n) => `${"x".repeat(150)}/${n}`);
  const { url, headers, init } = http.asking("api/events", "api/events/read", topics, params);
  assert.equal(url, "https://live.test/tw/api/events/read");
  assert.deepEqual(headers, { "Content-Type": "application/json" });
  assert.deepEqual([init.method, JSON.parse(init.body)], ["POST", { topics, after: "k-1", wait: 5 }]);
});

test("what is too long for something on the way is final, whatever it calls it", async () => {
  const said = "<center>Request Header Or Cookie Too Large</center>";
  for (const [status, body, tooLong] of [
    [414, "", true],
    [431, "", true],
    [400, said, true],
    [400, "<h1>Bad Request</h1>", false],
    [502, said, false],
  ]) {
    const fault = await responseFault(new Response(body, { status }), "application/json", "poll", 0);
    assert.deepEqual([fault.status, fault.tooLong], [status, tooLong]);
    assert.equal(fault.detail.includes("large_client_header_buffers"), tooLong);
    const { http } = client(() => new Response(body, { status }));
    await assert.rejects(http.json("x:/"), { status, passing: !tooLong });
  }
});

test("a page that may not be shown an answer is told so; the service's own is not", async () => {
  const down = () => Promise.reject(new TypeError("Failed to fetch"));
  for (const [origin, words] of [
    ["http://live.test", /^Failed to fetch$/],
    [null, /^Failed to fetch$/],
    ["null", /^Failed to fetch; .*TWINWIRE_ALLOWED_ORIGINS.*sandboxed/],
  ]) {
    const { http } = client(down, new Auth(), { origin });
    await assert.rejects(http.json("x:/"), { status: 0, message: words });
  }
});
