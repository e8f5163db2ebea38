/** Telling people that a run has ended: a toast always, a browser notification if they asked for one. */

import { byId, setText, show } from "../../shared/dom.js";

const KEY = "twinwire:notify";

/** localStorage may be forbidden; the wish then lasts as long as the page. */
function stored() {
  try {
    return localStorage.getItem(KEY) === "yes";
  } catch {
    return false;
  }
}

/** @param {boolean} wish */
function store(wish) {
  try {
    localStorage.setItem(KEY, wish ? "yes" : "no");
  } catch {
    // Nothing to do: the button still works for this page.
  }
}

/**
 * Tell it beside the page, which is out of sight.
 *
 * @param {string} title
 * @param {string} text
 */
function tell(title, text) {
  try {
    const notification = new Notification(title, { body: text, tag: location.href });
    notification.addEventListener("click", () => {
      window.focus();
      notification.close();
    });
  } catch {
    // Some mobile browsers allow notifications from service workers only; the toast has to do.
  }
}

/**
 * For what is not the end of a run: if notifications are wished for, and the page is out of sight.
 *
 * @param {string} title
 * @param {string} text
 */
export function notifyIfWished(title, text) {
  const able = "Notification" in window && Notification.permission === "granted";
  if (able && document.hidden && stored()) tell(title, text);
}

/** Sets up the "Notify me" button; returns tell(title, text). */
export function createNotifier() {
  const button = byId("notify");
  let wish = stored();

  const render = () => {
    const able = "Notification" in window && Notification.permission !== "denied";
    show(button, able);
    const on = able && wish && Notification.permission === "granted";
    button.setAttribute("aria-pressed", String(on));
    setText(button, on ? "Notifying" : "Notify me");
    return on;
  };

  button.addEventListener("click", async () => {
    if (Notification.permission === "default") wish = (await Notification.requestPermission()) === "granted";
    else wish = !wish;
    store(wish);
    render();
  });
  render();

  /**
   * @param {string} title
   * @param {string} text
   */
  return (title, text) => {
    if (render() && document.hidden) tell(title, text);
  };
}
