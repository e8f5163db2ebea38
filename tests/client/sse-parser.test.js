/** The event stream format (WHATWG HTML, 9.2.6), cut at every possible place. */

import assert from "node:assert/strict";
import test from "node:test";

import { EventStreamParser } from "../../static/client/sse-parser.js";

const encoder = new TextEncoder();

/** Parses `bytes` in pieces of `size`. */
function parse(bytes, size = bytes.length) {
  const events = [];
  const retries = [];
  const parser = new EventStreamParser(
    (event) => events.push(event),
    (ms) => retries.push(ms),
  );
  for (let i = 0; i < bytes.length; i += size) parser.feed(bytes.subarray(i, i + size));
  return { events, retries };
}

const text = (string) => encoder.encode(string);

test("an event has type, data and the last id", () => {
  const { events } = parse(text("event: log\nid: k-1\ndata: {}\n\ndata: next\n\n"));
  assert.deepEqual(events, [
    { type: "log", data: "{}", id: "k-1" },
    { type: "message", data: "next", id: "k-1" },
  ]);
});

for (const [name, end] of [
  ["LF", "\n"],
  ["CR", "\r"],
  ["CRLF", "\r\n"],
]) {
  test(`${name} ends a line, however the stream is cut`, () => {
    const stream = text(
      ["\ufeff: comment", "retry: 1500", "event: é", "data: 🙂 a", "data: b", "id: k-2", "", ""].join(end),
    );
    for (let size = 1; size <= stream.length; size += 1) {
      const { events, retries } = parse(stream, size);
      assert.deepEqual(events, [{ type: "é", data: "🙂 a\nb", id: "k-2" }], `pieces of ${size}`);
      assert.deepEqual(retries, [1500]);
    }
  });
}

test("an LF in the next chunk after a CR belongs to it", () => {
  assert.equal(parse(text("data: a\r\ndata: b\r\n\r\n"), 8).events[0].data, "a\nb");
});

test("only one space after the colon is dropped; a line without colon is a field without value", () => {
  assert.deepEqual(parse(text("data:  a\ndata:b\ndata\n\n")).events[0].data, " a\nb\n");
});

test("an event without data is none, and its type does not leak into the next", () => {
  assert.deepEqual(parse(text("event: ghost\n\ndata: x\n\n")).events, [
    { type: "message", data: "x", id: "" },
  ]);
});

test("an id with NUL is ignored; retry takes digits only", () => {
  const { events, retries } = parse(text("id: k-1\nid: a\0b\nretry: 1e3\nretry: -1\ndata: x\n\n"));
  assert.equal(events[0].id, "k-1");
  assert.deepEqual(retries, []);
});

test("an unfinished event is not dispatched", () => {
  assert.deepEqual(parse(text("data: half\n")).events, []);
});

test("an endless line is refused before it fills the memory", () => {
  const parser = new EventStreamParser(() => {});
  const piece = text("x".repeat(1024 * 1024));
  assert.throws(() => {
    for (let i = 0; i < 20; i += 1) parser.feed(piece);
  }, RangeError);
});

test("endless data lines of one event are refused too", () => {
  const parser = new EventStreamParser(() => {});
  const piece = text(`data: ${"x".repeat(1024 * 1024)}\n`);
  assert.throws(() => {
    for (let i = 0; i < 20; i += 1) parser.feed(piece);
  }, RangeError);
});
