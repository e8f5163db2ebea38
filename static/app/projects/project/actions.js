/** Generate, Cancel, Delete: each tells in words what the server said, and never leaves a button stuck. */

import { statusOf } from "../../shared/api.js";
import { byId, setText } from "../../shared/dom.js";
import { free } from "../../shared/who.js";
import { projects } from "../api.js";

/** @import { Page } from "../../shared/page.js" */
/** @import { ProjectModel } from "./model.js" */

const CONFLICT = {
  generate: "A run is already going. What you see here is that run.",
  cancel: "Nothing runs any more: there is nothing to cancel.",
};

/**
 * `refresh()` loads the project again; `gone()` is called when it turns out to be deleted.
 *
 * @param {ProjectModel} model
 * @param {{ toast: Page["toast"], who: Page["who"], refresh(): Promise<void>, gone(): void }} page
 */
export function createActions(model, { toast, who, refresh, gone }) {
  /**
   * @param {HTMLButtonElement} button
   * @param {"generate" | "cancel"} name
   * @param {() => Promise<unknown>} call
   * @param {string} what
   */
  async function act(button, name, call, what) {
    button.disabled = true;
    try {
      await call();
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) gone();
      else if (status === 409) {
        toast(CONFLICT[name]);
        await refresh();
      } else toast.failed(error, what);
    } finally {
      free(button);
    }
  }

  const [generate, cancel] = [byId("generate", HTMLButtonElement), byId("cancel", HTMLButtonElement)];
  generate.addEventListener("click", () =>
    act(generate, "generate", () => projects.generate(model.id), "Starting the agents"),
  );
  cancel.addEventListener("click", () =>
    act(cancel, "cancel", () => projects.cancel(model.id), "Cancelling the run"),
  );
  for (const button of [generate, cancel, byId("delete", HTMLButtonElement)]) {
    const topic = `projects/${model.id}`;
    const reason = `You may look, but not change this project: that takes the right to publish to “${topic}”.`;
    who.limit({ button, op: "publish", topic, reason });
  }
  byId("download", HTMLAnchorElement).href = projects.archive(model.id);
  createDelete(model, toast);
}

/**
 * @param {ProjectModel} model
 * @param {Page["toast"]} toast
 */
function createDelete(model, toast) {
  const dialog = byId("confirm", HTMLDialogElement);
  byId("delete").addEventListener("click", () => {
    setText(
      byId("confirm-text"),
      `“${model.name}”, its files and its whole history go. This can't be undone.`,
    );
    dialog.returnValue = "no";
    dialog.showModal();
  });
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "yes") return;
    try {
      await projects.remove(model.id);
    } catch (error) {
      if (statusOf(error) !== 404) {
        toast.failed(error, "Deleting the project");
        return;
      }
    }
    location.href = "./";
  });
}
