/** The façade: one connection and a handful of functions, for a page that watches one topic at a time. */

import { Emitter } from "./emitter.js";
import { TwinwireError } from "./errors.js";
import { Stream } from "./stream.js";
import { readTopics } from "./topics.js";

const noop = () => {};

/** A topic on which the page can also publish: no filter. Throws TwinwireError 422. */
function oneTopic(text) {
  readTopics(text);
  if (text.includes("*")) throw new TwinwireError(`not one topic: ${text}`, 422, { field: "topic" });
  return text;
}

/** `prefix` stands before each name of a topic; `defaults` are the options of every `connect`. */
export function createFacade({ prefix = "", ...defaults } = {}) {
  const emitter = new Emitter();
  const relayed = new Map(); // names that the page listens to, with the way to stop the relay from the stream
  let stream = null;
  let topic = null;

  const relay = (name) =>
    relayed.set(name, stream ? stream.on(name, (detail) => emitter.emit(name, detail)) : noop);

  function disconnect() {
    stream?.close();
    stream = null;
  }

  function connect(name, onMessage = noop, onError = noop, onConnectionChange = noop, options = {}) {
    topic = oneTopic(`${prefix}${name}`);
    disconnect();
    stream = new Stream({ ...defaults, ...options, topics: options.topics ?? topic });
    stream.on("*", onMessage);
    stream.on(":fault", (fault) => {
      if (!fault.probe) onError(fault);
    });
    stream.on(":close", ({ error }) => {
      if (error) onError(error);
    });
    let connected = false;
    stream.on(":state", ({ state }) => {
      const now = state === "live";
      if (now === connected && state !== "closed" && state !== "unauthorized") return;
      connected = now;
      onConnectionChange(connected, state);
    });
    for (const heard of relayed.keys()) relay(heard);
    return stream;
  }

  return {
    connect,
    disconnect,
    on(type, fn) {
      const off = emitter.on(type, fn);
      if (!relayed.has(type)) relay(type);
      return off;
    },
    off: (type, fn) => emitter.off(type, fn),
    async send(message) {
      if (stream === null) throw new Error("connect() first");
      const draft = message.op === undefined && message.type !== "ping";
      return draft ? stream.publish({ topic, ...message }) : stream.send(message);
    },
    isConnected: () => stream !== null && stream.state === "live",
  };
}
