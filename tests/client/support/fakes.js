/** Small second implementations of what one module needs of its neighbours. */

import { Clock } from "./clock.js";
import { MemoryStorage } from "./browser.js";

/** The platform that most modules need, on a clock that the test moves. */
export function bench(more = {}) {
  const clock = new Clock();
  const env = {
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    now: clock.now,
    elapsed: clock.now,
    random: () => 0.5,
    memory: new MemoryStorage(),
    storage: new MemoryStorage(),
    online: () => true,
    visible: () => true,
    ...more,
  };
  return { clock, env };
}

/** A listener that writes down what it hears: `heard` has `[name, ...arguments]`. */
export function recorder() {
  const heard = [];
  const listener = new Proxy(
    {},
    {
      get:
        (_target, name) =>
        (...args) =>
          void heard.push([name, ...args]),
    },
  );
  return { heard, listener, names: () => heard.map(([name]) => name) };
}

/** A link as Race and Prober know it. */
export class FakeLink {
  opened = false;
  closed = false;

  constructor(name, after = null) {
    this.name = name;
    this.request = { topics: [], after };
  }

  open() {
    this.opened = true;
    return this;
  }

  close() {
    this.closed = true;
  }
}
