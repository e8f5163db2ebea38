/**
 * What every page has: indicator, twisted pair, notices, toasts, voice; and the words for a server that is
 * away.
 */

import { createNotice, createToasts, createVoice } from "./announce.js";
import { inWords, statusOf } from "./api.js";
import { byId, setData, setText } from "./dom.js";
import { clock } from "./format.js";
import { createIndicator } from "./indicator.js";
import { createStrip } from "./strip.js";
import { createWho, loginUrl } from "./who.js";

/** @import { Fault, GapFrame, Stream, TwinwireError } from "../../client/index.js" */
/** @import { Notice } from "./announce.js" */

/** A connection may be away this long before the page says so, milliseconds: a short blip heals unseen. */
const AWAY_AFTER = 2_500;
/** Delays between attempts to load what a page needs first, milliseconds; the last one repeats. */
export const LOAD_DELAYS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** Somebody may sign in in another tab, milliseconds. */
const SIGNED_OUT_DELAY = 15_000;
export const LOAD_AGAIN = { label: "Load again", run: () => location.reload() };
const SIGN_IN = { label: "Sign in", run: () => location.assign(loginUrl()) };

/** @type {(error: unknown) => boolean} */
const nothing = () => false;

/** @typedef {ReturnType<typeof createPage>} Page */

/** The page's furniture, found in the HTML that all pages share. */
export function createPage() {
  const strip = createStrip(byId("strip", HTMLCanvasElement));
  const notice = createNotice(byId("notice"));
  const watchIndicator = createIndicator(byId("indicator", HTMLDetailsElement), strip);
  const toast = createToasts();
  /** @type {Stream<any> | null} */
  let watched = null;
  const who = createWho(toast, () => {
    if (watched !== null && watched.state !== "closed") watched.reconnect(); // as who one is by now, from the same place
  });
  return {
    strip,
    notice,
    toast,
    who,
    say: createVoice(),
    /** What the page needs first is not there, nor on its way: nothing on it may say so. */
    stalled() {
      for (const node of document.querySelectorAll("[data-loading]")) node.textContent = "Not loaded yet.";
      if (watched !== null) return;
      setData(byId("indicator"), "tone", "down");
      setText(byId("indicator-state"), "Not connected");
    },
    /** There is no stream on this page: no indicator, no pair. */
    unplug() {
      byId("indicator").hidden = true;
      byId("strip").hidden = true;
    },
    /** @param {Stream<any>} stream */
    watch(stream) {
      watched = stream;
      watchIndicator(stream);
      watchAway(stream, notice);
      stream.on(":state", ({ state }) => {
        if (state === "unauthorized") who.refresh(); // the head should not say that one is still somebody
        if (state === "live") toast.settle();
      });
      stream.on(":auth", () => who.refresh());
    },
  };
}

/**
 * Say in words that the stream is away, once it has been for a while, and stop saying so when it is back.
 *
 * @param {Stream} stream
 * @param {Notice} notice
 */
function watchAway(stream, notice) {
  /** @type {number | null} */
  let timer = null;
  let shown = false;
  let since = "";
  const opened = Date.now();
  const tell = () => {
    timer = null;
    shown = true;
    const retry = { label: "Try now", run: () => stream.reconnect() };
    if (stream.state === "offline")
      notice(`This device is offline. What you see is from ${since}; the page catches up by itself.`);
    else if (stream.state === "unauthorized")
      notice("The server no longer lets this page listen: a session may have ended.", "error", SIGN_IN);
    else
      notice(
        `The server can't be reached. What you see is from ${since}; the page keeps trying and will miss nothing.`,
        "warn",
        retry,
      );
  };
  const judge = () => {
    if (stream.state === "live" || stream.state === "replaying" || stream.state === "closed") {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (shown) notice(null);
      shown = false;
    } else if (timer === null && !shown) {
      since = clock(stream.stats.heardAt ?? opened);
      timer = setTimeout(tell, AWAY_AFTER);
    }
  };
  stream.on(":state", judge);
  stream.on(":state", () => shown && stream.state !== "closed" && tell()); // "offline", "can't be reached"
  stream.on(":close", ({ error }) => {
    if (error === null) return;
    const words = `This page has stopped listening, and shows nothing new. ${whyEnded(error)}`;
    notice(words, "error", LOAD_AGAIN);
  });
  judge();
}

/** Why a stream has ended, in words. @param {TwinwireError | Fault} error */
export const whyEnded = (error) => ("message" in error ? error.message : (error.detail ?? error.kind));

/** What a restored backup, or a start with the wrong file, is to a page that was open. */
export const OTHER_LOG =
  "The server has another database now: a backup was restored, or another file is used.";

/**
 * Say so, if that is why something is missing; what the page shows has been loaded anew.
 *
 * @param {Page} page
 * @param {GapFrame} gap
 */
export function tellOtherLog(page, gap) {
  const words = `${OTHER_LOG} What you see is from there.`;
  if (gap.reason === "epoch") page.notice(words, "warn", LOAD_AGAIN);
}

/**
 * Run `load` until it succeeds, telling people why it has not, and return what it returned.
 * An error for which `fatal(error)` is true is thrown at once.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @param {string} what
 * @param {Pick<Page, "notice" | "stalled">} page
 * @param {(error: unknown) => boolean} fatal
 */
export async function loadPatiently(load, what, { notice, stalled }, fatal = nothing) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const result = await load();
      if (attempt > 0) notice(null);
      return result;
    } catch (error) {
      if (fatal(error)) throw error;
      stalled();
      if (statusOf(error) === 401) {
        await retryOrWait(
          "You are not signed in, or your session has ended.",
          notice,
          SIGNED_OUT_DELAY,
          SIGN_IN,
        );
        continue;
      }
      await retryOrWait(inWords(error, what), notice, LOAD_DELAYS[Math.min(attempt, LOAD_DELAYS.length - 1)]);
    }
  }
}

/**
 * @param {string} words
 * @param {Notice} notice
 * @param {number} delay
 * @param {{ label: string, run(): void } | null} other
 * @returns {Promise<void>}
 */
function retryOrWait(words, notice, delay, other = null) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delay);
    const run = () => {
      clearTimeout(timer);
      resolve();
    };
    notice(words, "error", other ?? { label: "Try now", run });
  });
}
