/** A world with tokens, and a page whose getToken is counted. */

import { World } from "./world.js";

export const SECOND = 1_000;

/** A world that knows tokens: `give(seconds)` makes one of ada's that lives so long. */
export function guarded() {
  const world = new World();
  let count = 0;
  world.give = (seconds = Infinity, subject = "ada") =>
    world.network.guard.add(`token-${(count += 1)}`, subject, world.clock.now() + seconds * SECOND);
  return world;
}

/** A page whose getToken is counted. */
export function asking(world, getToken, options = {}) {
  const tab = world.open({
    getToken: () => {
      tab.asked.push(world.clock.now());
      return getToken(tab.asked.length);
    },
    ...options,
  });
  tab.asked = [];
  return tab;
}
