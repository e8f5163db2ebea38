/**
 * A network that can be broken: WebSocket and fetch as the client gets them, with the faults that real
 * proxies have. The faults act on this page's own sockets only, so that the publisher beside them goes on.
 */

const REFUSED = "the lab refused this connection";

/** @typedef {{ cut(): void, hold(): void, release(): void }} Link what the faults do to a connection */
/** @typedef {ReturnType<typeof createGate>} Gate */

export class BreakableNetwork {
  blockWebSocket = false;
  /** Passed to the client as `network` and `page`: what the browser would say about the device's network. */
  onLine = true;
  page = new EventTarget();
  /** Open connections. @type {Set<Link>} */
  #links = new Set();
  #swallow = 0; // events that are still to be lost
  #hole = false; // after them, control frames are lost too, until an event gets through

  constructor() {
    for (const type of ["pageshow", "pagehide"])
      window.addEventListener(type, () => this.page.dispatchEvent(new Event(type)));
    this.WebSocket = socketClass(this);
    /** @type {typeof fetch} */
    this.fetch = (resource, init) => this.#fetch(resource, init);
  }

  get connections() {
    return this.#links.size;
  }

  /** @param {Link} link */
  register(link) {
    this.#links.add(link);
    return () => this.#links.delete(link);
  }

  /** Cut every open connection, as a network does: no close frame, no end of body. */
  drop() {
    for (const link of [...this.#links]) link.cut();
  }

  /** Open connections fall silent; new ones work. */
  freeze() {
    for (const link of this.#links) link.hold();
  }

  /** What was held back goes through, on connections that still exist. */
  thaw() {
    for (const link of this.#links) link.release();
  }

  /** The next `n` events are lost on their way, and no others. @param {number} n */
  swallow(n) {
    this.#swallow = n;
  }

  /** @param {boolean} online */
  setOnline(online) {
    this.onLine = online;
    if (!online) this.drop();
    this.page.dispatchEvent(new Event(online ? "online" : "offline"));
  }

  /** @param {"http" | "websocket"} kind */
  refuses(kind) {
    return !this.onLine || (kind === "websocket" && this.blockWebSocket);
  }

  /**
   * True if a frame with this text is to be lost. A heartbeat after lost events would hide the loss: it goes
   * too.
   *
   * @param {string} text
   */
  loses(text) {
    const isEvent = text.includes('"topic":');
    if (this.#swallow > 0) {
      this.#hole = true;
      if (isEvent) this.#swallow -= 1;
      return true;
    }
    if (isEvent) this.#hole = false;
    return this.#hole;
  }

  /**
   * @param {RequestInfo | URL} resource
   * @param {RequestInit} init
   * @returns {Promise<Response>}
   */
  async #fetch(resource, init = {}) {
    if (this.refuses("http")) throw new TypeError(REFUSED);
    const cut = new AbortController();
    const signal = init.signal ? AbortSignal.any([init.signal, cut.signal]) : cut.signal;
    const gate = createGate();
    const forget = this.register({ cut: () => cut.abort(new TypeError(REFUSED)), ...gate });
    signal.addEventListener("abort", forget);
    try {
      const response = await fetch(resource, { ...init, signal });
      await gate.open();
      return this.#wrap(response, gate, forget);
    } catch (error) {
      forget();
      throw error;
    }
  }

  /**
   * @param {Response} response
   * @param {Gate} gate
   * @param {() => void} forget
   */
  #wrap(response, gate, forget) {
    if (!response.body) {
      forget();
      return response;
    }
    const streaming = response.headers.get("content-type")?.startsWith("text/event-stream");
    const body = streaming
      ? response.body
          .pipeThrough(new TextDecoderStream())
          .pipeThrough(this.#frames(gate, forget))
          .pipeThrough(new TextEncoderStream())
      : response.body.pipeThrough(gateStream(gate, forget));
    return new Response(body, {
      status: response.status,
      statusText: response.statusText,
      headers: response.headers,
    });
  }

  /**
   * SSE text in, SSE text out: frame by frame, since half a frame is nothing that a proxy could lose.
   *
   * @param {Gate} gate
   * @param {() => void} forget
   */
  #frames(gate, forget) {
    let rest = "";
    return new TransformStream({
      transform: async (text, controller) => {
        await gate.open();
        const frames = (rest + text).split("\n\n");
        rest = frames.pop() ?? "";
        for (const frame of frames) if (!this.loses(frame)) controller.enqueue(`${frame}\n\n`);
      },
      flush: forget,
    });
  }
}

/** A gate that can be held shut: `open()` resolves while it is not. */
function createGate() {
  /** @type {Promise<void>} */
  let waiting = Promise.resolve();
  /** @type {() => void} */
  let release = () => undefined;
  return {
    hold() {
      waiting = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    open: () => waiting,
  };
}

/**
 * @param {Gate} gate
 * @param {() => void} forget
 */
function gateStream(gate, forget) {
  return new TransformStream({
    transform: async (chunk, controller) => {
      await gate.open();
      controller.enqueue(chunk);
    },
    flush: forget,
  });
}

/** An event can be dispatched only once. @param {Event} event */
function copyOf(event) {
  const kind = /** @type {typeof Event} */ (event.constructor);
  return new kind(event.type, event);
}

/**
 * A WebSocket whose own listeners come first. They stop what the client must not see, and a socket that was
 * cut says 1006 at once: the browser itself would wait for an answer to its close frame.
 *
 * @param {BreakableNetwork} network
 */
function socketClass(network) {
  return class LabSocket extends WebSocket {
    #cut = false;
    /** What came while it was frozen. @type {Event[] | null} */
    #held = null;
    #forget;

    /**
     * @param {string | URL} url
     * @param {string | string[]} [protocols]
     */
    constructor(url, protocols) {
      super(url, protocols);
      for (const type of ["open", "message", "error", "close"])
        this.addEventListener(type, (event) => this.#judge(event));
      this.#forget = network.register({
        cut: () => this.#die(),
        hold: () => this.#hold(),
        release: () => this.#release(),
      });
      if (network.refuses("websocket")) queueMicrotask(() => this.#die());
    }

    /** @param {Event} event */
    #judge(event) {
      if (event.type === "close") this.#forget();
      if (!event.isTrusted) return;
      const lost =
        event.type === "message" && network.loses(String(/** @type {MessageEvent} */ (event).data));
      if (this.#cut || lost || this.#held !== null) event.stopImmediatePropagation();
      if (this.#held !== null && !this.#cut && !lost) this.#held.push(event);
    }

    #hold() {
      this.#held ??= [];
    }

    #release() {
      const held = this.#held ?? [];
      this.#held = null;
      for (const event of held) {
        if (!this.#cut) this.dispatchEvent(copyOf(event));
      }
    }

    #die() {
      if (this.#cut) return;
      this.#cut = true;
      this.close();
      this.dispatchEvent(new Event("error"));
      this.dispatchEvent(new CloseEvent("close", { code: 1006, wasClean: false }));
    }
  };
}
