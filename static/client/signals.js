/** What the page says about itself: shown, hidden, put aside, online, offline. */

/** Listens until the returned function is called. `act`: wake(), offline(), rest(). */
export function watchPage(env, act) {
  const shown = () => {
    if (env.visible()) act.wake();
  };
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
