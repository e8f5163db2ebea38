/**
 * What goes wrong: errors that reach the page, and faults that end a connection. Each fault kind is in
 * index.d.ts.
 */

import { Refusal, State } from "./states.js";

/** @import { FullFault } from "./internal.js" */
/** @import { AuthNotice, Fault, Problem, RefusalReason, StreamState } from "./index.js" */

/** Milliseconds; a longer Retry-After is taken as ten minutes: a page must come back some time. */
const ORDERED_MAX = 600_000;

/** A refused or failed request; `status` 0 if the server never answered. */
export class TwinwireError extends Error {
  /** Milliseconds that the server asked to wait. @type {number | undefined} */
  retryAfter;
  /**
   * Whether another try may be answered otherwise; undefined where nobody has asked.
   *
   * @type {boolean | undefined}
   */
  passing;

  /**
   * @param {string} message
   * @param {number} status
   * @param {Problem | null} problem
   */
  constructor(message, status = 0, problem = null) {
    super(message);
    this.name = "TwinwireError";
    this.status = status;
    this.problem = problem;
  }

  /**
   * @param {Problem | null | undefined} problem
   * @param {number} status
   */
  static fromProblem(problem, status) {
    const text = problem?.detail ?? problem?.title ?? `the server answered ${status}`;
    return new TwinwireError(text, status, problem ?? null);
  }

  /** @param {FullFault} fault */
  static fromFault({ problem = null, status = 0, detail }) {
    return detail ? new TwinwireError(detail, status, problem) : TwinwireError.fromProblem(problem, status);
  }
}

/** An async iterator fell too far behind; everything after `cursor` is still in the log. */
export class OverrunError extends Error {
  /**
   * @param {string} cursor
   * @param {number} limit
   */
  constructor(cursor, limit) {
    super(`the reader is more than ${limit} events behind; connect again with after: "${cursor}"`);
    this.name = "OverrunError";
    this.cursor = cursor;
  }
}

/** @type {readonly string[]} */
const REFUSALS = Object.values(Refusal);

/**
 * Why the credentials were refused, visibly (401, 403) or as the server says it on a stream (1008, goodbye
 * `auth`, or its words in the Close frame); null if they were not.
 *
 * @param {Pick<FullFault, "status" | "code" | "reason" | "refusal" | "detail">} fault
 * @returns {RefusalReason | null}
 */
export function refusalOf({ status, code, reason, refusal, detail = "" }) {
  if (status === 403) return Refusal.FORBIDDEN;
  if (status === 401) return Refusal.INVALID;
  if (code !== 1008 && reason !== "auth") return null;
  const told = refusal ?? detail.replace(/^auth:/, "");
  return REFUSALS.includes(told) ? /** @type {RefusalReason} */ (told) : Refusal.INVALID;
}

/** @param {Parameters<typeof refusalOf>[0]} fault */
export function isRefusal(fault) {
  return refusalOf(fault) !== null;
}

/** The URL, or the fields of the request, are too long (RFC 9110, 15.5.15; RFC 6585, 5). */
const TOO_LONG = [414, 431];

/** What nginx says of it in the page that comes with its 400; others use like words. */
const SAID_TOO_LONG = /(header|cookie|request)[^<]{0,60}(too (large|long)|exceeds)/i;

/**
 * Whether an answer without a problem says that the request was too long for who gave it.
 *
 * @param {number} status
 * @param {string} text its body; asked for of a 400 alone
 */
export const isTooLong = (status, text = "") =>
  TOO_LONG.includes(status) || (status === 400 && SAID_TOO_LONG.test(text));

/**
 * No retry can change the answer: a client error that the service itself explained (RFC 9457). The same
 * status without a problem body comes from something in between, and passes; but for what is too long for it,
 * which is as long the next time.
 *
 * @param {FullFault} fault
 */
export function isFinal({ problem, status = 0, tooLong = false }) {
  const passing = [401, 403, 408, 425, 429];
  if (tooLong) return true;
  return Boolean(problem) && status >= 400 && status < 500 && !passing.includes(status);
}

/** Statuses that say: later. */
const LATER = [408, 425, 429];

/**
 * Whether the same request may be answered otherwise another time; also where nobody has answered.
 *
 * @param {TwinwireError} error
 */
export function isPassing(error) {
  if (error.status === 0 || error.status >= 500 || LATER.includes(error.status)) return true;
  return error.passing === true && !isRefusal(error);
}

/**
 * What helps where a request is too long.
 *
 * @param {number} status
 */
export const tooLongWords = (status) =>
  `HTTP ${status}: the request is too long for something on the way; use fewer or shorter topics or cookies or a shorter token, or allow more there (nginx: large_client_header_buffers)`;

/**
 * What else may have happened where a browser says no more than that there was no answer: nothing is shown to
 * a page of another origin that the server does not know. Empty for the service's own pages, and where there
 * is no page.
 *
 * @param {string | null | undefined} origin of the page; "null" for one that has none
 * @param {URL} base
 */
export function strangerWords(origin, base) {
  if (!origin || origin === base.origin) return "";
  const who = origin === "null" ? "without an origin (a sandboxed frame, file: or data:)" : `of ${origin}`;
  return `; nothing answered, or TWINWIRE_ALLOWED_ORIGINS does not let pages ${who} see what ${base.origin} answers`;
}

/**
 * Retry-After (RFC 9110, 10.2.3: seconds or a date) in milliseconds; undefined if there is none. A date is held against
 * the answer's own, since the page's calendar may be another one.
 *
 * @param {string | null} text
 * @param {number} now
 * @param {string | null} [date] the answer's
 */
export function retryAfter(text, now, date) {
  if (!text) return undefined;
  const ms = /^\d+$/.test(text.trim())
    ? Number(text) * 1000
    : Date.parse(text) - (Date.parse(date ?? "") || now);
  return Number.isNaN(ms) ? undefined : boundedDelay(ms);
}

/**
 * A delay that the server ordered, in milliseconds, within sane bounds; undefined if it is not a number.
 *
 * @param {unknown} ms
 */
export function boundedDelay(ms) {
  return typeof ms === "number" && Number.isFinite(ms) ? Math.min(Math.max(ms, 0), ORDERED_MAX) : undefined;
}

/**
 * What was thrown, in words: platforms throw what they like.
 *
 * @param {unknown} error
 */
export function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Why a stream brings nothing any more, as an error: `end` is what it ended with, `refusal` why it is
 * `unauthorized`.
 *
 * @type {(state: StreamState, end: TwinwireError | Fault | null, refusal: AuthNotice | null) => TwinwireError}
 */
export function reasonOfEnd(state, end, refusal) {
  if (end instanceof TwinwireError) return end;
  const { reason = null, detail = null } = (state === State.UNAUTHORIZED && refusal) || {};
  const status = state !== State.UNAUTHORIZED ? 0 : reason === Refusal.FORBIDDEN ? 403 : 401;
  return new TwinwireError(detail ?? end?.detail ?? `the stream is ${state}`, status);
}
