/** Topics and filters, as the server reads them (docs/protocol.md, section 1). Pure. */

import { TwinwireError } from "./errors.js";

const TOPIC_MAX = 200; // bytes; the alphabet is ASCII, so characters
const MEMO_MAX = 2000; // topics whose answer is kept; a stream over everything may see any number
const SEGMENT = "[A-Za-z0-9_.~-]+";
const PATTERN = new RegExp(`^(?:(?:${SEGMENT}|\\*)/)*(?:${SEGMENT}|\\*|\\*\\*)$`);

/**
 * Topics as an array without repeats; null for "all". Throws TwinwireError 422 for what the server would
 * refuse.
 *
 * @param {unknown} topics text, or several of them
 * @returns {string[] | null}
 */
export function readTopics(topics) {
  if (topics === undefined || topics === null) return null;
  const list = new Set(typeof topics === "string" ? [topics] : /** @type {Iterable<unknown>} */ (topics));
  return [...list].map(readTopic);
}

/** One of them. @param {unknown} topic */
export function readTopic(topic) {
  if (typeof topic === "string" && topic.length <= TOPIC_MAX && PATTERN.test(topic)) return topic;
  throw new TwinwireError(`not a topic or filter: ${String(topic)}`, 422, { field: "topic" });
}

/**
 * A topic on which the page can also publish: no filter. Throws TwinwireError 422.
 *
 * @param {string} text
 */
export function oneTopic(text) {
  if (readTopic(text).includes("*"))
    throw new TwinwireError(`not one topic: ${text}`, 422, { field: "topic" });
  return text;
}

/** @param {string} pattern */
function compile(pattern) {
  const segments = pattern
    .split("/")
    .map((segment) => (segment === "*" ? "[^/]+" : segment === "**" ? ".+" : segment.replace(/\./g, "\\.")));
  return new RegExp(`^${segments.join("/")}$`);
}

/**
 * A function that tells whether a topic matches one of `patterns`; null matches everything.
 *
 * @param {readonly string[] | null} patterns
 * @returns {(topic: string) => boolean}
 */
export function topicMatcher(patterns) {
  if (patterns === null || patterns.includes("**")) return () => true;
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = patterns.filter((pattern) => pattern.includes("*")).map(compile);
  if (wild.length === 0) return (topic) => exact.has(topic);
  /** @type {Map<string, boolean>} */
  const memo = new Map();
  return (topic) => {
    let answer = memo.get(topic);
    if (answer === undefined) {
      answer = exact.has(topic) || wild.some((pattern) => pattern.test(topic));
      if (memo.size >= MEMO_MAX) memo.clear();
      memo.set(topic, answer);
    }
    return answer;
  };
}
