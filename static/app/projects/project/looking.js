/**
 * What one looks at, of the parts of the page that are side by side: the one that was used last, by pointer, keyboard or
 * wheel. Before any was: nothing that others would be told.
 */

/** @import { View } from "./people.js" */

/** @typedef {"files" | "log"} Part */

/** @type {[id: string, part: Part][]} */
const PARTS = [
  ["files-panel", "files"],
  ["logs-panel", "log"],
];
const USES = ["pointerdown", "focusin", "wheel", "keydown"];

/** @param {() => void} changed */
export function createLooking(changed) {
  /** @type {Part | null} */
  let at = null;
  /** @param {Part} part */
  const use = (part) => {
    if (at === part) return;
    at = part;
    changed();
  };
  for (const [id, part] of PARTS) {
    const panel = document.getElementById(id);
    for (const type of USES) panel?.addEventListener(type, () => use(part), { passive: true });
  }
  return {
    use,
    /**
     * @param {{ run: number, file: string | null, line: number, search: string }} page
     * @returns {View | null}
     */
    view({ run, file, line, search }) {
      if (at === null || run === 0) return null;
      if (at === "log") return { run, log: search };
      return file === null ? null : { run, file, line };
    },
  };
}
