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

/** @typedef {{ label: string, href: string, isDownload?: boolean }} ToastAction */
/** @typedef {ReturnType<typeof createToasts>} Toast */

/**
 * Returns toast(text, kind, action) with kind "info", "done" or "error", and perhaps a link. Its `failed(error, what)` tells of an error, and
 * `settle()` takes away those of the kind "away", which are none any more once the server is there again.
 */
export function createToasts(body = document.body) {
  const region = h("section", { class: "toasts", "aria-label": "Notifications", "aria-live": "polite" });
  body.append(region);
  /** What was pressed last, which is pressed again where it failed; not every browser gives a button the focus then. @type {Element | null} */
  let pressed = null;
  document.addEventListener("pointerdown", ({ target }) => {
    const button = target instanceof Element ? target.closest("button, a, summary") : null;
    if (!region.contains(button)) pressed = button;
  });
  document.addEventListener("focusin", ({ target }) => {
    const focused = /** @type {Element} */ (target);
    if (!region.contains(focused)) pressed = focused;
    if (region.childElementCount === 0) return;
    requestAnimationFrame(() => place(region, pressed)); // once it has scrolled
  });
  /**
   * @param {string} text
   * @param {"info" | "done" | "error" | "away"} kind
   * @param {ToastAction | null} action
   */
  const toast = (text, kind = "info", action = null) => {
    const close = h("button", { class: "button button--quiet button--small", type: "button", text: "Close" });
    const node = h(
      "div",
      { class: "toast", dataset: { kind } },
      h("span", { class: "toast__text", dir: "auto", text }),
      action && toastLink(action),
      close,
    );
    close.addEventListener("click", () => node.remove());
    region.append(node);
    while (region.childElementCount > TOASTS_MAX) region.firstElementChild?.remove();
    place(region, pressed);
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

/** @param {ToastAction} action */
const toastLink = ({ label, href, isDownload = false }) =>
  h("a", { class: "button button--small", href, download: isDownload, text: label });

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
 * Put a notice, or toasts, where they do not hide what has the focus (WCAG 2.2, 2.4.11): on their own edge of the window
 * or on the other one. Scrolling would move the page.
 *
 * @param {HTMLElement} node
 * @param {Element | null} at what people are at
 */
function place(node, at = document.activeElement) {
  if (node.hidden || node.contains(at)) return; // a button in it stays under the finger
  delete node.dataset.edge;
  if (at === null || at === document.body || !hides(node, at)) return;
  const head = document.querySelector(".head")?.getBoundingClientRect().bottom ?? 0;
  node.style.setProperty("--top", `${Math.max(head, 0) + EDGE}px`);
  node.dataset.edge = "other";
}

/**
 * What begins above it, such as a log that has the focus as a whole, is not hidden by it.
 *
 * @param {HTMLElement} node
 * @param {Element} at
 */
function hides(node, at) {
  const [ours, theirs] = [node.getBoundingClientRect(), at.getBoundingClientRect()];
  const isBeside = theirs.left >= ours.right || theirs.right <= ours.left;
  return !isBeside && theirs.top >= ours.top - theirs.height / 2 && theirs.top < ours.bottom;
}
