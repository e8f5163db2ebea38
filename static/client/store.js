/** The cursor in a storage that may be absent, full or forbidden: a convenience, so that a reload resumes. */

import { isCursor } from "./cursor.js";

/** @import { Environment, Timer } from "./internal.js" */
/** @import { KeyValueStorage } from "./index.js" */

/** Milliseconds; storage is synchronous, and a busy stream moves its cursor thousands of times a second. */
const SAVE_DELAY = 200;

export class CursorStore {
  #env;
  #key;
  /** @type {Timer | null} */
  #timer = null;
  /** @type {string | null} */
  #cursor = null;

  /**
   * @param {Environment} env
   * @param {string | null} key null: nothing is kept
   */
  constructor(env, key) {
    this.#env = env;
    this.#key = key && env.storage ? key : null;
  }

  load() {
    const text = this.#act((storage, key) => storage.getItem(key));
    return isCursor(text) ? text : null;
  }

  /** Keeps the cursor, soon; `flush` keeps it now. @param {string} cursor */
  save(cursor) {
    this.#cursor = cursor;
    if (this.#key !== null) this.#timer ??= this.#env.setTimeout(() => this.flush(), SAVE_DELAY);
  }

  flush() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    const cursor = this.#cursor;
    if (cursor !== null) this.#act((storage, key) => storage.setItem(key, cursor));
  }

  /**
   * @template T
   * @param {(storage: KeyValueStorage, key: string) => T} use
   */
  #act(use) {
    const { storage } = this.#env;
    if (this.#key === null || storage === null) return null;
    try {
      return use(storage, this.#key);
    } catch {
      return null;
    }
  }
}
