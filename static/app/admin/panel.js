/** What the panels of the operator's page share: asking again while somebody looks, rows that stay, pages, a question. */

import { inWords, statusOf } from "../shared/api.js";
import { byId, h, setData, setText } from "../shared/dom.js";

/** Rows of a table in the document at once: what is beyond is on the next page of it. */
export const ROWS = 50;

/**
 * Run `load` every so many milliseconds while the page is seen, one at a time, and say in `note` why it has failed.
 * Returns a function that runs it at once; who is refused is not asked again until that is called.
 *
 * @param {() => Promise<void>} load
 * @param {number} every
 * @param {HTMLElement} note
 * @param {string} what
 */
export function watch(load, every, note, what) {
  /** @type {Promise<void> | null} */
  let running = null;
  let isDue = false;
  let isRefused = false;
  const run = async () => {
    try {
      await load();
      if (note.dataset.kind === "error") setText(note, "");
      setData(note, "kind", "");
      isRefused = false;
    } catch (error) {
      isRefused = statusOf(error) === 401 || statusOf(error) === 403;
      setText(note, inWords(error, what));
      setData(note, "kind", "error");
    }
    running = null;
    if (!isDue) return;
    isDue = false;
    running = run();
  };
  const now = () => {
    if (running === null) running = run();
    else isDue = true; // what is asked for now is another page, or another filter
    return running;
  };
  const again = () => {
    if (!document.hidden && !isRefused && running === null) now();
  };
  document.addEventListener("visibilitychange", again);
  setInterval(again, every);
  return now;
}

/**
 * Rows of a table by key: one that is still there stays the same element, with the focus in it.
 *
 * @template T
 * @param {HTMLElement} body
 * @param {(item: T) => string} key
 * @param {(item: T) => { node: HTMLElement, update(item: T): void }} build
 * @returns {(items: T[]) => void}
 */
export function createRows(body, key, build) {
  /** @type {Map<string, { node: HTMLElement, update(item: T): void }>} */
  const rows = new Map();
  return (items) => {
    const wanted = new Set(items.map(key));
    for (const [id, row] of rows) {
      if (wanted.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    items.forEach((item, index) => {
      let row = rows.get(key(item));
      if (row === undefined) rows.set(key(item), (row = build(item)));
      row.update(item);
      if (body.children[index] !== row.node) body.insertBefore(row.node, body.children[index] ?? null);
    });
  };
}

/** @typedef {ReturnType<typeof createPager>} Pager */

/**
 * Buttons to go through pages, whose cursors the service gives; `turn()` is called for another one.
 *
 * @param {HTMLElement} place
 * @param {string} what such as "connections"
 * @param {() => void} turn
 */
export function createPager(place, what, turn) {
  /** Where each page before this one begins. @type {string[]} */
  let before = [];
  let after = "";
  let next = "";
  const back = h("button", { class: "button button--small", type: "button", text: "Previous page" });
  const on = h("button", { class: "button button--small", type: "button", text: "Next page" });
  back.setAttribute("aria-label", `Previous page of ${what}`);
  on.setAttribute("aria-label", `Next page of ${what}`);
  const where = h("span", { class: "small muted num" });
  place.append(back, on, where);
  back.addEventListener("click", () => {
    after = before.pop() ?? "";
    turn();
  });
  on.addEventListener("click", () => {
    before.push(after);
    after = next;
    turn();
  });
  place.hidden = true;
  return {
    /** The query's `after`; null for the first page. */
    get after() {
      return after === "" ? null : after;
    },
    reset() {
      before = [];
      after = "";
    },
    /**
     * What an answer said of the page that is shown.
     *
     * @param {boolean} more
     * @param {string} cursor
     */
    draw(more, cursor) {
      next = cursor;
      place.hidden = !more && before.length === 0;
      if (document.activeElement === back && before.length === 0) on.focus();
      if (document.activeElement === on && !more) back.focus();
      back.disabled = before.length === 0;
      on.disabled = !more;
      setText(where, `Page ${before.length + 1}`);
    },
  };
}

/**
 * Calls `search` when the form is sent, and when its fields were emptied.
 *
 * @param {HTMLFormElement} form
 * @param {() => void} search
 */
export function onSearch(form, search) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("reset", () => setTimeout(search)); // after the fields are empty
}

/**
 * Whether people mean it.
 *
 * @param {string} title
 * @param {string} text
 * @param {string} label what the button says that does it
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, label) {
  const dialog = byId("confirm", HTMLDialogElement);
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-yes"), label);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/**
 * A cell, its text set only where it differs.
 *
 * @param {string} kind
 * @param {keyof HTMLElementTagNameMap} tag
 */
export const cell = (kind = "", tag = "td") => h(tag, { class: kind });
