/** Numbers, times and sizes as people read them. */

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const COUNT = new Intl.NumberFormat();
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const STEPS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Characters that turn the direction of all that follows; beside `dir="auto"` no name needs them. */
const TURNING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** JSON as it may be shown: those characters as it can spell them, and nothing turned. @param {string} json */
export const spelt = (json) =>
  json.replace(TURNING, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A name for where no element can set it apart: the title of a window. @param {string} name */
export const plain = (name) => name.replace(TURNING, "");

/** 14:03:09, from an RFC 3339 time. @param {string | number | Date} time */
export const clock = (time) => CLOCK.format(new Date(time));

/** 5 Mar, 14:03. @param {string | number | Date} time */
export const day = (time) => DAY.format(new Date(time));

/** 12,345. @param {number} value */
export const count = (value) => COUNT.format(value);

/** 3.4/s, 1,200/s. @param {number} value */
export const rate = (value) => `${count(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))}/s`;

/**
 * "3 minutes ago", "now" for less than a minute.
 *
 * @param {string | number} time
 * @param {number} now
 */
export function ago(time, now = Date.now()) {
  const seconds = (new Date(time).getTime() - now) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return AGO.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

/** Seconds as "0.42 s", "12.3 s" or "2 min 05 s". @param {number} value */
export function duration(value) {
  if (value < 1) return `${value.toFixed(2)} s`;
  if (value < 60) return `${value.toFixed(1)} s`;
  const rest = String(Math.floor(value % 60)).padStart(2, "0");
  return `${Math.floor(value / 60)} min ${rest} s`;
}

/** Whole seconds that have passed, as "19 s" or "2 min 05 s". @param {number} value */
export const seconds = (value) => (value < 60 ? `${Math.floor(value)} s` : duration(value));

/** Bytes as "812 B", "3.4 kB". @param {number} size */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1000).toFixed(1)} kB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

/** Milliseconds as "8 ms" or "1.4 s". @param {number} ms */
export const latency = (ms) =>
  ms < 1000 ? `${Math.max(0, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;

/**
 * "1 event", "3 events".
 *
 * @param {number} n
 * @param {string} word
 */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

const MOMENT = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
  hourCycle: "h23",
});

/** 5 Mar 2026, 14:03:09. @param {string | number | Date} time */
export const moment = (time) => MOMENT.format(new Date(time));
