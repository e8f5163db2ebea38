/**
 * Whose events a tab takes from its leader: its own bearer's, and nobody's. The name of a group is what pages
 * say; who a tab is, the service says. A cookie may be another user's in a tab that was opened later, and a page
 * may name the same group for two users.
 */

import { bearerOf } from "../auth.js";
import { TwinwireError, isRefusal } from "../errors.js";

/** @import { Context } from "../internal.js" */
/** @import { Access } from "../source.js" */

const AGAIN = 5_000; // ms until the service is asked again that did not answer

export class Identity {
  #context;
  #known;
  #foreign;
  /** Who this tab is; undefined while it was not found out. @type {string | null | undefined} */
  #own;
  #asking = false;
  #askedAt = -Infinity;

  /**
   * `known()`: this tab is who the leader is; `foreign()`: it is somebody else.
   *
   * @param {Context} context
   * @param {{ known(): void, foreign(): void }} told
   */
  constructor(context, { known, foreign }) {
    this.#context = context;
    this.#known = known;
    this.#foreign = foreign;
  }

  /**
   * Whether what a leader tells, who is this one, is for this tab. If that is yet to be found out it is not, and
   * the service is asked. What nobody reads anybody may have.
   *
   * @param {Access} leader
   */
  admits(leader) {
    const bearer = bearerOf(leader);
    if (bearer === null || bearer === this.#own) return true;
    const { env } = this.#context;
    if (!this.#asking && env.elapsed() - this.#askedAt >= AGAIN) this.#ask(bearer);
    return false;
  }

  /** The page begins anew: it may be somebody else by now. */
  forget() {
    this.#context.http.auth.forget();
    this.#own = undefined;
    this.#askedAt = -Infinity;
  }

  /** @param {string} bearer */
  async #ask(bearer) {
    const { env, http } = this.#context;
    this.#asking = true;
    this.#askedAt = env.elapsed();
    try {
      if (http.auth.token === null) await http.auth.renew();
      const session = await http.session();
      this.#own = bearerOf(session);
      http.auth.known(session);
      this.#askedAt = -Infinity; // an answer; another leader may be asked about at once
      if (this.#own === bearer) this.#known();
      else this.#foreign();
    } catch (error) {
      if (error instanceof TwinwireError && isRefusal(error)) this.#foreign();
    } finally {
      this.#asking = false;
    }
  }
}
