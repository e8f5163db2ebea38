/**
 * A source with a connection of its own (source.d.ts): starts (race), goes on from the cursor when a
 * connection ends (back-off), moves to a better transport in the background (probe), stops when credentials
 * are refused or a retry can't help.
 */

import { Chooser } from "./chooser.js";
import { Credential } from "./credential.js";
import { TwinwireError, isFinal, isRefusal } from "./errors.js";
import { Intake } from "./intake.js";
import { Link } from "./link.js";
import { Prober } from "./probe.js";
import { Race } from "./race.js";
import { Retry } from "./retry.js";
import { Speaker } from "./speaker.js";
import { FaultKind, State, Transport } from "./states.js";

/** @import { Context, FullFault, LinkOwner, Start } from "./internal.js" */
/** @import { ControlFrame, Fault, StreamState, TransportName, WireEvent } from "./index.js" */
/** @import { InnerSource, RootSource, SourceListener } from "./source.js" */

/** @implements {RootSource} @implements {InnerSource} @implements {LinkOwner} */
export class Connection extends Speaker {
  #context;
  #listener;
  #after;
  #intake;
  #chooser;
  #retry;
  #prober;
  #credential;
  /** Attempts that run, while there is no connection. @type {Race | null} */
  #race = null;
  /** The connection that is acted on. @type {Link | null} */
  #link = null;
  /** Grows with each new beginning: what an older one was waiting for is void. */
  #run = 0;

  role = null;
  /** @type {StreamState} */ state = State.CONNECTING;
  /** @type {number | null} */ heartbeat = null;

  /**
   * @param {Context} context
   * @param {Start<readonly string[] | null>} start `after`: a cursor, a keyword, or null
   * @param {SourceListener} listener
   */
  constructor(context, { topics, after }, listener) {
    super(context, topics, listener, {
      ...{ link: () => this.#link, intake: () => this.#intake, prober: () => this.#prober },
      restart: () => (this.#link === null && this.#race === null ? undefined : this.restart("topics")),
    });
    const { env, settings } = context;
    this.#context = context;
    this.#listener = listener;
    this.#after = after;
    this.#intake = new Intake(after, listener);
    this.#chooser = new Chooser(env, context.transports, context.memoryKey);
    this.#retry = new Retry(env, settings);
    this.#credential = new Credential(context, {
      ask: (link, message) => this.requests.send(link, message),
      restart: (reason) => this.restart(reason),
      tell: (notice) => listener.auth(notice),
    });
    this.#prober = new Prober(env, {
      interval: settings.probeInterval,
      targets: () => (this.#link ? this.#chooser.better(this.#link.name) : []),
      launch: (name) => this.#launch(name, true),
    });
  }

  get cursor() {
    return this.#intake.cursor;
  }
  get transport() {
    return this.#link?.name ?? null;
  }
  get staleAfter() {
    return this.#link?.staleAfter ?? null;
  }
  get access() {
    return this.#credential.access;
  }

  start() {
    this.#begin();
  }

  // -- attempts

  async #begin() {
    this.#halt();
    const run = this.#run;
    const { env, settings } = this.#context;
    if (this.#credential.isMissing) await this.#credential.ask();
    if (run !== this.#run) return;
    this.#race = new Race(env, {
      order: this.#chooser.order(),
      hedgeDelay: settings.hedgeDelay,
      launch: (name) => this.#launch(name, false),
      lost: (fault, all) => {
        this.#race = null;
        if (all) this.#chooser.allFailed();
        this.#recover(fault);
      },
    });
    this.#race.start();
  }

  /** @type {(name: TransportName, probe: boolean) => Link} */
  #launch(name, probe) {
    const request = {
      ...{ topics: this.topics.asked, after: this.cursor ?? this.#after },
      ...this.attendance.asked,
    };
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
    this.#credential.cancel();
    this.#link?.close();
    this.#link = null;
    this.requests.abandon();
  }

  // -- what links tell

  /** @type {LinkOwner["linkConnected"]} */
  linkConnected(link, frame) {
    if (this.#race?.has(link)) return this.#won(link, frame, this.#race.won(link));
    return link === this.#prober.link ? this.#prober.connected(frame, this.access.subject) : undefined;
  }

  /** @type {(link: Link, frame: ControlFrame, others: Link[]) => void} */
  #won(link, frame, others) {
    this.#race = null;
    this.#adopt(link, "connected");
    this.#listener.frame(frame, link.name);
    this.#listener.connected(frame);
    this.#intake.begin(link.request.after, frame);
    this.#setState(State.REPLAYING);
    this.topics.connected(this.cursor);
    if (this.#link === null) return others.forEach((other) => other.close()); // closed by a listener
    const patient = this.#chooser.remembered !== null;
    return this.#prober.inherit(others, this.#chooser.better(this.#link.name), patient);
  }

  /** @type {(link: Link, reason: string) => void} */
  #adopt(link, reason) {
    this.#link = link;
    this.heartbeat = link.heartbeat;
    if (link.name === Transport.WEBSOCKET && this.#chooser.pingEvery) link.keepAlive(this.#chooser.pingEvery);
    this.#chooser.connected(link.name);
    this.#credential.adopt(link);
    this.attendance.adopt(reason !== "connected");
    this.#listener.transport(link.name, reason);
    this.#listener.stale(link.isStale);
  }

  /** @type {LinkOwner["linkFrame"]} */
  linkFrame(link, frame) {
    const spare = link === this.#prober.link;
    if (link !== this.#link && !spare) return;
    this.#listener.frame(frame, link.name);
    if (spare) this.#listener.stale(false);
    if (this.state === State.OFFLINE && !spare) this.#heard(link); // so the browser was wrong
    if (frame.topic !== undefined) this.#event(link, frame, spare);
    else if (frame.type === "gap" && spare) this.#prober.failed();
    else if (frame.type === "gap") this.#intake.gap(/** @type {any} */ (frame));
    else if (frame.type === "heartbeat") this.#intake.position(frame.id);
    else if (frame.type === "caught_up") this.#caughtUp(frame, spare);
    else if (frame.type === "auth" && !spare) this.topics.lose(this.#credential.frame(link, frame));
    else if (!spare) this.requests.frame(frame);
    if (link === this.#link && frame.topic === undefined) this.attendance.frame(frame);
  }

  /** @type {LinkOwner["linkBeside"]} */
  linkBeside(link, event) {
    if (link === this.#link) this.#listener.beside(event);
  }

  /** @type {(link: Link, event: WireEvent, spare: boolean) => void} */
  #event(link, event, spare) {
    if (!spare) this.#retry.reset();
    if (this.#intake.event(event, { spare, overlap: this.#prober.link !== null })) return;
    if (spare) this.#prober.failed();
    else this.restart("anomaly");
  }

  /** @type {(frame: ControlFrame, spare: boolean) => void} */
  #caughtUp(frame, spare) {
    this.#intake.position(frame.id);
    if (spare) this.#promote();
    else this.#setState(State.LIVE);
  }

  /** A probe that is connected beside it is heard, and takes over soon. @type {LinkOwner["linkStale"]} */
  linkStale(link, isStale) {
    if (link === this.#link && !this.#prober.link?.connection) this.#listener.stale(isStale);
  }

  /** @type {LinkOwner["linkProductive"]} */
  linkProductive(link) {
    this.#chooser.productive(link.name);
    if (link !== this.#link) return this.#promote();
    this.#credential.reset();
    return this.#retry.reset();
  }

  /** The probe takes over, if it has caught up and proved itself. */
  #promote() {
    const link = this.#prober.proven();
    if (link === null) return;
    const old = this.#link;
    this.requests.abandon();
    this.#adopt(link, "better");
    old?.close();
    this.#setState(State.LIVE);
    this.#prober.begin(false);
  }

  /** @type {LinkOwner["linkEnded"]} */
  linkEnded(link, fault) {
    const probe = link === this.#prober.link;
    this.#chooser.ended(link, fault);
    this.#listener.fault(fault, probe);
    if (this.#race?.has(link)) this.#race.ended(link, fault);
    else if (probe) this.#prober.failed();
    else if (link === this.#link) this.#broken(fault);
  }

  /** @type {(fault: FullFault) => void} */
  #broken(fault) {
    this.#link = null;
    this.requests.abandon();
    this.#credential.cancel();
    const spare = this.#prober.link;
    if (spare?.connection && !isRefusal(fault) && fault.retryAfter === undefined) {
      this.#prober.release(); // it has been feeding the reader all along
      this.#adopt(spare, fault.kind);
      this.#heard(spare);
      return this.#prober.begin(false);
    }
    this.#prober.cancel();
    this.#listener.transport(null, fault.kind);
    return this.#recover(fault);
  }

  // -- after the end of a connection, or of a round of attempts

  /** @type {(fault: FullFault) => void} */
  #recover(fault) {
    if (this.state === State.CLOSED) return undefined; // by a listener that heard of the fault
    if (isRefusal(fault)) return void this.#refused(fault);
    if (isFinal(fault)) return this.#finish(TwinwireError.fromFault(fault));
    if (this.#retry.exhausted) return this.#finish(fault);
    const plan = this.#retry.plan(fault, () => this.#begin());
    this.#setState(this.#context.env.online() ? State.RECONNECTING : State.OFFLINE);
    return this.#listener.retry(plan);
  }

  /** @type {(fault: FullFault) => Promise<void>} */
  async #refused(fault) {
    this.#halt();
    this.#setState(this.cursor === null ? State.CONNECTING : State.RECONNECTING);
    const run = this.#run;
    const isThere = await this.#credential.hasAnother(fault);
    if (run !== this.#run) return;
    if (isThere) {
      this.#credential.tried();
      return this.#begin();
    }
    this.#credential.refused(fault);
    if (run === this.#run) this.#setState(State.UNAUTHORIZED); // the page may have asked for another beginning
  }

  /** @type {(error: TwinwireError | Fault | null) => void} */
  #finish(error) {
    this.#halt();
    this.#listener.transport(null, "closed");
    this.#setState(State.CLOSED);
    this.silence();
    this.#listener.ended(error);
  }

  /** @type {(state: StreamState) => void} */
  #setState(state) {
    if (this.state === state || this.state === State.CLOSED) return;
    this.state = state;
    this.#listener.state(state);
  }

  /** @type {(link: Link) => void} */
  #heard = ({ caughtUp }) => this.#setState(caughtUp ? State.LIVE : State.REPLAYING);

  // -- what the page asks

  /** From the cursor, without delay; `replaying` tells it better than `reconnecting`. @param {string} reason */
  restart(reason) {
    if (this.state === State.CLOSED) return;
    this.#halt();
    this.#listener.transport(null, reason);
    this.#setState(this.cursor === null ? State.CONNECTING : State.REPLAYING);
    this.#begin();
  }

  reconnect() {
    this.#context.http.auth.forget();
    this.#credential.reset();
    this.#retry.reset();
    this.restart("asked");
  }

  /** `online`, a tab shown again: waits for nothing but a delay that the server ordered. */
  wake() {
    this.attendance.wake();
    if (this.#retry.wakeable) this.#begin();
    const isBack = this.state === State.OFFLINE && this.#context.env.online();
    if (this.#link?.verify() === false && isBack) return this.restart("online"); // nobody knows if it still lives
    this.#prober.now();
  }

  drop() {
    this.#link?.end({ kind: FaultKind.DROPPED, detail: "dropped on purpose" });
  }

  /** The browser says that the network is gone; a connection that still works says otherwise, by its next frame. */
  offline() {
    if (this.#retry.waiting || this.#link !== null) this.#setState(State.OFFLINE);
    this.#link?.verify();
  }

  close() {
    if (this.state !== State.CLOSED) this.#finish(null);
  }

  quit() {
    this.#halt();
    this.state = State.CLOSED;
    this.silence();
  }
}
