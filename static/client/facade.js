/** The façade: one connection and a handful of functions, for a page that watches one topic at a time. */

import { connect as open } from "./connect.js";
import { Emitter } from "./emitter.js";
import { State } from "./states.js";
import { oneTopic } from "./topics.js";

/** @import { ConnectOptions, GapFrame, Fault, StreamState, WireEvent } from "./index.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { TwinwireError } from "./errors.js" */
/** @import { Stream } from "./stream.js" */

const noop = () => {};

/**
 * Tells the three functions of `connect` what the stream does.
 *
 * @param {Stream} stream
 * @param {(message: WireEvent<any, any> | GapFrame) => void} onMessage
 * @param {(fault: Fault | TwinwireError) => void} onError
 * @param {(connected: boolean, state: StreamState) => void} onConnectionChange
 */
function watch(stream, onMessage, onError, onConnectionChange) {
  stream.on("*", onMessage);
  stream.on(":fault", (fault) => {
    if (!fault.probe) onError(fault);
  });
  stream.on(":close", ({ error }) => {
    if (error) onError(error);
  });
  let connected = false;
  stream.on(":state", ({ state }) => {
    const now = state === State.LIVE;
    if (now === connected && state !== State.CLOSED && state !== State.UNAUTHORIZED) return;
    connected = now;
    onConnectionChange(connected, state);
  });
}

/**
 * `prefix` stands before each name of a topic; `defaults` are the options of every `connect`.
 *
 * @param {ConnectOptions & { prefix?: string }} options
 */
export function createFacade({ prefix = "", ...defaults } = {}) {
  const emitter = new Emitter();
  /** Names that the page listens to. @type {Set<string>} */
  const relayed = new Set();
  /** @type {Stream | null} */
  let stream = null;
  let topic = "";

  /** @param {string} name */
  const relay = (name) => void stream?.on(name, (detail) => emitter.emit(name, detail));

  function disconnect() {
    stream?.close();
    stream = null;
  }

  /**
   * @param {string | number} name
   * @param {Parameters<typeof watch>[1]} onMessage
   * @param {Parameters<typeof watch>[2]} onError
   * @param {Parameters<typeof watch>[3]} onConnectionChange
   * @param {ConnectOptions} options
   */
  function connect(name, onMessage = noop, onError = noop, onConnectionChange = noop, options = {}) {
    topic = oneTopic(`${prefix}${name}`);
    disconnect();
    stream = open({ ...defaults, ...options, topics: options.topics ?? topic });
    watch(stream, onMessage, onError, onConnectionChange);
    for (const heard of relayed) relay(heard);
    return stream;
  }

  return {
    connect,
    disconnect,
    /**
     * @param {string} type
     * @param {Listener} fn
     */
    on(type, fn) {
      const off = emitter.on(type, fn);
      if (!relayed.has(type)) relay(type);
      relayed.add(type);
      return off;
    },
    /**
     * @param {string} type
     * @param {Listener} [fn]
     */
    off: (type, fn) => emitter.off(type, fn),
    /** @param {{ op?: string, type?: string, [field: string]: unknown }} message */
    async send(message) {
      if (stream === null) throw new Error("connect() first");
      const draft = message.op === undefined && message.type !== "ping";
      return stream.send(draft ? { topic, ...message } : message);
    },
    isConnected: () => stream?.state === State.LIVE,
  };
}
