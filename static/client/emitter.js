/**
 * Listeners by name. One that throws stops neither the others nor the stream; the page's error handler hears
 * of it.
 */

function report(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}

export class Emitter {
  #listeners = new Map();

  /** Adds `fn`; adding it twice is once. Returns the way to undo it. */
  on(name, fn) {
    if (typeof fn !== "function") throw new TypeError("a listener is a function");
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Map());
    this.#listeners.get(name).set(fn, fn);
    return () => this.off(name, fn);
  }

  once(name, fn) {
    const off = this.on(name, fn);
    this.#listeners.get(name).set(fn, (detail) => {
      off();
      fn(detail);
    });
    return off;
  }

  /** Without `fn`: all listeners of `name`. */
  off(name, fn) {
    if (fn === undefined) this.#listeners.delete(name);
    else this.#listeners.get(name)?.delete(fn);
  }

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
