/** Places on a project's page as addresses: `#run-3` is a run, `#run-3-L120` a line of its log. No DOM here. */

const PLACE = /^#run-([1-9]\d{0,8})(?:-L([1-9]\d{0,8}))?$/;

/** @typedef {{ run: number, line: number | null }} Place */

/** @param {string} hash @returns {Place | null} */
export function placeOf(hash) {
  const found = PLACE.exec(hash);
  return found && { run: Number(found[1]), line: found[2] ? Number(found[2]) : null };
}

/** @param {number} run */
export const ofRun = (run) => `#run-${run}`;

/**
 * @param {number} run
 * @param {number} line
 */
export const ofLine = (run, line) => `#run-${run}-L${line}`;
