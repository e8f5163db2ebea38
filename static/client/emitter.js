/**
 * Listeners by name. One that throws stops neither the others nor the stream; the page's error handler hears
 * of it.
 */

/** @typedef {(detail: any) => void} Listener */

/** @param {unknown} error */
function report(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}

export class Emitter {
  /**
   * By name; the value is what is called, which for `once` is not what was added.
   *
   * @type {Map<string, Map<Listener, Listener>>}
   */
  #listeners = new Map();

  /**
   * Adds `fn`; adding it twice is once. Returns the way to undo it.
   *
   * @param {string} name
   * @param {Listener} fn
   */
  on(name, fn) {
    if (typeof fn !== "function") throw new TypeError("a listener is a function");
    this.#add(name, fn, fn);
    return () => this.off(name, fn);
  }

  /**
   * @param {string} name
   * @param {Listener} fn
   */
  once(name, fn) {
    const off = this.on(name, fn);
    this.#add(name, fn, (detail) => {
      off();
      fn(detail);
    });
    return off;
  }

  /**
   * @param {string} name
   * @param {Listener} fn
   * @param {Listener} call
   */
  #add(name, fn, call) {
    const listeners = this.#listeners.get(name) ?? new Map();
    this.#listeners.set(name, listeners.set(fn, call));
  }

  /**
   * Without `fn`: all listeners of `name`.
   *
   * @param {string} name
   * @param {Listener} [fn]
   */
  off(name, fn) {
    if (fn === undefined) this.#listeners.delete(name);
    else this.#listeners.get(name)?.delete(fn);
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  emit(name, detail) {
    const listeners = this.#listeners.get(name);
    if (!listeners || listeners.size === 0) return;
    for (const call of [...listeners.values()]) {
      try {
        call(detail);
      } catch (error) {
        report(error);
      }
    }
  }
}
