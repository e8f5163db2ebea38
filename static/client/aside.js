/** What a stream has beside its log: the places at which its page is, and the events that are not kept. */

import { Company } from "./company.js";
import { Ephemerals } from "./ephemeral.js";
import { Role, Transport } from "./states.js";

/** @import { Beside, Environment } from "./internal.js" */
/** @import { Http } from "./http.js" */
/** @import { RootSource } from "./source.js" */
/** @import { Stream } from "./stream.js" */

export class Aside {
  #stream;
  #source;

  /**
   * `source()`: the stream's, once there is one.
   *
   * @param {{ env: Environment, http: Http, base: URL }} context
   * @param {Stream} stream
   * @param {() => RootSource} source
   */
  constructor({ env, http, base }, stream, source) {
    this.#stream = stream;
    this.#source = source;
    const changed = () => this.#attend();
    /** @param {object} message */
    const request = (message) => source().request(message);
    this.ephemerals = new Ephemerals({ http, carrier: () => this.#carrier(), request, changed });
    const ask = (/** @type {string} */ place) => source().ask(place);
    this.company = new Company({ env, base }, stream, { attend: changed, ask });
  }

  #attend() {
    this.#source().attend({ ephemeral: this.ephemerals.wanted, ...this.company.wanted });
  }

  /** How an event that is not kept goes: a tab without a connection of its own sends it as it publishes. */
  #carrier() {
    const { transport, role } = this.#stream;
    if (transport === null) return null;
    return transport === Transport.WEBSOCKET && role !== Role.FOLLOWER ? "socket" : "http";
  }

  /** @type {(word: Beside, matches: (topic: string) => boolean) => void} */
  tell(word, matches) {
    if (word.topic === undefined) this.company.tell(word);
    else if (matches(word.topic)) this.ephemerals.tell(word);
  }
}
