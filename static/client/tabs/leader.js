/**
 * The tab that holds the connection. It connects for the topics of all tabs, from its own cursor, and tells
 * the others:
 *
 * - `frames`: `events` in log order, after the position `from`, up to the position `to`; nothing that matches
 *   `topics` of the last hello is missing in between;
 * - `hello`: `topics` that are covered from `position` on, which `tabs` it knows of, the state, the transport, the
 *   heartbeat.
 *
 * A gap is not told: the position jumps, and each follower learns from the history what its own topics have
 * lost.
 */

import { Connection } from "../connection.js";
import { TwinwireError } from "../errors.js";
import { State } from "../states.js";
import { Outbox } from "./outbox.js";
import { Roster } from "./roster.js";
import { Wants } from "./wants.js";

const SETTLE_TIME = 10_000; // ms; by then every living tab has told a new leader its topics
const TOPICS_MAX = 100; // filters of one stream (docs/protocol.md, section 1, as the service bounds it)

/** @import { Context, Start, TabMessage, TabPort, Timer } from "../internal.js" */
/** @import { InnerSource, Source, SourceListener } from "../source.js" */

/** @implements {InnerSource} */
export class Leader {
  #context;
  #id;
  #port;
  #listener;
  #connection;
  #own;
  #after;
  #roster;
  #wants = new Wants(
    () => this.#connection,
    (word) => this.#stopped || this.#port.post({ kind: "beside", tab: this.#id, access: this.access, word }),
  );
  /** The topics that the connection has asked for. @type {Set<string>} */
  #covered;
  /** The end of the queue of changes to `#covered`. @type {Promise<unknown>} */
  #covering = Promise.resolve();
  #outbox = new Outbox((batch) => {
    if (!this.#stopped) this.#port.post({ kind: "frames", tab: this.#id, access: this.access, ...batch });
  });
  /** Until all tabs must have told their topics. @type {Timer | null} */
  #settle = null;
  #stopped = false;
  /** The connection is this tab's alone. */
  #isApart = false;
  /** When the server was heard, milliseconds since 1970. @type {number | null} */
  #heard = null;
  /** Whose connection it was last. @type {string | null} */
  #subject = null;

  /**
   * @param {Context} context
   * @param {Start<{ own: readonly string[], known: readonly string[] }> & { id: string }} start `own`: of
   *   this tab, `known`: of all, as the last leader said
   * @param {SourceListener} listener
   * @param {TabPort} port
   */
  constructor(context, { topics, after, id }, listener, port) {
    this.#context = context;
    this.#id = id;
    this.#port = port;
    this.#own = topics.own;
    this.#after = after;
    this.#roster = new Roster(context.env, port.name, (tab) => this.#gone(tab));
    const all = [...new Set([...topics.own, ...topics.known])];
    this.#covered = new Set(all.length > TOPICS_MAX ? topics.own : all);
    this.#listener = listener;
    this.#connection = this.#connect(after);
  }

  /** @param {string | null} after */
  #connect(after) {
    const start = { topics: [...this.#covered], after };
    const connection = new Connection(this.#context, start, this.#relay(this.#listener));
    connection.attend(this.#wants.all);
    return connection;
  }

  get state() {
    return this.#connection.state;
  }

  get cursor() {
    return this.#connection.cursor;
  }

  get transport() {
    return this.#connection.transport;
  }

  get heartbeat() {
    return this.#connection.heartbeat;
  }

  get access() {
    return this.#connection.access;
  }

  get topics() {
    return this.#own;
  }

  start() {
    this.#connection.start();
    this.#hello();
    this.#settle = this.#context.env.setTimeout(() => this.#prune(), SETTLE_TIME);
  }

  /**
   * Passes everything on to this tab's stream, and what the others need to the channel.
   *
   * @param {SourceListener} listener
   * @returns {SourceListener}
   */
  #relay(listener) {
    return {
      ...listener,
      event: (event, before) => {
        this.#outbox.queue(before, event.id, event);
        listener.event(event, before);
      },
      moved: (before, cursor) => {
        if (before === cursor) this.#outbox.flush(); // after a gap: who stood before it asks what is missing
        this.#outbox.queue(before, cursor, null);
        listener.moved(before, cursor);
      },
      frame: (frame, name) => {
        this.#heard = this.#context.env.now();
        listener.frame(frame, name);
        if (frame.type === "heartbeat" && frame.topic === undefined) this.#hello();
      },
      beside: (word) => {
        this.#wants.pass(word);
        listener.beside(word);
      },
      auth: (notice) => {
        if (!this.#stopped) this.#port.post({ kind: "auth", tab: this.#id, notice });
        this.#lose(notice.lost);
        listener.auth(notice);
      },
      state: (state) => {
        if (state === State.CLOSED && !this.#isApart) return; // `ended` decides
        listener.state(state);
        this.#hello();
      },
      transport: (name, reason) => {
        this.#recognize();
        listener.transport(name, reason);
        this.#hello();
      },
      ended: (error) => {
        if (this.#isApart) listener.ended(error);
        else if (error instanceof TwinwireError && this.#asksForOthers && !this.#stopped) this.#shed();
        else if (!this.#stopped) this.#port.ended(error);
      },
    };
  }

  // -- whose connection it is

  /** Somebody else's events are not for those who follow; what nobody could read, each of them looks at. */
  #recognize() {
    const before = this.#subject;
    this.#subject = this.access.subject;
    if (before !== null && before !== this.#subject && !this.#stopped) this.#port.foreign();
  }

  /** The server took these off the connection. @param {readonly string[]} topics */
  #lose(topics) {
    if (topics.length === 0) return;
    for (const topic of topics) this.#covered.delete(topic);
    this.#own = this.#own.filter((topic) => !topics.includes(topic));
    this.#roster.lose(topics);
    this.#hello();
  }

  /** Leads no more; the connection goes on for this tab alone, and is the caller's. */
  release() {
    this.#isApart = true;
    this.#end();
    this.#wants.clear();
    return this.#connection;
  }

  get #asksForOthers() {
    const { list } = this.#connection.topics;
    return list !== null && list.some((topic) => !this.#own.includes(topic));
  }

  /**
   * The connection was refused for good while it asked for others' topics too, whose list may be what is wrong:
   * it goes on for this tab alone, and those others get a connection of their own.
   */
  #shed() {
    for (const tab of this.#roster.shed(this.#own))
      this.#port.post({ kind: "refused", tab: this.#id, to: tab });
    this.#covered = new Set(this.#own);
    this.#connection = this.#connect(this.cursor ?? this.#after);
    this.#connection.start();
    this.#hello();
  }

  // -- to the others

  #hello() {
    if (this.#stopped) return;
    this.#outbox.flush();
    this.#port.post({
      kind: "hello",
      tab: this.#id,
      topics: [...this.#covered],
      tabs: this.#roster.names,
      position: this.cursor,
      state: this.state,
      transport: this.transport,
      heartbeat: this.heartbeat,
      heard: this.#heard,
      staleAfter: this.#connection.staleAfter,
      access: this.access,
    });
  }

  // -- from the others

  /** @param {TabMessage} message */
  hear(message) {
    if (message.kind === "join") this.#joined(message);
    else if (message.kind === "leave") this.#gone(message.tab);
    else if (message.kind === "attend") this.#wanted(message);
    else if (message.kind === "ask" && message.to === this.#id) this.#connection.ask(message.place);
    else if (message.kind === "wake") this.#connection.wake();
    else if (message.kind === "reconnect" && this.state !== State.LIVE) this.#connection.reconnect();
  }

  /** @param {Extract<TabMessage, { kind: "attend" }>} message */
  #wanted({ tab, to, wanted }) {
    if (to === this.#id && this.#roster.has(tab)) this.#wants.set(tab, wanted);
  }

  /** @param {Extract<TabMessage, { kind: "join" }>} message */
  #joined({ tab, topics }) {
    this.#roster.join(tab, topics);
    this.#hello(); // it lives, however long it takes to have those topics
    this.#cover(topics).then(
      () => this.#hello(),
      (error) => this.#refuse(tab, error),
    );
  }

  /**
   * @param {string} tab
   * @param {unknown} error
   */
  #refuse(tab, error) {
    const status = error instanceof TwinwireError ? error.status : 0;
    if (status && !this.#stopped) this.#port.post({ kind: "refused", tab: this.#id, to: tab });
  }

  /** @param {string} tab */
  #gone(tab) {
    this.#wants.delete(tab);
    if (this.#roster.leave(tab) && this.#settle === null) this.#prune();
  }

  /**
   * One change of topics after the other: a topic counts as covered only when the server has said so.
   *
   * @type {Source["subscribe"]}
   */
  #cover(topics) {
    const covering = this.#covering.then(() => this.#coverNow(topics));
    this.#covering = covering.catch(() => {});
    return covering;
  }

  /** @type {Source["subscribe"]} */
  async #coverNow(topics) {
    const missing = topics.filter((topic) => !this.#covered.has(topic));
    if (missing.length === 0) return { id: this.cursor };
    if (this.#covered.size + missing.length > TOPICS_MAX)
      throw new TwinwireError("too many topics to share", 422);
    const answer = await this.#connection.subscribe(missing);
    for (const topic of missing) this.#covered.add(topic);
    return answer.id === null ? { id: this.cursor } : answer;
  }

  /** Lets go of the topics that no living tab wants. */
  #prune() {
    this.#settle = null;
    const wanted = new Set([...this.#own, ...this.#roster.topics]);
    const extra = [...this.#covered].filter((topic) => !wanted.has(topic));
    if (extra.length === 0 || this.#stopped) return;
    for (const topic of extra) this.#covered.delete(topic);
    this.#hello(); // before the connection stops to bring them
    this.#connection.unsubscribe(extra).catch(() => {});
  }

  // -- what this tab's page asks

  /** @type {Source["subscribe"]} */
  async subscribe(topics) {
    this.#own = [...new Set([...this.#own, ...topics])];
    const answer = await this.#cover(topics);
    this.#hello();
    return answer;
  }

  /** @type {Source["unsubscribe"]} */
  async unsubscribe(topics) {
    this.#own = this.#own.filter((topic) => !topics.includes(topic));
    if (this.#settle === null) this.#prune();
    return { id: this.cursor };
  }

  /** @type {Source["request"]} */
  request = (message) => this.#wants.request(message, this.#context.env.now(), () => this.access);
  /** @type {Source["attend"]} */ attend = (wanted) => this.#wants.keep(wanted);
  /** @type {Source["ask"]} */ ask = (place) => this.#connection.ask(place);
  again = () => this.#connection.again();
  reconnect = () => this.#connection.reconnect();
  wake = () => this.#connection.wake();
  offline = () => this.#connection.offline();
  drop = () => this.#connection.drop();

  /** The others hear of it from the lock; they enter again with the next leader. */
  leave() {
    this.#connection.rest(this.#wants.own.members);
  }

  #end() {
    this.#outbox.flush();
    this.#stopped = true;
    this.#context.env.clearTimeout(this.#settle);
    this.#roster.end();
  }

  quit() {
    if (this.#stopped) return;
    this.#end();
    this.#connection.quit();
  }
}
