/** EventSource: everything as `message`, one end, never its own reconnect. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth, Http } from "../../../static/client/http.js";
import { openEventSource } from "../../../static/client/transports/eventsource.js";
import { settle } from "../support/clock.js";
import { bench } from "../support/fakes.js";

class Source {
  constructor(url, init) {
    Object.assign(this, { url: new URL(url), init, closed: false });
    Source.last = this;
  }

  close() {
    this.closed = true;
  }
}

function open({ credentials, text = () => true, token = null, respond } = {}) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, ...init });
    return respond ? respond() : Response.json({ ticket: `tk_${asked.length}` }, { status: 201 });
  };
  const { env } = bench({ EventSource: Source, fetch });
  const http = new Http(env, new URL("http://live.test/"), new Auth(token), credentials);
  const told = [];
  Source.last = null;
  const link = {
    opened: () => told.push("opened"),
    text,
    end: (fault) => (told.push(fault.kind), (wire.fault = fault)),
  };
  const wire = openEventSource({ env, http }, { topics: ["a"], after: "k-1" }, link);
  return { wire, told, asked, source: Source.last };
}

test("a token is exchanged for a ticket of these topics; only the ticket is in the URL", async () => {
  const { asked, source } = open({ token: "secret" });
  assert.equal(source, null, "the ticket comes first");
  await settle();
  const [{ url, method, body, headers }] = asked;
  assert.deepEqual([url, method, body], ["http://live.test/api/tickets", "POST", '{"topics":["a"]}']);
  assert.equal(headers.Authorization, "Bearer secret");
  const expected = "http://live.test/api/sse?topic=a&after=k-1&named=0&auth=required&ticket=tk_1";
  assert.equal(Source.last.url.href, expected);
});

test("a ticket that is refused ends it with the status, or with how long to wait", async () => {
  const problem = { "content-type": "application/problem+json" };
  for (const [status, headers, wait] of [
    [401, problem, undefined],
    [403, problem, undefined],
    [429, { ...problem, "retry-after": "7" }, 7_000],
    [503, { "retry-after": "5" }, 5_000],
  ]) {
    const body = JSON.stringify({ title: "No" });
    const { wire, asked } = open({ token: "t", respond: () => new Response(body, { status, headers }) });
    await settle();
    assert.deepEqual([wire.fault.kind, wire.fault.status, wire.fault.retryAfter], ["http", status, wait]);
    assert.deepEqual([asked.length, Source.last], [1, null]);
  }
});

test("closed while the ticket is on its way, nothing is opened", async () => {
  const { wire, told } = open({ token: "secret" });
  wire.close();
  await settle();
  assert.deepEqual([Source.last, told], [null, []]);
});

test("frames without names, from the cursor; credentials only across origins", () => {
  const { source } = open();
  assert.equal(source.url.href, "http://live.test/api/sse?topic=a&after=k-1&named=0");
  assert.equal(source.init.withCredentials, false);
  assert.equal(open({ credentials: "include" }).source.init.withCredentials, true);
});

test("an error ends it, for good: its own reconnect would ask from the old URL", () => {
  const { source, told } = open();
  source.onopen();
  source.onerror();
  assert.deepEqual([told, source.closed, source.onmessage], [["opened", "network"], true, null]);
});

test("what is no frame ends it; after close nothing is told", () => {
  const { source, told } = open({ text: () => false });
  source.onmessage({ data: "no" });
  assert.deepEqual([told, source.closed], [["protocol"], true]);
  const closed = open();
  const { onerror } = closed.source;
  closed.wire.close();
  onerror();
  assert.deepEqual(closed.told, []);
});

test("without an EventSource it says so", () => {
  const http = new Http({}, new URL("http://live.test/"), new Auth());
  assert.throws(
    () => openEventSource({ env: { EventSource: null }, http }, { topics: [], after: null }, {}),
    TypeError,
  );
});
