/** What events make of the subjects that they are about: entries by topic and subject. Pure. */

/** @import { StateChange, StateEntry, WireEvent } from "./index.js" */

/** What a topic can't have in it. @type {(topic: string, subject: string) => string} */
export const keyOf = (topic, subject) => `${topic} ${subject}`;

/**
 * What an event makes of the entries; null if nothing has changed.
 *
 * @param {Map<string, StateEntry<any>>} entries
 * @param {WireEvent} event
 * @returns {StateChange | null}
 */
export function fold(entries, event) {
  const { topic, subject = "", type, id, time, data, append = false, final = false } = event;
  const key = keyOf(topic, subject);
  const before = entries.get(key) ?? null;
  if (!append && data === null) {
    if (before === null) return null;
    entries.delete(key);
    return { topic, subject, entry: null, previous: before };
  }
  const value = append && before !== null ? joined(before, data) : data;
  const parts = append && before !== null ? before.parts + 1 : 1;
  /** @type {StateEntry} */
  const entry = Object.freeze({ topic, subject, type, id, time, value, parts, final });
  entries.set(key, entry);
  return { topic, subject, entry, previous: before };
}

/**
 * Texts grow; of anything else there is a list.
 *
 * @param {StateEntry} before
 * @param {unknown} data
 */
function joined({ value, parts }, data) {
  if (typeof value === "string" && typeof data === "string") return value + data;
  return [...(parts > 1 && Array.isArray(value) ? value : [value]), data];
}

/**
 * What is another than before, the deleted first.
 *
 * @param {Map<string, StateEntry<any>>} before
 * @param {Map<string, StateEntry<any>>} after
 * @returns {StateChange[]}
 */
export function differences(before, after) {
  const gone = [...before].filter(([key]) => !after.has(key));
  const come = [...after].filter(([key, { id }]) => before.get(key)?.id !== id);
  return [
    ...gone.map(([, previous]) => ({
      topic: previous.topic,
      subject: previous.subject,
      entry: null,
      previous,
    })),
    ...come.map(([key, entry]) => ({
      topic: entry.topic,
      subject: entry.subject,
      entry,
      previous: before.get(key) ?? null,
    })),
  ];
}
