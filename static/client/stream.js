/**
 * What `connect` returns: the page's side of a connection, or of one that is shared among tabs. It filters by
 * this page's topics, counts, keeps the cursor, and hands events to listeners and iterators.
 */

import { Aside } from "./aside.js";
import { Condition } from "./condition.js";
import { Connection } from "./connection.js";
import { isCursor } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { baseUrl, checkOptions, environment, settings, usableTransports } from "./environment.js";
import { TwinwireError, reasonOfEnd } from "./errors.js";
import { Auth } from "./auth.js";
import { Http } from "./http.js";
import { MessageIterator } from "./iterator.js";
import { LiveState } from "./live-state.js";
import { whenNowhere } from "./nowhere.js";
import { Publisher } from "./publisher.js";
import { watchPage } from "./signals.js";
import { AuthState, State } from "./states.js";
import { Stats } from "./stats.js";
import { CursorStore } from "./store.js";
import { TopicHandle } from "./topic.js";
import { readTopics, topicMatcher } from "./topics.js";

/** @import { AuthNotice, ConnectOptions, Cursor, Draft, Fault, GapFrame } from "./index.js" */
/** @import { PlaceOptions, StreamNotices, TransportName, WireEvent } from "./index.js" */
/** @import { Share } from "./internal.js" */
/** @import { RootSource, SourceListener } from "./source.js" */
/** @import { Listener } from "./emitter.js" */
/** @import { Ephemerals } from "./ephemeral.js" */

export class Stream {
  #env;
  #settings;
  #http;
  #emitter = new Emitter();
  /** @type {Set<MessageIterator>} */
  #iterators = new Set();
  #stats = new Stats();
  #condition = new Condition(this.#emitter, this.#stats);
  #store;
  #source;
  #publisher;
  #unwatch;
  #aside;
  #topics;
  #matches;
  /** Why it ended. @type {TwinwireError | Fault | null} */
  #error = null;
  /** Why it is `unauthorized`. @type {AuthNotice | null} */
  #refusal = null;

  /**
   * @param {ConnectOptions} options
   * @param {Share} share what makes one connection do for several tabs, or null where it can't
   */
  constructor(options = {}, share = () => null) {
    checkOptions(options);
    this.#env = environment(options);
    this.#settings = settings(options);
    this.#topics = readTopics(options.topics);
    this.#matches = topicMatcher(this.#topics);
    const base = baseUrl(options.baseUrl);
    const auth = new Auth(options.token, options.getToken, options.auth === "required");
    const transports = usableTransports(this.#env, options.transports, auth.hasToken);
    this.#http = new Http(this.#env, base, auth, options.credentials);
    this.#store = new CursorStore(this.#env, options.cursorKey ?? null);
    this.#source = this.#open(options, base, transports, share);
    const request = (/** @type {object} */ message) => this.#source.request(message);
    this.#publisher = new Publisher(this.#env, this.#http, this.#settings, request);
    this.#aside = new Aside({ env: this.#env, http: this.#http, base }, this, () => this.#source);
    this.#unwatch = watchPage(this.#env, {
      wake: () => this.#source.wake(),
      offline: () => this.#source.offline(),
      rest: () => this.#rest(),
    });
    // The page adds its listeners first.
    Promise.resolve().then(() => this.state !== State.CLOSED && this.#source.start());
  }

  /** @type {(options: ConnectOptions, base: URL, transports: TransportName[], share: Share) => RootSource} */
  #open(options, base, transports, share) {
    const context = {
      env: this.#env,
      settings: this.#settings,
      http: this.#http,
      base,
      transports,
      memoryKey: `twinwire:transport:${base}`,
      patience: { seconds: Infinity },
      handshake: { failed: null },
    };
    // A cursor that the page names belongs to what the page shows; a stored one is newer than `earliest` or
    // `latest`.
    const after = isCursor(options.after) ? options.after : (this.#store.load() ?? options.after ?? null);
    const start = { topics: this.#topics, after };
    const listener = this.#listener();
    return share(context, start, listener, options) ?? new Connection(context, start, listener);
  }

  get state() {
    return this.#condition.state;
  }

  get cursor() {
    return this.#source.cursor;
  }

  get transport() {
    return this.#condition.transport;
  }

  get stale() {
    return this.#condition.stale;
  }

  get topics() {
    return this.#topics ?? ["**"];
  }

  get stats() {
    return { ...this.#stats };
  }

  get role() {
    return this.#source.role;
  }

  get heartbeat() {
    return this.#source.heartbeat;
  }

  get subject() {
    return this.#source.access.subject;
  }

  get expires() {
    return this.#source.access.expires;
  }

  // -- from the source

  /** @returns {SourceListener} */
  #listener() {
    /** @type {(name: string) => (detail: object) => void} */
    const notice = (name) => (detail) => this.#emitter.emit(name, detail);
    const noticed = whenNowhere(this.#env, this.#http);
    return {
      state: (state) => this.#condition.setState(state),
      transport: (name, reason) => this.#condition.setTransport(name, reason),
      attempt: notice(":attempt"),
      retry: notice(":retry"),
      role: (role) => this.#emitter.emit(":role", { role }),
      frame: (frame, transport) => {
        this.#stats.heardAt = this.#env.now();
        this.#emitter.emit(":frame", { frame, transport });
      },
      stale: (isStale) => this.#condition.setStale(isStale),
      heard: (at) => (this.#stats.heardAt = at),
      fault: (fault, probe) =>
        this.#emitter.emit(":fault", { ...(this.#condition.wasConnected ? fault : noticed(fault)), probe }),
      connected: () => (this.#stats.replayed = 0),
      event: (event) => this.#event(event),
      duplicate: (_event, overlap) => this.#stats.duplicate(overlap),
      gap: (gap) => this.#gap(gap),
      moved: (_before, cursor) => this.#moved(cursor),
      anomaly: (detail) => this.#anomaly(detail),
      beside: (word) => this.#aside.tell(word, this.#matches),
      auth: (detail) => this.#auth(detail),
      ended: (error) => this.#ended(error),
    };
  }

  /** @param {WireEvent} event */
  #event(event) {
    this.#store.save(event.id);
    if (!this.#matches(event.topic)) return;
    this.#stats.event(event, this.#env.now(), this.state === State.LIVE);
    this.#emitter.emit(event.type, event);
    this.#message(event);
  }

  /** @param {GapFrame} gap */
  #gap(gap) {
    this.#stats.gaps += 1;
    this.#emitter.emit("gap", gap);
    this.#message(gap);
  }

  /** @param {WireEvent | GapFrame} message */
  #message(message) {
    this.#emitter.emit("*", message);
    for (const iterator of this.#iterators) iterator.push(message);
  }

  /** @param {Cursor | null} cursor */
  #moved(cursor) {
    if (cursor === null) return;
    this.#store.save(cursor);
    this.#emitter.emit(":cursor", { cursor });
  }

  /** @param {StreamNotices[":anomaly"]} detail */
  #anomaly(detail) {
    if (detail.repaired === null) this.#stats.anomalies += 1;
    this.#emitter.emit(":anomaly", detail);
  }

  /** @param {AuthNotice} notice */
  #auth(notice) {
    const mine = this.#topics;
    const lost = notice.lost.filter((topic) => mine === null || mine.includes(topic));
    if (notice.state === AuthState.REDUCED && lost.length === 0) return; // another tab's
    if (mine !== null && lost.length > 0) this.#setTopics(mine.filter((topic) => !lost.includes(topic)));
    if (notice.state === AuthState.REFUSED) this.#refusal = notice;
    this.#emitter.emit(":auth", { ...notice, lost });
  }

  /** @param {TwinwireError | Fault | null} error */
  #ended(error) {
    this.#error = error;
    this.#unwatch();
    this.#store.flush();
    this.#aside.company.end();
    for (const iterator of [...this.#iterators]) iterator.end(error && this.#reason());
    this.#emitter.emit(":close", { error });
  }

  #rest() {
    this.#store.flush();
    this.#source.rest();
  }

  // -- for the page

  /** @type {(type: string, fn: Listener) => () => void} */ on = (type, fn) => this.#emitter.on(type, fn);

  /** @type {(type: string, fn: Listener) => () => void} */ once = (type, fn) => this.#emitter.once(type, fn);

  /** @type {(type: string, fn?: Listener) => void} */ off = (type, fn) => this.#emitter.off(type, fn);

  [Symbol.asyncIterator]() {
    const iterator = new MessageIterator(this.#settings.iteratorLimit, (done) =>
      this.#iterators.delete(done),
    );
    if (this.state === State.CLOSED) iterator.end(this.#error && this.#reason());
    else this.#iterators.add(iterator);
    return iterator;
  }

  #ensureOpen() {
    if (this.state === State.CLOSED) throw this.#reason();
  }

  /** @type {(drafts: Draft | readonly Draft[]) => Promise<any>} */
  async publish(drafts) {
    this.#ensureOpen();
    return this.#publisher.publish(drafts);
  }

  /** @type {(message: { op?: string, type?: string, topics?: any, [more: string]: unknown }) => Promise<any>} */
  async send(message) {
    this.#ensureOpen();
    const { op, type, topic, topics } = message;
    const by = message.ephemeral === true ? this.#aside.ephemerals : this;
    if (op === "publish" || (op === undefined && topic !== undefined))
      return by.publish(/** @type {any} */ (message));
    if (op === "subscribe") return this.subscribe(topics);
    if (op === "unsubscribe") return this.unsubscribe(topics);
    return this.#source.request(op === undefined && type === "ping" ? { op: "ping" } : message);
  }

  /** @type {(topics: string | readonly string[]) => Promise<{ id: Cursor | null }>} */
  async subscribe(topics) {
    this.#ensureOpen();
    const added = readTopics(topics);
    if (this.#topics === null || added === null) return { id: this.cursor };
    this.#setTopics([...new Set([...this.#topics, ...added])]);
    const { id } = await this.#source.subscribe(added);
    return { id: id ?? this.cursor };
  }

  /** @type {(topics: string | readonly string[]) => Promise<{ id: Cursor | null }>} */
  async unsubscribe(topics) {
    this.#ensureOpen();
    const removed = readTopics(topics) ?? [];
    if (this.#topics === null) throw new TwinwireError("a stream over all topics has none to take away", 422);
    this.#setTopics(this.#topics.filter((topic) => !removed.includes(topic)));
    const { id } = await this.#source.unsubscribe(removed);
    return { id: id ?? this.cursor };
  }

  /** @param {string[]} topics */
  #setTopics(topics) {
    this.#topics = topics;
    this.#matches = topicMatcher(topics);
  }

  /** @type {(filter: string) => TopicHandle} */
  topic = (filter) => new TopicHandle(this, filter);

  /** @type {(filter: string) => LiveState} */
  liveState = (filter) =>
    new LiveState(this, filter, { env: this.#env, http: this.#http, settings: this.#settings });

  /** @type {(topic: string, options?: PlaceOptions) => any} */
  place = (topic, options) => this.#aside.company.place(topic, options);

  /** @type {Ephemerals["send"]} */
  ephemeral = (topic, type, data, options) => this.#aside.ephemerals.send(topic, type, data, options);

  /** @type {Ephemerals["hear"]} */
  hear = (type, fn, matches) => this.#aside.ephemerals.hear(type, fn, matches);

  /** @param {{ topics?: string | readonly string[], [parameter: string]: unknown }} query */
  history({ topics, ...query } = {}) {
    return this.#http.history({ topics: topics === undefined ? this.#topics : readTopics(topics), ...query });
  }

  /** @returns {Promise<void>} */
  ready() {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (this.state === State.LIVE) resolve();
        else if (this.state === State.CLOSED || this.state === State.UNAUTHORIZED) reject(this.#reason());
        else return;
        off();
      };
      const off = this.on(":state", settle);
      settle();
    });
  }

  #reason = () => reasonOfEnd(this.state, this.#error, this.#refusal);

  reconnect() {
    this.#source.reconnect();
  }

  drop() {
    this.#source.drop();
  }

  close() {
    this.#aside.company.close();
    this.#source.close();
  }
}
