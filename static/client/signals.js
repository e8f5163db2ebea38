/** What the page says about itself: shown, hidden, put aside, online, offline. */

/** @import { Environment } from "./internal.js" */

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
  return () => {
    for (const [target, name, fn] of heard) target?.removeEventListener?.(name, fn);
  };
}
