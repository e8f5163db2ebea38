/**
 * The time that passes, for durations. A calendar measures none: it may be set, and one that is set back would hide for
 * as long that a connection is dead. A count that nobody sets stands still on some machines while they sleep, which is
 * what has to be noticed. So it is the count, and what the calendar has gone on beyond it.
 */

/** Milliseconds by which the calendar is ahead of the count all at once; less is one that is set right bit by bit. */
const LEAP = 1_000;

/**
 * Milliseconds since an arbitrary moment, which never go back.
 *
 * @param {() => number} now the calendar, milliseconds
 * @param {() => number} count milliseconds that nobody sets
 * @returns {() => number}
 */
export function passing(now, count) {
  let slept = 0;
  let apart = now() - count();
  return () => {
    const counted = count();
    const found = now() - counted;
    if (Math.abs(found - apart) > LEAP) {
      slept += Math.max(found - apart, 0); // set ahead it looks the same: one connection too many is made anew
      apart = found;
    }
    return counted + slept;
  };
}
