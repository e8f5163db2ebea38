/**
 * The network between a client and a FakeLog: fetch, WebSocket and EventSource as the platform has them, and
 * `rules` that make the path as bad as real ones are.
 *
 * - websocket: `ok`, `refuse`, `blackhole` (no handshake), `swallow` (opens, no frame), `kill` (cut
 *   `killAfter` ms after
 *   the open), `mute` (messages of the client are not answered)
 * - sse: `ok`, `refuse`, `swallow` (headers, no body), `html`, or a status
 * - poll: `ok`, `refuse`, `html`, or a status
 * `filter(frame, transport)` may drop or change a frame: null drops it.
 */

import { Guard } from "./guard.js";

export class Network {
  rules = { websocket: "ok", sse: "ok", poll: "ok", post: "ok", state: "ok" };
  killAfter = 300;
  retryAfter = null;
  problem = true;
  /** Characters of a URL beyond which something on the way answers 414 to a fetch. */
  urlMax = Infinity;
  filter = (frame) => frame;
  /** Every attempt: `{transport, url, headers, at}`. */
  attempts = [];
  posts = [];
  /** What fails of POST /api/auth: a status, or `refuse`. */
  auth = "ok";
  #open = new Set();

  constructor(clock, log) {
    this.clock = clock;
    this.log = log;
    this.guard = new Guard(clock);
    const network = this;
    this.WebSocket = class extends FakeWebSocket {
      constructor(url, protocols) {
        super(network, url, protocols);
      }
    };
    this.EventSource = class extends FakeEventSource {
      constructor(url) {
        super(network, url);
      }
    };
    this.fetch = (url, init) => fakeFetch(network, url, init);
  }

  set(rules) {
    Object.assign(this.rules, rules);
  }

  /** The server is stopped, or runs again; stopping cuts every connection. */
  down(cut = true) {
    this.set({ websocket: "refuse", sse: "refuse", poll: "refuse", post: "refuse", state: "refuse" });
    if (cut) this.cut();
  }

  up() {
    this.set({ websocket: "ok", sse: "ok", poll: "ok", post: "ok", state: "ok" });
  }

  cut() {
    for (const connection of [...this.#open]) connection.cut();
  }

  opened(connection) {
    this.#open.add(connection);
  }

  closed(connection) {
    this.#open.delete(connection);
  }

  /** Open connections by transport. */
  connections(transport) {
    return [...this.#open].filter((connection) => connection.transport === transport);
  }

  count(transport) {
    return this.connections(transport).length;
  }

  note(transport, url, headers = {}, protocols = []) {
    this.attempts.push({ transport, url: new URL(url), headers, protocols, at: this.clock.now() });
  }

  tried(transport) {
    return this.attempts.filter((attempt) => attempt.transport === transport);
  }
}

function request(url) {
  const { searchParams } = new URL(url);
  const topics = searchParams.getAll("topic");
  return { topics, after: searchParams.get("after"), limit: Number(searchParams.get("limit") ?? 500) };
}

class FakeWebSocket {
  transport = "websocket";
  readyState = 0;
  sent = [];

  constructor(network, url, protocols = []) {
    this.network = network;
    this.url = url;
    this.isLate = new URL(url).searchParams.get("auth") === "message";
    this.bearer = network.guard.bearer(protocols[1]?.replace("twinwire.bearer.", ""));
    network.note("websocket", url, {}, protocols);
    const rule = network.rules.websocket;
    if (rule === "blackhole") return;
    const isOut = rule === "refuse" || (this.bearer === null && !this.isLate);
    network.clock.setTimeout(() => (isOut ? this.cut() : this.#accept(rule)), 5);
  }

  #accept(rule) {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.network.opened(this);
    this.onopen?.({});
    if (rule === "swallow" || this.readyState !== 1) return;
    if (this.isLate) return;
    this.#stream();
    if (rule === "kill") this.network.clock.setTimeout(() => this.cut(), this.network.killAfter);
  }

  #stream() {
    const send = (frame) => this.frame(frame);
    this.opened = this.network.guard.open(this.bearer, send, () => this.cut(1008, "auth:expired"));
    this.subscription = this.network.log.subscribe(request(this.url), "websocket", send, this.opened);
    if (this.readyState !== 1) this.subscription.close();
  }

  /** Who is pending says who he is; else it is another token for the stream. */
  #auth(token) {
    const { guard } = this.network;
    if (this.subscription === undefined) {
      this.bearer = guard.bearer(token);
      if (this.bearer === null) return { type: "problem", status: 401, title: "Unauthorized" };
      this.#stream();
      return null;
    }
    const status = guard.renew(this.opened.connection, token, "websocket");
    return status === 200 ? { type: "reply" } : { type: "problem", status, title: "No" };
  }

  frame(frame) {
    const passed = this.network.filter(frame, "websocket");
    if (passed && this.readyState === 1) this.onmessage?.({ data: JSON.stringify(passed) });
  }

  send(text) {
    const message = JSON.parse(text);
    this.sent.push(message);
    if (this.network.rules.websocket === "mute") return;
    queueMicrotask(() => {
      const fields = this.#answer(message);
      if (fields) this.frame({ ref: message.ref, ...fields });
    });
  }

  #answer({ op, topics, topic, type, data, key, token }) {
    const { log } = this.network;
    if (op === "auth") return this.#auth(token);
    const now = this.subscription.topics;
    if (op === "ping") return { type: "pong" };
    if (op === "publish") return { type: "reply", id: log.publish(topic, type, data, key).id };
    if (op === "subscribe" && topics.includes("forbidden"))
      return { type: "problem", status: 403, title: "Forbidden" };
    if (op === "subscribe") return { type: "reply", ...this.subscription.change([...now, ...topics]) };
    if (op === "unsubscribe") {
      return { type: "reply", ...this.subscription.change(now.filter((name) => !topics.includes(name))) };
    }
    return { type: "problem", status: 422, title: "Unknown op" };
  }

  cut(code = 1006, reason = "") {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.subscription?.close();
    this.network.guard.close(this.opened?.connection);
    this.network.closed(this);
    this.onclose?.({ code, reason });
  }

  close() {
    this.cut(1000);
  }
}

class FakeEventSource {
  transport = "eventsource";

  constructor(network, url) {
    this.network = network;
    network.note("eventsource", url);
    network.clock.setTimeout(() => {
      if (network.rules.sse !== "ok") return this.cut();
      network.opened(this);
      this.onopen?.({});
      const send = (frame) => this.onmessage?.({ data: JSON.stringify(frame) });
      const ticket = new URL(url).searchParams.get("ticket");
      const bearer = ticket === null ? network.guard.bearer() : network.guard.redeem(ticket);
      if (bearer === null) return send({ type: "goodbye", reason: "auth", detail: "invalid", code: 1008 });
      this.connection = network.guard.open(bearer, send, () => this.cut());
      this.subscription = network.log.subscribe(request(url), "sse", send, this.connection);
    }, 5);
  }

  cut() {
    const { onerror } = this;
    this.close();
    onerror?.({});
  }

  close() {
    this.subscription?.close();
    this.network.guard.close(this.connection?.connection);
    this.network.closed(this);
  }
}

const problemType = { "content-type": "application/problem+json" };

function answer(network, status, body, headers = { "content-type": "application/json" }) {
  const more = network.retryAfter === null ? {} : { "retry-after": String(network.retryAfter) };
  return new Response(JSON.stringify(body), { status, headers: { ...headers, ...more } });
}

function refusal(network, rule) {
  if (rule === "refuse") throw new TypeError("fetch failed");
  if (rule === "html")
    return new Response("<html>", { status: 200, headers: { "content-type": "text/html" } });
  if (typeof rule !== "number") return null;
  if (network.problem) return answer(network, rule, { status: rule, title: `No: ${rule}` }, problemType);
  return new Response("<html>", { status: rule, headers: { "content-type": "text/html" } });
}

async function fakeFetch(network, address, init = {}) {
  const url = new URL(address);
  const post = init.method === "POST";
  const aside = ASIDE.find((name) => url.pathname.endsWith(`/api/${name}`));
  const transport = aside ?? (url.pathname.endsWith("/api/sse") ? "sse" : post ? "post" : "poll");
  network.note(transport, url, init.headers);
  await new Promise((resolve) => network.clock.setTimeout(resolve, 5));
  if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
  if (url.href.length > network.urlMax) return new Response("<html>", { status: 414 });
  const token = init.headers?.Authorization?.replace("Bearer ", "");
  const bearer = network.guard.bearer(token);
  const isOut = bearer === null && aside !== "session" ? 401 : null;
  const refused = refusal(network, isOut ?? network.rules[transport]);
  if (refused) return refused;
  if (aside === "state") return stateOf(network, url.searchParams);
  if (aside) return asideOf(network, aside, token, bearer, init.body);
  if (post) return published(network, JSON.parse(init.body));
  return transport === "sse"
    ? streamed(network, url, bearer, init.signal)
    : polled(network, url, init.signal);
}

/** Requests about who asks, and of states. */
const ASIDE = ["session", "tickets", "auth", "state"];

function stateOf(network, query) {
  const asked = ["join", "next", "subject"].map((name) => query.get(name));
  const found = network.log.state(query.getAll("topic"), ...asked);
  if (typeof found !== "number") return answer(network, 200, found);
  return answer(network, found, { status: found, title: `No: ${found}` }, problemType);
}

function asideOf(network, name, token, bearer, body) {
  const { guard } = network;
  if (name === "session") return answer(network, 200, bearer ? guard.fields(bearer) : { subject: null });
  if (name === "tickets") return answer(network, 201, { ticket: guard.ticket(token) });
  const refused = refusal(network, network.auth);
  if (refused) return refused;
  const status = guard.renew(JSON.parse(body).connection, token, "http");
  return status === 200 ? answer(network, 200, guard.fields(bearer)) : refusal(network, status);
}

function published(network, body) {
  network.posts.push(body);
  const add = ({ topic, type, data, key }) => network.log.publish(topic, type, data, key).id;
  return answer(network, 201, Array.isArray(body) ? { ids: body.map(add) } : { id: add(body) });
}

function streamed(network, url, bearer, signal) {
  const encoder = new TextEncoder();
  const connection = { transport: "sse" };
  const body = new ReadableStream({
    start(controller) {
      const end = (act) => () => {
        if (connection.ended) return;
        connection.ended = true;
        connection.subscription?.close();
        network.guard.close(connection.opened?.connection);
        network.closed(connection);
        act();
      };
      connection.cut = end(() => controller.error(new TypeError("network error")));
      signal?.addEventListener(
        "abort",
        end(() => controller.error(new DOMException("aborted", "AbortError"))),
      );
      network.opened(connection);
      if (network.rules.sse === "swallow") return;
      controller.enqueue(encoder.encode(": hello\n\nretry: 2000\n\n"));
      const send = (frame) => {
        const passed = network.filter(frame, "sse");
        if (!passed || connection.ended) return;
        const lines = `event: ${passed.type}\nid: ${passed.id}\ndata: ${JSON.stringify(passed)}\n\n`;
        controller.enqueue(encoder.encode(lines));
      };
      connection.opened = network.guard.open(bearer, send, () => connection.cut());
      connection.subscription = network.log.subscribe(request(url), "sse", send, connection.opened);
    },
  });
  return new Response(body, { status: 200, headers: { "content-type": "text/event-stream; charset=utf-8" } });
}

function polled(network, url, signal) {
  const query = request(url);
  const wait = Number(url.searchParams.get("wait") ?? 0);
  const page = network.log.page(query);
  const done = page.events.length > 0 || page.gap || wait === 0;
  if (done) return answer(network, 200, filtered(network, page));
  return new Promise((resolve, reject) => {
    const connection = { transport: "poll" };
    const end = (act) => {
      if (connection.ended) return;
      connection.ended = true;
      network.clock.clearTimeout(timer);
      stop();
      network.closed(connection);
      act();
    };
    const next = () => filtered(network, network.log.page({ ...query, after: page.cursor }));
    const respond = () => end(() => resolve(answer(network, 200, next())));
    const timer = network.clock.setTimeout(respond, wait * 1000);
    const stop = network.log.onNext(query.topics, () => network.clock.setTimeout(respond, 1));
    connection.cut = () => end(() => reject(new TypeError("network error")));
    signal?.addEventListener("abort", () => end(() => reject(new DOMException("aborted", "AbortError"))));
    network.opened(connection);
  });
}

function filtered(network, page) {
  return { ...page, events: page.events.map((event) => network.filter(event, "poll")).filter(Boolean) };
}
