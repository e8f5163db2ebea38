/**
 * Many tabs, one connection. The tabs of one origin that want the same service elect a leader: whoever holds
 * a Web Lock. The browser hands the lock on when the leader's tab ends, however it ends. The leader connects,
 * for the topics of all, and shares what it reads over a BroadcastChannel; followers (follower.js) have
 * cursors of their own, and read from the history what the channel can't give them. So nothing depends on a
 * message of the channel arriving.
 *
 * It has the face of a Connection.
 */

import { Connection } from "../connection.js";
import { Follower } from "./follower.js";
import { Leader } from "./leader.js";

const VERSION = 1; // of the messages; tabs of another version are not heard
const ANSWER_TIME = 2_000; // ms a leader has to answer before its lock is taken away

/** A short name for a secret: tabs with another token are another group. FNV-1a, 32 bits. */
export function digest(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

export class Tabs {
  #context;
  #name;
  #listener;
  #channel = null;
  #side = null;
  #after;
  #topics;
  #known = [];
  #free = []; // ends the locks that this tab holds or waits for
  #asked = null;
  #closed = false;

  role = null;

  constructor(context, { topics, after, name }, listener) {
    this.#context = context;
    this.#name = name;
    this.#listener = listener;
    this.#after = after ?? null;
    this.#topics = topics ?? ["**"];
    this.id = `${context.env.now().toString(36)}${Math.floor(context.env.random() * 2 ** 48).toString(36)}`;
  }

  get state() {
    return this.#closed ? "closed" : (this.#side?.state ?? "connecting");
  }

  get cursor() {
    return this.#side?.cursor ?? null;
  }

  get transport() {
    return this.#side?.transport ?? null;
  }

  get heartbeat() {
    return this.#side?.heartbeat ?? null;
  }

  start() {
    const { BroadcastChannel } = this.#context.env;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#step();
    this.#side.start();
    this.#hold(`${this.#name}:tab:${this.id}`, () => {
      this.#stand(false);
      if (this.role === "follower" && this.#channel !== null) this.#side.join();
    });
  }

  // -- the election

  /** Waits for the lock that makes a leader; `steal` takes it from one that does not answer. */
  #stand(steal) {
    this.#hold(this.#name, () => this.#lead(), { steal, lost: () => this.#deposed() });
  }

  /** Holds a lock, once granted, until `#release`. */
  #hold(name, granted, { steal = false, lost = () => {} } = {}) {
    const { locks } = this.#context.env;
    const abort = new AbortController();
    const held = () =>
      new Promise((resolve) => {
        this.#free.push(resolve);
        granted();
      });
    const options = steal ? { steal: true } : { signal: abort.signal };
    this.#free.push(() => abort.abort());
    locks.request(name, options, held).catch(() => {
      if (!this.#closed && !abort.signal.aborted) lost();
    });
  }

  #release() {
    for (const free of this.#free.splice(0)) free();
  }

  #lead() {
    if (this.#closed || this.role === "leader") return;
    const follower = this.#side;
    follower.stop();
    const topics = { own: follower.topics, known: this.#known };
    this.#side = new Leader(
      this.#context,
      { topics, after: this.#position(), id: this.id },
      this.#listener,
      this.#port(),
    );
    this.#become("leader");
    this.#side.start();
    follower.handOver(this.#side);
  }

  /** Takes the part of a follower, from where this tab stands; `start` puts it to work. */
  #step() {
    const topics = this.#side?.topics ?? this.#topics;
    const start = { topics, after: this.#position(), id: this.id };
    this.#side = new Follower(this.#context, start, this.#listener, this.#port());
    this.#become("follower");
  }

  #position() {
    return this.#side?.cursor ?? this.#after;
  }

  #become(role) {
    if (this.role === role) return;
    this.role = role;
    this.#listener.role(role);
  }

  /** Another tab took the lock from this one, which was too slow: it goes on as a follower. */
  #deposed() {
    if (this.role !== "leader") return;
    this.#side.stop();
    this.#step();
    this.#side.start();
    this.#stand(false);
    this.#side.join();
  }

  // -- the channel

  #port() {
    return {
      name: this.#name,
      post: (message) => {
        if (!this.#closed) this.#channel.postMessage({ v: VERSION, ...message });
      },
      silent: () => this.#doubt(),
      refused: () => this.#separate(),
      ended: (error) => this.#finish(error),
    };
  }

  #hear(message) {
    if (this.#closed || message?.v !== VERSION || message.tab === undefined) return;
    if (message.kind === "hello") {
      this.#known = message.topics;
      this.#context.env.clearTimeout(this.#asked);
      this.#asked = null;
    }
    this.#side.hear(message);
  }

  /** The leader was silent for too long: ask it, and if it does not answer, take over. */
  #doubt() {
    if (this.#asked !== null || this.role !== "follower") return;
    this.#asked = this.#context.env.setTimeout(() => {
      this.#asked = null;
      if (!this.#closed && this.role === "follower") this.#stand(true);
    }, ANSWER_TIME);
    this.#side.join();
  }

  /**
   * The shared connection can't carry this tab's topics: one of its own tells what is wrong, or carries them.
   */
  #separate() {
    const start = { topics: this.#side.topics, after: this.#position() };
    const follower = this.#side;
    follower.leave();
    this.#retire();
    this.#side = new Connection(this.#context, start, this.#listener);
    this.#become(null);
    this.#side.start();
    follower.handOver(this.#side);
  }

  // -- what the page asks

  request(message) {
    return this.#side.request(message);
  }

  subscribe(topics) {
    return this.#side.subscribe(topics);
  }

  unsubscribe(topics) {
    return this.#side.unsubscribe(topics);
  }

  reconnect() {
    this.#side.reconnect();
  }

  wake() {
    if (this.#closed) return;
    if (this.#channel === null && this.role === "follower") this.start();
    else this.#side.wake();
  }

  offline() {
    this.#side?.offline();
  }

  drop() {
    this.#side.drop();
  }

  /** The page is hidden for good, or put aside (bfcache): another tab leads. `wake` comes back. */
  rest() {
    if (this.#closed || this.#channel === null) return;
    this.#side.leave();
    this.#retire();
    this.#step();
  }

  #retire() {
    this.#side.stop();
    this.#context.env.clearTimeout(this.#asked);
    this.#asked = null;
    this.#channel.onmessage = null;
    this.#channel.close();
    this.#channel = null;
    this.#release();
  }

  close() {
    if (!this.#closed) this.#finish(null);
  }

  #finish(error) {
    if (this.#closed) return;
    if (this.#channel !== null) {
      this.#side.leave();
      this.#retire();
    } else if (this.role === null) this.#side?.quit();
    this.#closed = true;
    this.#listener.transport(null, "closed");
    this.#listener.state("closed");
    this.#listener.ended(error);
  }
}
