/**
 * The topics of a connection, and their changes while it runs: a message on a WebSocket, a new request
 * elsewhere. What is wanted is kept here, so that every later connection asks for it, whatever became of the
 * message.
 */

import { TwinwireError } from "./errors.js";
import { UnansweredError } from "./requests.js";
import { Transport } from "./states.js";

/** @import { Intake } from "./intake.js" */
/** @import { Link } from "./link.js" */
/** @import { Prober } from "./probe.js" */
/** @import { Requests } from "./requests.js" */
/** @import { Position, Reply } from "./source.js" */

/**
 * @typedef {object} Carrier
 * @property {() => boolean} speaks whether messages can be sent
 * @property {(message: object) => Promise<Reply>} ask
 * @property {() => void} renew connects anew
 */

/**
 * What speaking needs of a connection.
 *
 * @typedef {object} Line
 * @property {() => Link | null} link that is acted on
 * @property {() => Intake} intake
 * @property {() => Prober} prober
 * @property {() => void} restart connects anew, if it is connected or about to be
 */

/**
 * @param {Requests} requests
 * @param {Line} line
 * @returns {Carrier}
 */
export function carrierOf(requests, { link, intake, prober, restart }) {
  return {
    speaks: () => link()?.name === Transport.WEBSOCKET,
    ask: (message) => {
      intake().topicsChanged();
      prober().cancel(); // it asked for the old topics
      prober().begin(true);
      return requests.send(link(), message, ({ id }) => intake().position(id));
    },
    renew: () => {
      intake().topicsChanged();
      restart();
    },
  };
}

/** Asked for when no topic is left: a request without a topic would mean all of them. */
const NO_TOPIC = "~";

export class TopicSet {
  #carrier;
  /** @type {Set<{ resolve(position: Position): void, reject(error: TwinwireError): void }>} */
  #waiting = new Set();

  #isClosed = false;

  /** Patterns; null for all topics. @type {readonly string[] | null} */
  list;

  /**
   * @param {readonly string[] | null} list
   * @param {Carrier} carrier
   */
  constructor(list, carrier) {
    this.list = list;
    this.#carrier = carrier;
  }

  /** The topics for a request: empty for all. */
  get asked() {
    if (this.list === null) return [];
    return this.list.length > 0 ? this.list : [NO_TOPIC];
  }

  /**
   * Resolves with `{id}`: the position from which the new topics are covered. Rejects if the server refuses
   * them.
   *
   * @param {readonly string[]} topics
   * @returns {Promise<Position>}
   */
  async add(topics) {
    const list = this.list;
    const added = topics.filter((topic) => list !== null && !list.includes(topic));
    if (list === null || added.length === 0) return { id: null };
    this.list = [...list, ...added];
    if (!this.#carrier.speaks()) return this.#renew();
    try {
      const { id = null } = await this.#carrier.ask({ op: "subscribe", topics: added });
      return { id };
    } catch (error) {
      if (error instanceof UnansweredError) return this.#renew();
      this.list = (this.list ?? []).filter((topic) => !added.includes(topic));
      throw error;
    }
  }

  /**
   * Resolves with `{id}`. Without a WebSocket the next connection leaves them out; the stream filters until
   * then.
   *
   * @param {readonly string[]} topics
   * @returns {Promise<Position>}
   */
  async remove(topics) {
    const list = this.list ?? [];
    const removed = list.filter((topic) => topics.includes(topic));
    if (removed.length === 0) return { id: null };
    this.list = list.filter((topic) => !removed.includes(topic));
    if (!this.#carrier.speaks()) return { id: null };
    try {
      const { id = null } = await this.#carrier.ask({ op: "unsubscribe", topics: removed });
      return { id };
    } catch (error) {
      if (error instanceof UnansweredError) return { id: null };
      throw error;
    }
  }

  /** The server took them off the connection: a later one that asked for them would be refused. @param {readonly string[]} topics */
  lose(topics) {
    if (this.list !== null && topics.length > 0)
      this.list = this.list.filter((topic) => !topics.includes(topic));
  }

  /** A connection that asked for all of `list` stands at `cursor`. @param {string | null} cursor */
  connected(cursor) {
    for (const { resolve } of this.#waiting) resolve({ id: cursor });
    this.#waiting.clear();
  }

  closed() {
    this.#isClosed = true;
    for (const { reject } of this.#waiting) reject(new TwinwireError("the stream is closed"));
    this.#waiting.clear();
  }

  /** @returns {Promise<Position>} */
  #renew() {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new TwinwireError("the stream is closed"));
      this.#waiting.add({ resolve, reject });
      this.#carrier.renew();
    });
  }
}
