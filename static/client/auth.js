/** The bearer token of one stream, how it may travel, and the way to a fresh one. */

import { TwinwireError } from "./errors.js";

/** What a header's value may be made of; a browser names a value that is not in its error, the token. */
const HEADER = /^[\x21-\x7e]+$/;

/** What a subprotocol may be made of (RFC 6455, 4.1; RFC 9110, 5.6.2): every JWT is. */
const SUBPROTOCOL = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Characters: half of the 8 KiB that proxies take of one header, which cookies and topics do not share. */
const SUBPROTOCOL_MAX = 4_000;

const BEARER = "twinwire.bearer.";
const PROTOCOL = "twinwire.v1";

/** The `ref` of a token that is the first message on a WebSocket. */
export const AUTH_REF = "auth";

/**
 * Whose a credential is, as a text; null: nobody's. One without a subject is told from another one by its end.
 *
 * @param {{ subject?: string | null, expires?: string | null }} access
 */
export function bearerOf({ subject = null, expires = null }) {
  if (subject !== null) return `subject ${subject}`;
  return expires === null ? null : `until ${expires}`;
}

/** @param {unknown} token @returns {token is string} */
const isToken = (token) => typeof token === "string" && HEADER.test(token);

export class Auth {
  #getToken;
  #isRequired;
  /** The service has said that the page is somebody. */
  #isKnown = false;
  /** @type {Promise<boolean> | null} */
  #pending = null;

  /** @type {string | null} */
  token;

  /**
   * Throws TwinwireError 422 for a token that no request could carry. `isRequired`: without a token a cookie is
   * expected to say who it is.
   *
   * @param {string | null} [token]
   * @param {() => string | null | Promise<string | null>} [getToken]
   * @param {boolean} [isRequired]
   */
  constructor(token, getToken, isRequired = false) {
    this.token = token ?? null;
    this.#isRequired = isRequired;
    this.#getToken = getToken ?? null;
    if (this.token !== null && !isToken(this.token))
      throw new TwinwireError("a token is a text of visible ASCII without spaces", 422, { field: "token" });
  }

  get renewable() {
    return this.#getToken !== null;
  }

  /** Whether a token says who it is: then no cookie has to. */
  get hasToken() {
    return this.token !== null || this.renewable;
  }

  /** Whether the page means to be somebody, or was: then it is never to be served as nobody. */
  get expected() {
    return this.hasToken || this.#isRequired || this.#isKnown;
  }

  /** Whether no cookie may stand in for the token, which is not there. */
  get isMissing() {
    return this.hasToken && this.token === null;
  }

  /** Who the service says that it is. @param {{ subject?: string | null, expires?: string | null }} access */
  known(access) {
    if (bearerOf(access) !== null) this.#isKnown = true;
  }

  /** The page begins anew, as whoever it is now. */
  forget() {
    this.#isKnown = false;
  }

  /** What of the query of a stream or a read says so. @returns {[string, string][]} */
  get query() {
    return this.expected ? [["auth", "required"]] : [];
  }

  /** The subprotocols that carry the token; null if none can, or there is none. */
  get subprotocols() {
    if (this.token === null || this.token.length > SUBPROTOCOL_MAX || !SUBPROTOCOL.test(this.token))
      return null;
    return [PROTOCOL, BEARER + this.token];
  }

  /** Asks for a token; several askers at once share one question. Whether there is one. */
  async renew() {
    const ask = this.#getToken;
    if (!ask) return false;
    this.#pending ??= Promise.resolve()
      .then(() => ask())
      .then((token) => {
        if (isToken(token)) this.token = token;
        return isToken(token);
      })
      .catch(() => false)
      .finally(() => {
        this.#pending = null;
      });
    return this.#pending;
  }
}
