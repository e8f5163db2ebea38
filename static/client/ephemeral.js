/**
 * Events that are not kept (docs/protocol.md, section 10): sent as they are, and told to whoever hears them. They have no
 * place in the log, so they pass by everything that keeps a cursor.
 */

import { Emitter } from "./emitter.js";
import { TwinwireError } from "./errors.js";
import { oneTopic } from "./topics.js";

/** @import { EphemeralEvent, EphemeralOptions } from "./index.js" */
/** @import { Http } from "./http.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Reply } from "./source.js" */

/**
 * @typedef {object} Way
 * @property {Http} http
 * @property {() => "socket" | "http" | null} carrier how a message goes; null: there is no connection
 * @property {(message: object) => Promise<Reply>} request over the WebSocket
 * @property {() => void} changed whether they are wanted is other than before
 */

export class Ephemerals {
  #way;
  #emitter = new Emitter();
  #heard = 0;

  /** @param {Way} way */
  constructor(way) {
    this.#way = way;
  }

  /** Whether anybody hears them. */
  get wanted() {
    return this.#heard > 0;
  }

  /**
   * Calls `fn` for each event of `type`, or of any for `*`, on topics that `matches`.
   *
   * @param {string} type
   * @param {Listener} fn
   * @param {(topic: string) => boolean} matches
   */
  hear(type, fn, matches = () => true) {
    if (typeof fn !== "function") throw new TypeError("a listener is a function");
    /** @param {EphemeralEvent} event */
    const told = (event) => matches(event.topic) && fn(event);
    const off = this.#emitter.on(type, told);
    this.#count(1);
    let isOver = false;
    return () => {
      off();
      if (!isOver) this.#count(-1);
      isOver = true;
    };
  }

  /** @param {number} change */
  #count(change) {
    const before = this.wanted;
    this.#heard += change;
    if (this.wanted !== before) this.#way.changed();
  }

  /** @param {EphemeralEvent} event */
  tell(event) {
    this.#emitter.emit(event.type, event);
    this.#emitter.emit("*", event);
  }

  /**
   * Once, over whatever there is: what was not delivered is not wanted later.
   *
   * @type {(topic: string, type: string, data: unknown, options?: EphemeralOptions) => Promise<void>}
   */
  send(topic, type, data, options = {}) {
    const sent = this.#send(topic, type, data, options);
    sent.catch(() => {}); // whoever does not ask
    return sent;
  }

  /**
   * A client message that says so of itself. Resolves with a reply that tells nothing.
   *
   * @type {(message: { topic: string, type: string, data: unknown } & EphemeralOptions) => Promise<object>}
   */
  publish = ({ topic, type, data, ...options }) => this.#send(topic, type, data, options).then(() => ({}));

  /** @type {(topic: string, type: string, data: unknown, options: EphemeralOptions) => Promise<void>} */
  async #send(topic, type, data, { key, ttl, echo }) {
    const { http, carrier, request } = this.#way;
    const event = { topic: oneTopic(topic), type, data: data ?? null, key, ttl };
    const by = carrier();
    if (by === null) throw new TwinwireError("there is no connection");
    if (by === "socket") return void (await request({ op: "publish", ...event, ephemeral: true, echo }));
    await http.json(http.url("api/ephemeral"), { method: "POST", body: JSON.stringify(event) });
  }
}
