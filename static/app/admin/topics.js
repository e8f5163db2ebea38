/** Topics in pages: what they hold, how fast they grow, what is kept; and trims, with their progress. */

import { inWords, request, send } from "../shared/api.js";
import { byId, h, setBar, setText, show } from "../shared/dom.js";
import { bytes, count, duration, plural } from "../shared/format.js";
import { listTopics } from "../shared/topics.js";
import { free, likewise } from "../shared/who.js";
import { topicMatcher } from "../../client/topics.js";
import { NOTHING, hashOf } from "./start.js";
import { ROWS, cell, confirmed, createPager, createRows, onSearch, watch } from "./panel.js";

/** @import { Policy } from "./figures.js" */

/**
 * As `GET /api/topics` has it (docs/protocol.md, section 7).
 *
 * @typedef {object} TopicRow
 * @property {string} topic
 * @property {number} count
 * @property {number} bytes
 * @property {string} head
 * @property {string | null} floor
 * @property {Record<string, number>} subscribers
 */

/** @typedef {{ state: "running" | "done" | "failed", removed: number, left: number | null, reason?: string }} Trim */

/** Milliseconds between two looks, and between two at a trim. */
const EVERY = 5_000;
const TRIM_EVERY = 500;

/** Events of a topic that its tail begins with: an empty one would say nothing of a topic that is quiet. */
const SEEN = "20";

/**
 * What is kept of a topic, in words.
 *
 * @param {Policy | undefined} policy
 */
function kept(policy) {
  if (policy === undefined) return "everything";
  const { max_age: age, max_count: most, max_bytes: size, keep } = policy;
  const bounds = [
    age === null ? "" : age >= 172_800 ? plural(Math.round(age / 86_400), "day") : duration(age),
    most === null ? "" : plural(most, "event"),
    size === null ? "" : bytes(size),
  ].filter(Boolean);
  if (keep === "state")
    return bounds.length === 0
      ? "its state, and what has no subject"
      : `its state, else ${bounds.join(", ")}`;
  return bounds.length === 0 ? "everything" : bounds.join(", ");
}

/** How many events a second came since the last look; remembered for the topics of one page. */
class Rates {
  /** @type {Map<string, { count: number, floor: string | null, at: number }>} */
  #seen = new Map();

  /**
   * The rate of each, null where it is not known: at the first look, or when events were removed.
   *
   * @param {TopicRow[]} topics
   * @param {number} now milliseconds
   */
  of(topics, now) {
    const before = this.#seen;
    this.#seen = new Map(topics.map((one) => [one.topic, { count: one.count, floor: one.floor, at: now }]));
    return topics.map((one) => {
      const last = before.get(one.topic);
      if (last === undefined || last.floor !== one.floor || now <= last.at) return null;
      return ((one.count - last.count) / (now - last.at)) * 1_000;
    });
  }
}

/** @typedef {TopicRow & { rate: number | null, policy: string }} Shown */

/** @param {(topic: string) => void} choose */
const rowOf = (choose) => () => {
  const cells = {
    topic: cell("mono", "th"),
    count: cell("num"),
    bytes: cell("num"),
    rate: cell("num"),
    listening: cell("num"),
    head: cell("mono"),
    floor: cell("mono"),
    policy: cell(),
  };
  cells.topic.setAttribute("scope", "row");
  const link = h("a", { title: "Open the live tail on it" });
  cells.topic.append(link);
  const button = h("button", { class: "button button--small", type: "button", text: "Trim" });
  let current = "";
  button.addEventListener("click", () => choose(current));
  return {
    node: h("tr", {}, ...Object.values(cells), h("td", { class: "row-actions" }, button)),
    /** @param {Shown} one */
    update(one) {
      current = one.topic;
      const listening = Object.values(one.subscribers).reduce((sum, more) => sum + more, 0);
      setText(link, one.topic);
      link.href = hashOf({ ...NOTHING, topics: [one.topic], from: "last", value: SEEN });
      setText(cells.count, count(one.count));
      setText(cells.bytes, bytes(one.bytes));
      setText(
        cells.rate,
        one.rate === null ? "–" : one.rate < 10 ? one.rate.toFixed(1) : count(Math.round(one.rate)),
      );
      setText(cells.listening, count(listening));
      setText(cells.head, one.head);
      setText(cells.floor, one.floor ?? "nothing");
      setText(cells.policy, one.policy);
      button.setAttribute("aria-label", `Trim ${one.topic}`);
      likewise(button, byId("trim-button", HTMLButtonElement));
    },
  };
};

/**
 * Show topics while somebody looks.
 *
 * @param {() => Policy[] | null} policies null while they are not known
 */
export function watchTopics(policies) {
  const field = byId("topic-filter", HTMLInputElement);
  const note = byId("topics-note");
  const form = byId("topics-filter", HTMLFormElement);
  const rates = new Rates();
  let wanted = "";
  const draw = createRows(byId("topics-rows"), key, rowOf(fillTrim));
  const load = async () => {
    const answer = await listTopics(request, { topic: wanted || null, limit: ROWS, after: pager.after });
    const speeds = rates.of(answer.topics, performance.now());
    const known = policies();
    const matchers = (known ?? []).map((policy) => ({ policy, matches: topicMatcher([policy.topics]) }));
    draw(
      answer.topics.map((/** @type {TopicRow} */ one, /** @type {number} */ index) => ({
        ...one,
        rate: speeds[index],
        policy: known === null ? "–" : kept(matchers.find(({ matches }) => matches(one.topic))?.policy),
      })),
    );
    show(byId("topics-table"), answer.topics.length > 0);
    pager.draw(answer.more, answer.cursor);
    setText(note, inAll(answer.topics.length, answer.more));
  };
  const now = watch(load, EVERY, note, "Loading the topics");
  const pager = createPager(byId("topics-pager"), "topics", now);
  const search = () => {
    wanted = field.value.trim();
    pager.reset();
    now();
  };
  onSearch(form, search);
  prepareTrim(now);
  return now;
}

/**
 * @param {number} shown
 * @param {boolean} more
 */
function inAll(shown, more) {
  if (shown === 0) return more ? "None so far; the next page looks at more names." : "None.";
  return `${plural(shown, "topic")}${more ? ", and there may be more" : ""}`;
}

/** @param {Shown} one */
const key = (one) => one.topic;

/** @param {string} topic */
function fillTrim(topic) {
  byId("trim-topic", HTMLInputElement).value = topic;
  const keep = byId("trim-keep", HTMLInputElement);
  keep.focus();
  keep.select();
}

/**
 * How far a trim is.
 *
 * @param {Trim} trim
 */
function drawTrim({ state, removed, left, reason }) {
  const total = left === null ? null : removed + left;
  show(byId("trim-progress"), true);
  const fraction = state === "done" ? 1 : total ? removed / total : 0;
  setBar(byId("trim-bar"), fraction, state === "done" ? "completed" : state);
  const words = {
    running: `${count(removed)} removed${left === null ? "" : `, about ${count(left)} to go`}…`,
    done: `${plural(removed, "event")} removed. Who has not seen them is told of a gap.`,
    failed: `The trim failed after ${plural(removed, "event")}: ${reason}`,
  };
  setText(byId("trim-note"), words[state]);
}

/** @param {number} ms @returns {Promise<void>} */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Begin a trim, and follow it to its end.
 *
 * @param {string} topic
 * @param {number} keep
 */
async function trim(topic, keep) {
  const { status, location, body } = await send("POST", "api/topics/trim", JSON.stringify({ topic, keep }));
  if (status === 200) {
    drawTrim({ state: "done", removed: body.removed, left: 0 });
    return;
  }
  const place = (location ?? "").replace(/^\//, "");
  for (let one = body; ; one = await request("GET", place)) {
    drawTrim(one);
    if (one.state !== "running") return;
    await pause(TRIM_EVERY);
  }
}

/** @param {() => void} changed */
function prepareTrim(changed) {
  const button = byId("trim-button", HTMLButtonElement);
  byId("trim-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const topic = byId("trim-topic", HTMLInputElement).value.trim();
    const keep = byId("trim-keep", HTMLInputElement).valueAsNumber;
    const text = `Of each topic that “${topic}” names, all but the newest ${plural(keep, "event")} go. This can't be undone.`;
    if (button.disabled || !(await confirmed("Trim the log?", text, "Trim"))) return;
    button.disabled = true;
    show(byId("trim-progress"), true);
    setText(byId("trim-note"), "Asking for it…");
    try {
      await trim(topic, keep);
    } catch (error) {
      setBar(byId("trim-bar"), 0, "failed");
      setText(byId("trim-note"), inWords(error, "Trimming"));
    } finally {
      free(button);
      changed();
    }
  });
}
