/**
 * Whose events a tab takes from its leader: its own subject's, and nobody's. The name of a group is what pages
 * say; who a tab is, the service says. A cookie may be another user's in a tab that was opened later, and a page
 * may name the same group for two users.
 */

import { TwinwireError, isRefusal } from "../errors.js";

/** @import { Context } from "../internal.js" */

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
   * Whether what a leader of this subject tells is for this tab. If that is yet to be found out it is not, and
   * the service is asked.
   *
   * @param {string | null} subject null: nobody, who may have what anybody has
   */
  admits(subject) {
    if (subject === null || subject === this.#own) return true;
    const { env } = this.#context;
    if (!this.#asking && env.now() - this.#askedAt >= AGAIN) this.#ask(subject);
    return false;
  }

  /** @param {string} subject */
  async #ask(subject) {
    const { env, http } = this.#context;
    this.#asking = true;
    this.#askedAt = env.now();
    try {
      if (http.auth.token === null) await http.auth.renew();
      this.#own = (await http.session()).subject;
      this.#askedAt = -Infinity; // an answer; another leader may be asked about at once
      if (this.#own === subject) this.#known();
      else this.#foreign();
    } catch (error) {
      if (error instanceof TwinwireError && isRefusal(error)) this.#foreign();
    } finally {
      this.#asking = false;
    }
  }
}
