/**
 * What the pages take for an event of the example: a log may hold events from before its types were the
 * application's own, and a page must not trip over one.
 */

/** @import { ProjectEvent } from "./types.js" */

/** @typedef {(value: unknown) => boolean} Check */

/** @type {Check} */
const text = (value) => typeof value === "string";
/** @type {Check} */
const number = (value) => typeof value === "number" && Number.isFinite(value);
/** @param {Check} check @returns {Check} */
const perhaps = (check) => (value) => value === undefined || value === null || check(value);
/** @param {...string} words @returns {Check} */
const oneOf =
  (...words) =>
  (value) =>
    typeof value === "string" && words.includes(value);

/** @type {Readonly<Record<string, Readonly<Record<string, Check>>>>} */
const SHAPES = Object.freeze({
  project_created: { id: text, name: text },
  project_deleted: { id: text, name: text },
  status_update: {
    status: oneOf("idle", "queued", "running", "completed", "failed", "cancelled"),
    progress: number,
    run: perhaps(text),
    message: perhaps(text),
  },
  agent_update: {
    agent: text,
    stage: number,
    stages: number,
    status: oneOf("started", "completed", "failed", "cancelled"),
    message: perhaps(text),
    duration: perhaps(number),
  },
  log: {
    level: perhaps(text),
    message: text,
    agent: perhaps(text),
    run: perhaps(number),
    stage: perhaps(number),
  },
  file_update: { path: text, size: number, action: oneOf("created", "updated"), preview: perhaps(text) },
  run_update: {
    id: text,
    number,
    kind: oneOf("generation", "command"),
    status: oneOf("queued", "running", "completed", "failed", "cancelled"),
    progress: number,
    message: text,
    created: text,
    stage: perhaps(text),
    command: perhaps(text),
    author: perhaps(text),
    host: perhaps(text),
    exit: perhaps(number),
    signal: perhaps(text),
    started: perhaps(text),
    finished: perhaps(text),
    duration: perhaps(number),
  },
  run_output: { run: number, line: number, text, stage: perhaps(text) },
  completion: {
    status: oneOf("completed", "failed", "cancelled"),
    run: perhaps(text),
    duration: perhaps(number),
    files: perhaps(number),
    message: perhaps(text),
  },
});

/**
 * Whether an event of one of the example's types has the data that the pages rely on. Other types are not
 * theirs, and pass.
 *
 * @param {{ type: string, data: unknown }} event
 * @returns {event is ProjectEvent}
 */
export function hasShape(event) {
  const { type, data } = event;
  if (type === "output") return typeof data === "string";
  const shape = Object.hasOwn(SHAPES, type) ? SHAPES[type] : undefined;
  if (shape === undefined) return true;
  if (typeof data !== "object" || data === null || Array.isArray(data)) return false;
  const record = /** @type {Record<string, unknown>} */ (data);
  return Object.entries(shape).every(([name, check]) => check(record[name]));
}
