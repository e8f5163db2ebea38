/** Positions in the log, as the pages compare them. */

import { compareCursors } from "../../client/index.js";

/**
 * True if `cursor` comes after `base`, or belongs to another log (then nothing of `base` is of use any more).
 *
 * @param {string} cursor
 * @param {string | null} base
 */
export const isAfter = (cursor, base) => (compareCursors(cursor, base ?? "") ?? 1) > 0;
