/** The command that reports a run, as it is pasted into a shell. No DOM here. */

/** What a shell needs no quotes for. */
const SAFE = /^[A-Za-z0-9_./:@%+,=-]+$/;

/** A word as a POSIX shell takes it for itself. @param {string} word */
export const quoted = (word) => (SAFE.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/**
 * @param {string} root of the service
 * @param {string} project
 */
export const reportLine = (root, project) =>
  `twinwire run --url ${quoted(root.replace(/\/$/, ""))} --project ${quoted(project)} -- make test`;
