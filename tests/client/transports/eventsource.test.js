/** EventSource: everything as `message`, one end, never its own reconnect. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth, Http } from "../../../static/client/http.js";
import { openEventSource } from "../../../static/client/transports/eventsource.js";

class Source {
  constructor(url, init) {
    Object.assign(this, { url: new URL(url), init, closed: false });
    Source.last = this;
  }

  close() {
    this.closed = true;
  }
}

function open({ credentials, text = () => true } = {}) {
  const env = { EventSource: Source };
  const http = new Http(env, new URL("http://live.test/"), new Auth("secret"), credentials);
  const told = [];
  const link = { opened: () => told.push("opened"), text, end: (fault) => told.push(fault.kind) };
  const wire = openEventSource({ env, http }, { topics: ["a"], after: "k-1" }, link);
  return { wire, told, source: Source.last };
}

test("frames without names, from the cursor; credentials only across origins; no token", () => {
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
