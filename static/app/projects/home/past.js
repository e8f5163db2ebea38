/**
 * What the feed begins with. The newest events of any type may all be log lines of one project that talks much:
 * so the types that are told are asked for, each by itself, too. Each goes back to another moment: before the latest
 * of these, what happened in runs would have holes, and is left out; how a run ended, and what is of none, is told as
 * far back as it was found.
 */

import { compareCursors } from "../../../client/index.js";
import { isAfter } from "../../shared/cursor.js";

/** @import { projects } from "../api.js" */
/** @import { Past } from "../types.js" */

/** Events of any type. */
const NEWEST = 300;
/** Of each type that is told. */
const OF_TYPE = 50;
/** Of each type that a run has many of. */
const OF_STEPS = 150;
const STEPS = ["status_update", "agent_update", "file_update", "run_update"];
const TYPES = ["project_created", "project_deleted", "completion"];

/**
 * Oldest first.
 *
 * @param {typeof projects["past"]} past
 * @param {string[]} topics
 * @param {boolean} withLogs
 */
export async function readPast(past, topics, withLogs) {
  const steps = withLogs ? [...STEPS, "log"] : STEPS;
  const queries = [
    { limit: NEWEST },
    ...steps.map((type) => ({ type, limit: OF_STEPS })),
    ...TYPES.map((type) => ({ type, limit: OF_TYPE })),
  ];
  const pages = await Promise.all(queries.map((query) => past({ topics, order: "desc", ...query })));
  // What came between two of the answers is in one of them alone: the stream brings it.
  const head = pages.map((page) => page.head).reduce((one, other) => (isAfter(one, other) ? other : one));
  const [ofAny, ...ofTypes] = pages.map(reach);
  const whole = earlier(ofAny, ofTypes.reduce(later));
  const there = pages
    .flatMap((page) => page.events)
    .filter(({ id, type }) => !isAfter(id, head) && (!steps.includes(type) || reaches(whole, id)));
  const events = new Map(there.map((event) => [event.id, event]));
  return [...events.values()].sort((one, other) => compareCursors(one.id, other.id) ?? 0);
}

/** The first event from which on an answer has all; null: there are no older ones. @param {Past} page */
const reach = ({ more, cursor }) => (more ? cursor : null);

/** @typedef {string | null} Reach */
/** @type {(one: Reach, other: Reach) => Reach} */
const later = (one, other) => (one !== null && (other === null || isAfter(one, other)) ? one : other);
/** @type {(one: Reach, other: Reach) => Reach} */
const earlier = (one, other) => (later(one, other) === one ? other : one);
/** @type {(from: Reach, id: string) => boolean} */
const reaches = (from, id) => from === null || !isAfter(from, id);
