/**
 * A clock that tests move by hand: timers run in the order of their time, with promises settled in between.
 */

/** Lets everything that is already possible happen: promises, stream reads. No time passes. */
export async function settle() {
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class Clock {
  #timers = new Map();
  #count = 0;
  time = 1_800_000_000_000;

  now = () => this.time;

  setTimeout = (fn, ms) => {
    this.#count += 1;
    this.#timers.set(this.#count, { fn, at: this.time + Math.max(ms, 0), order: this.#count });
    return this.#count;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  /** How many timers are waiting. */
  get pending() {
    return this.#timers.size;
  }

  #next(limit) {
    let first = null;
    for (const [id, timer] of this.#timers) {
      const sooner =
        first === null || timer.at < first.at || (timer.at === first.at && timer.order < first.order);
      if (timer.at <= limit && sooner) first = { id, ...timer };
    }
    return first;
  }

  /** Moves on by `ms` milliseconds. */
  async advance(ms) {
    const end = this.time + ms;
    await settle();
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#timers.delete(timer.id);
      this.time = Math.max(this.time, timer.at);
      timer.fn();
      await settle();
    }
    this.time = end;
  }

  /** Jumps by `ms` as a machine does whose timers stand still while it sleeps: each has as long to go as before. */
  suspend(ms) {
    this.time += ms;
    for (const timer of this.#timers.values()) timer.at += ms;
  }

  /** Jumps by `ms` as a machine does that slept: timers run late. */
  async sleep(ms) {
    this.time += ms;
    await this.advance(0);
  }

  /** Moves on until `done()`; fails after `limit` milliseconds of this clock. Returns how long it took. */
  async until(done, limit = 60_000) {
    const start = this.time;
    await settle();
    while (!done()) {
      if (this.time - start > limit) throw new Error(`not within ${limit} ms`);
      await this.advance(10);
    }
    return this.time - start;
  }
}
