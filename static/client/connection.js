/**
 * Keeps one stream connected: starts (race), goes on from the cursor when a connection ends (back-off), moves
 * to a better transport in the background (probe), stops when credentials are refused or a retry can't help.
 *
 * `listener` hears what intake.js says, and: state, transport, attempt, fault, retry, connected, frame,
 * ended.
 */

import { Chooser } from "./chooser.js";
import { isCursor } from "./cursor.js";
import { TwinwireError, isFinal, isRefusal } from "./errors.js";
import { Intake } from "./intake.js";
import { Link } from "./link.js";
import { Prober } from "./probe.js";
import { Race } from "./race.js";
import { Requests } from "./requests.js";
import { Retry } from "./retry.js";
import { TopicSet } from "./topic-set.js";

export class Connection {
  #context;
  #listener;
  #after;
  #intake;
  #chooser;
  #retry;
  #prober;
  #requests;
  #race = null;
  #link = null;
  #renewed = false; // a fresh token was asked for since the last productive connection
  #run = 0;

  state = "connecting";
  heartbeat = null;

  /**
   * `context`: env, http, settings, patience, transports, memoryKey. `after`: a cursor, a keyword, or null.
   */
  constructor(context, { topics, after }, listener) {
    const { env, settings } = context;
    this.#context = context;
    this.#listener = listener;
    this.#after = after ?? null;
    this.#intake = new Intake(after, listener);
    this.#chooser = new Chooser(env, context.transports, context.memoryKey);
    this.#retry = new Retry(env, settings);
    this.#requests = new Requests(env);
    this.#prober = new Prober(env, {
      interval: settings.probeInterval,
      targets: () => (this.#link ? this.#chooser.better(this.#link.name) : []),
      launch: (name) => this.#launch(name, true),
    });
    this.topics = new TopicSet(topics, this.#carrier());
  }

  get cursor() {
    return this.#intake.cursor;
  }

  get transport() {
    return this.#link?.name ?? null;
  }

  start() {
    this.#begin();
  }

  // -- attempts

  async #begin() {
    this.#halt();
    const run = this.#run;
    const { env, settings, http } = this.#context;
    if (http.auth.token === null && http.auth.renewable && !this.#renewed) {
      await http.auth.renew();
      if (run !== this.#run) return;
    }
    this.#race = new Race(env, {
      order: this.#chooser.order(),
      hedgeDelay: settings.hedgeDelay,
      launch: (name) => this.#launch(name, false),
      lost: (fault, all) => this.#lost(fault, all),
    });
    this.#race.start();
  }

  #launch(name, probe) {
    const request = { topics: this.topics.asked, after: this.cursor ?? this.#after };
    this.#listener.attempt({ transport: name, after: request.after, probe });
    return new Link(this.#context, name, request, this);
  }

  /** Everything that is on its way is let go; what comes later from an earlier run is void. */
  #halt() {
    this.#run += 1;
    this.#retry.cancel();
    this.#race?.cancel();
    this.#race = null;
    this.#prober.cancel();
    this.#link?.close();
    this.#link = null;
    this.#requests.abandon();
  }

  // -- what links tell

  linkConnected(link, frame) {
    if (this.#race?.has(link)) return this.#won(link, frame);
    // Beside a working connection only a clean resume is of use.
    if (link === this.#prober.link && !frame.resumed) return this.#prober.failed();
    return undefined;
  }

  #won(link, frame) {
    const others = this.#race.won(link);
    this.#race = null;
    this.#adopt(link, "connected");
    this.#listener.frame(frame, link.name);
    this.#listener.connected(frame);
    this.#intake.begin(link.request.after, frame);
    this.#setState("replaying");
    this.topics.connected(this.cursor);
    this.#keepTrying(others);
  }

  /**
   * A better transport that is still trying goes on as a probe, if it asked for a cursor: then it can miss
   * nothing.
   */
  #keepTrying(others) {
    // A listener may have closed the stream.
    if (this.#link === null) return others.forEach((link) => link.close());
    const better = this.#chooser.better(this.#link.name);
    const next = others.find((link) => better.includes(link.name) && isCursor(link.request.after));
    for (const link of others) if (link !== next) link.close();
    if (next) return this.#prober.take(next);
    return this.#prober.begin(this.#chooser.remembered !== null);
  }

  #adopt(link, reason) {
    this.#link = link;
    this.heartbeat = link.connection.heartbeat ?? null;
    if (link.name === "websocket" && this.#chooser.pingEvery) link.keepAlive(this.#chooser.pingEvery);
    this.#chooser.connected(link.name);
    this.#listener.transport(link.name, reason);
  }

  linkFrame(link, frame) {
    const spare = link === this.#prober.link;
    if (link !== this.#link && !spare) return;
    this.#listener.frame(frame, link.name);
    if (frame.topic !== undefined) this.#event(link, frame, spare);
    else if (frame.type === "gap") this.#gap(frame, spare);
    else if (frame.type === "heartbeat") this.#intake.position(frame.id);
    else if (frame.type === "caught_up") this.#caughtUp(frame, spare);
    else if (!spare) this.#requests.frame(frame);
  }

  #event(link, event, spare) {
    if (!spare) this.#retry.reset();
    if (this.#intake.event(event, { spare, overlap: this.#prober.link !== null })) return;
    if (spare) this.#prober.failed();
    else this.restart("anomaly");
  }

  #gap(frame, spare) {
    if (spare) this.#prober.failed();
    else this.#intake.gap(frame);
  }

  #caughtUp(frame, spare) {
    this.#intake.position(frame.id);
    if (spare) this.#promote();
    else this.#setState("live");
  }

  linkProductive(link) {
    this.#chooser.productive(link.name);
    if (link !== this.#link) return this.#promote();
    this.#renewed = false;
    return this.#retry.reset();
  }

  /** The probe takes over, if it has caught up and proved itself. */
  #promote() {
    const link = this.#prober.link;
    if (!link?.caughtUp || !link.productive) return;
    const old = this.#link;
    this.#prober.release();
    this.#requests.abandon();
    this.#adopt(link, "better");
    old?.close();
    this.#setState("live");
    this.#prober.begin(false);
  }

  linkEnded(link, fault) {
    const probe = link === this.#prober.link;
    this.#chooser.ended(link, fault);
    this.#listener.fault(fault, probe);
    if (this.#race?.has(link)) this.#race.ended(link, fault);
    else if (probe) this.#prober.failed();
    else if (link === this.#link) this.#broken(fault);
  }

  #broken(fault) {
    this.#link = null;
    this.#requests.abandon();
    const spare = this.#prober.link;
    if (spare?.connection && !isRefusal(fault) && fault.retryAfter === undefined) {
      this.#prober.release(); // it has been feeding the reader all along
      this.#adopt(spare, fault.kind);
      this.#setState(spare.caughtUp ? "live" : "replaying");
      return this.#prober.begin(false);
    }
    this.#prober.cancel();
    this.#listener.transport(null, fault.kind);
    return this.#recover(fault);
  }

  #lost(fault, all) {
    this.#race = null;
    if (all) this.#chooser.allFailed();
    this.#recover(fault);
  }

  // -- after the end of a connection, or of a round of attempts

  #recover(fault) {
    if (this.state === "closed") return undefined; // by a listener that heard of the fault
    if (isRefusal(fault)) return this.#refused(fault);
    if (isFinal(fault)) return this.#finish(TwinwireError.fromProblem(fault.problem, fault.status));
    if (this.#retry.exhausted) return this.#finish(fault);
    const plan = this.#retry.plan(fault, () => this.#begin());
    this.#setState(this.#context.env.online() ? "reconnecting" : "offline");
    return this.#listener.retry(plan);
  }

  async #refused() {
    this.#halt();
    this.#setState(this.cursor === null ? "connecting" : "reconnecting");
    const run = this.#run;
    const again = !this.#renewed && (await this.#context.http.auth.renew());
    if (run !== this.#run) return;
    this.#renewed = true;
    if (again) this.#begin();
    else this.#setState("unauthorized");
  }

  #finish(error) {
    this.#halt();
    this.#listener.transport(null, "closed");
    this.#setState("closed");
    this.topics.closed();
    this.#listener.ended(error);
  }

  #setState(state) {
    if (this.state === state || this.state === "closed") return;
    this.state = state;
    this.#listener.state(state);
  }

  // -- what the page asks

  /**
   * Connects again from the cursor, without delay: planned, so that `replaying` tells it better than
   * `reconnecting`.
   */
  restart(reason) {
    if (this.state === "closed") return;
    this.#halt();
    this.#listener.transport(null, reason);
    this.#setState(this.cursor === null ? "connecting" : "replaying");
    this.#begin();
  }

  reconnect() {
    this.#renewed = false;
    this.#retry.reset();
    this.restart("asked");
  }

  /** `online`, a tab shown again: waits for nothing but a delay that the server ordered. */
  wake() {
    if (this.#retry.wakeable) this.#begin();
    this.#link?.verify();
    this.#prober.now();
  }

  drop() {
    this.#link?.end({ kind: "dropped", detail: "dropped on purpose" });
  }

  /** A client message over the WebSocket. Rejects with UnansweredError if there is none. */
  request(message) {
    return this.#requests.send(this.#link, message);
  }

  subscribe(topics) {
    return this.topics.add(topics);
  }

  unsubscribe(topics) {
    return this.topics.remove(topics);
  }

  /** The browser says that the network is gone; a connection that still works says otherwise. */
  offline() {
    if (this.#retry.waiting) this.#setState("offline");
  }

  close() {
    if (this.state !== "closed") this.#finish(null);
  }

  /** Ends without a word to the listener: somebody else carries the stream on. */
  quit() {
    this.#halt();
    this.state = "closed";
    this.topics.closed();
  }

  /** What a change of topics needs of the connection; see topic-set.js. */
  #carrier() {
    return {
      speaks: () => this.#link?.name === "websocket",
      ask: (message) => {
        this.#intake.topicsChanged();
        this.#prober.cancel(); // it asked for the old topics
        this.#prober.begin(true);
        return this.#requests.send(this.#link, message, ({ id }) => this.#intake.position(id));
      },
      renew: () => {
        this.#intake.topicsChanged();
        if (this.#link !== null || this.#race !== null) this.restart("topics");
      },
    };
  }
}
