/**
 * The form for a new project. The server is the judge of a brief; its words are shown at the field they
 * concern. An example takes the place of what was typed, and gives it back.
 */

import { TwinwireError } from "../../../client/index.js";
import { inWords } from "../../shared/api.js";
import { byId, h, setText } from "../../shared/dom.js";
import { fieldOf, markField } from "../../shared/fields.js";
import { free } from "../../shared/who.js";
import { projects } from "../api.js";
import { Editor } from "../brief/editor.js";
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
  const name = byId("name", HTMLInputElement);
  const editor = new Editor();
  for (const example of EXAMPLES) byId("examples").append(exampleButton(example, name, editor));
  name.addEventListener("input", () => markField("name", null));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    clearErrors();
    button.disabled = true;
    try {
      created(await projects.create(name.value, editor.text)); // from there on the page goes away: one press is one project
    } catch (error) {
      showError(error, editor);
      free(button);
    }
  });
  addEventListener("pageshow", () => free(button)); // one has come back to it
}

/**
 * @param {{ name: string, brief: string, label: string }} example
 * @param {HTMLInputElement} name
 * @param {Editor} editor
 */
function exampleButton(example, name, editor) {
  const fill = () => {
    const before = editor.written;
    const isLost = !isExample(name.value, editor);
    name.value = example.name;
    editor.set(example.brief);
    clearErrors();
    byId("create-button").focus();
    if (isLost) editor.offerUndo(`“${example.label}” is in the place of what you had typed.`, before);
  };
  return h("button", {
    class: "button button--small",
    type: "button",
    text: example.label,
    on: { click: fill },
  });
}

/**
 * Whether nothing was typed that another example would take away.
 *
 * @param {string} name
 * @param {Editor} editor
 */
const isExample = (name, editor) =>
  (name.trim() === "" && editor.isBlank) ||
  EXAMPLES.some((one) => one.name === name && one.brief === editor.text);

function clearErrors() {
  for (const field of FIELDS) markField(field, null);
  byId("create-error").hidden = true;
}

/** @param {unknown} error @param {Editor} editor */
function showError(error, editor) {
  const field = fieldOf(error);
  if (error instanceof TwinwireError && error.status === 422 && FIELDS.includes(field)) {
    if (field === "brief") editor.refuse(error.message);
    else {
      markField(field, error.message);
      byId(field).focus();
    }
    return;
  }
  const box = byId("create-error");
  box.hidden = false;
  setText(box, inWords(error, "Creating the project"));
}
