/** WebSocket: what is asked, what each end means, and that nothing is told after close. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth, Http } from "../../../static/client/http.js";
import { openWebSocket } from "../../../static/client/transports/websocket.js";
import { recorder } from "../support/fakes.js";

class Socket {
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = new URL(url);
    Socket.last = this;
  }

  send(text) {
    this.sent.push(text);
  }

  close(code) {
    this.closed = code;
    if (this.stubborn) throw new Error("an extension's own WebSocket");
  }
}

function open(request = { topics: ["a", "b/*"], after: "k-1" }, link = recorder()) {
  const env = { WebSocket: Socket };
  const http = new Http(env, new URL("https://live.test/tw/"), new Auth("secret"));
  const wire = openWebSocket({ env, http }, request, { text: () => true, ...pick(link.listener) });
  return { wire, socket: Socket.last, heard: link.heard };
}

const pick = ({ opened, end }) => ({ opened, end });

test("topics and cursor are in the URL, and nothing else", () => {
  const { socket } = open();
  assert.equal(socket.url.href, "wss://live.test/tw/api/ws?topic=a&topic=b%2F*&after=k-1");
  assert.equal(open({ topics: [], after: null }).socket.url.search, "");
});

test("each close is a fault of its kind; what is not a frame ends it", () => {
  for (const [closed, kind, detail] of [
    [{ code: 1006, reason: "" }, "network", "cut, or never opened"],
    [{}, "network", "cut, or never opened"],
    [{ code: 1012, reason: "" }, "closed", "closed with 1012"],
    [{ code: 1008, reason: "no" }, "closed", "no"],
  ]) {
    const { socket, heard } = open();
    socket.onopen();
    socket.onerror();
    socket.onclose(closed);
    assert.deepEqual(
      heard.map(([name]) => name),
      ["opened", "end"],
    );
    assert.deepEqual([heard[1][1].kind, heard[1][1].code, heard[1][1].detail], [kind, closed.code, detail]);
  }
  const env = { WebSocket: Socket };
  const http = new Http(env, new URL("https://live.test/"), new Auth());
  const told = [];
  openWebSocket(
    { env, http },
    { topics: [], after: null },
    { text: () => false, end: (fault) => told.push(fault.kind) },
  );
  Socket.last.onmessage({ data: "no" });
  assert.deepEqual([told, Socket.last.closed], [["protocol"], 1000]);
});

test("it sends while it is open, and only then", () => {
  const { wire, socket } = open();
  assert.equal(wire.send("early"), false);
  socket.readyState = 1;
  assert.equal(wire.send("now"), true);
  wire.close();
  assert.equal(wire.send("late"), false);
  assert.deepEqual(socket.sent, ["now"]);
});

test("after close nothing is told, even if the socket resists", () => {
  const { wire, socket, heard } = open();
  socket.stubborn = true;
  wire.close();
  wire.close();
  assert.deepEqual([socket.onopen, socket.onmessage, socket.onclose, heard], [null, null, null, []]);
});

test("without a WebSocket it says so", () => {
  const http = new Http({}, new URL("https://live.test/"), new Auth());
  assert.throws(
    () => openWebSocket({ env: { WebSocket: null }, http }, { topics: [], after: null }, {}),
    TypeError,
  );
});

test("topics that outgrow a URL follow in the first message", () => {
  const topics = Array.from({ length: 60 }, (_, n) => `${"x".repeat(150)}/${n}`);
  const { socket, heard } = open({ topics, after: "k-1" });
  assert.equal(socket.url.href, "wss://live.test/tw/api/ws?filter=later&after=k-1");
  assert.deepEqual(socket.sent, []);
  socket.onopen();
  assert.deepEqual(socket.sent.map(JSON.parse), [{ op: "subscribe", topics }]);
  assert.deepEqual(
    heard.map(([name]) => name),
    ["opened"],
  );
});
