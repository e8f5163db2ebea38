/**
 * Many tabs, one connection. The tabs of one origin that want the same service elect a leader: whoever holds
 * a Web Lock. The browser hands the lock on when the leader's tab ends, however it ends. The leader connects,
 * for the topics of all, and shares what it reads over a BroadcastChannel; followers (follower.js) have
 * cursors of their own, and read from the history what the channel can't give them. So nothing depends on a
 * message of the channel arriving.
 *
 * A source (source.d.ts) made of one that changes: a Follower, a Leader, or, where the tabs can't share, a
 * Connection of this tab's own.
 */

import { NOTHING_WANTED } from "../attendance.js";
import { Connection } from "../connection.js";
import { Role, State } from "../states.js";
import { Follower } from "./follower.js";
import { holderOf } from "./holder.js";
import { Leader } from "./leader.js";
import { Locks } from "./locks.js";

/** @import { Context, Start, TabMessage, TabPort, Timer } from "../internal.js" */
/** @import { TwinwireError } from "../errors.js" */
/** @import { Fault, StreamState } from "../index.js" */
/** @import { RootSource, Source, SourceListener } from "../source.js" */

const VERSION = 3; // of the messages; tabs of another version are not heard
const ANSWER_TIME = 1_500; // ms a leader has to answer before its lock is taken away
const ANSWER_SPREAD = 1_000; // ms more, at random: all who follow doubt it in the same moment, and one is to take it
const OVER = 1_000; // ms until what one that hung had on its way has come

/** @implements {RootSource} */
export class Tabs {
  #context;
  #name;
  #listener;
  /**
   * null while this tab takes no part: before the start, at rest, apart, at the end.
   *
   * @type {BroadcastChannel | null}
   */
  #channel = null;
  /** What brings the events. @type {Follower | Leader | Connection} */
  #side;
  #after;
  /** The topics of all tabs, as the leader said last. @type {readonly string[]} */
  #known = [];
  #wanted = NOTHING_WANTED;
  #locks;
  /** Until a leader that was asked must have answered. @type {Timer | null} */
  #asked = null;
  /** Until the connection of one that led must have ended. @type {Timer | null} */
  #rival = null;
  #closed = false;
  /** For which request it was granted that it leads: it may have asked twice. @type {object | null} */
  #leads = null;

  /** @type {RootSource["role"]} */
  role = null;

  /**
   * @param {Context} context
   * @param {Start<readonly string[] | null>} start
   * @param {SourceListener} listener
   * @param {string} name of the group; its locks and its channel are called so
   */
  constructor(context, { topics, after }, listener, name) {
    this.#context = context;
    this.#name = name;
    this.#listener = listener;
    this.#after = after;
    this.#locks = new Locks(context.env, () => this.#separate());
    this.id = this.#draw();
    this.#side = this.#follower(topics ?? ["**"]);
  }

  /** A name for each time that it takes part: of the lock of one before, others may not have heard that it is free. */
  #draw() {
    const { env } = this.#context;
    return `${env.now().toString(36)}${Math.floor(env.random() * 2 ** 48).toString(36)}`;
  }

  /** @returns {StreamState} */
  get state() {
    return this.#closed ? State.CLOSED : this.#side.state;
  }

  get cursor() {
    return this.#side.cursor;
  }

  get transport() {
    return this.#side.transport;
  }

  get heartbeat() {
    return this.#side.heartbeat;
  }

  get access() {
    return this.#side.access;
  }

  /** A follower from where this tab stands, which does nothing yet. @param {readonly string[]} topics */
  #follower(topics) {
    const start = { topics, after: this.#position(), id: this.id };
    const follower = new Follower(this.#context, start, this.#listener, this.#port());
    follower.attend(this.#wanted);
    return follower;
  }

  start() {
    const { BroadcastChannel } = this.#context.env;
    if (BroadcastChannel === null) throw new TypeError("there is no BroadcastChannel");
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      return this.#separate(); // it is there, and does not work: as in a sandboxed frame
    }
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#become(Role.FOLLOWER);
    this.#locks.hold(`${this.#name}:tab:${this.id}`, () => {
      this.#stand(false);
      // Not before: whoever joins without that lock is taken for gone (roster.js).
      if (this.#side instanceof Follower && this.#channel !== null) this.#side.start();
    });
  }

  // -- the election

  /**
   * Waits for the lock that makes a leader; `steal` takes it from one that does not answer.
   *
   * @param {boolean} steal
   */
  #stand(steal) {
    const one = {};
    const granted = () => {
      this.#leads = one;
      this.#lead();
    };
    const lost = () => this.#leads === one && this.#deposed();
    this.#locks.hold(this.#name, granted, { steal, lost });
  }

  #lead() {
    const follower = this.#side;
    if (this.#closed || !(follower instanceof Follower)) return;
    follower.quit();
    const topics = { own: follower.topics, known: this.#known };
    const start = { topics, after: this.#position(), id: this.id };
    this.#side = new Leader(this.#context, start, this.#listener, this.#port());
    this.#side.attend(this.#wanted);
    this.#become(Role.LEADER);
    this.#side.start();
    follower.handOver(this.#side);
  }

  #position() {
    return this.#side?.cursor ?? this.#after; // there is none yet while the first one is made
  }

  /** @param {RootSource["role"]} role */
  #become(role) {
    if (this.role === role) return;
    this.role = role;
    this.#listener.role(role);
  }

  /** Another tab took the lock from this one, which was too slow: it goes on as a follower. */
  #deposed() {
    if (!(this.#side instanceof Leader)) return;
    this.#side.quit();
    this.#post({ kind: "deposed", tab: this.id });
    const follower = this.#follower(this.#side.topics);
    this.#side = follower;
    this.#become(Role.FOLLOWER);
    this.#stand(false);
    follower.start();
  }

  // -- the channel

  /** @returns {TabPort} */
  #port() {
    return {
      name: this.#name,
      post: (message) => this.#post(message),
      silent: () => this.#doubt(),
      refused: () => this.#separate(),
      foreign: () => this.#part(),
      ended: (error) => this.#finish(error),
    };
  }

  /** @param {TabMessage} message */
  #post(message) {
    if (this.#closed) return;
    try {
      this.#channel?.postMessage({ v: VERSION, ...message });
    } catch {
      // It is there, and does not work: nobody hears this tab. Not in the midst of what it was about to tell.
      Promise.resolve().then(() => this.#closed || this.#part());
    }
  }

  /** @param {TabMessage & { v: number } | null} message */
  #hear(message) {
    if (this.#closed || message?.v !== VERSION || message.tab === undefined) return;
    if (message.kind === "hello") {
      this.#known = message.topics;
      this.#context.env.clearTimeout(this.#asked);
      this.#asked = null;
    }
    if (message.kind === "deposed" && this.#side instanceof Leader) this.#outlive();
    if (!(this.#side instanceof Connection)) this.#side.hear(message);
  }

  /**
   * Another leads no more. It hung, and what it did first when it woke, before it heard that it was replaced, may have
   * been to have everybody's members enter with its connection, which has ended.
   */
  #outlive() {
    this.#rival ??= this.#context.env.setTimeout(() => {
      this.#rival = null;
      if (this.#side instanceof Leader) this.#side.again();
    }, OVER);
  }

  /** The leader was silent for too long: ask it, and if it does not answer, take over. */
  #doubt() {
    if (this.#asked !== null || !(this.#side instanceof Follower)) return;
    const { env } = this.#context;
    const before = holderOf(env.locks, this.#name);
    const wait = ANSWER_TIME + env.random() * ANSWER_SPREAD;
    this.#asked = env.setTimeout(() => this.#depose(before), wait);
    this.#side.join();
  }

  /** Takes the lock from who was asked; of another, who was quicker, nobody has doubts. @param {Promise<string | null>} asked */
  async #depose(asked) {
    this.#asked = null;
    const side = this.#side;
    const isAnother = (await asked) !== (await holderOf(this.#context.env.locks, this.#name));
    if (!isAnother && !this.#closed && this.#side === side && side instanceof Follower) this.#stand(true);
  }

  /**
   * The shared connection can't carry this tab's topics, or the browser does not let tabs share: one of its own
   * tells what is wrong, or carries them.
   */
  #separate() {
    const follower = this.#side;
    if (!(follower instanceof Follower)) return;
    const start = { topics: follower.topics, after: this.#position() };
    follower.leave();
    this.#retire();
    this.#side = new Connection(this.#context, start, this.#listener);
    this.#side.attend(this.#wanted);
    this.#become(null);
    this.#side.start();
    follower.handOver(this.#side);
  }

  /** This tab is not who the others are: it goes on by itself. One that led keeps its connection. */
  #part() {
    if (!(this.#side instanceof Leader)) return this.#separate();
    this.#side = this.#side.release();
    this.#withdraw();
    return this.#become(null);
  }

  // -- what the page asks

  /** @type {Source["request"]} */
  request = (message) => this.#side.request(message);
  /** @type {Source["subscribe"]} */
  subscribe = (topics) => this.#side.subscribe(topics);
  /** @type {Source["unsubscribe"]} */
  unsubscribe = (topics) => this.#side.unsubscribe(topics);
  /** @type {Source["ask"]} */
  ask = (place) => this.#side.ask(place);

  /** @type {Source["attend"]} */
  attend(wanted) {
    this.#wanted = wanted;
    this.#side.attend(wanted);
  }

  reconnect() {
    this.#side.reconnect();
  }

  wake() {
    if (this.#closed) return;
    if (this.#channel === null && this.role === Role.FOLLOWER) this.start();
    else this.#side.wake();
  }

  offline = () => this.#side.offline();
  drop = () => this.#side.drop();

  /** The page is hidden for good, or put aside (bfcache): another tab leads. `wake` comes back. */
  rest() {
    if (this.#side instanceof Connection) return this.#side.rest();
    if (this.#closed || this.#channel === null) return;
    this.#side.leave();
    this.#retire();
    this.id = this.#draw();
    this.#side = this.#follower(this.#side.topics);
    this.#listener.transport(null, "rest");
    this.#listener.stale(true); // a page that is taken out again is not live before it is connected
    this.#become(Role.FOLLOWER);
  }

  #retire() {
    this.#side.quit();
    this.#withdraw();
  }

  #withdraw() {
    this.#context.env.clearTimeout(this.#asked);
    this.#context.env.clearTimeout(this.#rival);
    this.#asked = null;
    this.#rival = null;
    if (this.#channel !== null) this.#channel.onmessage = null;
    this.#channel?.close();
    this.#channel = null;
    this.#locks.release();
  }

  close() {
    if (this.#side instanceof Connection) this.#side.close();
    else this.#finish(null);
  }

  /** @param {TwinwireError | Fault | null} error */
  #finish(error) {
    if (this.#closed) return;
    if (!(this.#side instanceof Connection)) this.#side.leave();
    this.#retire();
    if (this.#side instanceof Follower) this.#side.abandon();
    this.#closed = true;
    this.#listener.transport(null, "closed");
    this.#listener.state(State.CLOSED);
    this.#listener.ended(error);
  }
}
