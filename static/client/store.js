/** The cursor in a storage that may be absent, full or forbidden: a convenience, so that a reload resumes. */

import { isCursor } from "./cursor.js";

/** Milliseconds; storage is synchronous, and a busy stream moves its cursor thousands of times a second. */
const SAVE_DELAY = 200;

export class CursorStore {
  #env;
  #key;
  #timer = null;
  #cursor = null;

  /** `key` null: nothing is kept. */
  constructor(env, key) {
    this.#env = env;
    this.#key = key && env.storage ? key : null;
  }

  load() {
    const text = this.#act((storage) => storage.getItem(this.#key));
    return isCursor(text) ? text : null;
  }

  /** Keeps the cursor, soon; `flush` keeps it now. */
  save(cursor) {
    this.#cursor = cursor;
    if (this.#key !== null) this.#timer ??= this.#env.setTimeout(() => this.flush(), SAVE_DELAY);
  }

  flush() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#cursor !== null) this.#act((storage) => storage.setItem(this.#key, this.#cursor));
  }

  #act(use) {
    if (this.#key === null) return null;
    try {
      return use(this.#env.storage);
    } catch {
      return null;
    }
  }
}
