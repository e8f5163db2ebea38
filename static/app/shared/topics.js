/** Topics by name, as the pages list them. */

/** @import { request } from "./api.js" */

/**
 * Answers that are asked for one list at most. The service looks at some thousand names for each, so the list of a
 * filter that matches few of very many ends somewhere, and its reader goes on from there.
 */
const ANSWERS_MAX = 40;

/**
 * Topics that match and come after the name `after`: `limit` of them if there are, however few an answer brings.
 * `cursor` is where to go on, if there are `more`. Throws TwinwireError.
 *
 * @param {typeof request} ask
 * @param {{ topic: string | null, limit: number, after: string | null }} query
 * @returns {Promise<{ topics: any[], more: boolean, cursor: string }>}
 */
export async function listTopics(ask, { topic, limit, after }) {
  /** @type {any[]} */
  const found = [];
  for (let answers = 1; ; answers += 1) {
    const page = await ask("GET", "api/topics", {
      params: [
        ["topic", topic],
        ["limit", limit - found.length],
        ["after", after],
      ],
    });
    found.push(...page.topics);
    after = page.cursor;
    if (!page.more || found.length >= limit || answers === ANSWERS_MAX) return { ...page, topics: found };
  }
}
