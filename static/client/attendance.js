/**
 * What a connection does beside its log: it hears events that are not kept, watches places, and keeps members at them.
 * What is wanted is one list, told whole; whatever becomes of a message, of a connection or of a transport, that list is
 * brought about anew.
 *
 *     WebSocket       watches and enters by messages, and pings for as long as it has members
 *     SSE             watches with `presence=1`; enters by PUT, for this connection, and again every now and then
 *     long polling    watches with `presence=1`; enters by PUT for some seconds, and again with the answers
 */

import { Errand } from "./errand.js";
import { Members, RENEW } from "./members.js";
import { Transport } from "./states.js";

/** @import { ControlFrame } from "./index.js" */
/** @import { Beside, Context, PresenceFrame, Timer, Wanted } from "./internal.js" */
/** @import { Link } from "./link.js" */
/** @import { Reply } from "./source.js" */

/** Milliseconds between two pings: after 30 s of silence members are lost. */
const PING = 12_000;

/** @type {Wanted} */
export const NOTHING_WANTED = Object.freeze({ ephemeral: false, places: [], members: [] });

/**
 * @typedef {object} Host the connection
 * @property {() => Link | null} link that is acted on
 * @property {(message: object) => Promise<Reply>} ask over the WebSocket
 * @property {() => readonly string[]} topics that are asked for; empty for all
 * @property {() => void} renew connects anew, which is how to ask for something else without a WebSocket
 * @property {(word: Beside) => void} tell
 */

export class Attendance {
  #context;
  #host;
  /** @type {Wanted} */
  #wanted = NOTHING_WANTED;
  #members;
  /** Places that are being watched, each with what asks for it. @type {Map<string, Errand>} */
  #watched = new Map();
  /** Of these the link was asked already. @type {Set<string>} */
  #asked = new Set();
  #hearing;
  #hears = false;
  /** The page has ended, or is put aside. */
  #isResting = false;
  /** @type {Timer | null} */
  #timer = null;

  /**
   * @param {Context} context
   * @param {Host} host
   */
  constructor(context, host) {
    this.#context = context;
    this.#host = host;
    this.#members = new Members(context, { ...host, link: () => this.#link });
    // Of topics that may not be read nothing is heard either.
    const refused = () => {};
    this.#hearing = new Errand(context, () => this.#hear(), refused);
  }

  /** What the next request is to ask for. */
  get asked() {
    const { ephemeral, places } = this.#wanted;
    return { ephemeral, presence: places.length > 0, isWatched: this.#isWatched };
  }

  /** @type {(place: string) => boolean} */
  #isWatched = (place) => this.#watched.has(place);

  /** @returns {Link | null} */
  get #link() {
    return this.#isResting ? null : this.#host.link();
  }

  get #speaks() {
    return this.#link?.name === Transport.WEBSOCKET;
  }

  /**
   * `lapsed`: whoever is not among the members any more has not left; see Members.
   *
   * @param {Wanted} wanted
   * @param {boolean} lapsed
   */
  attend(wanted, lapsed = false) {
    this.#wanted = wanted;
    this.#members.attend(wanted.members, lapsed);
    for (const place of wanted.places)
      if (!this.#watched.has(place)) this.#watched.set(place, this.#watching(place));
    for (const place of [...this.#watched.keys()]) if (!wanted.places.includes(place)) this.#unwatch(place);
    this.#bring();
  }

  /** Whatever is not yet so. */
  #bring() {
    const link = this.#link;
    if (link === null) return;
    if (this.#lacks(link))
      return void Promise.resolve().then(() => this.#link === link && this.#host.renew());
    this.#hearing.go();
    for (const [place, errand] of this.#watched) if (!this.#asked.has(place)) errand.go();
    this.#members.bring();
    this.#keep();
  }

  /** Whether it would have had to be asked for more, and can't be now. @param {Link} link */
  #lacks({ name, request }) {
    const { ephemeral, presence } = this.asked;
    const isLess = (ephemeral && !request.ephemeral) || (presence && !request.presence);
    return name !== Transport.WEBSOCKET && isLess;
  }

  // -- the connection

  /**
   * A link is acted on from now on, for which none of this was done yet. `isOld`: it has told states already.
   *
   * @param {boolean} isOld
   */
  adopt(isOld) {
    this.#hears = this.#link?.request.ephemeral ?? false;
    this.#members.adopt();
    this.#asked.clear();
    // Who asks a stream for a place by its name gets its state without another word.
    const isTold =
      !isOld && (this.#link?.name === Transport.SSE || this.#link?.name === Transport.EVENTSOURCE);
    if (isTold) for (const place of this.#host.topics()) this.#asked.add(place);
    this.#bring();
  }

  /** A frame of the link that is acted on. @param {ControlFrame} frame */
  frame(frame) {
    if (frame.type === "presence") this.#presence(/** @type {any} */ (frame));
    else if (frame.type === "heartbeat" || frame.type === "caught_up") this.#renew();
  }

  /** @param {PresenceFrame} frame */
  #presence(frame) {
    if (!this.#watched.has(frame.place)) return;
    this.#host.tell(frame);
    this.#members.frame(frame);
  }

  /** Who is silent is taken for lost. */
  #keep() {
    if (this.#members.size === 0) return;
    if (this.#speaks) return void this.#link?.keepAlive(PING);
    this.#timer ??= this.#context.env.setTimeout(() => {
      this.#timer = null;
      this.#renew();
      this.#keep();
    }, RENEW);
  }

  /** Timers of a hidden page are slow, and what comes from the network is not: so each heartbeat is a reason too. */
  #renew() {
    if (this.#members.size === 0) return;
    if (this.#speaks) this.#link?.ping();
    else this.#members.renew();
  }

  // -- events that are not kept

  #hear() {
    const { ephemeral } = this.#wanted;
    if (!this.#speaks || ephemeral === this.#hears) return null;
    const [topic] = this.#host.topics();
    if (topic === undefined && ephemeral) this.#host.renew(); // there is no list that one could be added to
    if (topic === undefined) return null;
    const told = this.#host.ask({ op: "subscribe", topics: [topic], ephemeral });
    return told.then(() => (this.#hears = ephemeral));
  }

  // -- places

  /** @param {string} place */
  #watching(place) {
    return new Errand(
      this.#context,
      () => (this.#asked.has(place) ? null : this.#watch(place)),
      ({ message, status, problem }) =>
        this.#host.tell({ type: "refused", place, member: null, error: { message, status, problem } }),
    );
  }

  /** @param {string} place */
  #watch(place) {
    if (this.#link === null) return null;
    this.#asked.add(place);
    const asked = this.#speaks ? this.#host.ask({ op: "watch", places: [place] }) : this.#fetch(place);
    return asked.catch((error) => {
      this.#asked.delete(place);
      throw error;
    });
  }

  /** @param {string} place */
  #unwatch(place) {
    this.#watched.get(place)?.end();
    this.#watched.delete(place);
    if (this.#asked.delete(place) && this.#speaks)
      this.#host.ask({ op: "unwatch", places: [place] }).catch(() => {});
  }

  /** The state of a place that is watched is needed once more. @param {string} place */
  ask(place) {
    if (!this.#watched.has(place) || !this.#asked.has(place)) return;
    const asked = this.#speaks ? this.#host.ask({ op: "presence", place }) : this.#fetch(place);
    asked.catch(() => {}); // it is asked for again with the next frame that does not follow
  }

  /** @param {string} place */
  async #fetch(place) {
    const { http } = this.#context;
    const link = this.#link;
    const { places } = await http.json(http.url("api/presence", [["place", place]]));
    if (link !== this.#link) return;
    const row = places.find((/** @type {PresenceFrame} */ one) => one.place === place);
    const found = row ?? { place, version: 0, state: [], users: 0, members: 0 };
    const truncated = found.truncated === true || found.members > found.state.length;
    const state = truncated ? [] : found.state;
    this.#presence({ ...found, type: "presence", state, truncated, fetched: true });
  }

  /** The members may have entered with another connection since, and are there once more with this one. */
  again = () => this.#members.again();

  // -- the page

  /** It ends, or is put aside. What it says is of all members, unless `members` says of which. @param {Wanted["members"]} members */
  rest(members = this.#wanted.members) {
    this.#members.rest(members);
    this.#isResting = true;
  }

  /** It is taken out again. */
  wake() {
    if (!this.#isResting) return;
    this.#isResting = false;
    this.#bring();
  }

  end() {
    this.#context.env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#hearing.end();
    for (const errand of this.#watched.values()) errand.end();
    this.#members.end();
  }
}
