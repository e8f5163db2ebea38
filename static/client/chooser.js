/**
 * Which transport to try first. Three unproductive connections in a row, or a stall, demote one. A fallback
 * is remembered across page loads only by differential diagnosis: it worked while every better one failed in
 * the same minute. All failed together: the server was down, and nothing was learned.
 */

import { FaultKind, Transport } from "./states.js";

/** @import { Environment, FullFault } from "./internal.js" */
/** @import { KeyValueStorage, TransportName } from "./index.js" */

const UNPRODUCTIVE_MAX = 3;
const FAILURES_TO_REMEMBER = 2; // one may be a coincidence
const SAME_MINUTE = 60_000; // ms
const MEMORY_TIME = 30 * 60_000; // ms

/** An idle timeout on the path: two cuts after about the same silence. */
const IDLE_MIN = 2_000; // ms
const IDLE_LIKENESS = 0.25;
const PING_SHARE = 0.6; // of the observed idle timeout

/**
 * Faults that say nothing about the transport: we, the server or the machine meant it.
 *
 * @type {ReadonlySet<string>}
 */
const BLAMELESS = new Set([FaultKind.GOODBYE, FaultKind.SUSPENDED, FaultKind.DROPPED]);
const INTENDED_CODES = new Set([1000, 1001, 1008, 1012, 1013]);

/** @param {FullFault} fault */
function isBlameless(fault) {
  return BLAMELESS.has(fault.kind) || INTENDED_CODES.has(fault.code ?? 0) || Boolean(fault.problem);
}

export class Chooser {
  #env;
  #memoryKey;
  /** @type {Set<TransportName>} */
  #demoted = new Set();
  /** Unproductive connections in a row. @type {Map<TransportName, number>} */
  #streaks = new Map();
  /**
   * Since it was productive last; `at`: of the newest.
   *
   * @type {Map<TransportName, { count: number, at: number }>}
   */
  #failures = new Map();
  /** The one that connected last, while it is. @type {TransportName | null} */
  #current = null;
  #lastIdle = 0;

  /**
   * Milliseconds between pings that keep an idle connection alive; null while no path asks for it.
   *
   * @type {number | null}
   */
  pingEvery = null;
  /** @type {TransportName | null} */
  remembered = null;

  /**
   * @param {Environment} env
   * @param {readonly TransportName[]} transports allowed ones, best first
   * @param {string} memoryKey where a fallback is remembered
   */
  constructor(env, transports, memoryKey) {
    this.#env = env;
    this.transports = transports;
    this.#memoryKey = memoryKey;
    this.#recall();
  }

  /** All transports in the order to try them: those in good standing first. */
  order() {
    const good = this.transports.filter((name) => !this.#demoted.has(name));
    return [...good, ...this.transports.filter((name) => this.#demoted.has(name))];
  }

  /**
   * The transports that would be better than `name`.
   *
   * @param {TransportName} name
   */
  better(name) {
    return this.transports.slice(0, Math.max(this.transports.indexOf(name), 0));
  }

  /** @param {TransportName} name */
  connected(name) {
    this.#current = name;
    this.#remember();
  }

  /** @param {TransportName} name */
  productive(name) {
    this.#streaks.delete(name);
    this.#failures.delete(name);
    this.#demoted.delete(name);
    if (this.remembered && this.better(this.remembered).includes(name)) this.#forget();
  }

  /**
   * An attempt failed or a connection ended. Nothing is learned while the browser is offline.
   *
   * @param {{ name: TransportName, connection: object | null, productive: boolean }} link
   * @param {FullFault} fault
   */
  ended(link, fault) {
    if (this.#current === link.name && link.connection) this.#current = null;
    if (link.name === Transport.WEBSOCKET && link.connection) this.#learnIdle(fault);
    if (isBlameless(fault) || !this.#env.online()) return;
    const { count = 0 } = this.#failures.get(link.name) ?? {};
    if (!link.productive) this.#failures.set(link.name, { count: count + 1, at: this.#env.elapsed() });
    const streak = link.productive ? 0 : (this.#streaks.get(link.name) ?? 0) + 1;
    this.#streaks.set(link.name, streak);
    if (
      fault.kind === FaultKind.STALLED ||
      fault.kind === FaultKind.UNSUPPORTED ||
      streak >= UNPRODUCTIVE_MAX
    )
      this.#demote(link.name);
    this.#remember();
  }

  /** Every transport failed in one round: the server is down. */
  allFailed() {
    this.#streaks.clear();
    this.#failures.clear();
    this.#current = null;
  }

  /** @param {TransportName} name */
  #demote(name) {
    this.#streaks.delete(name);
    this.#demoted.add(name);
    // With none left in good standing there is nothing to choose from: start over with the best.
    if (this.#demoted.size === this.transports.length) this.#demoted.clear();
  }

  /** @param {FullFault} fault */
  #learnIdle({ kind, silence = 0 }) {
    if (kind !== FaultKind.NETWORK || silence < IDLE_MIN || !this.#env.online()) return;
    const like = Math.abs(silence - this.#lastIdle) <= IDLE_LIKENESS * silence;
    if (like) this.pingEvery = Math.min(this.pingEvery ?? Infinity, Math.round(silence * PING_SHARE));
    this.#lastIdle = silence;
  }

  // -- the memory of a fallback

  #remember() {
    if (this.#current === null || this.#current === this.transports[0]) return;
    /** @param {TransportName} name */
    const failed = (name) => {
      const { count, at } = this.#failures.get(name) ?? { count: 0, at: 0 };
      return count >= FAILURES_TO_REMEMBER && this.#env.elapsed() - at <= SAME_MINUTE;
    };
    if (!this.better(this.#current).every(failed)) return;
    this.remembered = this.#current;
    const text = JSON.stringify({ transport: this.#current, until: this.#env.now() + MEMORY_TIME });
    this.#store((memory) => memory.setItem(this.#memoryKey, text));
  }

  #recall() {
    const text = this.#store((memory) => memory.getItem(this.#memoryKey));
    const { transport, until = 0 } = parse(text);
    if (transport === undefined || !this.transports.includes(transport) || until <= this.#env.now()) return;
    if (until > this.#env.now() + MEMORY_TIME) return; // from the future: the clock was set back
    this.remembered = transport;
    for (const name of this.better(transport)) this.#demoted.add(name);
  }

  #forget() {
    this.remembered = null;
    this.#store((memory) => memory.removeItem(this.#memoryKey));
  }

  /**
   * @template T
   * @param {(memory: KeyValueStorage) => T} act
   */
  #store(act) {
    try {
      return this.#env.memory ? act(this.#env.memory) : null;
    } catch {
      return null; // blocked or full: the memory is a convenience
    }
  }
}

/**
 * @param {string | null} text
 * @returns {{ transport?: TransportName, until?: number }}
 */
function parse(text) {
  try {
    return JSON.parse(text ?? "null") ?? {};
  } catch {
    return {};
  }
}
