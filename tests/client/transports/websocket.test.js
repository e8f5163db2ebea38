/** WebSocket: what is asked, what each end means, and that nothing is told after close. */

import assert from "node:assert/strict";
import test from "node:test";

import { Auth, Http } from "../../../static/client/http.js";
import { openWebSocket } from "../../../static/client/transports/websocket.js";
import { recorder } from "../support/fakes.js";

class Socket {
  readyState = 0;
  sent = [];

  constructor(url, protocols = null) {
    if (protocols?.some((one) => one.includes("picky"))) throw new SyntaxError(`no: ${protocols}`);
    Object.assign(this, { url: new URL(url), protocols });
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

const REQUEST = { topics: ["a", "b/*"], after: "k-1" };

function open(request = REQUEST, token = null, handshake = { failed: null }, link = recorder()) {
  const env = { WebSocket: Socket };
  const http = new Http(env, new URL("https://live.test/tw/"), new Auth(token));
  const wire = openWebSocket({ env, http, handshake }, request, { text: () => true, ...pick(link.listener) });
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
    { env, http, handshake: {} },
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

test("a token is a subprotocol, and the URL says that somebody is expected", () => {
  const { socket } = open(REQUEST, "a.b-c_d");
  assert.deepEqual(socket.protocols, ["twinwire.v1", "twinwire.bearer.a.b-c_d"]);
  assert.equal(socket.url.search, "?topic=a&topic=b%2F*&after=k-1&auth=required");
  socket.onopen();
  assert.deepEqual(socket.sent, []);
});

test("a token that can be no subprotocol is the first message", () => {
  for (const token of ["a/b=", "x".repeat(4_001)]) {
    const { socket } = open(REQUEST, token);
    assert.deepEqual([socket.protocols, socket.url.searchParams.get("auth")], [null, "message"]);
    socket.onopen();
    assert.deepEqual(socket.sent.map(JSON.parse), [{ op: "auth", token, ref: "auth" }]);
  }
  const topics = Array.from({ length: 60 }, (_, n) => `${"x".repeat(150)}/${n}`);
  const { socket } = open({ topics, after: null }, "a/b=");
  socket.onopen();
  assert.equal(socket.url.search, "?filter=later&auth=message");
  assert.deepEqual(
    socket.sent.map((text) => JSON.parse(text).op),
    ["auth", "subscribe"],
  );
});

test("after a handshake that failed without a word, the token goes where it is answered in words", () => {
  const handshake = { failed: null };
  open(REQUEST, "t1", handshake).socket.onclose({ code: 1006 });
  const second = open(REQUEST, "t1", handshake).socket;
  assert.deepEqual([second.protocols, second.url.searchParams.get("auth")], [null, "message"]);
  assert.notEqual(open(REQUEST, "t2", handshake).socket.protocols, null, "another token is not to blame");
  second.onclose({ code: 1006 });
  const third = open(REQUEST, "t1", handshake).socket;
  assert.equal(third.protocols[1], "twinwire.bearer.t1");
  third.onopen();
  third.onclose({ code: 1006 });
  assert.notEqual(open(REQUEST, "t1", handshake).socket.protocols, null, "one that opened was no refusal");
});

test("a WebSocket that does not like the token does not say it", () => {
  assert.throws(() => open(REQUEST, "picky"), { name: "TypeError", message: /^this WebSocket takes no/ });
});
