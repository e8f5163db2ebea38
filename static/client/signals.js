/** What the page says about itself: shown, hidden, put aside, online, offline; and that it slept, which the clock says. */

/** @import { Environment, Timer } from "./internal.js" */

/** Milliseconds between two looks at the clock. */
const TICK = 5_000;
/** Milliseconds; a look that comes so much too late was put off by a sleep, or a page that stood still. */
const SLEPT = 2_000;

/**
 * Calls `woke` when the clock has moved on without the page: a machine that wakes up says nothing, and its timers
 * may not have run meanwhile. Until the returned function is called.
 *
 * @param {Environment} env
 * @param {() => void} woke
 */
function watchClock(env, woke) {
  let due = 0;
  /** @type {Timer | null} */
  let timer = null;
  const look = () => {
    const late = due !== 0 && env.elapsed() > due + SLEPT;
    due = env.elapsed() + TICK;
    timer = env.setTimeout(look, TICK);
    if (late) woke();
  };
  look();
  return () => env.clearTimeout(timer);
}

/**
 * Listens until the returned function is called.
 *
 * @param {Environment} env
 * @param {{ wake(): void, offline(): void, rest(): void }} act
 */
export function watchPage(env, act) {
  const shown = () => {
    if (env.visible()) act.wake();
  };
  /** @type {[EventTarget | null, string, () => void][]} */
  const heard = [
    [env.page, "online", act.wake],
    [env.page, "offline", act.offline],
    [env.page, "pageshow", act.wake],
    [env.page, "pagehide", act.rest],
    [env.visibility, "visibilitychange", shown],
  ];
  for (const [target, name, fn] of heard) target?.addEventListener?.(name, fn);
  const endWatch = watchClock(env, shown);
  return () => {
    endWatch();
    for (const [target, name, fn] of heard) target?.removeEventListener?.(name, fn);
  };
}
