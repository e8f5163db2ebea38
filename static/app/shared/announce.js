/** Toasts, and one polite voice for screen readers that never talks faster than people can listen. */

import { inWords, passes } from "./api.js";
import { h, setText } from "./dom.js";

/** Least time between two announcements, milliseconds; only the newest of those that wait is spoken. */
const SPEAK_EVERY = 3_000;
/** How long a toast stays, milliseconds; errors stay until they are closed. */
const TOAST_FOR = 8_000;
const TOASTS_MAX = 4;
/** Between a notice and the head, pixels. */
const EDGE = 12;

/** Returns say(text): a throttled aria-live region at the end of the body. */
export function createVoice(body = document.body) {
  const region = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite", id: "voice" });
  body.append(region);
  let spokenAt = -Infinity;
  /** @type {string | null} */
  let waiting = null;
  /** @param {string} text */
  const speak = (text) => {
    spokenAt = performance.now();
    setText(region, text);
  };
  /** @param {string} text */
  return (text) => {
    const wait = spokenAt + SPEAK_EVERY - performance.now();
    if (wait <= 0 && waiting === null) {
      speak(text);
      return;
    }
    if (waiting === null) {
      setTimeout(() => {
        speak(waiting ?? "");
        waiting = null;
      }, wait);
    }
    waiting = text;
  };
}

/** @typedef {ReturnType<typeof createToasts>} Toast */

/**
 * Returns toast(text, kind) with kind "info", "done" or "error". Its `failed(error, what)` tells of an error, and
 * `settle()` takes away those of the kind "away", which are none any more once the server is there again.
 */
export function createToasts(body = document.body) {
  const region = h("section", { class: "toasts", "aria-label": "Notifications", "aria-live": "polite" });
  body.append(region);
  /**
   * @param {string} text
   * @param {"info" | "done" | "error" | "away"} kind
   */
  const toast = (text, kind = "info") => {
    const close = h("button", { class: "button button--quiet button--small", type: "button", text: "Close" });
    const node = h(
      "div",
      { class: "toast", dataset: { kind } },
      h("span", { class: "toast__text", dir: "auto", text }),
      close,
    );
    close.addEventListener("click", () => node.remove());
    region.append(node);
    while (region.childElementCount > TOASTS_MAX) region.firstElementChild?.remove();
    if (kind === "info" || kind === "done") setTimeout(() => node.remove(), TOAST_FOR);
    return node;
  };
  /**
   * @param {unknown} error
   * @param {string} what was tried
   */
  toast.failed = (error, what) => toast(inWords(error, what), passes(error) ? "away" : "error");
  toast.settle = () => {
    for (const node of region.querySelectorAll('[data-kind="away"]')) node.remove();
  };
  return toast;
}

/** @typedef {ReturnType<typeof createNotice>} Notice */

/**
 * A notice over the foot of the window: `set(text, kind, action?)` shows it, `set(null)` takes it away.
 *
 * @param {HTMLElement} node
 */
export function createNotice(node) {
  document.addEventListener("focusin", () => requestAnimationFrame(() => place(node))); // once it has scrolled
  /**
   * @param {string | null} text
   * @param {"warn" | "error"} kind
   * @param {{ label: string, run(): void } | null} action
   */
  return (text, kind = "warn", action = null) => {
    node.hidden = text === null;
    node.replaceChildren();
    if (text === null) return;
    node.dataset.kind = kind;
    node.append(h("span", { text }));
    if (action) {
      const button = h("button", { class: "button button--small", type: "button", text: action.label });
      button.addEventListener("click", action.run);
      node.append(button);
    }
    place(node);
  };
}

/**
 * Put a notice where it does not hide what has the focus (WCAG 2.2, 2.4.11): over the foot of the window, or below
 * the head. Scrolling would move the page.
 *
 * @param {HTMLElement} node
 */
function place(node) {
  if (node.hidden) return;
  delete node.dataset.edge;
  const focused = document.activeElement;
  if (focused === null || focused === document.body || node.contains(focused)) return;
  const [ours, theirs] = [node.getBoundingClientRect(), focused.getBoundingClientRect()];
  // What begins above it, such as a log that has the focus as a whole, is not hidden by it.
  const isHidden = theirs.top >= ours.top - theirs.height / 2 && theirs.top < ours.bottom;
  if (!isHidden || theirs.left >= ours.right || theirs.right <= ours.left) return;
  const head = document.querySelector(".head")?.getBoundingClientRect().bottom ?? 0;
  node.style.setProperty("--top", `${Math.max(head, 0) + EDGE}px`);
  node.dataset.edge = "top";
}
