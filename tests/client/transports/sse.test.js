/** SSE over fetch: the request, what comes, and each way to end. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth, Http } from "../../../static/client/http.js";
import { openSse } from "../../../static/client/transports/sse.js";
import { settle } from "../support/clock.js";

const SSE = { "content-type": "text/event-stream; charset=utf-8" };

/** A stream over a response whose body the test writes: `write(text)`, `end()`, `fail(error)`. */
function open({ respond, text = () => true, token = "t1" } = {}) {
  const encoder = new TextEncoder();
  const told = [];
  const asked = [];
  let body = null;
  const stream = new ReadableStream({ start: (controller) => (body = controller) });
  const fetch = async (url, init) => {
    asked.push({ url: new URL(url), ...init });
    return respond ? respond() : new Response(stream, { headers: SSE });
  };
  const env = { fetch, now: () => 0 };
  const http = new Http(env, new URL("http://live.test/"), new Auth(token));
  const link = {
    opened: () => told.push("opened"),
    bytes: () => told.push("bytes"),
    text: (data) => (told.push(data), text(data)),
    end: (fault) => told.push(fault),
  };
  const wire = openSse({ env, http }, { topics: ["a"], after: "k-1" }, link);
  const write = (data) => body.enqueue(encoder.encode(data));
  return { wire, told, asked, write, end: () => body.close(), fail: (error) => body.error(error) };
}

const kind = (told) => told.at(-1).kind;

test("topics and cursor in the URL, and that somebody is expected; the token in a header", () => {
  const [{ url, headers }] = open().asked;
  assert.equal(url.href, "http://live.test/api/sse?topic=a&after=k-1&auth=required");
  const expected = { Accept: "text/event-stream", "X-Twinwire-Fetch": "1", Authorization: "Bearer t1" };
  assert.deepEqual(headers, expected);
});

test("without a token nobody is expected, and no header needs another origin's leave", () => {
  const [{ url, headers }] = open({ token: null }).asked;
  assert.equal(url.href, "http://live.test/api/sse?topic=a&after=k-1");
  assert.deepEqual(headers, { Accept: "text/event-stream" });
});

test("each event's data is told; comments are bytes, which prove that the path is open", async () => {
  const { told, write } = open();
  await settle();
  write(": hello\n\n");
  await settle();
  assert.deepEqual(told, ["opened", "bytes"]);
  write('data: {"a":1}\n\nda');
  write("ta: 2\n\n");
  await settle();
  assert.deepEqual(
    told.filter((one) => one !== "bytes"),
    ["opened", '{"a":1}', "2"],
  );
});

test("an end, a cut and a refused fetch are the network's", async () => {
  const ended = open();
  await settle();
  ended.end();
  const cut = open();
  await settle();
  cut.fail(new TypeError("network error"));
  const refused = open({ respond: () => Promise.reject(new TypeError("failed to fetch")) });
  await settle();
  for (const { told } of [ended, cut, refused]) assert.equal(kind(told), "network");
});

test("another status, another media type, and a body that does not stream", async () => {
  const status = open({ respond: () => new Response("", { status: 503, headers: { "retry-after": "3" } }) });
  const portal = open({
    respond: () => new Response("<html>", { headers: { "content-type": "text/html" } }),
  });
  const whole = open({ respond: () => new Response(null, { headers: SSE }) });
  await settle();
  assert.deepEqual([kind(status.told), status.told[0].retryAfter], ["http", 3_000]);
  assert.equal(kind(portal.told), "media");
  assert.equal(kind(whole.told), "unsupported");
});

test("what is no frame ends it, and what follows in the same bytes is not told", async () => {
  const { told, write } = open({ text: () => false });
  await settle();
  write("data: a\n\ndata: b\n\n");
  await settle();
  assert.deepEqual([told.includes("b"), kind(told)], [false, "protocol"]);
});

test("close lets go of the request, and nothing is told after it", async () => {
  const { wire, told, asked, write } = open();
  await settle();
  write("data: a\n\n");
  wire.close();
  await settle();
  assert.deepEqual(told, ["opened"]);
  assert.equal(asked[0].signal.aborted, true);
});
