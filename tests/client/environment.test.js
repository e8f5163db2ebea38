/** Options against the platform's own; the transports that are left; the base URL. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  baseUrl,
  checkOptions,
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
});

/** Calls `act` as on a page at `href`, or in a worker of that script. */
function at(href, act) {
  globalThis.location = { href };
  try {
    return act();
  } finally {
    delete globalThis.location;
  }
}

test("without one, it is where the service has served the module, or the page's origin if a bundler has it", () => {
  for (const [module, page, expected] of [
    ["https://live.test/client/environment.js", "https://other.test/x", "https://live.test/"],
    ["https://live.test/tw/client/environment.js", "https://live.test/tw/", "https://live.test/tw/"],
    [
      "https://live.test/tw/v/0123456789abcdef/client/environment.js",
      "https://live.test/x",
      "https://live.test/tw/",
    ],
    ["https://live.test/v/2/client/environment.js", "https://live.test/x", "https://live.test/v/2/"],
    [
      "http://localhost:5173/@fs/home/me/static/client/environment.js",
      "http://localhost:5173/a/b",
      "http://localhost:5173/",
    ],
    [
      "http://localhost:5173/node_modules/.vite/deps/twinwire-client.js?v=1",
      "http://localhost:5173/",
      "http://localhost:5173/",
    ],
    ["https://app.test/assets/index-4f2a.js", "https://app.test/deep/page", "https://app.test/"],
    ["file:///build/src/client/environment.js", "https://app.test/page", "https://app.test/"],
    ["", "https://app.test/page", "https://app.test/"],
  ]) {
    assert.equal(
      at(page, () => String(baseUrl(undefined, module))),
      expected,
      module,
    );
  }
});

test("a bundle without import.meta.url, and a page whose base is another's", () => {
  assert.equal(String(baseUrl("https://live.test", null)), "https://live.test/");
  globalThis.document = { baseURI: "https://cdn.test/assets/" };
  try {
    assert.equal(
      at("https://app.test/page", () => String(baseUrl(undefined, null))),
      "https://app.test/",
    );
    assert.equal(
      at("https://app.test/page", () => String(baseUrl("tw", null))),
      "https://cdn.test/assets/tw/",
    );
    assert.equal(
      at("about:srcdoc", () => String(baseUrl(undefined, null))),
      "https://cdn.test/",
    );
  } finally {
    delete globalThis.document;
  }
});

test("a base that is none, or that nobody can tell, is refused with a word", () => {
  for (const [given, page] of [
    [undefined, null],
    ["/tw", null],
    ["file:///tw/", null],
    ["/tw", "blob:https://app.test/4f2a"],
    [undefined, "about:blank"],
    ["javascript:alert(1)", "https://app.test/"],
  ]) {
    const read = () => baseUrl(given, "file:///client/environment.js");
    const refused = { name: "TypeError", message: /^baseUrl is the http: or https: URL/ };
    assert.throws(() => (page === null ? read() : at(page, read)), refused);
  }
  assert.equal(
    at("https://app.test/worker.js", () => String(baseUrl("/tw"))),
    "https://app.test/tw/",
    "a worker",
  );
});

test("an option that does not exist is refused, and the one that was meant is named", () => {
  for (const [name, meant] of [
    ["topic", "topics"],
    ["baseURL", "baseUrl"],
    ["Transports", "transports"],
    ["tokens", "token"],
  ]) {
    assert.throws(() => checkOptions({ [name]: 1 }), {
      name: "TypeError",
      message: `connect has no option ${name}; is it ${meant}?`,
    });
  }
  assert.throws(() => checkOptions({ zebra: 1 }), { message: "connect has no option zebra" });
  checkOptions({ ...DEFAULTS, topics: "a", after: undefined, fetch: null, tabs: false });
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
