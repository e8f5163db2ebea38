/**
 * What the feed begins with. The newest events of any type may all be log lines of one project that talks much:
 * so the types that are told are asked for, each by itself, too.
 */

import { compareCursors } from "../../../client/index.js";
import { isAfter } from "../../shared/cursor.js";

/** @import { projects } from "../api.js" */

/** Events of any type. */
const NEWEST = 300;
/** Of each type that is told. */
const OF_TYPE = 50;
const TYPES = [
  "project_created",
  "project_deleted",
  "status_update",
  "agent_update",
  "file_update",
  "completion",
];

/**
 * Oldest first.
 *
 * @param {typeof projects["past"]} past
 * @param {string[]} topics
 * @param {boolean} withLogs
 */
export async function readPast(past, topics, withLogs) {
  const types = withLogs ? [...TYPES, "log"] : TYPES;
  const queries = [{ limit: NEWEST }, ...types.map((type) => ({ type, limit: OF_TYPE }))];
  const pages = await Promise.all(queries.map((query) => past({ topics, order: "desc", ...query })));
  // What came between two of the answers is in one of them alone: the stream brings it.
  const head = pages.map((page) => page.head).reduce((one, other) => (isAfter(one, other) ? other : one));
  const there = pages.flatMap((page) => page.events).filter((event) => !isAfter(event.id, head));
  const events = new Map(there.map((event) => [event.id, event]));
  return [...events.values()].sort((one, other) => compareCursors(one.id, other.id) ?? 0);
}
