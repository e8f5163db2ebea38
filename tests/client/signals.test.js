/** What the page says about itself. */

import assert from "node:assert/strict";
import test from "node:test";

import { watchPage } from "../../static/client/signals.js";
import { Page } from "./support/browser.js";
import { bench } from "./support/fakes.js";

function watched() {
  const page = new Page();
  const heard = [];
  const act = Object.fromEntries(["wake", "offline", "rest"].map((name) => [name, () => heard.push(name)]));
  const { env, clock } = bench({ ...page, visible: () => page.visibility.visibilityState === "visible" });
  return { page, heard, env, act, clock };
}

test("each event of the page is one act; being hidden is none", () => {
  const { page, heard, env, act } = watched();
  const stop = watchPage(env, act);
  page.offline();
  page.online();
  page.hide();
  page.show();
  page.fire("pagehide");
  page.fire("pageshow");
  assert.deepEqual(heard, ["offline", "wake", "wake", "rest", "wake"]);
  stop();
  page.offline();
  page.show();
  assert.equal(heard.length, 5);
});

test("a platform without a page is fine", () => {
  const { act, env } = watched();
  watchPage({ ...env, page: null, visibility: null }, act)();
});

test("a clock that went on without the page wakes it, unless it is hidden, and nothing is left in the end", async () => {
  for (const sleep of ["sleep", "suspend"]) {
    const { heard, env, act, clock, page } = watched();
    const stop = watchPage(env, act);
    await clock.advance(60_000);
    assert.deepEqual(heard, [], "a clock that goes as it should");
    clock[sleep](3_600_000);
    await clock.advance(5_000);
    assert.deepEqual(heard, ["wake"], sleep);
    page.hide();
    clock[sleep](3_600_000);
    await clock.advance(5_000);
    assert.deepEqual(heard, ["wake"], "timers of a hidden tab are no clock");
    stop();
    assert.equal(clock.pending, 0);
  }
});
