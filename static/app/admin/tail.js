/**
 * The live tail: events of some topics as they come, from any place of the log. It is a stream of the client's like
 * any other, and its indicator is that stream's.
 */

import { connect } from "../../client/index.js";
import { api, inWords } from "../shared/api.js";
import { byId, setData, setText, show } from "../shared/dom.js";
import { day, plural } from "../shared/format.js";
import { anomalyWords, gapWords } from "../shared/gaps.js";
import { createIndicator } from "../shared/indicator.js";
import { whyEnded } from "../shared/page.js";
import { begin, hashOf } from "./start.js";
import { TailForm, openAddresses } from "./tail-form.js";
import { Rate, TailStore, rowOf } from "./tail-store.js";
import { createTailView } from "./tail-view.js";

/** @import { AuthNotice, GapFrame, Stream, WireEvent } from "../../client/index.js" */
/** @import { Toast } from "../shared/announce.js" */
/** @import { Beginning, From, Wish } from "./start.js" */

/** Milliseconds between two looks at the rate. */
const EVERY = 1_000;

/** Where it begins, in words. @type {Record<From, (value: string) => string>} */
const BEGINS = {
  latest: () => "from now on",
  earliest: () => "from the oldest event on",
  after: (cursor) => `after ${cursor}`,
  event: (id) => `from ${id} on`,
  last: (wanted) => `from the newest ${plural(Number(wanted), "event")} on`,
  since: (time) => `since ${day(time)}`,
};

/** @param {Wish} wish */
const wishWords = ({ topics, type, from, value }) =>
  [topics.join(", ") || "All topics that you may read", type && `${type} alone`, BEGINS[from](value)]
    .filter(Boolean)
    .join(", ");

/** Whether it is of the type, and since the moment, that is asked for: a stream is told neither. @param {Wish} wish @param {WireEvent} event */
const isWanted = ({ type, from, value }, event) =>
  (type === "" || event.type === type) && (from !== "since" || Date.parse(event.time) >= Date.parse(value));

/** @param {string} words */
function note(words, isError = false) {
  setText(byId("tail-note"), words);
  setData(byId("tail-note"), "kind", isError ? "error" : "");
}

class Tail {
  #form = new TailForm();
  #store = new TailStore();
  #view;
  #rate = new Rate(performance.now());
  #indicator = byId("tail-indicator", HTMLDetailsElement);
  #watchStream = createIndicator(this.#indicator, null);
  #start = byId("tail-start", HTMLButtonElement);
  #pause = byId("tail-pause", HTMLButtonElement);
  /** @type {Stream | null} */
  #stream = null;
  /** Which start this is: what an older one has looked for is of no use. */
  #turn = 0;

  /** @param {Toast} toast */
  constructor(toast) {
    this.#view = createTailView(this.#store, { toast, replay: (id) => this.#replay(id) });
    byId("tail-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#start.disabled) return;
      this.#view.open(null);
      this.#run();
    });
    byId("tail-stop").addEventListener("click", () => this.#stop("Stopped: nothing new is shown."));
    this.#pause.addEventListener("click", () => this.#togglePause());
    byId("tail-clear").addEventListener("click", () => {
      this.#store.clear();
      this.#draw();
    });
    setInterval(() => this.#drawFigures(), EVERY);
    this.#draw();
    openAddresses((wish, event) => this.#open(wish, event));
  }

  /** One is somebody else: the stream goes on as that one, from the same place. */
  again() {
    if (this.#stream !== null && this.#stream.state !== "closed") this.#stream.reconnect();
  }

  /**
   * Show this, and the event, if there is one, opened.
   *
   * @param {Wish} wish
   * @param {string | null} event
   */
  #open(wish, event) {
    this.#form.fill(wish);
    byId("tail").scrollIntoView({ block: "start" });
    if (this.#start.disabled) {
      this.#form.focus(); // the reason stands below it
      return;
    }
    this.#view.open(event);
    byId("tail-box").focus({ preventScroll: true });
    this.#run();
  }

  /** @param {string} id */
  #replay(id) {
    this.#form.beginAt(id);
    this.#view.open(null);
    byId("tail-box").focus({ preventScroll: true });
    this.#run();
  }

  async #run() {
    const wish = this.#form.read();
    if (wish === null) return;
    this.#stop("Looking where it begins…");
    const mine = this.#turn;
    this.#store.clear();
    this.#rate = new Rate(performance.now());
    this.#draw();
    try {
      const found = await begin(wish, api.history);
      if (mine !== this.#turn) return; // it was started again meanwhile, or stopped
      this.#follow(wish, found);
      history.replaceState(null, "", hashOf(wish));
    } catch (error) {
      if (mine !== this.#turn) return;
      if (this.#form.blame(error)) note("");
      else note(inWords(error, "Looking where it begins"), true);
    }
  }

  /** @param {string} words */
  #stop(words) {
    this.#turn += 1;
    this.#stream?.close();
    this.#stream = null;
    show(this.#indicator, false);
    this.#store.goOn();
    this.#draw();
    note(words);
  }

  #togglePause() {
    if (this.#store.isPaused) this.#store.goOn();
    else this.#store.pause();
    this.#draw();
  }

  /**
   * @param {Wish} wish
   * @param {Beginning} beginning
   */
  #follow(wish, { after, past, floor }) {
    const topics = wish.topics.length > 0 ? wish.topics : undefined;
    const stream = connect({ topics, after, tabs: false, storage: null });
    this.#stream = stream;
    this.#watchStream(stream);
    show(this.#indicator, true);
    const removed = floor === null ? "" : ` What was removed before, up to ${floor}, is not here.`;
    const words = `${wishWords(wish)}.${removed}`;
    note(words);
    for (const message of past) this.#receive(wish, message);
    this.#rate = new Rate(performance.now()); // those did not come just now
    stream.on("*", (message) => this.#receive(wish, message));
    stream.on(":anomaly", (anomaly) => this.#tell(anomalyWords(anomaly), anomaly.cursor));
    stream.on(":auth", (notice) => noteAuth(notice));
    stream.on(":state", ({ state, previous }) => {
      if (state === "live" && previous === "unauthorized") note(words);
      this.#drawFigures();
    });
    stream.on(":close", ({ error }) => {
      if (error !== null) note(`It has ended, and shows nothing new: ${whyEnded(error)}`, true);
    });
  }

  /**
   * @param {Wish} wish
   * @param {WireEvent | GapFrame} message
   */
  #receive(wish, message) {
    if (message.topic === undefined) {
      this.#tell(gapWords(message), message.id);
    } else if (isWanted(wish, message)) {
      this.#store.add(rowOf(message));
      this.#rate.add(performance.now());
      this.#view.draw();
    } else this.#store.others += 1;
  }

  /** What is no event. @param {string} words @param {string | null} id */
  #tell(words, id) {
    this.#store.add({ kind: "gap", words, id });
    this.#view.draw();
  }

  #draw() {
    this.#view.draw();
    setText(this.#pause, this.#store.isPaused ? "Go on" : "Pause");
    this.#drawFigures();
  }

  #drawFigures() {
    const isAny = this.#stream !== null || this.#store.came > 0;
    setText(byId("tail-figures"), isAny ? this.#store.words(this.#rate.of(performance.now())) : "");
  }
}

/** @param {AuthNotice} notice */
function noteAuth({ state, detail, lost }) {
  if (state === "refused") note(`You may not read this: ${detail ?? "the service says no more"}`, true);
  if (state === "reduced") note(`It goes on without what may not be read any more: ${lost.join(", ")}`, true);
}

/**
 * Make the panel work.
 *
 * @param {Toast} toast
 */
export const prepareTail = (toast) => new Tail(toast);
