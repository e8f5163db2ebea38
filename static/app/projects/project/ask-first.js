/** A question before something that can't be taken back, or that one may not have meant. */

import { byId, setText } from "../../shared/dom.js";

/** @typedef {{ title: string, text: string, yes: string, no: string, isDanger: boolean }} Words */

/** Returns ask(words): whether the answer is yes. The focus begins on no. */
export function createAsk() {
  const dialog = byId("confirm", HTMLDialogElement);
  /** @param {Words} words @returns {Promise<boolean>} */
  return ({ title, text, yes, no, isDanger }) => {
    setText(byId("confirm-title"), title);
    setText(byId("confirm-text"), text);
    setText(byId("confirm-yes"), yes);
    setText(byId("confirm-no"), no);
    byId("confirm-yes").classList.toggle("button--danger", isDanger);
    byId("confirm-yes").classList.toggle("button--primary", !isDanger);
    dialog.dataset.tone = isDanger ? "danger" : "plain";
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) =>
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
    );
  };
}
