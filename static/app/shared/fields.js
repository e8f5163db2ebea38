/** Words at the field of a form that they concern. */

import { TwinwireError } from "../../client/errors.js";
import { byId, setText } from "./dom.js";

/** What a refusal names: the last part of it, without the place in a list; empty if it names nothing. @param {unknown} error */
export const fieldOf = (error) =>
  String((error instanceof TwinwireError && error.problem?.field) || "")
    .split(".")
    .pop() ?? "";

/**
 * Show `words` at a field, in the element of its name and `-error`, or take them away with null.
 *
 * @param {string} field its id
 * @param {string | null} words
 */
export function markField(field, words) {
  const input = byId(field);
  const error = byId(`${field}-error`);
  error.hidden = words === null;
  setText(error, words ?? "");
  if (words === null) input.removeAttribute("aria-invalid");
  else input.setAttribute("aria-invalid", "true");
  const hint = document.getElementById(`${field}-hint`);
  const described = [words === null ? null : error.id, hint?.id].filter(Boolean).join(" ");
  if (described) input.setAttribute("aria-describedby", described);
  else input.removeAttribute("aria-describedby");
}
