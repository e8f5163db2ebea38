/** Client messages on a WebSocket and their replies, matched by `ref` (docs/protocol.md, section 4). */

import { TwinwireError } from "./errors.js";

const REPLY_TIMEOUT = 10_000; // ms
/** @import { Environment, Timer } from "./internal.js" */
/** @import { ControlFrame } from "./index.js" */
/** @import { Link } from "./link.js" */
/** @import { Reply } from "./source.js" */

/**
 * @typedef {object} Pending
 * @property {(reply: Reply) => void} resolve
 * @property {(error: TwinwireError) => void} reject
 * @property {(reply: Reply) => void} taken
 * @property {Timer} timer
 */

/** Frames that answer a message. Any other type with a `ref` is not ours to understand. */
const ANSWERS = new Set(["reply", "pong", "problem"]);
const PENDING_MAX = 1_000; // a page that publishes faster than the server commits has to wait for replies

/** The connection ended, or stayed silent, before the reply: whether the message took effect is not known. */
export class UnansweredError extends TwinwireError {}

export class Requests {
  #env;
  /** By `ref`. @type {Map<unknown, Pending>} */
  #pending = new Map();
  #count = 0;

  /** @param {Environment} env */
  constructor(env) {
    this.#env = env;
  }

  /**
   * Sends `message` over `link`. Resolves with the reply, rejects with the problem, or with UnansweredError.
   * `taken` runs with the reply at once, before any later frame is read.
   *
   * @param {Link | null} link
   * @param {object} message
   * @param {(reply: Reply) => void} taken
   * @returns {Promise<Reply>}
   */
  send(link, message, taken = () => {}) {
    if (this.#pending.size >= PENDING_MAX)
      return Promise.reject(new UnansweredError("too many unanswered messages"));
    this.#count += 1;
    const ref = `c${this.#count}`;
    return new Promise((resolve, reject) => {
      const late = () => this.#settle(ref)?.reject(new UnansweredError("no reply in time"));
      const timer = this.#env.setTimeout(late, REPLY_TIMEOUT);
      this.#pending.set(ref, { resolve, reject, taken, timer });
      const sent = link?.send(JSON.stringify({ ...message, ref })) ?? false;
      if (!sent) this.#settle(ref)?.reject(new UnansweredError("there is no WebSocket"));
    });
  }

  /** Takes a reply, a pong or a problem; ignores the rest. @param {ControlFrame} frame */
  frame(frame) {
    if (!ANSWERS.has(frame.type)) return;
    const pending = this.#settle(frame.ref);
    if (!pending) return;
    if (frame.type === "problem")
      return pending.reject(TwinwireError.fromProblem(frame, Number(frame.status ?? 0)));
    pending.taken(frame);
    pending.resolve(frame);
  }

  /** The connection is gone. */
  abandon() {
    for (const ref of [...this.#pending.keys()])
      this.#settle(ref)?.reject(new UnansweredError("the connection ended"));
  }

  /** @param {unknown} ref */
  #settle(ref) {
    const pending = this.#pending.get(ref);
    if (!pending) return undefined;
    this.#pending.delete(ref);
    this.#env.clearTimeout(pending.timer);
    return pending;
  }
}
