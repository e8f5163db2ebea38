/** Where a live tail begins, as the page's address and its form say it, and which cursor that is. No DOM here. */

import { compareCursors } from "../../client/index.js";

/** @import { GapFrame, WireEvent } from "../../client/index.js" */
/** @import { Http } from "../../client/http.js" */

/**
 * `latest`: from now; `earliest`: all that is kept; `after`: what comes after a cursor; `event`: an event and what
 * comes after it; `last`: so many events that are there, and what comes; `since`: a moment.
 *
 * @typedef {"latest" | "earliest" | "after" | "event" | "last" | "since"} From
 */

/**
 * What a tail is to show: without topics all that one may read, without a type all of them. `value` is the cursor, the
 * number, or the moment (RFC 3339).
 *
 * @typedef {{ topics: string[], type: string, from: From, value: string }} Wish
 */

/**
 * Where the stream begins. `past`: what comes before that, oldest first; `floor`: up to here events may be missing.
 *
 * @typedef {{ after: string, past: (WireEvent | GapFrame)[], floor: string | null }} Beginning
 */

/** @type {Wish} */
export const NOTHING = { topics: [], type: "", from: "latest", value: "" };

/** Parameters of an address that say where. @type {readonly From[]} */
const PLACES = ["after", "event", "last", "since"];
const KEYWORDS = ["latest", "earliest"];

/** Filters in a text, with commas or spaces between them. @param {string} text */
export const filtersOf = (text) => text.split(/[\s,]+/).filter(Boolean);

/** What the address asks for; null if it is about something else. @param {string} hash */
export function wishOf(hash) {
  if (!hash.startsWith("#tail=")) return null;
  const asked = new URLSearchParams(hash.slice(1));
  /** @type {Wish} */
  const wish = { ...NOTHING, topics: filtersOf(asked.get("tail") ?? ""), type: asked.get("type") ?? "" };
  const from = PLACES.find((name) => asked.has(name));
  if (from === undefined) return wish;
  const value = asked.get(from) ?? "";
  const isKeyword = from === "after" && KEYWORDS.includes(value);
  return isKeyword ? { ...wish, from: /** @type {From} */ (value) } : { ...wish, from, value };
}

/** In an address, and to be read by people in it. @param {string} text */
const spelt = (text) =>
  encodeURIComponent(text).replace(/%2F/g, "/").replace(/%2C/g, ",").replace(/%3A/g, ":");

/** The address that asks for it. @param {Wish} wish */
export function hashOf({ topics, type, from, value }) {
  const place = from === "earliest" ? ["after", from] : from === "latest" ? null : [from, value];
  const pairs = [["tail", topics.join(",")], ...(type ? [["type", type]] : []), ...(place ? [place] : [])];
  return `#${pairs.map(([name, text]) => `${name}=${spelt(text)}`).join("&")}`;
}

/**
 * Find the cursor. What the log has already is read only as far as no cursor names the place; between it and the
 * stream nothing is left out, and nothing comes twice. Throws TwinwireError.
 *
 * @param {Wish} wish
 * @param {Http["history"]} history
 * @returns {Promise<Beginning>}
 */
export async function begin({ topics: wanted, type, from, value }, history) {
  const topics = wanted.length > 0 ? wanted : null;
  const ofType = type === "" ? {} : { type };
  switch (from) {
    case "event": {
      // What stands before it, of these topics: after that, it is the next.
      let page = await history({ topics, before: value, order: "desc", limit: 1 });
      const { gap } = page;
      while (page.more && page.events.length === 0) {
        page = await history({ topics, before: page.cursor, order: "desc", limit: 1 }); // it was looked for long enough
      }
      const { events, floor } = page;
      if (gap !== null) return { after: value, past: [], floor: null }; // of another log: the stream says so itself
      return { after: events[0]?.id ?? "earliest", past: [], floor: events.length > 0 ? null : floor };
    }
    case "last":
      return last(Number(value), topics, ofType, history);
    case "since": {
      const query = { topics, ...ofType, after: "earliest", from: value, limit: 1 };
      const { events, cursor, floor } = await history(query);
      return { after: cursor, past: events, floor };
    }
    default:
      return { after: from === "after" ? value : from, past: [], floor: null };
  }
}

/**
 * @param {number} wanted
 * @param {string[] | null} topics
 * @param {{ type?: string }} ofType
 * @param {Http["history"]} history
 * @returns {Promise<Beginning>}
 */
async function last(wanted, topics, ofType, history) {
  // Where the log ended before it was read: what came while it was read is in the pages, or comes after them.
  const { cursor: head } = await history({ topics, after: "latest", limit: 1 });
  /** @type {WireEvent[]} */
  const past = [];
  let before = "latest";
  for (;;) {
    const page = await history({ topics, ...ofType, before, order: "desc", limit: wanted - past.length });
    past.push(...page.events);
    before = page.cursor;
    if (page.more && past.length < wanted) continue; // also behind a page without events: its time was up
    const newest = past[0]?.id ?? head;
    const after = (compareCursors(newest, head) ?? 1) > 0 ? newest : head;
    return { after, past: past.reverse(), floor: past.length < wanted ? page.floor : null };
  }
}
