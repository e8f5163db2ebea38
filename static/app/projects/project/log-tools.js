/** Beside a log: wrap, copy, download. */

import { byId, setText } from "../../shared/dom.js";
import { projects } from "../api.js";
import { plainLog } from "./ansi.js";

/** @import { Page } from "../../shared/page.js" */

const KEY = "twinwire:wrap";
/** How long a button says what it has done, milliseconds. */
const SAID_FOR = 2_000;

/** localStorage may be forbidden; the wish then lasts as long as the page. @param {boolean | null} wish */
function wrapping(wish) {
  try {
    if (wish !== null) localStorage.setItem(KEY, wish ? "yes" : "no");
    return localStorage.getItem(KEY) !== "no";
  } catch {
    return wish ?? true;
  }
}

/**
 * Text to the clipboard. Safari wants to be given the promise at once, while the press of the button counts.
 *
 * @param {() => Promise<string>} read
 */
async function copy(read) {
  if (navigator.clipboard === undefined)
    throw new Error("this browser copies only on https pages and on this machine");
  if (typeof ClipboardItem === "undefined" || navigator.clipboard.write === undefined) {
    await navigator.clipboard.writeText(await read());
    return;
  }
  const text = read().then((one) => new Blob([one], { type: "text/plain" }));
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
}

/**
 * A button that copies, and says so for a moment.
 *
 * @param {HTMLButtonElement} button
 * @param {() => Promise<string>} read
 * @param {Page["toast"]} toast
 */
export function createCopy(button, read, toast) {
  const label = button.textContent ?? "";
  /** @type {number | undefined} */
  let timer;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await copy(read);
      setText(button, "Copied");
    } catch (error) {
      toast.failed(error, "Copying");
    }
    button.disabled = false;
    clearTimeout(timer);
    timer = setTimeout(() => setText(button, label), SAID_FOR);
  });
}

/**
 * `run()` is the number of the run that is shown; 0 for none.
 *
 * @param {string} project
 * @param {() => number} run
 * @param {Page["toast"]} toast
 */
export function createTools(project, run, toast) {
  const wrap = byId("log-wrap", HTMLButtonElement);
  /** @param {boolean | null} wish */
  const render = (wish) => {
    const isOn = wrapping(wish);
    wrap.setAttribute("aria-pressed", String(isOn));
    byId("logs").dataset.wrap = isOn ? "on" : "off";
  };
  wrap.addEventListener("click", () => render(wrap.getAttribute("aria-pressed") !== "true"));
  render(null);

  const never = new AbortController().signal;
  const read = async () => plainLog(await projects.logText(project, run(), never));
  createCopy(byId("log-copy", HTMLButtonElement), read, toast);

  return {
    /** Another run is shown. */
    update() {
      const isThere = run() > 0;
      byId("log-copy", HTMLButtonElement).disabled = !isThere;
      const download = byId("log-download", HTMLAnchorElement);
      download.hidden = !isThere;
      if (isThere) {
        download.href = projects.log(project, run());
        download.download = `run-${run()}.log`;
      }
    },
  };
}
