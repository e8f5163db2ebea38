/** Generate, Cancel, Delete: each tells in words what the server said, and never leaves a button stuck. */

import { inWords } from "../../shared/api.js";
import { byId, setText } from "../../shared/dom.js";
import { projects } from "../api.js";

const CONFLICT = {
  generate: "A run is already going. What you see here is that run.",
  cancel: "Nothing runs any more: there is nothing to cancel.",
};

/** `refresh()` loads the project again; `gone()` is called when it turns out to be deleted. */
export function createActions(model, { toast, refresh, gone }) {
  async function act(button, name, call, what) {
    button.disabled = true;
    try {
      await call();
    } catch (error) {
      if (error.status === 404) gone();
      else if (error.status === 409) {
        toast(CONFLICT[name]);
        await refresh();
      } else toast(inWords(error, what), "error");
    } finally {
      button.disabled = false;
    }
  }

  byId("generate").addEventListener("click", (event) =>
    act(event.currentTarget, "generate", () => projects.generate(model.id), "Starting the agents"),
  );
  byId("cancel").addEventListener("click", (event) =>
    act(event.currentTarget, "cancel", () => projects.cancel(model.id), "Cancelling the run"),
  );
  byId("download").href = projects.archive(model.id);
  createDelete(model, toast);
}

function createDelete(model, toast) {
  const dialog = byId("confirm");
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
      if (error.status !== 404) {
        toast(inWords(error, "Deleting the project"), "error");
        return;
      }
    }
    location.href = "./";
  });
}
