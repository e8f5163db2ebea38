/** Browsers that have what tabs share by, and refuse it: blocked cookies, sandboxed frames. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "../support/world.js";

test("where the means are there and do not work, a connection per tab: events come, and publishing works", async () => {
  const denied = () => new DOMException("denied", "SecurityError");
  const throwing = () => {
    throw denied();
  };
  class Refusing {
    constructor() {
      throw denied();
    }
  }
  const world = new World();
  const cases = [
    { locks: { request: () => Promise.reject(denied()) } }, // blocked cookies
    { locks: { request: throwing } },
    { BroadcastChannel: Refusing }, // a sandboxed frame
    { locks: { request: throwing }, BroadcastChannel: Refusing },
  ];
  for (const [n, options] of cases.entries()) {
    const tab = world.tab(options);
    await tab.live();
    assert.equal(tab.stream.role, null);
    world.log.publish("a");
    await world.clock.advance(100);
    assert.deepEqual(tab.offsets, [n + 1]);
    tab.page.fire("pagehide");
    tab.page.fire("pageshow");
    await tab.live();
    tab.stream.close();
  }
  assert.equal(world.log.subscribers, 0);
});
