/**
 * Publishing, at most once however often it is tried: every draft has an idempotency key, the page's or one
 * of ours, and a retry with the same key returns the first id (docs/protocol.md, section 5).
 */

import { Backoff } from "./backoff.js";
import { TwinwireError, isPassing } from "./errors.js";
import { UnansweredError } from "./requests.js";

/** @import { Environment, Settings } from "./internal.js" */
/** @import { Draft } from "./index.js" */
/** @import { Http } from "./http.js" */
/** @import { Reply } from "./source.js" */

const SOCKET_MAX = 60 * 1024; // bytes; a WebSocket message over the server's limit would cost the connection

/** @param {string} text */
function byteLength(text) {
  return text.length > SOCKET_MAX ? text.length : new TextEncoder().encode(text).length;
}

export class Publisher {
  #env;
  #http;
  #settings;
  #request;
  #count = 0;

  /**
   * `request(message)` sends a client message over the WebSocket, or rejects with UnansweredError.
   *
   * @param {Environment} env
   * @param {Http} http
   * @param {Settings} settings
   * @param {(message: object) => Promise<Reply>} request
   */
  constructor(env, http, settings, request) {
    this.#env = env;
    this.#http = http;
    this.#settings = settings;
    this.#request = request;
  }

  /**
   * Publishes a draft or an array of drafts. Resolves with `{id}` or `{ids}`, after the commit.
   *
   * @param {Draft | readonly Draft[]} drafts
   * @returns {Promise<any>}
   */
  publish(drafts) {
    if (Array.isArray(drafts)) {
      const keyed = drafts.map((draft) => this.#keyed(draft));
      return this.#persist(() => this.#post(keyed));
    }
    const keyed = this.#keyed(/** @type {Draft} */ (drafts));
    return this.#persist(() => this.#one(keyed));
  }

  /** @param {Draft} draft */
  #keyed({ topic, type, data = null, key, subject, append, final }) {
    return { topic, type, data, key: key ?? this.#draw(), subject, append, final };
  }

  #draw() {
    const part = () => Math.floor(this.#env.random() * 2 ** 48).toString(36);
    this.#count += 1;
    return `${this.#env.now().toString(36)}-${part()}-${part()}-${this.#count.toString(36)}`;
  }

  /**
   * @template T
   * @param {() => Promise<T>} act
   * @returns {Promise<T>}
   */
  async #persist(act) {
    const { backoffBase, backoffCap, publishTimeout } = this.#settings;
    const backoff = new Backoff(backoffBase, backoffCap, this.#env.random);
    const deadline = this.#env.elapsed() + publishTimeout;
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof TwinwireError)) throw error;
        const delay = error.retryAfter ?? backoff.next();
        if (!isPassing(error) || this.#env.elapsed() + delay > deadline) throw error;
        await new Promise((resolve) => this.#env.setTimeout(() => resolve(undefined), delay));
      }
    }
  }

  /**
   * One draft: over the WebSocket if there is one, else, or if it gives no answer, with POST.
   *
   * @param {Draft} draft
   */
  async #one(draft) {
    const message = { op: "publish", ...draft };
    if (byteLength(JSON.stringify(message)) <= SOCKET_MAX) {
      try {
        const { id } = await this.#request(message);
        return { id };
      } catch (error) {
        if (!(error instanceof UnansweredError)) throw error;
      }
    }
    return this.#post(draft);
  }

  /** @param {Draft | Draft[]} body */
  async #post(body) {
    if (!this.#env.fetch) throw new TwinwireError("not connected, and there is no fetch");
    return this.#http.json(this.#http.url("api/events"), { method: "POST", body: JSON.stringify(body) });
  }
}
