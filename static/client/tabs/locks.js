/** The Web Locks that a tab holds or waits for, which it lets go of all at once. */

/** @import { Environment } from "../internal.js" */

export class Locks {
  #env;
  #failed;
  /** End one each. @type {(() => void)[]} */
  #free = [];

  /**
   * `failed()`: they do not work here. Blocked cookies and sandboxed frames have locks that don't, and waiting does not
   * help.
   *
   * @param {Environment} env
   * @param {() => void} failed
   */
  constructor(env, failed) {
    this.#env = env;
    this.#failed = failed;
  }

  /**
   * Holds a lock, once granted, until `release`. `steal` takes it from whoever has it; `lost()`: somebody else did.
   *
   * @param {string} name
   * @param {() => void} granted
   * @param {{ steal?: boolean, lost?: () => void }} options
   */
  hold(name, granted, { steal = false, lost = () => {} } = {}) {
    const abort = new AbortController();
    let wasGranted = false;
    /** @returns {Promise<void>} */
    const held = () =>
      new Promise((resolve) => {
        wasGranted = true;
        // One that is stolen takes no signal, so it may be granted after all were let go.
        if (abort.signal.aborted) return resolve();
        this.#free.push(resolve);
        return granted();
      });
    const options = steal ? { steal: true } : { signal: abort.signal };
    this.#free.push(() => abort.abort());
    const failed = () => {
      if (abort.signal.aborted) return;
      if (wasGranted) lost();
      else this.#failed();
    };
    try {
      this.#env.locks?.request(name, options, held).catch(failed);
    } catch {
      failed();
    }
  }

  release() {
    for (const free of this.#free.splice(0)) free();
  }
}
