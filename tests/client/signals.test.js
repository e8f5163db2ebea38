/** What the page says about itself. */

import assert from "node:assert/strict";
import test from "node:test";

import { watchPage } from "../../static/client/signals.js";
import { Page } from "./support/browser.js";

function watched() {
  const page = new Page();
  const heard = [];
  const act = Object.fromEntries(["wake", "offline", "rest"].map((name) => [name, () => heard.push(name)]));
  const env = { ...page, visible: () => page.visibility.visibilityState === "visible" };
  return { page, heard, env, act };
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
  const { act } = watched();
  watchPage({ page: null, visibility: null, visible: () => true }, act)();
});
