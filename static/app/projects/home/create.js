/**
 * The form for a new project. The server is the judge of a brief; its words are shown at the field they
 * concern.
 */

import { TwinwireError } from "../../../client/index.js";
import { inWords } from "../../shared/api.js";
import { byId, h, setText } from "../../shared/dom.js";
import { fieldOf, markField } from "../../shared/fields.js";
import { free } from "../../shared/who.js";
import { projects } from "../api.js";
import { EXAMPLES } from "./examples.js";

/** @import { Project } from "../types.js" */

const FIELDS = ["name", "brief"];

/**
 * `created(project)` is called after the server has accepted the project.
 *
 * @param {(project: Project) => void} created
 */
export function createForm(created) {
  const form = byId("create");
  const button = byId("create-button", HTMLButtonElement);
  for (const example of EXAMPLES) byId("examples").append(exampleButton(example));
  for (const field of FIELDS) byId(field).addEventListener("input", () => markField(field, null));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    clearErrors();
    button.disabled = true;
    try {
      created(
        await projects.create(byId("name", HTMLInputElement).value, byId("brief", HTMLTextAreaElement).value),
      );
    } catch (error) {
      showError(error);
    } finally {
      free(button);
    }
  });
}

/** @param {{ name: string, brief: string, label: string }} example */
function exampleButton(example) {
  const fill = () => {
    byId("name", HTMLInputElement).value = example.name;
    byId("brief", HTMLTextAreaElement).value = example.brief;
    clearErrors();
    byId("create-button").focus();
  };
  return h("button", {
    class: "button button--small",
    type: "button",
    text: example.label,
    on: { click: fill },
  });
}

function clearErrors() {
  for (const field of FIELDS) markField(field, null);
  byId("create-error").hidden = true;
}

/** @param {unknown} error */
function showError(error) {
  const field = fieldOf(error);
  if (error instanceof TwinwireError && error.status === 422 && FIELDS.includes(field)) {
    markField(field, error.message);
    byId(field).focus();
    return;
  }
  const box = byId("create-error");
  box.hidden = false;
  setText(box, inWords(error, "Creating the project"));
}
