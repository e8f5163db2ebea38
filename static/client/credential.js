/**
 * The credential of one connection: who it made the connection, until when; a fresh token in time, in place; and
 * whether a refusal is worth one more attempt with another token.
 *
 * The server warns before the end. Then the page is asked for a token, once, after a while that spreads out a
 * herd of pages; and the running connection is told of it, so that its place and its events stay as they are.
 */

import { Backoff } from "./backoff.js";
import { TwinwireError, refusalOf } from "./errors.js";
import { AuthState, Refusal, Transport } from "./states.js";

/** @import { Context, FullFault, Timer } from "./internal.js" */
/** @import { AuthNotice, ControlFrame } from "./index.js" */
/** @import { Link } from "./link.js" */
/** @import { Access, Reply } from "./source.js" */

const JITTER = 20_000; // ms
const MARGIN = 5_000; // ms before the end, by which it must have been tried once

/**
 * @typedef {object} Holder the connection
 * @property {(link: Link, message: object) => Promise<Reply>} ask sends a message over a WebSocket
 * @property {(reason: string) => void} restart connects anew, from the cursor
 * @property {(notice: AuthNotice) => void} tell
 */

/** @type {(value: unknown) => string | null} */
const text = (value) => (typeof value === "string" ? value : null);

export class Credential {
  #context;
  #holder;
  /** A fresh token was asked for since the last productive connection. */
  #isFresh = false;
  /** The token that is there was refused: another one is asked for before the next attempt. */
  #isStale = false;
  /** The link whose credential ends, and is being renewed. @type {Link | null} */
  #link = null;
  /** A token that the connection is yet to be told of. @type {string | null} */
  #next = null;
  /** @type {Timer | null} */
  #timer = null;
  #backoff;

  /** @type {Access} */
  access = Object.freeze({ subject: null, expires: null });

  /**
   * @param {Context} context
   * @param {Holder} holder
   */
  constructor(context, holder) {
    const { env, settings } = context;
    this.#context = context;
    this.#holder = holder;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
  }

  get #auth() {
    return this.#context.http.auth;
  }

  // -- before a connection

  /** Whether the page is to be asked for a token before an attempt makes sense. */
  get isMissing() {
    return this.#auth.renewable && (this.#isStale || (this.#auth.token === null && !this.#isFresh));
  }

  async ask() {
    if (this.#isStale) this.#isFresh = true;
    this.#isStale = false;
    await this.#auth.renew();
  }

  /**
   * Whether an attempt with another token makes sense, which is there then: what no token of this bearer may do
   * is not asked for again.
   *
   * @param {FullFault} fault a refusal
   */
  async hasAnother(fault) {
    if (this.#isFresh || refusalOf(fault) === Refusal.FORBIDDEN) return false;
    return this.#auth.renew();
  }

  /** An attempt with the token of `hasAnother` begins: the next refusal is the last. */
  tried() {
    this.#isFresh = true;
  }

  /** Nothing more is tried. @param {FullFault} fault */
  refused(fault) {
    this.#isStale = true;
    const { detail } = fault;
    this.#holder.tell(this.#notice(AuthState.REFUSED, { reason: refusalOf(fault), detail: detail ?? null }));
  }

  /** The connection has proved of use, or the page wants another beginning. */
  reset() {
    this.#isFresh = false;
  }

  // -- while it runs

  /** This link is acted on from now on. @param {Link} link */
  adopt(link) {
    this.cancel();
    const subject = link.connection?.subject;
    const expires = link.connection?.expires;
    // A server that does not say whose the connection is has not changed it either.
    if (subject !== undefined) this.#become({ subject: text(subject), expires: text(expires) });
    this.#watch(link);
  }

  /**
   * A frame `auth` of the link that is acted on. Returns the topics that were taken off the connection.
   *
   * @param {Link} link
   * @param {ControlFrame} frame
   */
  frame(link, { state, subject, expires, lost }) {
    const known = Object.values(AuthState).find((word) => word === state);
    if (known === undefined || known === AuthState.REFUSED) return [];
    if (known !== AuthState.EXPIRING) this.#become({ subject: text(subject), expires: text(expires) });
    const taken = Array.isArray(lost) ? lost.filter((topic) => typeof topic === "string") : [];
    this.#watch(link);
    this.#holder.tell(this.#notice(known, { lost: taken, expires: text(expires) }));
    return taken;
  }

  /** @param {Access} access */
  #become(access) {
    this.access = access;
    this.#auth.known(access);
  }

  /**
   * @param {AuthNotice["state"]} state
   * @param {Partial<AuthNotice>} more
   * @returns {AuthNotice}
   */
  #notice(state, more) {
    return { state, ...this.access, lost: [], reason: null, detail: null, ...more };
  }

  /** @param {Link} link */
  #watch(link) {
    if (link.endsAt === null || !this.#auth.renewable || this.#link === link) return;
    this.cancel();
    this.#link = link;
    this.#backoff.reset();
    const { elapsed, random } = this.#context.env;
    const left = link.endsAt - elapsed();
    const room = Math.max(left - Math.min(MARGIN, left / 2), 0);
    this.#later(link, random() * Math.min(JITTER, room));
  }

  /** @type {(link: Link, delay: number) => void} */
  #later(link, delay) {
    const { env } = this.#context;
    env.clearTimeout(this.#timer);
    this.#timer = env.setTimeout(() => this.#renew(link), delay);
  }

  /** Until the end, at which the server says goodbye. @param {Link} link */
  #again(link) {
    const delay = this.#backoff.next();
    if (this.#context.env.elapsed() + delay < (link.endsAt ?? 0)) this.#later(link, delay);
  }

  /** @param {Link} link */
  async #renew(link) {
    if (this.#next === null) {
      const isThere = await this.#auth.renew();
      if (this.#link !== link) return;
      // The token that ends is no other one: a page's own store may not know yet.
      if (!isThere || this.#auth.token === link.token) return this.#again(link);
      this.#next = this.#auth.token;
    }
    const token = this.#next;
    try {
      await this.#present(link, token);
    } catch (error) {
      return this.#link === link ? this.#failed(link, error) : undefined;
    }
    link.token = token;
    if (this.#link === link) this.cancel();
  }

  /** @type {(link: Link, token: string | null) => Promise<unknown>} */
  #present(link, token) {
    const { http } = this.#context;
    if (link.name === Transport.WEBSOCKET) return this.#holder.ask(link, { op: "auth", token });
    const body = JSON.stringify({ connection: link.connection?.connection });
    return http.json(http.url("api/auth"), { method: "POST", body, renew: false });
  }

  /**
   * Another user's token, and a server that does not know the connection: a new one will do. A token that is no
   * good: another one is asked for. The rest may pass.
   *
   * @param {Link} link
   * @param {unknown} error
   */
  #failed(link, error) {
    const status = error instanceof TwinwireError ? error.status : 0;
    if (status === 403 || status === 404) return this.#holder.restart("token");
    if (status === 401) this.#next = null;
    return this.#again(link);
  }

  /** The link is let go, or done with. */
  cancel() {
    this.#context.env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#link = null;
    this.#next = null;
  }
}
