/**
 * The rest of a browser: storage, Web Locks, BroadcastChannel, visibility, online; several tabs of one
 * origin.
 */

export class MemoryStorage {
  #items = new Map();

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, String(value));
  }

  removeItem(key) {
    this.#items.delete(key);
  }

  get size() {
    return this.#items.size;
  }
}

/** A storage of a browser that blocks cookies. */
export const forbiddenStorage = {
  getItem() {
    throw new DOMException("denied", "SecurityError");
  },
  setItem() {
    throw new DOMException("denied", "SecurityError");
  },
  removeItem() {
    throw new DOMException("denied", "SecurityError");
  },
};

/** Web Locks of one origin: exclusive ones, with `signal` and `steal`. */
export class LockTable {
  #locks = new Map();
  #tabs = new Map();

  /** The `navigator.locks` of one tab. */
  tab() {
    const held = new Set();
    return {
      request: (name, options, act) => this.#request(name, options, act, held),
      query: async () => ({
        held: [...this.#locks]
          .filter(([, { holder }]) => holder)
          .map(([name, { holder }]) => this.#told(name, holder)),
      }),
      /** The tab dies: its locks are free. */
      crash: () => {
        for (const end of [...held]) end();
      },
    };
  }

  #told(name, { held }) {
    if (!this.#tabs.has(held)) this.#tabs.set(held, `tab-${this.#tabs.size}`);
    return { name, clientId: this.#tabs.get(held) };
  }

  #request(name, { signal, steal, mode }, act, held) {
    return new Promise((resolve, reject) => {
      const entry = { act, resolve, reject, held, isShared: mode === "shared" };
      const lock = this.#locks.get(name) ?? { holder: null, queue: [] };
      this.#locks.set(name, lock);
      const crashed = () => {
        held.delete(crashed);
        this.#leave(lock, entry);
      };
      held.add(crashed);
      signal?.addEventListener("abort", () => {
        if (!lock.queue.includes(entry)) return;
        this.#leave(lock, entry);
        reject(new DOMException("aborted", "AbortError"));
      });
      if (steal && lock.holder) {
        lock.holder.reject(new DOMException("stolen", "AbortError"));
        lock.holder = null;
      }
      if (steal) lock.queue.unshift(entry);
      else lock.queue.push(entry);
      this.#grant(lock);
    });
  }

  #leave(lock, entry) {
    lock.queue = lock.queue.filter((other) => other !== entry);
    lock.shared?.delete(entry);
    if (lock.holder === entry) lock.holder = null;
    this.#grant(lock);
  }

  #grant(lock) {
    lock.shared ??= new Set();
    if (lock.holder !== null || lock.queue.length === 0) return;
    const [entry] = lock.queue;
    if (!entry.isShared && lock.shared.size > 0) return;
    lock.queue.shift();
    if (entry.isShared) lock.shared.add(entry);
    else lock.holder = entry;
    const has = () => lock.holder === entry || lock.shared.has(entry);
    queueMicrotask(async () => {
      if (!has()) return;
      const value = await entry.act({});
      if (!has()) return;
      this.#leave(lock, entry);
      entry.resolve(value);
    });
    this.#grant(lock);
  }
}

/** BroadcastChannel of one origin: structured clones, in order, never to the sender. */
export class ChannelHub {
  #channels = new Set();
  /** Return false to lose a message on its way to `tab`. */
  passes = () => true;
  /** Return true to have `tab` fail as it sends. */
  fails = () => false;

  /** The `BroadcastChannel` of one tab. */
  tab(tab = {}) {
    const hub = this;
    return class {
      onmessage = null;

      constructor(name) {
        Object.assign(this, { name, tab });
        hub.#channels.add(this);
      }

      postMessage(data) {
        if (this.dead) return;
        if (hub.fails(this.tab)) throw new DOMException("failed", "UnknownError");
        if (!hub.#channels.has(this)) throw new DOMException("closed", "InvalidStateError");
        for (const other of hub.#channels) {
          if (other === this || other.name !== this.name || !hub.passes(data, other.tab)) continue;
          const copy = structuredClone(data);
          setImmediate(() => {
            if (hub.#channels.has(other)) other.onmessage?.({ data: copy });
          });
        }
      }

      close() {
        hub.#channels.delete(this);
      }
    };
  }

  /** A crashed tab hears and says nothing. */
  crash(tab) {
    for (const channel of [...this.#channels].filter((other) => other.tab === tab)) {
      channel.dead = true;
      this.#channels.delete(channel);
    }
  }
}

/** One page: what fires events and what they are about. */
export class Page {
  page = new EventTarget();
  visibility = Object.assign(new EventTarget(), { visibilityState: "visible" });
  network = { onLine: true };

  fire(name) {
    this.page.dispatchEvent(new Event(name));
  }

  offline() {
    this.network.onLine = false;
    this.fire("offline");
  }

  online() {
    this.network.onLine = true;
    this.fire("online");
  }

  hide() {
    this.visibility.visibilityState = "hidden";
    this.visibility.dispatchEvent(new Event("visibilitychange"));
  }

  show() {
    this.visibility.visibilityState = "visible";
    this.visibility.dispatchEvent(new Event("visibilitychange"));
  }
}
