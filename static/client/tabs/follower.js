/**
 * A tab that lives from another tab's connection, with its own cursor. There is one way to catch up, as in
 * the server: from the cursor, forward. What the leader tells is used only if it goes on from this tab's
 * cursor; else the tab reads pages of history until its cursor meets the leader's messages, of which it keeps
 * the last ones meanwhile. A lost message, a frozen tab, a new leader, a start from a snapshot: all the same.
 */

import { Backoff } from "../backoff.js";
import { isCovered } from "../cursor.js";
import { Intake } from "../intake.js";
import { TwinwireError, isRefusal, reasonOf } from "../errors.js";
import { UnansweredError } from "../requests.js";
import { FaultKind, State, Transport } from "../states.js";
import { Identity } from "./identity.js";
import { Tail } from "./tail.js";
import { Vigil } from "./vigil.js";
import { Voice } from "./voice.js";
import { Wishes } from "./wishes.js";

/** @import { Context, Frames, Hello, Start, TabMessage, TabPort } from "../internal.js" */
/** @import { Cursor, StreamState, TransportName, WireEvent } from "../index.js" */
/** @import { InnerSource, Source, SourceListener } from "../source.js" */

const PAGE = 1_000; // events
const REJOIN = 5_000; // ms; a message may have been lost, but an answer may also take a while
const NOBODY = Object.freeze({ subject: null, expires: null });

/** @implements {InnerSource} */
export class Follower {
  #context;
  #id;
  #listener;
  #port;
  #after;
  #intake;
  /** The topics that this tab's events are of. @type {readonly string[]} */
  #active;
  #wishes = new Wishes();
  #voice;
  /** The leader's last hello. @type {Hello | null} */
  #leader = null;
  /** What the leader told while this tab catches up. */
  #tail = new Tail();
  #catching = false;
  /** Ends the pause between two pages. @type {(() => void) | null} */
  #wakeUp = null;
  #identity;
  #vigil;
  #joinedAt = -Infinity;
  #backoff;
  #stopped = true;

  /** @type {StreamState} */ state = State.CONNECTING;

  /**
   * @param {Context} context
   * @param {Start & { id: string }} start
   * @param {SourceListener} listener
   * @param {TabPort} port
   */
  constructor(context, { topics, after, id }, listener, port) {
    this.#context = context;
    this.#id = id;
    this.#listener = listener;
    this.#port = port;
    this.#after = after;
    this.#active = topics;
    this.#voice = new Voice(id, (message) => this.#post(message));
    this.#intake = new Intake(after, listener);
    const { settings, env } = context;
    this.#backoff = new Backoff(settings.backoffBase, settings.backoffCap, env.random);
    this.#identity = new Identity(context, {
      known: () => this.join(),
      foreign: () => void (this.#stopped || port.foreign()),
    });
    this.#vigil = new Vigil(context, {
      doubt: () => port.silent(),
      wake: () => port.post({ kind: "wake", tab: id }),
      stale: (isStale) => listener.stale(isStale),
    });
  }

  get cursor() {
    return this.#intake.cursor;
  }
  get transport() {
    return this.#leader?.transport ?? null;
  }
  get heartbeat() {
    return this.#leader?.heartbeat ?? null;
  }
  get access() {
    return this.#leader?.access ?? NOBODY;
  }
  get topics() {
    return [...new Set([...this.#active, ...this.#wishes.topics])];
  }

  start() {
    this.#stopped = false;
    this.#vigil.heard(this.heartbeat);
    this.join();
  }

  join() {
    this.#joinedAt = this.#context.env.elapsed();
    this.#post({ kind: "join", tab: this.#id, topics: this.topics });
    this.#voice.again();
  }

  #rejoin() {
    if (this.#context.env.elapsed() - this.#joinedAt > REJOIN) this.join();
  }

  leave = () => this.#post({ kind: "leave", tab: this.#id });
  /** @param {TabMessage} message */
  #post(message) {
    if (!this.#stopped) this.#port.post(message);
  }

  // -- from the leader

  /** @param {TabMessage} message */
  hear(message) {
    if (this.#stopped) return;
    if (message.kind === "hello") this.#hello(message);
    else if (message.kind === "frames") this.#frames(message);
    else if (message.kind === "auth") this.#auth(message);
    else if (message.kind === "beside") this.#beside(message);
    else if (message.kind === "refused" && message.to === this.#id) this.#port.refused();
  }

  /** @param {Hello} message */
  #hello(message) {
    this.#vigil.heard(message.heartbeat);
    if (!this.#identity.admits(message.access)) return;
    const other = this.#leader?.tab !== message.tab;
    const transport = this.transport;
    this.#leader = message;
    this.#vigil.server(message.heard ?? null, message.staleAfter ?? null);
    if (message.heard) this.#listener.heard(message.heard);
    // Two may lead for a moment, and each says hello when one joins: who has this tab already is not told again.
    if (other && message.tabs?.includes(this.#id) !== true) this.join();
    else if (!this.#covers(this.topics) || message.tabs?.includes(this.#id) === false) this.#rejoin();
    this.#voice.trust(message.transport === null ? null : message.tab);
    if (transport !== message.transport) this.#listener.transport(message.transport, "leader");
    this.#wishes.settle(
      (topics) => this.#covers(topics),
      { id: message.position },
      (topics) => {
        this.#active = [...new Set([...this.#active, ...topics])];
        this.#intake.topicsChanged();
      },
    );
    if (this.#covers(this.#active) && message.position !== null) this.#meet(message.position);
    this.#show();
    this.#listener.stale(this.#vigil.isStale);
  }

  /** @param {readonly string[]} topics */
  #covers(topics) {
    const covered = this.#leader?.topics ?? [];
    return covered.includes("**") || topics.every((topic) => covered.includes(topic));
  }

  /** Is this tab's cursor where the leader goes on, or beyond? @param {Cursor | null} position */
  #meets(position) {
    return this.cursor !== null && isCovered(position, this.cursor);
  }

  /** @param {Cursor} position */
  #meet(position) {
    if (this.#catching || this.#meets(position)) return;
    // A malformed `after` is for the server to judge: it says `gap`.
    const fromNow = this.cursor === null && (this.#after === null || this.#after === "latest");
    if (!fromNow) return void this.#catchUp();
    this.#tail.clear();
    this.#intake.begin(null, { id: position });
  }

  /** @param {Frames} message */
  #frames(message) {
    this.#vigil.heard(this.heartbeat);
    if (!this.#identity.admits(message.access)) return undefined;
    if (this.#leader?.tab !== message.tab) return this.#rejoin(); // its hello was lost
    this.#vigil.server(this.#context.env.now(), this.#leader.staleAfter ?? null);
    if (!this.#covers(this.#active)) return;
    if (!this.#catching && this.#meets(message.from)) {
      if (!this.#take(message)) this.#catchUp();
      return;
    }
    this.#tail.push(message);
    this.#meet(message.from ?? message.to);
  }

  /** @param {Extract<TabMessage, { kind: "beside" }>} message */
  #beside({ tab, access, word }) {
    if (this.#leader?.tab === tab && this.#identity.admits(access)) this.#listener.beside(word);
  }

  /** @param {Extract<TabMessage, { kind: "auth" }>} message */
  #auth({ tab, notice }) {
    if (this.#leader?.tab !== tab || !this.#identity.admits(notice)) return;
    this.#active = this.#active.filter((topic) => !notice.lost.includes(topic));
    this.#listener.auth(notice);
  }

  /** @param {Frames} message */
  #take({ events, to }) {
    const sound = events.every((event) => this.#deliver(event, this.transport ?? Transport.POLL));
    if (sound) this.#intake.position(to);
    return sound;
  }

  // -- from the history

  async #catchUp() {
    if (this.#catching || this.#stopped) return;
    this.#catching = true;
    this.#listener.connected({ type: "connection", id: this.cursor ?? undefined });
    this.#show();
    do {
      const progress = await this.#page();
      if (!progress && !this.#stopped && !this.#meetsLeader()) await this.#pause();
    } while (!this.#stopped && !this.#joinTail());
    if (!this.#stopped) this.#show();
  }

  /** Reads one page. False if it brought nothing, or failed: then it is too early to ask again. */
  async #page() {
    const before = this.cursor;
    const after = before ?? this.#after;
    try {
      const page = await this.#context.http.history({ topics: this.#active, after, limit: PAGE });
      if (this.#stopped) return false;
      const id = after === "earliest" ? null : page.cursor;
      this.#intake.begin(after, { id, head: page.head, floor: page.floor });
      if (page.gap) this.#intake.gap({ ...page.gap, type: "gap" });
      this.#backoff.reset();
      // A history that proves a loss is asked again once; the second time the reader lets it pass.
      if (!page.events.every((event) => this.#deliver(event, Transport.POLL))) return true;
      this.#intake.position(page.cursor);
    } catch (error) {
      const { status, passing } = error instanceof TwinwireError ? error : {};
      const fault = { kind: FaultKind.NETWORK, transport: Transport.POLL, status, detail: reasonOf(error) };
      this.#listener.fault(fault, false);
      // Only a connection of its own can tell the page what is wrong with its credential.
      if (isRefusal(fault) && !this.#stopped) this.#port.refused();
      if (passing === false && status !== 401 && status !== 403) this.#port.refused(); // for good
    }
    return this.cursor !== before;
  }

  /** False if the chain is broken, or this tab is something else by now. @type {(event: WireEvent, transport: TransportName) => boolean} */
  #deliver(event, transport) {
    if (this.#stopped) return false;
    this.#listener.frame(event, transport);
    return this.#intake.event(event, { spare: false, overlap: true });
  }

  /** @returns {Promise<void>} */
  #pause() {
    this.join(); // the leader's position may be old
    return new Promise((resolve) => {
      const timer = this.#context.env.setTimeout(resolve, this.#backoff.next());
      this.#wakeUp = () => {
        this.#context.env.clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Does the cursor meet what the leader told first since the catching up began? */
  #meetsLeader() {
    const { first } = this.#tail;
    return this.#meets(first ? (first.from ?? first.to) : (this.#leader?.position ?? null));
  }

  /** Joins the leader's messages if the cursor has met them; no `await` between the check and the switch. */
  #joinTail() {
    while (this.#meetsLeader()) {
      const message = this.#tail.shift();
      if (message === undefined) {
        this.#catching = false;
        return true;
      }
      if (!this.#take(message)) return false;
    }
    return false;
  }

  // -- the state

  #show() {
    const leading = this.#leader?.state ?? State.CONNECTING;
    const behind = leading === State.LIVE && (this.#catching || this.cursor === null);
    const state = behind ? State.REPLAYING : leading;
    if (state === this.state || state === State.CLOSED) return;
    this.state = state;
    this.#listener.state(state);
    this.#vigil.shows(state);
  }

  // -- what the page asks

  /** @type {Source["subscribe"]} */
  async subscribe(topics) {
    const granted = this.#covers(topics) ? null : this.#wishes.add(topics);
    if (granted === null) this.#active = [...new Set([...this.#active, ...topics])];
    this.join();
    return granted ?? { id: this.cursor };
  }

  /** @type {Source["unsubscribe"]} */
  async unsubscribe(topics) {
    this.#active = this.#active.filter((topic) => !topics.includes(topic));
    this.join();
    return { id: this.cursor };
  }
  /** @type {Source["request"]} */
  request = () => Promise.reject(new UnansweredError("the connection is in another tab"));

  /** @type {Source["attend"]} */ attend = (wanted) => this.#voice.attend(wanted);
  /** @type {Source["ask"]} */ ask = (place) => this.#voice.ask(place);

  /** This tab has a connection now, which asks for what it waited for. @param {Source} connection */
  handOver = (connection) => this.#wishes.settle(() => true, { id: connection.cursor });

  /** Nobody will carry the stream on. */ abandon = () => this.#wishes.abandon();

  reconnect() {
    this.#identity.forget();
    this.#post({ kind: "reconnect", tab: this.#id });
    this.wake();
  }

  wake() {
    this.#wakeUp?.();
    this.#vigil.look();
    this.join(); // after a freeze: where does the leader stand now?
  }

  offline() {}
  drop() {}
  quit() {
    this.#stopped = true;
    this.#vigil.end();
    this.#wakeUp?.();
  }
}
