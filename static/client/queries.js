/** What is asked of a URL, or of a body that stands for a long one, as pairs of a name and a value. Pure. */

/** @import { StreamRequest } from "./internal.js" */

/**
 * What a stream asks for beside its topics.
 *
 * @param {StreamRequest} request
 * @returns {[string, unknown][]}
 */
export const besidePairs = ({ ephemeral, presence }) => [
  ["ephemeral", ephemeral ? 1 : null],
  ["presence", presence ? 1 : null],
];

/**
 * As a body says it: what is said more than once is a list.
 *
 * @param {readonly (readonly [string, unknown])[]} params
 */
export function fieldsOf(params) {
  /** @type {Map<string, unknown>} */
  const fields = new Map();
  for (const [name, value] of params) {
    if (value === null || value === undefined) continue;
    fields.set(name, fields.has(name) ? [fields.get(name), value].flat() : value);
  }
  return Object.fromEntries(fields);
}
