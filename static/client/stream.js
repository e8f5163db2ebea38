/**
 * What `connect` returns: the page's side of a connection, or of one that is shared among tabs. It filters by
 * this page's topics, counts, keeps the cursor, and hands events to listeners and iterators.
 */

import { Connection } from "./connection.js";
import { isCursor } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { baseUrl, environment, settings, usableTransports } from "./environment.js";
import { TwinwireError } from "./errors.js";
import { Auth, Http } from "./http.js";
import { MessageIterator } from "./iterator.js";
import { Publisher } from "./publisher.js";
import { watchPage } from "./signals.js";
import { Stats } from "./stats.js";
import { CursorStore } from "./store.js";
import { digest, Tabs } from "./tabs/tabs.js";
import { readTopics, topicMatcher } from "./topics.js";

const LOST = ["reconnecting", "offline"];

/** Whether this stream shares its connection, and the name of its group; null if it has one of its own. */
function groupName(env, base, transports, { tabs = true, token, getToken }) {
  if (!tabs || !env.locks || !env.BroadcastChannel || !env.fetch) return null;
  // With rotating tokens only the page knows which tabs belong to one user: nobody gets to see another one's
  // events.
  if (getToken && typeof tabs !== "object") return null;
  const owner = typeof tabs === "object" ? `group:${tabs.group}` : `token:${token ?? ""}`;
  return `twinwire:${base}:${transports.join(",")}:${digest(owner)}`;
}

export class Stream {
  #env;
  #settings;
  #http;
  #emitter = new Emitter();
  #iterators = new Set();
  #stats = new Stats();
  #store;
  #source;
  #publisher;
  #unwatch;
  #topics;
  #matches;
  #state = "connecting";
  #transport = null;
  #lastTransport = null;
  #error = null;

  constructor(options = {}) {
    this.#env = environment(options);
    this.#settings = settings(options);
    this.#topics = readTopics(options.topics);
    this.#matches = topicMatcher(this.#topics);
    const base = baseUrl(options.baseUrl);
    const auth = new Auth(options.token, options.getToken);
    const transports = usableTransports(this.#env, options.transports, auth.token !== null || auth.renewable);
    this.#http = new Http(this.#env, base, auth, options.credentials);
    this.#store = new CursorStore(this.#env, options.cursorKey ?? null);
    this.#source = this.#open(options, base, transports);
    const request = (message) => this.#source.request(message);
    this.#publisher = new Publisher(this.#env, this.#http, this.#settings, request);
    this.#unwatch = watchPage(this.#env, {
      wake: () => this.#source.wake(),
      offline: () => this.#source.offline(),
      rest: () => this.#rest(),
    });
    // The page adds its listeners first.
    Promise.resolve().then(() => this.#state !== "closed" && this.#source.start());
  }

  #open(options, base, transports) {
    const context = {
      env: this.#env,
      settings: this.#settings,
      http: this.#http,
      transports,
      memoryKey: `twinwire:transport:${base}`,
      patience: { seconds: Infinity },
    };
    // A cursor that the page names belongs to what the page shows; a stored one is newer than `earliest` or
    // `latest`.
    const after = isCursor(options.after) ? options.after : (this.#store.load() ?? options.after ?? null);
    const name = groupName(this.#env, base, transports, options);
    const start = { topics: this.#topics, after, name };
    return name === null
      ? new Connection(context, start, this.#listener())
      : new Tabs(context, start, this.#listener());
  }

  get state() {
    return this.#state;
  }

  get cursor() {
    return this.#source.cursor;
  }

  get transport() {
    return this.#transport;
  }

  get topics() {
    return this.#topics ?? ["**"];
  }

  get stats() {
    return { ...this.#stats };
  }

  get role() {
    return this.#source.role ?? null;
  }

  get heartbeat() {
    return this.#source.heartbeat;
  }

  // -- from the source

  #listener() {
    const notice = (name) => (detail) => this.#emitter.emit(name, detail);
    return {
      state: (state) => this.#setState(state),
      transport: (name, reason) => this.#setTransport(name, reason),
      attempt: notice(":attempt"),
      retry: notice(":retry"),
      role: (role) => this.#emitter.emit(":role", { role }),
      frame: (frame, transport) => this.#emitter.emit(":frame", { frame, transport }),
      fault: (fault, probe) => this.#emitter.emit(":fault", { ...fault, probe }),
      connected: () => (this.#stats.replayed = 0),
      event: (event) => this.#event(event),
      duplicate: (_event, overlap) => this.#stats.duplicate(overlap),
      gap: (gap) => this.#gap(gap),
      moved: (_before, cursor) => this.#moved(cursor),
      anomaly: (detail) => this.#anomaly(detail),
      ended: (error) => this.#ended(error),
    };
  }

  #setState(state) {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    if (LOST.includes(previous) && (state === "replaying" || state === "live")) this.#stats.reconnects += 1;
    this.#emitter.emit(":state", { state, previous });
  }

  #setTransport(transport, reason) {
    const previous = this.#transport;
    if (transport === previous) return;
    this.#transport = transport;
    if (transport !== null && this.#lastTransport !== null && transport !== this.#lastTransport)
      this.#stats.switches += 1;
    this.#lastTransport = transport ?? this.#lastTransport;
    this.#emitter.emit(":transport", { transport, previous, reason });
  }

  #event(event) {
    this.#store.save(event.id);
    if (!this.#matches(event.topic)) return;
    this.#stats.event(event, this.#env.now(), this.#state === "live");
    this.#emitter.emit(event.type, event);
    this.#message(event);
  }

  #gap(gap) {
    this.#stats.gaps += 1;
    this.#emitter.emit("gap", gap);
    this.#message(gap);
  }

  #message(message) {
    this.#emitter.emit("*", message);
    for (const iterator of this.#iterators) iterator.push(message);
  }

  #moved(cursor) {
    if (cursor === null) return;
    this.#store.save(cursor);
    this.#emitter.emit(":cursor", { cursor });
  }

  #anomaly(detail) {
    if (detail.repaired === null) this.#stats.anomalies += 1;
    this.#emitter.emit(":anomaly", detail);
  }

  #ended(error) {
    this.#error = error;
    this.#unwatch();
    this.#store.flush();
    for (const iterator of [...this.#iterators]) iterator.end(error && this.#reason());
    this.#emitter.emit(":close", { error });
  }

  #rest() {
    this.#store.flush();
    this.#source.rest?.();
  }

  // -- for the page

  on(type, fn) {
    return this.#emitter.on(type, fn);
  }

  once(type, fn) {
    return this.#emitter.once(type, fn);
  }

  off(type, fn) {
    this.#emitter.off(type, fn);
  }

  [Symbol.asyncIterator]() {
    const iterator = new MessageIterator(this.#settings.iteratorLimit, (done) =>
      this.#iterators.delete(done),
    );
    if (this.#state === "closed") iterator.end(this.#error && this.#reason());
    else this.#iterators.add(iterator);
    return iterator;
  }

  publish(drafts) {
    return this.#publisher.publish(drafts);
  }

  async send(message) {
    const { op, type, topic } = message;
    if (op === "publish" || (op === undefined && topic !== undefined)) return this.publish(message);
    if (op === "subscribe") return this.subscribe(message.topics);
    if (op === "unsubscribe") return this.unsubscribe(message.topics);
    return this.#source.request(op === undefined && type === "ping" ? { op: "ping" } : message);
  }

  async subscribe(topics) {
    const added = readTopics(topics);
    if (this.#topics === null) return { id: this.cursor };
    this.#setTopics([...new Set([...this.#topics, ...added])]);
    const { id } = await this.#source.subscribe(added);
    return { id: id ?? this.cursor };
  }

  async unsubscribe(topics) {
    const removed = readTopics(topics);
    if (this.#topics === null) throw new TwinwireError("a stream over all topics has none to take away", 422);
    this.#setTopics(this.#topics.filter((topic) => !removed.includes(topic)));
    const { id } = await this.#source.unsubscribe(removed);
    return { id: id ?? this.cursor };
  }

  #setTopics(topics) {
    this.#topics = topics;
    this.#matches = topicMatcher(topics);
  }

  history({ topics, ...query } = {}) {
    return this.#http.history({ topics: topics === undefined ? this.#topics : readTopics(topics), ...query });
  }

  ready() {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (this.#state === "live") resolve();
        else if (this.#state === "closed" || this.#state === "unauthorized") reject(this.#reason());
        else return;
        off();
      };
      const off = this.on(":state", settle);
      settle();
    });
  }

  #reason() {
    if (this.#error instanceof Error) return this.#error;
    const status = this.#state === "unauthorized" ? 401 : 0;
    return new TwinwireError(this.#error?.detail ?? `the stream is ${this.#state}`, status);
  }

  reconnect() {
    this.#source.reconnect();
  }

  drop() {
    this.#source.drop();
  }

  close() {
    this.#source.close();
  }
}
