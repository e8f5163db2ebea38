/** Options against the platform's own; the transports that are left; the base URL. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  baseUrl,
  DEFAULTS,
  environment,
  settings,
  usableTransports,
} from "../../static/client/environment.js";

const all = { fetch: () => {}, WebSocket: class {}, EventSource: class {} };

test("an option beats the global, null means missing, undefined means the global", () => {
  const fetch = () => {};
  const env = environment({ fetch, WebSocket: null, random: undefined, topics: "a" });
  assert.equal(env.fetch, fetch);
  assert.equal(env.WebSocket, null);
  assert.equal(typeof env.random(), "number");
  assert.equal("topics" in env, false);
});

test("without a document or a navigator a stream is visible and online", () => {
  const env = environment({ visibility: null, network: null });
  assert.deepEqual([env.visible(), env.online()], [true, true]);
  const hidden = environment({ visibility: { visibilityState: "hidden" }, network: { onLine: false } });
  assert.deepEqual([hidden.visible(), hidden.online()], [false, false]);
});

test("settings: each number by its option, the rest by default, and the defaults stay", () => {
  const chosen = settings({ pollWait: 3, backoffCap: undefined, topics: "a" });
  assert.deepEqual(chosen, { ...DEFAULTS, pollWait: 3 });
  assert.ok(Object.isFrozen(DEFAULTS));
});

test("the base URL ends with a slash, speaks HTTP, and has no query", () => {
  for (const [given, expected] of [
    ["wss://live.test/tw", "https://live.test/tw/"],
    ["ws://live.test", "http://live.test/"],
    ["https://live.test/a/?b=c#d", "https://live.test/a/"],
    [new URL("http://live.test/x/"), "http://live.test/x/"],
  ]) {
    assert.equal(String(baseUrl(given)), expected);
  }
  assert.ok(String(baseUrl()).endsWith("/static/"), "the parent of the module's folder");
});

test("transports: those that the platform has, in the wanted order", () => {
  assert.deepEqual(usableTransports(all), ["websocket", "sse", "poll"]);
  assert.deepEqual(usableTransports({ ...all, WebSocket: null }), ["sse", "poll"]);
  assert.deepEqual(usableTransports(all, ["poll", "websocket", "poll"]), ["poll", "websocket"]);
  assert.throws(() => usableTransports(all, ["pigeon"]), { name: "TwinwireError", status: 422 });
  assert.throws(() => usableTransports({ ...all, fetch: null }, ["poll"]), /none of the wanted/);
});

test("where fetch does not stream, EventSource stands in for SSE; a token needs a fetch for its ticket", () => {
  const { ReadableStream } = globalThis;
  globalThis.ReadableStream = undefined;
  try {
    assert.deepEqual(usableTransports(all), ["websocket", "eventsource", "poll"]);
    assert.deepEqual(usableTransports(all, undefined, true), ["websocket", "eventsource", "poll"]);
    assert.deepEqual(usableTransports({ ...all, fetch: null }, ["sse"]), ["eventsource"]);
    assert.throws(() => usableTransports({ ...all, fetch: null }, ["sse"], true), /none of the wanted/);
  } finally {
    globalThis.ReadableStream = ReadableStream;
  }
});
