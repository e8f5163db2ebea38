/** A JSON Merge Patch (RFC 7396). Pure. */

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * What `patch` makes of `target`: members of it replace, null takes away, objects go on within. Neither is changed.
 *
 * @param {unknown} target
 * @param {unknown} patch
 * @returns {any}
 */
export function merged(target, patch) {
  if (!isObject(patch)) return patch;
  const made = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) made.delete(name);
    else if (value !== undefined) made.set(name, merged(made.get(name), value));
  }
  return Object.fromEntries(made);
}
