/** A table of the log's topics, asked again while somebody looks at it. */

import { inWords, request } from "../shared/api.js";
import { byId, h, setText, show } from "../shared/dom.js";
import { count, plural } from "../shared/format.js";
import { listTopics } from "../shared/topics.js";

/**
 * One topic as GET api/topics has it (docs/protocol.md, section 7); `floor` null: nothing was removed.
 *
 * @typedef {object} TopicRow
 * @property {string} topic
 * @property {number} count
 * @property {string} head
 * @property {string | null} floor
 * @property {Record<string, number>} subscribers by transport
 */

/** How often the table is asked for anew while the page is visible, milliseconds. */
const EVERY = 5_000;
/** Topics that are asked for, of which the newest are shown. */
const LISTED_MAX = 1_000;
/** Rows in the document at once; the note says how many there are beside. */
const SHOWN_MAX = 100;

/** Draw the table now, and keep it up to date. */
export function watchTopics() {
  const body = byId("topic-rows");
  let isLoading = false;
  const load = async () => {
    if (document.hidden || isLoading) return;
    isLoading = true;
    try {
      const { topics, more } = await listTopics(request, { topic: null, limit: LISTED_MAX, after: null });
      draw(body, topics, more);
    } catch (error) {
      setText(byId("topics-note"), inWords(error, "Loading the topics"));
    } finally {
      isLoading = false;
    }
  };
  document.addEventListener("visibilitychange", load);
  setInterval(load, EVERY);
  return load();
}

/**
 * @param {HTMLElement} body
 * @param {TopicRow[]} topics the first ones by name
 * @param {boolean} more whether there are others
 */
function draw(body, topics, more) {
  const newest = [...topics].sort((a, b) => offset(b.head) - offset(a.head)).slice(0, SHOWN_MAX);
  body.replaceChildren(...newest.map(row));
  show(byId("topics-table"), topics.length > 0);
  setText(byId("topics-note"), words(topics.length, more));
}

/**
 * @param {number} total
 * @param {boolean} more
 */
function words(total, more) {
  if (total === 0) return more ? "None so far, among many." : "Nothing has been published yet.";
  const beside = total > SHOWN_MAX ? `, the ${SHOWN_MAX} with the newest events` : "";
  return `${more ? "the first " : ""}${plural(total, "topic")}${more ? " by name" : ""}${beside}`;
}

/** @param {TopicRow} topic */
function row({ topic, count: kept, head, floor, subscribers }) {
  const listeners = Object.values(subscribers).reduce((sum, one) => sum + one, 0);
  return h(
    "tr",
    {},
    h("th", { scope: "row", class: "mono", text: topic }),
    h("td", { class: "num", text: count(kept) }),
    h("td", { class: "num", text: count(listeners) }),
    h("td", { class: "mono", text: head }),
    h("td", { class: "mono", text: floor ?? "nothing removed" }),
  );
}

/** @param {string} cursor */
const offset = (cursor) => Number(cursor.slice(cursor.lastIndexOf("-") + 1));
