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

import { topicMatcher } from "../../../static/client/topics.js";
import { Crowd } from "./crowd.js";
import { fakeFetch, listOf, request } from "./fetching.js";
import { Guard } from "./guard.js";

export class Network {
  rules = {
    websocket: "ok",
    sse: "ok",
    poll: "ok",
    post: "ok",
    state: "ok",
    presence: "ok",
    ephemeral: "ok",
  };
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
    this.crowd = new Crowd(clock);
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

  /** What was sent by a beacon: `{path, body}`; it arrives. */
  beacons = [];
  sendBeacon = (url, text) => {
    const body = JSON.parse(text);
    this.beacons.push({ path: new URL(url).pathname, body });
    this.crowd.closed(body.connection, "closed", body.members);
    return true;
  };

  /** Sends an event that is not kept to whoever hears it, but for `skipped`. */
  ephemeral({ topic, type, data }, user = null, skipped = null) {
    const from = user === null ? {} : { from: { user } };
    const event = { topic, type, time: new Date(this.clock.now()).toISOString(), ...from, data };
    for (const connection of this.#open)
      if (
        connection !== skipped &&
        connection.hears &&
        topicMatcher(listOf(connection.subscription.topics))(topic)
      )
        connection.subscription.send(event);
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

const PRESENCE = ["watch", "unwatch", "presence", "enter", "leave"];

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
    this.hears = new URL(this.url).searchParams.get("ephemeral") === "1";
    this.watcher = this.network.crowd.watcher(send);
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

  #answer(message) {
    const { op, topics, topic, type, data, key, token } = message;
    const { log } = this.network;
    if (PRESENCE.includes(op)) return this.#present(message);
    if (op === "publish" && message.ephemeral) {
      this.network.ephemeral(message, this.bearer.subject, message.echo ? null : this);
      return { type: "reply" };
    }
    if (op === "subscribe" && message.ephemeral !== undefined) this.hears = message.ephemeral;
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

  #present({ op, place, places, member, data }) {
    const { crowd } = this.network;
    if (op === "watch" && places.some((name) => crowd.forbidden.has(`watch ${name}`)))
      return { type: "problem", status: 403, title: "Forbidden" };
    if (op === "watch") queueMicrotask(() => crowd.watch(this.watcher, places));
    if (op === "unwatch") for (const name of places) this.watcher.patterns.delete(name);
    if (op === "presence") queueMicrotask(() => this.frame(crowd.state(place)));
    if (op === "leave") crowd.leave(place, member);
    if (op !== "enter") return { type: "reply" };
    const by = { user: this.bearer.subject, data, connection: this.opened.connection };
    const entered = crowd.enter("websocket", place, member, by);
    if (typeof entered !== "number") return { type: "reply", ...entered };
    const field = crowd.fieldOf(place);
    return {
      type: "problem",
      status: entered,
      title: `No: ${entered}`,
      retry: this.network.retryAfter,
      field,
    };
  }

  cut(code = 1006, reason = "") {
    if (this.readyState === 3) return;
    this.network.crowd.gone(this.watcher);
    this.network.crowd.closed(this.opened?.connection ?? null, code === 1006 ? "lost" : "closed");
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
      this.opened = network.guard.open(bearer, send, () => this.cut());
      this.hears = new URL(url).searchParams.get("ephemeral") === "1";
      this.subscription = network.log.subscribe(request(url), "sse", send, this.opened);
      const isWatching = new URL(url).searchParams.get("presence") === "1";
      this.watcher = network.crowd.watcher(send, isWatching ? this.subscription.topics : []);
    }, 5);
  }

  cut() {
    const { onerror } = this;
    this.close();
    onerror?.({});
  }

  close() {
    this.subscription?.close();
    this.network.crowd.gone(this.watcher);
    this.network.crowd.closed(this.opened?.connection ?? null);
    this.network.guard.close(this.opened?.connection);
    this.network.closed(this);
  }
}
