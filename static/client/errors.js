/**
 * What goes wrong: errors that reach the page, and faults that end a connection. Each fault kind is in
 * index.d.ts.
 */

/** Milliseconds; a longer Retry-After is taken as ten minutes: a page must come back some time. */
const ORDERED_MAX = 600_000;

/** A refused or failed request; `status` 0 if the server never answered. */
export class TwinwireError extends Error {
  constructor(message, status = 0, problem = null) {
    super(message);
    this.name = "TwinwireError";
    this.status = status;
    this.problem = problem;
  }

  static fromProblem(problem, status = problem?.status ?? 0) {
    const text = problem?.detail ?? problem?.title ?? `the server answered ${status}`;
    return new TwinwireError(text, status, problem ?? null);
  }
}

/** An async iterator fell too far behind; everything after `cursor` is still in the log. */
export class OverrunError extends Error {
  constructor(cursor, limit) {
    super(`the reader is more than ${limit} events behind; connect again with after: "${cursor}"`);
    this.name = "OverrunError";
    this.cursor = cursor;
  }
}

/**
 * The credentials were refused, visibly (401, 403) or as the server says it on a stream (1008, goodbye
 * `auth`).
 */
export function isRefusal(fault) {
  return fault.status === 401 || fault.status === 403 || fault.code === 1008 || fault.reason === "auth";
}

/**
 * No retry can change the answer: a client error that the service itself explained (RFC 9457). The same
 * status without a problem body comes from something in between, and passes.
 */
export function isFinal(fault) {
  const passing = [401, 403, 408, 425, 429];
  return (
    Boolean(fault.problem) && fault.status >= 400 && fault.status < 500 && !passing.includes(fault.status)
  );
}

/** Retry-After (RFC 9110, 10.2.3: seconds or a date) in milliseconds; undefined if there is none. */
export function retryAfter(text, now) {
  if (!text) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : boundedDelay(ms);
}

/** A delay that the server ordered, in milliseconds, within sane bounds; undefined if it is not a number. */
export function boundedDelay(ms) {
  return typeof ms === "number" && Number.isFinite(ms) ? Math.min(Math.max(ms, 0), ORDERED_MAX) : undefined;
}
