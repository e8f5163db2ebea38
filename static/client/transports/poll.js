/**
 * Long polling: one request after the other, each answered when there is something. It speaks the frames of
 * the other transports (connection, gap, caught_up, heartbeat), so that nothing above knows the difference.
 *
 * A path that cuts idle requests teaches `patience`: the seconds that a request waits. It is halved when a
 * waiting request is cut, so that polling works through any idle timeout.
 */

import { isCursor } from "../cursor.js";
import { reasonOf } from "../errors.js";
import { responseFault } from "../http.js";
import { besidePairs } from "../queries.js";
import { FaultKind, Transport } from "../states.js";

/** @import { Context, EventPage, Frame, PresenceFrame, StreamRequest } from "../internal.js" */
/** @import { Wire, WireFault, WireListener } from "../internal.js" */
/** @typedef {{ fault: WireFault, page?: undefined } | { fault?: undefined, page: EventPage }} Answer */

const PLACES_MAX = 200; // whose versions are remembered: a request has room for them
const PAGE = 500;
const GRACE = 10_000; // ms beyond the wait, after which a request is stalled
const EMPTY_PAUSE = 1_000; // ms; a draining server answers at once with nothing
const WAIT_MIN = 1; // s

/**
 * Opens it; tells `link`.
 *
 * @param {Context} context
 * @param {StreamRequest} request
 * @param {WireListener} link
 * @returns {Wire}
 */
export function openPoll(context, request, link) {
  const poll = new Poll(context, request, link);
  poll.run();
  return { close: () => poll.close() };
}

class Poll {
  #context;
  #request;
  #link;
  #open = true;
  /** Of the request that runs. @type {AbortController | null} */
  #abort = null;
  /** Ends the pause, if there is one. @type {(() => void) | null} */
  #pause = null;
  #connected = false;
  #live = false;
  /** Whose events these are: pages do not say it. @type {{ subject?: string | null, expires?: string | null }} */
  #who = {};
  #after;
  /** Of who is there, by place. @type {Map<string, number>} */
  #versions = new Map();

  /**
   * @param {Context} context
   * @param {StreamRequest} request
   * @param {WireListener} link
   */
  constructor(context, request, link) {
    this.#context = context;
    this.#request = request;
    this.#link = link;
    this.#after = request.after;
  }

  async run() {
    const { env, settings, patience } = this.#context;
    while (this.#open) {
      const started = env.elapsed();
      const wait = this.#live ? Math.min(settings.pollWait, patience.seconds) : 0;
      const { fault, page } = await this.#ask(wait);
      if (!this.#open) return;
      if (fault) return this.#end(fault, env.elapsed() - started, wait);
      if (!this.#connected) this.#who = await this.#identify();
      this.#take(page);
      const isEarly = env.elapsed() - started < EMPTY_PAUSE && this.#isIdle(page, wait);
      if (this.#open && isEarly) await this.#rest();
    }
  }

  /** Whether the next answer may come as soon, and bring as little. @type {(page: EventPage, wait: number) => boolean} */
  #isIdle({ events, presence = [], ephemeral = [] }, wait) {
    if (!this.#live || events.length > 0 || ephemeral.length > 0) return false;
    if (presence.length === 0) return wait > 0;
    return this.#versions.size >= PLACES_MAX; // those that were forgotten are told with each answer
  }

  close() {
    this.#open = false;
    this.#abort?.abort();
    this.#pause?.();
  }

  /**
   * @param {WireFault} fault
   * @param {number} elapsed milliseconds
   * @param {number} wait seconds
   */
  #end(fault, elapsed, wait) {
    const { patience } = this.#context;
    const cutWhileWaiting = fault.kind === FaultKind.NETWORK && wait > WAIT_MIN && elapsed > 1_000;
    if (cutWhileWaiting)
      patience.seconds = Math.max(WAIT_MIN, Math.floor(Math.min(wait, elapsed / 1_000) / 2));
    this.close();
    this.#link.end(fault);
  }

  /** @returns {Promise<void>} */
  #rest() {
    const { env } = this.#context;
    return new Promise((resolve) => {
      const timer = env.setTimeout(resolve, EMPTY_PAUSE);
      this.#pause = () => {
        env.clearTimeout(timer);
        resolve();
      };
    });
  }

  /**
   * @param {number} wait seconds
   * @returns {Promise<Answer>}
   */
  async #ask(wait) {
    const { env, http } = this.#context;
    const asked = http.asking("api/events", "api/events/read", this.#request.topics, [
      ["after", this.#after],
      ["wait", wait],
      ["limit", PAGE],
      ...besidePairs(this.#request),
      ...this.#versionPairs(),
    ]);
    const abort = new AbortController();
    this.#abort = abort;
    let stalled = false;
    const timer = env.setTimeout(
      () => {
        stalled = true;
        abort.abort();
      },
      wait * 1_000 + GRACE,
    );
    try {
      if (!env.fetch) throw new TypeError("there is no fetch");
      const headers = { Accept: "application/json", ...asked.headers };
      const init = http.init(headers, { ...asked.init, signal: abort.signal });
      const response = await env.fetch(asked.url, init);
      const fault = await responseFault(response, "application/json", Transport.POLL, env.now());
      return fault ? { fault } : this.#check(await response.json());
    } catch (error) {
      const cut = error instanceof SyntaxError ? FaultKind.PROTOCOL : FaultKind.NETWORK;
      return { fault: { kind: stalled ? FaultKind.STALLED : cut, detail: reasonOf(error) } };
    } finally {
      env.clearTimeout(timer);
    }
  }

  /** What is known of who is where: what is other than that comes. @returns {[string, string][]} */
  #versionPairs() {
    return [...this.#versions].map(([place, version]) => ["presence_version", `${place}:${version}`]);
  }

  /** Tells tabs that share what is read here whether they may; without an answer nobody knows. */
  async #identify() {
    const { http } = this.#context;
    const { subject, expires } = await http
      .session()
      .catch(() => ({ subject: undefined, expires: undefined }));
    return { subject, expires };
  }

  /**
   * @param {any} page
   * @returns {Answer}
   */
  #check(page) {
    const sound = Array.isArray(page?.events) && isCursor(page.cursor);
    return sound ? { page } : { fault: { kind: FaultKind.PROTOCOL, detail: "not a page of events" } };
  }

  /** @param {EventPage} page */
  #take(page) {
    if (!this.#connected) this.#connect(page);
    if (page.gap) this.#tell({ ...page.gap, type: "gap" });
    for (const event of page.events) this.#tell(event);
    for (const frame of page.presence ?? []) this.#seen(frame);
    for (const event of page.ephemeral ?? []) this.#tell(/** @type {any} */ (event));
    this.#after = page.cursor;
    if (!this.#live && !page.more) {
      this.#live = true;
      this.#tell({ type: "caught_up", id: page.cursor });
    } else this.#tell({ type: "heartbeat", id: page.cursor });
  }

  /** @param {PresenceFrame} frame */
  #seen(frame) {
    this.#versions.delete(frame.place);
    this.#versions.set(frame.place, frame.version);
    if (this.#versions.size > PLACES_MAX) this.#forget();
    this.#tell(/** @type {any} */ (frame));
  }

  /** The oldest; not one that the page looks at, of which nothing would tell that it is empty. */
  #forget() {
    const places = [...this.#versions.keys()];
    const { isWatched } = this.#request;
    this.#versions.delete(places.find((place) => !isWatched(place)) ?? places[0]);
  }

  /** @param {EventPage} page */
  #connect(page) {
    this.#connected = true;
    const asked = isCursor(this.#after);
    this.#link.opened();
    const { settings, patience } = this.#context;
    this.#link.expects(Math.min(settings.pollWait, patience.seconds) * 1_000 + GRACE / 2);
    this.#tell({
      type: "connection",
      // Where this stream goes on from: for `earliest` the events themselves say it.
      id: isCursor(this.#after) ? this.#after : this.#after === "earliest" ? undefined : page.cursor,
      transport: Transport.POLL,
      topics: this.#request.topics,
      head: page.head,
      floor: page.floor,
      resumed: asked && !page.gap,
      ...this.#who,
      heartbeat: null, // no bytes between the answers: each request watches its own time
    });
  }

  /** @param {Frame} frame */
  #tell(frame) {
    if (this.#open) this.#link.frame(frame);
  }
}
