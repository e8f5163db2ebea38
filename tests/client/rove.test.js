import assert from "node:assert/strict";
import { after, test } from "node:test";

import { revealIn, rove, stopAt } from "../../static/app/shared/rove.js";

const COUNT = 4;
const page = { activeElement: null };
globalThis.document = page;
after(() => delete globalThis.document);

/** A list with so many buttons in it; `press(key)` is whether it took the key. */
function listOf(count, way) {
  const list = new EventTarget();
  const buttons = Array.from({ length: count }, () => ({
    tabIndex: -1,
    focus() {
      page.activeElement = this;
    },
  }));
  list.querySelectorAll = (name) => (name === "button" ? buttons : []);
  rove(list, "button", way);
  const press = (key) => {
    const event = Object.assign(new Event("keydown", { cancelable: true }), { key });
    list.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const at = () => buttons.indexOf(page.activeElement);
  const stops = () => buttons.map(({ tabIndex }) => tabIndex);
  return { buttons, press, at, stops };
}

test("arrows, Home and End go from one to the next, up to the ends, and Tab stops where they led", () => {
  const { buttons, press, at, stops } = listOf(COUNT);
  buttons[0].focus();
  const way = [
    ["ArrowUp", 0],
    ["ArrowDown", 1],
    ["End", 3],
    ["ArrowDown", 3],
    ["ArrowUp", 2],
    ["Home", 0],
    ["ArrowDown", 1],
  ];
  for (const [key, index] of way) {
    assert.ok(press(key), key);
    assert.equal(at(), index, key);
  }
  assert.deepEqual(stops(), [-1, 0, -1, -1]);
});

test("a row of them goes left and right, and leaves other keys to the page", () => {
  const { buttons, press, at } = listOf(COUNT, "Right");
  buttons[1].focus();
  assert.ok(press("ArrowRight"));
  assert.equal(at(), 2);
  assert.ok(press("ArrowLeft"));
  assert.equal(at(), 1);
  for (const key of ["ArrowDown", "ArrowUp", "Enter", "a"]) assert.ok(!press(key), key);
  assert.equal(at(), 1);
});

test("keys are the page's own where none of them has the focus", () => {
  const { press, stops } = listOf(COUNT);
  page.activeElement = null;
  assert.ok(!press("ArrowDown"));
  assert.deepEqual(stops(), [-1, -1, -1, -1]);
});

test("Tab stops at one, or at none", () => {
  const { buttons, stops } = listOf(COUNT);
  stopAt(buttons, buttons[2]);
  assert.deepEqual(stops(), [-1, -1, 0, -1]);
  stopAt(buttons, null);
  assert.deepEqual(stops(), [-1, -1, -1, -1]);
});

test("a list is scrolled no further than an item needs", () => {
  const list = { offsetTop: 100, clientHeight: 50, scrollTop: 40 };
  const item = (offsetTop) => ({ offsetTop, offsetHeight: 20 });
  revealIn(list, item(150));
  assert.equal(list.scrollTop, 40); // it is in view
  revealIn(list, item(120));
  assert.equal(list.scrollTop, 20);
  revealIn(list, item(220));
  assert.equal(list.scrollTop, 90);
});
