/** What the page knows of a project itself: its name and what it is for. No DOM here. */

/** @import { Snapshot } from "../types.js" */

/** "api-design" as "API design". @param {string} name */
export function agentTitle(name) {
  const words = name
    .replace(/[-_]+/g, " ")
    .replace(/\b(api|http|css|html|sql)\b/gi, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export class ProjectModel {
  id = "";
  name = "";
  /** Null: nothing is generated here, the runs are commands. @type {string | null} */
  brief = null;

  /** @param {Snapshot} snapshot the answer of GET /api/projects/{id} */
  constructor(snapshot) {
    this.load(snapshot);
  }

  /** @param {Snapshot} snapshot */
  load({ id, name, brief }) {
    this.id = id;
    this.name = name;
    this.brief = brief;
  }

  /** Whether agents work here. */
  get generates() {
    return this.brief !== null;
  }
}
