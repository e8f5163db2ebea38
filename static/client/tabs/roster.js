/** The other tabs that live, and the topics of each, as a leader knows them. */

/** @import { Environment } from "../internal.js" */

/** Milliseconds: what a tab said last may come after the news that it has gone. */
const LAST_WORDS = 50;

export class Roster {
  #env;
  #name;
  #gone;
  /** By tab. @type {Map<string, readonly string[]>} */
  #tabs = new Map();
  /** Those whose lock was free: they have gone, unless they say otherwise soon. @type {Set<string>} */
  #free = new Set();
  #watches = new AbortController();
  #ended = false;

  /**
   * `gone(tab)`: one has ended, however it did.
   *
   * @param {Environment} env
   * @param {string} name of the group
   * @param {(tab: string) => void} gone
   */
  constructor(env, name, gone) {
    this.#env = env;
    this.#name = name;
    this.#gone = gone;
  }

  /** What they want, all together. */
  get topics() {
    return [...this.#tabs.values()].flat();
  }

  /** @type {(tab: string, topics: readonly string[]) => void} */
  join(tab, topics) {
    const isBack = this.#free.delete(tab);
    if (isBack || !this.#tabs.has(tab)) this.#watch(tab);
    this.#tabs.set(tab, topics);
  }

  /** Those that are here. */
  get names() {
    return [...this.#tabs.keys()];
  }

  /** @param {string} tab */
  has(tab) {
    return this.#tabs.has(tab);
  }

  /** False if it was not here. @param {string} tab */
  leave(tab) {
    this.#free.delete(tab);
    return this.#tabs.delete(tab);
  }

  /** None of them has these any more. @param {readonly string[]} topics */
  lose(topics) {
    for (const [tab, wanted] of this.#tabs)
      this.#tabs.set(
        tab,
        wanted.filter((topic) => !topics.includes(topic)),
      );
  }

  /** Takes out the tabs that want more than these topics, and gives them. @param {readonly string[]} topics */
  shed(topics) {
    const others = [...this.#tabs].filter(([, wanted]) => !wanted.every((topic) => topics.includes(topic)));
    for (const [tab] of others) this.#tabs.delete(tab);
    return others.map(([tab]) => tab);
  }

  end() {
    this.#ended = true;
    this.#watches.abort();
  }

  /**
   * Every tab holds a lock of its own while it lives: to be granted it is to know that the tab has gone. A shared one,
   * since another that leads, or did, and hangs, may stand before it.
   *
   * @param {string} tab
   */
  #watch(tab) {
    const lock = `${this.#name}:tab:${tab}`;
    const over = () => !this.#ended && this.#free.delete(tab) && this.#gone(tab);
    const granted = () => {
      this.#free.add(tab);
      this.#env.setTimeout(over, LAST_WORDS);
    };
    this.#env.locks?.request(lock, { mode: "shared", signal: this.#watches.signal }, granted).catch(() => {});
  }
}
