/** The rows of a live tail on the page, the newest first. */

import { byId, show } from "../shared/dom.js";
import { batched } from "../shared/frame.js";
import { createRows } from "./panel.js";
import { rowNode } from "./tail-row.js";

/** @import { Row, TailStore } from "./tail-store.js" */
/** @import { Toast } from "../shared/announce.js" */

/** Pixels from the newest row that still count as being there. */
const NEAR = 40;

/** @param {Row} row */
const key = (row) => String(row.number);

/**
 * Rows of `store`; `replay(id)` is called for "Replay from here".
 *
 * @param {TailStore} store
 * @param {{ toast: Toast, replay(id: string): void }} to
 */
export function createTailView(store, { toast, replay }) {
  const box = byId("tail-box");
  const list = byId("tail-rows");
  const newest = byId("tail-newest", HTMLButtonElement);
  /** The event that is to be opened once it is there. @type {string | null} */
  let wanted = null;
  const copy = (/** @type {string} */ id, /** @type {HTMLElement} */ place) => copyText(id, place, toast);
  const drawRows = createRows(list, key, (/** @type {Row} */ row) => ({
    node: rowNode(row, { replay, copy }),
    update() {}, // what was published stays as it is
  }));

  const draw = batched(() => {
    const hadFocus = list.contains(document.activeElement);
    drawRows([...store.rows].reverse());
    if (hadFocus && !list.contains(document.activeElement)) box.focus(); // the row was let go
    show(byId("tail-empty"), store.rows.length === 0);
    reveal();
  });

  /** Open the event that somebody came for. */
  function reveal() {
    const row = wanted === null ? null : list.querySelector(`[data-id="${CSS.escape(wanted)}"]`);
    const line = row?.querySelector("summary");
    if (!row || !line) return;
    wanted = null;
    row.querySelector("details")?.setAttribute("open", "");
    line.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  box.addEventListener("scroll", () => show(newest, box.scrollTop > NEAR), { passive: true });
  newest.addEventListener("click", () => {
    box.scrollTop = 0;
    box.focus();
  });
  return {
    draw,
    /** Open this event as soon as it is there; null: none. @param {string | null} id */
    open(id) {
      wanted = id;
      draw();
    },
  };
}

/**
 * @param {string} text
 * @param {HTMLElement} place
 * @param {Toast} toast
 */
async function copyText(text, place, toast) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${text} is copied.`, "done");
  } catch {
    getSelection()?.selectAllChildren(place);
    toast("This browser lets the page copy nothing. The cursor is selected: copy it with your keyboard.");
  }
}
