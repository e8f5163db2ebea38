/** Cursors: `epoch-offset`, the last event that was handled (docs/protocol.md, section 1). Pure. */

const CURSOR = /^([a-z0-9]{1,32})-(0|[1-9][0-9]{0,18})$/;

/**
 * Whether `text` is a cursor; the keywords `earliest` and `latest` are not.
 *
 * @param {unknown} text
 * @returns {text is string}
 */
export function isCursor(text) {
  return typeof text === "string" && CURSOR.test(text);
}

/**
 * Less than 0, 0 or more than 0, as `a` lies before, at or after `b`; null if they are not of one epoch.
 *
 * Offsets go up to 2^63 - 1, beyond what a number holds: digits without leading zeros compare by length, then
 * as text.
 *
 * @param {unknown} a
 * @param {unknown} b
 */
export function compareCursors(a, b) {
  if (!isCursor(a) || !isCursor(b)) return null;
  if (a === b) return 0;
  const [epochA, offsetA] = a.split("-");
  const [epochB, offsetB] = b.split("-");
  if (epochA !== epochB) return null;
  if (offsetA.length !== offsetB.length) return offsetA.length - offsetB.length;
  return offsetA < offsetB ? -1 : 1;
}

/**
 * Whether `a` lies after `b` in the same epoch.
 *
 * @param {unknown} a
 * @param {unknown} b
 */
export function isAfter(a, b) {
  const order = compareCursors(a, b);
  return order !== null && order > 0;
}

/**
 * Whether `a` lies at or before `b` in the same epoch.
 *
 * @param {unknown} a
 * @param {unknown} b
 */
export function isCovered(a, b) {
  const order = compareCursors(a, b);
  return order !== null && order <= 0;
}
