/**
 * Long polling: one request after the other, each answered when there is something. It speaks the frames of
 * the other transports (connection, gap, caught_up, heartbeat), so that nothing above knows the difference.
 *
 * A path that cuts idle requests teaches `patience`: the seconds that a request waits. It is halved when a
 * waiting request is cut, so that polling works through any idle timeout.
 */

import { isCursor } from "../cursor.js";
import { responseFault } from "../http.js";

const PAGE = 500;
const GRACE = 10_000; // ms beyond the wait, after which a request is stalled
const EMPTY_PAUSE = 1_000; // ms; a draining server answers at once with nothing
const WAIT_MIN = 1; // s

/** Opens it; tells `link`. Returns `{close}`. */
export function openPoll(context, request, link) {
  const poll = new Poll(context, request, link);
  poll.run();
  return { close: () => poll.close() };
}

class Poll {
  #open = true;
  #abort = null;
  #pause = null;
  #connected = false;
  #live = false;
  #after;

  constructor({ env, http, settings, patience }, request, link) {
    Object.assign(this, { env, http, settings, patience, request, link });
    this.#after = request.after;
  }

  async run() {
    while (this.#open) {
      const started = this.env.now();
      const wait = this.#live ? Math.min(this.settings.pollWait, this.patience.seconds) : 0;
      const answer = await this.#ask(wait);
      if (!this.#open) return;
      if (answer.fault) return this.#end(answer.fault, this.env.now() - started, wait);
      this.#take(answer.body);
      const idle = answer.body.events.length === 0 && this.#live && wait > 0;
      if (this.#open && idle && this.env.now() - started < EMPTY_PAUSE) await this.#rest();
    }
  }

  close() {
    this.#open = false;
    this.#abort?.abort();
    this.#pause?.();
  }

  #end(fault, elapsed, wait) {
    const cutWhileWaiting = fault.kind === "network" && wait > WAIT_MIN && elapsed > 1_000;
    if (cutWhileWaiting)
      this.patience.seconds = Math.max(WAIT_MIN, Math.floor(Math.min(wait, elapsed / 1_000) / 2));
    this.close();
    this.link.end(fault);
  }

  #rest() {
    return new Promise((resolve) => {
      const timer = this.env.setTimeout(resolve, EMPTY_PAUSE);
      this.#pause = () => {
        this.env.clearTimeout(timer);
        resolve();
      };
    });
  }

  async #ask(wait) {
    const url = this.http.url("api/events", [
      ...this.request.topics.map((topic) => ["topic", topic]),
      ["after", this.#after],
      ["wait", wait],
      ["limit", PAGE],
    ]);
    this.#abort = new AbortController();
    let stalled = false;
    const timer = this.env.setTimeout(
      () => {
        stalled = true;
        this.#abort.abort();
      },
      wait * 1_000 + GRACE,
    );
    try {
      const init = this.http.init({ Accept: "application/json" }, { signal: this.#abort.signal });
      const response = await this.env.fetch(String(url), init);
      const fault = await responseFault(response, "application/json", "poll", this.env.now());
      return fault ? { fault } : this.#check(await response.json());
    } catch (error) {
      const kind = stalled ? "stalled" : error instanceof SyntaxError ? "protocol" : "network";
      return { fault: { kind, detail: String(error?.message ?? error) } };
    } finally {
      this.env.clearTimeout(timer);
    }
  }

  #check(body) {
    const sound = Array.isArray(body?.events) && isCursor(body.cursor);
    return sound ? { body } : { fault: { kind: "protocol", detail: "not a page of events" } };
  }

  #take(page) {
    if (!this.#connected) this.#connect(page);
    if (page.gap) this.#tell({ type: "gap", ...page.gap });
    for (const event of page.events) this.#tell(event);
    this.#after = page.cursor;
    if (!this.#live && !page.more) {
      this.#live = true;
      this.#tell({ type: "caught_up", id: page.cursor });
    } else this.#tell({ type: "heartbeat", id: page.cursor });
  }

  #connect(page) {
    this.#connected = true;
    const asked = isCursor(this.#after);
    this.link.opened();
    this.#tell({
      type: "connection",
      // Where this stream goes on from: for `earliest` the events themselves say it.
      id: asked ? this.#after : this.#after === "earliest" ? null : page.cursor,
      transport: "poll",
      topics: this.request.topics,
      head: page.head,
      resumed: asked && !page.gap,
      heartbeat: null, // no bytes between the answers: each request watches its own time
    });
  }

  #tell(frame) {
    if (this.#open) this.link.frame(frame);
  }
}
